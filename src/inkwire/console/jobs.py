"""Recover and replay: counted first, then confirmed, watched and cancelled."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import Response

from inkwire.errors import Conflict, InvalidInput
from inkwire.model.access import Scope
from inkwire.model.job import Job, JobKind, JobState
from inkwire.model.webhook import Webhook
from inkwire.pages.inputs import PAGE, moment
from inkwire.pages.marks import Mark
from inkwire.pages.outgoing import words
from inkwire.pages.outgoing.webhooks import number
from inkwire.pages.views import FormField
from inkwire.pages.visit import Page, Visit

NOTHING_WRONG: Mapping[str, str] = {}
HELP: Mapping[JobKind, str] = {
    JobKind.RECOVER: "Sends every delivery of this webhook again that was given up, or cancelled, "
    "since then.",
    JobKind.REPLAY_MISSING: "Sends every message of its topic since then that this webhook never "
    "got, because it was not there, disabled or deleted.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRow:
    """One job with how far it is."""

    job: Job
    mark: Mark
    title: str
    url: str
    webhook_url: str
    #: 0 to 100.
    share: int
    running: bool
    since: datetime | None


def job_row(visit: Visit, job: Job) -> JobRow:
    """One line of the list of jobs."""
    if job.total == 0:
        share = 0 if job.state is JobState.RUNNING else 100
    else:
        share = min(100, round(100 * job.done / job.total))
    return JobRow(
        job=job,
        mark=words.job_mark(job),
        title=words.JOB_WORDS[job.kind],
        url=visit.url("jobs", job.id),
        webhook_url=visit.url("webhooks", str(job.webhook_id)),
        share=share,
        running=job.state is JobState.RUNNING,
        since=_moment(job.query.get("since", "")),
    )


def _moment(text: str) -> datetime | None:
    return moment("since", text, {})


# --- count, then confirm


def recover_form(visit: Visit) -> Response:
    """GET /webhooks/{id}/recover: which kind, since when; with both given, the count first."""
    webhook = visit.parts.webhooks.get(visit.caller, number(visit))
    since = (visit.now - timedelta(hours=24)).strftime("%Y-%m-%dT%H:%M")
    kind, asked = visit.query("kind"), visit.query("since")
    if not kind and not asked:
        return _page(visit, webhook, {"kind": JobKind.RECOVER, "since": since})
    wrong: dict[str, str] = {}
    read = _read({"kind": kind, "since": asked}, wrong)
    typed = {"kind": kind, "since": asked}
    if read is None:
        return _page(visit, webhook, typed, errors=wrong)
    try:
        count = visit.parts.jobs.count(visit.caller, read[0], webhook.id, since=read[1])
    except InvalidInput as error:
        return _page(visit, webhook, typed, errors=error.fields)
    return _page(visit, webhook, typed, count=count)


def _read(given: Mapping[str, str], wrong: dict[str, str]) -> tuple[JobKind, datetime] | None:
    if given["kind"] not in set(JobKind):
        wrong["kind"] = f"must be one of: {', '.join(JobKind)}"
    since = moment("since", given["since"], wrong)
    if since is None:
        wrong.setdefault("since", "is needed: from when on?")
    return None if wrong or since is None else (JobKind(given["kind"]), since)


def _page(
    visit: Visit,
    webhook: Webhook,
    typed: Mapping[str, str],
    *,
    errors: Mapping[str, str] = NOTHING_WRONG,
    count: int | None = None,
) -> Response:
    return visit.render(
        "recover.html",
        status=422 if errors else 200,
        webhook=webhook,
        typed=typed,
        kinds=[(kind.value, words.JOB_WORDS[kind], HELP[kind]) for kind in JobKind],
        since=FormField(
            name="since",
            label="Since (UTC)",
            kind="datetime",
            value=typed["since"],
            required=True,
            error=errors.get("since", ""),
        ),
        kind_error=errors.get("kind", ""),
        problem=errors.get("", ""),
        count=count,
        title=words.JOB_WORDS[JobKind(typed["kind"])] if count is not None else "",
        takes=webhook.state.value in ("active", "paused"),
    )


def start(visit: Visit) -> Response:
    """POST /webhooks/{id}/recover: what was counted and confirmed."""
    webhook = visit.parts.webhooks.get(visit.caller, number(visit))
    wrong: dict[str, str] = {}
    typed = {"kind": visit.field("kind"), "since": visit.field("since")}
    read = _read(typed, wrong)
    if read is None:
        return _page(visit, webhook, typed, errors=wrong)
    try:
        job = visit.parts.jobs.start(visit.caller, read[0], webhook.id, since=read[1])
    except InvalidInput as error:
        return _page(visit, webhook, typed, errors=error.fields)
    except Conflict as error:
        response = _page(visit, webhook, typed, errors={"": error.message})
        response.status_code = 409
        return response
    return visit.see(visit.url("jobs", job.id), said="job_started")


# --- watched


def job_list(visit: Visit) -> Response:
    """GET /jobs: newest first."""
    before = visit.query("before")
    found = visit.parts.jobs.page(visit.caller, before=before or None, limit=PAGE + 1)
    return visit.render(
        "jobs.html",
        rows=[job_row(visit, job) for job in found[:PAGE]],
        first_page=not before,
        newest_url=visit.url("jobs"),
        older_url=visit.url("jobs", before=found[PAGE - 1].id) if len(found) > PAGE else "",
    )


def job_page(visit: Visit) -> Response:
    """GET /jobs/{id}: looks for news while it runs."""
    job = visit.parts.jobs.get(visit.caller, visit.path["job_id"])
    took = (visit.now - job.created_at).total_seconds()
    rate = job.done / took if took > 0 else 0.0
    left_s = (job.total - job.done) / rate if rate else None
    return visit.render(
        "job.html",
        row=job_row(visit, job),
        job=job,
        rate=rate,
        ends_at=visit.now + timedelta(seconds=left_s) if left_s and left_s < 10**6 else None,
        can_cancel=job.state is JobState.RUNNING and visit.may(Scope.MESSAGES_WRITE),
    )


def cancel(visit: Visit) -> Response:
    """POST /jobs/{id}/cancel."""
    job = visit.parts.jobs.cancel(visit.caller, visit.path["job_id"])
    return visit.see(visit.url("jobs", job.id), said="job_cancelled")


PAGES = (
    Page(path="/webhooks/{webhook_id}/recover", handler=recover_form, scope=Scope.MESSAGES_WRITE),
    Page(
        path="/webhooks/{webhook_id}/recover",
        handler=start,
        method="POST",
        scope=Scope.MESSAGES_WRITE,
    ),
    Page(path="/jobs", handler=job_list, scope=Scope.MESSAGES_READ),
    Page(path="/jobs/{job_id}", handler=job_page, scope=Scope.MESSAGES_READ),
    Page(path="/jobs/{job_id}/cancel", handler=cancel, method="POST", scope=Scope.MESSAGES_WRITE),
)
