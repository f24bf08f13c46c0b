"""Publishing, fanning out and reading: durable, once, and nobody else's to see."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from contract.outbox_kit import APP, TOPIC, Desk
from contract.store_kit import Hub
from inkwire.errors import CipherError, Conflict, NotFound
from inkwire.model.message import AttemptResult, DeliveryState, MessageOrigin
from inkwire.model.webhook import WebhookState
from inkwire.store.contract import Dispatched
from inkwire.store.sending import DeliveryQuery, Fanned, Idempotency, MessageQuery


@pytest.fixture
def desk(hub: Hub) -> Desk:
    """Sends through a fresh store."""
    return Desk(hub)


def key(text: str = "remember-me", request: bytes = b"r1", scope: str = "key:1") -> Idempotency:
    """A publisher's key."""
    return Idempotency(scope=scope, key=text, request_hash=request)


def side_by_side(count: int, work) -> list:
    """What `work` gave when it ran `count` times at once, told its number."""
    results: list = [None] * count

    def run(number: int) -> None:
        try:
            results[number] = work(number)
        except Exception as fault:  # noqa: BLE001 - it is a result
            results[number] = fault

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


class TestPublish:
    def test_kept_as_it_was_said(self, desk: Desk):
        """Every field comes back, the body opens, and nothing of it lies there in plain."""
        new = desk.message(
            b'{"name":"Ada Lovelace"}',
            account="42",
            origin=MessageOrigin.FORWARDED,
            event_id="evt_1",
            document_ids=("d1", "é"),
        )
        before = desk.hub.store.counters()
        assert desk.outbox.publish([new]) == ([new.message.id], True)
        assert desk.hub.store.counters()["message"] == before["message"] + 1
        assert desk.hub.store.counters()["delivery"] == before["delivery"]
        assert desk.outbox.message(new.message.id, application_id=APP) == new.message
        assert desk.outbox.open_body(new.message.id) == new.body
        assert b"Ada Lovelace" not in desk.hub.everything()

    def test_for_one_webhook_only(self, desk: Desk):
        """Its delivery is made at once, and it is fanned out to nobody else."""
        webhook, _other = desk.webhook(topic="other"), desk.webhook()
        before = desk.hub.store.counters()["delivery"]
        [delivery_id] = desk.to(webhook)
        assert desk.hub.store.counters()["delivery"] == before + 1
        delivery = desk.delivery(delivery_id)
        now = desk.hub.clock.now()
        assert (delivery.webhook_id, delivery.topic) == (webhook, TOPIC)
        assert delivery.created_at == delivery.due_at == now
        message = desk.outbox.message(delivery.message_id, application_id=None)
        assert (message.webhook_id, message.fanned_at) == (webhook, now)
        assert desk.fan_out() == 0

    def test_a_key_makes_it_once(self, desk: Desk):
        """The same key and request again gives the first ids; another request is refused."""
        first, _ = desk.outbox.publish([desk.message(), desk.message()], idempotency=key())
        again = desk.outbox.publish([desk.message(), desk.message()], idempotency=key())
        assert again == (first, False)
        with pytest.raises(Conflict) as caught:
            desk.outbox.publish([desk.message()], idempotency=key(request=b"r2"))
        assert caught.value.code == "idempotency_key_reused"
        _, new = desk.outbox.publish([desk.message()], idempotency=key(scope="key:2"))
        assert new
        assert len(desk.outbox.messages(MessageQuery())) == 3
        assert b"remember-me" not in desk.hub.everything()

    def test_scope_and_key_do_not_run_together(self, desk: Desk):
        """A publisher cannot reach into another's keys by what it calls its own."""
        hashes = desk.outbox._seals.hashes
        pairs = [("a", "bc"), ("ab", "c"), ("a\x00b", "c"), ("a", "b\x00c")]
        assert len({hashes.idempotency(*pair) for pair in pairs}) == 4

    def test_four_at_once_with_one_key(self, desk: Desk):
        """One makes the message, the others get its id."""
        stores = [desk.hub.open() for _ in range(4)]
        messages = [desk.message() for _ in stores]
        results = side_by_side(
            4,
            lambda number: stores[number].outbox.publish([messages[number]], idempotency=key()),
        )
        for store in stores:
            store.close()
        assert sorted(new for _, new in results) == [False, False, False, True]
        assert len({ids[0] for ids, _ in results}) == 1
        assert len(desk.outbox.messages(MessageQuery())) == 1

    def test_two_requests_at_once_with_one_key(self, desk: Desk):
        """One is taken; the other one hears of it."""
        messages = [desk.message(), desk.message()]
        results = side_by_side(
            2,
            lambda number: desk.outbox.publish(
                [messages[number]], idempotency=key(request=b"r%d" % number)
            ),
        )
        assert sum(isinstance(one, Conflict) for one in results) == 1
        assert len(desk.outbox.messages(MessageQuery())) == 1


class TestFanOut:
    def test_to_those_that_hear_it(self, desk: Desk):
        """Active and paused webhooks of the application and topic are offered, no others."""
        heard = [desk.webhook(), desk.webhook(state=WebhookState.PAUSED)]
        desk.webhook(state=WebhookState.DISABLED)
        desk.webhook(state=WebhookState.DELETED)
        desk.webhook(topic="orders/other")
        desk.webhook(application_id="app_2")
        [message_id] = desk.publish()
        desk.hub.clock.advance(seconds=1)
        offered: list = []

        def work(waiting):
            offered.extend(waiting)
            return desk.all_of_them(waiting)

        before = desk.hub.store.counters()["delivery"]
        assert desk.outbox.fan_out(10, work) == 1
        assert desk.hub.store.counters()["delivery"] > before
        assert [one.id for one in offered[0].webhooks] == heard
        assert offered[0].body is None
        now = desk.hub.clock.now()
        message = desk.outbox.message(message_id, application_id=None)
        assert message == replace(offered[0].message, fanned_at=now)
        made = desk.outbox.deliveries(DeliveryQuery(message_id=message_id))
        assert sorted(one.webhook_id for one in made) == heard
        assert {(one.state, one.due_at, one.application_id, one.topic) for one in made} == {
            (DeliveryState.WAITING, now, APP, TOPIC)
        }
        assert desk.outbox.fan_out(10, pytest.fail) == 0

    def test_oldest_first_and_bounded(self, desk: Desk):
        """At most as many as asked for; what `work` leaves out waits."""
        ids = desk.publish(3)
        given: list[str] = []

        def work(waiting):
            given.extend(item.message.id for item in waiting)
            return desk.all_of_them(waiting[:1])

        assert desk.outbox.fan_out(2, work) == 1
        assert given == ids[:2]
        assert desk.outbox.fan_out(0, pytest.fail) == 0
        assert desk.fan_out() == 2

    def test_a_fault_leaves_them_waiting(self, desk: Desk):
        """If `work` raises nothing is lost."""
        desk.publish()

        def work(_waiting):
            raise RuntimeError

        with pytest.raises(RuntimeError):
            desk.outbox.fan_out(10, work)
        assert desk.fan_out() == 1

    def test_the_body_comes_only_for_filters(self, desk: Desk):
        """A payload is opened if a webhook filters by it."""
        desk.webhook()
        plain = desk.publish(body=b"1")
        desk.webhook(
            topic="t2", filters=[{"path": "a.b", "op": "in", "value": ["x", 1]}], document_ids=["d"]
        )
        filtered = desk.publish(body=b"2", topic="t2")
        seen = {}

        def work(waiting):
            seen.update({item.message.id: item for item in waiting})
            return []

        desk.outbox.fan_out(10, work)
        assert seen[plain[0]].body is None
        assert seen[filtered[0]].body == b"2"
        [webhook] = seen[filtered[0]].webhooks
        assert (webhook.document_ids, webhook.filters[0].path) == (("d",), "a.b")
        assert (webhook.filters[0].op, webhook.filters[0].value) == ("in", ["x", 1])

    def test_a_body_that_does_not_open_is_told_at_its_deliveries(self, desk: Desk):
        """It holds up no other, and is not lost silently: every webhook's delivery says so."""
        webhook = desk.webhook(filters=[{"path": "a", "op": "exists", "value": True}])
        [broken], [whole] = desk.publish(), desk.publish()
        desk.hub.sql("UPDATE messages SET body = data_key WHERE id = %s", broken)
        assert desk.fan_out() == 2
        [claim] = desk.claim()
        assert claim.message.id == whole
        [lost] = desk.outbox.deliveries(DeliveryQuery(message_id=broken))
        assert (lost.webhook_id, lost.state, lost.last_result) == (webhook, "evicted", "internal")

    def test_only_what_was_offered(self, desk: Desk):
        """Another application's webhook gets nothing, whatever `work` says."""
        foreign = desk.webhook(application_id="app_2")
        [message_id] = desk.publish()
        desk.outbox.fan_out(
            10, lambda _: [Fanned(message_id=message_id, deliveries=(("dlv_x", foreign),))]
        )
        assert desk.outbox.deliveries(DeliveryQuery()) == []

    def test_two_at_once(self, desk: Desk):
        """However many fan out side by side, each message gets its deliveries once."""
        desk.webhook()
        ids = desk.publish(60)
        stores = [desk.hub.open() for _ in range(2)]

        def work(number: int) -> int:
            done = 0
            while True:
                some = desk.fan_out(7, store=stores[number])
                done += some
                if not some and not desk.outbox.fan_out(1, desk.all_of_them):
                    return done

        results = side_by_side(2, work)
        for store in stores:
            store.close()
        assert all(isinstance(one, int) for one in results), results
        made = desk.outbox.deliveries(DeliveryQuery(limit=200))
        assert sorted(one.message_id for one in made) == sorted(ids)


class TestDispatched:
    def test_messages_come_with_the_event(self, desk: Desk):
        """What subscribers get of an event is kept together with its dispatch."""
        event_id = desk.hub.put_event()
        message = desk.message(event_id=event_id, origin=MessageOrigin.FORWARDED)
        before = desk.hub.store.counters()["message"]

        def work(waiting):
            return [Dispatched(event_id=one.event.id, messages=(message,)) for one in waiting]

        assert desk.hub.store.dispatch.take(10, work) == 1
        assert desk.hub.store.counters()["message"] > before
        [kept] = desk.outbox.messages(MessageQuery(event_id=event_id))
        assert kept == message.message
        assert desk.outbox.open_body(kept.id) == message.body

    def test_none_without_it(self, desk: Desk):
        """An event that somebody else dispatched meanwhile brings no second message."""
        event_id = desk.hub.put_event()

        def work(waiting):
            if desk.hub.dialect == "sqlite":  # PostgreSQL holds the row, so nobody else can
                desk.hub.sql("UPDATE events SET dispatched_at = 1 WHERE id = %s", event_id)
                return [Dispatched(event_id=event_id, messages=(desk.message(),))]
            return []

        assert desk.hub.store.dispatch.take(10, work) == 0
        assert desk.outbox.messages(MessageQuery()) == []


class TestReading:
    def test_messages_by_every_filter(self, desk: Desk):
        """Newest first, page by page; filters narrow."""
        start = desk.hub.clock.now()
        first = desk.publish()[0]
        desk.hub.clock.advance(seconds=3600)
        second = desk.publish(topic="t2", event_id="evt_2", origin=MessageOrigin.TEST)[0]
        third = desk.publish(application_id="app_2")[0]

        def found(**query):
            return [one.id for one in desk.outbox.messages(MessageQuery(**query))]

        assert found() == [third, second, first]
        assert found(limit=1) == [third]
        assert found(before=third) == [second, first]
        assert found(application_id=APP) == [second, first]
        assert found(topic="t2") == found(event_id="evt_2") == [second]
        assert found(origin=MessageOrigin.TEST) == found(message_id=second) == [second]
        assert found(until=start + timedelta(seconds=1)) == [first]
        assert found(since=start + timedelta(seconds=1)) == [third, second]

    def test_deliveries_by_every_filter(self, desk: Desk):
        """Newest first, page by page; filters narrow."""
        one, two = desk.webhook(), desk.webhook()
        start = desk.hub.clock.now()
        [first] = desk.to(one)
        desk.finish(desk.claim(), AttemptResult.TLS, state=DeliveryState.EVICTED)
        desk.hub.clock.advance(seconds=3600)
        [second] = desk.to(two, application_id="app_2")

        def found(**query):
            return [item.id for item in desk.outbox.deliveries(DeliveryQuery(**query))]

        assert found() == [second, first]
        assert found(limit=1) == [second]
        assert found(before=second) == found(webhook_id=one) == found(application_id=APP) == [first]
        assert found(state=DeliveryState.EVICTED) == found(result=AttemptResult.TLS) == [first]
        assert found(state=DeliveryState.WAITING) == [second]
        assert found(message_id=desk.delivery(second).message_id) == [second]
        assert found(until=start + timedelta(seconds=1)) == [first]
        assert found(since=start + timedelta(seconds=1)) == [second]

    def test_another_applications_are_not_there(self, desk: Desk):
        """Scoped reads find only the application's own; unknown ids are NotFound."""
        [delivery_id] = desk.to(desk.webhook())
        desk.finish(desk.claim())
        [attempt] = desk.outbox.attempts(delivery_id)
        message_id = desk.delivery(delivery_id).message_id
        assert desk.outbox.delivery(delivery_id, application_id=APP).id == delivery_id
        for read, name in (
            (desk.outbox.message, message_id),
            (desk.outbox.delivery, delivery_id),
            (desk.outbox.open_attempt, attempt.id),
        ):
            with pytest.raises(NotFound, match=name):
                read(name, application_id="app_2")
            with pytest.raises(NotFound, match="nothing"):
                read("nothing", application_id=None)
        with pytest.raises(NotFound):
            desk.outbox.open_body("nothing")

    def test_a_moved_value_does_not_open(self, desk: Desk):
        """An attempt's sealed part opens at its own place only."""
        webhook = desk.webhook()
        desk.to(webhook, 2)
        desk.finish(desk.claim())
        one, two = (
            desk.outbox.attempts(item.id)[0] for item in desk.outbox.deliveries(DeliveryQuery())
        )
        desk.hub.sql(
            "UPDATE attempts SET sealed = (SELECT sealed FROM attempts WHERE id = %s) "
            "WHERE id = %s",
            one.id,
            two.id,
        )
        with pytest.raises(CipherError):
            desk.outbox.open_attempt(two.id, application_id=None)

    def test_failures_by_cause(self, desk: Desk):
        """Given-up and failing deliveries since a time, the most frequent cause first."""
        webhook = desk.webhook()
        desk.to(webhook, 1)
        desk.finish(desk.claim(), AttemptResult.DNS)
        desk.hub.clock.advance(seconds=10)
        since = desk.hub.clock.now()
        desk.to(webhook, 4)
        claims = desk.claim()
        failed = desk.exchange(AttemptResult.STATUS, status=503)
        desk.complete(
            desk.completion(claims[0], exchange=failed, state=DeliveryState.EVICTED),
            desk.completion(claims[1], exchange=failed),
            desk.completion(claims[2], AttemptResult.CONNECT),
            desk.completion(claims[3]),
        )
        assert desk.outbox.failures(since=since) == [
            (AttemptResult.STATUS, 503, 2),
            (AttemptResult.CONNECT, None, 1),
        ]
        assert desk.outbox.failures(since=since, application_id="app_2") == []

    def test_success_by_webhook(self, desk: Desk):
        """Attempts, those that were OK, and how long they took."""
        one, two = desk.webhook(), desk.webhook()
        desk.to(one, 2)
        first, second = desk.claim()
        desk.complete(
            desk.completion(first, exchange=desk.exchange(duration_s=0.5)),
            desk.completion(second, exchange=desk.exchange(AttemptResult.TIMEOUT, duration_s=1.5)),
        )
        since = desk.hub.clock.now()
        assert desk.outbox.success([one, two], since=since) == {one: (2, 1, 1.0)}
        assert desk.outbox.success([one], since=since + timedelta(seconds=1)) == {}
        assert desk.outbox.success([], since=since) == {}


class TestResend:
    def test_what_waits_is_due_at_once(self, desk: Desk):
        """A retry need not be waited for; its attempts go on counting."""
        [delivery_id] = desk.to(desk.webhook())
        desk.finish(desk.claim(), AttemptResult.TIMEOUT)
        now = desk.hub.clock.now()
        before = desk.hub.store.counters()["delivery"]
        sent = desk.outbox.resend(delivery_id, new_id="dlv_n", at=now, audit=desk.hub.audit("re"))
        assert (sent.id, sent.due_at, sent.attempts) == (delivery_id, now, 1)
        assert desk.hub.store.counters()["delivery"] > before
        assert desk.hub.store.access.audit()[0].action == "re"
        assert len(desk.claim()) == 1

    def test_what_is_being_sent_stays(self, desk: Desk):
        """A lease is not cut off: it would be sent twice at the same time."""
        [delivery_id] = desk.to(desk.webhook())
        [claim] = desk.claim()
        now = desk.hub.clock.now()
        sent = desk.outbox.resend(delivery_id, new_id="dlv_n", at=now, audit=desk.hub.audit())
        assert sent == claim.delivery
        assert desk.claim() == []

    def test_what_ended_is_sent_anew(self, desk: Desk):
        """A new delivery of the same message; the old one keeps what happened."""
        webhook = desk.webhook()
        [delivery_id] = desk.to(webhook)
        desk.finish(desk.claim(), AttemptResult.GONE, state=DeliveryState.EVICTED)
        old = desk.delivery(delivery_id)
        now = desk.hub.clock.now()
        sent = desk.outbox.resend(delivery_id, new_id="dlv_n", at=now, audit=desk.hub.audit())
        assert (sent.id, sent.message_id, sent.webhook_id) == ("dlv_n", old.message_id, webhook)
        assert (sent.state, sent.attempts, sent.fence) == (DeliveryState.WAITING, 0, 0)
        assert desk.delivery(delivery_id) == old

    def test_not_to_a_webhook_that_ended(self, desk: Desk):
        """Somebody has to activate it first; nothing is kept."""
        webhook = desk.webhook()
        [delivery_id] = desk.to(webhook)
        desk.hub.sql("UPDATE webhooks SET state = 'disabled' WHERE id = %s", webhook)
        now = desk.hub.clock.now()
        with pytest.raises(Conflict, match="disabled"):
            desk.outbox.resend(delivery_id, new_id="dlv_n", at=now, audit=desk.hub.audit())
        with pytest.raises(NotFound):
            desk.outbox.resend("nothing", new_id="dlv_n", at=now, audit=desk.hub.audit())
        assert desk.hub.store.access.audit() == []
