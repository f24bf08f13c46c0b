"""The overview: is everything well, and if not, where."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from inkwire.console import attention, words
from inkwire.console.attention import Attention
from inkwire.console.events import event_rows
from inkwire.console.rejected import rejection_row
from inkwire.console.views import RejectionRow, SourceRow
from inkwire.model.access import Scope
from inkwire.model.event import EventState
from inkwire.model.source import Source, SourceActivity
from inkwire.pages import times
from inkwire.pages.marks import Tone
from inkwire.pages.visit import Page, Visit
from inkwire.store.contract import EventQuery, RejectionQuery
from inkwire.store.ordering import OrderQuery
from inkwire.store.sending import WebhookQuery

LATEST_EVENTS = 8
LATEST_REJECTED = 5
#: Failing webhooks and waiting orders are counted up to this.
MANY = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """Sums over all sources."""

    received: int
    refused: int
    quarantined: int
    waiting: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Acting:
    """What integrations do for orders at present."""

    #: None: the user may not see it.
    orders: str | None
    dead: str | None
    trouble: int | None


def overview(visit: Visit) -> Response:
    """GET /: sources' health, the last 24 hours, and what needs attention."""
    desk, store = visit.parts.desk, visit.parts.store
    sources = {source.id: source for source in desk.all(visit.caller)}
    if not sources:
        return visit.render("first_run.html", providers=visit.parts.registry.receiving())
    activity = desk.activity(visit.caller)
    rows = source_rows(visit, list(sources.values()), activity)
    trouble, undecided = attention.trouble(visit), attention.undecided(visit)
    events = store.events.page(EventQuery(limit=LATEST_EVENTS))
    rejected = [
        rejection_row(visit, item, sources)
        for item in store.events.rejections(RejectionQuery(limit=LATEST_REJECTED))
    ]
    return visit.render(
        "overview.html",
        rows=rows,
        attention=[
            *trouble,
            *undecided,
            *_attention(visit, rows, rejected),
            *_failing_webhooks(visit),
        ],
        totals=_totals(activity.values(), store.dispatch.backlog()),
        acting=_acting(visit, len(trouble)),
        events=event_rows(visit, events, sources),
        rejected=rejected,
    )


def source_rows(
    visit: Visit, sources: Sequence[Source], activity: Mapping[str, SourceActivity]
) -> list[SourceRow]:
    """The lines of a list of sources."""
    busiest = max((activity[s.id].receipts_24h for s in sources if s.id in activity), default=0)
    return [
        SourceRow(
            source=source,
            provider=words.provider_title(visit.parts.registry, source.provider),
            health=words.health_of(source, seen := activity.get(source.id), visit.now),
            activity=seen,
            url=visit.url("sources", source.id),
            share=round(100 * seen.receipts_24h / busiest) if seen and busiest else 0,
        )
        for source in sources
    ]


def _totals(counted: Collection[SourceActivity], backlog: int) -> Totals:
    return Totals(
        received=sum(item.receipts_24h for item in counted),
        refused=sum(item.rejections_24h for item in counted),
        quarantined=sum(item.quarantined for item in counted),
        waiting=times.count(backlog),
    )


def _acting(visit: Visit, trouble: int) -> Acting:
    orders = dead = None
    if visit.may(Scope.ORDERS_READ):
        waiting = visit.parts.orders.page(visit.caller, OrderQuery(waiting=True, limit=MANY))
        orders = f"{MANY - 1}+" if len(waiting) == MANY else str(len(waiting))
    if visit.may(Scope.RUNS_READ):
        count = attention.dead_letters(visit)
        dead = f"{attention.MANY - 1}+" if count >= attention.MANY else str(count)
    sees = visit.may(Scope.INTEGRATIONS_READ)
    return Acting(orders=orders, dead=dead, trouble=trouble if sees else None)


def _attention(
    visit: Visit, rows: Sequence[SourceRow], rejected: Sequence[RejectionRow]
) -> list[Attention]:
    """The most pressing first; each with the page that helps."""
    found = []
    for row in rows:
        if row.health.tone is Tone.ATTENTION and row.health.word != "Quarantine":
            found.append(
                Attention(
                    text=f"{row.source.name}: {row.health.meaning}",
                    url=visit.url("rejected", source=row.source.id)
                    if row.health.word == "Refusing"
                    else row.url,
                    action="See why" if row.health.word == "Refusing" else "Open the source",
                )
            )
        if row.activity and row.activity.quarantined:
            number = row.activity.quarantined
            waits = "request waits" if number == 1 else "requests wait"
            found.append(
                Attention(
                    text=f"{row.source.name}: {times.count(number)} {waits} in the quarantine.",
                    url=visit.url(
                        "events", source=row.source.id, state=EventState.QUARANTINED.value
                    ),
                    action="Decide",
                )
            )
    stray = next((row for row in rejected if not row.source_url), None)
    if stray is not None:
        found.append(
            Attention(
                text=f"Somebody sends to /in/{stray.rejection.source_id}, which is no source.",
                url=stray.url,
                action="See the request",
            )
        )
    return found


def _failing_webhooks(visit: Visit) -> list[Attention]:
    """Endpoints that take nothing at present."""
    if not visit.may(Scope.WEBHOOKS_READ):
        return []
    number = len(visit.parts.webhooks.all(visit.caller, WebhookQuery(failing=True, limit=MANY)))
    if not number:
        return []
    shown = f"{MANY} webhooks or more" if number == MANY else f"{number} webhooks"
    fail = "1 webhook fails" if number == 1 else f"{shown} fail"
    return [
        Attention(
            text=f"{fail}: what was sent is tried again, and waits.",
            url=visit.url("webhooks", failing="1"),
            action="See which",
        )
    ]


PAGES = (Page(path="/", handler=overview, scope=Scope.EVENTS_READ),)
