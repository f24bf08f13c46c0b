"""The same endpoint over the real stores, with real providers: what was answered is on disk."""

import asyncio
import contextlib
import json
from datetime import timedelta

import pytest

from ingest.kit import NOW, Hub, http, serving
from inkwire.clock import ManualClock
from inkwire.config import Settings
from inkwire.ids import SortableIds
from inkwire.ingest import Ingest
from inkwire.model.access import AuditEntry
from inkwire.model.event import EventState
from inkwire.model.receipt import ReceiptState
from inkwire.model.source import Source
from inkwire.model.verdict import Reason
from inkwire.providers.registry import cases, registry
from inkwire.providers.settings import check_settings
from inkwire.store.contract import EventQuery, NewSecret, RejectionQuery
from inkwire.store.open import migrate, open_store
from postgres_server import postgres_server, postgres_url  # noqa: F401 – fixtures

KEYS = {"primary": b"primary-key-0001", "secondary": b"secondary-key-02"}


class RealHub(Hub):
    """A hub over a real store with one source per provider, its id the provider's name."""

    def sample(self, provider, name=None):
        """One sample of the provider: its body, and the raw request signed now."""
        found = cases(registry().get(provider))
        case = next((c for c in found if name in (None, c.name)), found[0])
        return case.body, self.wire(provider, case.body, case.event_type)

    def wire(self, provider, body, event_type="", *, delivery="d1"):
        """The request that the provider would send now."""
        source = self.store.sources.get(provider)
        secrets = self.store.sources.open_secrets(self.clock.now())[provider]
        signed = registry().receiver(provider).sign(
            body, secrets, source.settings, self.clock.now(),
            event_type=event_type, delivery_id=delivery,
        )  # fmt: skip
        query = f"?{signed.query}" if signed.query else ""
        return http(path=f"/in/{provider}{query}", headers=dict(signed.headers), body=body)


def box(number, **more):
    """A Box event with an id of its own."""
    event = {"type": "webhook_event", "id": f"ev{number}", "trigger": "FILE.UPLOADED"}
    return json.dumps({**event, "source": {"id": "f1", "type": "file"}, **more}).encode()


def add_sources(store, clock, ids):
    """One source for each provider that sends webhooks."""
    for provider in registry().receiving():
        fields = provider.receive.secrets
        now = clock.now()
        source = Source(
            id=provider.name, provider=provider.name, name=provider.title,
            settings=check_settings(provider.receive.settings, {}),
            max_body_bytes=1024 * 1024, created_at=now, updated_at=now,
        )  # fmt: skip
        secrets = [
            NewSecret(id=ids.new("sec"), role=field.role, value=_value(field), created_at=now)
            for field in fields
        ]
        store.sources.create(source, secrets, audit=audit(ids, now, provider.name))


def _value(field):
    if field.role in KEYS:
        return KEYS[field.role]
    return b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"[: field.max_length]


def audit(ids, at, target):
    """An audit entry for what a test changes."""
    return AuditEntry(id=ids.new("aud"), at=at, actor="cli", action="test", target=target)


@pytest.fixture(params=["sqlite", "postgresql"])
async def real(request, tmp_path):
    """A running hub over SQLite, and over PostgreSQL."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    settings = Settings(
        data_dir=tmp_path / "data", database_url=url, disk_reserve_bytes=0, quarantine_rows=10
    )
    clock = ManualClock(NOW)
    ids = SortableIds(clock)
    await asyncio.to_thread(migrate, settings)
    with contextlib.closing(open_store(settings, clock=clock, ids=ids)) as store:
        add_sources(store, clock, ids)
        ingest = Ingest(store=store, registry=registry(), clock=clock, ids=ids, settings=settings)
        async with serving(ingest, RealHub(store=store, ingest=ingest, clock=clock)) as hub:
            yield hub


@pytest.mark.parametrize("provider", [provider.name for provider in registry().receiving()])
async def test_every_sample_of_every_provider_comes_in_and_can_be_opened(real, provider):
    """Signed as its vendor does, each sample is answered 2xx and stored byte for byte."""
    for case in cases(registry().get(provider)):
        if case.settings:
            continue
        answer = await real.send(
            real.wire(provider, case.body, case.event_type, delivery=case.name)
        )
        assert 200 <= answer.status < 300, (case.name, answer)
        receipt = answer.headers["inkwire-receipt"]
        opened = real.store.inbound.open_receipt(receipt)
        assert opened.body in (case.body, None), case.name
        assert opened.receipt.state is ReceiptState.ACCEPTED
        found = [event.type for event in real.store.events.of_receipt(receipt)]
        assert found == [expected["type"] for expected in case.expect], case.name


async def test_a_repeat_is_acknowledged_and_linked(real):
    """Box repeats with another delivery id and the same event id: one event, one duplicate."""
    for delivery in ("d1", "d2"):
        assert (await real.send(real.wire("box", box(1), delivery=delivery))).status == 200
    states = [event.state for event in real.store.events.page(EventQuery())]
    assert states == [EventState.DUPLICATE, EventState.NEW]
    assert real.ingest.metrics.duplicates == 1


async def test_many_at_once_are_all_kept_once(real):
    """A storm with repeats in it: everything answered is stored, nothing twice."""
    wires = [real.wire("box", box(n % 60)) for n in range(120)]
    answers = await asyncio.gather(*[real.send(wire) for wire in wires])
    assert {answer.status for answer in answers} == {200}
    receipts = {answer.headers["inkwire-receipt"] for answer in answers}
    assert len(receipts) == 120
    events = real.store.events.page(EventQuery(limit=200))
    assert {event.receipt_id for event in events} == receipts
    assert [event.state for event in events].count(EventState.NEW) == 60
    assert real.ingest.metrics.commits < 120


async def test_a_stale_request_waits_in_quarantine_and_can_be_released(real):
    """What came too late is answered 401 and is there; a person lets it in."""
    wire = real.wire("box", box(1))
    real.clock.advance(seconds=601)
    assert (await real.send(wire)).status == 401
    [event] = real.store.events.page(EventQuery(state=EventState.QUARANTINED))
    opened = real.store.inbound.open_receipt(event.receipt_id)
    assert (opened.body, opened.receipt.quarantine) == (box(1), Reason.STALE)
    entry = audit(real.ingest._ids, real.clock.now(), event.receipt_id)
    real.store.inbound.release(event.receipt_id, at=real.clock.now(), audit=entry)
    [event] = real.store.events.page(EventQuery())
    assert event.state is EventState.NEW


async def test_a_full_quarantine_still_answers_401_and_counts(real):
    """Replays of an old capture fill a bounded space and nothing more."""
    wires = [real.wire("box", box(n)) for n in range(15)]
    real.clock.advance(seconds=601)
    answers = await asyncio.gather(*[real.send(wire) for wire in wires])
    assert {answer.status for answer in answers} == {401}
    assert real.ingest.metrics.quarantined == 10


async def test_a_refusal_is_in_the_rejected_log_with_the_providers_hint(real):
    """The operator reads what to do in the vendor's console."""
    wire = real.wire("box", box(1)).replace(b"FILE.UPLOADED", b"FILE.DOWNLOAD")
    assert (await real.send(wire)).status == 401
    await real.ingest._rejected.flush()
    [row] = real.store.events.rejections(RejectionQuery())
    assert row.source_id == "box"
    assert "Developer Console" in row.hint


async def test_an_unparsable_body_is_kept(real):
    """Proven and unreadable: stored, answered as usual, shown as unparsable."""
    answer = await real.send(real.wire("box", b"not json \xff"))
    assert answer.status == 200
    [event] = real.store.events.page(EventQuery())
    assert (event.type, event.state) == ("box.unparsable", EventState.UNPARSABLE)
    assert real.store.inbound.open_receipt(event.receipt_id).body == b"not json \xff"


async def test_a_rotated_secret_overlaps(real):
    """Old and new key are good until the old one ends; then only the new one is."""
    ids, now = real.ingest._ids, real.clock.now()
    old_wire = real.wire("boxc", b'{"order":{"id":"1"}}', "boxc.orders_processed")
    new = NewSecret(id=ids.new("sec"), role="key", value=b"a-new-key-0123456", created_at=now)
    real.store.sources.add_secret(
        "boxc", new, expire_others_at=now + timedelta(seconds=30), audit=audit(ids, now, "boxc")
    )
    await real.ingest.reload()
    assert (await real.send(old_wire)).status == 200
    new_wire = real.wire("boxc", b'{"order":{"id":"2"}}', "boxc.orders_processed")
    assert (await real.send(new_wire)).status == 200
    real.clock.advance(seconds=30)
    assert (await real.send(old_wire)).status == 401
    assert (await real.send(new_wire)).status == 200
