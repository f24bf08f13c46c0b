"""What the ingest may hold at once: requests, bytes, disk, and time."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog:
    """Requests that wait for a commit, and the bytes of all that are in progress.

    Counted from the first byte of a body until its commit is over, even if the sender had to be
    answered 503 before that. Touched by the event loop's thread only.
    """

    __slots__ = ("bytes", "most_bytes", "most_requests", "requests")

    def __init__(self, *, most_requests: int, most_bytes: int) -> None:
        """`most_bytes`: largest sum of bodies and sealed rows held in memory."""
        self.most_requests = most_requests
        self.most_bytes = most_bytes
        self.requests = 0
        self.bytes = 0

    def full(self) -> bool:
        """Whether nothing more may begin."""
        return self.requests >= self.most_requests or self.bytes >= self.most_bytes

    def takes(self, size: int, *, complete: bool) -> bool:
        """Whether `size` more bytes fit.

        Bodies that are still arriving get half of the room, so that senders of large or slow
        bodies cannot shut out those whose request came in one piece.
        """
        most = self.most_bytes if complete else self.most_bytes // 2
        return self.bytes + size <= most


class DiskReserve:
    """Says when the disk is so full that nothing more should be taken."""

    def __init__(
        self,
        folder: Path,
        *,
        reserve_bytes: int,
        monotonic: Callable[[], float],
        free_bytes: Callable[[Path], int] | None = None,
    ) -> None:
        """`monotonic`: seconds; the disk is asked at most once a second."""
        self._folder = folder
        self._reserve = reserve_bytes
        self._monotonic = monotonic
        self._free_bytes = free_bytes or _free_bytes
        self._ask_again = 0.0
        self._short = False

    def short(self) -> bool:
        """Whether less than the reserve is free. A folder that cannot be asked counts as full."""
        now = self._monotonic()
        if now >= self._ask_again:
            self._ask_again = now + 1.0
            try:
                self._short = self._free_bytes(self._folder) < self._reserve
            except OSError:
                self._short = True
        return self._short


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class Deadlines(Generic[T]):
    """One timer for many waits of the same length: the oldest ends first, so only it is watched.

    Costs a dict entry a request where `asyncio.timeout` costs a timer.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, expire: Callable[[T], None]
    ) -> None:
        """`expire` is called once, on the loop, for each item that stays longer than `seconds`."""
        self._loop = loop
        self._seconds = seconds
        self._expire = expire
        self._ends: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._ends)

    def add(self, item: T) -> None:
        """Starts the wait of `item`."""
        end = self._loop.time() + self._seconds
        self._ends[item] = end
        if self._timer is None:
            self._timer = self._loop.call_at(end, self._fire)

    def discard(self, item: T) -> None:
        """Ends the wait of `item`, in time; nothing happens if it is over already."""
        self._ends.pop(item, None)

    def oldest(self) -> T | None:
        """The item that waits longest, or None."""
        return next(iter(self._ends), None)

    def close(self) -> None:
        """Forgets every wait; nobody is told."""
        self._ends.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self._loop.time()
        for item, end in list(self._ends.items()):
            if end > now:
                self._timer = self._loop.call_at(end, self._fire)
                return
            del self._ends[item]
            self._expire(item)
