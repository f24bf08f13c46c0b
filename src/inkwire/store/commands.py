"""Commands: what web processes ask of workers, leased to one at a time."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from inkwire.errors import NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.work import Command, CommandKind, CommandState
from inkwire.store import acting_rows, rows
from inkwire.store import schema_acting as tables
from inkwire.store.contract import COMMAND
from inkwire.store.database import Database
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable

#: How long an answer stays.
_KEPT = timedelta(days=1)
_commands = tables.commands


class SqlCommands:
    """See `acting.Commands`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, command: Command, *, audit: AuditEntry | None = None) -> None:
        """Keeps a command; forgets those done more than a day ago."""
        require_keepable(command.id, command.target, command.created_by)
        with self._database.writing() as conn:
            _forget(conn, command.created_at)
            conn.execute(
                _commands.insert().values(
                    id=command.id,
                    kind=command.kind.value,
                    target=command.target,
                    state=command.state.value,
                    # The answer takes its place.
                    result=command.asks if command.state is CommandState.NEW else command.result,
                    error=clean(command.error),
                    created_at=command.created_at,
                    created_by=command.created_by,
                    done_at=command.done_at,
                )
            )
            if audit is not None:
                rows.add_audit(conn, audit)
            self._database.bump(conn, COMMAND)

    def forget(self, *, now: datetime) -> int:
        """Deletes those done more than a day ago, for perhaps nobody asks again; how many."""
        with self._database.writing() as conn:
            return _forget(conn, now)

    def get(self, command_id: str) -> Command:
        """One command. Raises NotFound."""
        require_keepable(command_id)
        with self._database.reading() as conn:
            return _one(conn, command_id)

    def latest(self, kind: CommandKind, target: str) -> Command | None:
        """The newest one of that kind and target."""
        require_keepable(target)
        wanted = (
            sa.select(_commands)
            .where(_commands.c.kind == kind.value, _commands.c.target == target)
            .order_by(_commands.c.id.desc())
            .limit(1)
        )
        with self._database.reading() as conn:
            row = conn.execute(wanted).one_or_none()
        return None if row is None else acting_rows.command(row)

    def take(self, *, now: datetime, lease_s: float) -> Command | None:
        """The oldest waiting one, leased to the caller: no other gets it within `lease_s`."""
        free = sa.or_(_commands.c.leased_until.is_(None), _commands.c.leased_until <= now)
        wanted = (
            sa.select(_commands.c.id).where(tables.IS_ASKED, free).order_by(_commands.c.id).limit(1)
        )
        with self._database.reading() as conn:  # mostly there is none, and then nothing is written
            if conn.scalar(wanted) is None:
                return None
        with self._database.writing() as conn:
            command_id = conn.scalar(wanted.with_for_update(skip_locked=True))
            if command_id is None:
                return None
            conn.execute(
                _commands.update()
                .where(_commands.c.id == command_id)
                .values(leased_until=now + timedelta(seconds=lease_s))
            )
            return _one(conn, command_id)

    def done(self, command_id: str, *, at: datetime, result: Any = None, error: str = "") -> None:
        """Ends it; with `error` it FAILED. The first answer stays."""
        require_keepable(command_id)
        state = CommandState.FAILED if error else CommandState.DONE
        values = {"state": state.value, "result": result, "error": clean(error), "done_at": at}
        with self._database.writing() as conn:
            changed = conn.execute(
                _commands.update()
                .where(tables.IS_ASKED, _commands.c.id == command_id)
                .values(**values, leased_until=None)
            )
            if changed.rowcount:
                self._database.bump(conn, COMMAND)


def _forget(conn: sa.Connection, now: datetime) -> int:
    return conn.execute(_commands.delete().where(_commands.c.done_at < now - _KEPT)).rowcount


def _one(conn: sa.Connection, command_id: str) -> Command:
    row = conn.execute(sa.select(_commands).where(_commands.c.id == command_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no command {command_id}.")
    return acting_rows.command(row)
