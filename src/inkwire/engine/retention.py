"""Old runs are forgotten in small steps: steps and calls by the store, journals by the runtime.

So are Salesforce's Bulk jobs that ended as long ago; their Tasks stay.

Answers of commands, which hold values of both vendors, are kept for a day whatever was set.
"""

import asyncio
from datetime import timedelta

import structlog

from inkwire.clock import Clock
from inkwire.engine.runtime import Runtime
from inkwire.engine.waits import until
from inkwire.errors import StoreError
from inkwire.store.acting import Commands, RunLog
from inkwire.store.crm import BulkJobs

#: Seconds between two cleanings, and before the first.
EVERY_S, FIRST_S = 3600.0, 300.0
#: Rows in one transaction at most, and seconds that others get between two of them.
STEP, PAUSE_S = 200, 0.05

log = structlog.get_logger()


class Retention:
    """Deletes what ended longer ago than a number of days. The work rows themselves stay."""

    def __init__(
        self, *, run_log: RunLog, commands: Commands, bulk_jobs: BulkJobs, runtime: Runtime,
        clock: Clock, days: int,
    ) -> None:  # fmt: skip
        """A journal that is not open is left alone: it would cost memory for nothing."""
        self._run_log = run_log
        self._commands = commands
        self._bulk_jobs = bulk_jobs
        self._runtime = runtime
        self._clock = clock
        self._days = days

    async def run(self, stop: asyncio.Event) -> None:
        """Cleans now and then until `stop` is set."""
        wait_s = FIRST_S
        while True:
            await until(stop, wait_s)
            if stop.is_set():
                return
            wait_s = EVERY_S
            try:
                await self.once(stop)
            except StoreError as error:
                log.warning("retention.store_failed", error=error.message)
            except Exception:
                log.exception("retention.failed")

    async def once(self, stop: asyncio.Event) -> int:
        """Cleans until nothing old is left or `stop` is set; how much was deleted."""
        now = self._clock.now()
        before = now - timedelta(days=self._days)
        forgets = [
            lambda: self._run_log.forget(before=before, limit=STEP),
            lambda: self._bulk_jobs.forget(before=before, limit=STEP),
        ]
        if self._runtime.opened:
            forgets.append(lambda: self._runtime.forget(before=before, limit=STEP))
        total = await asyncio.to_thread(lambda: self._commands.forget(now=now))
        for forget in forgets:
            while not stop.is_set() and (count := await asyncio.to_thread(forget)) > 0:
                total += count
                await asyncio.sleep(PAUSE_S)
        return total
