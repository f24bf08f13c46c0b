"""Reads request bodies within bounds of size, time and memory."""

import asyncio

from starlette.types import Receive

from inkwire.ingest.limits import Backlog, Deadlines
from inkwire.model.verdict import Reason


class _Reading:
    """One body on its way in."""

    __slots__ = ("cut", "size", "task")

    def __init__(self, task: "asyncio.Task[object] | None") -> None:
        self.task = task
        self.size = 0
        #: Why the reading was ended from outside.
        self.cut: Reason | None = None


class Bodies:
    """Reads bodies; all of them together stay within the backlog."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, backlog: Backlog, *, seconds: float, most: int
    ) -> None:
        """`seconds`: until a body must be complete. `most`: bodies read at the same time."""
        self._backlog = backlog
        self._most = most
        self._open: Deadlines[_Reading] = Deadlines(loop, seconds, self._too_slow)

    def __len__(self) -> int:
        return len(self._open)

    async def read(self, receive: Receive, limit: int) -> bytes | Reason | None:
        """The whole body; a Reason if it must be refused; None if the sender went away.

        Reasons: TOO_LARGE (over `limit` bytes), TOO_SLOW, UNAVAILABLE (no room in memory, or cut
        for a newer request when too many are being read: the oldest goes, so that slow senders
        cannot shut out the others).
        """
        if len(self._open) >= self._most:
            self._cut(self._open.oldest(), Reason.UNAVAILABLE)
        reading = _Reading(asyncio.current_task())
        self._open.add(reading)
        try:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            first = message.get("body", b"")
            if message.get("more_body", False):
                return await self._rest(first, receive, limit, reading)
            if len(first) > limit:
                return Reason.TOO_LARGE
            return first if self._backlog.takes(len(first), complete=True) else Reason.UNAVAILABLE
        except asyncio.CancelledError:
            if reading.cut is None or reading.task is None:
                raise
            reading.task.uncancel()
            return reading.cut
        finally:
            self._open.discard(reading)
            self._backlog.bytes -= reading.size

    async def _rest(
        self, first: bytes, receive: Receive, limit: int, reading: _Reading
    ) -> bytes | Reason | None:
        body = bytearray()
        chunk, more = first, True
        while True:
            if reading.size + len(chunk) > limit:
                return Reason.TOO_LARGE
            if not self._backlog.takes(len(chunk), complete=not more):
                return Reason.UNAVAILABLE
            reading.size += len(chunk)
            self._backlog.bytes += len(chunk)
            body += chunk
            if not more:
                return bytes(body)
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk, more = message.get("body", b""), message.get("more_body", False)

    def _too_slow(self, reading: _Reading) -> None:
        self._cut(reading, Reason.TOO_SLOW)

    def _cut(self, reading: _Reading | None, reason: Reason) -> None:
        if reading is not None and reading.task is not None and reading.cut is None:
            self._open.discard(reading)
            reading.cut = reason
            reading.task.cancel()
