"""`/v1/orders` and `/v1/order-statuses`: orders to be signed, their timeline, their statuses."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from inkwire.api.callers import Allowed
from inkwire.api.fields import Id, Page
from inkwire.api.order_models import (
    MoveIn,
    OrderFilters,
    OrderIn,
    OrderOut,
    OrderPatch,
    OrdersOut,
    OrderSummary,
    StatusesIn,
    StatusesOut,
    StatusOut,
    TimelineLineOut,
    TimelineOut,
)
from inkwire.api.parts import With
from inkwire.model.access import Caller, Scope
from inkwire.store.ordering import OrderQuery

router = APIRouter(tags=["Orders"])

Reader = Annotated[Caller, Allowed(Scope.ORDERS_READ)]
Writer = Annotated[Caller, Allowed(Scope.ORDERS_WRITE)]
Keeper = Annotated[Caller, Allowed(Scope.INTEGRATIONS_WRITE)]


@router.get("/orders", summary="List orders")
def list_orders(
    parts: With, caller: Reader, filters: Annotated[OrderFilters, Query()]
) -> OrdersOut:
    """Newest first; deleted ones are left out."""
    found = parts.orders.page(
        caller,
        OrderQuery(
            text=filters.text,
            status=filters.status,
            waiting=filters.waiting,
            before=filters.before,
            limit=filters.limit,
        ),
    )
    items = [OrderSummary.shown(order) for order in found]
    return OrdersOut(items=items, next=filters.next_of(found))


@router.post("/orders", summary="Take in an order", status_code=201)
def create_order(body: OrderIn, parts: With, caller: Writer, response: Response) -> OrderOut:
    """Keeps it; if its status is one that integrations wait for, they begin at once."""
    order = parts.orders.add(caller, body.draft())
    response.headers["Location"] = f"/v1/orders/{order.id}"
    return OrderOut.shown(order)


@router.get("/orders/{order_id}", summary="Read an order")
def read_order(order_id: Id, parts: With, caller: Reader) -> OrderOut:
    """One order, by its id or its number."""
    return OrderOut.shown(parts.orders.get(caller, order_id))


@router.patch("/orders/{order_id}", summary="Change an order")
def change_order(order_id: Id, body: OrderPatch, parts: With, caller: Writer) -> OrderOut:
    """Changes the members that are given; all of them or, if one is wrong, none."""
    return OrderOut.shown(parts.orders.change(caller, order_id, body.draft()))


@router.delete("/orders/{order_id}", summary="Delete an order", status_code=204)
def delete_order(order_id: Id, parts: With, caller: Writer) -> None:
    """Takes it out of every list; its documents and its evidence stay."""
    parts.orders.delete(caller, order_id)


@router.post("/orders/{order_id}/status", summary="Move an order")
def move_order(order_id: Id, body: MoveIn, parts: With, caller: Writer) -> OrderOut:
    """Changes its status as the site's transitions allow; integrations begin their work."""
    return OrderOut.shown(parts.orders.move(caller, order_id, body.status))


@router.get("/orders/{order_id}/timeline", summary="Read an order's timeline")
def read_order_timeline(
    order_id: Id, parts: With, caller: Reader, page: Annotated[Page, Query()]
) -> TimelineOut:
    """What happened to it, newest first."""
    found = parts.orders.timeline(caller, order_id, before=page.before, limit=page.limit)
    items = [TimelineLineOut.of(line) for line in found]
    return TimelineOut(items=items, next=page.next_of(found))


@router.get("/order-statuses", summary="List the statuses")
def list_order_statuses(parts: With, _: Reader) -> StatusesOut:
    """The site's statuses, in order; those of a fresh hub until it has set its own."""
    return StatusesOut(items=[StatusOut.of(status) for status in parts.orders.statuses()])


@router.put("/order-statuses", summary="Set the statuses")
def set_order_statuses(body: StatusesIn, parts: With, caller: Keeper) -> StatusesOut:
    """Replaces all. One that orders stand in, or that an integration names, must stay."""
    found = parts.orders.set_statuses(caller, body.statuses())
    return StatusesOut(items=[StatusOut.of(status) for status in found])
