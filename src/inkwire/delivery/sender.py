"""The sender: leases due deliveries, sends them side by side, records what came of each.

A delivery is claimed, sent, and recorded with a fence: whatever happens to this process, its
claims come due again when their lease ends, and what it records after that is not taken. While it
runs it renews the leases of what it has in hand, so that nothing comes due that is only slow.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from inkwire.clock import Clock
from inkwire.delivery.decide import decide
from inkwire.delivery.echoes import without_echoes
from inkwire.delivery.fan_out import FanOut
from inkwire.delivery.notices import Notices
from inkwire.delivery.profiles import PROFILES, signed
from inkwire.delivery.recorder import Recorder
from inkwire.delivery.standing import Standing
from inkwire.errors import InkwireError, StoreError
from inkwire.ids import Ids
from inkwire.model.message import AttemptResult, Claimed, Exchange, TextHeaders
from inkwire.store.contract import MESSAGE, Live, Store
from inkwire.store.sending import Completion

#: Messages fanned out in one transaction at most.
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
#: Seconds after which another worker takes over: longer than any profile's timeout (30 s). A lease
#: of which less than half is left is renewed.
LEASE_S = 40.0
#: Seconds that are kept for recording what came of an attempt: of the lease, and of the time to
#: stop (a third of that at most).
SLACK_S = 5.0
#: Seconds without news after which the store is asked when the next one is due.
LULL_S = 0.25
#: Longest wait without asking the store: what a dead worker held moves no counter.
SWEEP_S = 5.0

_NEVER = datetime.max.replace(tzinfo=UTC)
_CUT_OFF = (
    "Inkwire stopped before the endpoint had answered. It may have taken this, and gets it again."
)

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
        self._recorder = Recorder(
            outbox=store.outbox,
            store=self._store,
            notice=Notices(ids),
            retry_s=retry_s,
            recorded=self._recorded,
        )
        self._sending: set[asyncio.Task[None]] = set()
        #: What is being sent, or was sent and is not yet recorded, by delivery.
        self._hand: dict[str, Claimed] = {}
        #: When the first lease of these is half over; None: nothing is in hand.
        self._renew_at: datetime | None = None
        #: The counter of messages when the last fan-out found none.
        self._fanned: int | None = None
        self._fanned_at = 0.0
        #: Bytes of the payloads that are being sent.
        self._held_bytes = 0
        #: Deliveries whose endpoint has not answered for a while.
        self._slow: set[str] = set()
        self._free = asyncio.Event()

    async def run(self, stop: asyncio.Event, *, grace_s: float = 15.0) -> None:
        """Sends until `stop` is set; then finishes and records what is on its way.

        Within `grace_s` seconds of the stop, whatever the sender was at. Endpoints that have not
        answered when the time left is needed for recording are not waited for: those attempts are
        recorded as cut off, and repeated by their schedule.
        """
        recording = asyncio.create_task(self._recorder.run())
        stopped = asyncio.create_task(_moment(stop))
        try:
            await self._feed(stop)
        finally:
            now = asyncio.get_running_loop().time()
            await self._finish((stopped.result() if stopped.done() else now) + grace_s, grace_s)
            stopped.cancel()
            await recording
            self._store.close()

    async def _finish(self, ends_at: float, grace_s: float) -> None:
        """Waits for the endpoints, then leaves the rest of the time to the recorder."""
        wait_s = ends_at - min(SLACK_S, grace_s / 3) - asyncio.get_running_loop().time()
        if self._sending:
            await asyncio.wait(self._sending, timeout=max(0.0, wait_s))
        if self._sending:
            log.warning("sender.cut_off", deliveries=len(self._sending), waited_s=round(wait_s, 1))
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._recorder.end(until=ends_at)

    # --- claims

    async def _feed(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            seen = self._live.counters()
            self._free.clear()
            try:
                busy = await self._round(stop, seen.get(MESSAGE))
                if not busy:
                    await self._news(stop, seen)
            except StoreError as error:
                log.warning("sender.store_failed", error=error.message, retry_s=self._retry_s)
                await self._wait(stop, timeout_s=self._retry_s)

    async def _round(self, stop: asyncio.Event, news: int | None) -> bool:
        """Renews, fans out and claims once; whether there is likely to be more at once."""
        await self._renew()
        fanned, clock = 0, asyncio.get_running_loop().time()
        # By time too: what another worker had locked when it died moves no counter.
        if news is None or news != self._fanned or clock - self._fanned_at > self._sweep_s:
            fanned = await self._store(lambda: self._outbox.fan_out(BATCH, self._fan_out))
            self._fanned, self._fanned_at = (news if fanned == 0 else None), clock
        room = self._in_flight - (len(self._hand) - min(len(self._slow), MAX_SLOW))
        if room <= 0 or self._held_bytes >= MAX_HELD_BYTES or stop.is_set():
            return fanned > 0
        now = self._clock.now()
        claimed = await self._store(
            lambda: self._outbox.claim(
                now=now, limit=min(room, MANY), share=SHARE, lease_s=self._lease_s
            )
        )
        if stop.is_set():
            await self._give_back(claimed)
        else:
            self._begin(claimed, now)
        return fanned > 0 or bool(claimed)

    def _begin(self, claimed: Sequence[Claimed], now: datetime) -> None:
        for claim in claimed:
            self._hand[claim.delivery.id] = claim
            self._held_bytes += len(claim.body)
            task = asyncio.create_task(self._send(claim))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        if claimed and self._renew_at is None:
            self._renew_at = now + timedelta(seconds=self._lease_s / 2)

    async def _renew(self) -> None:
        """Leases anew what has been in hand for long.

        Before each claim, for a lease may have ended while this process stood still or the store
        was away: its delivery would be claimed, and sent beside the attempt that is under way.
        """
        now = self._clock.now()
        if self._renew_at is None or now < self._renew_at:
            return
        half = timedelta(seconds=self._lease_s / 2)
        old = [claim for claim in self._hand.values() if _leased_until(claim) - half <= now]
        if old:
            until = now + 2 * half
            await self._store(lambda: self._outbox.renew(old, until=until))
            for claim in old:
                if self._hand.get(claim.delivery.id) is claim:
                    delivery = replace(claim.delivery, claimed_until=until)
                    self._hand[delivery.id] = replace(claim, delivery=delivery)
        first = min(map(_leased_until, self._hand.values()), default=None)
        self._renew_at = None if first is None else first - half

    async def _give_back(self, claims: Sequence[Claimed]) -> None:
        """They were not sent. If the store does not take them, their leases end all the same."""
        with suppress(StoreError):
            await self._store(lambda: self._outbox.let_go(claims))

    def _recorded(self, some: Sequence[Completion]) -> None:
        for item in some:
            self._put_down(item.delivery_id, item.fence)

    def _put_down(self, delivery_id: str, fence: int) -> None:
        """No longer in hand under this fence; it may have been claimed anew meanwhile."""
        held = self._hand.get(delivery_id)
        if held is not None and held.delivery.fence == fence:
            del self._hand[delivery_id]
        self._free.set()

    async def _news(self, stop: asyncio.Event, seen: Mapping[str, int]) -> None:
        """Waits for a commit by anybody, for room, for the next one due, or for the sweep.

        What is due next is asked for in a lull only: under load something happens before that.
        """
        if await self._heard(stop, seen, timeout_s=min(LULL_S, self._sweep_s)):
            return
        _, due = await self._store(lambda: self._outbox.waiting(self._clock.now()))
        wait_s = self._sweep_s
        if due is not None and len(self._hand) - len(self._slow) < self._in_flight:
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
                await self._give_back([claim])
                self._put_down(claim.delivery.id, claim.delivery.fence)
                return
            exchange = await self._attempt(claim)
            self._recorder.add(self._completion(claim, exchange))
        except BaseException:
            # Else its lease would be renewed for ever.
            self._put_down(claim.delivery.id, claim.delivery.fence)
            raise
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
        started_at, began = self._clock.now(), asyncio.get_running_loop().time()
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
        except asyncio.CancelledError:
            # By `_finish` only. It may have been heard, so it is an attempt.
            return Exchange(
                result=AttemptResult.INTERNAL,
                detail=_CUT_OFF,
                started_at=started_at,
                duration_s=asyncio.get_running_loop().time() - began,
            )
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


async def _moment(event: asyncio.Event) -> float:
    """When it was set, in the loop's time."""
    await event.wait()
    return asyncio.get_running_loop().time()


def _leased_until(claim: Claimed) -> datetime:
    return claim.delivery.claimed_until or _NEVER
