"""The list of orders: search, filters that live in the URL, news."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from inkwire.console import order_words as words
from inkwire.console.live import MANY, News, stream
from inkwire.errors import InvalidInput
from inkwire.model.access import Scope
from inkwire.model.document import SignRequest
from inkwire.model.order import Order, OrderStatus
from inkwire.model.work import Work
from inkwire.orders.amounts import order_total
from inkwire.orders.statuses import name_of
from inkwire.pages.inputs import PAGE
from inkwire.pages.marks import Mark
from inkwire.pages.views import Chip
from inkwire.pages.visit import Page, Visit
from inkwire.providers.payload import MAX_TERM
from inkwire.store.contract import ORDER
from inkwire.store.ordering import OrderQuery

FILTERS = ("q", "status", "waiting")
#: Below every order's id: what an empty list has "seen".
NONE_SEEN = "ord_"


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderRow:
    """One line of the list."""

    order: Order
    mark: Mark
    who: str
    detail: str
    total: str
    url: str


def order_list(visit: Visit) -> Response:
    """GET /orders: one page, newest first; `before` pages on to older ones."""
    if any(value == "" for value in visit.request.query_params.values()):
        given = {key: value for key, value in visit.request.query_params.items() if value}
        return visit.see(visit.url("orders", **given))
    given, before = _given(visit), visit.query("before")
    statuses = visit.parts.orders.statuses()
    found, wrong = _found(visit, before)
    query = {key: given[key] for key in FILTERS if given[key]}
    return visit.render(
        "orders.html",
        status=422 if wrong else 200,
        given=given,
        wrong=wrong,
        chips=_chips(visit, query, statuses),
        rows=_rows(visit, found[:PAGE], statuses),
        statuses=statuses,
        first_page=not before,
        older_url=visit.url("orders", **query, before=found[PAGE - 1].id)
        if len(found) > PAGE
        else "",
        newest_url=visit.url("orders", **query),
        live_url=visit.url("orders", "live", **query, seen=found[0].id if found else NONE_SEEN),
    )


def _found(visit: Visit, before: str) -> tuple[list[Order], str]:
    """The orders, one more than a page holds; and what is wrong with the filters."""
    try:
        query = replace(_query(visit), before=before or None, limit=PAGE + 1)
    except InvalidInput as error:
        return [], error.message
    return visit.parts.orders.page(visit.caller, query), ""


def _given(visit: Visit) -> dict[str, str]:
    return {name: visit.query(name) for name in FILTERS}


def _query(visit: Visit) -> OrderQuery:
    """Raises InvalidInput for a search that is too long."""
    given = _given(visit)
    if len(given["q"]) > MAX_TERM:
        raise InvalidInput(f"A search may have {MAX_TERM} characters; shorten it.")
    return OrderQuery(
        text=given["q"] or None,
        status=given["status"] or None,
        waiting=bool(given["waiting"]),
    )


def _chips(visit: Visit, query: dict[str, str], statuses: Sequence[OrderStatus]) -> list[Chip]:
    shown = {
        "q": ("Search", query.get("q", "")),
        "status": ("Status", name_of(statuses, query.get("status", ""))),
        "waiting": ("Only", "waiting for signature"),
    }
    return [
        Chip(
            label=shown[name][0],
            value=shown[name][1],
            remove_url=visit.url("orders", **{k: v for k, v in query.items() if k != name}),
        )
        for name in query
    ]


def _rows(visit: Visit, orders: Sequence[Order], statuses: Sequence[OrderStatus]) -> list[OrderRow]:
    requests = visit.parts.store.sign_requests.latest([order.id for order in orders])
    held = _held(visit, orders, requests)
    return [
        OrderRow(
            order=order,
            mark=words.mark_of(
                order, statuses, requests.get(order.id), work=held.get(order.id, ())
            ),
            who=words.who_of(order),
            detail=words.detail_of(order, requests.get(order.id), work=held.get(order.id, ())),
            total=f"{order_total(order)} {order.currency}" if order.blocks else "",
            url=visit.url("orders", order.id),
        )
        for order in orders
    ]


def _held(
    visit: Visit, orders: Sequence[Order], requests: Mapping[str, SignRequest]
) -> dict[str, list[Work]]:
    """Unfinished work by order, of those that are listed; the newest of it."""
    if not orders or not visit.may(Scope.RUNS_READ):
        return {}
    owners = {f"order:{order.id}": order.id for order in orders}
    owners |= {f"box:sign_request:{one.id}": one.order_id for one in requests.values()}
    found: dict[str, list[Work]] = {}
    for work in visit.parts.work.unfinished(visit.caller, owners):
        found.setdefault(owners[work.entity_key], []).append(work)
    return found


def live(visit: Visit) -> Response:
    """GET /orders/live: the bar over the list."""
    query = replace(_query(visit), after=visit.query("seen") or NONE_SEEN, limit=MANY)
    return stream(
        visit,
        News(
            topic=ORDER,
            count=lambda: len(visit.parts.store.orders.page(query)),
            words=("new order", "new orders"),
            url=visit.url("orders", **_given(visit)),
        ),
    )


PAGES = (
    Page(path="/orders", handler=order_list, scope=Scope.ORDERS_READ),
    Page(path="/orders/live", handler=live, scope=Scope.ORDERS_READ),
)
