"""A real store, a toy business process, and engines at work: in this process or in others."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inkwire.clock import Clock, SystemClock
from inkwire.config import Settings, load_settings
from inkwire.engine.contract import Services
from inkwire.engine.engine import Engine
from inkwire.engine.settings import EngineSettings
from inkwire.ids import SortableIds
from inkwire.model.access import AuditEntry
from inkwire.model.work import Command, CommandKind, Integration, IntegrationState, Work, WorkState
from inkwire.store.contract import Store
from inkwire.store.live import LiveCounters
from inkwire.store.open import open_store

PROCESS = Path(__file__).with_name("acting_process.py")
WITHIN_S = 30.0
_OPEN = frozenset({WorkState.NEW, WorkState.RUNNING})


class Toy:
    """A business process of the workflows that a test gives it."""

    name = "toy"
    title = "Toy"
    summary = "For tests."
    provider = ""
    settings = events = ()

    def __init__(self, workflows=None, *, upkeep=(), events=()):
        self.workflows = workflows or {}
        self.upkeep = upkeep
        self.events = events

    def problems(self, integration, services):
        """None."""
        return ()

    def on_order(self, integration, order, *, change_id):
        """Nothing."""


@dataclass
class Site:
    """A store and what works on it."""

    settings: Settings
    store: Store
    clock: Clock
    ids: SortableIds
    connections: Any = None
    made: int = field(default=0)

    @property
    def services(self) -> Services:
        """What workflows get; the desks of other rooms are not there."""
        return Services(
            store=self.store, orders=None, templates=None, documents=None,
            connections=self.connections, clock=self.clock, ids=self.ids, base_url="", knock=lambda _: "",
        )  # fmt: skip

    def integration(self, state=IntegrationState.ACTIVE) -> Integration:
        """A new one of the toy kind."""
        now = self.clock.now()
        return self.store.integrations.add(
            Integration(
                id=0, kind="toy", name="Toy", state=state, settings={}, connection_id=None,
                created_at=now, updated_at=now,
            ),
            audit=self.audit(),
        )  # fmt: skip

    def audit(self) -> AuditEntry:
        """An audit entry that may be kept."""
        return AuditEntry(
            id=self.ids.new("aud"), at=self.clock.now(), actor="cli", action="test", target=""
        )

    def work(self, integration: Integration, workflow: str, **more) -> Work:
        """A row that is due, of an entity of its own."""
        self.made += 1
        now = self.clock.now()
        row = Work(
            **{
                "id": self.ids.new("wrk"), "integration_id": integration.id,
                "key": f"key-{self.made}", "workflow": workflow,
                "entity_key": f"thing:{self.made}", "due_at": now, "created_at": now, **more,
            }
        )  # fmt: skip
        assert self.store.works.add([row]) == [row.id]
        return row

    def command(self, kind: CommandKind, target: str) -> Command:
        """A command that was just given."""
        command = Command(
            id=self.ids.new("cmd"), kind=kind, target=target, created_at=self.clock.now(),
            created_by="cli",
        )  # fmt: skip
        self.store.commands.add(command)
        return command


@contextmanager
def site(folder: Path, url: str | None = None, clock: Clock | None = None):
    """A site whose store is migrated already, or lies at `url`."""
    settings = load_settings(data_dir=folder, database_url=url)
    clock = clock or SystemClock()
    ids = SortableIds(clock)
    store = open_store(settings, clock=clock, ids=ids)
    try:
        yield Site(settings=settings, store=store, clock=clock, ids=ids)
    finally:
        store.close()


def quick(settings: Settings, **more) -> EngineSettings:
    """An engine's settings with short waits."""
    return EngineSettings(
        **{
            "store_url": settings.store_url, "data_dir": settings.data_dir, "beat_s": 0.2,
            "dead_after_s": 1.0, "sweep_s": 0.3, "repair_s": 0.5, "unit_s": 0.002, "poll_s": 0.1,
            "grace_s": 5.0, **more,
        }
    )  # fmt: skip


@asynccontextmanager
async def engine(place: Site, kind: Toy, **more):
    """An engine at work in this process; stopped in order at the end."""
    live, stop = LiveCounters(), asyncio.Event()
    watching = asyncio.create_task(live.run(place.store))
    settings = quick(place.settings, **more)
    working = asyncio.create_task(
        Engine(kinds={"toy": kind}, services=place.services, live=live, settings=settings).run(stop)
    )
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(working, WITHIN_S)
        live.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def until(find, what="it"):
    """What `find` gives as soon as that is true."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        if found := await asyncio.to_thread(find):
            return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {WITHIN_S} s")


async def settled(place: Site, work: Work, *, run: int | None = None) -> Work:
    """The row, once that run (or its first) has ended."""

    def find():
        row = place.store.works.get(work.id)
        if run is not None:
            return row if row.run_number == run and row.state not in _OPEN else None
        return row if row.started_at is not None and row.state is not WorkState.RUNNING else None

    return await until(find, f"the end of {work.workflow}")


class Worker:
    """An engine in a process of its own; its effects are lines in a file of `folder`."""

    def __init__(self, folder: Path, data_dir: Path, url: str | None, *, release="old"):
        environment = {**os.environ, "INKWIRE_DATA_DIR": str(data_dir)}
        if url is not None:
            environment["INKWIRE_DATABASE_URL"] = url
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(PROCESS), str(folder), release], env=environment
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def at_gate(self) -> bool:
        """Whether its step waits."""
        return (self.folder / f"at-{self.pid}").exists()

    def open_gate(self) -> None:
        """Lets its step go on."""
        (self.folder / f"go-{self.pid}").touch()

    def effects(self) -> list[str]:
        """What it did outside, in order."""
        path = self.folder / "effects"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.split()[1] for line in lines if line.split()[0] == str(self.pid)]

    def kill(self) -> None:
        """Kills it, whatever it is doing."""
        self.process.kill()
        self.process.wait(10)
