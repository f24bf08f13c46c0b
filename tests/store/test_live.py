"""Pages that wait for news are woken once, and never hang at shutdown."""

import asyncio

from inkwire.errors import StoreBusy
from inkwire.store.live import LiveCounters


class Feed:
    """A store whose counters the test moves; the first watch fails."""

    def __init__(self):
        self.queue = asyncio.Queue()
        self.watched = 0

    async def watch(self):
        """As the contract says."""
        self.watched += 1
        if self.watched == 1:
            raise StoreBusy
        while True:
            yield await self.queue.get()


async def test_a_wait_ends_when_a_counter_moves():
    """Also after the store failed once."""
    feed, counters = Feed(), LiveCounters(retry_s=0.01)
    running = asyncio.create_task(counters.run(feed))
    waits = [asyncio.create_task(counters.changed({}, timeout_s=5)) for _ in range(3)]
    feed.queue.put_nowait({"event": 1})
    assert await asyncio.gather(*waits) == [{"event": 1}] * 3
    assert counters.counters() == {"event": 1}
    running.cancel()


async def test_a_wait_ends_after_its_time():
    """A page sends its heartbeat then."""
    assert await LiveCounters().changed({}, timeout_s=0.01) == {}


async def test_closing_ends_every_wait():
    """A graceful stop does not wait for open pages."""
    counters = LiveCounters()
    wait = asyncio.create_task(counters.changed({}, timeout_s=60))
    await asyncio.sleep(0)
    counters.close()
    assert await asyncio.wait_for(wait, 1) == {}
    assert counters.closed
    assert await asyncio.wait_for(counters.changed({}, timeout_s=60), 1) == {}
