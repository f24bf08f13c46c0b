"""Commands: what web processes ask of workers, leased to one at a time."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from inkwire.errors import CipherError, NotFound, RateLimited
from inkwire.model.access import AuditEntry
from inkwire.model.work import Command, CommandKind, CommandState
from inkwire.store import acting_rows, rows
from inkwire.store import schema_acting as tables
from inkwire.store.acting import MOST_ASKED, MOST_ASKED_BY_ONE
from inkwire.store.cipher import Cipher
from inkwire.store.contract import COMMAND
from inkwire.store.database import Database
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable
from inkwire.store.sealed_commands import open_command, seal_command

#: How long an answer stays.
_KEPT = timedelta(days=1)
#: Those of which there could be any number. A connection has one check that waits.
_COUNTED = frozenset({CommandKind.ASK, CommandKind.DRY_RUN})
#: Seconds after which who had asked too much may try again: answers take some.
_RETRY_S = 10
_commands = tables.commands


class SqlCommands:
    """See `acting.Commands`."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def add(self, command: Command, *, audit: AuditEntry | None = None) -> None:
        """Keeps a command; forgets those done more than a day ago.

        Raises RateLimited if too many questions or dry runs wait, in all or of that caller.
        """
        require_keepable(command.id, command.target, command.created_by)
        value = command.asks if command.state is CommandState.NEW else command.result
        sealed = seal_command(self._cipher, command.id, value)
        with self._database.writing() as conn:
            _forget(conn, command.created_at)
            if command.kind in _COUNTED:
                self._database.count_alone(conn)
                _require_room(conn, command.created_by)
            conn.execute(
                _commands.insert().values(
                    id=command.id,
                    kind=command.kind.value,
                    target=command.target,
                    state=command.state.value,
                    sealed=sealed,
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
            row = _row(conn, command_id)
        return self._opened(row)

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
        return None if row is None else self._opened(row)

    def take(self, *, now: datetime, lease_s: float) -> Command | None:
        """The oldest waiting one, leased to the caller: no other gets it within `lease_s`.

        One whose question no key opens is FAILED with the reason instead, and None returned.
        """
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
            row = _row(conn, command_id)
        try:
            return self._opened(row)
        except CipherError as error:
            self.done(command_id, at=now, error=error.message)
            return None

    def done(self, command_id: str, *, at: datetime, result: Any = None, error: str = "") -> None:
        """Ends it; with `error` it FAILED. The first answer stays."""
        require_keepable(command_id)
        state = CommandState.FAILED if error else CommandState.DONE
        sealed = seal_command(self._cipher, command_id, result)
        values = {"state": state.value, "sealed": sealed, "error": clean(error), "done_at": at}
        with self._database.writing() as conn:
            changed = conn.execute(
                _commands.update()
                .where(tables.IS_ASKED, _commands.c.id == command_id)
                .values(**values, leased_until=None)
            )
            if changed.rowcount:
                self._database.bump(conn, COMMAND)

    def _opened(self, row: rows.Row) -> Command:
        return acting_rows.command(row, open_command(self._cipher, row.id, row.sealed))


def _require_room(conn: sa.Connection, actor: str) -> None:
    """Raises RateLimited."""
    wait = (
        sa.select(_commands.c.created_by)
        .where(tables.IS_ASKED, _commands.c.kind.in_(sorted(_COUNTED)))
        .limit(MOST_ASKED)
    )
    waiting = conn.scalars(wait).all()
    if waiting.count(actor) >= MOST_ASKED_BY_ONE:
        raise RateLimited(
            f"{MOST_ASKED_BY_ONE} of your questions and dry runs wait already; wait until a worker "
            "has answered some, then ask again. If none is answered, `inkwire doctor` says why.",
            retry_after_s=_RETRY_S,
        )
    if len(waiting) >= MOST_ASKED:
        raise RateLimited(
            f"{MOST_ASKED} questions and dry runs wait for a worker already; ask again in a "
            "moment. If none is answered, `inkwire doctor` says why.",
            retry_after_s=_RETRY_S,
        )


def _forget(conn: sa.Connection, now: datetime) -> int:
    return conn.execute(_commands.delete().where(_commands.c.done_at < now - _KEPT)).rowcount


def _row(conn: sa.Connection, command_id: str) -> rows.Row:
    row = conn.execute(sa.select(_commands).where(_commands.c.id == command_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no command {command_id}.")
    return row
