"""The sources as a running process knows them: rotation, reload, limits."""

import dataclasses
from datetime import timedelta

from ingest.kit import KEY, NOW, running, toy_source, until
from inkwire.errors import CipherError, StoreBusy
from inkwire.model.source import Secret

NEW = Secret(id="sec_new", role="key", value=b"new-key")


async def test_rotation_overlaps_and_then_ends_by_the_clock(hub):
    """Both secrets are good until the old one ends – without a reload, and not a second longer."""
    old = dataclasses.replace(KEY, expires_at=NOW + timedelta(seconds=60))
    hub.store.sources.put(toy_source(), NEW, old)
    await hub.ingest.reload()
    assert (await hub.post(b'{"id":"1"}', key=KEY)).status == 202
    assert (await hub.post(b'{"id":"2"}', key=NEW)).status == 202
    assert [i.proof.secret_id for i in hub.store.inbound.kept.values()] == [KEY.id, NEW.id]
    hub.clock.advance(seconds=59.9)
    assert (await hub.post(b'{"id":"3"}', key=KEY)).status == 202
    hub.clock.advance(seconds=0.1)
    assert (await hub.post(b'{"id":"4"}', key=KEY)).status == 401
    assert (await hub.post(b'{"id":"5"}', key=NEW)).status == 202


async def test_reload_takes_up_new_changed_and_deleted_sources(hub):
    """A change in the console counts for the next request."""
    hub.store.sources.put(toy_source(id="second"), NEW)
    assert (await hub.post(path="/in/second", key=NEW)).status == 404
    await hub.ingest.reload()
    assert (await hub.post(path="/in/second", key=NEW)).status == 202
    hub.store.sources.put(toy_source(max_body_bytes=10), KEY)
    await hub.ingest.reload()
    assert (await hub.post()).status == 413
    del hub.store.sources.sources["toy"]
    await hub.ingest.reload()
    assert (await hub.post()).status == 404


async def test_a_reload_that_fails_keeps_what_is_known_and_is_tried_again(hub):
    """A busy store must not empty the table; the change arrives as soon as it can."""
    hub.store.sources.put(toy_source(id="second"), NEW)
    hub.store.sources.error = StoreBusy()
    await hub.ingest.reload()
    assert (await hub.post()).status == 202
    hub.store.sources.error = None
    await until(lambda: "second" in hub.ingest._sources)
    assert (await hub.post(path="/in/second", key=NEW)).status == 202


async def test_nothing_is_answered_before_the_sources_are_known(tmp_path):
    """A hub that cannot open its secrets does not start listening."""
    from fakes.provider import ToyReceiver, toy_registry
    from fakes.store import FakeStore
    from inkwire.clock import ManualClock
    from inkwire.config import Settings
    from inkwire.ids import CountingIds
    from inkwire.ingest import Ingest

    store = FakeStore()
    store.sources.error = CipherError()
    ingest = Ingest(
        store=store,
        registry=toy_registry(ToyReceiver()),
        clock=ManualClock(NOW),
        ids=CountingIds(),
        settings=Settings(data_dir=tmp_path),
    )
    sent = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    await ingest({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": CipherError().message}]


async def test_a_source_that_allows_more_than_the_backlog_holds_is_limited_to_it(tmp_path):
    """Such a body could never be read; 413 says so, where 503 would be repeated for ever."""
    source = toy_source(max_body_bytes=10**9)
    async with running(tmp_path, source=source, backlog_bytes=100_000) as hub:
        assert (await hub.post(b"x" * 50_000)).status == 202
        assert (await hub.post(b"x" * 50_001)).status == 413


def test_secrets_are_not_shown():
    """A live source in a log line or a traceback gives no secret away."""
    from inkwire.ingest.live_sources import LiveSource

    live = LiveSource(
        source=toy_source(),
        receiver=None,
        secrets=(KEY,),
        max_body_bytes=1,
        event_types=frozenset(),
        document_ids=frozenset(),
    )
    assert "toy-key" not in repr(live)
