"""PostgreSQL 15 or newer: many processes on many machines write at once.

Counters: a single row a topic would make every commit wait for the one before it, so a topic has
up to 64 rows, one for each backend (by its process id), and readers sum them. A row moves in the
transaction that it tells of, so whoever sees the sum move sees the change. NOTIFY is only a
wake-up: it is sent after the commit, in a transaction of its own that writes nothing to disk,
because a NOTIFY inside a transaction takes a lock of the whole server until its commit is done.
A notice that a dying process never sent costs a listener up to `POLL_S`.

Locks are always taken in one order, so that two batches never wait for each other: free keys by
key, then taken keys by key, then terms by value, and the counters last.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, cast

import psycopg
import sqlalchemy as sa

from inkwire.errors import ConfigError, StoreError
from inkwire.store import schema
from inkwire.store.database import Database, Row
from inkwire.store.dedupe import Claim
from inkwire.store.faults import store_error

#: Seconds behind LISTEN after which the counters are read anyway.
POLL_S = 1.0
#: A server that vanished is noticed within seconds, not by the system's default of minutes.
_CONNECT: Mapping[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,  # milliseconds
    "keepalives_idle": 30,
}
_LOCK_TIMEOUT_MS = 1500
_MIGRATION_LOCK = 0x696E6B77697265  # "inkwire" in ASCII
_COUNT_LOCK = _MIGRATION_LOCK + 1
_MIGRATION_WAIT_S = 60
_OLDEST = 150_000
_BUMPED = "inkwire_bumped"
_CLAIM_COLUMNS = ("key", "kind", "event_id", "body_hash", "first_seen_at")

_CLAIMED = (
    "SELECT key, kind, event_id, body_hash, first_seen_at FROM dedupe_keys "
    "WHERE key = ANY(%b::bytea[]) ORDER BY key FOR UPDATE"
)
_BUMP = (
    "INSERT INTO counters (topic, slot, value) SELECT topic, mod(pg_backend_pid(), 64), 1 "
    "FROM unnest(%s::text[]) AS topic ORDER BY topic "
    "ON CONFLICT (topic, slot) DO UPDATE SET value = counters.value + 1"
)
_KEEP = (
    "SELECT id FROM events WHERE id = ANY(%s::text[]) AND dispatched_at IS NULL "
    "AND state <> 'quarantined' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED"
)
_DUE = (
    "SELECT rooms.id, found.id FROM unnest(%s::bigint[], %s::integer[]) AS rooms(id, room) "
    "CROSS JOIN LATERAL (SELECT id FROM deliveries WHERE state = 'waiting' "
    "AND webhook_id = rooms.id AND due_at <= %s ORDER BY due_at LIMIT rooms.room "
    "FOR UPDATE SKIP LOCKED) AS found"
)
_COUNT_DUE = (
    "SELECT count(*) FROM (SELECT 1 FROM unnest(%s::bigint[]) AS wanted(id) "
    "CROSS JOIN LATERAL (SELECT 1 FROM deliveries WHERE state = 'waiting' "
    "AND webhook_id = wanted.id AND due_at <= %s ORDER BY due_at LIMIT %s) AS found "
    "LIMIT %s) AS due"
)
_SQL_TYPES: Mapping[type[Any], str] = {
    sa.Text: "text",
    sa.BigInteger: "bigint",
    sa.Integer: "integer",
    sa.Boolean: "boolean",
    sa.LargeBinary: "bytea",
}


class PostgresDatabase(Database):
    """The database server."""

    faults = (sa.exc.SQLAlchemyError, psycopg.Error)
    locks_rows = True

    def __init__(self, url: sa.URL) -> None:
        """Connects once, to tell what is wrong now. `url`: postgresql://… Raises StoreError."""
        self._closed = False
        self._url = url.set(drivername="postgresql")
        self.engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=8,
            max_overflow=24,
            pool_timeout=5,
            pool_pre_ping=True,
            hide_parameters=True,
            isolation_level="READ COMMITTED",  # whatever the server's default: `claim` relies on it
            connect_args={**_CONNECT, "application_name": "inkwire"},
        )
        sa.event.listen(self.engine, "connect", _prepare)
        self._reach()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction; wakes the listeners after it moved a counter."""
        try:
            with self.engine.connect() as conn:
                with conn.begin():
                    yield conn
                if conn.info.pop(_BUMPED, False):
                    self._wake(conn)
        except self.faults as fault:
            raise store_error(fault) from fault

    @contextmanager
    def migrating(self) -> Iterator[sa.Connection]:
        """Holds an advisory lock on a connection of its own."""
        try:
            with self.engine.connect() as lock, self.engine.connect() as conn:
                _require_usable(lock)
                lock.exec_driver_sql(f"SET lock_timeout = '{_MIGRATION_WAIT_S}s'")
                lock.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
                yield conn
        except self.faults as fault:
            raise store_error(fault) from fault

    def claim(self, conn: sa.Connection, claims: Mapping[bytes, Claim]) -> dict[bytes, Claim]:
        """Adds what is free, then reads and locks the rest.

        A key that another transaction is adding right now is waited for: it is free if that one
        rolls back, and read as taken if it commits.
        """
        if not claims:
            return {}
        keys = sorted(claims)
        rows = [claims[key] for key in keys]
        cursor = _driver(conn).cursor()
        cursor.execute(
            _unnest("dedupe_keys", _CLAIM_COLUMNS, " RETURNING key"), _columns(rows), prepare=True
        )
        free = {row[0] for row in cursor}
        taken = [key for key in keys if key not in free]
        if not taken:
            return {}
        return {row[0]: Claim(*row) for row in cursor.execute(_CLAIMED, (taken,))}

    def insert(
        self, conn: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """Binary COPY: a third of the cost of INSERT for rows with bodies (measured)."""
        if not rows:
            return
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
        with _driver(conn).cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(_types(table, columns))
            for row in rows:
                copy.write_row(row)

    def add_missing(
        self, conn: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """In the order given, so that two transactions never wait for each other."""
        if rows:
            with _driver(conn).cursor() as cursor:
                cursor.execute(_unnest(table, columns), _columns(rows))

    def update(
        self, conn: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """One statement, from one array for each column."""
        if not rows:
            return
        first, *others = columns
        arrays = ", ".join(f"%b::{kind}[]" for kind in _types(table, columns))
        setters = ", ".join(f"{name} = new.{name}" for name in others)
        with _driver(conn).cursor() as cursor:
            cursor.execute(
                f"UPDATE {table} AS old SET {setters} "  # noqa: S608 - names are our own
                f"FROM unnest({arrays}) AS new({', '.join(columns)}) "
                f"WHERE old.{first} = new.{first}",
                _columns(rows),
            )

    def rows(self, conn: sa.Connection, statement: str, *values: Any) -> list[Row]:
        """As it is written, but for the marks."""
        with _driver(conn).cursor() as cursor:
            return cursor.execute(statement.replace("?", "%s"), values).fetchall()

    def due(
        self, conn: sa.Connection, rooms: Sequence[tuple[int, int]], now: int
    ) -> list[tuple[int, str]]:
        """One index look-up a webhook, in one statement."""
        if not rooms:
            return []
        with _driver(conn).cursor() as cursor:
            return list(cursor.execute(_DUE, (*_columns(rooms), now)))

    def count_due(
        self, conn: sa.Connection, webhook_ids: Sequence[int], now: int, most: int
    ) -> int:
        """In one statement."""
        with _driver(conn).cursor() as cursor:
            cursor.execute(_COUNT_DUE, (list(webhook_ids), now, most, most))
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def bump(self, conn: sa.Connection, *topics: str) -> None:
        """This backend's row of each topic."""
        with _driver(conn).cursor() as cursor:
            cursor.execute(_BUMP, (list(topics),))
        conn.info[_BUMPED] = True

    def count_alone(self, conn: sa.Connection) -> None:
        """An advisory lock of the transaction."""
        _driver(conn).execute("SELECT pg_advisory_xact_lock(%s)", (_COUNT_LOCK,))

    def keep_waiting(self, conn: sa.Connection, event_ids: Sequence[str], limit: int) -> list[str]:
        """Locks the first `limit` that no other process has locked."""
        if not event_ids:
            return []
        with _driver(conn).cursor() as cursor:
            return [row[0] for row in cursor.execute(_KEEP, (list(event_ids), limit))]

    async def watch(self) -> AsyncIterator[Mapping[str, int]]:
        """Waits for notices; reads the counters at each, and after POLL_S without any.

        A lost connection is made again, so the watch goes on when the server comes back.
        """
        seen: Mapping[str, int] | None = None
        while not self._closed:
            with suppress(StoreError, *self.faults):
                async with await self._listen() as listener:
                    while not self._closed:
                        counters = await asyncio.to_thread(self.counters)
                        if counters != seen:
                            seen = counters
                            yield counters
                        async for _ in listener.notifies(timeout=POLL_S, stop_after=1):
                            pass
            await asyncio.sleep(POLL_S)

    def facts(self) -> dict[str, Any]:
        """Version, size, and settings that would lose what was acknowledged."""
        with self.reading() as conn:
            row = conn.exec_driver_sql(
                "SELECT current_setting('server_version'), current_database(), "
                "pg_database_size(current_database()), current_setting('synchronous_commit'), "
                "current_setting('fsync'), current_setting('full_page_writes')"
            ).one()
        version, database, size, synchronous, fsync, full_pages = row
        return {
            "dialect": "postgresql",
            "version": version,
            "path": database,
            "journal": "wal",
            "synchronous": synchronous,
            "bytes": size,
            "log_bytes": 0,
            "warnings": [
                f"PostgreSQL runs with {name} = {value}: a power cut can lose acknowledged events."
                for name, value in (("fsync", fsync), ("full_page_writes", full_pages))
                if value == "off"
            ],
        }

    def close(self) -> None:
        """Closes the pool; watchers end at their next turn."""
        self._closed = True
        super().close()

    def _reach(self) -> None:
        try:
            self.engine.connect().close()
        except self.faults as fault:
            cause = fault.orig if isinstance(fault, sa.exc.DBAPIError) else fault
            reason = str(cause).partition("\n")[0]  # libpq names host and user, no password
            self.engine.dispose()
            raise type(store_error(fault))(f"The database does not answer: {reason}.") from None

    async def _listen(self) -> psycopg.AsyncConnection[Any]:
        listener = await psycopg.AsyncConnection.connect(
            self._url.render_as_string(hide_password=False),
            autocommit=True,
            application_name="inkwire-watch",
            **_CONNECT,
        )
        await listener.execute("LISTEN inkwire")
        return listener

    def _wake(self, conn: sa.Connection) -> None:
        """A notice that fails is no fault of the commit before it: the poll finds the change."""
        driver = _driver(conn)
        with suppress(psycopg.Error):
            driver.autocommit = True
            try:
                driver.execute("NOTIFY inkwire")
            finally:
                driver.autocommit = False


def _prepare(driver: psycopg.Connection[Any], _record: object) -> None:
    """Once a connection: waits have an end, and commits are durable whatever the default is."""
    driver.autocommit = True
    driver.execute(f"SET lock_timeout = {_LOCK_TIMEOUT_MS}")
    driver.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') = 'off'"
    )
    driver.autocommit = False


def _require_usable(conn: sa.Connection) -> None:
    version = int(conn.exec_driver_sql("SHOW server_version_num").scalar_one())
    if version < _OLDEST:
        raise ConfigError(f"PostgreSQL {version // 10_000} is too old; use 15 or newer.")
    encoding = conn.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise ConfigError(f"The database's encoding is {encoding}; create it with ENCODING 'UTF8'.")


def _driver(conn: sa.Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", conn.connection.driver_connection)


def _columns(rows: Sequence[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _types(table: str, columns: Sequence[str]) -> list[str]:
    return [_sql_type(schema.metadata.tables[table].c[name].type) for name in columns]


def _sql_type(kind: sa.types.TypeEngine[Any]) -> str:
    base = kind.impl_instance if isinstance(kind, sa.types.TypeDecorator) else kind
    return _SQL_TYPES[type(base)]


def _unnest(table: str, columns: Sequence[str], returning: str = "") -> str:
    """Adds rows whose key is free, from one array for each column."""
    arrays = ", ".join(f"%b::{kind}[]" for kind in _types(table, columns))
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays}) "  # noqa: S608
        f"ON CONFLICT DO NOTHING{returning}"
    )
