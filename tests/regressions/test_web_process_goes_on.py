"""One fault in a task of the web process ended it in silence, and could keep ingest from stopping.

And a burst of sign-ins held every thread, so that `/healthz` did not answer.
"""

import asyncio
import inspect
import threading

import pytest

from inkwire.access.passwords import Passwords
from inkwire.app import open_hub, web_app
from inkwire.config import load_settings
from inkwire.errors import RateLimited
from inkwire.store.live import LiveCounters
from inkwire.store.open import migrate


async def test_the_watcher_survives_any_fault():
    """It goes on after a pause, and says what happened."""

    class Feed:
        watched = 0

        async def watch(self):
            self.watched += 1
            if self.watched == 1:
                raise KeyError("a bug")
            yield {"event": 1}
            await asyncio.Event().wait()

    counters = LiveCounters(retry_s=0.01)
    running = asyncio.create_task(counters.run(Feed()))
    assert await counters.changed({}, timeout_s=5) == {"event": 1}
    running.cancel()


async def _dead():
    raise KeyError("a bug")


async def test_a_dead_task_does_not_keep_ingest_from_stopping(tmp_path):
    """What was accepted is written at the stop, whatever else broke."""
    settings = load_settings(data_dir=tmp_path / "data")
    migrate(settings)
    inbox, sent = asyncio.Queue(), asyncio.Queue()
    with open_hub(settings) as hub:
        app = web_app(hub)
        running = asyncio.create_task(app({"type": "lifespan"}, inbox.get, sent.put))
        inbox.put_nowait({"type": "lifespan.startup"})
        assert (await asyncio.wait_for(sent.get(), 5))["type"] == "lifespan.startup.complete"
        app._tasks.append(asyncio.create_task(_dead()))
        inbox.put_nowait({"type": "lifespan.shutdown"})
        assert (await asyncio.wait_for(sent.get(), 5))["type"] == "lifespan.shutdown.complete"
        await running


def test_health_needs_no_thread(tmp_path):
    """It is answered by the loop itself, however busy the threads are."""
    settings = load_settings(data_dir=tmp_path / "data")
    migrate(settings)
    with open_hub(settings) as hub:
        routes = {getattr(route, "path", ""): route for route in web_app(hub)._pages.routes}
        assert inspect.iscoroutinefunction(routes["/healthz"].endpoint)


def test_only_a_few_sign_ins_wait():
    """The next one is refused at once and keeps no thread."""
    busy = Passwords(at_once=1, waiting=1, wait_s=60)
    with busy._slot():
        waiting = threading.Thread(target=busy.verify, args=(None, "x"))
        waiting.start()
        while busy._places._value:  # until the thread has its place
            pass
        with pytest.raises(RateLimited) as caught:
            busy.verify(None, "x")
        assert caught.value.retry_after_s == 2
    waiting.join()
