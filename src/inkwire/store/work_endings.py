"""Ending runs: many in one transaction, each as its own ending says, with the notes of their steps.

A commit costs the same for one run as for thirty, so those that end at about the same time share
one. What a run noted is kept with its ending or before it: a run that has ended has all its steps.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from inkwire.model.work import ParkCause, Step, WorkState
from inkwire.moments import to_micros
from inkwire.store import schema_acting as tables
from inkwire.store.acting import Ending, RunEnd
from inkwire.store.acting_rows import STEP_COLUMNS, noted_rows
from inkwire.store.contract import STEP, WORK
from inkwire.store.database import Database
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable
from inkwire.store.work_lanes import hold, settle

#: Seconds before work that was parked for its connection tries again by itself, if the run named
#: no time: a connection that looks well and refuses must not be asked without a pause.
RECHECK_S = 60

OPEN = (WorkState.NEW, WorkState.PARKED)


class _Kept(NamedTuple):
    """What an ending reads and writes of a row, as it lies in the table."""

    id: str
    state: str
    run_number: int
    executor_id: str | None
    park_cause: str | None
    error_kind: str | None
    note: str
    cancel_asked: bool
    failures: int
    due_at: int
    finished_at: int | None


_LOCKED = (
    f"SELECT {', '.join(_Kept._fields)} FROM work WHERE id = ANY (?) "  # noqa: S608 - our own text
    "ORDER BY integration_id, key FOR UPDATE"
)

_IN_HAND = (
    f"SELECT id, run_number, cancel_asked FROM work WHERE {tables.RUNS} "  # noqa: S608 - ours
    "AND executor_id = ?"
)


class Endings:
    """The part of `acting.Works` that ends runs."""

    _database: Database

    def end_runs(self, ends: Sequence[RunEnd], *, steps: Sequence[Step] = ()) -> list[bool]:
        """Ends runs and keeps steps in one transaction, see `acting.Works.end_runs`."""
        require_keepable(*(one.work.id for one in ends))
        rows = noted_rows(steps)
        lanes = {(one.work.integration_id, one.work.entity_key) for one in ends}
        with self._database.writing() as conn:
            hold(conn, lanes)
            found = (
                self._database.rows(conn, _LOCKED, [one.work.id for one in ends]) if ends else ()
            )
            kept = {row[0]: _Kept(*row) for row in found}
            changed: dict[str, _Kept] = {}
            done = [_changes(one, kept, changed) for one in ends]
            if changed:
                self._database.update(conn, "work", _Kept._fields, list(changed.values()))
            settle(conn, lanes)
            if rows:
                self._database.add_missing(conn, "steps", STEP_COLUMNS, rows)
            topics = [*([WORK] if changed else []), *([STEP] if rows else [])]
            if topics:
                self._database.bump(conn, *topics)
        return done

    def in_hand(self, executor_id: str) -> dict[str, tuple[int, bool]]:
        """Rows that an executor runs, see `acting.Works.in_hand`."""
        require_keepable(executor_id)
        with self._database.reading() as conn:
            found = self._database.rows(conn, _IN_HAND, executor_id)
        return {work_id: (number, bool(asked)) for work_id, number, asked in found}


def _changes(one: RunEnd, kept: dict[str, _Kept], changed: dict[str, _Kept]) -> bool:
    """Whether the row is this run's to end; then it is changed."""
    row = kept.get(one.work.id)
    if row is None or row.state != WorkState.RUNNING or row.run_number != one.work.run_number:
        return False
    if one.by is not None and row.executor_id != one.by:
        return False
    kept[row.id] = changed[row.id] = _ended(row, one.ending, one.at)
    return True


def _ended(row: _Kept, ending: Ending, at: datetime) -> _Kept:
    """The row of a run that ended."""
    if row.cancel_asked and ending.state in OPEN:
        return row._replace(
            state=WorkState.CANCELLED.value,
            executor_id=None,
            park_cause=None,
            cancel_asked=False,
            note=clean(f"Cancelled as asked. {ending.note}".strip()),
            finished_at=to_micros(at),
        )
    ended = row._replace(
        state=ending.state.value,
        executor_id=None,
        park_cause=None,
        error_kind=None if ending.error_kind is None else ending.error_kind.value,
        note=clean(ending.note),
        cancel_asked=False,
        failures=row.failures + ending.failed,
        finished_at=None if ending.state in OPEN else to_micros(at),
    )
    if ending.state is WorkState.NEW:
        due = to_micros(ending.due_at or at)
        return ended._replace(run_number=row.run_number + 1, due_at=due)
    if ending.state is WorkState.PARKED:
        cause = ending.park_cause or ParkCause.PERSON
        pause = timedelta(seconds=RECHECK_S if cause is ParkCause.CONNECTION else 0)
        due = to_micros(ending.due_at or at + pause)
        return ended._replace(park_cause=cause.value, due_at=due)
    return ended
