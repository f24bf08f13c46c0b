"""The page of one event: what happened, what comes next, and the bytes as received."""

from starlette.responses import Response

from inkwire.console import words
from inkwire.console.events import event_rows
from inkwire.console.timeline import timeline
from inkwire.console.views import EventDetail
from inkwire.errors import NotFound
from inkwire.model.access import Scope
from inkwire.model.event import HANDED_ON, Event, EventState, Term, TermKind
from inkwire.model.receipt import OpenedReceipt, Receipt
from inkwire.model.request import shown_headers, shown_query
from inkwire.model.source import Source
from inkwire.pages import bodies
from inkwire.pages.visit import Page, Visit

TERM_WORDS = {
    TermKind.ID: "Ids",
    TermKind.EMAIL: "E-mail addresses",
    TermKind.NAME: "Names",
    TermKind.NUMBER: "Numbers",
    TermKind.ENTITY: "Entities",
}


def event_page(visit: Visit) -> Response:
    """GET /events/{id}."""
    event = visit.parts.store.events.get(visit.path["event_id"])
    return visit.render("event.html", page=_detail(visit, event))


def _detail(visit: Visit, event: Event) -> EventDetail:
    store, caller = visit.parts.store, visit.caller
    opened = _opened(visit, event.receipt_id)
    receipt = opened.receipt if opened else store.events.receipt(event.receipt_id)
    source = _source(visit, event.source_id)
    sources = {source.id: source} if source else {}
    others = [e for e in store.events.deliveries(event) if e.id != event.id]
    siblings = [e for e in store.events.of_receipt(event.receipt_id) if e.id != event.id]
    provider = words.provider_title(visit.parts.registry, event.provider)
    body = opened.body if opened else None
    quarantined = event.state is EventState.QUARANTINED
    return EventDetail(
        event=event,
        title=words.title_of(visit.parts.registry, event),
        mark=words.mark_of(event, paused=source is not None and source.paused),
        receipt=receipt,
        source=source,
        source_url=visit.url("sources", event.source_id),
        provider=provider,
        timeline=timeline(
            event,
            receipt,
            source=source,
            provider=provider,
            event_url=lambda event_id: visit.url("events", event_id),
        ),
        deliveries=tuple(event_rows(visit, others, sources)),
        siblings=tuple(event_rows(visit, siblings, sources)),
        about=words.entity_words(event.entity_key),
        terms=_by_kind(visit, store.events.terms(event.id)),
        headers=tuple(shown_headers(opened.headers)) if opened else None,
        body=bodies.shown_body(body) if body is not None else None,
        curl=_curl(visit, opened) if opened and receipt.has_body else "",
        no_body=_no_body(receipt, event),
        can_release=quarantined and caller.may(Scope.EVENTS_WRITE),
        can_dispatch=(event.state in HANDED_ON or event.conflict)
        and event.dispatched_at is not None
        and caller.may(Scope.EVENTS_WRITE),
        first_url=visit.url("events", event.duplicate_of) if event.duplicate_of else "",
    )


def _by_kind(visit: Visit, terms: list[Term]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Values and links by kind, in the store's order."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for term in terms:
        link = (term.value, visit.url("events", q=term.value))
        found[TERM_WORDS[term.kind]] = (*found.get(TERM_WORDS[term.kind], ()), link)
    return found


def _opened(visit: Visit, receipt_id: str) -> OpenedReceipt | None:
    if not visit.may(Scope.EVENTS_BODY):
        return None
    return visit.parts.store.inbound.open_receipt(receipt_id)


def _source(visit: Visit, source_id: str) -> Source | None:
    if not visit.may(Scope.SOURCES_READ):
        return None
    try:
        return visit.parts.desk.get(visit.caller, source_id)
    except NotFound:
        return None


def _no_body(receipt: Receipt, event: Event) -> str:
    if receipt.has_body:
        return ""
    if event.duplicate_of:
        return "An exact repeat: its body is kept once, with the first delivery."
    return "The body has been erased; what remains is that it was received."


def _curl(visit: Visit, opened: OpenedReceipt) -> str:
    return bodies.as_curl(
        method=opened.receipt.method,
        url=visit.parts.desk.url(opened.receipt.source_id),
        query=shown_query(opened.query),
        headers=opened.headers,
        body=opened.body,
        file=f"{opened.receipt.id}.bin",
    )


def release(visit: Visit) -> Response:
    """POST /events/{id}/release: lets the event's receipt in."""
    event = visit.parts.store.events.get(visit.path["event_id"])
    visit.parts.inbox.release(visit.caller, event.receipt_id)
    return visit.see(visit.url("events", event.id), said="released")


def dispatch_again(visit: Visit) -> Response:
    """POST /events/{id}/dispatch: puts the event back to waiting."""
    event_id = visit.path["event_id"]
    visit.parts.inbox.dispatch_again(visit.caller, event_id)
    return visit.see(visit.url("events", event_id), said="dispatching")


def raw(visit: Visit) -> Response:
    """GET /receipts/{id}/raw: the body as received, inert whatever it is; `download` saves it."""
    opened = visit.parts.store.inbound.open_receipt(visit.path["receipt_id"])
    if opened.body is None:
        raise NotFound("The body of this receipt is not kept here; see its event.")
    return visit.raw(opened.body, opened.receipt.id)


PAGES = (
    Page(path="/events/{event_id}", handler=event_page, scope=Scope.EVENTS_READ),
    Page(
        path="/events/{event_id}/release",
        handler=release,
        method="POST",
        scope=Scope.EVENTS_WRITE,
    ),
    Page(
        path="/events/{event_id}/dispatch",
        handler=dispatch_again,
        method="POST",
        scope=Scope.EVENTS_WRITE,
    ),
    Page(path="/receipts/{receipt_id}/raw", handler=raw, scope=Scope.EVENTS_BODY),
)
