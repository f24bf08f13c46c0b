"""News by server-sent events: how much has come that the open page does not show."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from inkwire.console.events import filters_of
from inkwire.errors import StoreError
from inkwire.model.access import Scope
from inkwire.pages import door
from inkwire.pages.visit import Page, Visit
from inkwire.store.contract import EVENT, Live

#: Seconds: a comment keeps proxies from closing a quiet stream, and the session is looked at again.
HEARTBEAT_S = 15.0
#: Seconds between two counts of one stream, however much comes.
LEAST_GAP_S = 0.5
#: Counting stops here: the bar says "99+".
MANY = 100


#: Seconds between two times that a page's numbers are loaded anew.
MOVED_GAP_S = 2.0
#: Digits of a counter in an address.
MAX_DIGITS = 18


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What a stream tells of."""

    #: Topic of the change counter that wakes it.
    topic: str
    #: How many there are that the page does not show, up to MANY.
    count: Callable[[], int]
    #: What they are called: one, several.
    words: tuple[str, str]
    #: The page that shows them.
    url: str


def event_stream(visit: Visit) -> Response:
    """GET /events/live: the bar over the list of events."""
    filters = filters_of(visit)
    query = filters.query(visit.now, after=visit.query("seen"), limit=MANY)
    return stream(
        visit,
        News(
            topic=EVENT,
            count=lambda: len(visit.parts.store.events.page(query)),
            words=("new event", "new events"),
            url=visit.url("events", **filters.given()),
        ),
    )


def stream(visit: Visit, news: News) -> Response:
    """`news` with the bar's HTML whenever the count moves; `bye` at sign-out."""
    return StreamingResponse(
        _told(visit, news),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


def moves(visit: Visit, topic: str) -> Response:
    """`moved` whenever the topic's counter is another than the query's `seen`, then at each change.

    For a page that shows numbers only, and loads them anew.
    """
    given = visit.query("seen")
    seen = int(given) if given.isascii() and given.isdigit() and len(given) < MAX_DIGITS else None
    return StreamingResponse(
        _moves(visit, topic, seen),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _moves(visit: Visit, topic: str, shown: int | None) -> AsyncIterator[str]:
    live = visit.parts.live
    yield "retry: 3000\n\n"
    seen: Mapping[str, int] = live.counters() if shown is None else {topic: shown}
    while not live.closed:
        if await _moved(live, seen, topic):
            seen = live.counters()  # before the page asks, so that what comes meanwhile tells again
            yield _message("moved", "")
            await asyncio.sleep(MOVED_GAP_S)
        elif not await run_in_threadpool(_still_signed_in, visit):
            yield _message("bye", "")
            return
        else:
            yield ": still here\n\n"


async def _told(visit: Visit, news: News) -> AsyncIterator[str]:
    live = visit.parts.live
    told = 0
    yield "retry: 3000\n\n"
    seen: Mapping[str, int] | None = None
    while not live.closed:
        now = live.counters()  # before the count, so that what comes meanwhile counts again
        if told < MANY and (seen is None or now.get(news.topic) != seen.get(news.topic)):
            try:
                count = await run_in_threadpool(news.count)
            except StoreError:
                return  # the browser comes back after `retry`
            if count != told:
                told = count
                yield _message("news", _bar(visit, news, count))
            await asyncio.sleep(LEAST_GAP_S)
        seen = now
        if await _moved(live, seen, news.topic) or live.closed:
            continue
        if not await run_in_threadpool(_still_signed_in, visit):
            yield _message("bye", "")
            return
        yield ": still here\n\n"


async def _moved(live: Live, seen: Mapping[str, int], topic: str) -> bool:
    """Waits for the topic's counter; False at closing, or after a quiet `HEARTBEAT_S`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + HEARTBEAT_S
    now = seen
    while not live.closed and (left := until - loop.time()) > 0:
        now = await live.changed(now, timeout_s=left)
        if now.get(topic) != seen.get(topic):
            return True
    return False


def _still_signed_in(visit: Visit) -> bool:
    token = visit.request.cookies.get(door.SESSION_COOKIE)
    return visit.parts.gate.signed_in(token) is not None


def _bar(visit: Visit, news: News, count: int) -> str:
    return visit.templates.render(
        "_news.html",
        count="99+" if count >= MANY else str(count),
        words=news.words[0] if count == 1 else news.words[1],
        url=news.url,
    )


def _message(event: str, data: str) -> str:
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {event}\n{lines}\n"


PAGES = (Page(path="/events/live", handler=event_stream, scope=Scope.EVENTS_READ),)
