"""`/v1/messages`: outbound events, and publishing them."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from inkwire.api.bodies import MessageIn, RawBody, read_message, takes
from inkwire.api.callers import Allowed
from inkwire.api.events import RAW_HEADERS
from inkwire.api.fields import Id, Moment, Page, Term, Text
from inkwire.api.message_models import MessageOut, MessagesOut, PublishedOut
from inkwire.api.parts import With
from inkwire.errors import InvalidInput
from inkwire.model.access import Caller, Scope
from inkwire.model.message import MessageOrigin
from inkwire.store.sending import MessageQuery

router = APIRouter(prefix="/messages", tags=["Messages"])

Reader = Annotated[Caller, Allowed(Scope.MESSAGES_READ)]
BodyReader = Annotated[Caller, Allowed(Scope.MESSAGES_BODY)]
Sender = Annotated[Caller, Allowed(Scope.MESSAGES_WRITE)]


class MessageFilters(Page):
    """The filters of the message log; all that are given must hold."""

    application: Term | None = None
    topic: Term | None = None
    event: Term | None = Field(None, description="The inbound event that was forwarded.")
    origin: MessageOrigin | None = None
    since: Moment | None = Field(None, description="Made at or after; RFC 3339.")
    until: Moment | None = Field(None, description="Made before; RFC 3339.")


@router.post("", summary="Publish a message", status_code=202, openapi_extra=takes(MessageIn))
def publish_message(
    body: RawBody,
    parts: With,
    caller: Sender,
    idempotency_key: Annotated[Text | None, Header(max_length=255)] = None,
) -> PublishedOut:
    """Keeps a message for one application, or for each that may hear the topic; then answers.

    With a key that came before for the same request nothing is sent again; for another request it
    is refused (409).
    """
    message, payload = read_message(body)
    key = message.idempotency_key
    if None not in (key, idempotency_key) and key != idempotency_key:
        raise InvalidInput(
            fields={"idempotency_key": "differs from the header Idempotency-Key; send one of them"}
        )
    ids, new = parts.publisher.publish(
        caller,
        topic=message.topic,
        payload=payload,
        application_id=message.application,
        account=message.account,
        document_ids=message.document_ids,
        idempotency_key=key if idempotency_key is None else idempotency_key,
    )
    return PublishedOut(ids=ids, new=new)


@router.get("", summary="List messages")
def list_messages(
    parts: With, caller: Reader, filters: Annotated[MessageFilters, Query()]
) -> MessagesOut:
    """Messages, newest first, a page at a time."""
    found = parts.deliveries.messages(
        caller,
        MessageQuery(
            application_id=filters.application,
            topic=filters.topic,
            event_id=filters.event,
            origin=filters.origin,
            since=filters.since,
            until=filters.until,
            before=filters.before,
            limit=filters.limit,
        ),
    )
    return MessagesOut(
        items=[MessageOut.of(message) for message in found], next=filters.next_of(found)
    )


@router.get("/{message_id}", summary="Read a message")
def read_message_facts(message_id: Id, parts: With, caller: Reader) -> MessageOut:
    """One message, without its payload."""
    return MessageOut.of(parts.deliveries.message(caller, message_id))


@router.get(
    "/{message_id}/payload",
    summary="Read a payload as it is sent",
    response_class=Response,
    responses={
        200: {
            "description": "The exact bytes.",
            "content": {"application/json": {"schema": {}}},
        }
    },
)
def read_payload(message_id: Id, parts: With, caller: BodyReader) -> Response:
    """Byte for byte what its webhooks get."""
    payload = parts.deliveries.payload(caller, message_id)
    headers = {**RAW_HEADERS, "Content-Disposition": f'attachment; filename="{message_id}.json"'}
    return Response(payload, media_type="application/json", headers=headers)
