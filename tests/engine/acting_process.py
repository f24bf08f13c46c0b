"""A worker with the toy process: argv is a folder for gates and effects, and the release."""

import asyncio
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from engine.acting import Toy, quick
from inkwire.clock import SystemClock
from inkwire.config import load_settings
from inkwire.engine.contract import Outcome, Services
from inkwire.engine.engine import Engine
from inkwire.errors import Fenced, Transient
from inkwire.ids import SortableIds
from inkwire.model.work import LedgerEntry, LedgerState
from inkwire.store.live import LiveCounters
from inkwire.store.open import open_store

FOLDER, RELEASE = Path(sys.argv[1]), sys.argv[2]


def effect(name):
    """Does something that the world sees; a line each."""
    with (FOLDER / "effects").open("a") as file:
        file.write(f"{os.getpid()} {name}\n")
    return name


def gate():
    """Says that it is there, and waits."""
    (FOLDER / f"at-{os.getpid()}").touch()
    while not (FOLDER / f"go-{os.getpid()}").exists():
        time.sleep(0.01)


def shaky(run):
    """The first try fails; the second one waits at the gate, and then sends, fenced."""
    if not (FOLDER / "shaken").exists():
        (FOLDER / "shaken").touch()
        raise Transient("Shaken.")
    ledger = run.services.store.ledger
    fence = ledger.get("the/create").fence
    gate()
    now = run.services.clock.now()
    if ledger.send("the/create", fence=fence, run_id=run.work.run_id, at=now) is None:
        raise Fenced
    return effect("sent")


def intend(run):
    """The ledger's entry."""
    work = run.work
    run.services.store.ledger.intend(
        LedgerEntry(
            key="the/create", kind="create", integration_id=work.integration_id, work_id=work.id,
            entity_key=work.entity_key, state=LedgerState.INTENDED, fence=0,
            updated_at=run.services.clock.now(),
        )
    )  # fmt: skip
    return effect("intended")


async def old(run):
    """Three steps."""
    await run.step("intend", partial(intend, run))
    await run.step("send", partial(shaky, run))
    await run.step("after", lambda: effect("after"))
    return Outcome.done("Done by the old release.")


async def new(run):
    """The same beginning, another end."""
    await run.step("intend", partial(intend, run))
    await run.step("send", partial(shaky, run))
    await run.step("after_more", lambda: effect("after-more"))
    return Outcome.done("Done by the new release.")


def fatal():
    """Kills its worker, the first time."""
    if not (FOLDER / "died").exists():
        (FOLDER / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return effect("survived")


async def dies(run):
    """Two steps, and one that kills the worker."""
    await run.step("one", lambda: effect("one"))
    await run.step("two", lambda: effect("two"))
    await run.step("fatal", fatal)
    return Outcome.done("Survived.")


async def changed(run):
    """The same beginning, another step in the second place."""
    await run.step("one", lambda: effect("one"))
    await run.step("other", lambda: effect("other"))
    return Outcome.done("Changed.")


async def main():
    """Until SIGTERM."""
    settings, clock, stop = load_settings(), SystemClock(), asyncio.Event()
    ids = SortableIds(clock)
    store = open_store(settings, clock=clock, ids=ids)
    live = LiveCounters()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    watching = asyncio.create_task(live.run(store))
    services = Services(
        store=store, orders=None, templates=None, documents=None, connections=None,
        clock=clock, ids=ids, base_url="", knock=lambda _: "",
    )  # fmt: skip
    workflow = {"old": old, "new": new, "dies": dies, "changed": changed}[RELEASE]
    kinds = {"toy": Toy({"three": workflow})}
    # A note waits until its run ends, so that a kill before that finds it unwritten.
    waits = quick(settings, note_s=600.0) if RELEASE in ("dies", "changed") else quick(settings)
    await Engine(kinds=kinds, services=services, live=live, settings=waits).run(stop)
    watching.cancel()
    store.close()


asyncio.run(main())
