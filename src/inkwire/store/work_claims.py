"""Claiming work: one row of an entity at a time, oldest due first.

Only lanes are looked at (one row for each entity, see `work_lanes`), so a claim costs the same
whatever waits behind the first of an entity. Work of a PAUSED integration, or of one with a
connection that needs attention, is not even read.
"""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from inkwire.model.connection import ConnectionHealth
from inkwire.model.work import IntegrationState, Work, WorkState
from inkwire.store import acting_rows
from inkwire.store import schema_acting as tables
from inkwire.store.contract import WORK
from inkwire.store.database import Database, one_of
from inkwire.store.keepable import require_keepable
from inkwire.store.rows import Row

#: Rows a transaction, so that an append on SQLite never waits long for its turn.
MAX_CLAIM = 100

_work = tables.work
_lanes = tables.work_lanes
#: A row that was parked starts under the next run number: a run's id is never used twice.
_NEXT_RUN = sa.case((tables.IS_PARKED, _work.c.run_number + 1), else_=_work.c.run_number)
#: While one of its rows runs, a lane has no next.
_TAKEN = (
    _lanes.update()
    .where(
        _lanes.c.integration_id == sa.bindparam("integration"),
        _lanes.c.entity_key == sa.bindparam("entity"),
    )
    .values(work_id=None, due_at=None)
)


class Claims:
    """The part of `acting.Works` that gives work out."""

    _database: Database

    def claim(self, *, executor_id: str, now: datetime, limit: int) -> list[Work]:
        """Takes up to `limit` (≤ 100) rows to run, see `acting.Works.claim`."""
        require_keepable(executor_id)
        limit = max(0, min(limit, MAX_CLAIM))
        with self._database.reading() as conn:  # most calls find nothing, and then write nothing
            rooms = _rooms(conn, now, limit)
        if not rooms:
            return []
        with self._database.writing() as conn:
            lanes = _locked(conn, rooms, now)
            if not lanes:
                return []
            mine = one_of(conn, _work.c.id, [lane.work_id for lane in lanes])
            conn.execute(
                _work.update()
                .where(mine, tables.WAITS)
                .values(
                    state=WorkState.RUNNING.value,
                    run_number=_NEXT_RUN,
                    executor_id=executor_id,
                    park_cause=None,
                    takeovers=0,
                    cancel_asked=False,
                    started_at=now,
                    finished_at=None,
                )
            )
            conn.execute(
                _TAKEN,
                [{"integration": lane.integration_id, "entity": lane.entity_key} for lane in lanes],
            )
            claimed = conn.execute(
                sa.select(_work)
                .where(mine, tables.RUNS, _work.c.executor_id == executor_id)
                .order_by(_work.c.due_at, _work.c.created_at, _work.c.id)
            ).all()
            self._database.bump(conn, WORK)
        return [acting_rows.work(row) for row in claimed]

    def next_due(self, now: datetime) -> datetime | None:
        """When the next row becomes due that `claim` did not take; at the earliest `now`."""
        with self._database.reading() as conn:
            moments = [
                conn.scalar(_in_turn(one).with_only_columns(_lanes.c.due_at).limit(1))
                for one in _acting(conn)
            ]
        return max(now, min(found)) if (found := [one for one in moments if one]) else None


def _acting(conn: sa.Connection) -> Sequence[int]:
    """Integrations whose work may be started."""
    integrations, connections = tables.integrations, tables.connections
    unwell = sa.exists().where(
        connections.c.id.in_((integrations.c.connection_id, integrations.c.second_connection_id)),
        connections.c.health == ConnectionHealth.NEEDS_ATTENTION.value,
    )
    return conn.scalars(
        sa.select(integrations.c.id)
        .where(integrations.c.state != IntegrationState.PAUSED.value, ~unwell)
        .order_by(integrations.c.id)
    ).all()


def _in_turn(integration_id: int) -> sa.Select[tuple[int, str, str, datetime]]:
    """An integration's lanes that wait, the first due first."""
    return (
        sa.select(*_lanes.c)
        .where(_lanes.c.integration_id == integration_id, _lanes.c.due_at.is_not(None))
        .order_by(_lanes.c.integration_id, _lanes.c.due_at)
    )


def _rooms(conn: sa.Connection, now: datetime, limit: int) -> dict[int, int]:
    """How many of each integration are among the `limit` rows that were due first."""
    due: list[tuple[datetime, int]] = []
    for integration_id in _acting(conn):
        found = conn.execute(_in_turn(integration_id).where(_lanes.c.due_at <= now).limit(limit))
        due += [(row.due_at, integration_id) for row in found]
    rooms: dict[int, int] = {}
    for _, integration_id in sorted(due)[:limit]:
        rooms[integration_id] = rooms.get(integration_id, 0) + 1
    return rooms


def _locked(conn: sa.Connection, rooms: dict[int, int], now: datetime) -> list[Row]:
    """Lanes that are due, locked; what others have locked is left to them."""
    return [
        row
        for integration_id, room in rooms.items()
        for row in conn.execute(
            _in_turn(integration_id)
            .where(_lanes.c.due_at <= now)
            .limit(room)
            .with_for_update(skip_locked=True)
        )
    ]
