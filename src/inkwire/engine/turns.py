"""Connections to an SQLite file that many threads write: durable, and one writer after the other.

SQLite itself lets a writer that finds the file locked sleep, longer each time, up to a tenth of a
second; with thirty threads most of the time is slept. Here each waits for its turn before it asks.
The turn is politeness only: SQLite's own lock still decides, also against other programs.
"""

import sqlite3
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

#: Seconds after which a writer tries without its turn.
PATIENCE_S = 30.0

#: What makes the driver begin a transaction, and that word itself.
_WRITES = ("insert", "update", "delete", "replac", "begin ")


def in_turns() -> Callable[..., sqlite3.Connection]:
    """A factory of connections to one file, for `sqlite3.connect(…, factory=…)`."""
    turn = Lock()

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        conn = _InTurn(*args, **kwargs)
        conn.turn = turn
        return conn

    return connect


class Durable(sqlite3.Connection):
    """Every commit reaches the disk, whatever SQLite was built with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sqlite3.Connection.execute(self, "PRAGMA synchronous = FULL")


class _InTurn(Durable):
    """Holds the turn from before a transaction that writes begins until it has ended."""

    turn: Lock
    _has_turn = False

    def cursor(self, factory: Any = None) -> Any:
        return super().cursor(_Cursor)

    def commit(self) -> None:
        try:
            super().commit()
        finally:
            self.leave()

    def rollback(self) -> None:
        try:
            super().rollback()
        finally:
            self.leave()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._give_back()

    def enter(self, statement: str) -> None:
        """Waits for the turn, if the statement needs it and this connection does not have it."""
        if not self._has_turn and statement.lstrip()[:6].lower() in _WRITES:
            self._has_turn = self.turn.acquire(timeout=PATIENCE_S)

    def leave(self) -> None:
        """Gives the turn back, if no transaction is open."""
        try:
            holds = self.in_transaction
        except sqlite3.ProgrammingError:
            holds = False  # it is closed
        if not holds:
            self._give_back()

    def _give_back(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self.turn.release()


class _Cursor(sqlite3.Cursor):
    """Asks for the turn before it writes."""

    connection: _InTurn

    def execute(self, sql: str, parameters: Any = (), /) -> "_Cursor":
        self.connection.enter(sql)
        try:
            super().execute(sql, parameters)
        finally:
            self.connection.leave()
        return self

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> "_Cursor":
        self.connection.enter(sql)
        try:
            super().executemany(sql, parameters)
        finally:
            self.connection.leave()
        return self
