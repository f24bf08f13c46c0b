"""A worker that is told to stop, and runs that were started and have not begun by then."""

import asyncio
from dataclasses import replace

import pytest

from engine.acting import WITHIN_S, Toy, quick, site, until
from inkwire.config import load_settings
from inkwire.engine.contract import Outcome
from inkwire.engine.runner import Runner
from inkwire.engine.runs import Stopped
from inkwire.model.work import WorkState
from inkwire.store.live import LiveCounters
from inkwire.store.open import migrate


class Slow:
    """A journal that knows of a run at once, and begins it when the test says so."""

    opened = True

    def __init__(self):
        self.started = []
        self.closed = False

    async def open(self, me, body):
        """It is open."""

    async def start(self, run_id, work_id, run_number):
        self.started.append((work_id, run_number))

    def known(self, run_ids):
        return {}

    async def close(self):
        self.closed = True


@pytest.fixture
def place(tmp_path):
    """A site of its own for each test."""
    migrate(load_settings(data_dir=tmp_path / "data"))
    with site(tmp_path / "data") as made:
        yield made


@pytest.fixture
def journal():
    """The runner's."""
    return Slow()


def runner(place, journal, did, **more):
    """One whose only workflow tells that it was done."""

    async def workflow(run):
        did.append(run.work.id)
        return Outcome.done("")

    return Runner(
        executor_id="me",
        kinds={"toy": Toy({"one": workflow})},
        services=place.services,
        runtime=journal,
        live=LiveCounters(),
        random=lambda: 0.0,
        settings=quick(place.settings, **more),
    )


async def started(place, journal, ours, stop):
    """The row of a run that was started, and the task of the runner, which is told to stop."""
    row = place.work(place.integration(), "one")
    working = asyncio.create_task(ours.run(stop))
    await until(lambda: journal.started, "the start")
    stop.set()
    return row, working


async def test_a_run_that_was_started_is_waited_for(place, journal):
    """It is in hand, though it begins a moment later, and ends before the worker does."""
    did = []
    ours = runner(place, journal, did, grace_s=WITHIN_S)
    row, working = await started(place, journal, ours, asyncio.Event())
    done, _ = await asyncio.wait({working}, timeout=0.5)
    assert not done, "it left while a run was about to begin"
    await ours._body(*journal.started[0])
    await asyncio.wait_for(working, WITHIN_S)
    assert did == [row.id]
    assert place.store.works.get(row.id).state is WorkState.DONE


async def test_what_begins_after_the_grace_does_nothing(place, journal):
    """Else a create could be cut off in the middle; the next start continues it."""
    did = []
    ours = runner(place, journal, did, grace_s=0.1)
    row, working = await started(place, journal, ours, asyncio.Event())
    await asyncio.wait_for(working, WITHIN_S)
    assert journal.closed
    with pytest.raises(Stopped):
        await ours._body(*journal.started[0])
    assert did == []
    assert place.store.works.get(row.id).state is WorkState.RUNNING


async def test_one_that_is_gone_when_it_begins_is_not_waited_for(place, journal):
    """Another run of the row, say: it has nothing to do any more."""
    ours = runner(place, journal, [], grace_s=WITHIN_S)
    row, working = await started(place, journal, ours, asyncio.Event())
    ours._starting = {(row.id, 2): next(iter(ours._starting.values()))}
    ours._starting[row.id, 2] = replace(ours._starting[row.id, 2], given=None)
    assert (await ours._body(row.id, 2))["state"] == "gone"
    await asyncio.wait_for(working, WITHIN_S / 2)
