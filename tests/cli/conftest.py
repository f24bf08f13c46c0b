"""Fixtures of the command line's tests; the helpers behind them are in kit.py."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.kit import Cli, Served, serve


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("migrated") / "data"
    Cli(folder)("migrate")
    return folder


@pytest.fixture
def cli(_migrated, tmp_path) -> Cli:
    """The command line on an empty store of its own."""
    folder = tmp_path / "data"
    shutil.copytree(_migrated, folder)
    return Cli(folder)


@pytest.fixture
def no_store(tmp_path) -> Cli:
    """The command line where there is no store yet."""
    return Cli(tmp_path / "data")


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    """One running hub for a whole module."""
    running = serve(tmp_path_factory.mktemp("served"))
    # Its log must not fill the pipes while the module runs.
    readers = [
        threading.Thread(target=stream.read, daemon=True)
        for stream in (running.process.stdout, running.process.stderr)
    ]
    for reader in readers:
        reader.start()
    yield running
    running.process.terminate()
    running.process.wait(30)
    for reader in readers:
        reader.join(5)
    running.process.stdout.close()
    running.process.stderr.close()


@pytest.fixture
def serving() -> Iterator[Callable[..., Served]]:
    """Starts hubs; those that a failed test leaves behind are ended."""
    started: list[Served] = []

    def start(*arguments: object, **environment: str) -> Served:
        started.append(serve(*arguments, **environment))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.communicate(timeout=30)
