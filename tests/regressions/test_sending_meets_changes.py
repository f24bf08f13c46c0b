"""Something changed while it was being sent, replayed or handed on, and more broke than need be."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from contract.outbox_kit import APP, Desk
from contract.store_kit import Hub
from inkwire.access.gate import CLI
from inkwire.delivery.catalogue import Catalogue
from inkwire.delivery.desk import WebhookDesk
from inkwire.delivery.drafts import WebhookDraft, WebhookPatch
from inkwire.delivery.jobs import JobRunner
from inkwire.engine.dispatch import Dispatcher
from inkwire.errors import StoreBusy
from inkwire.model.job import Job, JobKind, JobState
from inkwire.model.message import AttemptResult, DeliveryState
from inkwire.model.webhook import WebhookState
from inkwire.providers.registry import registry
from inkwire.store import schema_sending as tables
from inkwire.store.claims import Claims
from inkwire.store.live import LiveCounters


class Instead:
    """Another object, but for the attributes given."""

    def __init__(self, other, **given):
        self._other = other
        self.__dict__.update(given)

    def __getattr__(self, name):
        return getattr(self._other, name)


@pytest.mark.parametrize("since", [None, timedelta(0)], ids=["gone", "last-failure"])
def test_what_an_old_address_said_does_not_end_a_webhook_that_moved(hub: Hub, since):
    """Its owner mended the address while an attempt to the old one was under way."""
    desk = Desk(hub)
    number = desk.webhook()
    [delivery_id] = desk.to(number)
    claims = desk.claim()
    table, address = tables.webhooks, "https://example.com/new"
    with desk.database.writing() as conn:
        conn.execute(table.update().where(table.c.id == number).values(address=address))
    assert desk.finish(
        claims,
        AttemptResult.GONE if since is None else AttemptResult.CONNECT,
        state=DeliveryState.EVICTED,
        webhook_state=WebhookState.DELETED,
        unless_success_since=None if since is None else hub.clock.now() - since,
    ) == [True]
    assert desk.delivery(delivery_id).state is DeliveryState.EVICTED
    assert desk.webhook_row(number).state == WebhookState.ACTIVE.value
    assert desk.told == []


async def test_a_replay_outlives_the_removal_of_its_application(hub: Hub):
    """The worker goes on; the job was cancelled with its application."""
    application = hub.add_application(id=APP)
    desk = Desk(hub)
    desk.publish()
    desk.fan_out()
    number = desk.webhook()
    now = hub.clock.now()
    desk.jobs.add(
        Job(
            id="job_1",
            kind=JobKind.REPLAY_MISSING,
            application_id=application.id,
            webhook_id=number,
            query={"since": (now - timedelta(hours=1)).isoformat()},
            created_at=now,
            created_by="user:ada",
            updated_at=now,
        ),
        audit=hub.audit(),
    )
    stop = asyncio.Event()
    real, loop = hub.store.subscribers, asyncio.get_running_loop()

    def webhook(webhook_id, *, application_id):
        real.delete_application(APP, audit=hub.audit())
        loop.call_soon_threadsafe(stop.set)
        return real.webhook(webhook_id, application_id=application_id)

    store = Instead(hub.store, subscribers=Instead(real, webhook=webhook))
    runner = JobRunner(store=store, live=LiveCounters(), clock=hub.clock, ids=hub.ids)
    async with asyncio.timeout(10):
        await runner.run(stop)
    assert desk.jobs.get("job_1", application_id=None).state is JobState.CANCELLED


def test_an_event_waits_while_the_store_cannot_say_who_hears_it(hub: Hub):
    """It was marked as handed on, and nobody got it until a person dispatched it again."""
    hub.add_application(id=APP)
    kind = "box.FILE.UPLOADED"
    hub.store.subscribers.set_grants(APP, frozenset({kind}), at=hub.clock.now(), audit=hub.audit())
    body = (
        b'{"type":"webhook_event","id":"1","trigger":"FILE.UPLOADED","source":{"id":"7"},'
        b'"webhook":{"id":"5"}}'
    )
    intake = hub.intake(hub.event(type=kind), body=body)
    hub.append(intake)
    real, faults = hub.store.subscribers, [StoreBusy()]

    def granted(topic):
        if faults:
            raise faults.pop()
        return real.granted(topic)

    store = Instead(hub.store, subscribers=Instead(real, granted=granted))
    dispatcher = Dispatcher(store=store, registry=registry(), clock=hub.clock, ids=hub.ids)
    with pytest.raises(StoreBusy):
        dispatcher.run_once()
    assert dispatcher.run_once() == 1
    assert hub.store.events.get(intake.events[0].id).dispatch_error is None
    with Desk(hub).database.reading() as conn:
        assert conn.execute(tables.messages.select()).one().topic == kind


def test_an_address_and_its_key_change_together_or_not_at_all(hub: Hub):
    """Two commits left the new address with the old key, or with another caller's."""
    hub.add_application(id=APP)
    real = hub.store.subscribers

    def busy(*_args, **_more):
        raise StoreBusy

    desk = WebhookDesk(
        store=Instead(hub.store, subscribers=Instead(real, add_key=busy)),
        catalogue=Catalogue(real, registry()),
        clock=hub.clock,
        ids=hub.ids,
        look=lambda _host, _port: None,
        most=10,
    )
    draft = WebhookDraft(topic="orders_status", address="https://example.com/old")
    old, first = desk.create(CLI, APP, draft)
    patch = WebhookPatch(address="https://example.com/new", key=first)
    with suppress(StoreBusy):
        desk.change(CLI, old.id, patch)
    new = real.webhook(old.id, application_id=APP)
    assert (new.address == patch.address) is (len(new.keys) == 2)


def test_what_does_not_open_holds_up_no_other_while_the_store_is_busy(hub: Hub):
    """The other claims were dropped for the length of their leases, unsent."""

    class Busy:
        def complete(self, done, notice):
            raise StoreBusy

    desk = Desk(hub)
    shut, sound = desk.webhook(), desk.webhook()
    desk.to(shut)
    [delivery_id] = desk.to(sound)
    with desk.database.writing() as conn:
        keys = tables.webhook_keys
        conn.execute(keys.update().where(keys.c.webhook_id == shut).values(sealed=b"broken"))
    claims = Claims(desk.database, desk.outbox._seals.cipher, hub.clock, Busy())
    claimed = claims.claim(now=hub.clock.now(), limit=10, share=10, lease_s=60)
    assert [one.delivery.id for one in claimed] == [delivery_id]
