"""A hub without its pages: the store, and the rooms that work on it.

Apart from `inkwire.app`, because a worker and the command line need no web framework: that is half
of their memory and of their start.
"""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from inkwire.access.gate import Gate
from inkwire.clock import Clock, SystemClock
from inkwire.config import Settings
from inkwire.engine.dispatch import Dispatcher
from inkwire.ids import Ids, SortableIds
from inkwire.providers.registry import Registry, registry
from inkwire.sources.desk import SourceDesk
from inkwire.sources.inbox import Inbox
from inkwire.store.contract import Store
from inkwire.store.open import open_store


@dataclass(frozen=True, kw_only=True, slots=True)
class Hub:
    """Everything one process needs, opened; use it in a `with` block."""

    settings: Settings
    clock: Clock
    ids: Ids
    registry: Registry
    store: Store
    desk: SourceDesk
    inbox: Inbox
    gate: Gate

    def close(self) -> None:
        """Closes the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_hub(settings: Settings, *, clock: Clock | None = None, ids: Ids | None = None) -> Hub:
    """Opens the store and builds what works on it.

    Raises ConfigError or CipherError if the store or its master key cannot be opened. Does not
    migrate: see `inkwire.store.open.migrate`.
    """
    clock = clock or SystemClock()
    ids = ids or SortableIds(clock)
    store = open_store(settings, clock=clock, ids=ids)
    return Hub(
        settings=settings,
        clock=clock,
        ids=ids,
        registry=registry(),
        store=store,
        desk=SourceDesk(
            store=store,
            registry=registry(),
            clock=clock,
            ids=ids,
            base_url=settings.base_url,
            max_body_bytes=settings.max_body_bytes,
        ),
        inbox=Inbox(store=store, clock=clock, ids=ids),
        gate=Gate(store=store, clock=clock, ids=ids, session_hours=settings.session_hours),
    )


async def run_worker(hub: Hub, stop: asyncio.Event) -> None:
    """Hands on events until `stop` is set; returns when the batch in progress is finished."""
    await Dispatcher(store=hub.store, registry=hub.registry).run(stop)
