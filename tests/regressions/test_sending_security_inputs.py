"""Odd input to the API of sending gets an answer, and a slow name server holds up nobody else."""

import asyncio
import threading
import time

import pytest

from api.conftest import Client, build  # the API as the hub mounts it
from fakes.hub import open_rooms
from fakes.subscriber import subscriber
from inkwire.access.gate import CLI
from inkwire.delivery.desk import WebhookDesk
from inkwire.delivery.drafts import WebhookPatch
from inkwire.outbound.guard import LOOK_S, Guard


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    """An application with a webhook, and a client that holds its key."""
    with open_rooms(tmp_path_factory.mktemp("hub") / "data") as rooms:
        subscribed = subscriber(rooms)
        webhook = subscribed.webhook()
        path = f"/v1/applications/{subscribed.id}/webhooks/{webhook.id}"
        yield path, Client(build(rooms), subscribed.key())


@pytest.mark.parametrize(
    "limit", ["000000001" + "0" * 5000, "0000000010", "000000050000", "1" * 30]
)
def test_a_limit_of_many_digits_is_refused_in_boxcs_shape(acme, limit):
    """Its first digits alone were judged: what followed passed the limit, or ended in a 500."""
    answer = acme[1].get(f"/webhooks?limit={limit}")
    assert (answer.status, answer.json()["code"]) == (400, 1031)


@pytest.mark.parametrize("payload", ["\ud800", {"\udfff": 1}, [{"a": ["\ud83d"]}]])
def test_a_test_payload_with_half_a_character_is_refused(acme, payload):
    """JSON may spell a lone surrogate, which UTF-8 cannot carry: 422, not 500."""
    path, client = acme
    answer = client.post(f"{path}/test", {"payload": payload})
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "payload")


@pytest.mark.parametrize("value", ["[" * 300 + "]" * 300, "NaN", "Infinity"])
def test_a_filter_that_compares_with_no_scalar_is_refused(acme, value):
    """Deep values ended in a 500, and NaN became null without a word."""
    path, client = acme
    body = f'{{"filters":[{{"path":"a","op":"equals","value":{value}}}]}}'
    answer = client.call("PATCH", path, chunks=[body.encode()])
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "filters.0.value")


def test_a_lookup_that_hangs_lets_its_caller_go():
    """A name server that never answers must not hold a thread of the API for as long as it likes."""
    answers = threading.Event()

    def hangs(host, port):
        answers.wait(60)
        return ["8.8.8.8"]

    guard = Guard((), hangs)
    try:
        began = time.monotonic()
        assert guard.look("slow.example.com", 443) is None
        assert time.monotonic() - began < LOOK_S + 5
    finally:
        answers.set()
        guard.close()


@pytest.mark.parametrize("change", ["address", "enable"])
def test_a_slow_lookup_for_one_application_blocks_no_other(tmp_path, change):
    """Names were looked up under the lock of all changes: one application could stop the rest."""
    asked, answers = threading.Event(), threading.Event()

    def look(host, port):
        asked.set()
        answers.wait(60)

    with open_rooms(tmp_path / "data") as rooms:
        mine, theirs = subscriber(rooms).webhook(), subscriber(rooms, "Other").webhook()
        rooms.webhooks.disable(CLI, mine.id)
        desk = WebhookDesk(
            store=rooms.store,
            catalogue=rooms.hub.catalogue,
            clock=rooms.clock,
            ids=rooms.ids,
            look=look,
            most=100,
        )
        slow = {
            "address": lambda: desk.change(CLI, mine.id, WebhookPatch(address="https://b.test/x")),
            "enable": lambda: desk.activate(CLI, mine.id),
        }[change]
        mine_waits = threading.Thread(target=slow)
        theirs_runs = threading.Thread(target=lambda: desk.pause(CLI, theirs.id))
        mine_waits.start()
        try:
            assert asked.wait(30)
            theirs_runs.start()
            theirs_runs.join(10)
            assert not theirs_runs.is_alive(), "a change of another application waits for the name"
        finally:
            answers.set()
            mine_waits.join(30)
            theirs_runs.join(30)


async def test_names_that_hang_leave_room_for_others():
    """One application's 100 webhooks on a dead name server made every delivery time out."""
    answers = threading.Event()

    def resolver(host, port):
        if host.startswith("dead"):
            answers.wait(60)
        return ["8.8.8.8"]

    guard = Guard((), resolver)
    dead = [asyncio.create_task(guard.resolve(f"dead{n}.example.com", 443)) for n in range(100)]
    try:
        await asyncio.sleep(0)
        assert await asyncio.wait_for(guard.resolve("alive.example.com", 443), 10)
    finally:
        answers.set()
        await asyncio.gather(*dead)
        guard.close()
