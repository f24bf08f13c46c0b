"""The event list, its filters, and releasing what waits in the quarantine."""

from collections.abc import Iterable, Mapping

from starlette.responses import Response

from inkwire.console import words
from inkwire.console.filters import Filters
from inkwire.console.views import EventRow
from inkwire.errors import Conflict, InvalidInput
from inkwire.model.access import Scope
from inkwire.model.event import Event, EventState
from inkwire.model.source import Source
from inkwire.pages.inputs import PAGE, RANGES
from inkwire.pages.views import Chip
from inkwire.pages.visit import Page, Visit

#: Most receipts that one click releases: what one page shows.
MAX_RELEASED = PAGE
#: Below every event id: what an empty list has "seen".
NONE_SEEN = "evt_"


def filters_of(visit: Visit) -> Filters:
    """The filters in the URL."""
    return Filters(**{name: visit.query(name) for name in Filters.__dataclass_fields__})


def event_list(visit: Visit) -> Response:
    """GET /events: one page, newest first; `before` pages on to older ones."""
    if any(value == "" for value in visit.request.query_params.values()):
        given = {key: value for key, value in visit.request.query_params.items() if value}
        return visit.see(visit.url("events", **given))
    filters, before = filters_of(visit), visit.query("before")
    sources = {source.id: source for source in visit.parts.desk.all(visit.caller)}
    wrong: Mapping[str, str] = {}
    found: list[Event] = []
    try:
        found = visit.parts.store.events.page(
            filters.query(visit.now, before=before, limit=PAGE + 1)
        )
    except InvalidInput as error:
        wrong = error.fields
    rows = event_rows(visit, found[:PAGE], sources)
    names = {source.id: source.name for source in sources.values()}
    return visit.render(
        "events.html",
        status=422 if wrong else 200,
        filters=filters,
        wrong=wrong,
        chips=[
            Chip(label=label, value=value, remove_url=visit.url("events", **filters.without(name)))
            for name, label, value in filters.chips(names)
        ],
        rows=rows,
        sources=list(sources.values()),
        types=visit.parts.store.events.types(),
        states=words.STATE_WORDS,
        ranges=RANGES,
        first_page=not before,
        older_url=visit.url("events", **filters.given(), before=found[PAGE - 1].id)
        if len(found) > PAGE
        else "",
        newest_url=visit.url("events", **filters.given()),
        live_url=visit.url(
            "events", "live", **filters.given(), seen=found[0].id if found else NONE_SEEN
        ),
        releasable=_releasable(visit, filters, rows),
    )


def _releasable(visit: Visit, filters: Filters, rows: list[EventRow]) -> list[str]:
    """Receipts of the quarantined rows, if that is what the list shows."""
    if filters.state != EventState.QUARANTINED or not visit.may(Scope.EVENTS_WRITE):
        return []
    return list(dict.fromkeys(row.event.receipt_id for row in rows))


def event_rows(
    visit: Visit, events: Iterable[Event], sources: Mapping[str, Source]
) -> list[EventRow]:
    """The lines of a list."""
    registry = visit.parts.registry
    names = {source.id: source.name for source in sources.values()}
    return [
        EventRow(
            event=event,
            title=words.title_of(registry, event),
            mark=words.mark_of(event, paused=_paused(sources.get(event.source_id))),
            url=visit.url("events", event.id),
            source_name=names.get(event.source_id, event.source_id),
            source_url=visit.url("sources", event.source_id),
            about=words.entity_words(event.entity_key),
            entity_url=visit.url("events", entity=event.entity_key or ""),
        )
        for event in events
    ]


def _paused(source: Source | None) -> bool:
    return source is not None and source.paused


def release_many(visit: Visit) -> Response:
    """POST /quarantine/release: lets in every receipt that the page named; says how many."""
    receipts = list(dict.fromkeys(visit.form.getlist("receipt")))[:MAX_RELEASED]
    released = 0
    for receipt_id in receipts:
        try:
            visit.parts.inbox.release(visit.caller, receipt_id)
            released += 1
        except Conflict:
            continue  # somebody else released it since the page was made
    said = "released_many" if released == len(receipts) else "released_some"
    back = visit.url("events", state=EventState.QUARANTINED.value)
    return visit.see(back, said=said, number=released)


PAGES = (
    Page(path="/events", handler=event_list, scope=Scope.EVENTS_READ),
    Page(
        path="/quarantine/release",
        handler=release_many,
        method="POST",
        scope=Scope.EVENTS_WRITE,
    ),
)
