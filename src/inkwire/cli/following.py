"""Follows an application's message log over the API: each message once, through restarts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp

from inkwire.errors import Forbidden, InkwireError, NotFound, Unauthenticated
from inkwire.moments import as_utc

#: Ids are given before the commit, so a message may appear behind a younger one: each look goes
#: back this far behind the newest that was seen.
LOOK_BACK = timedelta(seconds=15)
_PAGE = 100
_TIMEOUT_S = 10.0
_ANSWERS: dict[int, type[InkwireError]] = {401: Unauthenticated, 403: Forbidden, 404: NotFound}

#: Answers of a hub, or a proxy before it, that pass.
_LATER = frozenset({408, 429, 500, 502, 503, 504})


class Unreachable(InkwireError):
    """The hub does not answer, or not yet; ask again in a moment."""

    #: Seconds after which to ask again.
    wait_s: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """A message of the log."""

    id: str
    topic: str
    created_at: datetime


@dataclass(kw_only=True, slots=True)
class Following:
    """The messages of one API key's application, from now on or from `since`."""

    client: aiohttp.ClientSession
    #: The hub's address, without a slash at its end.
    api: str
    key: str = field(repr=False)
    #: Only these topics; empty: all.
    topics: frozenset[str] = frozenset()
    #: From when on messages are news.
    since: datetime | None = None
    _newest: datetime | None = None
    #: What was seen and may be met again, with its time.
    _seen: dict[str, datetime] = field(default_factory=dict)

    async def begin(self) -> None:
        """Finds where the log ends now, by the hub's own clock. Raises Unreachable."""
        if self.since is not None:
            return
        for newest in await self._page({"limit": "1"}):
            self.since = newest.created_at - LOOK_BACK
            for message in await self.news():
                self._mark(message)

    async def news(self) -> list[Heard]:
        """What came since, oldest first; mark each `done`. Raises Unreachable."""
        query = {"limit": str(_PAGE)}
        begin = self._from()
        if begin is not None:
            query["since"] = begin.isoformat()
        found: list[Heard] = []
        while page := await self._page(query):
            found += page
            if len(page) < _PAGE:
                break
            query["before"] = page[-1].id
        fresh = [one for one in found if one.id not in self._seen]
        return sorted(fresh, key=lambda one: one.id)

    def wants(self, message: Heard) -> bool:
        """Whether its topic was asked for."""
        return not self.topics or message.topic in self.topics

    def done(self, message: Heard) -> None:
        """It is never news again. A crash before this brings it once more: at least once."""
        self._mark(message)

    async def payload(self, message: Heard) -> bytes:
        """Its payload, byte for byte. Raises Unreachable, NotFound."""
        return await self._get(f"/v1/messages/{message.id}/payload", {})

    def _mark(self, message: Heard) -> None:
        self._newest = max(message.created_at, self._newest or message.created_at)
        self._seen[message.id] = message.created_at
        oldest = self._newest - 2 * LOOK_BACK
        if len(self._seen) > _PAGE:
            self._seen = {name: at for name, at in self._seen.items() if at >= oldest}

    def _from(self) -> datetime | None:
        """Where to look from: behind the newest seen, never before the beginning."""
        if self._newest is None:
            return self.since
        back = self._newest - LOOK_BACK
        return back if self.since is None else max(back, self.since)

    async def _page(self, query: dict[str, str]) -> Sequence[Heard]:
        import msgspec

        try:
            whole: dict[str, Any] = msgspec.json.decode(await self._get("/v1/messages", query))
            return [
                Heard(
                    id=item["id"],
                    topic=item["topic"],
                    created_at=as_utc(datetime.fromisoformat(item["created_at"])),
                )
                for item in whole["items"]
            ]
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            raise InkwireError(
                f"What answers at {self.api} is no hub; --api takes its address alone, such as "
                "https://hooks.example.com."
            ) from None

    async def _get(self, path: str, query: dict[str, str]) -> bytes:
        try:
            async with self.client.get(
                f"{self.api}{path}",
                params=query,
                headers={"Authorization": f"Bearer {self.key}"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            ) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(f"{self.api} does not answer ({type(error).__name__}).") from None
        if answer.status == 200:
            return body
        raise _refusal(self.api, answer.status, answer.headers.get("Retry-After"), body)


def _refusal(api: str, status: int, retry_after: str | None, body: bytes) -> InkwireError:
    if status in _LATER:
        later = Unreachable(f"{api} answers {status}; asking again.")
        if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
            later.wait_s = float(min(int(retry_after[:4]), 60))
        return later
    return _ANSWERS.get(status, InkwireError)(_detail(body) or f"{api} answers {status}.")


def _detail(body: bytes) -> str:
    """What problem+json says, for a person."""
    import msgspec

    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError):
        return ""
    detail = found.get("detail") if isinstance(found, dict) else None
    return detail if isinstance(detail, str) else ""
