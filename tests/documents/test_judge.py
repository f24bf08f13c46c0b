"""The worker's judge: every signed document gets its verdict, and none hinders the next."""

import asyncio
import contextlib

from documents.kit import add_order, keep
from documents.pdfs import NOW, blank, jane, signed
from inkwire.clock import ManualClock
from inkwire.documents.verdict import Judge
from inkwire.errors import CipherError, StoreBusy
from inkwire.model.document import DocumentKind
from inkwire.store.live import LiveCounters


def judge_of(rooms, **options):
    """A judge of these rooms."""
    given = {"store": rooms.store, "documents": rooms.hub.documents, "clock": ManualClock(NOW)}
    return Judge(**{**given, "trust": jane().root, **options})


def verdicts(rooms, order):
    """Outcome of each document by name."""
    return {
        one.name: one.verdict and one.verdict["outcome"]
        for one in rooms.hub.documents.of_order(order.id)
    }


def test_signed_documents_are_judged_once(rooms):
    """Others are left alone; a second round finds nothing to do."""
    order = add_order(rooms)
    keep(rooms, order, "contract.pdf", signed())
    keep(rooms, order, "plain.pdf", blank())
    keep(rooms, order, "draft.pdf", blank(), kind=DocumentKind.PREPARED)
    judge = judge_of(rooms)
    assert judge.run_once() == 2
    found = {"contract.pdf": "trusted", "plain.pdf": "unsigned", "draft.pdf": None}
    assert verdicts(rooms, order) == found
    assert judge.run_once() == 0


def test_a_document_that_cannot_be_read_does_not_stop_the_rest(rooms):
    """Its bytes are gone: the verdict says so; the next one is judged."""
    order = add_order(rooms)
    gone = keep(rooms, order, "gone.pdf", signed())
    keep(rooms, order, "plain.pdf", blank())
    (rooms.settings.data_dir / "blobs" / gone.blob).unlink()
    assert judge_of(rooms).run_once() == 2
    assert verdicts(rooms, order) == {"gone.pdf": "unjudged", "plain.pdf": "unsigned"}


class Sealed:
    """A desk whose oldest document needs a key that is not at hand; `busy` times it fails whole."""

    def __init__(self, desk, sealed="", busy=0):
        self.desk, self.sealed, self.busy = desk, sealed, busy

    def content(self, document_id):
        if self.busy:
            self.busy -= 1
            raise StoreBusy
        if document_id == self.sealed:
            raise CipherError
        return self.desk.content(document_id)


def test_a_document_whose_key_is_missing_waits_for_it(rooms):
    """No verdict is made up; others go on, and another process tries again."""
    order = add_order(rooms)
    sealed = keep(rooms, order, "sealed.pdf", signed())
    keep(rooms, order, "plain.pdf", blank())
    judge = judge_of(rooms, documents=Sealed(rooms.hub.documents, sealed.id))
    assert judge.run_once() == 1
    assert judge.run_once() == 0
    assert verdicts(rooms, order) == {"sealed.pdf": None, "plain.pdf": "unsigned"}
    assert judge_of(rooms).run_once() == 1
    assert verdicts(rooms, order)["sealed.pdf"] == "trusted"


async def test_the_loop_wakes_on_news_outlives_a_busy_store_and_stops(rooms):
    """A document that is kept while it waits is judged without waiting for the sweep."""
    order = add_order(rooms)
    sealed = keep(rooms, order, "sealed.pdf", blank())
    live, stop = LiveCounters(), asyncio.Event()
    watching = asyncio.create_task(live.run(rooms.store))
    desk = Sealed(rooms.hub.documents, sealed.id, busy=1)
    judge = judge_of(rooms, documents=desk, live=live, retry_s=0.01, sweep_s=600)
    running = asyncio.create_task(judge.run(stop))
    try:
        for name in ("first.pdf", "second.pdf"):
            keep(rooms, order, name, blank())
            async with asyncio.timeout(20):
                while verdicts(rooms, order).get(name) != "unsigned":
                    await asyncio.sleep(0.02)
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await running
        live.close()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
