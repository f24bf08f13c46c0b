"""News: counted at once, bounded, and over when the session or the process is."""

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fakes.pages import Pages
from fakes.visitor import HOST, scope_of
from inkwire.console import live as live_module


class Stream:
    """One open news stream."""

    def __init__(self, app: Any, path: str, cookies: Mapping[str, str]) -> None:
        cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
        headers = {"host": HOST, "cookie": cookie, "accept": "text/event-stream"}
        self._scope = scope_of("GET", f"/console{path}", headers)
        self._app = app
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._asked = False
        self.text = ""

    async def run(self) -> None:
        """Until the app ends it, or `hang_up`."""
        await self._app(self._scope, self._receive, self._messages.put)

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    def hang_up(self) -> None:
        """As a browser that leaves the page."""
        self._gone.set()

    async def until(self, wanted: str) -> str:
        """What came up to and with `wanted`; fails after 5 seconds."""
        async with asyncio.timeout(5):
            while wanted not in self.text:
                message = await self._messages.get()
                self.text += message.get("body", b"").decode()
        return self.text


@asynccontextmanager
async def listening(pages: Pages, visitor: Any, path: str):
    """A stream on a hub whose store is followed."""
    app = pages.app
    following = asyncio.create_task(pages.live.run(pages.hub.store))
    stream = Stream(app, path, visitor.cookies)
    running = asyncio.create_task(stream.run())
    try:
        yield stream, running
    finally:
        stream.hang_up()
        following.cancel()
        await asyncio.wait({running, following}, timeout=5)


@pytest.fixture
def watcher(as_: Any, boxc: Any) -> Any:
    """Signed in before the loop begins."""
    return as_("vera")


async def send(pages: Pages, token: str) -> None:
    """One more event, another for each `token`."""
    await asyncio.to_thread(pages.send, "boxc", "orders-status", token=token)


async def test_news_is_counted_as_it_comes(pages, watcher):
    """“1 new event”, then two: markup for the bar, counted from what the page shows."""
    async with listening(pages, watcher, "/events/live?seen=evt_") as (stream, _):
        await stream.until("retry:")
        await send(pages, "a")
        text = await stream.until("1 new event")
        assert "event: news\ndata: <a class=" in text
        assert 'hx-get="/console/events"' in text
        await send(pages, "b")
        await stream.until("2 new events")


async def test_what_came_before_the_stream_opened_counts(pages, watcher):
    """Nothing falls between the page and its stream."""
    await send(pages, "a")
    async with listening(pages, watcher, "/events/live?seen=evt_") as (stream, _):
        await stream.until("1 new event")


async def test_news_keeps_to_the_filters(pages, watcher):
    """Another source's events are no news for a filtered list."""
    await asyncio.to_thread(pages.source, "bolosign", "bolosign")
    async with listening(pages, watcher, "/events/live?source=bolosign&seen=evt_") as (stream, _):
        await stream.until("retry:")
        await send(pages, "other")
        await asyncio.to_thread(pages.send, "bolosign", "pdf-viewed", token="mine")
        assert "1 new event" in await stream.until("new event")


async def test_counting_is_bounded(pages, watcher, monkeypatch):
    """A storm costs one bounded query a turn: the bar stops at “99+”."""
    monkeypatch.setattr(live_module, "MANY", 3)
    for token in "abcd":
        await send(pages, token)
    async with listening(pages, watcher, "/events/live?seen=evt_") as (stream, _):
        await stream.until("99+ new events")
    queries = [call for call in pages.calls if call == "events.page"]
    assert len(queries) == 1


async def test_a_quiet_stream_shows_that_it_lives(pages, watcher, monkeypatch):
    """Proxies close what says nothing; a comment now and then keeps it open."""
    monkeypatch.setattr(live_module, "HEARTBEAT_S", 0.05)
    async with listening(pages, watcher, "/events/live?seen=evt_") as (stream, _):
        await stream.until(": still here")


async def test_it_ends_with_the_session(pages, watcher, monkeypatch):
    """Whoever is signed out hears nothing more; the browser is told not to come back."""
    monkeypatch.setattr(live_module, "HEARTBEAT_S", 0.05)
    async with listening(pages, watcher, "/events/live?seen=evt_") as (stream, running):
        await stream.until("retry:")
        token = watcher.cookies["inkwire_session"]
        await asyncio.to_thread(pages.hub.gate.sign_out, token)
        await stream.until("event: bye")
        await asyncio.wait_for(running, 5)


async def test_it_ends_when_the_process_stops(pages, watcher):
    """A graceful stop does not wait for open pages."""
    async with listening(pages, watcher, "/events/live?seen=evt_") as (stream, running):
        await stream.until("retry:")
        pages.live.close()
        await asyncio.wait_for(running, 5)
