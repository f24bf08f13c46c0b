"""What the API answers about events, receipts and refused requests."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, Field

from inkwire.api.fields import Next, Output
from inkwire.model.event import DedupeKind, EventState, Origin, TermKind
from inkwire.model.receipt import ReceiptState
from inkwire.model.verdict import MatchedOn, Reason


class EventOut(Output):
    """One fact found in a receipt's body."""

    id: str
    receipt_id: str
    source_id: str
    provider: str
    position: int = Field(description="Index of the element in the body, from 0.")
    type: str = Field(examples=["box.FILE.UPLOADED"])
    state: EventState
    origin: Origin
    received_at: datetime
    occurred_at: datetime | None = Field(description="By the vendor's clock; null: it did not say.")
    entity_key: str | None = Field(examples=["box:file:1234"])
    dedupe_kind: DedupeKind = Field(
        description="`hard`: by the vendor's id; `derived`: by the content, within a window."
    )
    duplicate_of: str | None = Field(description="The first event with the same key.")
    conflict: bool = Field(description="A duplicate by key whose body differs: look at it.")
    test: bool = Field(description="A test click in the vendor's console.")
    dispatched_at: datetime | None
    dispatch_error: str | None = Field(description="Why dispatch failed, and what to do.")


class EventsOut(Output):
    """A page of events, newest first."""

    items: list[EventOut]
    next: Next


class TermOut(Output):
    """One thing the event can be found by."""

    kind: TermKind
    value: str


class ReceiptOut(Output):
    """The facts of one accepted request; not its headers or body."""

    id: str
    source_id: str
    provider: str
    state: ReceiptState
    received_at: datetime
    remote: str = Field(description="Address of the sender.")
    method: str
    path: str
    body_size: int = Field(description="Bytes.")
    has_body: bool = Field(
        description="false: an exact duplicate, whose body the first holds, or erased."
    )
    body_hash: str = Field(description="Keyed hash; equal bodies of this hub have equal hashes.")
    secret_id: str = Field(description="The secret whose signature matched.")
    matched_on: MatchedOn
    signed_at: datetime | None
    quarantine: Reason | None = Field(description="Why it was held back; null: it was not.")
    released_at: datetime | None
    released_by: str | None


class EventDetail(Output):
    """An event with everything about it but headers and body."""

    event: EventOut
    receipt: ReceiptOut
    terms: list[TermOut]
    deliveries: list[EventOut] = Field(
        description="Every delivery of this event, the first first, itself among them; ≤ 200."
    )


class HeaderOut(Output):
    """One header as received."""

    name: str
    value: str = Field(description="«redacted» where it carries credentials.")

    @classmethod
    def each(cls, headers: Iterable[tuple[str, str]]) -> list[Self]:
        """From pairs, already redacted."""
        return [cls(name=name, value=value) for name, value in headers]


class ReceiptDetail(Output):
    """A receipt with its headers and the events found in it."""

    receipt: ReceiptOut
    query: str = Field(
        description="As it came, credentials redacted by their names; it may hold a signature."
    )
    headers: list[HeaderOut]
    events: list[EventOut]


class RejectionOut(Output):
    """One refused request; the log keeps a bounded number of them."""

    id: str
    source_id: str = Field(description="What stood in the URL; need not exist.")
    provider: str | None
    at: datetime
    status: int = Field(description="What the sender was answered.", examples=[401])
    reason: Reason
    detail: str
    hint: str = Field(description="What an operator can do about it.")
    remote: str
    method: str
    path: str
    body_size: int
    headers: Annotated[list[HeaderOut], BeforeValidator(HeaderOut.each)] | None = Field(
        description="Redacted, at most 4 KiB; null: the key lacks the scope events:body."
    )


class RejectionsOut(Output):
    """A page of refused requests, newest first."""

    items: list[RejectionOut]
    next: Next
