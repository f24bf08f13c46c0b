"""What has not reached Salesforce yet: Tasks by state, and work that waits for a record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from inkwire.console import crm_words
from inkwire.console.live import MANY, News, stream
from inkwire.console.records import ROOM, integration_of, labelled
from inkwire.console.work_rows import work_rows
from inkwire.errors import InvalidInput
from inkwire.model.access import Scope
from inkwire.model.crm import Activity, ActivityState, BulkJob
from inkwire.model.work import ParkCause, Work
from inkwire.pages.inputs import PAGE
from inkwire.pages.marks import Mark
from inkwire.pages.views import Chip
from inkwire.pages.visit import Page, Visit
from inkwire.providers.salesforce.standard import whole_id
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import WORK

#: Below every id: what an empty list has "seen".
NONE_SEEN = "0"
_LABELS = {"q": "Record", "integration": "Integration", "state": "State"}


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskRow:
    """One Task."""

    activity: Activity
    mark: Mark
    about: str
    work_url: str
    can_retry: bool
    #: Salesforce's id of the Bulk job that it is in, or went in.
    job_id: str = ""


def task_list(visit: Visit) -> Response:
    """GET /records/tasks: newest first; `q` is a record's id."""
    if any(value == "" for value in visit.request.query_params.values()):
        kept = {key: value for key, value in visit.request.query_params.items() if value}
        return visit.see(visit.url(ROOM, "tasks", **kept))
    given = {name: visit.query(name)[:200] for name in _LABELS}
    before, integrations = visit.query("before"), visit.parts.crm.integrations(visit.caller)
    found = visit.parts.crm.activities(
        visit.caller,
        integration_id=integration_of(given["integration"]),
        state=_state(given),
        record_id=_record(given),
        before=before or None,
        limit=PAGE + 1,
    )
    jobs = visit.parts.crm.jobs_of(visit.caller, found[:PAGE])
    on = {key: value for key, value in given.items() if value}
    shown = {("integration", one.label): one.name for one in integrations}
    shown |= {("state", state.value): mark.word for state, mark in crm_words.TASKS.items()}
    return visit.render(
        "record_tasks.html",
        rows=[_row(visit, one, jobs.get(one.batch_id or "")) for one in found[:PAGE]],
        given=given,
        chips=_chips(visit, "tasks", on, shown),
        integrations=labelled(integrations),
        states=[(state.value, mark.word) for state, mark in crm_words.TASKS.items()],
        may_retry=visit.may(Scope.RUNS_WRITE)
        and any(one.state is ActivityState.FAILED for one in found[:PAGE]),
        first_page=not before,
        newest_url=visit.url(ROOM, "tasks", **on),
        live_url=visit.url(ROOM, "tasks", "live", **on, seen=found[0].id if found else NONE_SEEN),
        older_url=visit.url(ROOM, "tasks", **on, before=found[PAGE - 1].id)
        if len(found) > PAGE
        else "",
    )


def live_tasks(visit: Visit) -> Response:
    """GET /records/tasks/live: the bar over the list."""
    given = {name: visit.query(name)[:200] for name in _LABELS}
    seen, state, record = visit.query("seen"), _state(given), _record(given)
    number = integration_of(given["integration"])
    page = visit.parts.store.activities.page
    return stream(
        visit,
        News(
            topic=WORK,
            count=lambda: newer(
                page(integration_id=number, state=state, what_id=record, limit=MANY), seen
            ),
            words=("new Task", "new Tasks"),
            url=visit.url(ROOM, "tasks", **{key: value for key, value in given.items() if value}),
        ),
    )


def newer(found: Sequence[Activity] | Sequence[Work], seen: str) -> int:
    """How many of them, newest first, the open page does not show."""
    return sum(one.id > seen for one in found)


def _state(given: Mapping[str, str]) -> ActivityState | None:
    if given["state"] and given["state"] not in set(ActivityState):
        raise InvalidInput(fields={"state": f"must be one of: {', '.join(ActivityState)}"})
    return ActivityState(given["state"]) if given["state"] else None


def _record(given: Mapping[str, str]) -> str | None:
    if not given["q"]:
        return None
    record = whole_id(given["q"])
    if record is None:
        raise InvalidInput(fields={"q": "must be a record's id of 15 or 18 characters"})
    return record


def _chips(
    visit: Visit, room: str, on: Mapping[str, str], shown: Mapping[tuple[str, str], str]
) -> list[Chip]:
    return [
        Chip(
            label=_LABELS[name],
            value=shown.get((name, value), value),
            remove_url=visit.url(
                ROOM, room, **{key: other for key, other in on.items() if key != name}
            ),
        )
        for name, value in on.items()
    ]


def _row(visit: Visit, one: Activity, job: BulkJob | None) -> TaskRow:
    in_job = job is not None and one.state is ActivityState.SENDING and job.ended_at is None
    return TaskRow(
        activity=one,
        mark=crm_words.IN_JOB if in_job else crm_words.TASKS[one.state],
        job_id=job.job_id if job is not None else "",
        about=crm_words.task_about(one),
        work_url=visit.url("runs", one.work_id) if visit.may(Scope.RUNS_READ) else "",
        can_retry=one.state is ActivityState.FAILED,
    )


def retry_tasks(visit: Visit) -> Response:
    """POST /records/tasks/retry: those that were chosen go with the next batch."""
    number = visit.parts.crm.retry_activities(visit.caller, visit.form.getlist("task"))
    return visit.see(visit.url(ROOM, "tasks"), said="tasks_retried", number=number)


# --- work without a record


def unmapped_list(visit: Visit) -> Response:
    """GET /records/unmapped: work that waits until a folder's record is known."""
    if any(value == "" for value in visit.request.query_params.values()):
        kept = {key: value for key, value in visit.request.query_params.items() if value}
        return visit.see(visit.url(ROOM, "unmapped", **kept))
    given, before = visit.query("integration"), visit.query("before")
    integrations = visit.parts.crm.integrations(visit.caller)
    found = visit.parts.crm.unmapped(
        visit.caller,
        integration_id=integration_of(given),
        before=before or None,
        limit=PAGE + 1,
    )
    on = {"integration": given} if given else {}
    here = {one.integration_id for one in found}
    return visit.render(
        "unmapped.html",
        rows=work_rows(visit, found[:PAGE], {one.id: one for one in integrations}),
        given=given,
        chips=_chips(
            visit,
            "unmapped",
            on,
            {("integration", one.label): one.name for one in integrations},
        ),
        integrations=labelled(integrations),
        waking=[one for one in integrations if one.id in here]
        if visit.may(Scope.RUNS_WRITE)
        else [],
        first_page=not before,
        newest_url=visit.url(ROOM, "unmapped", **on),
        live_url=visit.url(
            ROOM, "unmapped", "live", **on, seen=found[0].id if found else NONE_SEEN
        ),
        older_url=visit.url(ROOM, "unmapped", **on, before=found[PAGE - 1].id)
        if len(found) > PAGE
        else "",
    )


def live_unmapped(visit: Visit) -> Response:
    """GET /records/unmapped/live: the bar over the list."""
    given, seen = visit.query("integration"), visit.query("seen")
    query = WorkQuery(
        integration_id=integration_of(given), park_cause=ParkCause.MAPPING, limit=MANY
    )
    return stream(
        visit,
        News(
            topic=WORK,
            count=lambda: newer(visit.parts.store.works.page(query), seen),
            words=("more waits", "more wait"),
            url=visit.url(ROOM, "unmapped", **({"integration": given} if given else {})),
        ),
    )


def wake(visit: Visit) -> Response:
    """POST /records/unmapped/run: what waits of one integration starts again."""
    number = integration_of(visit.field("integration")) or 0
    woken = visit.parts.crm.wake(visit.caller, number)
    return visit.see(visit.url(ROOM, "unmapped"), said="unmapped_woken", number=woken)


PAGES = (
    Page(path="/records/tasks", handler=task_list, scope=Scope.INTEGRATIONS_READ),
    Page(path="/records/tasks/live", handler=live_tasks, scope=Scope.INTEGRATIONS_READ),
    Page(path="/records/tasks/retry", handler=retry_tasks, method="POST", scope=Scope.RUNS_WRITE),
    Page(path="/records/unmapped", handler=unmapped_list, scope=Scope.RUNS_READ),
    Page(path="/records/unmapped/live", handler=live_unmapped, scope=Scope.RUNS_READ),
    Page(path="/records/unmapped/run", handler=wake, method="POST", scope=Scope.RUNS_WRITE),
)
