"""SQLite: one writer at a time, in this process and across processes.

Each process writes through one connection, in turn with the others by an advisory lock on
`NAME.lock`. Two reasons for that lock. A waiting writer comes in within half a millisecond,
where SQLite's own busy handler sleeps up to 100 ms. And SQLite before 3.51.3 (backported to
3.50.7 and 3.44.6) can lose a committed transaction when a checkpoint of one connection overlaps
with a commit of another that resets the log (https://sqlite.org/wal.html#walresetbug): here a
checkpoint only ever runs inside its writer's turn, so the two cannot overlap. A program that is
not ours and writes to the file is outside that protection; `facts` then warns by version.
"""

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import msgspec
import sqlalchemy as sa

from inkwire.errors import ConfigError, StoreBusy, StoreError
from inkwire.store.database import Database, Row
from inkwire.store.dedupe import Claim
from inkwire.store.faults import store_error

#: Seconds a writer waits for its turn before the caller hears StoreBusy.
BUSY_S = 1.5
POLL_S = 0.05
_TURN_POLL_S = 0.0005
_MIGRATION_WAIT_S = 60
#: A receipt of 1.5 kB takes a third of a page; with 4 KiB pages it would waste half of one.
_PAGE_BYTES = 8192
_CHECKPOINT_PAGES = 1000
#: The log's file shrinks to this after a long reader (a backup) let it grow.
_LOG_BYTES = 64 * 1024 * 1024
#: The writer's covers the random pages of a million dedupe keys.
_WRITER_CACHE_KIB = 64 * 1024
_READER_CACHE_KIB = 8 * 1024
_KEYS_PER_SELECT = 500
_SYNCHRONOUS = {0: "off", 1: "normal", 2: "full", 3: "extra"}

_TAKEN = "SELECT key, kind, event_id, body_hash, first_seen_at FROM dedupe_keys WHERE key IN "
_CLAIM = (
    "INSERT INTO dedupe_keys (key, kind, event_id, body_hash, first_seen_at) VALUES (?,?,?,?,?)"
)
_DUE = (
    "SELECT webhook_id, id FROM deliveries "
    "WHERE state = 'waiting' AND webhook_id = ? AND due_at <= ? ORDER BY due_at LIMIT ?"
)
_COUNT_DUE = f"SELECT count(*) FROM ({_DUE})"  # noqa: S608 - our own text
_BUMP = (
    "INSERT INTO counters (topic, slot, value) VALUES (?, 0, 1) "
    "ON CONFLICT (topic, slot) DO UPDATE SET value = value + 1"
)


class SqliteDatabase(Database):
    """The embedded database."""

    faults = (sa.exc.SQLAlchemyError, sqlite3.Error)
    locks_rows = False

    def __init__(self, path: Path) -> None:
        """Opens `path`, creating it if its folder exists. Raises ConfigError, StoreError."""
        self._path = path
        self._turn = threading.Lock()
        self._closed = False
        try:
            self._lock_file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise ConfigError(
                f"The store {path} cannot be opened: {error.strerror}; check INKWIRE_DATA_DIR."
            ) from None
        self.engine = sa.create_engine(
            "sqlite://",
            creator=self._connect_reader,
            poolclass=sa.pool.QueuePool,
            pool_size=8,
            max_overflow=32,
            hide_parameters=True,
        )
        self._writers = sa.create_engine(
            "sqlite://",
            creator=self._connect_writer,
            poolclass=sa.pool.StaticPool,
            hide_parameters=True,
        )
        sa.event.listen(self.engine, "begin", _begin)
        sa.event.listen(self._writers, "begin", _begin_immediate)
        try:
            with self._my_turn(_MIGRATION_WAIT_S):
                self._writer = self._writers.connect()
        except self.faults as fault:
            raise store_error(fault) from fault

    def _connect_writer(self) -> sqlite3.Connection:
        return self._connect(_WRITER_CACHE_KIB)

    def _connect_reader(self) -> sqlite3.Connection:
        conn = self._connect(_READER_CACHE_KIB)
        conn.execute("PRAGMA query_only=ON")
        return conn

    def _connect(self, cache_kib: int) -> sqlite3.Connection:
        conn = sqlite3.connect(
            self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
        )
        conn.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("PRAGMA synchronous=FULL")
        conn.execute("PRAGMA foreign_keys=ON")
        conn.execute("PRAGMA secure_delete=ON")
        conn.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        conn.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
        conn.execute(f"PRAGMA cache_size=-{cache_kib}")
        return conn

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction, in turn."""
        with self._my_turn():
            try:
                with self._writer.begin():
                    yield self._writer
            except self.faults as fault:
                raise store_error(fault) from fault

    @contextmanager
    def migrating(self) -> Iterator[sa.Connection]:
        """The writer, for as long as a migration takes."""
        with self._my_turn(_MIGRATION_WAIT_S):
            try:
                yield self._writer
            except self.faults as fault:
                raise store_error(fault) from fault

    @contextmanager
    def _my_turn(self, wait_s: float = BUSY_S) -> Iterator[None]:
        """Holds this process's lock, then that of all processes. Raises StoreBusy."""
        if not self._turn.acquire(timeout=wait_s):
            raise StoreBusy
        try:
            if self._closed:
                raise StoreError("The store is closed: this process is stopping.")
            _lock(self._lock_file, wait_s)
            try:
                yield
            finally:
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)
        finally:
            self._turn.release()

    def claim(self, conn: sa.Connection, claims: Mapping[bytes, Claim]) -> dict[bytes, Claim]:
        """Looks, then adds: nobody else can write in between."""
        driver = _driver(conn)
        keys = sorted(claims)
        found: dict[bytes, Claim] = {}
        for at in range(0, len(keys), _KEYS_PER_SELECT):
            some = keys[at : at + _KEYS_PER_SELECT]
            marks = ",".join("?" * len(some))
            found |= {row[0]: Claim(*row) for row in driver.execute(_TAKEN + f"({marks})", some)}
        driver.executemany(_CLAIM, [claims[key] for key in keys if key not in found])
        return found

    def insert(
        self, conn: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """One prepared statement for all rows."""
        _driver(conn).executemany(_insert_sql("INSERT", table, columns), rows)

    def add_missing(
        self, conn: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """INSERT OR IGNORE."""
        _driver(conn).executemany(_insert_sql("INSERT OR IGNORE", table, columns), rows)

    def update(
        self, conn: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """One prepared statement for all rows."""
        first, *others = columns
        setters = ",".join(f"{name}=?" for name in others)
        _driver(conn).executemany(
            f"UPDATE {table} SET {setters} WHERE {first}=?",  # noqa: S608 - names are our own
            [(*row[1:], row[0]) for row in rows],
        )

    def rows(self, conn: sa.Connection, statement: str, *values: Any) -> list[Row]:
        """A list goes in as JSON: one text of a statement for any number of values."""
        given = [_json(one) if isinstance(one, list) else one for one in values]
        return _driver(conn).execute(_in_sqlite(statement), given).fetchall()

    def due(
        self, conn: sa.Connection, rooms: Sequence[tuple[int, int]], now: int
    ) -> list[tuple[int, str]]:
        """One index look-up a webhook."""
        driver = _driver(conn)
        found: list[tuple[int, str]] = []
        for webhook_id, room in rooms:
            found += driver.execute(_DUE, (webhook_id, now, room))
        return found

    def count_due(
        self, conn: sa.Connection, webhook_ids: Sequence[int], now: int, most: int
    ) -> int:
        """Webhook by webhook, until there are enough."""
        driver, count = _driver(conn), 0
        for webhook_id in webhook_ids:
            if count >= most:
                break
            found = driver.execute(_COUNT_DUE, (webhook_id, now, most - count)).fetchone()
            count += int(found[0])
        return count

    def bump(self, conn: sa.Connection, *topics: str) -> None:
        """One row a topic: there is one writer anyway."""
        _driver(conn).executemany(_BUMP, [(topic,) for topic in topics])

    def count_alone(self, conn: sa.Connection) -> None:
        """Nothing to do: one process writes at a time."""

    def keep_waiting(self, conn: sa.Connection, event_ids: Sequence[str], limit: int) -> list[str]:
        """All of them: one worker runs."""
        return list(event_ids[:limit])

    async def watch(self) -> AsyncIterator[Mapping[str, int]]:
        """Asks PRAGMA data_version every 50 ms; it moves when another connection commits."""
        probe = await asyncio.to_thread(self._connect_reader)
        try:
            seen: Mapping[str, int] | None = None
            version = None
            while not self._closed:
                now = probe.execute("PRAGMA data_version").fetchone()[0]
                if now != version:
                    version = now
                    counters = await asyncio.to_thread(self.counters)
                    if counters != seen:
                        seen = counters
                        yield counters
                await asyncio.sleep(POLL_S)
        except self.faults as fault:
            raise store_error(fault) from fault
        finally:
            probe.close()

    def facts(self) -> dict[str, Any]:
        """Version, journal, sizes."""
        with self.reading() as conn:
            journal = conn.exec_driver_sql("PRAGMA journal_mode").scalar()
            synchronous = conn.exec_driver_sql("PRAGMA synchronous").scalar()
        wal = Path(f"{self._path}-wal")
        return {
            "dialect": "sqlite",
            "version": sqlite3.sqlite_version,
            "path": str(self._path),
            "journal": journal,
            "synchronous": _SYNCHRONOUS.get(synchronous or 0, "unknown"),
            "bytes": self._path.stat().st_size,
            "log_bytes": wal.stat().st_size if wal.exists() else 0,
            "warnings": warnings_of(sqlite3.sqlite_version_info),
        }

    def close(self) -> None:
        """Closes every connection; the last one of all processes checkpoints."""
        with self._turn:
            if self._closed:
                return
            self._closed = True
            self.engine.dispose()
            _lock(self._lock_file, _MIGRATION_WAIT_S)
            self._writer.close()
            self._writers.dispose()
            os.close(self._lock_file)


def _lock(descriptor: int, wait_s: float) -> None:
    """Waits for the writers' lock. Raises StoreBusy after `wait_s`."""
    deadline = None
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            deadline = deadline or now + wait_s
            if now > deadline:
                raise StoreBusy from None
            time.sleep(_TURN_POLL_S)
        else:
            return


def _begin(conn: sa.Connection) -> None:
    conn.exec_driver_sql("BEGIN")


def _begin_immediate(conn: sa.Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE")


def _insert_sql(verb: str, table: str, columns: Sequence[str]) -> str:
    return f"{verb} INTO {table} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})"


@lru_cache(maxsize=100)
def _in_sqlite(statement: str) -> str:
    """PostgreSQL's words in SQLite's."""
    plain = statement.replace(" FOR UPDATE SKIP LOCKED", "").replace(" FOR UPDATE", "")
    return plain.replace("= ANY (?)", "IN (SELECT value FROM json_each(?))")


def _json(values: list[Any]) -> str:
    return msgspec.json.encode(values).decode()


def _driver(conn: sa.Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", conn.connection.driver_connection)


def warnings_of(version: tuple[int, ...]) -> list[str]:
    """What an operator should know of this release of SQLite."""
    fixed = (
        version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    )
    if fixed:
        return []
    return [
        f"SQLite {'.'.join(map(str, version))} has the WAL-reset fault (fixed in 3.51.3). "
        "Inkwire avoids it among its own processes; let no other program write to the file."
    ]
