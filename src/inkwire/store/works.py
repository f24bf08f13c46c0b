"""Work rows: the truth about what is to be done.

Every change is a compare-and-set under the lane of the row's entity (see `work_lanes`). See also
`work_claims`, `work_endings` and `work_wakes`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.work import ErrorKind, Work, WorkState
from inkwire.store import acting_rows, rows
from inkwire.store import schema_acting as tables
from inkwire.store.acting import DeadLetters, Ending, RunEnd, WorkQuery
from inkwire.store.contract import MAX_PAGE, WORK
from inkwire.store.database import Database, one_of, tested
from inkwire.store.intake import clean
from inkwire.store.keepable import known, require_keepable
from inkwire.store.work_claims import Claims
from inkwire.store.work_endings import Endings
from inkwire.store.work_lanes import hold, keep_work, settle
from inkwire.store.work_wakes import FRESH, Wakes

MAX_COUNT = 10_000
MAX_RUNNING = 1000

_work = tables.work
_ENDED = (WorkState.DONE, WorkState.DEAD, WorkState.CANCELLED)


class SqlWorks(Claims, Endings, Wakes):
    """See `acting.Works`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, rows: Sequence[Work]) -> list[str]:
        """Keeps those whose (integration, key) is free; returns the ids that were kept."""
        with self._database.writing() as conn:
            kept = keep_work(self._database, conn, rows)
            if kept:
                self._database.bump(conn, WORK)
        return kept

    def get(self, work_id: str) -> Work:
        """One row. Raises NotFound."""
        require_keepable(work_id)
        with self._database.reading() as conn:
            return _one(conn, work_id)

    def of(self, work_ids: Collection[str]) -> Mapping[str, Work]:
        """Those of the given rows (≤ 200) that there are, by id."""
        wanted = sorted({clean(one) for one in work_ids})[:MAX_PAGE]
        if not wanted:
            return {}
        with self._database.reading() as conn:
            found = conn.execute(sa.select(_work).where(one_of(conn, _work.c.id, wanted)))
            return {row.id: acting_rows.work(row) for row in found}

    def by_key(self, integration_id: int, key: str) -> Work | None:
        """The row of that key, or None."""
        require_keepable(key)
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(_work).where(_work.c.integration_id == integration_id, _work.c.key == key)
            ).one_or_none()
        return None if row is None else acting_rows.work(row)

    def page(self, query: WorkQuery) -> list[Work]:
        """At most `query.limit` rows, newest first."""
        wanted = (
            sa.select(_work)
            .where(*_conditions(query))
            .order_by(_work.c.id.desc())
            .limit(max(0, min(query.limit, MAX_PAGE)))
        )
        with self._database.reading() as conn:
            return [acting_rows.work(row) for row in conn.execute(wanted)]

    def unfinished(self, entity_keys: Collection[str], *, limit: int = 50) -> list[Work]:
        """Rows of these entities (≤ 1,000) that wait, run or are dead, newest first."""
        require_keepable(*entity_keys)
        ended = [WorkState.DONE.value, WorkState.CANCELLED.value]
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(_work)
                .where(one_of(conn, _work.c.entity_key, set(entity_keys)))
                .where(_work.c.state.not_in(ended))
                .order_by(_work.c.id.desc())
                .limit(max(0, min(limit, MAX_PAGE)))
            )
            return [acting_rows.work(row) for row in found]

    def counts(self, integration_id: int | None = None) -> Mapping[WorkState, int]:
        """How many rows are in each state (each counted up to 10,000).

        Of one integration without its upkeep, if it is given.
        """
        found: dict[WorkState, int] = {}
        where: list[sa.ColumnElement[bool]] = []
        if integration_id is not None:
            where = [_work.c.integration_id == known(integration_id), tables.NO_UPKEEP]
        with self._database.reading() as conn:
            for state in WorkState:
                some = sa.select(_work.c.id).where(_work.c.state == state.value, *where)
                few = some.limit(MAX_COUNT).subquery()
                found[state] = conn.scalar(sa.select(sa.func.count()).select_from(few)) or 0
        return found

    def dead(self, *, most: int = MAX_COUNT) -> list[DeadLetters]:
        """The newest `most` dead letters by integration and kind of failure, most first."""
        newest = (
            sa.select(_work.c.id, _work.c.integration_id, _work.c.error_kind)
            .where(_work.c.state == WorkState.DEAD.value)
            .order_by(_work.c.id.desc())
            .limit(max(0, min(most, MAX_COUNT)))
            .subquery()
        )
        count = sa.func.count().label("many")
        by = (newest.c.integration_id, newest.c.error_kind)
        grouped = sa.select(*by, count, sa.func.max(newest.c.id).label("newest")).group_by(*by)
        found = grouped.subquery()
        wanted = (
            sa.select(found, _work.c.note)
            .join(_work, _work.c.id == found.c.newest)
            .order_by(found.c.many.desc(), found.c.newest.desc())
        )
        with self._database.reading() as conn:
            return [
                DeadLetters(
                    integration_id=row.integration_id,
                    error_kind=ErrorKind(row.error_kind) if row.error_kind else None,
                    count=row.many,
                    note=row.note,
                    work_id=row.newest,
                )
                for row in conn.execute(wanted)
            ]

    def running(self, executor_id: str) -> list[Work]:
        """Rows that an executor runs, oldest first, at most 1,000."""
        require_keepable(executor_id)
        wanted = sa.select(_work).where(tables.RUNS, _work.c.executor_id == executor_id)
        with self._database.reading() as conn:
            found = conn.execute(wanted.order_by(_work.c.id).limit(MAX_RUNNING))
            return [acting_rows.work(row) for row in found]

    def end(self, work_id: str, *, run_number: int, ending: Ending, at: datetime) -> bool:
        """Ends a run. False if the row is not RUNNING with that run number: nothing is changed."""
        try:
            work = replace(self.get(work_id), run_number=run_number)
        except NotFound:
            return False
        return self.end_runs([RunEnd(work=work, by=None, ending=ending, at=at)])[0]

    def take_over(self, work_id: str, *, run_number: int, of: str, by: str) -> Work | None:
        """Moves a RUNNING row from a dead executor to another; None if it is not that one's."""
        require_keepable(work_id, of, by)
        with self._database.writing() as conn:
            changed = conn.execute(
                _work.update()
                .where(
                    _work.c.id == work_id,
                    tables.RUNS,
                    _work.c.run_number == run_number,
                    _work.c.executor_id == of,
                )
                .values(executor_id=by, takeovers=_work.c.takeovers + 1)
            )
            if changed.rowcount == 0:
                return None
            self._database.bump(conn, WORK)
            return _one(conn, work_id)

    def again(
        self,
        work_id: str,
        *,
        at: datetime,
        subject: Mapping[str, str] | None = None,
        audit: AuditEntry,
    ) -> Work:
        """NEW under the next run number; `subject` replaces the row's. NotFound, Conflict."""
        with self._held(work_id) as (conn, found):
            row = _there(found, work_id)
            if row.state in (WorkState.NEW, WorkState.RUNNING):
                state = "waits to start" if row.state is WorkState.NEW else "runs"
                raise Conflict(f"Work {work_id} {state} already; wait until this run has ended.")
            values = {**FRESH, "failures": 0, "takeovers": 0, "note": "", "due_at": at}
            if subject is not None:
                values["subject"] = subject
            _set(conn, work_id, values)
            rows.add_audit(conn, audit)
            self._database.bump(conn, WORK)
            return _one(conn, work_id)

    def cancel(self, work_id: str, *, at: datetime, audit: AuditEntry) -> Work:
        """NEW and PARKED become CANCELLED; of RUNNING the wish is noted. NotFound, Conflict."""
        with self._held(work_id) as (conn, found):
            row = _there(found, work_id)
            if row.state in _ENDED:
                raise Conflict(f"Work {work_id} has ended ({row.state}); nothing is to cancel.")
            if row.state is WorkState.RUNNING:
                _set(conn, work_id, {"cancel_asked": True})
            else:
                _set(conn, work_id, _cancelled(f"Cancelled by {audit.actor}.", at))
            rows.add_audit(conn, audit)
            self._database.bump(conn, WORK)
            return _one(conn, work_id)

    @contextmanager
    def _held(self, work_id: str) -> Iterator[tuple[sa.Connection, Work | None]]:
        """A transaction that holds the row's lane, and the row; None: there is none of that id."""
        require_keepable(work_id)
        with self._database.writing() as conn:
            entity = conn.execute(
                sa.select(_work.c.integration_id, _work.c.entity_key).where(_work.c.id == work_id)
            ).one_or_none()
            if entity is None:
                yield conn, None
                return
            lane = (entity.integration_id, entity.entity_key)
            hold(conn, [lane])
            yield conn, _one(conn, work_id)
            settle(conn, [lane])


def _cancelled(note: str, at: datetime) -> dict[str, object]:
    return {
        "state": WorkState.CANCELLED.value,
        "executor_id": None,
        "park_cause": None,
        "cancel_asked": False,
        "note": clean(note),
        "finished_at": at,
    }


def _conditions(query: WorkQuery) -> Iterator[sa.ColumnElement[bool]]:
    """The filters; where one of them finds few rows, the others only test these."""
    require_keepable(query.entity_key, query.event_id, query.workflow, query.before)
    few = query.entity_key is not None or query.event_id is not None
    if query.integration_id is not None:
        column = _work.c.integration_id
        yield (tested(column) if few or _by_state(query) else column) == known(query.integration_id)
    if query.state is not None:
        column = _work.c.state
        yield (tested(column) if few or query.park_cause else column) == query.state.value
    if query.park_cause is not None:
        yield tables.IS_PARKED
        yield _work.c.park_cause == query.park_cause.value
    for column, value in (
        (_work.c.entity_key, query.entity_key),
        (_work.c.event_id, query.event_id),
        (_work.c.workflow, query.workflow),
    ):
        if value is not None:
            yield column == value
    if query.error_kind is not None:
        yield _work.c.error_kind == query.error_kind.value
    if query.upkeep is not None:
        # The words of the partial index, unless the cause has a better one.
        rest = sa.not_(tables.IS_UPKEEP) if query.park_cause else tables.NO_UPKEEP
        yield tables.IS_UPKEEP if query.upkeep else rest
    if query.before is not None:
        yield _work.c.id < query.before


def _by_state(query: WorkQuery) -> bool:
    """Whether few rows of any integration are in that state, and no index holds both."""
    ended = (None, WorkState.DONE)
    return query.state not in ended and query.park_cause is None and query.upkeep is not False


def _set(conn: sa.Connection, work_id: str, values: Mapping[str, object]) -> None:
    conn.execute(_work.update().where(_work.c.id == work_id).values(dict(values)))


def _one(conn: sa.Connection, work_id: str) -> Work:
    row = conn.execute(sa.select(_work).where(_work.c.id == work_id)).one_or_none()
    if row is None:
        raise _missing(work_id)
    return acting_rows.work(row)


def _there(row: Work | None, work_id: str) -> Work:
    if row is None:
        raise _missing(work_id)
    return row


def _missing(work_id: str) -> NotFound:
    return NotFound(f"There is no work {work_id}.")
