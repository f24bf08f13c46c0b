"""The ledger: external creates, each at most once in flight (the fence of DESIGN §6).

Each move is one UPDATE that names the state and fence it starts from: whoever comes second
changes nothing and hears None. Pages of runs follow it by STEP.
"""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.work import LedgerEntry, LedgerState
from inkwire.store import rows
from inkwire.store import schema_acting as tables
from inkwire.store.acting_rows import LEDGER_COLUMNS, ledger_entry, ledger_row
from inkwire.store.contract import MAX_PAGE, STEP
from inkwire.store.database import Database
from inkwire.store.keepable import require_keepable

_ledger = tables.ledger
_SENDABLE = (LedgerState.INTENDED.value, LedgerState.REPEAT.value)
_DECISIONS = (LedgerState.REPEAT, LedgerState.ABANDONED, LedgerState.DONE)


class SqlLedger:
    """See `acting.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intend(self, entry: LedgerEntry) -> LedgerEntry:
        """Keeps the entry if its key is free; returns what is there."""
        require_keepable(entry.key, entry.kind, entry.work_id, entry.entity_key, entry.run_id)
        with self._database.writing() as conn:
            found = _find(conn, entry.key)
            if found is not None:
                return found
            self._database.add_missing(conn, "ledger", LEDGER_COLUMNS, [ledger_row(entry)])
            self._database.bump(conn, STEP)
            return _one(conn, entry.key)

    def get(self, key: str) -> LedgerEntry | None:
        """One entry, or None."""
        require_keepable(key)
        with self._database.reading() as conn:
            return _find(conn, key)

    def send(self, key: str, *, fence: int, run_id: str, at: datetime) -> LedgerEntry | None:
        """INTENDED or REPEAT with that fence → SENDING under the next; None: do not send."""
        return self._move(
            key,
            (_ledger.c.state.in_(_SENDABLE), _ledger.c.fence == fence),
            {
                "state": LedgerState.SENDING.value,
                "fence": _ledger.c.fence + 1,
                "sends": _ledger.c.sends + 1,
                "probes": 0,
                "run_id": run_id,
                "sent_at": at,
                "updated_at": at,
            },
        )

    def settle(self, key: str, *, remote_id: str, at: datetime) -> LedgerEntry:
        """DONE, whatever the fence; one that is DONE stays as it is. Raises NotFound."""
        values = {"state": LedgerState.DONE.value, "remote_id": remote_id, "updated_at": at}
        require_keepable(remote_id)
        moved = self._move(key, (_ledger.c.state != LedgerState.DONE.value,), values)
        return moved or self._there(key)

    def disown(self, key: str, *, remote_id: str, at: datetime) -> LedgerEntry | None:
        """DONE with that id → DOUBT: a person named it, and it is another's."""
        values = {"state": LedgerState.DOUBT.value, "remote_id": None, "updated_at": at}
        require_keepable(remote_id)
        here = (_ledger.c.state == LedgerState.DONE.value, _ledger.c.remote_id == remote_id)
        return self._move(key, here, values)

    def unsent(self, key: str, *, fence: int, at: datetime) -> LedgerEntry | None:
        """SENDING with that fence → INTENDED: the other side refused, so nothing was made."""
        values = {"state": LedgerState.INTENDED.value, "sent_at": None, "updated_at": at}
        return self._move(key, _sending(fence), values)

    def probed(self, key: str, *, fence: int, at: datetime, doubt: bool) -> LedgerEntry | None:
        """Counts an empty probe; with `doubt` SENDING → DOUBT. None if the fence moved on."""
        state = LedgerState.DOUBT if doubt else LedgerState.SENDING
        values = {"state": state.value, "probes": _ledger.c.probes + 1, "updated_at": at}
        return self._move(key, _sending(fence), values)

    def decide(
        self,
        key: str,
        *,
        state: LedgerState,
        remote_id: str | None,
        at: datetime,
        audit: AuditEntry,
    ) -> LedgerEntry:
        """A person's word on a DOUBT. Raises NotFound, Conflict, InvalidInput."""
        if state not in _DECISIONS:
            raise InvalidInput(fields={"state": "Choose repeat, abandoned or done."})
        if (state is LedgerState.DONE) != bool(remote_id):
            raise InvalidInput(fields={"remote_id": "Give the id that you found, if it was made."})
        require_keepable(remote_id)
        values = {"state": state.value, "remote_id": remote_id or None, "updated_at": at}
        moved = self._move(key, (_ledger.c.state == LedgerState.DOUBT.value,), values, audit=audit)
        if moved is None:
            found = self._there(key)
            raise Conflict(f"The entry {key} is {found.state} and waits for no decision.")
        return moved

    def of_work(self, work_id: str) -> list[LedgerEntry]:
        """The entries of one work row, by key."""
        require_keepable(work_id)
        wanted = sa.select(_ledger).where(_ledger.c.work_id == work_id).order_by(_ledger.c.key)
        with self._database.reading() as conn:
            return [ledger_entry(row) for row in conn.execute(wanted)]

    def page(self, *, state: LedgerState | None = None, limit: int = 50) -> list[LedgerEntry]:
        """Entries, newest change first."""
        wanted = sa.select(_ledger).order_by(_ledger.c.updated_at.desc(), _ledger.c.key.desc())
        if state is not None:
            wanted = wanted.where(_ledger.c.state == state.value)
        with self._database.reading() as conn:
            found = conn.execute(wanted.limit(max(0, min(limit, MAX_PAGE))))
            return [ledger_entry(row) for row in found]

    def _move(
        self,
        key: str,
        from_here: tuple[sa.ColumnElement[bool], ...],
        values: Mapping[str, object],
        *,
        audit: AuditEntry | None = None,
    ) -> LedgerEntry | None:
        """One compare-and-set; None if the entry is not there or not in that place."""
        require_keepable(key)
        with self._database.writing() as conn:
            changed = conn.execute(
                _ledger.update().where(_ledger.c.key == key, *from_here).values(dict(values))
            )
            if changed.rowcount == 0:
                return None
            if audit is not None:
                rows.add_audit(conn, audit)
            self._database.bump(conn, STEP)
            return _one(conn, key)

    def _there(self, key: str) -> LedgerEntry:
        with self._database.reading() as conn:
            return _one(conn, key)


def _sending(fence: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (_ledger.c.state == LedgerState.SENDING.value, _ledger.c.fence == fence)


def _find(conn: sa.Connection, key: str) -> LedgerEntry | None:
    row = conn.execute(sa.select(_ledger).where(_ledger.c.key == key)).one_or_none()
    return None if row is None else ledger_entry(row)


def _one(conn: sa.Connection, key: str) -> LedgerEntry:
    found = _find(conn, key)
    if found is None:
        raise NotFound(f"The ledger has no entry {key}.")
    return found
