"""What only SQLite needs: its settings, and writers that take turns across processes."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkwire.errors import StoreBusy, StoreError
from inkwire.store.sqlite import SqliteDatabase, warnings_of


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    """An empty database."""
    database = SqliteDatabase(tmp_path / "inkwire.db")
    yield database
    database.close()


def pragma(conn, name: str):
    """The value of a PRAGMA."""
    return conn.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_the_writer_is_durable(database: SqliteDatabase):
    """A log that is synced at each commit, and deleted text that is overwritten."""
    with database.writing() as conn:
        assert pragma(conn, "journal_mode") == "wal"
        assert pragma(conn, "synchronous") == 2, "FULL"
        assert pragma(conn, "secure_delete") == 1
        assert pragma(conn, "foreign_keys") == 1


def test_a_reader_cannot_write(database: SqliteDatabase):
    """Only the writer's turn changes the file."""
    with pytest.raises(StoreError), database.reading() as conn:
        conn.exec_driver_sql("CREATE TABLE t (x)")


def test_a_reader_sees_one_moment(database: SqliteDatabase):
    """What is committed while a list is read does not tear it."""
    with database.writing() as conn:
        conn.exec_driver_sql("CREATE TABLE t (x)")
    with database.reading() as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0
        with database.writing() as conn:
            conn.exec_driver_sql("INSERT INTO t VALUES (1)")
        assert reader.exec_driver_sql("SELECT count(*) FROM t").scalar() == 0


def test_another_process_has_its_turn(database: SqliteDatabase, tmp_path: Path):
    """No commit and no checkpoint of ours overlaps with another process's turn."""
    other = os.open(tmp_path / "inkwire.db.lock", os.O_RDWR)
    try:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoreBusy), database.writing():
            pytest.fail("it was not our turn")
        fcntl.flock(other, fcntl.LOCK_UN)
        with database.writing() as conn:
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            conn.exec_driver_sql("CREATE TABLE t (x)")
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(other)


def test_a_failed_transaction_gives_the_turn_back(database: SqliteDatabase):
    """An error in the middle leaves nothing behind, and the next one can write."""
    with pytest.raises(ZeroDivisionError), database.writing() as conn:
        conn.exec_driver_sql("CREATE TABLE t (x)")
        raise ZeroDivisionError
    with database.writing() as conn:
        conn.exec_driver_sql("CREATE TABLE t (x)")


@pytest.mark.parametrize(
    ("version", "warned"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 1), False),
    ],
)
def test_versions_that_can_lose_a_commit(version: tuple[int, ...], warned: bool):
    """Releases before the fix of the WAL-reset fault are named, those with it are not."""
    assert [".".join(map(str, version)) in text for text in warnings_of(version)] == [True] * warned


def test_a_closed_store_says_so(tmp_path: Path):
    """A request that comes too late hears our own error, and closing twice is fine."""
    database = SqliteDatabase(tmp_path / "inkwire.db")
    database.close()
    database.close()
    with pytest.raises(StoreError, match="closed"), database.writing():
        pytest.fail("it is closed")
