"""`/v1/receipts` and `/v1/rejected`: the requests themselves."""

from typing import Annotated

from fastapi import APIRouter, Query

from inkwire.api.callers import Allowed
from inkwire.api.event_models import (
    EventOut,
    HeaderOut,
    ReceiptDetail,
    ReceiptOut,
    RejectionOut,
    RejectionsOut,
)
from inkwire.api.fields import Before, Id, Limit, Text
from inkwire.api.parts import With
from inkwire.model.access import Caller, Scope
from inkwire.model.request import shown_headers
from inkwire.model.verdict import Reason
from inkwire.store.contract import RejectionQuery

router = APIRouter(tags=["Receipts"])


@router.get("/receipts/{receipt_id}", summary="Read a receipt")
def read_receipt(
    receipt_id: Id, parts: With, _: Annotated[Caller, Allowed(Scope.EVENTS_BODY)]
) -> ReceiptDetail:
    """One accepted request with its headers, credentials redacted, and the events found in it."""
    opened = parts.store.inbound.open_receipt(receipt_id)
    events = parts.store.events.of_receipt(receipt_id)
    return ReceiptDetail(
        receipt=ReceiptOut.of(opened.receipt),
        headers=HeaderOut.each(shown_headers(opened.headers)),
        events=[EventOut.of(event) for event in events],
    )


@router.post("/receipts/{receipt_id}/release", summary="Release from quarantine")
def release_receipt(
    receipt_id: Id, parts: With, caller: Annotated[Caller, Allowed(Scope.EVENTS_WRITE)]
) -> ReceiptOut:
    """Lets a quarantined request in: its events claim their keys and wait for dispatch."""
    return ReceiptOut.of(parts.inbox.release(caller, receipt_id))


@router.get("/rejected", summary="List refused requests")
def list_rejected(
    *,
    parts: With,
    _: Annotated[Caller, Allowed(Scope.EVENTS_READ)],
    source: Annotated[Text | None, Query(max_length=64)] = None,
    reason: Reason | None = None,
    before: Before = None,
    limit: Limit = 50,
) -> RejectionsOut:
    """The log of refused requests, newest first; each says what an operator can do about it."""
    query = RejectionQuery(source_id=source, reason=reason, before=before, limit=limit)
    rejections = parts.store.events.rejections(query)
    return RejectionsOut(
        items=[RejectionOut.of(rejection) for rejection in rejections],
        next=rejections[-1].id if len(rejections) == limit else None,
    )
