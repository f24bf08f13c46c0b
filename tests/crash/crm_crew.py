"""Who carries out what is between Box and Salesforce: workers that die, and clocks that go on.

Workers are real processes that are killed where a test says, or at any moment; clocks go on only
when everybody waits.
"""

import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crash.nursery import Nursery, until
from crash.order_harness import HASTY, environment_of
from inkwire.hub import Hub
from inkwire.model.connection import ConnectionHealth
from inkwire.model.work import ParkCause, WorkState
from inkwire.store.acting import WorkQuery
from integrations.crm_kit import Crm

_WAITING = (WorkState.NEW, WorkState.RUNNING, WorkState.PARKED)
#: Seconds between two looks at the store: the workers need the machine.
_LOOK_S = 0.03
#: Seconds that a worker lives at most when it is killed at a moment of chance.
_LIFE_S = 4.0


class Crew:
    """One worker after the other, at one hub and one sandbox."""

    def __init__(
        self, hub: Hub, crm: Crm, nursery: Nursery, *, kills: Sequence[tuple[str, int]] = (),
        chances: int = 0, without: str = "", does: str = "kill",
        engine: Mapping[str, float] = HASTY,
    ) -> None:  # fmt: skip
        """`kills`: where each worker dies, and at which time that it comes by.

        `chances`: workers after those that die at a moment of chance. `without`: a safeguard to
        leave out. `does`: `stop` for workers that are stopped there instead. `engine`: its
        settings that differ from the product's.
        """
        self.hub = hub
        self.crm = crm
        self.nursery = nursery
        self.kills = kills
        self.chances = chances
        self.without = without
        self.does = does
        self.engine = engine
        self.workers: list[int] = []
        self.shift = 0.0
        self._chance = random.Random(chances)
        self._dies_at = float("inf")
        #: Workers that were killed at a moment of chance.
        self.by_chance = 0

    def start(self) -> None:
        """Another worker, killed where the next of `kills` says."""
        index, points = len(self.workers), []
        if index < len(self.kills):
            at, nth = self.kills[index]
            points.append({"at": at, "nth": nth, "do": self.does, "flag": str(self.flag(index))})
        self.workers.append(
            self.nursery.worker(
                {
                    "environment": environment_of(self.hub.settings),
                    "points": points,
                    "without": self.without,
                    "engine": dict(self.engine),
                    "upkeep": False,
                }
            )
        )
        at_random = index >= len(self.kills) and self.by_chance < self.chances
        life = self._chance.uniform(0.05, _LIFE_S) if at_random else float("inf")
        self._dies_at = time.monotonic() + life

    def killed(self) -> int:
        """How many workers died where they should."""
        return sum(self.flag(index).exists() for index in range(len(self.kills)))

    def stop(self) -> None:
        """No worker lives after this."""
        for pid in self.workers:
            self.nursery.end(pid)

    def carry_out(self, seconds: float = 600.0) -> None:
        """Until nothing is left but what waits for a record."""
        ends = time.monotonic() + seconds
        while not self._quiet():
            assert time.monotonic() < ends, f"it did not end within {seconds:g} s"
            time.sleep(_LOOK_S)

    def flag(self, index: int) -> Path:
        """Made by the worker that is struck."""
        return self.hub.settings.data_dir / f"struck-{index}"

    def _quiet(self) -> bool:
        self._tend()
        works, now = self.hub.store.works, self.hub.clock.now()
        if works.counts().get(WorkState.RUNNING):
            return False
        self._mend()
        due = works.next_due(now)
        if due is None:
            waiting = [
                row
                for state in _WAITING
                for row in works.page(WorkQuery(integration_id=1, state=state))
                if row.park_cause is not ParkCause.MAPPING
            ]
            return not waiting
        if due > now and not works.counts().get(WorkState.RUNNING):
            self._move_to((due - now).total_seconds())
        return False

    def _tend(self) -> None:
        """Kills whose time has come, and starts the next one."""
        if time.monotonic() >= self._dies_at and self.nursery.code(self.workers[-1]) is None:
            os.kill(self.workers[-1], signal.SIGKILL)
            self.by_chance += 1
            self._dies_at = float("inf")
        code = self.nursery.code(self.workers[-1])
        if code is None:
            return
        assert code == -signal.SIGKILL, f"the worker ended by itself with {code}"
        self.start()

    def _mend(self) -> None:
        """A person presses “Request authentication” when a connection asks for it."""
        connections = self.hub.store.connections
        for one in ("box", "salesforce"):
            if connections.get(one).health is ConnectionHealth.NEEDS_ATTENTION:
                self.hub.connections.check(one)

    def _move_to(self, ahead: float) -> None:
        """The clocks of hub and sandbox go on together."""
        self.crm.advance(ahead)
        self.shift += ahead
        moment = self.hub.clock.now()
        path = self.hub.settings.data_dir / "clock"
        new = path.with_suffix(".new")
        new.write_text(f"{self.shift:.6f}\n", "ascii")
        new.replace(path)
        until(lambda: (self.hub.clock.now() - moment).total_seconds() >= ahead, "the moved clock")

    def seen(self) -> dict[str, list[dict[str, Any]]]:
        """What stands in Salesforce, by its operator."""
        return {
            "files": self.crm.process.call("GET", "/salesforce/files"),
            "tasks": self.crm.all("Task"),
        }
