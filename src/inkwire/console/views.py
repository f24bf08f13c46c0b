"""What templates are given: values with everything worked out, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from inkwire.model.event import Event
from inkwire.model.receipt import Receipt, Rejection
from inkwire.model.source import Source, SourceActivity
from inkwire.pages.marks import Mark, Tone
from inkwire.pages.views import ShownBody


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRow:
    """One line of the event list."""

    event: Event
    title: str
    mark: Mark
    url: str
    source_name: str
    source_url: str
    #: What it is about, in words: ("sign request", "5f0c…"); empty texts if it names nothing.
    about: tuple[str, str]
    #: The list, limited to this entity.
    entity_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of a timeline, newest first."""

    icon: str
    tone: Tone
    #: A sentence.
    text: str
    #: None: it has not happened yet.
    at: datetime | None = None
    #: Time since the line before it: `+340 ms`.
    gap: str = ""
    #: What proves it: ids, byte counts.
    proof: str = ""
    link: str = ""
    link_text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventDetail:
    """The page of one event."""

    event: Event
    title: str
    mark: Mark
    receipt: Receipt
    #: None: deleted since.
    source: Source | None
    source_url: str
    provider: str
    timeline: tuple[Line, ...]
    #: Other deliveries of the same event, oldest first.
    deliveries: tuple[EventRow, ...]
    #: Other events out of the same request, by position.
    siblings: tuple[EventRow, ...]
    about: tuple[str, str]
    #: What it can be found by: kind → (value, address of the list that finds it).
    terms: Mapping[str, tuple[tuple[str, str], ...]]
    #: None without the right to see it.
    headers: tuple[tuple[str, str], ...] | None
    body: ShownBody | None
    curl: str
    #: Why there is no body here, in words.
    no_body: str
    can_release: bool
    can_dispatch: bool
    #: The first delivery, for duplicates and conflicts.
    first_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectionRow:
    """One refused request."""

    rejection: Rejection
    reason: str
    url: str
    #: Empty if no such source exists.
    source_url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceRow:
    """One source with how it is."""

    source: Source
    provider: str
    health: Mark
    activity: SourceActivity | None
    url: str
    #: Share of the busiest source's requests in the last 24 hours, 0 to 100.
    share: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretRow:
    """One secret of a source; never its value."""

    id: str
    created_at: datetime
    expires_at: datetime | None
    expired: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretGroup:
    """One role of secret, with those that are held for it."""

    role: str
    label: str
    help: str
    required: bool
    generate: bool
    min_length: int
    max_length: int
    secrets: tuple[SecretRow, ...]
