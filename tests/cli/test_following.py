"""Following a message log: nothing missed, nothing twice, whatever the hub answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

from inkwire.cli.following import LOOK_BACK, Following, Unreachable
from inkwire.errors import Forbidden, InkwireError, NotFound, Unauthenticated

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class Api:
    """As much of the hub's API as is followed; its pages hold as many as are asked for."""

    url: str = ""
    #: Id and time, in the order of the ids.
    log: list[tuple[str, datetime]] = field(default_factory=list)
    answer: web.Response | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    def add(self, number: int, seconds: float) -> str:
        """A message; its id sorts by `number`, not by when it becomes visible."""
        name = f"msg_{number:04}"
        self.log = sorted([*self.log, (name, NOON + timedelta(seconds=seconds))])
        return name

    async def messages(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        if self.answer is not None:
            answer, self.answer = self.answer, None
            return answer
        query = request.query
        since = datetime.fromisoformat(query["since"]) if "since" in query else None
        found = [
            {"id": name, "topic": "t", "created_at": at.isoformat().replace("+00:00", "Z")}
            for name, at in reversed(self.log)
            if (since is None or at >= since) and name < query.get("before", "z")
        ]
        return web.json_response({"items": found[: int(query["limit"])], "next": None})

    async def payload(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "Bearer ink_key":
            return web.json_response({"detail": "This API key is unknown here."}, status=401)
        return web.Response(body=request.match_info["id"].encode())


@asynccontextmanager
async def following(since: datetime | None = None) -> AsyncIterator[tuple[Api, Following]]:
    """An API on loopback, and what follows it."""
    api = Api()
    app = web.Application()
    app.router.add_get("/v1/messages", api.messages)
    app.router.add_get("/v1/messages/{id}/payload", api.payload)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as client:
            yield api, Following(client=client, api=api.url, key="ink_key", since=since)
    finally:
        await runner.cleanup()


async def news(log: Following) -> list[str]:
    """Ids that are new, each taken as done."""
    found = await log.news()
    for message in found:
        log.done(message)
    return [message.id for message in found]


async def test_only_what_comes_after_the_beginning_is_news():
    """What was there before is not repeated; each message comes once."""
    async with following() as (api, log):
        api.add(1, 0)
        await log.begin()
        assert await news(log) == []
        second, third = api.add(2, 1), api.add(3, 2)
        assert await news(log) == [second, third]
        assert await news(log) == []


async def test_a_log_that_is_empty_at_first_is_followed_whole():
    """There is no first message to begin behind."""
    async with following() as (api, log):
        await log.begin()
        assert await news(log) == []
        first = api.add(1, 0)
        assert await news(log) == [first]


async def test_a_message_that_appears_behind_a_younger_one_is_not_missed():
    """Ids are given before the commit; two writers may overtake each other."""
    async with following() as (api, log):
        api.add(1, 0)
        await log.begin()
        young = api.add(9, 5)
        assert await news(log) == [young]
        late = api.add(5, 5 - LOOK_BACK.total_seconds() + 11)
        assert await news(log) == [late]
        assert await news(log) == []


async def test_a_message_that_was_on_its_way_at_the_beginning_is_not_missed():
    """It was made before the newest that was seen, and appears after the first look."""
    async with following() as (api, log):
        api.add(4, 0)
        api.add(7, 1)
        await log.begin()
        late = api.add(6, 0.5)
        assert await news(log) == [late]


async def test_more_than_a_page_comes_in_order():
    """After an outage hundreds may wait; the oldest goes first."""
    async with following(since=NOON) as (api, log):
        names = [api.add(number, number / 100) for number in range(1, 251)]
        assert await news(log) == names
        assert len(api.asked) == 3
        assert await news(log) == []


async def test_what_was_not_done_comes_again():
    """A message counts as heard when it was handed on, not when it was read."""
    async with following(since=NOON) as (api, log):
        name = api.add(1, 1)
        assert [message.id for message in await log.news()] == [name]
        assert await news(log) == [name]


async def test_what_was_seen_is_forgotten_when_it_cannot_come_again():
    """Following for days must not grow."""
    async with following(since=NOON) as (api, log):
        for number in range(1, 400):
            api.add(number, number)
        assert len(await news(log)) == 399
        assert len(log._seen) < 150
        assert await news(log) == []


@pytest.mark.parametrize(
    ("status", "headers", "wait_s"),
    [(429, {"Retry-After": "3"}, 3), (429, {}, 1), (503, {"Retry-After": "9999"}, 60), (502, {}, 1),
     (503, {"Retry-After": "Sun, 22 Nov 2026 12:00:00 GMT"}, 1)],
)  # fmt: skip
async def test_a_hub_that_is_busy_is_asked_later(status, headers, wait_s):
    """As long as it says, within bounds; then nothing is missing."""
    async with following(since=NOON) as (api, log):
        name = api.add(1, 1)
        api.answer = web.Response(status=status, headers=headers)
        with pytest.raises(Unreachable) as caught:
            await log.news()
        assert caught.value.wait_s == wait_s
        assert await news(log) == [name]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Unauthenticated), (403, Forbidden), (404, NotFound), (302, InkwireError)],
)
async def test_a_refusal_ends_it_with_what_the_hub_says(status, kind):
    """Asking again would not help; the sentence is the hub's own."""
    async with following() as (api, log):
        api.answer = web.json_response({"detail": "Ask an administrator."}, status=status)
        with pytest.raises(kind, match="Ask an administrator") as caught:
            await log.news()
        assert not isinstance(caught.value, Unreachable)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"items": [{"id": 1}]}', b'{"items": {}}x'])
async def test_an_answer_that_is_none_of_ours_is_told(body):
    """A wrong address may answer 200 with anything."""
    async with following() as (api, log):
        api.answer = web.Response(body=body)
        with pytest.raises(InkwireError, match="no hub"):
            await log.news()


async def test_a_hub_that_is_not_there_is_waited_for():
    """Connection refused, reset, no answer: all the same."""
    async with following(since=NOON) as (api, log):
        log.api = "http://127.0.0.1:9"
        with pytest.raises(Unreachable, match="does not answer"):
            await log.news()
        log.api = api.url
        name = api.add(1, 1)
        assert await news(log) == [name]


async def test_the_key_stays_out_of_sight():
    """It opens payloads; neither repr nor errors may show it."""
    async with following() as (api, log):
        api.add(1, 1)
        await log.begin()
        api.add(2, 2)
        (message,) = await log.news()
        assert await log.payload(message) == b"msg_0002"
        assert "ink_key" not in repr(log)
        log.key = "ink_other"
        with pytest.raises(Unauthenticated) as caught:
            await log.payload(message)
        assert "ink_other" not in str(caught.value)
