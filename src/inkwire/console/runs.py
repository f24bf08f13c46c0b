"""Runs: what integrations do, did and failed at; the dead letters, and their retry by cause."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from inkwire.console import acting_words, attention
from inkwire.console.work_rows import integrations_by_number, work_rows
from inkwire.errors import InvalidInput
from inkwire.model.access import Scope
from inkwire.model.work import ErrorKind, Integration, ParkCause, WorkState
from inkwire.pages import times
from inkwire.pages.inputs import PAGE, whole
from inkwire.pages.views import Chip
from inkwire.pages.visit import Page, Visit
from inkwire.store.acting import DeadLetters, WorkQuery

#: States as tabs, in this order.
STATES = (
    WorkState.NEW,
    WorkState.RUNNING,
    WorkState.PARKED,
    WorkState.DEAD,
    WorkState.DONE,
    WorkState.CANCELLED,
)
_FILTERS = {
    "integration": "Integration",
    "state": "State",
    "parked": "Waits for",
    "failed": "Failed",
    "entity": "About",
    "event": "Event",
    "workflow": "Workflow",
    "upkeep": "Upkeep",
}
_UPKEEP = {"with": "Shown", "only": "Nothing else"}


@dataclass(frozen=True, kw_only=True, slots=True)
class StateTab:
    """A state with its count, and the list limited to it."""

    word: str
    count: str
    url: str
    on: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseRow:
    """Dead letters of one integration that failed alike."""

    cause: str
    advice: str
    letters: DeadLetters
    integration: str
    integration_url: str
    url: str
    newest_url: str


def run_list(visit: Visit) -> Response:
    """GET /runs: newest first; `state=dead` shows the dead letters by cause, too."""
    given = {name: visit.query(name)[:200] for name in _FILTERS}
    if any(not value for value in visit.request.query_params.values()):
        return visit.see(visit.url("runs", **given))  # a form without script sends empty fields
    integrations = integrations_by_number(visit)
    before = visit.query("before")
    found = visit.parts.work.page(visit.caller, _query(given, before))
    dead = given["state"] == WorkState.DEAD.value
    return visit.render(
        "runs.html",
        rows=work_rows(visit, found[:PAGE], integrations),
        given=given,
        chips=_chips(visit, given, integrations),
        tabs=_tabs(visit, given),
        dead=dead,
        causes=_causes(visit, integrations, given) if dead else [],
        may_retry=visit.may(Scope.RUNS_WRITE),
        trouble=attention.trouble(
            visit, {key for one in integrations.values() for key in one.connection_ids}
        ),
        integrations=[(f"int_{key}", one.name) for key, one in integrations.items()],
        parked=[(cause.value, text) for cause, text in acting_words.PARKED_WORDS.items()],
        first_page=not before,
        newest_url=visit.url("runs", **given),
        older_url=visit.url("runs", **given, before=found[PAGE - 1].id)
        if len(found) > PAGE
        else "",
    )


def _query(given: Mapping[str, str], before: str) -> WorkQuery:
    """The store's query. Raises InvalidInput naming each filter that cannot be read."""
    allowed: Mapping[str, Sequence[str]] = {
        "state": list(WorkState),
        "parked": list(ParkCause),
        "failed": list(ErrorKind),
        "upkeep": list(_UPKEEP),
    }
    wrong = {
        name: f"must be one of: {', '.join(values)}"
        for name, values in allowed.items()
        if given[name] and given[name] not in values
    }
    integration = whole(given["integration"].removeprefix("int_"))
    if given["integration"] and not 0 < integration < 10**9:
        wrong["integration"] = "must be the number of an integration, such as int_7"
    if wrong:
        raise InvalidInput(fields=wrong)
    # What the clock makes, every few minutes, would push the rest off the page.
    narrow = any(given[name] for name in ("state", "entity", "workflow", "event", "parked"))
    shown = {"with": None, "only": True}.get(given["upkeep"], None if narrow else False)
    return WorkQuery(
        integration_id=integration if given["integration"] else None,
        state=WorkState(given["state"]) if given["state"] else None,
        park_cause=ParkCause(given["parked"]) if given["parked"] else None,
        error_kind=ErrorKind(given["failed"]) if given["failed"] else None,
        entity_key=given["entity"] or None,
        event_id=given["event"] or None,
        workflow=given["workflow"] or None,
        upkeep=shown,
        before=before or None,
        limit=PAGE + 1,
    )


def _chips(
    visit: Visit, given: Mapping[str, str], integrations: Mapping[int, Integration]
) -> list[Chip]:
    shown = {("integration", f"int_{key}"): one.name for key, one in integrations.items()}
    shown |= {("state", key.value): word for key, word in acting_words.STATE_WORDS.items()}
    shown |= {("parked", key.value): word for key, word in acting_words.PARKED_WORDS.items()}
    shown |= {("failed", kind.value): acting_words.CAUSES[kind][0] for kind in ErrorKind}
    shown |= {("upkeep", key): word for key, word in _UPKEEP.items()}
    return [
        Chip(
            label=label,
            value=shown.get((name, given[name]), given[name]),
            remove_url=visit.url("runs", **{k: v for k, v in given.items() if k != name}),
        )
        for name, label in _FILTERS.items()
        if given[name]
    ]


def _tabs(visit: Visit, given: Mapping[str, str]) -> list[StateTab]:
    """Counts are of the whole hub, so each tab leads to the state alone."""
    counts = visit.parts.work.counts(visit.caller)
    every = StateTab(word="All", count="", url=visit.url("runs"), on=not given["state"])
    return [
        every,
        *(
            StateTab(
                word=acting_words.STATE_WORDS[state],
                count=times.count(counts.get(state, 0)),
                url=visit.url("runs", state=state.value),
                on=given["state"] == state.value,
            )
            for state in STATES
        ),
    ]


def _causes(
    visit: Visit, integrations: Mapping[int, Integration], given: Mapping[str, str]
) -> list[CauseRow]:
    """Dead letters by cause; of one integration if the list is limited to it."""
    rows = []
    for one in visit.parts.work.dead(visit.caller):
        label = f"int_{one.integration_id}"
        if given["integration"].removeprefix("int_") not in ("", str(one.integration_id)):
            continue
        cause, advice = acting_words.CAUSES[one.error_kind]
        kind = one.error_kind.value if one.error_kind else ""
        integration = integrations.get(one.integration_id)
        rows.append(
            CauseRow(
                cause=cause,
                advice=advice,
                letters=one,
                integration=integration.name if integration else label,
                integration_url=visit.url("integrations", label),
                url=visit.url("runs", state=WorkState.DEAD.value, integration=label, failed=kind),
                newest_url=visit.url("runs", one.work_id),
            )
        )
    return rows


def retry_dead(visit: Visit) -> Response:
    """POST /runs/retry: dead letters of one integration that failed alike, or all of them."""
    number = whole(visit.field("integration").removeprefix("int_"))
    kind = visit.field("failed")
    if kind and kind not in list(ErrorKind):
        raise InvalidInput(fields={"failed": f"must be one of: {', '.join(ErrorKind)}"})
    done = visit.parts.work.retry_dead(
        visit.caller, integration_id=number, error_kind=ErrorKind(kind) if kind else None
    )
    return visit.see(
        visit.url("runs", state=WorkState.DEAD.value),
        said="dead_retried_some" if done.more else "dead_retried",
        number=len(done.work_ids),
    )


PAGES = (
    Page(path="/runs", handler=run_list, scope=Scope.RUNS_READ),
    Page(path="/runs/retry", handler=retry_dead, method="POST", scope=Scope.RUNS_WRITE),
)
