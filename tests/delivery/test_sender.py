"""The sender on a real store, with endpoints that do as they are told."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from contract.store_kit import SqliteMaker
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.delivery.drafts import WebhookDraft
from inkwire.delivery.sender import LEASE_S, Sender
from inkwire.errors import StoreBusy
from inkwire.hub import Hub, open_hub
from inkwire.model.message import AttemptResult, DeliveryState, Exchange
from inkwire.model.webhook import ProfileName, Topic, Webhook, WebhookState
from inkwire.store.live import LiveCounters
from inkwire.store.sending import DeliveryQuery, MessageQuery, WebhookQuery

TOPIC = "order.tested"
WITHIN_S = 60


class Endpoints:
    """Answers each address by what `answers` says of it: a status, or something to await."""

    def __init__(self, clock):
        self.clock = clock
        self.answers: dict[str, int | Callable] = {}
        self.heard: Counter[str] = Counter()
        self.ids: list[str] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, url, *, headers, body, timeout_s, connect_timeout_s):
        self.heard[url] += 1
        self.ids.append(dict(headers).get("webhook-id", ""))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = self.answers.get(url, 200)
            if callable(answer):
                answer = await answer()
        finally:
            self.at_once -= 1
        good = 200 <= answer < 300
        return Exchange(
            result=AttemptResult.OK if good else AttemptResult.STATUS,
            status=answer,
            request_headers=headers,
            response_body=b"heard",
            started_at=self.clock.now(),
            duration_s=0.001,
        )


@pytest.fixture(scope="module")
def sqlite_maker(tmp_path_factory):
    """A migrated store to copy."""
    return SqliteMaker(tmp_path_factory.mktemp("sender"))


@pytest.fixture
def hub(sqlite_maker, tmp_path):
    """A hub on a fresh store, with a clock that is moved by hand."""
    from contract.store_kit import START as NOON

    with (
        sqlite_maker.fresh(tmp_path / "hub", outbound_allow="127.0.0.0/8") as settings,
        open_hub(settings, clock=ManualClock(NOON)) as made,
    ):
        made.applications.put_topic(CLI, Topic(name=TOPIC, granted_to_all=True))
        yield made


@pytest.fixture
def endpoints(hub):
    """Answers 200 until told otherwise."""
    return Endpoints(hub.clock)


def subscribe(hub: Hub, number: int = 1, **fields) -> Webhook:
    """A webhook of one application; `address` is http://127.0.0.1/hook/NUMBER."""
    applications = hub.applications.all(CLI)
    application = applications[0] if applications else hub.applications.create(CLI, name="Shop")
    draft = WebhookDraft(
        topic=fields.pop("topic", TOPIC), address=f"http://127.0.0.1/hook/{number}", **fields
    )
    return hub.webhooks.create(CLI, application.id, draft)[0]


def publish(hub: Hub, count: int = 1, topic: str = TOPIC) -> list[str]:
    """Messages for that application."""
    application = hub.applications.all(CLI)[0]
    return [
        hub.publisher.publish(
            CLI, topic=topic, application_id=application.id, payload=b'{"number":%d}' % number
        )[0][0]
        for number in range(count)
    ]


@contextlib.asynccontextmanager
async def sending(hub: Hub, post, **options) -> AsyncIterator[Sender]:
    """A sender that runs for as long as the block lasts, and stops in good order."""
    live, stop = LiveCounters(), asyncio.Event()
    watching = asyncio.create_task(live.run(hub.store))
    sender = Sender(
        store=hub.store,
        live=live,
        post=post,
        clock=hub.clock,
        ids=hub.ids,
        random=lambda: 0.5,
        in_flight=options.pop("in_flight", 50),
        retry_s=0.01,
        sweep_s=0.02,
        **options,
    )
    running = asyncio.create_task(sender.run(stop, grace_s=WITHIN_S))
    try:
        yield sender
    finally:
        stop.set()
        await asyncio.wait_for(running, WITHIN_S)
        watching.cancel()


async def until(condition: Callable[[], object]) -> None:
    """Waits until the condition holds."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.01)


def deliveries(hub: Hub, **query):
    """The log of deliveries, newest first."""
    return hub.store.outbox.deliveries(DeliveryQuery(**query))


def done(hub: Hub) -> list:
    """Those that were delivered."""
    return deliveries(hub, state=DeliveryState.DELIVERED)


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
    async with sending(hub, endpoints), sending(hub, endpoints):
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
