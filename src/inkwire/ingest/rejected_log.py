"""Refused requests: queued in memory, written to the bounded rejected log once a second."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import datetime

import structlog

from inkwire.errors import StoreError
from inkwire.ingest.exchange import Exchange
from inkwire.ingest.metrics import Metrics
from inkwire.ingest.receive import Refusal
from inkwire.model.receipt import Rejection
from inkwire.model.request import shown_headers
from inkwire.model.verdict import Reason
from inkwire.store.contract import Inbound

log = structlog.get_logger(__name__)

#: Rows that wait for the next second, and those of one reason and source in a minute (all unknown
#: sources together count as one). Further ones are counted and dropped: a flood must cost neither
#: memory nor disk, and a scanner must not push the other refusals out of the log: at 60 a minute
#: it needs nearly three hours for the usual 10,000 rows, and leaves every other kind its share.
MAX_QUEUED, MAX_ALIKE = 1_000, 60
_MINUTE_S = 60.0
MAX_HEADER_BYTES = 4096
MAX_TEXT = 512
MAX_SOURCE_ID = 64


class RejectedLog:
    """A bounded queue in front of the store's rejected log."""

    def __init__(
        self, inbound: Inbound, metrics: Metrics, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Writes with `inbound.reject`; counts what is dropped in `metrics`.

        `monotonic`: seconds; a minute of it is what `MAX_ALIKE` is about.
        """
        self._inbound = inbound
        self._metrics = metrics
        self._queue: deque[Rejection] = deque()
        self._monotonic = monotonic
        #: How many of a kind were taken in this minute, and when it ends.
        self._alike: Counter[tuple[Reason, str]] = Counter()
        self._minute_ends = 0.0

    def takes(self, reason: Reason, source_id: str) -> bool:
        """Whether there is room for one more of this kind; counts it as dropped if not.

        `source_id`: empty for all that are unknown.

        Asked first, because describing a refusal is work that a flood should not cause.
        """
        now = self._monotonic()
        if now >= self._minute_ends:
            self._alike.clear()
            self._minute_ends = now + _MINUTE_S
        kind = (reason, source_id)
        if len(self._queue) >= MAX_QUEUED or self._alike[kind] >= MAX_ALIKE:
            self._metrics.rejections_dropped += 1
            return False
        self._alike[kind] += 1
        return True

    def add(self, rejection: Rejection) -> None:
        """Queues one that `takes` allowed."""
        self._queue.append(rejection)

    async def flush(self) -> None:
        """Writes what is queued, on a thread; drops and counts it if the store cannot."""
        rows = list(self._queue)
        self._queue.clear()
        if not rows:
            return
        try:
            await asyncio.to_thread(self._inbound.reject, rows)
        except Exception as error:
            self._metrics.rejections_dropped += len(rows)
            if not isinstance(error, StoreError):
                log.exception("rejected_log_failed", rows=len(rows))
                return
            log.warning("rejected_log_dropped", rows=len(rows), help=error.message)


def describe(
    exchange: Exchange,
    refusal: Refusal,
    *,
    provider: str | None,
    status: int,
    at: datetime,
    rejection_id: str,
) -> Rejection:
    """The row of one refused exchange, every text bounded; the query is left out (tokens)."""
    return Rejection(
        id=rejection_id,
        source_id=text(exchange.source_id, MAX_SOURCE_ID),
        provider=provider,
        at=at,
        status=status,
        reason=refusal.reason,
        detail=text(refusal.detail),
        hint=text(refusal.hint),
        remote=text(exchange.remote, 64),
        method=text(exchange.method, 16),
        path=text(exchange.path.decode("latin-1")),
        body_size=exchange.size,
        headers=logged_headers(exchange.headers),
    )


def logged_headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    """Headers as the log keeps them: credentials redacted, 4 KiB in all, the rest cut off."""
    room = MAX_HEADER_BYTES
    kept = []
    for name, value in shown_headers(headers):
        if len(name) + len(value) > room:
            if room > len(name):
                kept.append((name, text(value, room - len(name) - 1) + "…"))
            break
        room -= len(name) + len(value)
        kept.append((text(name), text(value, MAX_HEADER_BYTES)))
    return tuple(kept)


def text(value: str, most: int = MAX_TEXT) -> str:
    """Text that every store takes: no NUL, no lone surrogate, at most `most` characters."""
    clean = value[:most].encode("utf-8", "replace").decode("utf-8")
    return clean.replace("\x00", "?")
