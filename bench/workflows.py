"""How many two-step workflows a second the engine does, against the library below it alone.

    python -m bench.workflows                   three rounds of each (two minutes)

All keep every step on disk before the next (SQLite in WAL, synchronous=FULL) and have as many in
flight. The control is DBOS itself: no work rows, claims, notes, fences, endings. It runs twice, as
it comes and on our connections, whose writers take turns. Rounds alternate, each in a process of
its own: read the ratio of one run.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from inkwire.clock import SystemClock
from inkwire.config import load_settings
from inkwire.engine.contract import Outcome, Services
from inkwire.engine.engine import SPARE_THREADS, Engine
from inkwire.engine.runtime import APPLICATION_VERSION, JsonSerializer, Runtime
from inkwire.engine.settings import engine_settings
from inkwire.engine.turns import Durable
from inkwire.ids import SortableIds
from inkwire.logs import set_up_logging
from inkwire.model.access import AuditEntry
from inkwire.model.work import Integration, IntegrationState, Work, WorkState
from inkwire.store.live import LiveCounters
from inkwire.store.open import migrate, open_store

IN_FLIGHT = 32
THREADS = IN_FLIGHT + SPARE_THREADS
#: Workflows before the clock starts: the library is loaded, its tables are made.
WARM = 50


def effect():
    """What a step does: nothing, which is the hardest case for the ratio."""
    return {"id": "1429000000002"}


@contextlib.contextmanager
def timed():
    """Seconds on the clock and on the processor, once the block has ended."""
    found, begun, used = {}, time.perf_counter(), time.process_time()
    yield found
    found |= {"s": time.perf_counter() - begun, "cpu_s": time.process_time() - used}


# --- the engine


class Bench:
    """A business process of one workflow."""

    name, title, summary, provider = "bench", "Bench", "For measuring.", ""
    settings = events = upkeep = ()

    def __init__(self):
        self.workflows = {"two": self.two}
        self.through = 0

    async def two(self, run):
        """Two steps."""
        await run.step("first", effect)
        await run.step("second", effect)
        self.through += 1
        return Outcome.done("Done.")


def rows(ids, clock, prefix, count):
    """Work that is due."""
    now = clock.now()
    return [
        Work(
            id=ids.new("wrk"), integration_id=1, key=f"{prefix}-{number}", workflow="two",
            entity_key=f"{prefix}:{number}", due_at=now, created_at=now,
        )
        for number in range(count)
    ]  # fmt: skip


async def engine(folder, count):
    """From work rows that wait to work rows that are done."""
    settings, clock = load_settings(data_dir=folder), SystemClock()
    ids = SortableIds(clock)
    store, live, stop = open_store(settings, clock=clock, ids=ids), LiveCounters(), asyncio.Event()
    now = clock.now()
    integration = Integration(
        id=0, kind="bench", name="Bench", state=IntegrationState.ACTIVE, settings={},
        connection_id=None, created_at=now, updated_at=now,
    )  # fmt: skip
    audit = AuditEntry(id=ids.new("aud"), at=now, actor="cli", action="bench", target="")
    store.integrations.add(integration, audit=audit)
    services = Services(
        store=store, orders=None, templates=None, documents=None, connections=None,
        clock=clock, ids=ids, base_url="", knock=lambda _: "",
    )  # fmt: skip
    process = Bench()
    working = asyncio.create_task(
        Engine(
            kinds={"bench": process},
            services=services,
            live=live,
            settings=engine_settings(settings),
        ).run(stop)
    )
    watching = asyncio.create_task(live.run(store))

    def ended():
        return store.works.counts().get(WorkState.DONE, 0)

    async def done(number):
        while process.through < number:  # noqa: ASYNC110 - to count rows all the time costs a tenth
            await asyncio.sleep(0.05)
        while await asyncio.to_thread(ended) < number:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    store.works.add(rows(ids, clock, "warm", WARM))
    await done(WARM)
    made = rows(ids, clock, "bench", count)
    with timed() as found:
        await asyncio.to_thread(store.works.add, made)
        await done(WARM + count)
    stop.set()
    await working
    live.close()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    store.close()
    return found


# --- the library alone


async def bare(folder, count):
    """DBOS alone, with the same settings; its writers sleep while the file is locked."""
    kwargs = {"connect_args": {"factory": Durable}}
    return await alone(folder, count, kwargs)


async def turns(folder, count):
    """DBOS alone on our connections, whose writers wait for their turn."""
    return await alone(folder, count, None)


async def alone(folder, count, kwargs):
    """The control."""
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    from dbos import DBOS, SetWorkflowID

    where = Runtime(load_settings(data_dir=folder).store_url, threads=THREADS)._place()  # noqa: SLF001
    if kwargs is not None:
        where["db_engine_kwargs"] = kwargs
    DBOS(
        config={
            "name": "bench",
            "application_version": APPLICATION_VERSION,
            "executor_id": "bench",
            "serializer": JsonSerializer(),
            "use_listen_notify": False,
            "max_executor_threads": THREADS,
            "log_level": "WARNING",
            **where,
        }
    )

    @DBOS.workflow(name="two", max_recovery_attempts=5)
    async def two(work_id, run_number):  # noqa: ARG001 - as the engine's
        await DBOS.run_step_async({"name": "first#1"}, effect)
        await DBOS.run_step_async({"name": "second#1"}, effect)
        return {"state": "done", "note": "Done."}

    DBOS.launch()

    async def many(prefix, number):
        left = iter(range(number))

        async def loop():
            for one in left:
                with SetWorkflowID(f"int_1/{prefix}-{one}/1"):
                    handle = await DBOS.start_workflow_async(two, f"wrk_{one}", 1)
                await handle.get_result()

        await asyncio.gather(*(loop() for _ in range(IN_FLIGHT)))

    await many("warm", WARM)
    with timed() as found:
        await many("bench", count)
    await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
    return found


VARIANTS = {"engine": engine, "bare": bare, "turns": turns}


def one_round(variant, count):
    """A fresh store, a fresh process; seconds on the clock and on the processor."""
    folder = Path(tempfile.mkdtemp(prefix="inkwire-bench-"))
    try:
        migrate(load_settings(data_dir=folder))
        command = [sys.executable, "-m", "bench.workflows", "--count", str(count)]
        command += ["--variant", variant, "--folder", str(folder)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        return json.loads(done.stdout)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        set_up_logging(level="error", style="json")
        print(json.dumps(uvloop.run(VARIANTS[options.variant](options.folder, options.count))))
        return
    shares = {"bare": [], "turns": []}
    for _ in range(options.rounds):
        found = {variant: one_round(variant, options.count) for variant in (*shares, "engine")}
        for variant, took in found.items():
            print(
                f"sqlite {variant:7} {options.count / took['s']:>6.0f}/s  "
                f"{took['cpu_s'] / options.count * 1e6:>6.0f} us of a core a workflow",
                flush=True,
            )
        for control, rounds in shares.items():
            rounds.append([found[control][what] / found["engine"][what] for what in ("s", "cpu_s")])
    for control, name in (("bare", "bare DBOS (bar: 85 %)"), ("turns", "DBOS on our connections")):
        each = ", ".join(f"{share:.0%}" for share, _ in shares[control])
        wall, cpu = (statistics.median(column) for column in zip(*shares[control], strict=True))
        print(f"sqlite: {wall:.0%} of {name}, rounds {each}; by processor time {cpu:.0%}")


if __name__ == "__main__":
    main()
