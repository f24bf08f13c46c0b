"""What drivers raise, told in our own words."""

import sqlite3
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from inkwire.errors import StoreBusy, StoreError, StoreFull, StoreOutdated
from inkwire.store.faults import Violated, store_error


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("53100", StoreFull),
        ("53200", StoreBusy),
        ("53300", StoreBusy),
        ("55P03", StoreBusy),
        ("40P01", StoreBusy),
        ("40001", StoreBusy),
        ("57P01", StoreBusy),
        ("57014", StoreBusy),
        ("08006", StoreBusy),
        ("42P01", StoreOutdated),
        ("42703", StoreOutdated),
        ("23505", Violated),
        ("22021", StoreError),
    ],
)
def test_codes_of_postgresql(state: str, kind: type[StoreError]):
    """The kind decides what the caller does: wait, alarm, migrate."""
    assert type(store_error(psycopg.errors.lookup(state)("row (ada@example.com)"))) is kind


def test_a_connection_that_broke_is_busy():
    """libpq gives no code when the server vanishes."""
    assert type(store_error(psycopg.OperationalError("gone"))) is StoreBusy


def test_a_value_that_the_driver_refuses_is_not_busy():
    """It is that row's fault: the others of the batch are tried without it."""
    assert type(store_error(psycopg.DataError("NUL"))) is StoreError


def test_a_pool_that_is_used_up_is_busy():
    """More threads than connections: come again."""
    assert type(store_error(sa.exc.TimeoutError("QueuePool limit"))) is StoreBusy


class TestSqlite:
    def test_a_lock_is_busy(self, tmp_path: Path):
        """Somebody else writes."""
        one = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        two = sqlite3.connect(tmp_path / "x.db", isolation_level=None, timeout=0)
        one.execute("BEGIN EXCLUSIVE")
        assert type(_caught(two, "BEGIN IMMEDIATE")) is StoreBusy
        one.close()
        two.close()

    def test_a_limit_is_full(self, tmp_path: Path):
        """The very error that a full disk gives."""
        conn = sqlite3.connect(tmp_path / "x.db")
        conn.execute("PRAGMA max_page_count=1")
        assert type(_caught(conn, "CREATE TABLE t (x)")) is StoreFull
        conn.close()

    def test_other_errors(self):
        """Missing tables, taken keys, and the rest; no row's values in the message."""
        conn = sqlite3.connect(":memory:")
        conn.execute("CREATE TABLE t (x TEXT PRIMARY KEY, CHECK (x <> 'no'))")
        conn.execute("INSERT INTO t VALUES ('ada@example.com')")
        taken = _caught(conn, "INSERT INTO t VALUES ('ada@example.com')")
        assert type(taken) is Violated
        assert type(_caught(conn, "SELECT * FROM missing")) is StoreOutdated
        assert type(_caught(conn, "SELECT missing FROM t")) is StoreOutdated
        broken = _caught(conn, "SELECT ada@example.com")
        assert type(broken) is StoreError
        assert "ada" not in broken.message + taken.message
        conn.close()


def _caught(conn: sqlite3.Connection, statement: str) -> StoreError:
    with pytest.raises(sqlite3.Error) as caught:
        conn.execute(statement)
    return store_error(caught.value)
