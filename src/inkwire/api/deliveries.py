"""`/v1/deliveries` and `/v1/attempts`: what became of messages."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.fields import Id, Moment, Page, Term
from inkwire.api.message_models import (
    DeliveriesOut,
    DeliveryDetailOut,
    DeliveryOut,
    OpenedAttemptOut,
)
from inkwire.api.parts import With
from inkwire.model.access import Caller, Scope
from inkwire.model.message import AttemptResult, DeliveryState
from inkwire.store.sending import DeliveryQuery

router = APIRouter(tags=["Deliveries"])

Reader = Annotated[Caller, Allowed(Scope.MESSAGES_READ)]
BodyReader = Annotated[Caller, Allowed(Scope.MESSAGES_BODY)]
Sender = Annotated[Caller, Allowed(Scope.MESSAGES_WRITE)]


class DeliveryFilters(Page):
    """The filters of the list of deliveries; all that are given must hold."""

    application: Term | None = None
    webhook: int | None = Field(None, ge=1, le=2**53 - 1)
    message: Term | None = None
    state: DeliveryState | None = None
    result: AttemptResult | None = Field(None, description="How the last attempt ended.")
    since: Moment | None = Field(None, description="Made at or after; RFC 3339.")
    until: Moment | None = Field(None, description="Made before; RFC 3339.")


@router.get("/deliveries", summary="List deliveries")
def list_deliveries(
    parts: With, caller: Reader, filters: Annotated[DeliveryFilters, Query()]
) -> DeliveriesOut:
    """Deliveries, newest first, a page at a time."""
    found = parts.deliveries.deliveries(
        caller,
        DeliveryQuery(
            application_id=filters.application,
            webhook_id=filters.webhook,
            message_id=filters.message,
            state=filters.state,
            result=filters.result,
            since=filters.since,
            until=filters.until,
            before=filters.before,
            limit=filters.limit,
        ),
    )
    return DeliveriesOut(
        items=[DeliveryOut.of(delivery) for delivery in found], next=filters.next_of(found)
    )


@router.get("/deliveries/{delivery_id}", summary="Read a delivery")
def read_delivery(delivery_id: Id, parts: With, caller: Reader) -> DeliveryDetailOut:
    """One delivery with its message and each attempt."""
    return DeliveryDetailOut.shown(parts.deliveries.delivery(caller, delivery_id))


@router.post("/deliveries/{delivery_id}/resend", summary="Send again", status_code=202)
def resend_delivery(delivery_id: Id, parts: With, caller: Sender) -> DeliveryOut:
    """One that waits is due at once; else a new delivery of the same message is made."""
    return DeliveryOut.of(parts.deliveries.resend(caller, delivery_id))


@router.get("/attempts/{attempt_id}", summary="Read an attempt")
def read_attempt(attempt_id: Id, parts: With, caller: BodyReader) -> OpenedAttemptOut:
    """What was sent and what came back, credentials redacted."""
    return OpenedAttemptOut.shown(parts.deliveries.attempt(caller, attempt_id))
