"""Dispatch stopped for good, took too much at once, or had no way out for a conflict."""

import asyncio

import psycopg
import pytest

from contract.store_kit import Hub
from inkwire.engine.dispatch import Dispatcher
from inkwire.model.event import EventState, Origin
from inkwire.model.receipt import Intake
from inkwire.providers.registry import Registry
from inkwire.store.contract import Dispatched
from inkwire.store.dispatch import MAX_TAKE_BYTES

SPOILED = [
    ("UPDATE receipts SET data_key = headers WHERE id = %s", "receipt"),
    ("UPDATE receipts SET body = headers WHERE id = %s", "does not open"),
    ("DELETE FROM receipts WHERE id = %s", "not in the store"),
]


def put(hub: Hub, number: int, **fields) -> Intake:
    """One stored intake with a key of its own."""
    intake = hub.intake(hub.event(b"%d" % number), **fields)
    hub.put(intake)
    return intake


@pytest.mark.parametrize(("statement", "words"), SPOILED, ids=["key", "body", "gone"])
def test_a_receipt_that_does_not_open_holds_up_nobody(hub: Hub, statement, words):
    """It is noted on its own event, for a person; the others are handed on in the same batch."""
    intakes = [put(hub, number) for number in range(3)]
    hub.sql(statement, intakes[1].receipt_id)
    given = []

    def work(waiting):
        given.extend(item.event.id for item in waiting)
        return [Dispatched(event_id=event_id) for event_id in given]

    assert hub.store.dispatch.take(10, work) == 3
    first, spoiled, last = (intake.events[0].id for intake in intakes)
    assert given == [first, last]
    found = hub.store.events.get(spoiled)
    assert words in found.dispatch_error
    assert found.dispatched_at == hub.clock.now()
    assert hub.store.events.get(last).dispatch_error is None
    assert hub.store.dispatch.backlog() == 0


def test_a_batch_of_nothing_but_spoiled_receipts_is_done(hub: Hub):
    """`work` is not asked, and none of them comes back."""
    intake = put(hub, 1)
    hub.sql(SPOILED[1][0], intake.receipt_id)
    assert hub.store.dispatch.take(10, pytest.fail) == 1
    assert hub.store.dispatch.take(10, pytest.fail) == 0


def test_a_batch_is_bounded_in_bytes(hub: Hub):
    """Large bodies are opened a few at a time, one too large for any batch by itself."""
    size = MAX_TAKE_BYTES // 2
    bodies = [b"a" * size, b"b" * size, b"c", b"d" * (MAX_TAKE_BYTES + 1), b"e"]
    for number, body in enumerate(bodies):
        put(hub, number, body=body)
    batches = []

    def work(waiting):
        batches.append([item.opened.body[:1] for item in waiting])
        return [Dispatched(event_id=item.event.id) for item in waiting]

    while hub.store.dispatch.take(100, work):
        pass
    assert batches == [[b"a", b"b"], [b"c"], [b"d"], [b"e"]]


def test_many_events_of_one_body_count_it_once(hub: Hub):
    """What is opened once is counted once."""
    body = b"x" * (MAX_TAKE_BYTES // 2 + 1)
    hub.put(hub.intake(*(hub.event(b"%d" % n) for n in range(5)), body=body))
    assert len(hub.dispatch()) == 5


async def test_an_event_that_a_dead_worker_had_locked_is_taken(hub: Hub):
    """Its end moves no counter, so the other worker looks again by itself."""
    if hub.dialect == "sqlite":  # locks no rows: nothing can be left behind
        assert not hub.store.dispatch._database.locks_rows
        return
    event_id = put(hub, 1).events[0].id
    dead = psycopg.connect(hub.settings.database_url.get_secret_value())
    dead.execute("SELECT id FROM events FOR UPDATE")
    stop = asyncio.Event()
    seen: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    class Told(Dispatcher):
        """Tells how many each batch was."""

        def run_once(self) -> int:
            done = super().run_once()
            loop.call_soon_threadsafe(seen.put_nowait, done)
            return done

    dispatcher = Told(
        store=hub.store, registry=Registry([]), clock=hub.clock, ids=hub.ids, sweep_s=0.05
    )
    task = asyncio.create_task(dispatcher.run(stop))
    assert [await asyncio.wait_for(seen.get(), 10) for _ in range(3)] == [0, 0, 0]
    dead.close()
    while await asyncio.wait_for(seen.get(), 10) == 0:
        pass
    stop.set()
    await asyncio.wait_for(task, 10)
    assert hub.store.events.get(event_id).dispatched_at == hub.clock.now()


def test_a_person_can_hand_on_a_conflict(hub: Hub):
    """Another body under a used key is held for a person, whose word then counts."""
    put(hub, 7, body=b"first")
    conflict = put(hub, 7, body=b"second")
    exact = put(hub, 7, body=b"first")
    hub.dispatch()
    event_id = conflict.events[0].id
    found = hub.store.events.get(event_id)
    assert (found.state, found.conflict, found.origin) == (
        EventState.DUPLICATE, True, Origin.WEBHOOK,
    )  # fmt: skip
    hub.store.dispatch.again(event_id, audit=hub.audit())
    (given,) = hub.dispatch()
    assert (given.event.id, given.opened.body) == (event_id, b"second")
    assert hub.store.dispatch.backlog() == 0
    with pytest.raises(Exception, match="only new events"):
        hub.store.dispatch.again(exact.events[0].id, audit=hub.audit())
