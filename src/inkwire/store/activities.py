"""Tasks that are to stand in Salesforce, sent in batches."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from inkwire.model.access import AuditEntry
from inkwire.model.crm import Activity, ActivityState
from inkwire.store import crm_rows, rows
from inkwire.store import schema_crm as tables
from inkwire.store.contract import MAX_PAGE, WORK
from inkwire.store.crm_lists import conditions, counts, page_size
from inkwire.store.database import Database, one_of, tested
from inkwire.store.intake import clean
from inkwire.store.keepable import known, require_keepable
from inkwire.store.schema_acting import integrations

_activities = tables.activities
_jobs = tables.bulk_jobs
_S = ActivityState
_MAX_BATCHES = 100
_DONE = (
    _activities.update()
    .where(_activities.c.id == sa.bindparam("this"), _activities.c.state != _S.DONE.value)
    .values(
        state=_S.DONE.value,
        task_id=sa.bindparam("task"),
        note="",
        done_at=sa.bindparam("at", type_=_activities.c.done_at.type),
    )
)
_FAILED = (
    _activities.update()
    .where(_activities.c.id == sa.bindparam("this"), _activities.c.state != _S.DONE.value)
    .values(state=_S.FAILED.value, note=sa.bindparam("why"))
)


class SqlActivities:
    """See `crm.Activities`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rows: Sequence[Activity]) -> int:
        """Keeps those whose (integration, key) is free; how many those were."""
        if not rows:
            return 0
        ordered = sorted(rows, key=lambda one: (one.integration_id, one.key))
        values = [crm_rows.activity_row(one) for one in ordered]
        ids = [one.id for one in rows]
        with self._database.writing() as conn:
            before = _there(conn, ids)
            columns = crm_rows.ACTIVITY_COLUMNS
            self._database.add_missing(conn, "activities", columns, values)
            kept = _there(conn, ids) - before
            if kept:
                self._database.bump(conn, WORK)
        return kept

    def claim(self, integration_id: int, *, batch_id: str, limit: int) -> list[Activity]:
        """The oldest WAITING ones (≤ 200) become SENDING in that batch.

        Asked again with the same batch it gives all rows of it, whatever became of them, and takes
        no others. Those who claim for one integration take turns.
        """
        require_keepable(batch_id)
        number = known(integration_id)
        here = _activities.c.integration_id == number
        mine = (here, tables.IN_BATCH, _activities.c.batch_id == batch_id)
        waiting = (
            sa.select(_activities.c.id)
            .where(here, _activities.c.state == _S.WAITING.value)
            .order_by(_activities.c.id)
            .limit(max(0, min(limit, MAX_PAGE)))
        )
        with self._database.writing() as conn:
            conn.execute(
                sa.select(integrations.c.id).where(integrations.c.id == number).with_for_update()
            ).all()
            wanted = sa.select(_activities).where(*mine).order_by(_activities.c.id)
            if not (found := conn.execute(wanted).all()):
                taken = conn.scalars(waiting.with_for_update()).all()
                if not taken:
                    return []
                conn.execute(
                    _activities.update()
                    .where(one_of(conn, _activities.c.id, taken))
                    .values(state=_S.SENDING.value, batch_id=batch_id)
                )
                self._database.bump(conn, WORK)
                found = conn.execute(wanted).all()
        return [crm_rows.activity(row) for row in found]

    def batches(self, integration_id: int) -> list[str]:
        """Batches that have rows in SENDING, oldest first, at most 100; none of a Bulk job."""
        number = known(integration_id)
        jobs = sa.select(_jobs.c.batch_id).where(_jobs.c.integration_id == number, tables.UNDER_WAY)
        wanted = (
            sa.select(_activities.c.batch_id)
            .where(
                _activities.c.integration_id == number,
                _activities.c.state == _S.SENDING.value,
                _activities.c.batch_id.not_in(jobs),
            )
            .group_by(_activities.c.batch_id)
            .order_by(sa.func.min(_activities.c.id))
            .limit(_MAX_BATCHES)
        )
        with self._database.reading() as conn:
            return list(conn.scalars(wanted))

    def sending(self, integration_id: int, batch_id: str) -> list[Activity]:
        """All rows of a batch that are SENDING, oldest first."""
        wanted = sa.select(_activities).where(
            _activities.c.integration_id == known(integration_id),
            tables.IN_BATCH,
            _activities.c.batch_id == clean(batch_id),
            tested(_activities.c.state) == _S.SENDING.value,
        )
        return self._all(wanted.order_by(_activities.c.id))

    def waiting(self, integration_id: int, *, most: int) -> int:
        """How many are WAITING, counted up to `most`."""
        some = sa.select(sa.literal(1)).where(
            _activities.c.integration_id == known(integration_id),
            _activities.c.state == _S.WAITING.value,
        )
        some = some.select_from(_activities).limit(max(0, most))
        with self._database.reading() as conn:
            return conn.scalar(sa.select(sa.func.count()).select_from(some.subquery())) or 0

    def done(self, tasks: Mapping[str, str], *, at: datetime) -> None:
        """Activities (by id) → DONE with the ids of their Tasks; one that is DONE stays."""
        require_keepable(*tasks, *tasks.values())
        given = [{"this": one, "task": tasks[one], "at": at} for one in sorted(tasks)]
        self._each(_DONE, given)

    def failed(self, notes: Mapping[str, str], *, at: datetime) -> None:
        """Activities (by id) → FAILED with a sentence each; one that is DONE stays."""
        require_keepable(*notes)
        self._each(_FAILED, [{"this": one, "why": clean(notes[one])} for one in sorted(notes)])

    def release(self, ids: Collection[str], *, batch_id: str) -> None:
        """SENDING in that batch → WAITING, out of it: nothing was made of them."""
        require_keepable(batch_id)
        self._wait(ids, _S.SENDING, _activities.c.batch_id == batch_id)

    def again(self, ids: Collection[str], *, audit: AuditEntry) -> int:
        """FAILED → WAITING, out of their batch, note empty: a person asked; how many those were."""
        return self._wait(ids, _S.FAILED, audit=audit)

    def of_work(self, work_id: str) -> list[Activity]:
        """What one work row noted, oldest first, at most MAX_PAGE."""
        return self._all(
            sa.select(_activities)
            .where(_activities.c.work_id == clean(work_id))
            .order_by(_activities.c.id)
            .limit(MAX_PAGE)
        )

    def page(
        self,
        *,
        integration_id: int | None = None,
        state: ActivityState | None = None,
        what_id: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Activity]:
        """Activities, newest first, at most MAX_PAGE."""
        where = conditions(
            ((_activities.c.what_id, what_id),),
            ((_activities.c.state, state), (_activities.c.integration_id, integration_id)),
        )
        if before is not None:
            where.append(_activities.c.id < clean(before))
        return self._all(
            sa.select(_activities)
            .where(*where)
            .order_by(_activities.c.id.desc())
            .limit(page_size(limit))
        )

    def counts(self, integration_id: int | None = None) -> Mapping[ActivityState, int]:
        """How many are in each state (each counted up to 10,000)."""
        with self._database.reading() as conn:
            return counts(conn, _activities, ActivityState, integration_id)

    def _wait(
        self,
        ids: Collection[str],
        state: ActivityState,
        *also: sa.ColumnElement[bool],
        audit: AuditEntry | None = None,
    ) -> int:
        """Lets those that are in that state wait to be sent; how many those were."""
        require_keepable(*ids)
        with self._database.writing() as conn:
            changed = conn.execute(
                _activities.update()
                .where(
                    one_of(conn, _activities.c.id, set(ids)),
                    _activities.c.state == state.value,
                    *also,
                )
                .values(state=_S.WAITING.value, batch_id=None, note="")
            )
            if audit is not None:
                rows.add_audit(conn, audit)
            if changed.rowcount:
                self._database.bump(conn, WORK)
            return int(changed.rowcount)

    def _each(self, change: sa.Update, given: Sequence[Mapping[str, object]]) -> None:
        """The change of each row, in the order of their ids."""
        if not given:
            return
        with self._database.writing() as conn:
            conn.execute(change, given)
            self._database.bump(conn, WORK)

    def _all(self, wanted: sa.Select[tuple[object, ...]]) -> list[Activity]:
        with self._database.reading() as conn:
            return [crm_rows.activity(row) for row in conn.execute(wanted)]


def _there(conn: sa.Connection, ids: Sequence[str]) -> int:
    wanted = sa.select(sa.func.count()).where(one_of(conn, _activities.c.id, set(ids)))
    return conn.scalar(wanted) or 0
