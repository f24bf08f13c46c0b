"""`/v1/receipts` and `/v1/rejected`: the requests themselves."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.event_models import (
    EventOut,
    HeaderOut,
    ReceiptDetail,
    ReceiptOut,
    RejectionOut,
    RejectionsOut,
)
from inkwire.api.fields import Id, Page, Term
from inkwire.api.parts import With
from inkwire.model.access import Caller, Scope
from inkwire.model.request import shown_headers, shown_query
from inkwire.model.verdict import Reason
from inkwire.store.contract import RejectionQuery

router = APIRouter(tags=["Receipts"])


@router.get("/receipts/{receipt_id}", summary="Read a receipt")
def read_receipt(
    receipt_id: Id, parts: With, _: Annotated[Caller, Allowed(Scope.EVENTS_BODY)]
) -> ReceiptDetail:
    """One accepted request: its query and headers (credentials redacted), its events."""
    opened = parts.store.inbound.open_receipt(receipt_id)
    events = parts.store.events.of_receipt(receipt_id)
    return ReceiptDetail(
        receipt=ReceiptOut.of(opened.receipt),
        query=shown_query(opened.query),
        headers=HeaderOut.each(shown_headers(opened.headers)),
        events=[EventOut.of(event) for event in events],
    )


@router.post("/receipts/{receipt_id}/release", summary="Release from quarantine")
def release_receipt(
    receipt_id: Id, parts: With, caller: Annotated[Caller, Allowed(Scope.EVENTS_WRITE)]
) -> ReceiptOut:
    """Lets a quarantined request in: its events claim their keys and wait for dispatch."""
    return ReceiptOut.of(parts.inbox.release(caller, receipt_id))


class RejectionFilters(Page):
    """The filters of the rejected log."""

    source: Term | None = Field(None, description="What stood in the URL.")
    reason: Reason | None = None


@router.get("/rejected", summary="List refused requests")
def list_rejected(
    parts: With,
    caller: Annotated[Caller, Allowed(Scope.EVENTS_READ)],
    filters: Annotated[RejectionFilters, Query()],
) -> RejectionsOut:
    """The log of refused requests, newest first; each says what an operator can do about it.

    Headers are shown to keys with the scope `events:body`.
    """
    query = RejectionQuery(
        source_id=filters.source, reason=filters.reason, before=filters.before, limit=filters.limit
    )
    rejections = parts.store.events.rejections(query)
    items = [RejectionOut.of(rejection) for rejection in rejections]
    if not caller.may(Scope.EVENTS_BODY):
        items = [item.model_copy(update={"headers": None}) for item in items]
    return RejectionsOut(
        items=items,
        next=filters.next_of(rejections),
    )
