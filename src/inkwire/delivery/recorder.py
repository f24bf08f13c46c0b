"""What came of attempts, committed in groups: what an endpoint got must not be sent again.

Beside the sender's claims, so that a store which is slow or fails for a while costs time only.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from inkwire.delivery.standing import Standing
from inkwire.errors import StoreError
from inkwire.model.message import AttemptResult, Exchange
from inkwire.store.sending import Completion, Notice, Outbox

#: Completions recorded in one transaction at most: under 10 ms of a store's time (200 took 5 to
#: 17).
BATCH = 100
#: Seconds for which what is finished gathers before it is recorded: twice as much a transaction.
GATHER_S = 0.003
#: Longest pause between two tries once the process is stopping: its time is short.
LAST_RETRY_S = 0.25

log = structlog.get_logger()


class Recorder:
    """Takes completions, and keeps at it until the store has them."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        store: Standing,
        notice: Notice,
        retry_s: float,
        recorded: Callable[[Sequence[Completion]], None],
    ) -> None:
        """`store` runs the calls of `outbox`; `notice` makes the messages of what changed.

        `retry_s`: seconds to wait after the store failed before it is asked again. `recorded`
        hears of those that need no more care, at the latest when `run` returns.
        """
        self._outbox = outbox
        self._store = store
        self._notice = notice
        self._retry_s = retry_s
        self._recorded = recorded
        self._done: deque[Completion] = deque()
        self._finished = asyncio.Event()
        #: Loop time at which it gives up; None: something may still come.
        self._until: float | None = None

    def add(self, completion: Completion) -> None:
        """To be recorded soon."""
        self._done.append(completion)
        self._finished.set()

    def end(self, *, until: float) -> None:
        """Nothing more comes; what the store does not take until then (loop time) is given up."""
        self._until = until
        self._finished.set()

    async def run(self) -> None:
        """Commits batch after batch until `end`; while one commits the next one gathers."""
        while True:
            await self._finished.wait()
            if len(self._done) < BATCH and self._until is None:
                await asyncio.sleep(GATHER_S)
            self._finished.clear()
            while self._done:
                some = [self._done.popleft() for _ in range(min(len(self._done), BATCH))]
                await self._commit(some)
                self._recorded(some)
            if self._until is not None:
                return

    async def _commit(self, some: Sequence[Completion]) -> None:
        """Until the store takes them.

        What the store cannot take for a fault of our own is tried alone, without what was heard,
        and at last left to the end of its lease.
        """
        try:
            kept = await self._kept(some)
        except Exception:
            log.exception("sender.record_failed", deliveries=len(some))
            if len(some) > 1:
                for item in some:
                    await self._commit([item])
            elif some[0].exchange.result is not AttemptResult.INTERNAL:
                await self._commit([_without_answer(some[0])])
            return
        for item, mine in zip(some, kept, strict=True):
            if not mine:
                log.warning("sender.taken_over", delivery_id=item.delivery_id)

    async def _kept(self, some: Sequence[Completion]) -> Sequence[bool]:
        """What the store says of them; a store that cannot just now is asked again."""
        while True:
            try:
                return await self._store(lambda: self._outbox.complete(some, notice=self._notice))
            except StoreError as error:
                pause_s = self._pause_s()
                if pause_s <= 0:
                    _given_up(some, error)
                    return [True] * len(some)
                log.warning("sender.not_recorded", error=error.message, retry_s=pause_s)
                await asyncio.sleep(pause_s)

    def _pause_s(self) -> float:
        """Seconds until the next try; none when the time is over."""
        if self._until is None:
            return self._retry_s
        left_s = self._until - asyncio.get_running_loop().time()
        return min(self._retry_s, LAST_RETRY_S, left_s)


def _given_up(some: Sequence[Completion], error: StoreError) -> None:
    log.error(
        "sender.unrecorded",
        error=error.message,
        delivery_ids=[item.delivery_id for item in some],
        advice="These were sent, and this process had to end before the store took that; they are "
        "sent again when their leases end. A longer INKWIRE_SHUTDOWN_GRACE_S leaves it more time.",
    )


def _without_answer(item: Completion) -> Completion:
    exchange = Exchange(
        result=AttemptResult.INTERNAL,
        detail="Inkwire could not record what came back; its log says why.",
        started_at=item.exchange.started_at,
        duration_s=item.exchange.duration_s,
    )
    return replace(item, exchange=exchange)
