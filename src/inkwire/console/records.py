"""Files and records: how far each integration is, and what is left of the day's calls."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from inkwire.console import attention, crm_words
from inkwire.console.live import moves
from inkwire.errors import InvalidInput, NotFound
from inkwire.integrations.crm_desk import Backlog
from inkwire.model.access import Scope
from inkwire.model.crm import ActivityState, ApiUsage, AttachmentState
from inkwire.model.work import Integration, IntegrationState, WorkState
from inkwire.pages import times
from inkwire.pages.marks import Mark
from inkwire.pages.visit import Page, Visit
from inkwire.store.contract import WORK

#: Console path of these pages.
ROOM = "records"
_ID = re.compile(r"(?:int_)?([1-9][0-9]{0,8})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """One number with its mark, and the list that shows what it counts."""

    mark: Mark
    count: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What an organisation has used of its day."""

    usage: ApiUsage
    percent: int
    mark: Mark


def overview(visit: Visit) -> Response:
    """GET /records: one integration's backlog, counts and limits; `integration` chooses it."""
    found = visit.parts.crm.integrations(visit.caller)
    chosen = _chosen(visit, found)
    if chosen is None:
        return visit.render("records.html", integrations=[], integration=None, trouble=[])
    # Before anything is read, so that what comes meanwhile is told.
    counter = visit.parts.live.counters().get(WORK)
    backlog = visit.parts.crm.backlog(visit.caller, chosen.id)
    return visit.render(
        "records.html",
        integrations=labelled(found),
        integration=chosen,
        live_url=visit.url(ROOM, "live", seen="" if counter is None else str(counter)),
        trouble=[
            *attention.trouble(visit, chosen.connection_ids),
            *attention.fields(visit, chosen.id),
        ],
        backlog=backlog,
        share=_share(backlog),
        busy=bool(backlog.left) and chosen.state is IntegrationState.ACTIVE,
        works=_works(visit, chosen, backlog),
        attachments=_attachments(visit, chosen, backlog),
        tasks=_tasks(visit, chosen, backlog),
        jobs=[(crm_words.JOBS[one.state], one) for one in backlog.jobs],
        limit=_limit(visit, chosen),
        high=crm_words.HIGH,
        full=crm_words.FULL,
    )


def _chosen(visit: Visit, found: Sequence[Integration]) -> Integration | None:
    """The one that the address names, else the first that acts. Raises NotFound."""
    number = integration_of(visit.query("integration"))
    if number is not None:
        chosen = next((one for one in found if one.id == number), None)
        if chosen is None:
            raise NotFound("No integration of that number keeps Box and Salesforce in step.")
        return chosen
    active = [one for one in found if one.state is IntegrationState.ACTIVE]
    return next(iter([*active, *found]), None)


def integration_of(text: str) -> int | None:
    """The number in `int_7` or `7`; None for no text. Raises InvalidInput."""
    if not text:
        return None
    match = _ID.fullmatch(text)
    if match is None:
        wrong = "must be the number of an integration, such as int_7"
        raise InvalidInput(fields={"integration": wrong})
    return int(match[1])


def number_in_path(visit: Visit) -> int:
    """The integration that the address names. Raises NotFound."""
    try:
        number = integration_of(visit.path["integration_id"])
    except InvalidInput:
        number = None
    if number is None:
        raise NotFound("There is no such integration; the list has those there are.")
    return number


def labelled(found: Sequence[Integration]) -> list[tuple[str, str]]:
    """Value and text of each, for a select."""
    return [(one.label, one.name) for one in found]


def _share(backlog: Backlog) -> int:
    """Per cent of the known work that is done."""
    every = backlog.left + backlog.done
    return round(100 * backlog.done / every) if every else 100


def _works(visit: Visit, integration: Integration, backlog: Backlog) -> list[tuple[str, str, str]]:
    """Word, count and list of work in each state that matters."""
    label = integration.label
    shown = (
        (WorkState.NEW, "Waiting"),
        (WorkState.RUNNING, "Running"),
        (WorkState.PARKED, "Parked"),
        (WorkState.DEAD, "Dead letters"),
        (WorkState.DONE, "Done"),
    )
    return [
        (
            word,
            times.count(backlog.works.get(state, 0)),
            visit.url("runs", integration=label, state=state.value),
        )
        for state, word in shown
    ]


def _attachments(visit: Visit, integration: Integration, backlog: Backlog) -> list[Count]:
    return [
        Count(
            mark=crm_words.ARRIVALS[state],
            count=times.count(backlog.attachments.get(state, 0)),
            url=visit.url(ROOM, "arrivals", integration=integration.label, state=state.value),
        )
        for state in AttachmentState
    ]


def _tasks(visit: Visit, integration: Integration, backlog: Backlog) -> list[Count]:
    return [
        Count(
            mark=crm_words.TASKS[state],
            count=times.count(backlog.activities.get(state, 0)),
            url=visit.url(ROOM, "tasks", integration=integration.label, state=state.value),
        )
        for state in ActivityState
    ]


def _limit(visit: Visit, integration: Integration) -> Limit | None:
    connection = integration.second_connection_id
    usage = visit.parts.crm.usage(visit.caller, connection) if connection else None
    if usage is None:
        return None
    percent = crm_words.share(usage)
    return Limit(usage=usage, percent=percent, mark=crm_words.limit_mark(percent))


def live(visit: Visit) -> Response:
    """GET /records/live: that a number of this page may have changed."""
    return moves(visit, WORK)


PAGES = (
    Page(path="/records", handler=overview, scope=Scope.INTEGRATIONS_READ),
    Page(path="/records/live", handler=live, scope=Scope.INTEGRATIONS_READ),
)
