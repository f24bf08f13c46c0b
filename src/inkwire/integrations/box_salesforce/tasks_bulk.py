"""Thousands of Tasks as one job of Bulk API 2.0: about twenty calls for ten thousand (DESIGN §6).

The job's id is kept before its rows are uploaded, a job takes one upload in its life, and its rows
go nowhere else until Salesforce says that it has ended and its results were read. So whatever a
crash or a lost answer leaves behind, the next run asks about the job and goes on from there. Only
rows of which the results say nothing, or whose job is gone, are looked for by their marks, as those
of a batch are (`tasks`).

A job that was opened and whose id got lost holds no rows. It is left: nothing on it says that it is
ours, and Salesforce forgets it within seven days.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from inkwire.engine.contract import Run
from inkwire.integrations.box_salesforce.asking import ask_tasks_at, require_budget
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.people import contacts_of
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_salesforce.task_rows import (
    entry_for,
    keep,
    key_of,
    release,
    status_of,
    task_of,
)
from inkwire.integrations.box_salesforce.texts import activity_in
from inkwire.model.crm import Activity, BulkJob, BulkJobState
from inkwire.model.work import LedgerState
from inkwire.providers.salesforce.client import MOST_BULK_ROWS, MOST_ROWS, bulk_csv
from inkwire.providers.salesforce.client.faults import SalesforceRefused
from inkwire.providers.salesforce.objects import BulkRow, BulkState

COLUMNS = ("Subject", "Description", "Status", "ActivityDate", "WhatId", "WhoId")
#: Bytes from which a job takes no more rows. Salesforce takes 100 MB; this is held in memory.
MOST_BYTES = 10_000_000
#: Key of `Integration.remote`: the day on which Salesforce would not have jobs.
REFUSED = "bulk_refused"
#: Seconds until a job is looked at again: a quarter of its age, within these.
_SOONEST_S, _LATEST_S = 20.0, 600.0
#: Seconds until results that lack rows are read once more.
_READ_AGAIN_S = 60.0
#: How long Salesforce keeps a job; nothing is made of one that is older.
_KEPT = timedelta(days=7)
_S = BulkJobState


def tend(run: Run, did: dict[str, Any]) -> None:
    """Goes on with the jobs that are under way, as far as that needs no waiting."""
    for job in run.services.store.bulk_jobs.under_way(run.integration.id):
        if job.state is _S.QUEUED and run.services.clock.now() < job.look_at:
            _wait(run, job, job.look_at, did)
            continue
        require_budget(run)
        _go_on(run, job, did)


def begin(run: Run, did: dict[str, Any]) -> bool:
    """Sends a job if enough Tasks wait for one; whether it did."""
    services, number = run.services, run.integration.id
    given = chosen(run.integration)
    if services.store.activities.waiting(number, most=given.bulk_from) < given.bulk_from:
        return False
    now = services.clock.now()
    if services.store.integrations.get(number).remote.get(REFUSED) == now.date().isoformat():
        return False
    require_budget(run)
    usage = salesforce(run).job_usage()
    if usage is not None and usage.used * 100 >= usage.most * given.budget_percent:
        return False
    job = services.store.bulk_jobs.begin(
        BulkJob(
            batch_id=services.ids.new("blk"),
            integration_id=number,
            created_at=now,
            look_at=now,
        )
    )
    _go_on(run, job, did)
    return True


def asked(run: Run, job: BulkJob) -> BulkState | None:
    """What Salesforce says of a job; None: it knows none of that id, or no more."""
    return salesforce(run).job(job.job_id)


def _go_on(run: Run, job: BulkJob, did: dict[str, Any]) -> None:
    """From wherever it is to where there is nothing to do but wait."""
    if job.state is _S.GATHERING:
        opened = _opened(run, job)
        if opened is not None:
            _upload(run, opened, did)
        return
    try:
        said = asked(run, job)
    except SalesforceRefused as error:
        # As to a user who did not make it, once the connection is another's. It may still run, so
        # its rows wait, and other Tasks do not wait for it.
        refused = BulkState(
            state=error.reason or "refused", processed=job.processed, failed=job.failed
        )
        if run.services.clock.now() - job.created_at < _KEPT:
            _look_later(run, job, refused, did)
        else:
            _gone(run, job, error.message)
        return
    if said is None:
        _gone(run, job)
    elif said.ended:
        _settle(run, job, said, did)
    elif said.state == "Open":
        _upload(run, job, did)
    else:
        _look_later(run, job, said, did)


def _opened(run: Run, job: BulkJob) -> BulkJob | None:
    """Gathers its rows and opens it in Salesforce; None: there is nothing to upload."""
    services, batch = run.services, job.batch_id
    jobs = services.store.bulk_jobs
    rows = services.store.activities.sending(run.integration.id, batch)
    number, size = len(rows), _size(rows)
    while number < MOST_BULK_ROWS and size < MOST_BYTES:
        some = jobs.gather(batch, limit=min(MOST_ROWS, MOST_BULK_ROWS - number))
        if not some:
            break
        number, size = number + len(some), size + _size(some)
    if not number:
        # Only while it gathers: another worker may have gathered all of it, and sent it.
        why, at = "Nothing waited any more.", services.clock.now()
        jobs.ended(batch, note=why, at=at, only=_S.GATHERING)
        return None
    now = services.clock.now()
    status_of(run)  # what is wrong with it is said before anything is opened
    try:
        job_id = salesforce(run).create_job("Task")
    except SalesforceRefused as error:
        _refused(run)
        if jobs.ended(batch, note=error.message, at=now, only=_S.GATHERING):
            release(run, batch, _ids(run, batch))
        return None
    kept = jobs.opened(batch, job_id=job_id, look_at=now)
    if kept.job_id != job_id:
        salesforce(run).abort_job(job_id)  # another worker's counts; this one has no rows
    return kept if kept.job_id else None


def _upload(run: Run, job: BulkJob, did: dict[str, Any]) -> None:
    """Its rows and the word that they are all; a job that has them takes no others."""
    services, crm = run.services, salesforce(run)
    content = _csv(run, services.store.activities.sending(run.integration.id, job.batch_id))
    ledger, key = services.store.ledger, key_of(run, job.batch_id)
    entry = ledger.intend(entry_for(run, key))
    # Sent before: then the job's one upload is the fence, and the entry stays as it is.
    ledger.send(key, fence=entry.fence, run_id=run.work.run_id, at=services.clock.now())
    said = "UploadComplete"
    try:
        crm.fill_job(job.job_id, content)
        crm.close_job(job.job_id)
    except SalesforceRefused:
        _refused(run)
        crm.abort_job(job.job_id)
        said = "Aborted"
    look_at = services.clock.now() + timedelta(seconds=_SOONEST_S)
    _note(run, job, BulkState(state=said, processed=0, failed=0), look_at)
    _wait(run, job, look_at, did)


def _csv(run: Run, rows: Sequence[Activity]) -> bytes:
    """The Tasks, those of one record together: Salesforce locks its Account while it makes them."""
    status, contacts = status_of(run), contacts_of(run, rows)
    ordered = sorted(rows, key=lambda row: (row.what_id or "", row.id))
    return bulk_csv.written(COLUMNS, (task_of(row, contacts, status) for row in ordered))


def _look_later(run: Run, job: BulkJob, said: BulkState, did: dict[str, Any]) -> None:
    now = run.services.clock.now()
    age = (now - job.created_at).total_seconds()
    look_at = now + timedelta(seconds=min(max(age / 4, _SOONEST_S), _LATEST_S))
    _note(run, job, said, look_at)
    _wait(run, job, look_at, did)


def _settle(run: Run, job: BulkJob, said: BulkState, did: dict[str, Any]) -> None:
    """Reads what became of each row of a job that has ended, and keeps that."""
    crm, batch = salesforce(run), job.batch_id
    whole = said.state == "JobComplete"
    try:
        made = crm.job_made(job.job_id)
        refused = [] if whole and not said.failed else crm.job_refused(job.job_id)
        left = [] if whole else crm.job_left(job.job_id)
    except SalesforceRefused as error:
        _gone(run, job, error.message)  # nothing more is made of it, so the marks tell as much
        return
    if made is None or refused is None or left is None:
        _gone(run, job)
        return
    rows = {row.id: row for row in run.services.store.activities.sending(job.integration_id, batch)}
    pairs = [
        (rows[mark], one.result)
        for one in (*made, *refused)
        if (mark := _mark(one)) in rows and one.result is not None
    ]
    unmade = [rows[mark] for one in left if (mark := _mark(one)) in rows]
    keep(run, batch, pairs, did)
    release(run, batch, [row.id for row in unmade])
    if not whole:
        _refused(run)
    now = run.services.clock.now()
    missing = len(rows) - len({row.id for row, _ in pairs} | {row.id for row in unmade})
    if missing and job.said != said.state:
        look_at = now + timedelta(seconds=_READ_AGAIN_S)
        _note(run, job, said, look_at)
        _wait(run, job, look_at, did)
        return
    _note(run, job, said, now)
    note = f"{said.processed - said.failed} Tasks were made, {said.failed} were refused."
    if missing:
        note += f" Its results say nothing of {missing}; those are looked for by their marks."
    else:
        key = key_of(run, batch)
        run.services.store.ledger.settle(key, remote_id=job.job_id, at=now)
    if not whole:
        note += f" It ended as {said.state}{f': “{said.message}”' if said.message else ''}."
    run.services.store.bulk_jobs.ended(batch, note=note, at=now)


def _gone(run: Run, job: BulkJob, why: str = "Salesforce knows the job no more.") -> None:
    """It can tell nothing of its rows: what was uploaded is looked for, what was not is free."""
    services, batch = run.services, job.batch_id
    entry = services.store.ledger.get(key_of(run, batch))
    note = f"{why} Its Tasks are looked for by their marks."
    if entry is None or entry.state is LedgerState.INTENDED:
        release(run, batch, _ids(run, batch))
        note = f"{why} Nothing had been uploaded."
    services.store.bulk_jobs.ended(batch, note=note, at=services.clock.now())


def _refused(run: Run) -> None:
    """Tasks go in batches for the rest of the day: a row that is wrong is refused alone there."""
    today = run.services.clock.now().date().isoformat()
    run.services.store.integrations.set_remote(run.integration.id, {REFUSED: today})


def _note(run: Run, job: BulkJob, said: BulkState, look_at: datetime) -> None:
    run.services.store.bulk_jobs.noted(
        job.batch_id, state=_S.QUEUED, said=said.state, processed=said.processed,
        failed=said.failed, look_at=look_at,
    )  # fmt: skip


def _wait(run: Run, job: BulkJob, look_at: datetime, did: dict[str, Any]) -> None:
    """Another run looks at it then: no thread waits for it."""
    did["queued"] += job.size
    ask_tasks_at(run, job.batch_id, look_at)


def _ids(run: Run, batch: str) -> list[str]:
    rows = run.services.store.activities.sending(run.integration.id, batch)
    return [row.id for row in rows]


def _mark(row: BulkRow) -> str | None:
    return activity_in(row.fields.get("Description"))


def _size(rows: Sequence[Activity]) -> int:
    return bulk_csv.size_of(text for row in rows for text in (row.subject, row.description))
