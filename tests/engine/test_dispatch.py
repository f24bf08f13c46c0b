"""Dispatch hands each event on once, and a bad one holds up nobody."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine.acting import Toy
from inkwire.clock import ManualClock
from inkwire.engine.contract import EventHandler
from inkwire.engine.dispatch import BATCH, Dispatcher
from inkwire.errors import StoreBusy, Unparsable
from inkwire.ids import CountingIds
from inkwire.model.event import DedupeKind, Event, EventState, Origin, ParsedEvent, Term, TermKind
from inkwire.model.receipt import OpenedReceipt, Receipt, ReceiptState
from inkwire.model.verdict import MatchedOn
from inkwire.model.work import Integration, IntegrationState
from inkwire.providers.contract import Provider
from inkwire.providers.registry import Registry
from inkwire.store.contract import Undispatched

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLOCK = ManualClock(NOW)


class Lines:
    """A provider whose body is one event a line; `bad` cannot be read and `bug` is our fault."""

    settings = secrets = ()

    def parse(self, request, body, settings):
        """Each line is an event."""
        if body == b"bad":
            raise Unparsable("The body is bad.")
        if body == b"bug":
            raise ZeroDivisionError
        return tuple(
            ParsedEvent(type=f"lines.{line}", dedupe_key=line.encode(), dedupe_kind=DedupeKind.HARD)
            for line in body.decode().split()
        )

    def terms(self, event):
        """The line itself."""
        return (Term(kind=TermKind.NAME, value=event.type.removeprefix("lines.")),)


class FakeStore:
    """Waiting events in a list; remembers what dispatch said of each."""

    def __init__(self, waiting):
        self.waiting, self.done, self.failures = waiting, [], 0
        self.dispatch = self.sources = self.subscribers = self
        self.wake, self.loop, self.empty = asyncio.Event(), None, asyncio.Event()

    def all(self):
        """No sources: settings fall back to their defaults."""
        return []

    def granted_topics(self):
        """Nobody was granted anything."""
        return frozenset()

    def take(self, limit, work):
        """As the contract says."""
        if self.failures:
            self.failures -= 1
            raise StoreBusy
        batch = self.waiting[:limit]
        self.done += work(batch)
        del self.waiting[: len(batch)]
        if self.loop and batch and not self.waiting:  # looking at nothing is no news
            self.loop.call_soon_threadsafe(self.empty.set)
        return len(batch)

    async def watch(self):
        """Counters at once, then each time the test wakes it."""
        while True:
            yield {}
            await self.wake.wait()
            self.wake.clear()


def waiting(number, body=b"one", position=0, canonical=None):
    """One event that waits."""
    receipt = Receipt(
        id=f"rcp_{number}", source_id="s", provider="lines", state=ReceiptState.ACCEPTED,
        received_at=NOW, remote="", method="POST", path="/in/s", body_size=len(body),
        has_body=True, body_hash="", secret_id="", matched_on=MatchedOn.RAW, signed_at=None,
        quarantine=None, released_at=None, released_by=None,
    )  # fmt: skip
    event = Event(
        id=f"evt_{number}", receipt_id=receipt.id, source_id="s", provider="lines",
        position=position, type="lines.x", state=EventState.NEW, origin=Origin.WEBHOOK,
        received_at=NOW, occurred_at=None, entity_key=None, dedupe_kind=DedupeKind.HARD,
        duplicate_of=None, conflict=False, test=False, dispatched_at=None, dispatch_error=None,
    )  # fmt: skip
    return Undispatched(
        event=event,
        opened=OpenedReceipt(receipt=receipt, query=b"", headers=(), body=body),
        canonical=canonical,
    )


def dispatcher(store):
    """A dispatcher on the fake store with the provider above."""
    provider = Provider(name="lines", title="Lines", summary="", receive=Lines(), package="x")
    return Dispatcher(store=store, registry=Registry([provider]), clock=CLOCK, ids=CountingIds())


def test_the_terms_of_each_event_of_a_body_are_kept():
    """Position picks the element; the canonical text is read in place of the body."""
    store = FakeStore(
        [waiting(1, b"a b", 0), waiting(1, b"a b", 1), waiting(2, b"raw", canonical=b"signed")]
    )
    assert dispatcher(store).run_once() == 3
    assert [done.terms[0].value for done in store.done] == ["a", "b", "signed"]
    assert all(done.error is None for done in store.done)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (waiting(1, b"bad"), "The body is bad."),
        (waiting(1, b"bug"), "upgrade"),
        (waiting(1, b"a", 5), "settings changed"),
        (replace(waiting(1), opened=replace(waiting(1).opened, body=None)), "no longer here"),
    ],
    ids=["unparsable", "our defect", "fewer events than before", "erased"],
)
def test_a_bad_event_says_why_and_holds_up_nobody(item, words):
    """The one behind it is dispatched in the same batch."""
    store = FakeStore([item, waiting(2, b"fine")])
    assert dispatcher(store).run_once() == 2
    assert words in store.done[0].error
    assert store.done[1].error is None
    assert store.done[1].terms


class Those:
    """Integrations in a list."""

    def all(self):
        """One that hears the source."""
        return [
            Integration(
                id=7, kind="toy", name="x", state=IntegrationState.ACTIVE, settings={},
                connection_id=None, source_ids=("s",), created_at=NOW, updated_at=NOW,
            )
        ]  # fmt: skip


def test_work_of_integrations_is_kept_with_the_event_that_makes_it():
    """In the same transaction, so that no crash comes between them."""
    heard = EventHandler(
        types=frozenset({"lines.x"}),
        workflow="do",
        key=lambda event, parsed: parsed.type,
        entity=lambda event, parsed: event.id,
        subject=lambda integration, parsed: {},
    )
    store = FakeStore([waiting(1, b"a b", 1)])
    store.integrations = Those()
    provider = Provider(name="lines", title="Lines", summary="", receive=Lines(), package="x")
    hands_on = Dispatcher(
        store=store,
        registry=Registry([provider]),
        clock=CLOCK,
        ids=CountingIds(),
        kinds={"toy": Toy(events=(heard,))},
    )
    assert hands_on.run_once() == 1
    (row,) = store.done[0].work
    assert (row.integration_id, row.key, row.event_id) == (7, "lines.b", "evt_1")


def running(store):
    """The dispatcher at work in the background, and what stops it."""
    store.loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    work = Dispatcher(
        store=store,
        registry=Registry(
            [Provider(name="lines", title="Lines", summary="", receive=Lines(), package="x")]
        ),
        clock=CLOCK,
        ids=CountingIds(),
        retry_s=0.01,
    ).run(stop)
    return asyncio.create_task(work), stop


async def test_everything_that_waits_is_dispatched_and_then_news_wakes_it():
    """Full batches follow each other without a wake-up; a later event needs one."""
    store = FakeStore([waiting(n) for n in range(2 * BATCH + 1)])
    task, stop = running(store)
    await asyncio.wait_for(store.empty.wait(), 5)
    store.empty.clear()
    store.waiting.append(waiting("late"))
    store.wake.set()
    await asyncio.wait_for(store.empty.wait(), 5)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert len(store.done) == 2 * BATCH + 2


async def test_a_failing_store_is_asked_again():
    """Nothing is given up because the store was busy for a moment."""
    store = FakeStore([waiting(1)])
    store.failures = 3
    task, stop = running(store)
    await asyncio.wait_for(store.empty.wait(), 5)
    stop.set()
    await asyncio.wait_for(task, 5)
    assert len(store.done) == 1
