"""The real engine of a hub, at work in a thread beside the test."""

import asyncio
import contextlib
import threading
from dataclasses import replace

from inkwire.engine.engine import Engine
from inkwire.engine.settings import engine_settings
from inkwire.hub import Hub
from inkwire.store.live import LiveCounters


@contextlib.contextmanager
def at_work(hub: Hub):
    """The hub's engine, in a loop and thread of its own, with short waits."""
    settings = replace(
        engine_settings(hub.settings),
        sweep_s=0.1, repair_s=0.5, unit_s=0.01, poll_s=0.2, beat_s=0.5, grace_s=5.0,
    )  # fmt: skip
    stop, ready = asyncio.Event(), threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def work() -> None:
        live = LiveCounters()
        loops.append(asyncio.get_running_loop())
        watching = asyncio.create_task(live.run(hub.store))
        ready.set()
        try:
            await Engine(kinds=hub.kinds, services=hub.services, live=live, settings=settings).run(
                stop
            )
        finally:
            live.close()
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    worker = threading.Thread(target=lambda: asyncio.run(work()))
    worker.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        worker.join(30)
        assert not worker.is_alive()
