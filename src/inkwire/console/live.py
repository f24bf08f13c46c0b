"""News by server-sent events: how many events have come that the open list does not show."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from inkwire.console.events import filters_of
from inkwire.errors import StoreError
from inkwire.model.access import Scope
from inkwire.pages import door
from inkwire.pages.visit import Page, Visit
from inkwire.store.contract import EVENT, EventQuery, Live

#: Seconds: a comment keeps proxies from closing a quiet stream, and the session is looked at again.
HEARTBEAT_S = 15.0
#: Seconds between two counts of one stream, however many events come.
LEAST_GAP_S = 0.5
#: Counting stops here: the bar says "99+".
MANY = 100


def stream(visit: Visit) -> Response:
    """GET /events/live: `news` with the bar's HTML whenever the count moves; `bye` at sign-out."""
    query = filters_of(visit).query(visit.now, after=visit.query("seen"), limit=MANY)
    return StreamingResponse(
        _news(visit, query),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _news(visit: Visit, query: EventQuery) -> AsyncIterator[str]:
    live = visit.parts.live
    told = 0
    yield "retry: 3000\n\n"
    seen: Mapping[str, int] | None = None
    while not live.closed:
        now = live.counters()  # before the count, so that what comes meanwhile counts again
        if told < MANY and (seen is None or now.get(EVENT) != seen.get(EVENT)):
            try:
                count = await run_in_threadpool(_count, visit, query)
            except StoreError:
                return  # the browser comes back after `retry`
            if count != told:
                told = count
                yield _message("news", _bar(visit, count))
            await asyncio.sleep(LEAST_GAP_S)
        seen = now
        if await _moved(live, seen) or live.closed:
            continue
        if not await run_in_threadpool(_still_signed_in, visit):
            yield _message("bye", "")
            return
        yield ": still here\n\n"


async def _moved(live: Live, seen: Mapping[str, int]) -> bool:
    """Waits for the event counter; False at closing, or after a quiet `HEARTBEAT_S`."""
    loop = asyncio.get_running_loop()
    until = loop.time() + HEARTBEAT_S
    now = seen
    while not live.closed and (left := until - loop.time()) > 0:
        now = await live.changed(now, timeout_s=left)
        if now.get(EVENT) != seen.get(EVENT):
            return True
    return False


def _count(visit: Visit, query: EventQuery) -> int:
    return len(visit.parts.store.events.page(query))


def _still_signed_in(visit: Visit) -> bool:
    token = visit.request.cookies.get(door.SESSION_COOKIE)
    return visit.parts.gate.signed_in(token) is not None


def _bar(visit: Visit, count: int) -> str:
    return visit.templates.render(
        "_news.html",
        count="99+" if count >= MANY else str(count),
        one=count == 1,
        url=visit.url("events", **filters_of(visit).given()),
    )


def _message(event: str, data: str) -> str:
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {event}\n{lines}\n"


PAGES = (Page(path="/events/live", handler=stream, scope=Scope.EVENTS_READ),)
