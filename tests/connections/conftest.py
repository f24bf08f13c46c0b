"""A desk of connections on a real SQLite store."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from connections.kit import START, Stage
from fakes.box_server import BoxServer, loopback_guard
from inkwire.clock import ManualClock
from inkwire.config import load_settings
from inkwire.connections.desk import ConnectionDesk, OpenSession, guarded_sessions
from inkwire.ids import SortableIds
from inkwire.providers.registry import registry
from inkwire.store.open import migrate, open_store


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a migrated store, to be copied."""
    folder = tmp_path_factory.mktemp("connections") / "template"
    migrate(load_settings(data_dir=folder))
    return folder


@pytest.fixture(scope="session")
def sessions() -> Iterator[OpenSession]:
    """Guarded sessions, each made once: a TLS context takes 50 ms."""
    guard = loopback_guard()
    yield cache(guarded_sessions(guard))
    guard.close()


@pytest.fixture
def stage(migrated: Path, sessions: OpenSession, tmp_path: Path) -> Iterator[Stage]:
    """A desk, a store and a server."""
    clock = ManualClock(START)
    ids = SortableIds(clock)
    shutil.copytree(migrated, tmp_path / "data")
    store = open_store(load_settings(data_dir=tmp_path / "data"), clock=clock, ids=ids)
    slept: list[float] = []
    desk = ConnectionDesk(
        store=store,
        registry=registry(),
        clock=clock,
        ids=ids,
        sessions=sessions,
        sleep=slept.append,
    )
    box = BoxServer()
    yield Stage(store, clock, desk, box, slept)
    box.close()
    desk.close()
    store.close()
