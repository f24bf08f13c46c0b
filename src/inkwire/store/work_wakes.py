"""Waking parked work whose cause cleared, 100 rows a transaction."""

from datetime import datetime

import sqlalchemy as sa

from inkwire.model.access import AuditEntry
from inkwire.model.work import ParkCause, WorkState
from inkwire.store import rows
from inkwire.store import schema_acting as tables
from inkwire.store.contract import WORK
from inkwire.store.database import Database, one_of
from inkwire.store.keepable import known, require_keepable
from inkwire.store.work_lanes import hold, settle

#: Rows woken in one transaction.
_STEP = 100

_work = tables.work
#: What a fresh start takes back of the run before.
FRESH: dict[str, object] = {
    "state": WorkState.NEW.value,
    "run_number": _work.c.run_number + 1,
    "executor_id": None,
    "park_cause": None,
    "error_kind": None,
    "cancel_asked": False,
    "finished_at": None,
}


class Wakes:
    """The part of `acting.Works` that ends a wait."""

    _database: Database

    def wake(self, *, connection_id: str, at: datetime) -> int:
        """Rows parked on this connection's health become NEW, due at once; how many."""
        require_keepable(connection_id)
        integrations = tables.integrations
        users = sa.select(integrations.c.id).where(
            sa.or_(
                integrations.c.connection_id == connection_id,
                integrations.c.second_connection_id == connection_id,
            )
        )
        parked = sa.and_(
            tables.IS_PARKED,
            _work.c.park_cause == ParkCause.CONNECTION.value,
            _work.c.integration_id.in_(users),
        )
        woken = 0
        while (step := self._wake(parked, at, _STEP)) is not None:
            woken += step
        return woken

    def wake_unmapped(
        self,
        integration_id: int,
        *,
        at: datetime,
        limit: int = 1_000,
        audit: AuditEntry | None = None,
    ) -> int:
        """Rows parked on MAPPING become NEW, those that were parked longest ago first; how many."""
        if audit is not None:
            with self._database.writing() as conn:
                rows.add_audit(conn, audit)
        parked = sa.and_(tables.IS_UNMAPPED, _work.c.integration_id == known(integration_id))
        woken = 0
        for before in range(0, limit, _STEP):
            step = self._wake(parked, at, min(_STEP, limit - before), _work.c.due_at, _work.c.id)
            if step is None:
                break
            woken += step
        return woken

    def _wake(
        self,
        parked: sa.ColumnElement[bool],
        at: datetime,
        limit: int,
        *order: sa.ColumnElement[object],
    ) -> int | None:
        """Wakes the first `limit` rows that are parked so; None if there are none."""
        wanted = sa.select(_work.c.id, _work.c.integration_id, _work.c.entity_key)
        with self._database.writing() as conn:
            found = conn.execute(wanted.where(parked).order_by(*order).limit(limit)).all()
            if not found:
                return None
            lanes = {(row.integration_id, row.entity_key) for row in found}
            hold(conn, lanes)
            mine = one_of(conn, _work.c.id, [row.id for row in found])
            changed = conn.execute(
                _work.update().where(mine, parked).values({**FRESH, "due_at": at})
            )
            settle(conn, lanes)
            self._database.bump(conn, WORK)
            return int(changed.rowcount)
