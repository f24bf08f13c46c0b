"""Claims: fair, capped, leased and fenced; on both dialects."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.outbox_kit import APP, KEY, TOPIC, Desk, by_webhook
from contract.store_kit import Hub
from inkwire.model.message import AttemptResult, DeliveryState
from inkwire.model.webhook import WebhookState
from inkwire.store import claims, sqlite
from inkwire.store import schema_sending as tables
from inkwire.store.claims import DUE_WEBHOOKS, MAX_CLAIM_BYTES, WAITING_WEBHOOKS

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.integers(1, 4)),
        st.tuples(st.just("ok"), st.integers(0, 9)),
        st.tuples(st.just("fail"), st.integers(0, 9)),
        st.tuples(st.just("let_go"), st.integers(0, 9)),
        st.tuples(st.just("renew"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.integers(1, 40)),
        st.tuples(st.just("publish"), st.integers(1, 2)),
    ),
    min_size=3,
    max_size=25,
)


@pytest.fixture
def desk(hub: Hub) -> Desk:
    """Sends through a fresh store."""
    return Desk(hub)


@contextmanager
def another(desk: Desk) -> Iterator:
    """The store as another process opens it."""
    store = desk.hub.open()
    try:
        yield store
    finally:
        store.close()


def _together(*calls) -> None:
    """Runs the calls side by side; a fault in one of them is raised here."""
    faults: list[BaseException] = []

    def run(work, *args) -> None:
        try:
            work(*args)
        except BaseException as fault:  # noqa: BLE001 - raised below
            faults.append(fault)

    threads = [threading.Thread(target=run, args=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if faults:
        raise faults[0]


def _columns(desk: Desk, *columns):
    with desk.database.reading() as conn:
        return conn.execute(sa.select(*columns)).all()


def _fill(desk: Desk, count: int) -> None:
    """Many deliveries that wait at webhook 1, and some that are done, behind the store's back."""
    [message_id] = desk.publish()
    at = desk.hub.clock.now()
    values = [
        {
            "id": f"dlv_{number:024d}",
            "message_id": message_id,
            "webhook_id": 1,
            "application_id": APP,
            "topic": TOPIC,
            "state": "waiting" if number % 10 else "delivered",
            "created_at": at,
            "due_at": at,
            "fence": 0,
            "attempts": 0,
        }
        for number in range(count)
    ]
    with desk.database.writing() as conn:
        conn.execute(tables.deliveries.insert(), values)
        if desk.hub.dialect == "postgresql":
            conn.exec_driver_sql("ANALYZE")


def _due_statement(desk: Desk) -> str:
    """The statement that finds a webhook's due deliveries, with values in it."""
    if desk.hub.dialect == "sqlite":
        mark, statement, values = "?", sqlite._DUE, ("1", "5", "10")
    else:
        from inkwire.store import postgres

        mark, statement, values = "%s", postgres._DUE, ("'{1}'", "'{10}'", "5")
    for value in values:
        statement = statement.replace(mark, value, 1)
    return statement


def _literal(statement: str, values: dict[str, int]) -> str:
    for name, value in values.items():
        statement = statement.replace(f":{name}", str(value))
    return statement


def _require_no_scan(plan: str, *, statement: str) -> None:
    """Deliveries are only ever searched by index; of the steps there may be a scan."""
    for line in plan.splitlines():
        touches = "deliveries" in line
        assert not (touches and ("SCAN deliveries" in line or "Seq Scan" in line)), statement


class TestClaim:
    def test_everything_that_sending_needs(self, desk: Desk):
        """A claim comes opened: body, address, valid keys newest first, own headers, lease."""
        webhook = desk.webhook(profile="boxc")
        now = desk.hub.clock.now()
        desk.key(webhook, "whk_2", b"newer", created_at=now + timedelta(seconds=1))
        desk.key(webhook, "whk_0", b"ended", expires_at=now)
        [delivery_id] = desk.to(webhook, body=b'{"a": 1}', account="42", document_ids=("d1",))
        [claim] = desk.claim(lease_s=30)
        assert (claim.delivery.id, claim.delivery.fence) == (delivery_id, 1)
        assert claim.delivery == desk.delivery(delivery_id)
        assert claim.delivery.state is DeliveryState.WAITING
        assert claim.delivery.due_at == claim.delivery.claimed_until == now + timedelta(seconds=30)
        assert claim.message == desk.outbox.message(claim.message.id, application_id=None)
        assert (claim.message.account, claim.message.document_ids) == ("42", ("d1",))
        assert claim.body == b'{"a": 1}'
        assert claim.target.address == f"https://example.com/{webhook}"
        assert (claim.target.profile, claim.target.application_id) == ("boxc", APP)
        assert [key.value for key in claim.target.keys] == [b"newer", KEY]
        assert claim.target.headers == (("X-Own", "mine"),)

    def test_nothing_twice_and_nothing_early(self, desk: Desk):
        """What is claimed or not due yet is left alone."""
        webhook = desk.webhook()
        desk.to(webhook)
        later = desk.hub.clock.now() + timedelta(seconds=5)
        desk.to(webhook, created_at=later)
        assert len(desk.claim()) == 1
        assert desk.claim() == []
        desk.hub.clock.advance(seconds=5)
        assert len(desk.claim()) == 1

    def test_a_lease_that_ended_is_taken_over(self, desk: Desk):
        """What a dead worker held comes due by itself, with a greater fence."""
        desk.to(desk.webhook())
        [first] = desk.claim(lease_s=30)
        desk.hub.clock.advance(seconds=29.9)
        assert desk.claim() == []
        desk.hub.clock.advance(seconds=0.1)
        [second] = desk.claim()
        assert second.delivery.id == first.delivery.id
        assert (first.delivery.fence, second.delivery.fence) == (1, 2)

    def test_every_webhook_gets_its_turn(self, desk: Desk):
        """A webhook with a thousand waiting does not go before one with a single one."""
        busy, quiet, third = desk.webhook(max_in_flight=500), desk.webhook(), desk.webhook()
        desk.to(busy, 60)
        desk.to(quiet)
        desk.to(third, 3)
        assert by_webhook(desk.claim(6, share=20)) == {busy: 3, quiet: 1, third: 2}

    def test_at_most_a_share_of_each(self, desk: Desk):
        """One webhook cannot fill a claim."""
        webhook = desk.webhook(max_in_flight=500)
        desk.to(webhook, 30)
        assert len(desk.claim(share=7)) == 7

    def test_oldest_due_first(self, desk: Desk):
        """Within a webhook those that wait longest go first."""
        webhook = desk.webhook()
        now = desk.hub.clock.now()
        late = desk.to(webhook, created_at=now - timedelta(seconds=1))
        early = desk.to(webhook, created_at=now - timedelta(seconds=9))
        assert [one.delivery.id for one in desk.claim()] == early + late

    def test_a_small_limit_starves_nobody(self, desk: Desk):
        """With fewer places than webhooks the places go round."""
        webhooks = [desk.webhook() for _ in range(23)]
        for webhook in webhooks:
            desk.to(webhook, 4)
        served: Counter[int] = Counter()
        for _ in range(12):
            claims = desk.claim(4)
            assert len(claims) == 4
            served.update(by_webhook(claims))
        assert set(served) == set(webhooks)
        assert set(served.values()) == {2, 3}

    def test_no_more_than_may_be_in_flight(self, desk: Desk):
        """Running requests count, those of other workers too; finished and ended ones do not."""
        webhook = desk.webhook(max_in_flight=3)
        desk.to(webhook, 9)
        with another(desk) as store:
            claims = desk.claim(2)
            assert len(desk.claim(store=store)) == 1
            assert desk.claim(store=store) == []
        desk.finish(claims[:1])
        assert len(desk.claim(lease_s=60)) == 1
        desk.hub.clock.advance(seconds=60)
        assert len(desk.claim()) == 3

    def test_no_faster_than_the_rate(self, desk: Desk):
        """Sixty a minute are one a second; unused seconds do not add up."""
        webhook = desk.webhook(rate_per_minute=60, max_in_flight=100)
        desk.to(webhook, 10)
        assert len(desk.claim()) == 1
        assert desk.claim() == []
        assert desk.outbox.waiting(desk.hub.clock.now())[1] == desk.hub.clock.now() + timedelta(
            seconds=1
        )
        desk.hub.clock.advance(seconds=1)
        assert len(desk.claim()) == 1
        desk.hub.clock.advance(seconds=20)
        assert len(desk.claim()) == 1

    def test_a_high_rate_allows_a_seconds_worth_at_once(self, desk: Desk):
        """600 a minute: ten together, then one each tenth of a second."""
        webhook = desk.webhook(rate_per_minute=600, max_in_flight=100)
        desk.to(webhook, 40)
        assert len(desk.claim()) == 10
        desk.hub.clock.advance(seconds=0.35)
        assert len(desk.claim()) == 3

    def test_paused_waits_and_ended_is_cancelled(self, desk: Desk):
        """A paused webhook's deliveries stay; those of a disabled or deleted one end."""
        paused = desk.webhook(state=WebhookState.PAUSED)
        ended = [desk.webhook(state=WebhookState.DISABLED, address="https://a/")]
        ended += [desk.webhook(state=WebhookState.DELETED, address="https://b/"), 999]
        [kept] = desk.to(paused)
        cancelled = [desk.to(webhook)[0] for webhook in ended]
        assert desk.claim() == []
        assert desk.delivery(kept).state is DeliveryState.WAITING
        for delivery_id in cancelled:
            delivery = desk.delivery(delivery_id)
            assert delivery.state is DeliveryState.CANCELLED
            assert delivery.done_at == desk.hub.clock.now()
        assert desk.outbox.waiting(desk.hub.clock.now()) == (0, None)

    def test_a_body_that_does_not_open_holds_up_no_other(self, desk: Desk):
        """It is given up with an attempt that says why; the others go out."""
        webhook = desk.webhook()
        [broken, whole, erased] = desk.to(webhook, 3)
        desk.hub.sql(
            "UPDATE messages SET body = data_key WHERE id = %s", desk.delivery(broken).message_id
        )
        desk.hub.sql(
            "UPDATE messages SET body = NULL WHERE id = %s", desk.delivery(erased).message_id
        )
        assert [one.delivery.id for one in desk.claim()] == [whole]
        for delivery_id, word in ((broken, "does not open"), (erased, "erased")):
            delivery = desk.delivery(delivery_id)
            assert (delivery.state, delivery.last_result) == ("evicted", "internal")
            assert (delivery.attempts, delivery.claimed_until) == (1, None)
            [attempt] = desk.outbox.attempts(delivery_id)
            assert word in attempt.detail
            assert "Nothing was sent" in attempt.detail
        assert desk.health(webhook).failures == 0

    def test_a_key_that_does_not_open_gives_up_on_its_webhook_only(self, desk: Desk):
        """Another webhook's deliveries go out."""
        broken, whole = desk.webhook(), desk.webhook()
        desk.hub.sql(
            "UPDATE webhook_keys SET sealed = id::bytea WHERE webhook_id = %s", broken
        ) if (desk.hub.dialect == "postgresql") else desk.hub.sql(
            "UPDATE webhook_keys SET sealed = x'01' WHERE webhook_id = %s", broken
        )
        [lost], [sent] = desk.to(broken), desk.to(whole)
        assert [one.delivery.id for one in desk.claim()] == [sent]
        assert desk.delivery(lost).state is DeliveryState.EVICTED

    def test_bodies_of_a_claim_are_bounded(self, desk: Desk):
        """At most 16 MiB are opened at once, or one body that is larger by itself."""
        webhook = desk.webhook()
        big = b"x" * (MAX_CLAIM_BYTES // 2 + 1)
        [first] = desk.to(webhook, body=big + big)
        [second], [third] = desk.to(webhook, body=big), desk.to(webhook, body=big)
        assert [one.delivery.id for one in desk.claim()] == [first]
        assert [one.delivery.id for one in desk.claim()] == [second]
        assert [one.delivery.id for one in desk.claim()] == [third]

    def test_a_limit_of_nothing(self, desk: Desk):
        """No room, no claim."""
        desk.to(desk.webhook())
        assert desk.claim(0) == []
        assert desk.claim(share=0) == []

    def test_one_holder_each_with_four_at_once(self, desk: Desk):
        """Four workers claim side by side: nothing is held twice, nothing is left."""
        webhooks = [desk.webhook(max_in_flight=100) for _ in range(5)]
        for webhook in webhooks:
            desk.to(webhook, 40)
        held: list[str] = []
        stores = [desk.hub.open() for _ in range(4)]

        def work(store) -> None:
            while desk.outbox.waiting(desk.hub.clock.now())[0]:
                held.extend(one.delivery.id for one in desk.claim(10, share=5, store=store))

        _together(*((work, store) for store in stores))
        for store in stores:
            store.close()
        assert len(held) == len(set(held)) == 200

    def test_caps_hold_with_four_at_once(self, desk: Desk):
        """However many ask at the same time, a webhook gets no more than it may."""
        webhook = desk.webhook(max_in_flight=7)
        desk.to(webhook, 60)
        claims: list = []
        stores = [desk.hub.open() for _ in range(4)]

        def work(store) -> None:
            for _ in range(6):
                claims.extend(desk.claim(4, store=store))

        _together(*((work, store) for store in stores))
        for store in stores:
            store.close()
        assert len(claims) == 7


class TestRenew:
    def test_a_renewed_lease_ends_later(self, desk: Desk):
        """Nobody else gets the delivery, and what came of it counts under the same fence."""
        desk.to(desk.webhook(), 2)
        claims = desk.claim(lease_s=10)
        until = desk.hub.clock.now() + timedelta(seconds=30)
        desk.outbox.renew(claims[:1], until=until)
        desk.hub.clock.advance(seconds=29)
        [other] = desk.claim()
        assert other.delivery.id == claims[1].delivery.id
        assert desk.outbox.waiting(desk.hub.clock.now())[1] == until
        assert desk.finish(claims) == [True, False]

    def test_one_that_ended_is_held_again(self, desk: Desk):
        """As long as nobody took over, however late its worker is."""
        desk.to(desk.webhook())
        claims = desk.claim(lease_s=10)
        desk.hub.clock.advance(seconds=60)
        desk.outbox.renew(claims, until=desk.hub.clock.now() + timedelta(seconds=10))
        assert desk.claim() == []
        assert desk.finish(claims) == [True]

    def test_only_what_is_still_held(self, desk: Desk):
        """What another one holds by now, what was recorded and what was given back stay so."""
        desk.to(desk.webhook(), 3)
        late, recorded, back = desk.claim(lease_s=10)
        desk.finish([recorded])
        desk.outbox.let_go([back])
        desk.hub.clock.advance(seconds=10)
        again = {one.delivery.id: one.delivery for one in desk.claim(lease_s=10)}
        assert set(again) == {late.delivery.id, back.delivery.id}
        end = desk.hub.clock.now() + timedelta(seconds=99)
        desk.outbox.renew([late, recorded, back], until=end)
        desk.outbox.renew([], until=end)
        for delivery in again.values():
            assert desk.delivery(delivery.id) == delivery
        assert desk.delivery(recorded.delivery.id).claimed_until is None


class TestLetGo:
    def test_given_back_is_due_at_once(self, desk: Desk):
        """No attempt is counted, and the next claim has a new fence."""
        desk.to(desk.webhook())
        claims = desk.claim()
        before = desk.hub.store.counters()["delivery"]
        desk.outbox.let_go(claims)
        assert desk.hub.store.counters()["delivery"] > before
        [again] = desk.claim()
        assert (again.delivery.fence, again.delivery.attempts) == (2, 0)
        assert desk.finish(claims) == [False]

    def test_only_what_is_still_held(self, desk: Desk):
        """A late worker cannot give back what another one holds by now."""
        desk.to(desk.webhook())
        old = desk.claim(lease_s=10)
        desk.hub.clock.advance(seconds=10)
        [new] = desk.claim()
        desk.outbox.let_go(old)
        assert desk.delivery(new.delivery.id) == new.delivery
        assert desk.claim() == []


class TestWaiting:
    def test_due_and_next(self, desk: Desk):
        """How many are due, and when a retry or the end of a lease comes."""
        now = desk.hub.clock.now()
        assert desk.outbox.waiting(now) == (0, None)
        webhook, second = desk.webhook(), desk.webhook()
        desk.to(webhook, 3)
        assert desk.outbox.waiting(now) == (3, None)
        claims = desk.claim(2, lease_s=60)
        assert desk.outbox.waiting(now) == (1, now + timedelta(seconds=60))
        desk.finish(claims[:1], AttemptResult.TIMEOUT, due_at=now + timedelta(seconds=40))
        assert desk.outbox.waiting(now) == (1, now + timedelta(seconds=40))
        desk.to(second, created_at=now + timedelta(seconds=9))
        assert desk.outbox.waiting(now) == (1, now + timedelta(seconds=9))

    def test_a_breaker_is_waited_for(self, desk: Desk):
        """What is due behind an open breaker comes when the breaker's time is over."""
        webhook = desk.webhook()
        desk.fail_until_open(webhook)
        desk.to(webhook)
        now = desk.hub.clock.now()
        assert desk.outbox.waiting(now) == (1, now + timedelta(seconds=30))

    def test_paused_is_not_waited_for(self, desk: Desk):
        """A worker need not wake for what it may not send."""
        desk.to(desk.webhook(state=WebhookState.PAUSED), 2)
        assert desk.outbox.waiting(desk.hub.clock.now()) == (0, None)


class TestPlans:
    def test_a_claim_steps_from_webhook_to_webhook(self, desk: Desk):
        """With many waiting, no statement of a claim reads more than it takes."""
        desk.webhook(id=1)
        _fill(desk, 20_000)
        values = {"after": 0, "upto": 9, "now": 1, "most": 50}
        for statement in (DUE_WEBHOOKS, WAITING_WEBHOOKS):
            plan = desk.plan(_literal(str(statement), values))
            assert "ix_deliveries_due" in plan
            _require_no_scan(plan, statement=str(statement))
        plan = desk.plan(_due_statement(desk))
        assert "ix_deliveries_due" in plan
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan
        _require_no_scan(plan, statement="due")
        in_flight = claims._IN_FLIGHT.replace("= ANY (?)", "IN (1, 2)").replace("?", "5")
        assert "ix_deliveries_claimed" in desk.plan(in_flight)

    def test_a_claim_reads_little_among_many(self, desk: Desk):
        """Twenty thousand waiting at one webhook do not slow another one's turn."""
        busy, quiet = desk.webhook(id=1, max_in_flight=3), desk.webhook(id=2)
        _fill(desk, 20_000)
        desk.to(quiet)
        assert by_webhook(desk.claim()) == {busy: 3, quiet: 1}
        assert desk.outbox.waiting(desk.hub.clock.now())[0] == 10_000


class TestAnyOrder:
    @settings(
        max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
    )
    @given(steps=_STEPS)
    def test_attempts_are_counted_and_fences_have_one_holder(self, desk: Desk, steps):
        """Whatever the order of claims, records and ended leases."""
        webhook = desk.webhook(address=f"https://example.com/{desk.hub.ids.new('x')}")
        held: list = []
        fences: set[tuple[str, int]] = set()
        for step, number in steps:
            if step == "claim":
                claims = desk.claim(number, lease_s=20)
                for one in claims:
                    assert (one.delivery.id, one.delivery.fence) not in fences
                    fences.add((one.delivery.id, one.delivery.fence))
                held += claims
            elif step == "wait":
                desk.hub.clock.advance(seconds=number)
            elif step == "publish":
                desk.to(webhook, number)
            elif held and step == "renew":
                claim = held[number % len(held)]
                desk.outbox.renew([claim], until=desk.hub.clock.now() + timedelta(seconds=20))
            elif held:
                claim = held.pop(number % len(held))
                newest = desk.delivery(claim.delivery.id)
                current = newest.fence == claim.delivery.fence and newest.claimed_until is not None
                if step == "let_go":
                    desk.outbox.let_go([claim])
                else:
                    result = AttemptResult.OK if step == "ok" else AttemptResult.TIMEOUT
                    due = desk.hub.clock.now() + timedelta(seconds=number)
                    assert desk.finish([claim], result, due_at=due) == [current]
        rows = _columns(desk, tables.deliveries.c.id, tables.deliveries.c.attempts)
        counted = Counter(row[0] for row in _columns(desk, tables.attempts.c.delivery_id))
        assert {row[0]: row[1] for row in rows if row[1]} == counted
