"""One watcher per process feeds every page that waits for news."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog

from inkwire.errors import StoreError
from inkwire.store.contract import Store

log = structlog.get_logger()


class LiveCounters:
    """The change counters as last seen; wakes whoever waits for them to move."""

    def __init__(self, *, retry_s: float = 1.0) -> None:
        """Starts with no counters; `run` fills them. `retry_s`: pause after the store failed."""
        self._retry_s = retry_s
        self._counters: Mapping[str, int] = {}
        self._moved = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the process is stopping: a stream that waits here should end."""
        return self._closed

    def counters(self) -> Mapping[str, int]:
        """The counters as last seen, by topic."""
        return self._counters

    async def changed(self, seen: Mapping[str, int], *, timeout_s: float) -> Mapping[str, int]:
        """Returns the counters once one differs from `seen`, at closing, or after `timeout_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._counters == seen and not self._closed:
                    await self._moved.wait()
        return self._counters

    async def run(self, store: Store) -> None:
        """Follows the store until cancelled; whatever fails is tried again after a pause."""
        while True:
            try:
                async for counters in store.watch():
                    self._tell(counters)
            except StoreError as error:
                log.warning("live.store_failed", error=error.message, retry_s=self._retry_s)
            except Exception:
                # Without this task no change of a source would ever take effect in this process.
                log.exception("live.failed", retry_s=self._retry_s)
            await asyncio.sleep(self._retry_s)

    def close(self) -> None:
        """Ends every wait: the process is stopping."""
        self._closed = True
        self._tell(self._counters)

    def _tell(self, counters: Mapping[str, int]) -> None:
        self._counters = counters
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
