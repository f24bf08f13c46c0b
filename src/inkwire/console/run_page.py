"""The page of one work: what it is, what a person can do about it, and all that its runs did."""

from collections.abc import Mapping
from datetime import timedelta

from starlette.responses import Response

from inkwire.console import acting_words, attention
from inkwire.console.connections import asked, call_rows
from inkwire.console.run_rows import MAX_STEPS, ledger_row, planned, runs_of
from inkwire.console.work_rows import WorkRow, order_numbers, work_row
from inkwire.engine.desk import Decision, WorkDetail
from inkwire.errors import InvalidInput, NotFound
from inkwire.model.access import Scope
from inkwire.model.work import (
    CommandKind,
    Integration,
    ParkCause,
    Work,
    WorkState,
)
from inkwire.pages.visit import Handler, Page, Visit

#: Calls on the page; the API has the others.
MAX_CALLS = 50
#: What is due so soon is watched.
SOON = timedelta(seconds=30)
NOTHING_WRONG: Mapping[str, str] = {}


def run_page(visit: Visit) -> Response:
    """GET /runs/{id}: looks for news while it runs."""
    return _page(visit)


def _page(
    visit: Visit,
    *,
    errors: Mapping[str, str] = NOTHING_WRONG,
    typed: Mapping[str, str] = NOTHING_WRONG,
) -> Response:
    detail = visit.parts.work.get(visit.caller, visit.path["work_id"])
    work = detail.work
    integration = _integration(visit, work)
    numbers = order_numbers(visit, [work])
    row = work_row(visit, work, integration, numbers)
    dry = asked(visit, visit.parts.store.commands.latest(CommandKind.DRY_RUN, work.id))
    may = visit.may(Scope.RUNS_WRITE)
    return visit.render(
        "run.html",
        status=422 if errors else 200,
        row=row,
        work=work,
        title=_title(row),
        order_id=work.subject.get("order_id", ""),
        order_number=numbers.get(work.subject.get("order_id", ""), ""),
        integration=integration,
        trouble=_trouble(visit, work, integration),
        watched=_watched(visit, work) or (dry is not None and dry.pending),
        runs=runs_of(detail.steps),
        steps_cut=len(detail.steps) > MAX_STEPS,
        calls=call_rows(visit, detail.calls[:MAX_CALLS]),
        calls_cut=len(detail.calls) > MAX_CALLS,
        ledger=[ledger_row(entry) for entry in detail.ledger],
        subject=sorted(work.subject.items()),
        dry=dry,
        planned=planned(dry.command.result if dry else None),
        can=_can(work) if may else frozenset(),
        may_decide=may,
        errors=errors,
        typed=typed,
    )


def _integration(visit: Visit, work: Work) -> Integration | None:
    if not visit.may(Scope.INTEGRATIONS_READ):
        return None
    try:
        return visit.parts.integrations.get(visit.caller, work.integration_id)
    except NotFound:
        return None


def _title(row: WorkRow) -> str:
    """What it is for and how it stands: "Send for signature, order 1042 – is done"."""
    ends = acting_words.work_ends(row.work)
    about = f", {' '.join(row.about)}" if row.about[1] else ""
    return f"{row.title}{about} – {ends}" if about else f"{row.title} {ends}"


def _trouble(
    visit: Visit, work: Work, integration: Integration | None
) -> list[attention.Attention]:
    """The banner of its connection, while that is what it waits for."""
    if work.park_cause is not ParkCause.CONNECTION or integration is None:
        return []
    return attention.trouble(visit, integration.connection_ids)


def _watched(visit: Visit, work: Work) -> bool:
    if work.state is WorkState.RUNNING:
        return True
    return work.state is WorkState.NEW and work.due_at <= visit.now + SOON


def _can(work: Work) -> frozenset[str]:
    """What a person may do in this state."""
    match work.state:
        case WorkState.DEAD | WorkState.CANCELLED:
            return frozenset({"retry", "dry-run"})
        case WorkState.PARKED:
            return frozenset({"retry", "cancel", "dry-run"})
        case WorkState.DONE:
            return frozenset({"replay", "dry-run"})
        case WorkState.NEW:
            return frozenset({"cancel", "dry-run"})
        case _:
            return frozenset() if work.cancel_asked else frozenset({"cancel"})


# --- what a person does


def retry(visit: Visit) -> Response:
    """POST /runs/{id}/retry."""
    work = visit.parts.work.retry(visit.caller, visit.path["work_id"])
    return _back(visit, work.id, "work_retried")


def replay(visit: Visit) -> Response:
    """POST /runs/{id}/replay."""
    work = visit.parts.work.replay(visit.caller, visit.path["work_id"])
    return _back(visit, work.id, "work_replayed")


def cancel(visit: Visit) -> Response:
    """POST /runs/{id}/cancel."""
    work = visit.parts.work.cancel(visit.caller, visit.path["work_id"])
    ended = work.state is WorkState.CANCELLED
    return _back(visit, work.id, "work_cancelled" if ended else "work_ends")


def dry_run(visit: Visit) -> Response:
    """POST /runs/{id}/dry-run: a worker lists what the next run would call; nothing is sent."""
    command = visit.parts.work.dry_run(visit.caller, visit.path["work_id"])
    return _back(visit, command.target, "dry_run_asked")


def decide(visit: Visit) -> Response:
    """POST /runs/{id}/decide: a person's word on a create in doubt."""
    work_id, key = visit.path["work_id"], visit.field("key")
    detail: WorkDetail = visit.parts.work.get(visit.caller, work_id)
    if key not in {entry.key for entry in detail.ledger}:
        raise NotFound("This work has no such create; load its page again.")
    try:
        decision = Decision(visit.field("decision"))
    except ValueError:
        raise InvalidInput(fields={"decision": f"must be one of: {', '.join(Decision)}"}) from None
    remote_id = visit.field("remote_id").strip()
    try:
        visit.parts.work.decide(
            visit.caller,
            key,
            decision,
            remote_id=(remote_id or None) if decision is Decision.ADOPT else None,
        )
    except InvalidInput as error:
        return _page(visit, errors=error.fields, typed={"key": key, "remote_id": remote_id})
    return _back(visit, work_id, "work_decided")


def _back(visit: Visit, work_id: str, said: str) -> Response:
    return visit.see(visit.url("runs", work_id), said=said)


def _write(path: str, handler: Handler) -> Page:
    return Page(path=path, handler=handler, method="POST", scope=Scope.RUNS_WRITE)


PAGES = (
    Page(path="/runs/{work_id}", handler=run_page, scope=Scope.RUNS_READ),
    _write("/runs/{work_id}/retry", retry),
    _write("/runs/{work_id}/replay", replay),
    _write("/runs/{work_id}/cancel", cancel),
    _write("/runs/{work_id}/dry-run", dry_run),
    _write("/runs/{work_id}/decide", decide),
)
