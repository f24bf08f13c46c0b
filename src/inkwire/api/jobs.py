"""`/v1/jobs`: long tasks of a webhook – recover what failed, replay what is missing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.fields import Id, Input, Moment, Next, Output, Page
from inkwire.api.parts import With
from inkwire.model.access import Caller, Scope
from inkwire.model.job import JobKind, JobState

router = APIRouter(prefix="/jobs", tags=["Jobs"])

Reader = Annotated[Caller, Allowed(Scope.MESSAGES_READ)]
Sender = Annotated[Caller, Allowed(Scope.MESSAGES_WRITE)]


class JobIn(Input):
    """A job to be counted or started."""

    kind: JobKind = Field(
        description="`recover`: sends what was given up again. `replay_missing`: sends messages of "
        "the topic that the webhook never got."
    )
    webhook_id: int = Field(ge=1, le=2**53 - 1)
    since: Moment = Field(description="Only what was made at or after; RFC 3339.")
    until: Moment | None = Field(None, description="Only what was made before; RFC 3339.")


class JobCountOut(Output):
    """What a job would do."""

    count: int = Field(
        description="Deliveries it would make, counted up to 100,000; for `replay_missing` before "
        "the webhook's filters."
    )


class JobOut(Output):
    """One job."""

    id: str
    kind: JobKind
    application_id: str
    webhook_id: int
    query: Mapping[str, str]
    done: int = Field(description="Deliveries made so far.")
    total: int = Field(description="Expected at the start.")
    state: JobState
    error: str | None
    created_at: datetime
    created_by: str
    updated_at: datetime


class JobsOut(Output):
    """A page of jobs, newest first."""

    items: list[JobOut]
    next: Next


@router.get("", summary="List jobs")
def list_jobs(parts: With, caller: Reader, page: Annotated[Page, Query()]) -> JobsOut:
    """Jobs, newest first; an application's key sees its own."""
    found = parts.jobs.page(caller, before=page.before, limit=page.limit)
    return JobsOut(items=[JobOut.of(job) for job in found], next=page.next_of(found))


@router.post("/count", summary="Count what a job would do")
def count_job(body: JobIn, parts: With, caller: Reader) -> JobCountOut:
    """Starts nothing."""
    count = parts.jobs.count(caller, body.kind, body.webhook_id, since=body.since, until=body.until)
    return JobCountOut(count=count)


@router.post("", summary="Start a job", status_code=202)
def start_job(body: JobIn, parts: With, caller: Sender, response: Response) -> JobOut:
    """The worker advances it in batches; it outlives restarts."""
    job = parts.jobs.start(caller, body.kind, body.webhook_id, since=body.since, until=body.until)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return JobOut.of(job)


@router.get("/{job_id}", summary="Read a job")
def read_job(job_id: Id, parts: With, caller: Reader) -> JobOut:
    """How far it is."""
    return JobOut.of(parts.jobs.get(caller, job_id))


@router.post("/{job_id}/cancel", summary="Cancel a job")
def cancel_job(job_id: Id, parts: With, caller: Sender) -> JobOut:
    """Stops it; what it made stays."""
    return JobOut.of(parts.jobs.cancel(caller, job_id))
