"""Upkeep is planned once a slot, and old runs are forgotten."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from engine.acting import Toy, engine, settled, site
from inkwire.clock import ManualClock, SystemClock
from inkwire.config import load_settings
from inkwire.engine.contract import Outcome, Upkeep
from inkwire.engine.retention import Retention
from inkwire.engine.runtime import Runtime
from inkwire.engine.schedule import Schedule, slot_of
from inkwire.errors import NotFound
from inkwire.model.crm import BulkJob
from inkwire.model.event import Origin
from inkwire.model.work import Command, CommandKind, IntegrationState, WorkState
from inkwire.store.acting import Ending, WorkQuery
from inkwire.store.open import migrate

SWEEP = Upkeep(workflow="sweep", every_s=600)
LATE = Upkeep(workflow="see_through", every_s=600, inactive_too=True)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A data folder with an empty store."""
    folder = tmp_path_factory.mktemp("migrated")
    migrate(load_settings(data_dir=folder))
    return folder


@pytest.fixture
def place(migrated, tmp_path):
    """A site whose clock stands still."""
    shutil.copytree(migrated, tmp_path / "data")
    with site(tmp_path / "data", clock=ManualClock(datetime(2026, 1, 1, tzinfo=UTC))) as made:
        yield made


def schedule(place):
    """One worker's schedule."""
    kinds = {"toy": Toy(upkeep=(SWEEP, LATE))}
    return Schedule(store=place.store, kinds=kinds, clock=place.clock, ids=place.ids, every_s=1)


def rows(place, integration):
    """Upkeep of one integration, oldest first."""
    return place.store.works.page(WorkQuery(integration_id=integration.id))[::-1]


def test_a_slot_of_upkeep_is_made_once_however_many_workers_plan_it(place):
    """Of active integrations, and of inactive ones where that is meant; never of paused ones."""
    states = (IntegrationState.ACTIVE, IntegrationState.INACTIVE, IntegrationState.PAUSED)
    active, inactive, paused = (place.integration(state) for state in states)
    one, two = schedule(place), schedule(place)
    assert (one.once(), two.once(), one.once()) == (3, 0, 0)
    slot = slot_of(active.id, SWEEP, place.clock.now())
    made = rows(place, active)
    assert {row.key for row in made} == {
        f"sweep/{slot}",
        f"see_through/{slot_of(active.id, LATE, place.clock.now())}",
    }
    assert {row.entity_key for row in made} == {
        f"integration:{active.id}:sweep",
        f"integration:{active.id}:see_through",
    }
    assert {row.origin for row in made} == {Origin.RECONCILED}
    assert [row.workflow for row in rows(place, inactive)] == ["see_through"]
    assert rows(place, paused) == []


def test_upkeep_waits_for_its_forerunner(place):
    """A slow sweep gets no second one behind it; when it has ended, the next slot comes."""
    active, works = place.integration(), place.store.works
    both = schedule(place)
    assert both.once() == 2
    place.clock.advance(seconds=600)
    assert both.once() == 0
    now = place.clock.now()
    for row in works.claim(executor_id="exe_1", now=now, limit=2):
        works.end(row.id, run_number=1, ending=Ending(state=WorkState.DEAD, note="No."), at=now)
    place.clock.advance(seconds=600)
    assert both.once() == 2
    assert len(rows(place, active)) == 4


def test_slots_follow_each_other_and_integrations_do_not_begin_together():
    """The offset of an integration is always the same."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    slots = [slot_of(7, SWEEP, start + timedelta(seconds=s)) for s in range(0, 6000, 600)]
    assert slots == list(range(slots[0], slots[0] + 10))
    begins = {
        next(
            s for s in range(600)
            if slot_of(n, SWEEP, start + timedelta(seconds=s))
            != slot_of(n, SWEEP, start + timedelta(seconds=s - 1))
        )
        for n in range(1, 21)
    }  # fmt: skip
    assert len(begins) > 15


async def test_what_ended_long_ago_is_forgotten_and_the_rest_stays(migrated, tmp_path):
    """Steps and journals of ended runs go after the days that were set; the work rows stay."""
    shutil.copytree(migrated, tmp_path / "data")

    async def workflow(run):
        await run.step("does", lambda: 1)
        return Outcome.done("Done.")

    with site(tmp_path / "data") as place:
        done = place.work(place.integration(), "do")
        async with engine(place, Toy({"do": workflow})):
            await settled(place, done)
        runtime, stop = Runtime(place.settings.store_url, threads=8), asyncio.Event()

        async def body(work_id, run_number):
            return {}

        await runtime.open("exe_other", body)
        clock = ManualClock(SystemClock().now() + timedelta(days=29))
        store = place.store
        cleaning = Retention(
            run_log=store.run_log, commands=store.commands, bulk_jobs=store.bulk_jobs,
            runtime=runtime, clock=clock, days=30,
        )  # fmt: skip
        now = place.clock.now()
        job = BulkJob(batch_id="blk_1", integration_id=1, created_at=now, look_at=now)
        store.bulk_jobs.begin(job)
        store.bulk_jobs.ended("blk_1", note="", at=now)
        asked = Command(
            id="cmd_1", kind=CommandKind.ASK, target="int_1/try_fields", created_at=clock.now(),
            created_by="user:ada",
        )  # fmt: skip
        store.commands.add(asked)
        store.commands.done("cmd_1", at=clock.now(), result={"records": ["what both sides have"]})
        assert await cleaning.once(stop) == 0
        clock.advance(seconds=2 * 86_400)
        # The answer too, although nobody asked for another.
        assert await cleaning.once(stop) == 4
        assert store.bulk_jobs.newest(1) == []
        with pytest.raises(NotFound):
            store.commands.get("cmd_1")
        assert await asyncio.to_thread(runtime.known, [done.run_id]) == {}
        await runtime.close()
        assert place.store.run_log.steps(done.id) == []
        assert place.store.works.get(done.id).state is WorkState.DONE
