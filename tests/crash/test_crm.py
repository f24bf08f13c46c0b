"""Box and Salesforce in step under kill -9 and a faulty Salesforce: nothing twice, nothing lost.

A small storm by default; INKWIRE_CRASH_KILLS (`make crash`) asks for ten thousand events,
and INKWIRE_CRASH_STORM beside it for as many as it says.
"""

import contextlib
import os

import pytest

from crash.crm_judge import duplicates, judge
from crash.crm_storm import FAULTS, Storm
from crash.nursery import Nursery
from crash.order_harness import settings_of
from inkwire.hub import open_hub
from inkwire.store.open import migrate
from integrations.crm_kit import Crm, connect, integrate

LONG = "INKWIRE_CRASH_KILLS" in os.environ
#: Events of the long storm.
EVENTS = int(os.environ.get("INKWIRE_CRASH_STORM", "10000"))
pytestmark = pytest.mark.crash
#: Where workers die: Salesforce has it and nobody noted that; and around it.
KILLS = (
    ("call sync_file upload after", 2),
    ("ledger send before", 3),
    ("call settle create_rows after", 1),
    ("call send_tasks create_rows after", 1),
    ("step sync_file attach unkept", 2),
    ("call sync_file upload before", 2),
    ("step sync_file note unkept", 2),
)

#: Store, events of a wave, waves, and who dies.
STORMS = [pytest.param("sqlite", 30, 1, KILLS[:4], id="sqlite")]
if LONG:
    STORMS = [
        pytest.param("sqlite", 100, max(1, EVENTS // 100), KILLS, id="sqlite"),
        pytest.param("postgresql", 100, max(1, EVENTS // 1000), KILLS[:4], id="postgresql"),
    ]


def server_of(request, store):
    """The PostgreSQL server, if that is the store."""
    return None if store == "sqlite" else request.getfixturevalue("postgres_server")


@contextlib.contextmanager
def storm(tmp_path, seed, kills=(), without="", server=None):
    """A hub of its own at a sandbox of its own: the judge counts all that is there."""
    crm, nursery = Crm(tmp_path / "sandbox"), Nursery()
    with contextlib.ExitStack() as closing:
        closing.callback(crm.close)
        closing.callback(nursery.close)
        url = closing.enter_context(server.database()) if server is not None else None
        settings = settings_of(tmp_path / "hub", url)
        migrate(settings)
        with open_hub(settings) as hub:
            connect(hub, crm)
            integrate(hub, crm, log_views=True)
            one = Storm(hub, crm, nursery, seed=seed, kills=kills, without=without)
            one.start()
            try:
                yield one
            finally:
                one.stop()


@pytest.mark.parametrize(("store", "size", "waves", "kills"), STORMS)
def test_a_storm_leaves_everything_once(tmp_path, request, store, size, waves, kills):
    """Files, versions in order, links, Tasks: the sandbox's records and ours agree with the deeds."""
    with storm(tmp_path, 1, kills, server=server_of(request, store)) as one:
        for _ in range(waves):
            one.wave(size, faulty=True)
        one.last()
        found = judge(one.deeds, one.seen(), one.hub.store)
        assert not found, "\n".join(found[:40])
        assert one.killed() == len(kills)
        assert one.befell >= len(FAULTS), f"only {one.befell} faults came to a call"
        assert len(one.deeds.versions) >= size * waves // 3


def test_a_storm_without_a_look_leaves_duplicates_and_the_judge_sees_them(tmp_path):
    """Negative control: what got no answer is sent again although it is there."""
    with storm(tmp_path, 2, without="probe") as one:
        one.wave(10, faulty=True)
        one.last()
        seen = one.seen()
        assert duplicates(one.deeds, seen) > 0
        assert any("times in Salesforce" in text for text in judge(one.deeds, seen, one.hub.store))
