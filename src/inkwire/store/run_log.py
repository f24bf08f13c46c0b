"""Steps and calls of runs, for people."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from inkwire.model.work import Call, Step, WorkState
from inkwire.store import schema_acting as tables
from inkwire.store.acting_rows import CALL_COLUMNS, STEP_COLUMNS, call, call_row, noted_rows, step
from inkwire.store.contract import MAX_PAGE, STEP
from inkwire.store.database import Database, one_of
from inkwire.store.keepable import require_keepable

MAX_STEPS = MAX_CALLS = 1000
_GOES_ON = (WorkState.NEW.value, WorkState.RUNNING.value, WorkState.PARKED.value)

_work = tables.work
_steps = tables.steps
_calls = tables.calls


class SqlRunLog:
    """See `acting.RunLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_step(self, step: Step) -> None:
        """Keeps a step's try; the same (run, name, attempt) again changes nothing."""
        self.add_steps([step])

    def add_steps(self, steps: Sequence[Step]) -> None:
        """Keeps many in one transaction, each once."""
        rows = noted_rows(steps)
        if not rows:
            return
        with self._database.writing() as conn:
            self._database.add_missing(conn, "steps", STEP_COLUMNS, rows)
            self._database.bump(conn, STEP)

    def steps(self, work_id: str) -> list[Step]:
        """All tries of all runs of a row, oldest first, at most 1,000."""
        require_keepable(work_id)
        wanted = (
            sa.select(_steps)
            .where(_steps.c.work_id == work_id)
            .order_by(_steps.c.started_at, _steps.c.id)
            .limit(MAX_STEPS)
        )
        with self._database.reading() as conn:
            return [step(row) for row in conn.execute(wanted)]

    def add_call(self, call: Call) -> None:
        """Keeps a call."""
        require_keepable(call.id, call.connection_id, call.work_id, call.run_id, call.body_sha256)
        with self._database.writing() as conn:
            self._database.add_missing(conn, "calls", CALL_COLUMNS, [call_row(call)])
            self._database.bump(conn, STEP)

    def calls(
        self, *, work_id: str | None = None, connection_id: str | None = None, limit: int = 200
    ) -> list[Call]:
        """Calls, newest first."""
        require_keepable(work_id, connection_id)
        wanted = sa.select(_calls).order_by(_calls.c.id.desc())
        if work_id is not None:
            wanted = wanted.where(_calls.c.work_id == work_id)
        if connection_id is not None:
            wanted = wanted.where(_calls.c.connection_id == connection_id)
        with self._database.reading() as conn:
            found = conn.execute(wanted.limit(max(0, min(limit, MAX_PAGE))))
            return [call(row) for row in found]

    def calls_of(self, work_id: str) -> list[Call]:
        """All calls of all runs of a row, oldest first, at most 1,000: later ones move none."""
        require_keepable(work_id)
        wanted = (sa.select(_calls).where(_calls.c.work_id == work_id).order_by(_calls.c.id)).limit(
            MAX_CALLS
        )
        with self._database.reading() as conn:
            return [call(row) for row in conn.execute(wanted)]

    def forget(self, *, before: datetime, limit: int) -> int:
        """Deletes up to `limit` old steps and calls, but none of work that goes on or ended since.

        So the record of a work row goes as a whole: evidence holds the hash of all of it.
        """
        done = self._forget(_steps, before, limit)
        return done + self._forget(_calls, before, limit - done)

    def _forget(self, table: sa.Table, before: datetime, limit: int) -> int:
        """Looks first, so that other writers wait for the deleting only."""
        goes_on = sa.exists().where(
            _work.c.id == table.c.work_id,
            sa.or_(_work.c.state.in_(_GOES_ON), _work.c.finished_at >= before),
        )
        old = (
            sa.select(table.c.id)
            .where(table.c.started_at < before, ~goes_on)
            .order_by(table.c.started_at)
            .limit(max(0, limit))
        )
        with self._database.reading() as conn:
            found = conn.scalars(old).all()
        if not found:
            return 0
        with self._database.writing() as conn:
            mine = one_of(conn, table.c.id, found)
            return conn.execute(table.delete().where(mine, ~goes_on)).rowcount
