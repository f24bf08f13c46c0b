"""Calls of the store from an event loop that has little else to do meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from typing import TypeVar

T = TypeVar("T")

#: Seconds that the loop stands still for a call; after one that took longer, the next SKIPPED of
#: them go on beside it.
STAND_STILL_S, SKIPPED = 0.02, 15


class Standing:
    """Runs calls on threads of its own; the loop stands still for those that are quick.

    Both need the interpreter's lock, and while they share it each slows the other down: at full
    load standing still gains a third (measured, two cores). A slow store never holds the loop.
    """

    def __init__(self, *, threads: int, still_s: float = STAND_STILL_S) -> None:
        """`threads`: calls that may run at the same time."""
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="sender")
        self._still_s = still_s
        self._skip = 0

    async def __call__(self, call: Callable[[], T]) -> T:
        """What `call` gives; raises what it raises."""
        future = self._pool.submit(call)
        if self._skip:
            self._skip -= 1
        else:
            try:
                return future.result(timeout=self._still_s)
            except TooSlow:
                if future.done():  # by now; or the time-out was the call's own
                    return future.result()
                self._skip = SKIPPED
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Ends the threads once their calls are done."""
        self._pool.shutdown(wait=False)
