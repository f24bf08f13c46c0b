"""Many requests, one transaction: each waits for its own row only, and hears its own outcome."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import structlog

from inkwire.errors import StoreBusy, StoreError
from inkwire.ingest.limits import Backlog, Deadlines
from inkwire.ingest.metrics import Metrics
from inkwire.model.receipt import Stored
from inkwire.store.contract import Inbound, SealedIntake

log = structlog.get_logger(__name__)

Outcome = Stored | StoreError

#: Largest transaction.
MAX_ROWS, MAX_BYTES = 500, 8 * 1024 * 1024
#: What a waiting row holds besides its sealed bytes, in bodies: the body itself and the values
#: read from it, which take several times the room of their text.
HELD_BODIES = 3


class Commit(Protocol):
    """Puts sealed intakes on disk."""

    def start(self) -> None:
        """Begins; called on the running event loop."""
        ...

    def put(self, sealed: SealedIntake) -> "asyncio.Future[Outcome]":
        """The outcome to be: `Stored` only after it is on disk. Never an exception."""
        ...

    async def stop(self, *, grace_s: float) -> None:
        """Finishes what was put, for at most `grace_s` seconds."""
        ...


class _Waiter:
    """One row and the one who waits for it."""

    __slots__ = ("future", "held", "sealed", "size")

    def __init__(self, sealed: SealedIntake, future: "asyncio.Future[Outcome]") -> None:
        self.sealed = sealed
        self.size = sealed.size
        #: Bytes of memory until the commit is over, roughly.
        self.held = sealed.size + HELD_BODIES * len(sealed.intake.body)
        self.future = future


class GroupCommit:
    """One thread commits what is pending as soon as it is free, in the order it came.

    There is no artificial delay: a lone request is committed at once, and while its commit runs
    the next batch gathers. The event loop puts and answers; the thread only appends.
    """

    def __init__(
        self, inbound: Inbound, *, backlog: Backlog, metrics: Metrics, answer_timeout_s: float
    ) -> None:
        """`answer_timeout_s`: seconds after which a waiter hears StoreBusy."""
        self._inbound = inbound
        self._backlog = backlog
        self._metrics = metrics
        self._answer_timeout_s = answer_timeout_s
        self._pending: deque[_Waiter] = deque()
        self._lock = threading.Lock()
        #: Whether the thread is at work or asked to be. Guarded by the lock.
        self._working = False
        self._called = False
        self._stopped = False
        #: Rows not taken since the last that was.
        self._failing = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self) -> None:
        """Begins; called on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="group-commit")
        self._deadlines: Deadlines[asyncio.Future[Outcome]] = Deadlines(
            self._loop, self._answer_timeout_s, _too_late
        )

    def put(self, sealed: SealedIntake) -> "asyncio.Future[Outcome]":
        """The outcome to be. One that was not begun in time is dropped and hears StoreBusy."""
        future: asyncio.Future[Outcome] = self._loop.create_future()
        if self._stopped:
            future.set_result(StoreBusy("This process is stopping; send it again."))
            return future
        waiter = _Waiter(sealed, future)
        self._backlog.requests += 1
        self._backlog.bytes += waiter.held
        self._deadlines.add(future)
        self._pending.append(waiter)
        self._idle.clear()
        if not self._called:
            # After this turn of the loop, so that requests that came together go together.
            self._called = True
            self._loop.call_soon(self._wake)
        return future

    async def stop(self, *, grace_s: float) -> None:
        """Waits until everything put is committed, at most `grace_s` seconds; ends the thread."""
        self._stopped = True
        try:
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("commit_unfinished", requests=self._backlog.requests, waited_s=grace_s)
        self._deadlines.close()
        self._thread.shutdown(wait=self._idle.is_set())

    def _wake(self) -> None:
        self._called = False
        with self._lock:
            if self._working or not self._pending:
                return
            self._working = True
        self._thread.submit(self._work)

    def _work(self) -> None:
        """Runs on the thread until nothing is pending."""
        while batch := self._take():
            began = time.perf_counter()
            # Whoever heard StoreBusy meanwhile will send again: storing it now helps nobody.
            live = [waiter for waiter in batch if not waiter.future.done()]
            outcomes = self._append([waiter.sealed for waiter in live]) if live else []
            seconds = time.perf_counter() - began
            self._loop.call_soon_threadsafe(self._deliver, batch, live, outcomes, seconds)

    def _take(self) -> list[_Waiter]:
        batch: list[_Waiter] = []
        size = 0
        with self._lock:
            while self._pending and len(batch) < MAX_ROWS:
                size += self._pending[0].size
                if batch and size > MAX_BYTES:
                    break
                batch.append(self._pending.popleft())
            self._working = bool(batch)
        return batch

    def _append(self, rows: Sequence[SealedIntake]) -> Sequence[Outcome]:
        try:
            outcomes = self._inbound.append(rows)
        except StoreError as error:
            return [error] * len(rows)
        except Exception:
            log.exception("commit_failed", rows=len(rows))
            return [StoreError()] * len(rows)
        if len(outcomes) != len(rows):
            log.error("commit_outcomes_missing", rows=len(rows), outcomes=len(outcomes))
            return [StoreError()] * len(rows)
        return outcomes

    def _deliver(
        self,
        batch: Sequence[_Waiter],
        live: Sequence[_Waiter],
        outcomes: Sequence[Outcome],
        seconds: float,
    ) -> None:
        """Back on the loop: tells each waiter, and gives the room back."""
        for waiter, outcome in zip(live, outcomes, strict=True):
            self._count(outcome)
            if not waiter.future.done():
                waiter.future.set_result(outcome)
        for waiter in batch:
            self._deadlines.discard(waiter.future)
            self._backlog.requests -= 1
            self._backlog.bytes -= waiter.held
        if live:
            self._metrics.batch(len(live), seconds=seconds)
        if not self._backlog.requests:
            self._idle.set()

    def _count(self, outcome: Outcome) -> None:
        """Counts one row; logs when commits begin to fail and when they are well again."""
        if isinstance(outcome, Stored):
            self._metrics.committed += 1
            if self._failing:
                log.warning("commits_well_again", failed=self._failing)
                self._failing = 0
            return
        self._metrics.failed += 1
        self._failing += 1
        if self._failing == 1:
            log.warning("commits_failing", kind=outcome.code, help=outcome.message)


def _too_late(future: "asyncio.Future[Outcome]") -> None:
    if not future.done():
        future.set_result(StoreBusy("The commit was not over in time; send it again."))
