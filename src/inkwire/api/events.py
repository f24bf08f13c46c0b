"""`/v1/events`: what came in, one fact at a time."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from inkwire.api.callers import Allowed
from inkwire.api.event_models import EventDetail, EventOut, EventsOut, ReceiptOut, TermOut
from inkwire.api.fields import Before, Id, Limit, Moment, Text
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
_Filter = Annotated[Text | None, Query(max_length=200)]


def event_query(
    *,
    text: Annotated[
        Text | None,
        Query(
            max_length=200,
            description="Beginning of an id, e-mail, name or number in the event; or an event id "
            "or receipt id, whole.",
        ),
    ] = None,
    source: _Filter = None,
    type: _Filter = None,  # noqa: A002 # the word that the API uses
    entity: _Filter = None,
    state: EventState | None = None,
    since: Annotated[Moment | None, Query(description="Received at or after; RFC 3339.")] = None,
    until: Annotated[Moment | None, Query(description="Received before; RFC 3339.")] = None,
    before: Before = None,
    after: Annotated[
        Text | None, Query(max_length=100, description="Only what is newer than this id.")
    ] = None,
    limit: Limit = 50,
) -> EventQuery:
    """The filters of the event list; all that are given must hold."""
    return EventQuery(
        text=text,
        source_id=source,
        type=type,
        entity_key=entity,
        state=state,
        since=since,
        until=until,
        before=before,
        after=after,
        limit=limit,
    )


@router.get("", summary="List events")
def list_events(
    parts: With, _: Reader, query: Annotated[EventQuery, Depends(event_query)]
) -> EventsOut:
    """Events, newest first, a page at a time."""
    events = parts.store.events.page(query)
    return EventsOut(
        items=[EventOut.of(event) for event in events],
        next=events[-1].id if len(events) == query.limit else None,
    )


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
