"""Inbound events go to the applications that were granted their type, once each, on a real store."""

import json

import pytest

from contract.store_kit import START, SqliteMaker
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.engine.dispatch import Dispatcher
from inkwire.hub import Hub, open_hub
from inkwire.ingest.live_sources import load_sources
from inkwire.ingest.receive import judge
from inkwire.model.message import MessageOrigin
from inkwire.model.source import Secret
from inkwire.sources.desk import SourceChange, SourceDraft
from inkwire.store.sending import MessageQuery

KEY = "forwarding-key-0123456789abcdef"
BOX, BOLO = "box.FILE.UPLOADED", "bolosign.new_signature_pdf_completed"
ROLES = {"box": "primary", "bolosign": "secret"}


@pytest.fixture(scope="module")
def sqlite_maker(tmp_path_factory):
    """A migrated store to copy."""
    return SqliteMaker(tmp_path_factory.mktemp("forwarding"))


@pytest.fixture
def hub(sqlite_maker, tmp_path):
    """A hub with a Box source and a BoloSign one."""
    with (
        sqlite_maker.fresh(tmp_path / "hub") as settings,
        open_hub(settings, clock=ManualClock(START)) as made,
    ):
        for provider, role in ROLES.items():
            made.desk.create(
                CLI, SourceDraft(id=provider, provider=provider, name=provider, secrets={role: KEY})
            )
        yield made


def receive(hub: Hub, provider: str, body: bytes, number: int = 1) -> str:
    """A signed request, judged and stored as ingest does; the id of its first event."""
    live = load_sources(hub.store.sources, hub.registry, hub.clock.now(), most_bytes=1 << 24)
    source = live[provider]
    receiver = hub.registry.receiver(provider)
    signed = receiver.sign(
        body,
        [Secret(id="any", role=ROLES[provider], value=KEY.encode())],
        source.source.settings,
        hub.clock.now(),
        event_type=f"{provider}.any",
        delivery_id=f"delivery-{number}",
    )
    judged = judge(
        source,
        receiver,
        signed.as_inbound(),
        remote="127.0.0.1",
        now=hub.clock.now(),
        ids=hub.ids,
    )
    hub.store.inbound.append([hub.store.inbound.seal(judged.intake)])
    return judged.intake.events[0].id


def dispatch(hub: Hub) -> list:
    """Hands on what waits; every message there is, oldest first."""
    work = Dispatcher(store=hub.store, registry=hub.registry, clock=hub.clock, ids=hub.ids)
    while work.run_once():
        pass
    return hub.store.outbox.messages(MessageQuery())[::-1]


def granted(hub: Hub, *topics: str) -> str:
    """A new application with grants; its id."""
    application = hub.applications.create(CLI, name="Subscriber")
    hub.applications.set_grants(CLI, application.id, topics)
    return application.id


def box_event(number: int = 1, trigger: str = "FILE.UPLOADED") -> bytes:
    """A delivery of Box, with odd spacing that must survive."""
    return (
        b'{ "type":"webhook_event",  "id":"e-%d", "trigger":"%b",\n'
        b' "source":{"type":"file","id":"77"}}' % (number, trigger.encode())
    )


def test_a_granted_event_becomes_a_message_with_the_very_bytes(hub):
    """One for each application with the grant, none for the others; the payload is untouched."""
    first, second, other = granted(hub, BOX), granted(hub, BOX, BOLO), granted(hub, BOLO)
    event_id = receive(hub, "box", box_event())
    messages = dispatch(hub)
    assert {one.application_id for one in messages} == {first, second}
    assert other not in {one.application_id for one in messages}
    for one in messages:
        assert (one.topic, one.origin, one.event_id) == (BOX, MessageOrigin.FORWARDED, event_id)
        assert one.document_ids == ("77",)
        assert hub.store.outbox.open_body(one.id) == box_event()


def test_without_a_grant_nothing_is_forwarded(hub):
    """Another type, or no application: no message."""
    granted(hub, BOX)
    receive(hub, "box", box_event(trigger="FILE.DOWNLOADED"))
    assert dispatch(hub) == []


def test_a_repeat_is_not_forwarded(hub):
    """A duplicate by Box's id makes no second message."""
    granted(hub, BOX)
    receive(hub, "box", box_event(), 1)
    receive(hub, "box", box_event(), 2)
    assert len(dispatch(hub)) == 1


def test_an_event_that_is_dispatched_again_makes_no_second_message(hub):
    """A person repeats the dispatch; the subscribers heard of it already."""
    application = granted(hub, BOX)
    event_id = receive(hub, "box", box_event())
    assert len(dispatch(hub)) == 1
    hub.inbox.dispatch_again(CLI, event_id)
    later = granted(hub, BOX)
    assert [one.application_id for one in dispatch(hub)] == [application, later]


def element(document_id: str) -> str:
    """A completed signature, with odd spacing that must survive."""
    return f'{{"webhookEvent":"new_signature_pdf_completed",  "documentId":"{document_id}"}}'


def test_the_element_of_an_array_is_forwarded_without_the_array(hub):
    """BoloSign sends an event as an array of one: the payload is the element's own bytes."""
    granted(hub, BOLO)
    receive(hub, "bolosign", f" [ {element('one')} ]".encode())
    (message,) = dispatch(hub)
    assert hub.store.outbox.open_body(message.id) == element("one").encode()
    assert message.document_ids == ("one",)


def test_each_element_of_an_array_is_a_message_of_its_own(hub):
    """Two signatures in one body: two messages, each with its own bytes."""
    granted(hub, BOLO)
    receive(hub, "bolosign", f"[{element('one')},{element('two')}]".encode())
    bodies = [hub.store.outbox.open_body(one.id) for one in dispatch(hub)]
    assert bodies == [element("one").encode(), element("two").encode()]


def test_a_test_click_at_the_vendor_is_not_forwarded(hub):
    """A source that is marked as the vendor's test: nothing of it happened."""
    granted(hub, BOLO)
    hub.desk.update(CLI, "bolosign", SourceChange(settings={"mark_as_test": True}))
    receive(hub, "bolosign", element("one").encode())
    assert dispatch(hub) == []


def test_a_probable_duplicate_is_not_forwarded(hub):
    """Nobody can say that the same content again is news."""
    granted(hub, BOLO)
    body = json.dumps({"webhookEvent": "new_signature_pdf_completed", "documentId": "x"}).encode()
    receive(hub, "bolosign", body, 1)
    hub.clock.advance(seconds=60)
    receive(hub, "bolosign", body, 2)
    assert len(dispatch(hub)) == 1
