"""`/v1/events`: what came in, one fact at a time."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.event_models import EventDetail, EventOut, EventsOut, ReceiptOut, TermOut
from inkwire.api.fields import Cursor, Id, Moment, Page, Term
from inkwire.api.parts import With
from inkwire.errors import NotFound
from inkwire.model.access import Caller, Scope
from inkwire.model.event import Event, EventState
from inkwire.parts import Parts
from inkwire.store.contract import EventQuery

router = APIRouter(prefix="/events", tags=["Events"])

Reader = Annotated[Caller, Allowed(Scope.EVENTS_READ)]
BodyReader = Annotated[Caller, Allowed(Scope.EVENTS_BODY)]
Writer = Annotated[Caller, Allowed(Scope.EVENTS_WRITE)]

#: A browser that opens stored content must never run it.
RAW_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_BYTES = "application/octet-stream"


class EventFilters(Page):
    """The filters of the event list; all that are given must hold."""

    text: Term | None = Field(
        None,
        description="Beginning of an id, e-mail address, name or number in the event; or an event "
        "id or receipt id, whole.",
    )
    source: Term | None = None
    type: Term | None = Field(None, examples=["box.FILE.UPLOADED"])
    entity: Term | None = Field(None, examples=["box:file:1234"])
    state: EventState | None = None
    since: Moment | None = Field(None, description="Received at or after; RFC 3339.")
    until: Moment | None = Field(None, description="Received before; RFC 3339.")
    after: Cursor | None = Field(None, description="Only what is newer than this id.")

    def query(self) -> EventQuery:
        """As the store asks."""
        return EventQuery(
            text=self.text,
            source_id=self.source,
            type=self.type,
            entity_key=self.entity,
            state=self.state,
            since=self.since,
            until=self.until,
            before=self.before,
            after=self.after,
            limit=self.limit,
        )


@router.get("", summary="List events")
def list_events(parts: With, _: Reader, filters: Annotated[EventFilters, Query()]) -> EventsOut:
    """Events, newest first, a page at a time."""
    events = parts.store.events.page(filters.query())
    return EventsOut(items=[EventOut.of(event) for event in events], next=filters.next_of(events))


@router.get("/{event_id}", summary="Read an event")
def read_event(event_id: Id, parts: With, _: Reader) -> EventDetail:
    """One event with its receipt's facts, search terms and every delivery of it."""
    stored = parts.store.events
    event = stored.get(event_id)
    return EventDetail(
        event=EventOut.of(event),
        receipt=ReceiptOut.of(stored.receipt(event.receipt_id)),
        terms=[TermOut.of(term) for term in stored.terms(event_id)],
        deliveries=[EventOut.of(other) for other in stored.deliveries(event)],
    )


@router.get(
    "/{event_id}/raw",
    summary="Read the body as received",
    response_class=Response,
    responses={
        200: {
            "description": "The exact bytes of the request's body.",
            "content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def read_raw(event_id: Id, parts: With, _: BodyReader) -> Response:
    """The body of the event's receipt; of an exact duplicate, the first's, which is the same."""
    body = _body(parts, parts.store.events.get(event_id))
    headers = {**RAW_HEADERS, "Content-Disposition": f'attachment; filename="{event_id}.bin"'}
    return Response(body, media_type=_BYTES, headers=headers)


@router.post("/{event_id}/dispatch", summary="Dispatch an event again", status_code=202)
def dispatch_event(event_id: Id, parts: With, caller: Writer) -> EventOut:
    """Puts the event back to waiting; the worker takes it up at once."""
    parts.inbox.dispatch_again(caller, event_id)
    return EventOut.of(parts.store.events.get(event_id))


def _body(parts: Parts, event: Event) -> bytes:
    """The event's body, or that of the first delivery if it is byte for byte the same."""
    opened = parts.store.inbound.open_receipt(event.receipt_id)
    if opened.body is None and event.duplicate_of is not None:
        first = parts.store.inbound.open_receipt(
            parts.store.events.get(event.duplicate_of).receipt_id
        )
        if first.receipt.body_hash == opened.receipt.body_hash:
            opened = first
    if opened.body is None:
        raise NotFound("The body is no longer kept; the event's other facts are.")
    return opened.body
