"""The sender on a real store, with endpoints that do as they are told."""

import asyncio
from collections import Counter
from types import SimpleNamespace

from delivery.sending_kit import deliveries, done, publish, sending, subscribe, until
from inkwire.access.gate import CLI
from inkwire.delivery.sender import LEASE_S
from inkwire.errors import StoreBusy
from inkwire.model.message import DeliveryState
from inkwire.model.webhook import ProfileName, WebhookState
from inkwire.store.sending import MessageQuery, WebhookQuery


async def test_each_message_goes_once_to_each_webhook_and_is_recorded(hub, endpoints):
    """Two webhooks, five messages: ten requests, ten attempts, the message's id in each."""
    hooks = [subscribe(hub, number) for number in (1, 2)]
    messages = publish(hub, 5)
    async with sending(hub, endpoints):
        await until(lambda: len(done(hub)) == 10)
    assert endpoints.heard == {hook.address: 5 for hook in hooks}
    assert Counter(endpoints.ids) == dict.fromkeys(messages, 2)
    for delivery in done(hub):
        (attempt,) = hub.store.outbox.attempts(delivery.id)
        assert (attempt.number, attempt.status, delivery.attempts) == (1, 200, 1)
        opened = hub.store.outbox.open_attempt(attempt.id, application_id=None)
        assert opened.response_body == b"heard"


async def test_what_ends_within_a_moment_is_recorded_together(hub, endpoints):
    """Each transaction is paid for by many deliveries, though endpoints answer one by one."""
    subscribe(hub, max_in_flight=50)
    publish(hub, 40)
    waits = iter(range(40))

    async def one_after_the_other():
        for _ in range(next(waits)):
            await asyncio.sleep(0)
        return 200

    endpoints.answers["http://127.0.0.1/hook/1"] = one_after_the_other
    sizes, complete = [], hub.store.outbox.complete

    def counted(done, *, notice):
        sizes.append(len(done))
        return complete(done, notice=notice)

    hub.store.outbox.complete = counted
    async with sending(hub, endpoints):
        await until(lambda: sum(sizes) == 40)
    assert len(sizes) <= 8, sizes


async def test_no_transaction_records_more_than_a_store_does_in_a_moment(hub, endpoints):
    """Whoever writes beside the sender waits for one of these: at most 100 rows each."""
    for number in range(1, 7):
        subscribe(hub, number, max_in_flight=50)
    publish(hub, 40)
    sizes, complete = [], hub.store.outbox.complete

    def counted(done, *, notice):
        sizes.append(len(done))
        return complete(done, notice=notice)

    hub.store.outbox.complete = counted
    async with sending(hub, endpoints, in_flight=300):
        await until(lambda: sum(sizes) == 240)
    assert max(sizes) <= 100, sizes


async def test_what_comes_while_it_waits_is_sent_without_a_nudge(hub, endpoints):
    """An idle sender hears of a commit by the counters."""
    subscribe(hub)
    async with sending(hub, endpoints):
        await asyncio.sleep(0.05)
        publish(hub)
        await until(lambda: len(done(hub)) == 1)


async def test_a_failure_is_repeated_when_its_time_has_come_and_not_before(hub, endpoints):
    """The second attempt waits for the schedule; the message's id stays."""
    hook = subscribe(hub, profile=ProfileName.BOXC, key="k" * 20)
    endpoints.answers[hook.address] = 500
    publish(hub)
    async with sending(hub, endpoints):
        await until(lambda: any(one.attempts == 1 for one in deliveries(hub)))
        (waiting,) = deliveries(hub)
        wait = (waiting.due_at - hub.clock.now()).total_seconds()
        assert 60 <= wait <= 66
        hub.clock.advance(seconds=wait - 1)
        await asyncio.sleep(0.1)
        assert endpoints.heard[hook.address] == 1
        endpoints.answers[hook.address] = 204
        hub.clock.advance(seconds=2)
        await until(lambda: len(done(hub)) == 1)
    assert [one.status for one in hub.store.outbox.attempts(waiting.id)] == [500, 204]


async def test_the_twelfth_failure_evicts_and_deletes_and_says_so(hub, endpoints):
    """Seed 004: 1 + 11 attempts, then the event is evicted and the webhook deleted (R147–R148)."""
    hook = subscribe(hub, profile=ProfileName.BOXC, key="k" * 20)
    news = subscribe(hub, 2, topic="webhook.deleted")
    endpoints.answers[hook.address] = 500
    publish(hub)
    async with sending(hub, endpoints):
        for number in range(1, 13):
            await until(
                lambda number=number: any(
                    one.attempts == number for one in deliveries(hub, webhook_id=hook.id)
                )
            )
            hub.clock.advance(seconds=2 * 24 * 3600)
        await until(lambda: endpoints.heard[news.address] == 1)
    assert endpoints.heard[hook.address] == 12
    (evicted,) = deliveries(hub, webhook_id=hook.id)
    assert evicted.state is DeliveryState.EVICTED
    gone = hub.webhooks.get(CLI, hook.id)
    assert gone.state is WebhookState.DELETED
    assert gone.state_reason
    (told,) = hub.store.outbox.messages(MessageQuery(topic="webhook.deleted"))
    assert f'"webhook_id":{hook.id}'.encode() in hub.store.outbox.open_body(told.id)


async def test_a_bad_minute_does_not_delete_a_healthy_webhook(hub, endpoints):
    """The twelfth failure of one delivery spares a webhook that took another meanwhile."""
    hook = subscribe(hub, profile=ProfileName.BOXC, key="k" * 20)
    endpoints.answers[hook.address] = 500
    publish(hub)
    async with sending(hub, endpoints):
        for number in range(1, 13):
            await until(
                lambda number=number: any(one.attempts == number for one in deliveries(hub))
            )
            if number == 6:
                endpoints.answers[hook.address] = 200
                publish(hub)
                await until(lambda: len(done(hub)) == 1)
                endpoints.answers[hook.address] = 500
            hub.clock.advance(seconds=2 * 24 * 3600)
        await until(lambda: deliveries(hub, state=DeliveryState.EVICTED))
    assert endpoints.heard[hook.address] == 13
    assert hub.webhooks.get(CLI, hook.id).state is WebhookState.ACTIVE


async def test_no_more_than_its_limit_is_sent_to_a_webhook_at_the_same_time(hub, endpoints):
    """`max_in_flight` holds however much waits."""
    hook = subscribe(hub, max_in_flight=3)

    async def slowly():
        await asyncio.sleep(0.02)
        return 200

    endpoints.answers[hook.address] = slowly
    publish(hub, 20)
    async with sending(hub, endpoints):
        await until(lambda: len(done(hub)) == 20)
    assert endpoints.most_at_once == 3


async def test_a_hanging_endpoint_does_not_hold_up_the_others(hub, endpoints):
    """Fair claims: its own limit is all that it can take."""
    never = asyncio.Event()
    stuck, fine = subscribe(hub, 1), subscribe(hub, 2)

    async def hang():
        await never.wait()
        return 200

    endpoints.answers[stuck.address] = hang
    publish(hub, 60)
    async with sending(hub, endpoints, in_flight=20):
        await until(lambda: endpoints.heard[fine.address] == 60)
        assert endpoints.heard[stuck.address] == 10
        never.set()


async def test_many_hanging_endpoints_do_not_take_every_place(hub, endpoints):
    """A hundred requests that hang, with room for ten: the healthy endpoint gets all of its own."""
    never = asyncio.Event()

    async def hang():
        await never.wait()
        return 200

    for number in range(2, 12):
        endpoints.answers[subscribe(hub, number).address] = hang
    fine = subscribe(hub, 1)
    publish(hub, 30)
    async with sending(hub, endpoints, in_flight=10, slow_s=0.02):
        await until(lambda: endpoints.heard[fine.address] == 30)
        never.set()


async def test_an_orderly_stop_finishes_what_is_on_its_way(hub, endpoints):
    """Nothing that was begun is begun again by the next worker."""
    begun = asyncio.Event()
    hook = subscribe(hub)

    async def slowly():
        begun.set()
        await asyncio.sleep(0.1)
        return 200

    endpoints.answers[hook.address] = slowly
    publish(hub)
    async with sending(hub, endpoints):
        await begun.wait()
    assert len(done(hub)) == 1
    async with sending(hub, endpoints):
        await asyncio.sleep(0.1)
    assert endpoints.heard[hook.address] == 1


class Stopped:
    """The outbox of a worker that claims once, and is then stopped for a while (SIGSTOP)."""

    def __init__(self, outbox):
        self._outbox = outbox
        self.claims = 0

    def __getattr__(self, name):
        return getattr(self._outbox, name)

    def renew(self, claims, *, until):
        """It does nothing while it is stopped."""

    def claim(self, **options):
        """The first ones only."""
        if self.claims:
            return []
        found = self._outbox.claim(**options)
        self.claims += len(found)
        return found


async def test_what_a_worker_records_after_its_lease_is_not_taken(hub, endpoints):
    """A paused worker comes back: the delivery is the other's, recorded once."""
    hook = subscribe(hub)
    go_on = asyncio.Event()

    async def paused():
        endpoints.answers[hook.address] = 200
        hub.clock.advance(seconds=LEASE_S + 1)
        await go_on.wait()
        return 500

    endpoints.answers[hook.address] = paused
    publish(hub)
    late = Stopped(hub.store.outbox)
    async with sending(hub, endpoints, store=SimpleNamespace(outbox=late)):
        await until(lambda: late.claims)
        async with sending(hub, endpoints):
            await until(lambda: len(done(hub)) == 1)
        go_on.set()
    (delivery,) = deliveries(hub)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 1)
    assert [one.status for one in hub.store.outbox.attempts(delivery.id)] == [200]


async def test_a_claim_whose_lease_is_nearly_over_is_given_back(hub, endpoints):
    """A worker that slept between claim and sending does not send what another may have."""
    hook = subscribe(hub)
    publish(hub)
    claim = hub.store.outbox.claim

    def late(**options):
        found = claim(**options)
        if found:
            hub.store.outbox.claim = claim
            hub.clock.advance(seconds=LEASE_S - 5)
        return found

    hub.store.outbox.claim = late
    async with sending(hub, endpoints):
        await until(lambda: len(done(hub)) == 1)
    assert endpoints.heard[hook.address] == 1
    assert done(hub)[0].attempts == 1


async def test_a_store_that_fails_to_record_is_asked_again(hub, endpoints):
    """What an endpoint got is not sent again because the disk was busy."""
    hook = subscribe(hub)
    publish(hub)
    complete, refusals = hub.store.outbox.complete, iter([StoreBusy(), StoreBusy()])

    def busy(done, *, notice):
        for refusal in refusals:
            raise refusal
        return complete(done, notice=notice)

    hub.store.outbox.complete = busy
    async with sending(hub, endpoints):
        await until(lambda: len(done(hub)) == 1)
    assert endpoints.heard[hook.address] == 1


async def test_an_open_breaker_waits_and_its_wait_is_no_attempt(hub, endpoints):
    """After ten failures in a row nothing is sent until the breaker's time is over."""
    hook = subscribe(hub)
    endpoints.answers[hook.address] = 500
    publish(hub, 30)
    async with sending(hub, endpoints, in_flight=10):
        await until(lambda: hub.webhooks.health(CLI, [hook])[hook.id].breaker_until is not None)
        # What was on its way when it opened is heard, and recorded a little later.
        await until(
            lambda: sum(one.attempts for one in deliveries(hub)) == endpoints.heard[hook.address]
        )
        await asyncio.sleep(0.1)
        heard = endpoints.heard[hook.address]
        assert 10 <= heard < 30
        assert sum(one.attempts for one in deliveries(hub)) == heard
        endpoints.answers[hook.address] = 200
        hub.clock.advance(seconds=400)
        await until(lambda: len(done(hub)) == 30)
    assert hub.webhooks.health(CLI, [hook])[hook.id].breaker_until is None


async def test_a_paused_webhook_keeps_what_comes_for_later(hub, endpoints):
    """Deliveries are made and wait; resumed, they go."""
    hook = subscribe(hub)
    hub.webhooks.pause(CLI, hook.id)
    publish(hub, 3)
    async with sending(hub, endpoints):
        await until(lambda: len(deliveries(hub)) == 3)
        await asyncio.sleep(0.1)
        assert not endpoints.heard
        hub.webhooks.activate(CLI, hook.id)
        await until(lambda: len(done(hub)) == 3)


async def test_filters_decide_which_webhooks_get_a_message(hub, endpoints):
    """Only what matches is delivered."""
    wanted = subscribe(hub, 1, filters=[{"path": "number", "op": "equals", "value": 1}])
    all_of_it = subscribe(hub, 2)
    publish(hub, 3)
    async with sending(hub, endpoints):
        await until(lambda: len(done(hub)) == 4)
    assert endpoints.heard == {wanted.address: 1, all_of_it.address: 3}


def test_an_application_sees_its_own_webhooks_only(hub):
    """The list of an application holds nothing of another's."""
    subscribe(hub)
    other = hub.applications.create(CLI, name="Other")
    assert hub.webhooks.all(CLI, WebhookQuery(application_id=other.id)) == []
    assert len(hub.webhooks.all(CLI, WebhookQuery())) == 1
