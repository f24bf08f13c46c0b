"""Jobs: what was given up or missed is sent again, once, whatever cuts a job off."""

import itertools
from datetime import timedelta

import pytest

from contract.outbox_kit import APP, TOPIC, Desk
from contract.store_kit import Hub
from inkwire.errors import Conflict, NotFound
from inkwire.model.job import Job, JobKind, JobState
from inkwire.model.message import AttemptResult, DeliveryState
from inkwire.store.sending import DeliveryQuery


@pytest.fixture
def desk(hub: Hub) -> Desk:
    """Sends through a fresh store."""
    return Desk(hub)


def job(desk: Desk, webhook: int, kind: JobKind = JobKind.RECOVER, **fields) -> Job:
    """A job that looks back an hour."""
    now = desk.hub.clock.now()
    values = {
        "id": desk.hub.ids.new("job"),
        "kind": kind,
        "application_id": APP,
        "webhook_id": webhook,
        "query": {"since": (now - timedelta(hours=1)).isoformat()},
        "total": 5,
        "created_at": now,
        "created_by": "user:ada",
        "updated_at": now,
        **fields,
    }
    return Job(**values)


def add(desk: Desk, one: Job) -> Job:
    """Keeps the job."""
    desk.jobs.add(one, audit=desk.hub.audit())
    return one


def everything(_webhook_id, message_ids):
    """Lets every message through."""
    return message_ids


def advance(desk: Desk, limit: int = 100, chooses=everything) -> Job | None:
    """The next batch."""
    return desk.jobs.advance(
        limit=limit,
        now=desk.hub.clock.now(),
        new_id=lambda: desk.hub.ids.new("dlv"),
        chooses=chooses,
    )


def run(desk: Desk, limit: int = 100) -> Job:
    """Batches until the job has ended."""
    for _ in range(50):
        found = advance(desk, limit)
        if found is None or found.state is not JobState.RUNNING:
            return found
    raise AssertionError("the job does not end")


def give_up(desk: Desk, webhook: int, count: int) -> list[str]:
    """Messages whose deliveries were evicted; returns the deliveries."""
    ids = desk.to(webhook, count)
    while claims := desk.claim():
        desk.finish(claims, AttemptResult.INTERNAL, state=DeliveryState.EVICTED)
    return ids


def waiting(desk: Desk, webhook: int) -> list[str]:
    """Messages that wait for the webhook."""
    query = DeliveryQuery(webhook_id=webhook, state=DeliveryState.WAITING, limit=200)
    return sorted(one.message_id for one in desk.outbox.deliveries(query))


def messages_of(desk: Desk, deliveries) -> list[str]:
    """The messages of deliveries, sorted."""
    return sorted(desk.delivery(one).message_id for one in deliveries)


class TestRecords:
    def test_kept_and_found(self, desk: Desk):
        """A job comes back as it was given; scoped; newest first; the worker is woken."""
        webhook = desk.webhook()
        before = desk.hub.store.counters()["job"]
        one = add(desk, job(desk, webhook))
        two = add(desk, job(desk, webhook, JobKind.REPLAY_MISSING))
        assert desk.hub.store.counters()["job"] > before
        assert desk.jobs.get(one.id, application_id=APP) == one
        assert desk.jobs.page(application_id=APP) == [two, one]
        assert desk.jobs.page(application_id=None, limit=1) == [two]
        assert desk.jobs.page(application_id=None, before=two.id) == [one]
        assert desk.jobs.page(application_id="app_2") == []
        with pytest.raises(NotFound):
            desk.jobs.get(one.id, application_id="app_2")

    def test_one_of_a_kind_at_a_time(self, desk: Desk):
        """A second recovery of the same webhook is refused while one runs."""
        webhook, other = desk.webhook(), desk.webhook()
        add(desk, job(desk, webhook))
        with pytest.raises(Conflict):
            add(desk, job(desk, webhook))
        add(desk, job(desk, other))
        with pytest.raises(NotFound):
            add(desk, job(desk, 999))
        with pytest.raises(NotFound):
            add(desk, job(desk, webhook, application_id="app_2"))

    def test_cancelled_stops(self, desk: Desk):
        """What it made stays, and no more is made."""
        webhook = desk.webhook()
        give_up(desk, webhook, 6)
        one = add(desk, job(desk, webhook))
        assert advance(desk, 2).done == 2
        at = desk.hub.clock.now()
        stopped = desk.jobs.cancel(one.id, at=at, audit=desk.hub.audit())
        assert (stopped.state, stopped.done) == (JobState.CANCELLED, 2)
        assert advance(desk) is None
        assert len(waiting(desk, webhook)) == 2
        with pytest.raises(Conflict, match="cancelled"):
            desk.jobs.cancel(one.id, at=at, audit=desk.hub.audit())
        with pytest.raises(NotFound):
            desk.jobs.cancel("nothing", at=at, audit=desk.hub.audit())

    def test_failed_with_a_sentence(self, desk: Desk):
        """A job that cannot go on says why; one that has ended stays as it is."""
        one = add(desk, job(desk, desk.webhook()))
        at = desk.hub.clock.now()
        desk.jobs.fail(one.id, error="No.", at=at, state=JobState.FAILED)
        desk.jobs.fail(one.id, error="Again.", at=at, state=JobState.CANCELLED)
        found = desk.jobs.get(one.id, application_id=None)
        assert (found.state, found.error) == (JobState.FAILED, "No.")
        with pytest.raises(NotFound):
            desk.jobs.fail("nothing", error="No.", at=at, state=JobState.FAILED)

    def test_none_runs(self, desk: Desk):
        """Nothing to do is told as that."""
        assert advance(desk) is None


class TestRecover:
    @pytest.mark.parametrize("limit", [1, 2, 100])
    def test_given_up_and_cancelled_once(self, desk: Desk, limit: int):
        """Whatever the batch: each message that never arrived gets one new delivery."""
        webhook, other = desk.webhook(), desk.webhook()
        lost = give_up(desk, webhook, 5)
        give_up(desk, other, 1)
        desk.to(webhook)
        desk.finish(desk.claim())
        [cancelled] = desk.to(webhook)
        desk.hub.sql("UPDATE deliveries SET state = 'cancelled' WHERE id = %s", cancelled)
        one = job(desk, webhook)
        assert desk.jobs.count(one) == 6
        add(desk, one)
        before = desk.hub.store.counters()
        done = run(desk, limit)
        assert (done.state, done.done) == (JobState.DONE, 6)
        assert waiting(desk, webhook) == messages_of(desk, [*lost, cancelled])
        assert desk.hub.store.counters()["delivery"] > before["delivery"]
        assert desk.hub.store.counters()["job"] > before["job"]
        assert advance(desk) is None

    def test_again_makes_nothing_twice(self, desk: Desk):
        """A second recovery leaves out what the first one, or a person, sent again."""
        webhook = desk.webhook()
        lost = give_up(desk, webhook, 3)
        now = desk.hub.clock.now()
        desk.outbox.resend(lost[0], new_id=desk.hub.ids.new("dlv"), at=now, audit=desk.hub.audit())
        add(desk, job(desk, webhook))
        assert run(desk).done == 2
        one = job(desk, webhook)
        assert desk.jobs.count(one) == 0
        add(desk, one)
        assert run(desk).done == 0
        assert len(waiting(desk, webhook)) == 3

    def test_only_since_then(self, desk: Desk):
        """What is older than asked for stays given up."""
        webhook = desk.webhook()
        give_up(desk, webhook, 2)
        desk.hub.clock.advance(seconds=7200)
        new = give_up(desk, webhook, 1)
        add(desk, job(desk, webhook))
        assert run(desk).done == 1
        assert waiting(desk, webhook) == messages_of(desk, new)

    def test_what_it_made_is_not_its_business(self, desk: Desk):
        """If the endpoint is still broken a job does not run for ever."""
        webhook = desk.webhook()
        give_up(desk, webhook, 4)
        add(desk, job(desk, webhook))
        for _ in range(4):
            desk.hub.clock.advance(seconds=1)
            advance(desk, 2)
            desk.finish(desk.claim(), AttemptResult.INTERNAL, state=DeliveryState.EVICTED)
        [one] = desk.jobs.page(application_id=None)
        assert (one.state, one.done) == (JobState.DONE, 4)

    def test_an_ended_webhook_ends_the_job(self, desk: Desk):
        """It fails with a sentence that says what to do."""
        webhook = desk.webhook()
        give_up(desk, webhook, 1)
        add(desk, job(desk, webhook))
        desk.hub.sql("UPDATE webhooks SET state = 'disabled' WHERE id = %s", webhook)
        failed = advance(desk)
        assert (failed.state, failed.done) == (JobState.FAILED, 0)
        assert "activate it" in failed.error


class TestReplayMissing:
    def test_what_it_never_got(self, desk: Desk):
        """Messages of its application and topic without a delivery to it, in its time."""
        desk.publish()
        desk.fan_out()
        desk.hub.clock.advance(seconds=7200)
        old = desk.webhook()
        missed = desk.publish(4)
        desk.fan_out()
        webhook = desk.webhook()
        got = desk.publish(2)
        desk.publish(topic="orders/other")
        desk.publish(application_id="app_2")
        desk.fan_out()
        desk.to(old)
        desk.publish()  # not fanned out yet: it comes by itself
        one = job(desk, webhook, JobKind.REPLAY_MISSING)
        assert desk.jobs.count(one) == 4
        add(desk, one)
        done = run(desk, 3)
        assert (done.state, done.done) == (JobState.DONE, 4)
        assert waiting(desk, webhook) == sorted(missed + got)
        topics = {item.topic for item in desk.outbox.deliveries(DeliveryQuery(webhook_id=webhook))}
        assert topics == {TOPIC}

    def test_until(self, desk: Desk):
        """What came later than asked for is left out."""
        first = desk.publish()
        middle = desk.hub.clock.now()
        desk.hub.clock.advance(seconds=60)
        desk.publish()
        desk.fan_out()
        webhook = desk.webhook()
        query = {"since": middle.isoformat(), "until": middle.isoformat()}
        add(desk, job(desk, webhook, JobKind.REPLAY_MISSING, query=query))
        assert run(desk).done == 1
        assert waiting(desk, webhook) == first

    def test_the_filters_place(self, desk: Desk):
        """What is handed in chooses among the missing; what it leaves out is passed over."""
        ids = desk.publish(6)
        desk.fan_out()
        webhook = desk.webhook()
        asked: list = []

        def chooses(webhook_id, message_ids):
            asked.append((webhook_id, tuple(message_ids)))
            return [one for one in message_ids if one in ids[::2]]

        add(desk, job(desk, webhook, JobKind.REPLAY_MISSING))
        while advance(desk, 2, chooses).state is JobState.RUNNING:
            pass
        assert waiting(desk, webhook) == ids[::2]
        assert [one for _, some in asked for one in some] == ids


class TestCutOff:
    def test_a_kill_between_batches_and_within_one(self, desk: Desk):
        """A batch that was not committed is done anew; one that was is not repeated."""
        webhook = desk.webhook()
        lost = give_up(desk, webhook, 6)
        add(desk, job(desk, webhook))
        advance(desk, 2)
        numbers = itertools.count()

        def dies() -> str:
            if next(numbers) == 1:
                raise KeyboardInterrupt
            return desk.hub.ids.new("dlv")

        with pytest.raises(KeyboardInterrupt):
            desk.jobs.advance(limit=2, now=desk.hub.clock.now(), new_id=dies, chooses=everything)
        assert len(waiting(desk, webhook)) == 2
        assert run(desk, 2).done == 6
        assert waiting(desk, webhook) == messages_of(desk, lost)

    def test_two_workers_at_one_job(self, desk: Desk):
        """Of two that look at the same stretch one writes it."""
        ids = desk.publish(2)
        desk.fan_out()
        webhook = desk.webhook()

        def chooses(_webhook_id, message_ids):
            advance(desk)  # another worker is faster
            return message_ids

        add(desk, job(desk, webhook, JobKind.REPLAY_MISSING))
        advance(desk, 100, chooses)
        assert waiting(desk, webhook) == ids
