"""Jobs of Salesforce's Bulk API, each with the Tasks of one batch."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from inkwire.errors import NotFound
from inkwire.model.crm import Activity, ActivityState, BulkJob, BulkJobState
from inkwire.store import crm_rows
from inkwire.store import schema_crm as tables
from inkwire.store.contract import MAX_PAGE, WORK
from inkwire.store.crm_lists import page_size
from inkwire.store.database import Database, one_of
from inkwire.store.intake import clean
from inkwire.store.keepable import known, require_keepable
from inkwire.store.schema_acting import integrations

_jobs = tables.bulk_jobs
_activities = tables.activities
_S = BulkJobState
_MAX_JOBS = 100


class SqlBulkJobs:
    """See `crm.BulkJobs`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, job: BulkJob) -> BulkJob:
        """Keeps it, GATHERING; one of its integration that still gathers is returned instead."""
        with self._database.writing() as conn:
            _take_turn(conn, job.integration_id)
            here = _jobs.c.integration_id == known(job.integration_id)
            gathers = _jobs.c.state == _S.GATHERING.value
            wanted = sa.select(_jobs).where(here, tables.UNDER_WAY, gathers)
            row = conn.execute(wanted.order_by(_jobs.c.batch_id).limit(1)).one_or_none()
            if row is not None:
                return crm_rows.bulk_job(row)
            columns = crm_rows.BULK_COLUMNS
            self._database.add_missing(conn, "bulk_jobs", columns, [crm_rows.bulk_row(job)])
            self._database.bump(conn, WORK)
            return _one(conn, job.batch_id)

    def gather(self, batch_id: str, *, limit: int) -> list[Activity]:
        """The oldest WAITING activities (≤ 200) become SENDING in it, besides those that are.

        Small pieces, so that nobody else waits long; once the job has an id no more come.
        """
        with self._database.writing() as conn:
            job = _find(conn, batch_id)
            if job is None:
                return []
            # Who claims for one integration takes turns, and so does whoever opens the job.
            _take_turn(conn, job.integration_id)
            job = _one(conn, batch_id)
            if job.state is not _S.GATHERING:
                return []
            here = _activities.c.integration_id == known(job.integration_id)
            waiting = (
                sa.select(_activities.c.id)
                .where(here, _activities.c.state == ActivityState.WAITING.value)
                .order_by(_activities.c.id)
                .limit(max(0, min(limit, MAX_PAGE)))
            )
            taken = conn.scalars(waiting.with_for_update()).all()
            if not taken:
                return []
            these = one_of(conn, _activities.c.id, taken)
            conn.execute(
                _activities.update()
                .where(these)
                .values(state=ActivityState.SENDING.value, batch_id=batch_id)
            )
            self._database.bump(conn, WORK)
            wanted = sa.select(_activities).where(these).order_by(_activities.c.id)
            return [crm_rows.activity(row) for row in conn.execute(wanted)]

    def opened(self, batch_id: str, *, job_id: str, look_at: datetime) -> BulkJob:
        """GATHERING → OPEN with Salesforce's id; one that has an id stays. Raises NotFound."""
        require_keepable(job_id)
        with self._database.writing() as conn:
            number = _one(conn, batch_id).integration_id
            _take_turn(conn, number)
            size = sa.select(sa.func.count()).where(
                _activities.c.integration_id == number,
                tables.IN_BATCH,
                _activities.c.batch_id == batch_id,
            )
            values = {"state": _S.OPEN.value, "job_id": job_id, "look_at": look_at}
            self._change(
                conn,
                batch_id,
                _jobs.c.state == _S.GATHERING.value,
                values | {"size": conn.scalar(size) or 0},
            )
            return _one(conn, batch_id)

    def noted(
        self,
        batch_id: str,
        *,
        state: BulkJobState,
        said: str,
        processed: int,
        failed: int,
        look_at: datetime,
    ) -> None:
        """What Salesforce said of one that is OPEN or QUEUED."""
        values = {
            "state": state.value,
            "said": clean(said),
            "processed": processed,
            "failed": failed,
            "look_at": look_at,
        }
        here = _jobs.c.state.in_((_S.OPEN.value, _S.QUEUED.value))
        with self._database.writing() as conn:
            self._change(conn, batch_id, here, values)

    def ended(
        self, batch_id: str, *, note: str, at: datetime, only: BulkJobState | None = None
    ) -> bool:
        """→ ENDED, with a sentence; one that is ENDED stays, and one that is not `only` that."""
        values = {"state": _S.ENDED.value, "note": clean(note), "ended_at": at}
        here = _jobs.c.state != _S.ENDED.value if only is None else _jobs.c.state == only.value
        with self._database.writing() as conn:
            return self._change(conn, batch_id, here, values)

    def under_way(self, integration_id: int) -> list[BulkJob]:
        """Those that are not ENDED, oldest first, at most 100."""
        wanted = sa.select(_jobs).where(
            _jobs.c.integration_id == known(integration_id), tables.UNDER_WAY
        )
        return self._all(wanted.order_by(_jobs.c.batch_id).limit(_MAX_JOBS))

    def of(self, batch_ids: Collection[str]) -> Mapping[str, BulkJob]:
        """Those of the given batches (≤ 200) that are Bulk jobs, by batch."""
        wanted = sorted({clean(one) for one in batch_ids})[:MAX_PAGE]
        if not wanted:
            return {}
        with self._database.reading() as conn:
            rows = conn.execute(sa.select(_jobs).where(one_of(conn, _jobs.c.batch_id, wanted)))
            return {row.batch_id: crm_rows.bulk_job(row) for row in rows}

    def newest(self, integration_id: int, *, limit: int = 10) -> list[BulkJob]:
        """The newest first, whatever their state; at most MAX_PAGE."""
        wanted = sa.select(_jobs).where(_jobs.c.integration_id == known(integration_id))
        return self._all(wanted.order_by(_jobs.c.batch_id.desc()).limit(page_size(limit)))

    def forget(self, *, before: datetime, limit: int) -> int:
        """Deletes up to `limit` that ended before, the oldest end first; how many.

        One of which an activity is still SENDING stays: by its row it is known for a job's.
        """
        unsettled = sa.exists().where(
            _activities.c.integration_id == _jobs.c.integration_id,
            tables.IN_BATCH,
            _activities.c.batch_id == _jobs.c.batch_id,
            _activities.c.state == ActivityState.SENDING.value,
        )
        old = (
            sa.select(_jobs.c.batch_id)
            .where(_jobs.c.state == _S.ENDED.value, _jobs.c.ended_at < before, ~unsettled)
            .order_by(_jobs.c.ended_at, _jobs.c.batch_id)
            .limit(page_size(limit))
        )
        with self._database.reading() as conn:  # mostly there is none, and then nothing is written
            found = conn.scalars(old).all()
        if not found:
            return 0
        with self._database.writing() as conn:
            here = one_of(conn, _jobs.c.batch_id, found)
            return conn.execute(_jobs.delete().where(here)).rowcount

    def _change(
        self,
        conn: sa.Connection,
        batch_id: str,
        here: sa.ColumnElement[bool],
        values: Mapping[str, Any],
    ) -> bool:
        """Whether it was there and in that place."""
        this = _jobs.c.batch_id == clean(batch_id)
        changed = conn.execute(_jobs.update().where(this, here).values(dict(values))).rowcount > 0
        if changed:
            self._database.bump(conn, WORK)
        return changed

    def _all(self, wanted: sa.Select[Any]) -> list[BulkJob]:
        with self._database.reading() as conn:
            return [crm_rows.bulk_job(row) for row in conn.execute(wanted)]


def _take_turn(conn: sa.Connection, integration_id: int) -> None:
    this = integrations.c.id == known(integration_id)
    conn.execute(sa.select(integrations.c.id).where(this).with_for_update()).all()


def _find(conn: sa.Connection, batch_id: str) -> BulkJob | None:
    row = conn.execute(sa.select(_jobs).where(_jobs.c.batch_id == clean(batch_id))).one_or_none()
    return None if row is None else crm_rows.bulk_job(row)


def _one(conn: sa.Connection, batch_id: str) -> BulkJob:
    found = _find(conn, batch_id)
    if found is None:
        raise NotFound(f"There is no Bulk job of the batch {batch_id[:80]}.")
    return found
