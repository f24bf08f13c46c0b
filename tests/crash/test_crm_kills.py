"""kill -9 around every create of Box and Salesforce in step: all is there once (DESIGN §6).

In every run one life through some points; INKWIRE_CRASH_KILLS (`make crash`) plays a life for each
point, two kills in one, lives in which workers die at any moment, and workers that stand still.
"""

import contextlib
import os
import signal

import pytest

from crash.crm_deal import Deal
from crash.crm_judge import Deeds, judge
from crash.nursery import Nursery, until
from crash.order_harness import HASTY, settings_of
from inkwire.hub import open_hub
from inkwire.model.work import WorkState
from inkwire.store.open import migrate
from integrations.crm_kit import Crm, connect, integrate

KILLS = int(os.environ.get("INKWIRE_CRASH_KILLS", "0"))
pytestmark = pytest.mark.crash
#: Creates of each workflow, and how often they come by.
CALLS = {
    "provision": {"create_folder": 4, "create_metadata": 2, "collaborate": 1},
    "sync_file": {"open_file": 1, "upload": 2},
    "settle": {"create_rows": 1},
    "send_tasks": {"create_rows": 1},
}
STEPS = {
    "provision": ("make", "claim", "tree", "keep", "owner"),
    "sync_file": ("find", "look", "attach", "note"),
    "settle": ("settle",),
    "send_tasks": ("send",),
}


def points():
    """Every place where a worker may die, with the time that it comes by."""
    for workflow, calls in CALLS.items():
        for name, times in calls.items():
            for moment in ("before", "after"):
                for nth in range(1, times + 1):
                    yield f"call {workflow} {name} {moment}", nth
    for workflow, steps in STEPS.items():
        for name in steps:
            for moment in ("before", "unkept", "after"):
                yield f"step {workflow} {name} {moment}", 1
    yield "ledger send before", 1


ALL = list(points())
#: In every run, in the order in which a life comes by: the vendor has it, and nobody noted that.
SAMPLE = (
    ("call provision create_folder after", 1),
    ("call provision create_metadata after", 1),
    ("call provision collaborate after", 1),
    ("call sync_file upload after", 1),
    ("call settle create_rows after", 1),
    ("call send_tasks create_rows after", 1),
    ("step sync_file attach unkept", 1),
)


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    """One hub at one sandbox for all lives; each has records of its own."""
    folder = tmp_path_factory.mktemp("deals")
    with contextlib.ExitStack() as closing:
        crm = closing.enter_context(contextlib.closing(Crm(folder / "sandbox")))
        nursery = closing.enter_context(contextlib.closing(Nursery()))
        settings = settings_of(folder / "hub", None)
        migrate(settings)
        hub = closing.enter_context(open_hub(settings))
        connect(hub, crm)
        integrate(hub, crm, provision=True, attach_to_account=True)
        yield Stand(hub, crm, nursery)


class Stand:
    """What lives share; and what was done in all of them."""

    def __init__(self, hub, crm, nursery):
        self.parts = hub, crm, nursery
        self.deeds = Deeds()
        self.shift = 0.0

    def live(self, kills, *, chances=0, times=1):
        """So many lives of one crew; what is wrong after them, and the crew."""
        crew = Deal(*self.parts, kills=kills, chances=chances)
        for index in range(len(kills)):
            crew.flag(index).unlink(missing_ok=True)
        crew.shift = self.shift
        crew.start()
        found = []
        try:
            for _ in range(times):
                crew.live(self.deeds)
                found += crew.wrong(self.deeds)
        finally:
            crew.stop()
            self.shift = crew.shift
        return found, crew


def test_kills_around_every_create_leave_everything_once(stand):
    """Seven workers die, each where the other side has made something and nobody noted it."""
    found, crew = stand.live(SAMPLE)
    assert not found, "\n".join(found)
    assert crew.killed() == len(SAMPLE)


#: Where a worker is stopped: before its claim, and before the request leaves it.
STOPS = ("ledger send before", "call sync_file upload before")
#: A death is noticed in seconds.
SOON = HASTY | {"dead_after_s": 4.0}

if KILLS:

    @pytest.mark.parametrize("at", STOPS, ids=lambda at: at.replace(" ", "_"))
    def test_a_stopped_worker_that_comes_back_makes_nothing_more(tmp_path, at, postgres_server):
        """Another one has its run by then: one upload in all, one ContentVersion."""
        with contextlib.ExitStack() as closing:
            crm = closing.enter_context(contextlib.closing(Crm(tmp_path / "sandbox")))
            nursery = closing.enter_context(contextlib.closing(Nursery()))
            url = closing.enter_context(postgres_server.database())
            settings = settings_of(tmp_path / "hub", url)
            migrate(settings)
            hub = closing.enter_context(open_hub(settings))
            connect(hub, crm)
            integrate(hub, crm)
            crew = Deal(hub, crm, nursery, kills=((at, 1),), does="stop", engine=SOON)
            closing.callback(crew.stop)
            crew.opportunity = crm.opportunity(crm.account())
            deeds = Deeds()
            work = crew.upload(deeds, crm.deal(opportunity_id=crew.opportunity))
            crew.start()
            until(crew.flag(0).exists, "the stop")
            crew.start()

            def taken():
                row = hub.store.works.get(work.id)
                return row.takeovers == 1 and row.state is not WorkState.RUNNING

            until(taken, "the takeover")
            os.kill(crew.workers[0], signal.SIGCONT)
            assert nursery.end(crew.workers[0], signal.SIGTERM) == 0
            crew.carry_out()
            found = judge(deeds, crew.seen(), hub.store)
            assert not found, "\n".join(found)
            uploads = [n for name, n in crm.process.counts().items()
                       if name.startswith("POST ") and name.endswith("/sobjects/ContentVersion")]  # fmt: skip
            assert uploads == [1]

    @pytest.mark.parametrize("point", ALL, ids=lambda one: f"{one[0]} {one[1]}".replace(" ", "_"))
    @pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
    def test_a_kill_anywhere_leaves_everything_once(stand, point, twice):
        """Once, and again where the next worker comes by the same place."""
        found, crew = stand.live((point, (point[0], 1)) if twice else (point,))
        assert not found, "\n".join(found)
        assert crew.killed() >= 1, "no worker came by"

    def test_kills_at_any_moment_leave_everything_once(stand):
        """Workers that live for seconds; deals until enough of them have died."""
        found, crew = stand.live((), chances=KILLS, times=max(1, KILLS // 5))
        assert not found, "\n".join(found)
        assert crew.by_chance >= KILLS // 3
