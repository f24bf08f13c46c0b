"""Sends signed requests: once, as often as the vendor would, or many at a rate."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp
import yarl

from inkwire.cli.signed import with_query
from inkwire.errors import InvalidInput
from inkwire.model.request import SignedRequest

#: Bytes of an answer that are shown.
MAX_SHOWN = 64 * 1024
#: The request must be exactly what the vendor sends, so the client adds nothing of its own.
_NOT_ADDED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back for one request."""

    #: HTTP status; None if there was no answer.
    status: int | None
    seconds: float
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    #: Why there was no answer, in one sentence.
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the sender may forget about it: 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def line(self) -> str:
        """`401 Unauthorized`, or why there was no answer."""
        if self.status is None:
            return self.problem
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return str(self.status)

    @property
    def text(self) -> str:
        """The body for a person's eyes."""
        return self.body.decode("utf-8", "replace")


def check_url(url: str) -> str:
    """The URL if it can be sent to. Raises InvalidInput for another scheme or no host."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput(f"{url!r} is no address to send to; it must start with http(s)://.")
    return url


@asynccontextmanager
async def session(
    *, timeout_s: float, connections: int = 8
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that follows no redirects and adds no headers. `timeout_s`: for a whole request."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        connector=aiohttp.TCPConnector(limit=connections),
        skip_auto_headers=_NOT_ADDED,
    ) as opened:
        yield opened


async def post(client: aiohttp.ClientSession, url: str, request: SignedRequest) -> Answer:
    """Sends one request; whatever goes wrong is part of the answer."""
    target = yarl.URL(with_query(url, request.query), encoded=True)
    started = time.perf_counter()
    try:
        async with client.post(
            target, data=request.body, headers=list(request.headers), allow_redirects=False
        ) as reply:
            body = await reply.content.read(MAX_SHOWN)
            return Answer(
                status=reply.status,
                seconds=time.perf_counter() - started,
                headers=tuple(reply.headers.items()),
                body=body,
            )
    except TimeoutError:
        problem = "no answer in time"
    except aiohttp.ClientConnectorError as error:
        problem = f"no connection: {error.os_error.strerror or error}"
    except (aiohttp.ClientError, OSError) as error:
        problem = f"the connection broke: {str(error) or type(error).__name__}"
    return Answer(status=None, seconds=time.perf_counter() - started, problem=problem)


@dataclass(slots=True)
class Load:
    """What many requests came to."""

    answers: Counter[str] = field(default_factory=Counter)
    #: Seconds of each answered request.
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failed: int = 0

    def add(self, answer: Answer) -> None:
        """Counts one."""
        self.answers[answer.line] += 1
        self.failed += not answer.ok
        if answer.status is not None:
            self.latencies.append(answer.seconds)

    def percentile(self, share: float) -> float:
        """Seconds within which that share of the answers came; 0 without any."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def many(
    make: Callable[[int], SignedRequest],
    url: str,
    *,
    count: int,
    rate: float | None,
    concurrency: int,
    timeout_s: float,
    progress: Callable[[], None],
) -> Load:
    """Sends `count` requests. `rate`: per second, or as fast as they go; `concurrency` at once."""
    load, numbers, started = Load(), iter(range(count)), time.perf_counter()

    async def sender(client: aiohttp.ClientSession) -> None:
        for number in numbers:
            if rate:
                due = started + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
            load.add(await post(client, url, make(number)))
            progress()

    async with session(timeout_s=timeout_s, connections=concurrency) as client:
        await asyncio.gather(*(sender(client) for _ in range(concurrency)))
    load.seconds = time.perf_counter() - started
    return load


async def until_taken(
    make: Callable[[int], SignedRequest],
    url: str,
    *,
    waits_s: Sequence[float],
    timeout_s: float,
    told: Callable[[int, Answer, float | None], Awaitable[None]],
) -> Answer:
    """Sends, and repeats after each of `waits_s` until the answer is 2xx; returns the last answer.

    `told(attempt, answer, wait)` hears of each attempt; `wait` is None after the last.
    """
    answer = Answer(status=None, seconds=0.0, problem="not sent")
    async with session(timeout_s=timeout_s) as client:
        for attempt, wait in enumerate([*waits_s, None], start=1):
            answer = await post(client, url, make(attempt))
            last = answer.ok or wait is None
            await told(attempt, answer, None if last else wait)
            if last or wait is None:
                break
            await asyncio.sleep(wait)
    return answer
