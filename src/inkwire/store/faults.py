"""Turns what a driver raises into our own errors: the one place that reads driver codes."""

import sqlite3

import sqlalchemy.exc as sa_exc

from inkwire.errors import StoreBusy, StoreError, StoreFull, StoreOutdated


class Violated(StoreError):
    """A row of that key is there already."""


#: SQLITE_IOERR_SHMSIZE: the shared-memory file could not grow, which only a full disk causes.
_IOERR_SHMSIZE = sqlite3.SQLITE_IOERR_SHMSIZE
_SQLITE = {
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_LOCKED: StoreBusy,
    sqlite3.SQLITE_FULL: StoreFull,
}
#: SQLSTATEs and classes of them, https://www.postgresql.org/docs/15/errcodes-appendix.html
_POSTGRES = {
    "53100": StoreFull,  # disk full
    "42P01": StoreOutdated,  # no such table
    "42703": StoreOutdated,  # no such column
    "23": Violated,  # a constraint
    "08": StoreBusy,  # connection
    "40": StoreBusy,  # deadlock, serialization
    "53": StoreBusy,  # too many connections, out of memory
    "55": StoreBusy,  # lock not available
    "57": StoreBusy,  # shutting down, cancelled
}


def store_error(fault: BaseException) -> StoreError:
    """The store's own error for what a driver raised. Its text never holds a row's values."""
    if isinstance(fault, StoreError):
        return fault
    if isinstance(fault, sa_exc.TimeoutError):
        return StoreBusy("Every connection to the database is in use; try again in a moment.")
    cause = (fault.orig if isinstance(fault, sa_exc.DBAPIError) else None) or fault
    if isinstance(cause, sqlite3.Error):
        return _from_sqlite(cause)
    if hasattr(cause, "sqlstate"):  # psycopg's; not imported, for SQLite does without it
        return _from_postgres(cause, cause.sqlstate or "")
    return StoreError(f"The store could not do that: {type(cause).__name__}.")


def _from_sqlite(cause: sqlite3.Error) -> StoreError:
    code = getattr(cause, "sqlite_errorcode", None) or 0
    if code == _IOERR_SHMSIZE:
        return StoreFull()
    known = _SQLITE.get(code & 0xFF)
    if known is not None:
        return known()
    if isinstance(cause, sqlite3.IntegrityError):
        return Violated()
    if str(cause).startswith(("no such table", "no such column")):
        return StoreOutdated()
    name = getattr(cause, "sqlite_errorname", None) or type(cause).__name__
    return StoreError(f"SQLite could not do that ({name}); `inkwire doctor` checks the file.")


def _from_postgres(cause: BaseException, state: str) -> StoreError:
    known = _POSTGRES.get(state) or _POSTGRES.get(state[:2])
    if known is not None:
        return known()
    if not state and "OperationalError" in (kind.__name__ for kind in type(cause).__mro__):
        return StoreBusy("The database cannot be reached; try again in a moment.")
    return StoreError(f"PostgreSQL could not do that ({state or type(cause).__name__}).")
