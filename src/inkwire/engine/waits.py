"""How the engine's loops wait: for a change that others made, for the stop, or for some time."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from inkwire.store.contract import Live

#: Seconds after which the counters are looked at again, whoever failed to wake us.
_LOOK_S = 5.0


async def until(stop: asyncio.Event, seconds: float) -> None:
    """Waits for `stop`, `seconds` at most."""
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def moved(live: Live, topic: str, seen: int | None) -> None:
    """Waits until a topic's counter is another than `seen`, or the process is stopping."""
    counters = live.counters()
    while counters.get(topic) == seen and not live.closed:
        counters = await live.changed(counters, timeout_s=_LOOK_S)


async def first(*waits: Coroutine[Any, Any, Any], timeout_s: float) -> None:
    """Waits until one of them returns, `timeout_s` at most; then ends the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def together(stop: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Runs all; if one raises, the others are told to stop and finish what they hold."""
    tasks = [asyncio.create_task(part) for part in parts]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    stop.set()
    await asyncio.wait(tasks)
    for task in tasks:
        task.result()
