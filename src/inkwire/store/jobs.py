"""Jobs: what was given up or missed is sent again, batch after batch.

A batch is one transaction that makes deliveries and moves the job's cursor, so a job that was cut
off by a crash goes on where it stood, and makes nothing twice.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.job import Job, JobKind, JobState
from inkwire.model.message import DeliveryState
from inkwire.moments import to_micros
from inkwire.store import rows, sending_rows
from inkwire.store import schema_sending as tables
from inkwire.store.contract import DELIVERY, JOB, MAX_PAGE
from inkwire.store.database import Database
from inkwire.store.rows import Row
from inkwire.store.sending import Chooses
from inkwire.store.sending_rows import DELIVERY_COLUMNS, delivery_row, may_see
from inkwire.store.webhook_states import ENDED

MAX_COUNT = 100_000
#: Rows looked at for each delivery made, so that a batch ends soon where there is little to do.
_LOOK = 20

_jobs = tables.jobs
_deliveries = tables.deliveries
_messages = tables.messages
_webhooks = tables.webhooks
_GIVEN_UP = (DeliveryState.EVICTED.value, DeliveryState.CANCELLED.value)


class SqlJobs:
    """See `sending.Jobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, job: Job) -> int:
        """Counted up to 100,000, before `chooses`. Raises NotFound."""
        with self._database.reading() as conn:
            webhook = _webhook(conn, job)
            some = _wanted(job, webhook).limit(MAX_COUNT).subquery()
            return conn.scalar(sa.select(sa.func.count()).select_from(some)) or 0

    def add(self, job: Job, *, audit: AuditEntry) -> None:
        """Raises NotFound without its webhook, Conflict while one of its kind runs for that."""
        with self._database.writing() as conn:
            _webhook(conn, job, lock=True)  # one at a time, so that two cannot both find none
            running = conn.scalar(
                sa.select(_jobs.c.id).where(
                    tables.IS_RUNNING,
                    _jobs.c.kind == job.kind.value,
                    _jobs.c.webhook_id == job.webhook_id,
                )
            )
            if running is not None:
                raise Conflict(
                    f"Job {running} does that already for webhook {job.webhook_id}; wait until it "
                    "has ended, or cancel it."
                )
            conn.execute(_jobs.insert().values(_values(job)))
            rows.add_audit(conn, audit)
            self._database.bump(conn, JOB)

    def get(self, job_id: str, *, application_id: str | None) -> Job:
        """One job. Raises NotFound."""
        with self._database.reading() as conn:
            return _job(conn, job_id, application_id)

    def page(
        self, *, application_id: str | None, before: str | None = None, limit: int = 50
    ) -> list[Job]:
        """Newest first."""
        wanted = [*may_see(_jobs.c.application_id, application_id)]
        if before is not None:
            wanted.append(_jobs.c.id < before)
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(_jobs)
                .where(*wanted)
                .order_by(_jobs.c.id.desc())
                .limit(max(0, min(limit, MAX_PAGE)))
            )
            return [sending_rows.job(row) for row in found]

    def cancel(self, job_id: str, *, at: datetime, audit: AuditEntry) -> Job:
        """Stops a running job. Raises NotFound, Conflict if it has ended."""
        with self._database.writing() as conn:
            if not self._end(conn, job_id, JobState.CANCELLED, at=at):
                state = _job(conn, job_id, None).state
                raise Conflict(f"Job {job_id} is {state} already; there is nothing to cancel.")
            rows.add_audit(conn, audit)
            return _job(conn, job_id, None)

    def fail(self, job_id: str, *, error: str, at: datetime, state: JobState) -> None:
        """Ends a running job with a sentence; one that has ended stays. Raises NotFound."""
        with self._database.writing() as conn:
            if not self._end(conn, job_id, state, at=at, error=error):
                _job(conn, job_id, None)

    def advance(
        self, *, limit: int, now: datetime, new_id: Callable[[], str], chooses: Chooses
    ) -> Job | None:
        """The next batch of the oldest running job; None: none runs.

        It looks first and then writes: if the job was cancelled or moved meanwhile, nothing is
        written. One whose webhook ended fails with a sentence.
        """
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(_jobs).where(tables.IS_RUNNING).order_by(_jobs.c.id).limit(1)
            ).one_or_none()
            if row is None:
                return None
            job = sending_rows.job(row)
            webhook = _find_webhook(conn, job)
            found, cursor = _batch(conn, job, webhook, limit) if webhook is not None else ([], None)
        if webhook is None or webhook.state in ENDED:
            state = "gone" if webhook is None else webhook.state
            error = f"Webhook {job.webhook_id} is {state}; activate it, then start the job again."
            self.fail(job.id, error=error, at=now, state=JobState.FAILED)
            return self.get(job.id, application_id=None)
        if job.kind is JobKind.REPLAY_MISSING and found:
            chosen = set(chooses(job.webhook_id, [one.message_id for one in found]))
            found = [one for one in found if one.message_id in chosen]
        return self._move(job, webhook, found, cursor, now=now, new_id=new_id)

    def _move(
        self,
        job: Job,
        webhook: Row,
        found: Sequence[Row],
        cursor: str | None,
        *,
        now: datetime,
        new_id: Callable[[], str],
    ) -> Job:
        """Makes the deliveries and moves the cursor, if the job still stands where it was read."""
        with self._database.writing() as conn:
            changed = conn.execute(
                _jobs.update()
                .where(tables.IS_RUNNING, _jobs.c.id == job.id, _jobs.c.cursor == job.cursor)
                .values(
                    cursor=job.cursor if cursor is None else cursor,
                    done=_jobs.c.done + len(found),
                    state=JobState.DONE.value if cursor is None else JobState.RUNNING.value,
                    updated_at=now,
                )
            )
            if changed.rowcount == 1 and found:
                self._database.insert(
                    conn,
                    "deliveries",
                    DELIVERY_COLUMNS,
                    [
                        delivery_row(
                            new_id(),
                            one.message_id,
                            webhook.id,
                            application_id=webhook.application_id,
                            topic=one.topic,
                            at=to_micros(now),
                        )
                        for one in found
                    ],
                )
                self._database.bump(conn, DELIVERY)
            self._database.bump(conn, JOB)
            return _job(conn, job.id, None)

    def _end(
        self,
        conn: sa.Connection,
        job_id: str,
        state: JobState,
        *,
        at: datetime,
        error: str | None = None,
    ) -> bool:
        changed = conn.execute(
            _jobs.update()
            .where(tables.IS_RUNNING, _jobs.c.id == job_id)
            .values(state=state.value, error=error, updated_at=at)
        )
        self._database.bump(conn, JOB)
        return changed.rowcount == 1


def _batch(
    conn: sa.Connection, job: Job, webhook: Row, limit: int
) -> tuple[Sequence[Row], str | None]:
    """What the next batch makes, and the new cursor; None: there is no more.

    Looks at a bounded stretch of ids, whatever little of it is wanted.
    """
    ids = _stretch(job, webhook)
    end = conn.scalar(ids.offset(limit * _LOOK - 1).limit(1))
    wanted = _wanted(job, webhook)
    source = _source(job)
    if end is not None:
        wanted = wanted.where(source.c.id <= end)
    found = conn.execute(wanted.order_by(source.c.id).limit(limit)).all()
    if len(found) == limit:
        return found, str(found[-1].id)
    return found, None if end is None else str(end)


def _source(job: Job) -> sa.Table:
    return _deliveries if job.kind is JobKind.RECOVER else _messages


def _stretch(job: Job, webhook: Row) -> sa.Select[tuple[str]]:
    """Ids behind the cursor, by one index."""
    table = _source(job)
    mine = (
        [table.c.webhook_id == webhook.id]
        if job.kind is JobKind.RECOVER
        else [table.c.application_id == webhook.application_id, table.c.topic == webhook.topic]
    )
    return sa.select(table.c.id).where(*mine, table.c.id > job.cursor).order_by(table.c.id)


def _wanted(job: Job, webhook: Row) -> sa.Select[tuple[str, str, str]]:
    """(id, message_id, topic) of what the job sends, behind its cursor."""
    since = datetime.fromisoformat(job.query["since"])
    # What comes later is not its business; without this end it would find what it made.
    until = job.created_at
    if job.query.get("until"):
        until = min(until, datetime.fromisoformat(job.query["until"]))
    table = _source(job)
    times = (table.c.created_at >= since, table.c.created_at <= until, table.c.id > job.cursor)
    if job.kind is JobKind.RECOVER:
        newer = sa.alias(_deliveries)
        return sa.select(table.c.id, table.c.message_id, table.c.topic).where(
            table.c.webhook_id == webhook.id,
            table.c.state.in_(_GIVEN_UP),
            *times,
            ~sa.exists().where(
                newer.c.message_id == table.c.message_id,
                newer.c.webhook_id == webhook.id,
                newer.c.id > table.c.id,
            ),
        )
    return sa.select(table.c.id, table.c.id.label("message_id"), table.c.topic).where(
        table.c.application_id == webhook.application_id,
        table.c.topic == webhook.topic,
        table.c.webhook_id.is_(None),
        table.c.fanned_at.is_not(None),
        *times,
        ~sa.exists().where(
            _deliveries.c.message_id == table.c.id, _deliveries.c.webhook_id == webhook.id
        ),
    )


def _find_webhook(conn: sa.Connection, job: Job, *, lock: bool = False) -> Row | None:
    query = sa.select(
        _webhooks.c.id, _webhooks.c.application_id, _webhooks.c.topic, _webhooks.c.state
    ).where(_webhooks.c.id == job.webhook_id, _webhooks.c.application_id == job.application_id)
    return conn.execute(query.with_for_update() if lock else query).one_or_none()


def _webhook(conn: sa.Connection, job: Job, *, lock: bool = False) -> Row:
    found = _find_webhook(conn, job, lock=lock)
    if found is None:
        raise NotFound(f"There is no webhook {job.webhook_id}.")
    return found


def _job(conn: sa.Connection, job_id: str, application_id: str | None) -> Job:
    row = conn.execute(
        sa.select(_jobs).where(
            _jobs.c.id == job_id, *may_see(_jobs.c.application_id, application_id)
        )
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return sending_rows.job(row)


def _values(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "kind": job.kind.value,
        "application_id": job.application_id,
        "webhook_id": job.webhook_id,
        "query": job.query,
        "cursor": job.cursor,
        "done": job.done,
        "total": job.total,
        "state": job.state.value,
        "error": job.error,
        "created_at": job.created_at,
        "created_by": job.created_by,
        "updated_at": job.updated_at,
    }
