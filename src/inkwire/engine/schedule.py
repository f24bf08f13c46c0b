"""Upkeep: work that the clock makes, once a slot for each integration that wants it.

A slot's work has the key `WORKFLOW/SLOT`, so any number of workers may plan it. Integrations of one
kind do not all begin in the same second: each has an offset of its own, always the same.
"""

import asyncio
import zlib
from collections.abc import Mapping
from datetime import datetime

import structlog

from inkwire.clock import Clock
from inkwire.engine.contract import IntegrationKind, Upkeep
from inkwire.engine.waits import until
from inkwire.errors import StoreError
from inkwire.ids import Ids
from inkwire.model.event import Origin
from inkwire.model.work import Integration, IntegrationState, Work, WorkState
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import Store

_OPEN = frozenset({WorkState.NEW, WorkState.RUNNING, WorkState.PARKED})

log = structlog.get_logger()


def slot_of(integration_id: int, upkeep: Upkeep, now: datetime) -> int:
    """Number of the slot that `now` lies in."""
    offset = zlib.crc32(f"{integration_id}/{upkeep.workflow}".encode()) % upkeep.every_s
    return (int(now.timestamp()) + offset) // upkeep.every_s


def is_upkeep(work: Work) -> bool:
    """Whether the clock made it, so that the clock will make it again."""
    return work.entity_key.startswith("integration:")


class Schedule:
    """Plans upkeep."""

    def __init__(
        self, *, store: Store, kinds: Mapping[str, IntegrationKind], clock: Clock, ids: Ids,
        every_s: float,
    ) -> None:  # fmt: skip
        """`every_s`: seconds between two looks at the clock."""
        self._store = store
        self._kinds = {name: kind for name, kind in kinds.items() if kind.upkeep}
        self._clock = clock
        self._ids = ids
        self._every_s = every_s
        #: Slots that were seen to: (integration, workflow) → slot.
        self._done: dict[tuple[int, str], int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Plans until `stop` is set."""
        while not stop.is_set():
            try:
                await asyncio.to_thread(self.once)
            except StoreError as error:
                log.warning("schedule.store_failed", error=error.message)
            await until(stop, self._every_s)

    def once(self) -> int:
        """Makes what is missing in the present slots; how many rows that were."""
        if not self._kinds:
            return 0
        now, made = self._clock.now(), 0
        for integration in self._store.integrations.all():
            kind = self._kinds.get(integration.kind)
            for upkeep in kind.upkeep if kind is not None else ():
                slot = slot_of(integration.id, upkeep, now)
                name = (integration.id, upkeep.workflow)
                if _wanted(integration, upkeep) and self._done.get(name) != slot:
                    made += self._make(integration, upkeep, slot, now)
                    self._done[name] = slot
        return made

    def _make(self, integration: Integration, upkeep: Upkeep, slot: int, now: datetime) -> int:
        """Nothing while an earlier one is unfinished: they would only queue up."""
        works, workflow = self._store.works, upkeep.workflow
        if any(
            works.page(
                WorkQuery(integration_id=integration.id, workflow=workflow, state=state, limit=1)
            )
            for state in _OPEN
        ):
            return 0
        row = Work(
            id=self._ids.new("wrk"),
            integration_id=integration.id,
            key=f"{workflow}/{slot}",
            workflow=workflow,
            entity_key=f"integration:{integration.id}:{workflow}",
            origin=Origin.RECONCILED,
            due_at=now,
            created_at=now,
        )
        return len(works.add([row]))


def _wanted(integration: Integration, upkeep: Upkeep) -> bool:
    return integration.state is IntegrationState.ACTIVE or (
        upkeep.inactive_too and integration.state is IntegrationState.INACTIVE
    )
