"""A server and a client of it for each test; the guarded sessions once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests

from fakes.box_server import loopback_guard
from inkwire.connections.calling import guarded_sessions
from providers.box_kit import Kit


@pytest.fixture(scope="session")
def sessions() -> Iterator[tuple[requests.Session, requests.Session]]:
    """The guarded sessions of the API and of files, as the hub opens them."""
    opened = guarded_sessions(loopback_guard())
    with opened(("box.com",)) as api, opened(()) as files:
        yield api, files


@pytest.fixture
def make_kit(sessions) -> Iterator[Callable[..., Kit]]:
    """Makes kits, closed at the end."""
    with ExitStack() as stack:

        def make(**calling) -> Kit:
            kit = Kit(sessions, **calling)
            stack.callback(kit.close)
            return kit

        yield make


@pytest.fixture
def kit(make_kit) -> Kit:
    """A kit that acts as the service account."""
    return make_kit()
