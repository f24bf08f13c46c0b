"""The sender: leases due deliveries, sends them side by side, records what came of each.

A delivery is claimed, sent, and recorded with a fence: whatever happens to this process, its
claims come due again when their lease ends, and what it records after that is not taken.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import structlog

from inkwire.clock import Clock
from inkwire.delivery.decide import decide
from inkwire.delivery.echoes import without_echoes
from inkwire.delivery.fan_out import FanOut
from inkwire.delivery.notices import Notices
from inkwire.delivery.profiles import PROFILES, signed
from inkwire.delivery.standing import Standing
from inkwire.errors import InkwireError, StoreError
from inkwire.ids import Ids
from inkwire.model.message import AttemptResult, Claimed, Exchange, TextHeaders
from inkwire.store.contract import MESSAGE, Live, Store
from inkwire.store.sending import Completion

#: Messages fanned out, and completions recorded, in one transaction at most: under 10 ms of a
#: store's time (200 completions took 5 to 17).
BATCH = 100
#: Deliveries claimed in one.
MANY = 200
#: Seconds after which a request does not count among those in flight, and how many such there may
#: be: each holds a connection.
SLOW_S, MAX_SLOW = 1.0, 2000
#: Bytes of payloads being sent above which nothing more is claimed.
MAX_HELD_BYTES = 64 * 1024 * 1024
#: Deliveries of one webhook in one claim at most; its own limit may be lower.
SHARE = 20
#: Seconds after which another worker takes over: longer than any profile's timeout (30 s).
LEASE_S = 40.0
#: Seconds of the lease that are kept for recording what came of an attempt.
SLACK_S = 5.0
#: Seconds for which what is finished gathers before it is recorded: twice as much a transaction.
GATHER_S = 0.003
#: Seconds without news after which the store is asked when the next one is due.
LULL_S = 0.25
#: Longest wait without asking the store: what a dead worker held moves no counter.
SWEEP_S = 5.0

log = structlog.get_logger()


class Post(Protocol):
    """How a request is sent; `inkwire.outbound` does. Never raises for what an endpoint does."""

    async def __call__(
        self,
        url: str,
        *,
        headers: TextHeaders,
        body: bytes,
        timeout_s: float,
        connect_timeout_s: float,
    ) -> Exchange:
        """One POST, whatever comes of it."""
        ...


class Sender:
    """Sends what is due, until it is stopped."""

    def __init__(
        self,
        *,
        store: Store,
        live: Live,
        post: Post,
        clock: Clock,
        ids: Ids,
        random: Callable[[], float],
        in_flight: int,
        retry_s: float = 1.0,
        lease_s: float = LEASE_S,
        sweep_s: float = SWEEP_S,
        slow_s: float = SLOW_S,
    ) -> None:
        """`in_flight`: requests at the same time; `random`: jitter, in [0, 1).

        A request that takes longer than `slow_s` seconds no longer counts, so that endpoints that
        hang cannot take every place.

        `retry_s`: seconds to wait after the store failed before it is asked again. `lease_s`:
        seconds after which another worker takes a claim over. `sweep_s`: longest wait without
        asking the store.
        """
        self._outbox = store.outbox
        self._live = live
        self._post = post
        self._clock = clock
        self._ids = ids
        self._random = random
        self._in_flight = in_flight
        self._retry_s = retry_s
        self._lease_s = lease_s
        self._sweep_s = sweep_s
        self._slow_s = slow_s
        #: Feeding and recording, and what is given back.
        self._store = Standing(threads=3)
        self._fan_out = FanOut(ids)
        self._notice = Notices(ids)
        self._sending: set[asyncio.Task[None]] = set()
        self._done: deque[Completion] = deque()
        #: Claims that are sent, or sent and not yet recorded.
        self._held = 0
        #: The counter of messages when the last fan-out found none.
        self._fanned: int | None = None
        self._fanned_at = 0.0
        #: Bytes of the payloads that are being sent.
        self._held_bytes = 0
        #: Deliveries whose endpoint has not answered for a while.
        self._slow: set[str] = set()
        self._finished = asyncio.Event()
        self._free = asyncio.Event()
        self._drained = asyncio.Event()

    async def run(self, stop: asyncio.Event, *, grace_s: float = 15.0) -> None:
        """Sends until `stop` is set; then finishes what is on its way, for `grace_s` seconds."""
        recording = asyncio.create_task(self._record())
        try:
            await self._feed(stop)
            if self._sending:
                await asyncio.wait(self._sending, timeout=grace_s)
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
            self._drained.set()
            self._finished.set()
            await recording
            self._store.close()

    # --- claims

    async def _feed(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            seen = self._live.counters()
            self._free.clear()
            try:
                busy = await self._round(seen.get(MESSAGE))
                if not busy:
                    await self._news(stop, seen)
            except StoreError as error:
                log.warning("sender.store_failed", error=error.message, retry_s=self._retry_s)
                await self._wait(stop, timeout_s=self._retry_s)

    async def _round(self, news: int | None) -> bool:
        """Fans out and claims once; whether there is likely to be more at once."""
        fanned, clock = 0, asyncio.get_running_loop().time()
        # By time too: what another worker had locked when it died moves no counter.
        if news is None or news != self._fanned or clock - self._fanned_at > self._sweep_s:
            fanned = await self._store(lambda: self._outbox.fan_out(BATCH, self._fan_out))
            self._fanned, self._fanned_at = (news if fanned == 0 else None), clock
        room = self._in_flight - (self._held - min(len(self._slow), MAX_SLOW))
        if room <= 0 or self._held_bytes >= MAX_HELD_BYTES:
            return fanned > 0
        now = self._clock.now()
        claimed = await self._store(
            lambda: self._outbox.claim(
                now=now, limit=min(room, MANY), share=SHARE, lease_s=self._lease_s
            )
        )
        self._held += len(claimed)
        self._held_bytes += sum(len(claim.body) for claim in claimed)
        for claim in claimed:
            task = asyncio.create_task(self._send(claim))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return fanned > 0 or bool(claimed)

    async def _news(self, stop: asyncio.Event, seen: Mapping[str, int]) -> None:
        """Waits for a commit by anybody, for room, for the next one due, or for the sweep.

        What is due next is asked for in a lull only: under load something happens before that.
        """
        if await self._heard(stop, seen, timeout_s=min(LULL_S, self._sweep_s)):
            return
        _, due = await self._store(lambda: self._outbox.waiting(self._clock.now()))
        wait_s = self._sweep_s
        if due is not None and self._held - len(self._slow) < self._in_flight:
            wait_s = min(self._sweep_s, max(0.01, (due - self._clock.now()).total_seconds()))
        await self._heard(stop, seen, timeout_s=wait_s)

    async def _heard(
        self, stop: asyncio.Event, seen: Mapping[str, int], *, timeout_s: float
    ) -> bool:
        """Waits for news; whether there were any."""
        changed = self._live.changed(seen, timeout_s=timeout_s)
        await self._wait(stop, changed, self._free.wait(), timeout_s=timeout_s)
        return stop.is_set() or self._free.is_set() or self._live.counters() != seen

    async def _wait(
        self, stop: asyncio.Event, *others: Awaitable[object], timeout_s: float
    ) -> None:
        waits = [asyncio.ensure_future(one) for one in (stop.wait(), *others)]
        try:
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    # --- one attempt

    async def _send(self, claim: Claimed) -> None:
        patience = asyncio.get_running_loop().call_later(self._slow_s, self._grows_slow, claim)
        try:
            if self._too_late(claim, PROFILES[claim.target.profile].timeout_s):
                with suppress(StoreError):  # its lease ends all the same
                    await self._store(lambda: self._outbox.let_go([claim]))
                self._held -= 1
                self._free.set()
                return
            exchange = await self._attempt(claim)
            self._done.append(self._completion(claim, exchange))
            self._finished.set()
        finally:
            patience.cancel()
            self._slow.discard(claim.delivery.id)
            self._held_bytes -= len(claim.body)

    def _grows_slow(self, claim: Claimed) -> None:
        """Its endpoint lets us wait: it takes nobody's place any more."""
        self._slow.add(claim.delivery.id)
        self._free.set()

    def _too_late(self, claim: Claimed, timeout_s: float) -> bool:
        """Whether the lease could end before the attempt does (this process was stopped)."""
        until = claim.delivery.claimed_until
        needed = timedelta(seconds=timeout_s + SLACK_S)
        return until is not None and self._clock.now() + needed > until

    async def _attempt(self, claim: Claimed) -> Exchange:
        """One request, whatever comes of it; a fault of our own is recorded like any other."""
        profile = PROFILES[claim.target.profile]
        try:
            request = signed(claim, self._clock.now())
            exchange = await self._post(
                request.url,
                headers=request.headers,
                body=request.body,
                timeout_s=profile.timeout_s,
                connect_timeout_s=profile.connect_timeout_s,
            )
            return without_echoes(exchange, claim.target.headers)
        except InkwireError as error:
            return self._fault(error.message)
        except Exception:
            log.exception("sender.attempt_failed", delivery_id=claim.delivery.id)
            return self._fault("Inkwire could not send this; its log says why.")

    def _fault(self, detail: str) -> Exchange:
        return Exchange(
            result=AttemptResult.INTERNAL,
            detail=detail,
            started_at=self._clock.now(),
            duration_s=0.0,
        )

    def _completion(self, claim: Claimed, exchange: Exchange) -> Completion:
        decision = decide(
            PROFILES[claim.target.profile],
            claim.delivery,
            exchange,
            now=self._clock.now(),
            jitter=self._random(),
        )
        return Completion(
            delivery_id=claim.delivery.id,
            fence=claim.delivery.fence,
            attempt_id=self._ids.new("att"),
            address=claim.target.address,
            exchange=exchange,
            decision=decision,
        )

    # --- records

    async def _record(self) -> None:
        """Commits what is finished, batch after batch; while one commits the next one gathers."""
        while True:
            await self._finished.wait()
            if len(self._done) < BATCH and not self._drained.is_set():
                await asyncio.sleep(GATHER_S)
            self._finished.clear()
            while self._done:
                some = [self._done.popleft() for _ in range(min(len(self._done), BATCH))]
                await self._commit(some)
                self._held -= len(some)
                self._free.set()
            if self._drained.is_set():
                return

    async def _commit(self, some: Sequence[Completion]) -> None:
        """Until the store takes them: what an endpoint got must not be sent again for its sake.

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
                fault = self._fault("Inkwire could not record what came back; its log says why.")
                await self._commit([replace(some[0], exchange=fault)])
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
                log.warning("sender.not_recorded", error=error.message, retry_s=self._retry_s)
                if self._drained.is_set():
                    return [True] * len(some)
                await asyncio.sleep(self._retry_s)
