"""A hub on a real store, and endpoints for its sender."""

import pytest

from contract.store_kit import START as NOON
from contract.store_kit import SqliteMaker
from delivery.sending_kit import TOPIC, Endpoints
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.hub import open_hub
from inkwire.model.webhook import Topic


@pytest.fixture(scope="module")
def sqlite_maker(tmp_path_factory):
    """A migrated store to copy."""
    return SqliteMaker(tmp_path_factory.mktemp("sender"))


@pytest.fixture
def hub(sqlite_maker, tmp_path):
    """A hub on a fresh store, with a clock that is moved by hand."""
    with (
        sqlite_maker.fresh(tmp_path / "hub", outbound_allow="127.0.0.0/8") as settings,
        open_hub(settings, clock=ManualClock(NOON)) as made,
    ):
        made.applications.put_topic(CLI, Topic(name=TOPIC, granted_to_all=True))
        yield made


@pytest.fixture
def endpoints(hub):
    """Answers 200 until told otherwise."""
    return Endpoints(hub.clock)
