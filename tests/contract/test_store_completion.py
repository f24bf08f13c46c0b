"""What came of claimed deliveries: recorded once, health, breaker, notices; on both dialects."""

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from contract.outbox_kit import APP, TOPIC, Desk, by_webhook
from contract.store_kit import Hub
from inkwire.model.message import AttemptResult, DeliveryState
from inkwire.model.webhook import WebhookState
from inkwire.store import schema_sending as tables


@pytest.fixture
def desk(hub: Hub) -> Desk:
    """Sends through a fresh store."""
    return Desk(hub)


def _columns(desk: Desk, *columns):
    with desk.database.reading() as conn:
        return conn.execute(sa.select(*columns)).all()


class TestComplete:
    def test_delivered(self, desk: Desk):
        """Attempt, delivery and health are written, and whoever waits is woken."""
        webhook = desk.webhook()
        [delivery_id] = desk.to(webhook)
        [claim] = desk.claim()
        desk.hub.clock.advance(seconds=3)
        before = desk.hub.store.counters()
        started = desk.hub.clock.now()
        exchange = desk.exchange(
            status=204, remote="203.0.113.5", connect_s=0.01, head_s=0.2, detail="fine"
        )
        assert desk.complete(desk.completion(claim, exchange=exchange)) == [True]
        delivery = desk.delivery(delivery_id)
        assert (delivery.state, delivery.attempts, delivery.fence) == ("delivered", 1, 1)
        assert delivery.first_attempt_at == delivery.last_attempt_at == started
        assert (delivery.last_result, delivery.last_status) == (AttemptResult.OK, 204)
        assert (delivery.claimed_until, delivery.done_at) == (None, started)
        [attempt] = desk.outbox.attempts(delivery_id)
        assert (attempt.number, attempt.result, attempt.status) == (1, AttemptResult.OK, 204)
        assert (attempt.address, attempt.remote) == (claim.target.address, "203.0.113.5")
        assert (attempt.webhook_id, attempt.application_id) == (webhook, APP)
        assert (attempt.duration_s, attempt.connect_s, attempt.head_s) == (0.25, 0.01, 0.2)
        assert (attempt.started_at, attempt.detail) == (started, "fine")
        assert desk.health(webhook).last_success_at == started + timedelta(seconds=0.25)
        counters = desk.hub.store.counters()
        assert counters["attempt"] > before["attempt"]
        assert counters["message"] == before["message"]
        assert desk.told == []

    def test_tried_again(self, desk: Desk):
        """A failure leaves it waiting until its time; numbers and first time stay right."""
        webhook = desk.webhook()
        [delivery_id] = desk.to(webhook)
        first = desk.hub.clock.now()
        desk.finish(desk.claim(), AttemptResult.TIMEOUT)
        delivery = desk.delivery(delivery_id)
        assert (delivery.state, delivery.due_at) == ("waiting", first + timedelta(seconds=60))
        assert (delivery.last_result, delivery.done_at) == (AttemptResult.TIMEOUT, None)
        assert desk.claim() == []
        desk.hub.clock.advance(seconds=60)
        desk.finish(desk.claim(), AttemptResult.STATUS, state=DeliveryState.EVICTED)
        delivery = desk.delivery(delivery_id)
        assert (delivery.state, delivery.attempts) == ("evicted", 2)
        assert delivery.first_attempt_at == first
        assert delivery.last_attempt_at == delivery.done_at == first + timedelta(seconds=60)
        assert [one.number for one in desk.outbox.attempts(delivery_id)] == [1, 2]
        assert desk.health(webhook).failures == 2

    def test_a_paused_worker_changes_nothing(self, desk: Desk):
        """After a takeover what the first holder says is not taken, before and after the second."""
        webhook = desk.webhook()
        [delivery_id] = desk.to(webhook)
        [old] = desk.claim(lease_s=30)
        desk.hub.clock.advance(seconds=31)
        [new] = desk.claim()
        held = desk.delivery(delivery_id)
        assert desk.finish([old], AttemptResult.GONE, webhook_state=WebhookState.DELETED) == [False]
        assert desk.delivery(delivery_id) == held
        assert desk.outbox.attempts(delivery_id) == []
        assert desk.health(webhook).failures == 0
        assert desk.webhook_row(webhook).state == "active"
        assert desk.finish([new]) == [True]
        done = desk.delivery(delivery_id)
        assert desk.finish([old], AttemptResult.TIMEOUT) == [False]
        assert desk.delivery(delivery_id) == done
        assert len(desk.outbox.attempts(delivery_id)) == 1

    def test_late_but_not_taken_over_counts(self, desk: Desk):
        """A lease that ended and that nobody took is still this worker's: it was sent."""
        [delivery_id] = desk.to(desk.webhook())
        claims = desk.claim(lease_s=10)
        desk.hub.clock.advance(seconds=100)
        assert desk.finish(claims) == [True]
        assert desk.delivery(delivery_id).state is DeliveryState.DELIVERED
        assert desk.claim() == []

    def test_the_same_twice_counts_once(self, desk: Desk):
        """A completion that is repeated, in one batch or later, is refused."""
        [delivery_id] = desk.to(desk.webhook())
        [claim] = desk.claim()
        done = [desk.completion(claim) for _ in range(3)]
        assert desk.complete(done[0], done[1]) == [True, False]
        assert desk.complete(done[2]) == [False]
        assert desk.delivery(delivery_id).attempts == 1
        assert desk.complete() == []

    def test_a_batch_keeps_its_order(self, desk: Desk):
        """Each of many gets its own outcome; foreign and unknown ones are refused."""
        webhooks = [desk.webhook(), desk.webhook()]
        for webhook in webhooks:
            desk.to(webhook, 5)
        claims = desk.claim(lease_s=10)
        desk.hub.clock.advance(seconds=10)
        lost = {one.delivery.id for one in desk.claim(4)}
        kept = desk.finish(claims)
        assert kept == [one.delivery.id not in lost for one in claims]
        assert kept.count(True) == 6

    def test_credentials_are_not_kept(self, desk: Desk):
        """Of a request's headers those that open something are redacted; the answer is cut."""
        [delivery_id] = desk.to(desk.webhook())
        [claim] = desk.claim()
        exchange = desk.exchange(
            request_headers=(("Authorization", "Bearer s3cr3t"), ("webhook-id", "msg_1")),
            response_headers=(("Server", "x"),),
            response_body=b"y" * 20_000,
        )
        desk.complete(desk.completion(claim, exchange=exchange))
        [attempt] = desk.outbox.attempts(delivery_id)
        opened = desk.outbox.open_attempt(attempt.id, application_id=APP)
        assert opened.attempt == attempt
        assert opened.request_headers == (("Authorization", "«redacted»"), ("webhook-id", "msg_1"))
        assert opened.response_headers == (("Server", "x"),)
        assert (opened.response_body, opened.truncated) == (b"y" * 16_384, True)
        assert b"s3cr3t" not in desk.hub.everything()
        assert b"yyyyyyyy" not in desk.hub.everything()


class TestBreaker:
    def test_opens_probes_and_closes(self, desk: Desk):
        """Ten failures open it for 30 s; then one goes out alone, and a success closes it."""
        webhook = desk.webhook()
        desk.fail_until_open(webhook, 9)
        assert desk.health(webhook).breaker_until is None
        desk.fail_until_open(webhook, 1)
        opened = desk.hub.clock.now()
        health = desk.health(webhook)
        assert (health.failures, health.breaker_opens) == (10, 1)
        assert health.breaker_until == opened + timedelta(seconds=30)
        desk.to(webhook, 5)
        assert desk.claim() == []
        desk.hub.clock.advance(seconds=30)
        probe = desk.claim()
        assert len(probe) == 1
        assert desk.claim() == []
        desk.finish(probe)
        health = desk.health(webhook)
        assert (health.failures, health.breaker_until, health.breaker_opens) == (0, None, 0)
        assert len(desk.claim()) == 4

    def test_a_failed_probe_opens_it_for_longer(self, desk: Desk):
        """30, 60, 120, 240, then always 300 seconds."""
        webhook = desk.webhook()
        desk.fail_until_open(webhook)
        lengths = []
        for _ in range(6):
            until = desk.health(webhook).breaker_until
            lengths.append((until - desk.hub.clock.now()).total_seconds())
            desk.hub.clock.advance(seconds=lengths[-1])
            desk.fail_until_open(webhook, 1)
        assert lengths == [30, 60, 120, 240, 300, 300]

    def test_what_was_under_way_does_not_prolong_it(self, desk: Desk):
        """Many failures in one batch, or after it opened, open it once."""
        webhook = desk.webhook(max_in_flight=20)
        desk.to(webhook, 20)
        claims = desk.claim()
        desk.finish(claims[:15], AttemptResult.CONNECT)
        until = desk.health(webhook).breaker_until
        desk.hub.clock.advance(seconds=5)
        desk.finish(claims[15:], AttemptResult.CONNECT)
        health = desk.health(webhook)
        assert (health.failures, health.breaker_opens) == (20, 1)
        assert health.breaker_until == until
        assert [change.kind for change in desk.told] == ["failing"]

    @pytest.mark.parametrize("result", [AttemptResult.PROXY, AttemptResult.INTERNAL])
    def test_not_the_endpoints_fault(self, desk: Desk, result: AttemptResult):
        """A proxy's failure or ours is an attempt, but says nothing about the endpoint."""
        webhook = desk.webhook()
        desk.to(webhook)
        desk.finish(desk.claim(), result)
        health = desk.health(webhook)
        assert (health.failures, health.last_failure_at, health.last_success_at) == (0, None, None)

    def test_others_are_not_held(self, desk: Desk):
        """An open breaker is its webhook's alone."""
        broken, whole = desk.webhook(), desk.webhook()
        desk.fail_until_open(broken)
        desk.to(broken, 3)
        desk.to(whole, 3)
        assert by_webhook(desk.claim()) == {whole: 3}


class TestNotices:
    def test_failing_and_recovered(self, desk: Desk):
        """An application hears once that its endpoint fails, and once that it is well again."""
        webhook = desk.webhook()
        desk.fail_until_open(webhook, 10)
        before = desk.hub.store.counters()["message"]
        desk.hub.clock.advance(seconds=30)
        desk.fail_until_open(webhook, 1)
        desk.hub.clock.advance(seconds=60)
        assert [(one.kind, one.failures) for one in desk.told] == [("failing", 10)]
        desk.to(webhook, 2)
        desk.finish(desk.claim(1))
        desk.finish(desk.claim(1))
        assert [one.kind for one in desk.told] == ["failing", "recovered"]
        assert desk.told[0].webhook.id == webhook
        assert desk.told[0].at <= desk.told[1].at == desk.hub.clock.now()
        assert desk.hub.store.counters()["message"] > before
        with desk.database.reading() as conn:
            kept = conn.scalars(sa.select(tables.messages.c.topic).where(tables.IS_UNFANNED)).all()
        assert sorted(kept) == ["webhook.failing", "webhook.recovered"]

    def test_news_about_news_are_not_told(self, desk: Desk):
        """A webhook that hears of failures does not make more of them by failing."""
        webhook = desk.webhook(topic="webhook.failing")
        desk.fail_until_open(webhook, 11 - 1)
        desk.hub.clock.advance(seconds=30)
        desk.to(webhook)
        desk.finish(desk.claim(), AttemptResult.GONE, webhook_state=WebhookState.DISABLED)
        assert desk.webhook_row(webhook).state == "disabled"
        assert desk.told == []

    def test_an_ended_webhook(self, desk: Desk):
        """A decision ends the webhook with its reason; what waits is cancelled, others are told."""
        webhook = desk.webhook()
        desk.to(webhook, 5)
        held = desk.claim(2)
        before = desk.hub.store.counters()["config"]
        desk.finish(
            held[:1],
            AttemptResult.GONE,
            state=DeliveryState.EVICTED,
            webhook_state=WebhookState.DISABLED,
            reason="It answered 410.",
        )
        now = desk.hub.clock.now()
        row = desk.webhook_row(webhook)
        assert (row.state, row.state_reason) == ("disabled", "It answered 410.")
        assert row.state_changed_at == row.updated_at == now
        assert desk.hub.store.counters()["config"] > before
        [change] = desk.told
        assert (change.kind, change.reason) == ("disabled", "It answered 410.")
        assert (change.webhook.state, change.webhook.topic) == (WebhookState.DISABLED, TOPIC)
        states = Counter(row[0] for row in _columns(desk, tables.deliveries.c.state))
        assert states == {"evicted": 1, "cancelled": 3, "waiting": 1}
        # What was being sent is recorded, and then cancelled when it is met.
        assert desk.finish(held[1:], AttemptResult.TIMEOUT, due_at=now) == [True]
        assert desk.claim() == []
        assert desk.delivery(held[1].delivery.id).state is DeliveryState.CANCELLED

    def test_ends_once(self, desk: Desk):
        """Of two deliveries that end a webhook the first one does."""
        webhook = desk.webhook()
        desk.to(webhook, 2)
        desk.finish(desk.claim(), AttemptResult.GONE, webhook_state=WebhookState.DELETED)
        assert [one.kind for one in desk.told] == ["deleted"]

    def test_spared_by_a_success(self, desk: Desk):
        """A webhook that something succeeded to since then stays as it is."""
        webhook = desk.webhook()
        since = desk.hub.clock.now()
        desk.to(webhook, 3)
        first, second, third = desk.claim()
        ending = {
            "state": DeliveryState.EVICTED,
            "webhook_state": WebhookState.DELETED,
            "unless_success_since": since,
        }
        # The success and the end come in one batch.
        desk.complete(
            desk.completion(first, AttemptResult.STATUS, **ending), desk.completion(second)
        )
        assert desk.webhook_row(webhook).state == "active"
        assert desk.delivery(first.delivery.id).state is DeliveryState.EVICTED
        ending["unless_success_since"] = desk.hub.clock.now() + timedelta(seconds=1)
        desk.finish([third], AttemptResult.STATUS, **ending)
        assert desk.webhook_row(webhook).state == "deleted"
