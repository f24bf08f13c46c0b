"""A sender that is told to stop, or whose store or endpoints are slow: nothing is sent twice."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from delivery.sending_kit import (
    WITHIN_S,
    deliveries,
    done,
    publish,
    sending,
    subscribe,
    until,
)
from inkwire.delivery.sender import LEASE_S
from inkwire.errors import StoreBusy
from inkwire.model.message import AttemptResult, DeliveryState


class Moody:
    """The store's outbox with calls that fail, or at which something happens first."""

    def __init__(self, hub):
        self._outbox = hub.store.outbox
        #: By name of the call: what is done before it; may raise.
        self.first = {}
        #: By name: how often it was called.
        self.calls = {}

    @property
    def store(self):
        """For a sender."""
        return SimpleNamespace(outbox=self)

    def __getattr__(self, name):
        call = getattr(self._outbox, name)

        def moody(*values, **options):
            self.calls[name] = self.calls.get(name, 0) + 1
            self.first.get(name, lambda: None)()
            return call(*values, **options)

        return moody


@pytest.fixture
def moody(hub):
    """An outbox that does as it is told."""
    return Moody(hub)


@pytest.fixture
def slow(hub, endpoints):
    """An endpoint that has heard when `heard` is set, and answers when `answer` is."""
    hook = subscribe(hub, max_in_flight=50)
    one = SimpleNamespace(hook=hook, heard=asyncio.Event(), answer=asyncio.Event())

    async def answering():
        one.heard.set()
        await one.answer.wait()
        return 200

    endpoints.answers[hook.address] = answering
    return one


def busy_times(count):
    """Raises StoreBusy so many times."""
    left = [StoreBusy()] * count

    def busy():
        if left:
            raise left.pop()

    return busy


async def sent_again(hub, endpoints):
    """What another worker still finds to be sent, once every lease is over."""
    before = sum(endpoints.heard.values())
    hub.clock.advance(seconds=LEASE_S + 1)
    moody = Moody(hub)
    async with sending(hub, endpoints, store=moody.store):
        await until(lambda: moody.calls.get("waiting", 0) >= 2)
    return sum(endpoints.heard.values()) - before


async def test_a_store_that_fails_at_the_stop_is_asked_again(hub, endpoints, moody, slow):
    """One busy moment in the last transaction cost a repeat of everything that was in it."""
    publish(hub, 15)
    stop = asyncio.Event()
    async with sending(hub, endpoints, stop=stop, store=moody.store):
        await until(lambda: endpoints.at_once == 15)
        moody.first["complete"] = busy_times(3)
        stop.set()
        slow.answer.set()
    assert len(done(hub)) == 15
    assert await sent_again(hub, endpoints) == 0


async def test_what_cannot_be_recorded_in_time_is_said(hub, endpoints, moody, slow):
    """The time to stop is over at last, and the log names what will come again."""
    publish(hub, 2)
    stop = asyncio.Event()
    moody.first["complete"] = busy_times(10**6)
    with capture_logs() as said:
        async with sending(hub, endpoints, stop=stop, store=moody.store, grace_s=0.3):
            await until(lambda: endpoints.at_once == 2)
            stop.set()
            slow.answer.set()
    (last,) = [one for one in said if one["event"] == "sender.unrecorded"]
    assert last["log_level"] == "error"
    assert sorted(last["delivery_ids"]) == sorted(one.id for one in deliveries(hub))
    endpoints.answers.clear()
    assert await sent_again(hub, endpoints) == 2
    assert [one.attempts for one in done(hub)] == [1, 1]


async def test_an_endpoint_that_does_not_answer_before_the_end_costs_an_attempt(
    hub, endpoints, slow
):
    """What was perhaps heard is on record, and repeated by the schedule, not as if it were new."""
    publish(hub)
    stop = asyncio.Event()
    async with sending(hub, endpoints, stop=stop, grace_s=0.03):
        await slow.heard.wait()
        stop.set()
    (delivery,) = deliveries(hub)
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert delivery.claimed_until is None
    assert 4 <= (delivery.due_at - hub.clock.now()).total_seconds() <= 6
    (attempt,) = hub.store.outbox.attempts(delivery.id)
    assert attempt.result is AttemptResult.INTERNAL
    assert "stopped before the endpoint had answered" in attempt.detail
    assert hub.store.subscribers.health([slow.hook.id])[slow.hook.id].failures == 0


async def test_what_is_claimed_as_the_stop_comes_is_given_back(hub, endpoints, moody):
    """It is not sent any more, and due at once for the next worker."""
    hook = subscribe(hub)
    publish(hub, 3)
    stop, told, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

    def stopping():
        loop.call_soon_threadsafe(stop.set)
        loop.call_soon_threadsafe(told.set)
        assert told.wait(WITHIN_S)

    moody.first["claim"] = stopping
    async with sending(hub, endpoints, stop=stop, store=moody.store):
        await stop.wait()
    assert endpoints.heard[hook.address] == 0
    left = deliveries(hub)
    assert [(one.state, one.claimed_until, one.attempts, one.fence) for one in left] == [
        (DeliveryState.WAITING, None, 0, 1)
    ] * 3
    async with sending(hub, endpoints):
        await until(lambda: len(done(hub)) == 3)


async def test_a_lease_that_ends_under_way_is_renewed_before_the_next_claim(
    hub, endpoints, moody, slow
):
    """A process that stood still, or a clock that was set: what is in hand is not sent beside."""
    publish(hub)
    async with sending(hub, endpoints, store=moody.store):
        await slow.heard.wait()
        hub.clock.advance(seconds=LEASE_S + 1)
        claims = moody.calls["claim"]
        await until(lambda: moody.calls["claim"] >= claims + 2)
        hub.clock.advance(seconds=LEASE_S / 2 + 1)
        await until(lambda: moody.calls["renew"] == 2)
        slow.answer.set()
    assert [one.attempts for one in done(hub)] == [1]
    assert await sent_again(hub, endpoints) == 0


async def test_a_store_that_is_away_for_longer_than_a_lease_costs_no_repeat(
    hub, endpoints, moody, slow
):
    """What was answered waits for its record; nothing is claimed before its lease is renewed."""
    publish(hub, 3)
    async with sending(hub, endpoints, store=moody.store):
        await until(lambda: endpoints.at_once == 3)
        for name in ("complete", "renew"):
            moody.first[name] = busy_times(10**6)
        slow.answer.set()
        hub.clock.advance(seconds=LEASE_S + 1)
        await until(lambda: moody.calls.get("renew", 0) >= 2 and moody.calls["complete"] >= 2)
        claims = moody.calls["claim"]
        await until(lambda: moody.calls["renew"] >= 4)
        assert moody.calls["claim"] == claims
        del moody.first["renew"]
        await until(lambda: moody.calls["claim"] > claims)
        del moody.first["complete"]
    assert endpoints.heard[slow.hook.address] == 3
    assert [one.attempts for one in done(hub)] == [1, 1, 1]


async def test_a_defect_of_a_claim_does_not_cut_off_what_is_on_its_way(hub, endpoints, moody, slow):
    """It ends the sender, but first what was sent is heard out and recorded."""
    publish(hub)

    def defect():
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        async with sending(hub, endpoints, store=moody.store):
            await slow.heard.wait()
            moody.first["claim"] = moody.first["waiting"] = defect
            calls = dict(moody.calls)
            await until(lambda: moody.calls != calls)
            slow.answer.set()
    assert [one.attempts for one in done(hub)] == [1]


async def test_nothing_is_renewed_that_is_not_in_hand(hub, endpoints, moody):
    """What was recorded is let alone, and an idle sender writes nothing."""
    subscribe(hub)
    publish(hub, 3)
    async with sending(hub, endpoints, store=moody.store):
        await until(lambda: len(done(hub)) == 3)
        hub.clock.advance(seconds=LEASE_S)
        claims = moody.calls["claim"]
        await until(lambda: moody.calls["claim"] >= claims + 2)
    assert "renew" not in moody.calls
