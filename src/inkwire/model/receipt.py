"""Receipts: accepted requests as they came; and what the endpoint hands to the store."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from inkwire.model.event import EventState, Origin, ParsedEvent
from inkwire.model.request import Headers
from inkwire.model.verdict import Accepted, MatchedOn, Reason


class ReceiptState(StrEnum):
    """Where a receipt stands."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    #: Was quarantined, then let in by a person.
    RELEASED = "released"


@dataclass(frozen=True, kw_only=True, slots=True)
class IntakeEvent:
    """One event of an intake, with the state it gets if its key is free."""

    id: str
    parsed: ParsedEvent
    #: NEW, UNPARSABLE or FILTERED; the store turns NEW into (PROBABLE_)DUPLICATE by its key.
    state: EventState = EventState.NEW


@dataclass(frozen=True, kw_only=True, slots=True)
class Intake:
    """Everything of one proven request that must be on disk before its answer."""

    receipt_id: str
    source_id: str
    provider: str
    received_at: datetime
    remote: str
    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes = field(repr=False)
    proof: Accepted
    #: None: accepted. Else why it is quarantined (stale).
    quarantine: Reason | None = None
    events: tuple[IntakeEvent, ...]
    origin: Origin = Origin.WEBHOOK


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What the store says of one committed intake."""

    receipt_id: str
    #: State of each event, in the intake's order.
    states: tuple[EventState, ...]
    #: False if a quarantined request was held already, or the quarantine is full: only counted.
    kept: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """One stored receipt. Query, headers and body are opened apart (`Inbound.open_receipt`)."""

    id: str
    source_id: str
    provider: str
    state: ReceiptState
    received_at: datetime
    remote: str
    method: str
    path: str
    body_size: int
    #: False for an exact duplicate (the first holds it) and after erasure.
    has_body: bool
    #: Keyed hash of the body (hex): equal bodies of one hub have equal hashes.
    body_hash: str
    secret_id: str
    matched_on: MatchedOn
    signed_at: datetime | None
    quarantine: Reason | None
    released_at: datetime | None
    released_by: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedReceipt:
    """A receipt with its sealed parts opened."""

    receipt: Receipt
    #: As it came; it may hold a token or a signature.
    query: bytes = field(repr=False)
    headers: Headers
    #: None if it is not kept here: see `Receipt.has_body`.
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """One refused request in the bounded rejected log."""

    id: str
    #: What stood in the URL; need not be a source that exists. At most 64 characters.
    source_id: str
    provider: str | None
    at: datetime
    status: int
    reason: Reason
    detail: str
    #: What an operator can do about it.
    hint: str
    remote: str
    method: str
    path: str
    body_size: int
    #: Redacted, at most 4 KiB.
    headers: tuple[tuple[str, str], ...]
