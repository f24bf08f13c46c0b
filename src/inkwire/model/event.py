"""Events: what a provider reads out of a body, and what the store keeps of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class DedupeKind(StrEnum):
    """How sure a dedupe key is."""

    #: The vendor's own id: unique for good; a repeat is a duplicate.
    HARD = "hard"
    #: Derived from the content: a repeat within the window is a *probable* duplicate.
    DERIVED = "derived"


class EventState(StrEnum):
    """What became of an event on its way in."""

    NEW = "new"
    DUPLICATE = "duplicate"
    PROBABLE_DUPLICATE = "probable_duplicate"
    QUARANTINED = "quarantined"
    UNPARSABLE = "unparsable"
    #: The source is limited to other event types or documents (R131): kept, not acted on.
    FILTERED = "filtered"


#: States that dispatch hands on.
HANDED_ON = frozenset({EventState.NEW, EventState.PROBABLE_DUPLICATE})


class Origin(StrEnum):
    """How we learned of an event."""

    WEBHOOK = "webhook"
    RECONCILED = "reconciled"


class TermKind(StrEnum):
    """What a search term is."""

    ID = "id"
    EMAIL = "email"
    NAME = "name"
    NUMBER = "number"
    ENTITY = "entity"


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One thing an event can be found by. Stored plain; see docs/explanation/security.md."""

    kind: TermKind
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedEvent:
    """One fact that a provider found in a body."""

    #: `provider.NAME` in the vendor's own spelling, e.g. `box.FILE.UPLOADED`; ≤ 200 characters.
    type: str
    #: What makes two deliveries the same event: a vendor's id, or canonical content.
    dedupe_key: bytes
    dedupe_kind: DedupeKind
    #: What a repeat under a hard key must agree in; None: the body. For a vendor that repeats an
    #: event with what it is about as that is by then, or among other events.
    unchanging: bytes | None = None
    #: `box:file:ID`; None if the body names nothing.
    entity_key: str | None = None
    #: When it happened, by the vendor's clock; None if the body does not say.
    occurred_at: datetime | None = None
    #: A test click in the vendor's console: never shares keys with real deliveries.
    test: bool = False
    #: Ids of documents, forms or folders that a source can be limited to (R131).
    document_ids: tuple[str, ...] = ()
    #: What it can be found by besides the element: ids that stand in the request's headers.
    header_terms: tuple[Term, ...] = ()
    #: The decoded element; never stored as such.
    payload: Any = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One stored event, as lists and pages show it."""

    id: str
    receipt_id: str
    source_id: str
    provider: str
    #: Index of the element in the receipt's body, from 0.
    position: int
    type: str
    state: EventState
    origin: Origin
    received_at: datetime
    occurred_at: datetime | None
    entity_key: str | None
    dedupe_kind: DedupeKind
    #: The first event with this key, for duplicates.
    duplicate_of: str | None
    #: A duplicate by key whose body differs from the first: somebody should look.
    conflict: bool
    test: bool
    #: When dispatch was done with it; None while it waits (or its source is paused).
    dispatched_at: datetime | None
    #: Why dispatch failed, for a person; None normally.
    dispatch_error: str | None
