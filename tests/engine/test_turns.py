"""Writers of one SQLite file wait for their turn, and whoever fails gives it back."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa

from inkwire.engine.turns import in_turns


@pytest.fixture
def path(tmp_path):
    """A file with one table, in WAL, and open: who opens it first or closes it last locks it."""
    path = tmp_path / "engine.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.execute("CREATE TABLE counts (id INTEGER PRIMARY KEY, n INTEGER)")
        conn.execute("INSERT INTO counts VALUES (1, 0)")
        conn.commit()
        yield path


def opened(path, factory, timeout=0.0):
    """As the library opens one: it takes the write lock with the first change."""
    conn = sqlite3.connect(path, timeout=timeout, factory=factory, check_same_thread=False)
    conn.isolation_level = "IMMEDIATE"
    return conn


def test_many_writers_that_would_never_wait_all_come_through(path):
    """SQLite is told to wait for nobody: without turns most of them would be refused."""
    factory = in_turns()

    def add(_):
        with closing(opened(path, factory)) as conn:
            for _ in range(20):
                (n,) = conn.cursor().execute("SELECT n FROM counts").fetchone()
                conn.cursor().execute("UPDATE counts SET n = n + 1")
                assert n >= 0
                conn.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    with closing(opened(path, factory)) as conn:
        assert conn.cursor().execute("SELECT n FROM counts").fetchone() == (160,)
        assert conn.cursor().execute("PRAGMA synchronous").fetchone() == (2,)


def test_who_fails_rolls_back_or_closes_gives_the_turn_back(path):
    """The next one does not wait for it."""
    factory = in_turns()
    with closing(opened(path, factory)) as first, closing(opened(path, factory)) as second:
        first.cursor().execute("UPDATE counts SET n = 1")
        first.rollback()
        second.cursor().execute("INSERT INTO counts VALUES (2, 0)")
        second.commit()
        with pytest.raises(sqlite3.IntegrityError):
            first.cursor().execute("INSERT INTO counts VALUES (2, 0)")
        first.rollback()
        with pytest.raises(sqlite3.OperationalError):
            first.cursor().executemany("INSERT INTO nowhere VALUES (?)", [(1,)])
        second.cursor().executemany("INSERT INTO counts VALUES (?, 0)", [(3,), (4,)])
        second.close()
        first.cursor().execute("BEGIN IMMEDIATE")
        assert first.cursor().execute("SELECT count(*) FROM counts").fetchone() == (2,)
        first.commit()


def test_another_program_s_lock_still_decides(path):
    """Who has the turn is refused by SQLite all the same, and gives it back."""
    factory = in_turns()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(opened(path, factory)) as conn:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                conn.cursor().execute("UPDATE counts SET n = 5")
            other.execute("COMMIT")
            conn.cursor().execute("UPDATE counts SET n = 6")
            conn.commit()
        assert other.execute("SELECT n FROM counts").fetchone() == (6,)


def test_transactions_of_the_library_s_kind_take_turns(path):
    """Through SQLAlchemy, whose pool hands the connections round."""
    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"factory": in_turns(), "timeout": 0}, pool_size=4
    )
    sa.event.listen(
        engine, "connect", lambda conn, _: setattr(conn, "isolation_level", "IMMEDIATE")
    )

    def add(_):
        for _ in range(10):
            with engine.begin() as conn:
                conn.execute(sa.text("UPDATE counts SET n = n + 1"))
                conn.execute(sa.text("SELECT n FROM counts")).all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    with engine.begin() as conn:
        assert conn.scalar(sa.text("SELECT n FROM counts")) == 40
    engine.dispose()
