"""Integrations: the list, one integration's page, and whether it acts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from inkwire.console import acting_words, attention, forms, offers, setup_words
from inkwire.console.words import provider_title
from inkwire.console.work_rows import WorkRow, work_rows
from inkwire.engine.contract import IntegrationKind, Problem
from inkwire.errors import InvalidInput, NotFound
from inkwire.integrations.crm_desk import KIND as CRM
from inkwire.integrations.desk import Judged, second_provider
from inkwire.model.access import Scope
from inkwire.model.work import Integration, IntegrationState
from inkwire.pages.marks import Mark
from inkwire.pages.visit import Handler, Page, Visit
from inkwire.store.acting import WorkQuery

#: Runs on an integration's page, and upkeep runs that are looked at for the last of each.
LATEST, LATEST_UPKEEP = 8, 50
_ID = re.compile(r"(?:int_)?([1-9][0-9]{0,8})")
#: What a person may do in each state: verb in the address, words, icon, what it means.
_Move = tuple[str, str, str, str]
_ACTIVATE: _Move = (
    "activate",
    "Activate",
    "play",
    "New work is made and started from now on: orders that reach its status are acted on.",
)
_RESUME: _Move = (
    "activate",
    "Resume",
    "play",
    "What waits is started first, in order; then all goes on as before.",
)
_PAUSE: _Move = (
    "pause",
    "Pause",
    "pause",
    "New work is kept and waits; nothing is started and nothing is lost. Runs under way end.",
)
_DEACTIVATE: _Move = (
    "deactivate",
    "Deactivate",
    "circle-minus",
    "Orders make no new work. What is under way is seen through, outcomes are still taken in.",
)
_MOVES: dict[IntegrationState, tuple[_Move, ...]] = {
    IntegrationState.INACTIVE: (_ACTIVATE,),
    IntegrationState.ACTIVE: (_PAUSE, _DEACTIVATE),
    IntegrationState.PAUSED: (_RESUME, _DEACTIVATE),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class IntegrationRow:
    """One line of the list."""

    integration: Integration
    mark: Mark
    kind: str
    url: str
    #: Those that block first.
    problems: tuple[Problem, ...]
    blocked: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class UpkeepRow:
    """Something that the clock does for an integration."""

    workflow: str
    title: str
    every: str
    last: WorkRow | None


def integration_list(visit: Visit) -> Response:
    """GET /integrations."""
    judged = visit.parts.integrations.judged_all(visit.caller)
    return visit.render(
        "integrations.html",
        rows=[integration_row(visit, one) for one in judged],
        trouble=attention.trouble(
            visit, {key for one in judged for key in one.integration.connection_ids}
        ),
        may_change=visit.may(Scope.INTEGRATIONS_WRITE),
    )


def integration_row(visit: Visit, judged: Judged) -> IntegrationRow:
    """One line of the list."""
    found = judged.integration
    kind = kind_of(visit, found)
    return IntegrationRow(
        integration=found,
        mark=setup_words.INTEGRATIONS[found.state],
        kind=kind.title if kind else found.kind,
        url=visit.url("integrations", found.label),
        problems=tuple(sorted(judged.problems, key=lambda one: not one.blocks)),
        blocked=any(one.blocks for one in judged.problems),
    )


def kind_of(visit: Visit, integration: Integration) -> IntegrationKind | None:
    """Its kind; None if this installation lacks it."""
    try:
        return visit.parts.integrations.kind(visit.caller, integration.kind)
    except NotFound:
        return None


def number(visit: Visit) -> int:
    """The number of the integration that the address names. Raises NotFound."""
    match = _ID.fullmatch(visit.path["integration_id"])
    if match is None:
        raise NotFound("There is no such integration; the list has those there are.")
    return int(match[1])


# --- one integration


def integration_page(visit: Visit) -> Response:
    """GET /integrations/{id}."""
    return _page(visit)


def _page(visit: Visit, *, refused: bool = False) -> Response:
    judged = visit.parts.integrations.judged(visit.caller, number(visit))
    found = judged.integration
    sees_runs = visit.may(Scope.RUNS_READ)
    return visit.render(
        "integration.html",
        status=422 if refused else 200,
        refused=refused,
        row=integration_row(visit, judged),
        integration=found,
        trouble=attention.trouble(visit, found.connection_ids) if found.connection_ids else [],
        connections=_connections(visit, found),
        moves=_MOVES[found.state] if visit.may(Scope.INTEGRATIONS_WRITE) else (),
        may_change=visit.may(Scope.INTEGRATIONS_WRITE),
        remote=sorted(found.remote.items()),
        settings=_settings(visit, found),
        upkeep=_upkeep(visit, found),
        sees_runs=sees_runs,
        may_run=visit.may(Scope.RUNS_WRITE) and found.state is IntegrationState.ACTIVE,
        latest=_latest(visit, found, upkeep=False, limit=LATEST) if sees_runs else [],
        problem_url=lambda problem: problem_url(visit, found, problem),
        problem_connection=lambda problem: problem_connection(found, problem),
    )


def problem_url(visit: Visit, integration: Integration, problem: Problem) -> str:
    """The page that mends a problem."""
    if problem.field == "kind":
        return ""
    if integration.kind == CRM and problem.field == "field_map":
        return visit.url("records", "field-map", integration.label)
    if (connection_id := problem_connection(integration, problem)) is not None:
        return visit.url("connections", connection_id)
    names = {
        "connection": "connection_id",
        "second_connection": "second_connection_id",
        "sources": "source_ids",
    }
    field = names.get(problem.field, f"settings.{problem.field}")
    return f"{visit.url('integrations', integration.label, 'edit')}#f-{field}"


def problem_connection(integration: Integration, problem: Problem) -> str | None:
    """The connection that a problem is about; None for another field, or if there is none."""
    return {
        "connection": integration.connection_id,
        "second_connection": integration.second_connection_id,
    }.get(problem.field)


def _connections(visit: Visit, integration: Integration) -> list[tuple[str, str]]:
    """Label and id of each connection that it can have; an id is empty while there is none."""
    kind = kind_of(visit, integration)
    second = second_provider(kind) if kind else ""
    if kind is None or not second:
        return [("Connection", integration.connection_id or "")]
    registry = visit.parts.registry
    return [
        (provider_title(registry, kind.provider), integration.connection_id or ""),
        (provider_title(registry, second), integration.second_connection_id or ""),
    ]


def _settings(visit: Visit, integration: Integration) -> list[tuple[str, str]]:
    """Label and value of each setting, as a person reads them."""
    kind = kind_of(visit, integration)
    if kind is None:
        return [(key, str(value)) for key, value in integration.settings.items()]
    inputs = forms.setting_inputs(kind.settings, integration.settings, {})
    return [(one.label, offers.shown(one)) for one in offers.offered(visit, kind.settings, inputs)]


def _latest(visit: Visit, integration: Integration, *, upkeep: bool, limit: int) -> list[WorkRow]:
    query = WorkQuery(integration_id=integration.id, upkeep=upkeep, limit=limit)
    return work_rows(
        visit, visit.parts.work.page(visit.caller, query), {integration.id: integration}
    )


def _upkeep(visit: Visit, integration: Integration) -> list[UpkeepRow]:
    kind = kind_of(visit, integration)
    if kind is None or not kind.upkeep:
        return []
    seen = visit.may(Scope.RUNS_READ)
    rows: Sequence[WorkRow] = (
        _latest(visit, integration, upkeep=True, limit=LATEST_UPKEEP) if seen else ()
    )
    titles = acting_words.titles_of(kind)
    return [
        UpkeepRow(
            workflow=one.workflow,
            title=acting_words.workflow_title(one.workflow, titles),
            every=acting_words.every(one.every_s),
            last=next((row for row in rows if row.work.workflow == one.workflow), None),
        )
        for one in kind.upkeep
    ]


# --- whether it acts


def _move(visit: Visit, to: IntegrationState) -> Response:
    try:
        judged = visit.parts.integrations.move(visit.caller, number(visit), to)
    except InvalidInput:
        return _page(visit, refused=True)
    return visit.see(
        visit.url("integrations", judged.integration.label), said=f"integration_{to.value}"
    )


def activate(visit: Visit) -> Response:
    """POST /integrations/{id}/activate: also resumes."""
    return _move(visit, IntegrationState.ACTIVE)


def pause(visit: Visit) -> Response:
    """POST /integrations/{id}/pause."""
    return _move(visit, IntegrationState.PAUSED)


def deactivate(visit: Visit) -> Response:
    """POST /integrations/{id}/deactivate."""
    return _move(visit, IntegrationState.INACTIVE)


def run_upkeep(visit: Visit) -> Response:
    """POST /integrations/{id}/upkeep: what the clock does, at once."""
    found = number(visit)
    work = visit.parts.work.upkeep_now(visit.caller, found, visit.field("workflow"))
    return visit.see(visit.url("runs", work.id), said="upkeep_asked")


def _write(path: str, handler: Handler) -> Page:
    return Page(path=path, handler=handler, method="POST", scope=Scope.INTEGRATIONS_WRITE)


PAGES = (
    Page(path="/integrations", handler=integration_list, scope=Scope.INTEGRATIONS_READ),
    Page(
        path="/integrations/{integration_id}",
        handler=integration_page,
        scope=Scope.INTEGRATIONS_READ,
    ),
    _write("/integrations/{integration_id}/activate", activate),
    _write("/integrations/{integration_id}/pause", pause),
    _write("/integrations/{integration_id}/deactivate", deactivate),
    Page(
        path="/integrations/{integration_id}/upkeep",
        handler=run_upkeep,
        method="POST",
        scope=Scope.RUNS_WRITE,
    ),
)
