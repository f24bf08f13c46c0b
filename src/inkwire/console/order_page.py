"""The page of one order: what happened, what comes next, its documents, its facts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from inkwire.console import order_timeline, order_words
from inkwire.console.live import MANY, News, stream
from inkwire.console.order_timeline import NextLine
from inkwire.errors import CipherError
from inkwire.integrations.desk import Asked
from inkwire.model.access import Scope
from inkwire.model.document import Document, DocumentKind, SignRequest
from inkwire.model.order import Order, OrderBlock, OrderStatus
from inkwire.model.work import Work
from inkwire.orders.amounts import block_total, order_total
from inkwire.orders.drafts import ID_PREFIX
from inkwire.orders.statuses import find, name_of
from inkwire.pages.files import PDF, with_frames
from inkwire.pages.inputs import PAGE
from inkwire.pages.marks import Mark, Tone
from inkwire.pages.visit import Page, Visit
from inkwire.store.contract import ORDER
from inkwire.store.ordering import OrderQuery

#: Requests of one order whose outcomes are looked for among the work.
MOST_REQUESTS = 20
#: Lines of the order, and documents, that the page shows unless it is asked for `all`.
MOST_LINES, MOST_DOCUMENTS = 100, 20


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentRow:
    """One stored file."""

    document: Document
    kind: str
    #: What was found about its signatures; None: nothing is looked for.
    mark: Mark | None
    #: A sentence for each signature.
    signatures: list[str]
    url: str
    #: Whether a browser shows it in the page.
    shown: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A status that a person may move the order to."""

    code: str
    name: str
    #: What integrations do then.
    asked: list[Asked]


@dataclass(frozen=True, kw_only=True, slots=True)
class Leap:
    """The one next action."""

    text: str
    icon: str
    url: str


def opened(visit: Visit) -> tuple[Order, str]:
    """The order that the address names by id or number, a deleted one too.

    The text says why its content does not open; then only what is plain is there. Raises NotFound.
    """
    given, store = visit.path["order_id"], visit.parts.store.orders
    try:
        if given.startswith(ID_PREFIX):
            return store.get(given), ""
        return visit.parts.orders.get(visit.caller, given), ""
    except CipherError as error:
        listed = store.page(OrderQuery(text=given, limit=1))
        if not listed:
            raise
        return listed[0], error.message


def order_page(visit: Visit) -> Response:
    """GET /orders/{id}; `before` pages on in the timeline, `move` asks before a status is set."""
    order, trouble = opened(visit)
    return _page(visit, order, trouble=trouble)


def _page(
    visit: Visit, order: Order, *, trouble: str = "", confirm: str = "", status: int = 200
) -> Response:
    """`confirm`: what is wrong with the number that was typed before deleting."""
    statuses, before = visit.parts.orders.statuses(), visit.query("before")
    lines = visit.parts.store.orders.timeline(order.id, before=before or None, limit=PAGE + 1)
    requests = visit.parts.store.sign_requests.of_order(order.id)
    rows = [_row(visit, one) for one in visit.parts.documents.of_order(order.id)]
    whole = bool(visit.query("all"))
    blocks = order.blocks if whole else _first_lines(order.blocks)
    work = _work(visit, order, requests)
    newest = requests[0] if requests else None
    shown = order_timeline.told(lines, statuses, visit.url)[:PAGE]
    coming = order_timeline.coming(order, requests, work, visit.url)
    may_write = visit.may(Scope.ORDERS_WRITE) and order.deleted_at is None and not trouble
    ways = _ways(visit, order, statuses) if may_write else []
    leap = _leap(rows, coming)
    return with_frames(
        visit,
        visit.render(
            "order.html",
            status=status,
            order=order,
            trouble=trouble,
            title=order_words.title_of(order, statuses, request=newest, work=work),
            mark=order_words.mark_of(order, statuses, newest, work=work),
            ways=ways,
            asking=next((way for way in ways if way.code == visit.query("move")), None),
            leap=leap,
            coming=() if before else coming,
            timeline=shown,
            older_url=visit.url("orders", order.id, before=shown[-1].id)
            if len(lines) > PAGE
            else "",
            first_page=not before,
            live_url=visit.url("orders", order.id, "live", seen=lines[0].id if lines else "tml_"),
            rows=rows if whole else rows[-MOST_DOCUMENTS:],
            blocks=[(cut, block_total(b)) for cut, b in zip(blocks, order.blocks, strict=False)],
            cut=blocks != order.blocks or (len(rows) > MOST_DOCUMENTS and not whole),
            total=order_total(order),
            request=newest,
            editable=may_write,
            confirm=confirm,
        ),
    )


def _first_lines(blocks: Sequence[OrderBlock]) -> tuple[OrderBlock, ...]:
    """The blocks with what the page shows of their lines; those without any are left out."""
    left, found = MOST_LINES, []
    for block in blocks:
        if left <= 0:
            break
        found.append(replace(block, lines=block.lines[:left]))
        left -= len(block.lines)
    return tuple(found)


def _row(visit: Visit, document: Document) -> DocumentRow:
    readable = visit.may(Scope.ORDERS_BODY)
    return DocumentRow(
        document=document,
        kind=order_words.KIND_WORDS[document.kind],
        mark=order_words.verdict_mark(document),
        signatures=order_words.signatures_of(document),
        url=visit.url("documents", document.id, "raw") if readable else "",
        shown=readable and document.media_type == PDF,
    )


def _work(visit: Visit, order: Order, requests: Sequence[SignRequest]) -> list[Work]:
    """What is unfinished about the order and its sign requests."""
    if not visit.may(Scope.RUNS_READ):
        return []
    about = [f"box:sign_request:{one.id}" for one in requests[:MOST_REQUESTS]]
    return visit.parts.work.unfinished(visit.caller, [f"order:{order.id}", *about])


def _ways(visit: Visit, order: Order, statuses: Sequence[OrderStatus]) -> list[Way]:
    """Each status that it may be moved to; of a status that the site has no more all."""
    here = find(statuses, order.status)
    codes = [one.code for one in statuses] if here is None else list(here.transitions)
    asked = visit.parts.integrations.asked(visit.caller, order, codes) if codes else {}
    return [
        Way(code=code, name=name_of(statuses, code), asked=asked.get(code, [])) for code in codes
    ]


def _leap(rows: Sequence[DocumentRow], coming: Sequence[NextLine]) -> Leap | None:
    for line in coming:
        if line.url and line.tone in (Tone.FAILED, Tone.ATTENTION):
            return Leap(text=line.action, icon="zap", url=line.url)
    signed = [row for row in rows if row.document.kind is DocumentKind.SIGNED and row.url]
    if signed and not coming:
        url = f"{signed[-1].url}?download=1"
        return Leap(text="Download the signed document", icon="download", url=url)
    return None


def move(visit: Visit) -> Response:
    """POST /orders/{id}/move: asks first where integrations act on the status."""
    order, wanted = visit.parts.orders.get(visit.caller, visit.path["order_id"]), visit.field("to")
    sure = visit.field("sure") == wanted
    if not sure and visit.parts.integrations.asked(visit.caller, order, [wanted]):
        return visit.see(visit.url("orders", order.id, move=wanted) + "#sure")
    visit.parts.orders.move(visit.caller, order.id, wanted)
    return visit.see(visit.url("orders", order.id), said="order_moved")


def delete(visit: Visit) -> Response:
    """POST /orders/{id}/delete: with its number typed."""
    order, trouble = opened(visit)
    if visit.field("confirm").strip() != order.number:
        wrong = f"must be {order.number}"
        return _page(visit, order, trouble=trouble, confirm=wrong, status=422)
    visit.parts.orders.delete(visit.caller, order.id)
    return visit.see(visit.url("orders", order.id), said="order_deleted")


def live(visit: Visit) -> Response:
    """GET /orders/{id}/live: the bar over the timeline."""
    order_id, seen = visit.path["order_id"], visit.query("seen")
    store = visit.parts.store.orders

    def fresh() -> int:
        return sum(line.id > seen for line in store.timeline(order_id, limit=MANY))

    words = ("new line", "new lines")
    url = visit.url("orders", order_id)
    return stream(visit, News(topic=ORDER, count=fresh, words=words, url=url))


PAGES = (
    Page(path="/orders/{order_id}", handler=order_page, scope=Scope.ORDERS_READ),
    Page(path="/orders/{order_id}/live", handler=live, scope=Scope.ORDERS_READ),
    Page(path="/orders/{order_id}/move", handler=move, method="POST", scope=Scope.ORDERS_WRITE),
    Page(path="/orders/{order_id}/delete", handler=delete, method="POST", scope=Scope.ORDERS_WRITE),
)
