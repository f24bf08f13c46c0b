"""Bounds the bodies that the API and the console read: in size, in sum and in time."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import Response

from inkwire.api.problems import refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 1024 * 1024
#: What all bodies being read or worked on in this process may take together.
MAX_HELD_BYTES = 32 * 1024 * 1024
#: Seconds that a sender has for the whole body.
DEADLINE_S = 10.0
RETRY_AFTER_S = 2
#: The body of any other method is left unread.
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class BodyLimit:
    """ASGI middleware: reads a body of at most `max_bytes` before the app is called, else 413.

    So nothing is done for a request that is too large, with or without a Content-Length. It runs
    before anybody is authenticated: a body that is not there after `deadline_s` seconds is 408, and
    one that would not fit into `max_held_bytes` with all others is 503. Webhook bodies do not pass
    here: ingest has its own limits.
    """

    def __init__(
        self,
        app: App,
        max_bytes: int = MAX_BODY_BYTES,
        max_held_bytes: int = MAX_HELD_BYTES,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_held_bytes = max_held_bytes
        self._deadline_s = deadline_s
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on everything but HTTP requests whose body breaks a limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced[:20]) > self._max_bytes:
            await self._too_large(scope)(scope, receive, send)
            return
        if scope["method"] not in _WITH_BODY:
            await self._app(scope, receive, send)
            return
        read: list[Message] = []
        try:
            refused = await self._read(scope, receive, read)
            if refused is not None:
                await refused(scope, receive, send)
                return

            pending = iter(tuple(read))

            async def replay() -> Message:
                return next(pending, None) or await receive()

            await self._app(scope, replay, send)
        finally:
            self._held -= sum(len(message.get("body", b"")) for message in read)

    async def _read(self, scope: Scope, receive: Receive, read: list[Message]) -> Response | None:
        """Adds the body's messages to `read`, each counted as held; the answer if it may not."""
        size, more = 0, True
        try:
            async with asyncio.timeout(self._deadline_s):
                while more:
                    message = await receive()
                    more = message.get("more_body", False)
                    length = len(message.get("body", b""))
                    size += length
                    if size > self._max_bytes:
                        return self._too_large(scope)
                    if length and self._held + length > self._max_held_bytes:
                        return _busy(scope)
                    self._held += length
                    read.append(message)
        except TimeoutError:
            detail = f"The body did not arrive within {self._deadline_s:g} seconds; send it again."
            # The rest may never come, so this connection is of no more use.
            return refusal(scope["path"], 408, "too_slow", detail, {"Connection": "close"})
        return None

    def _too_large(self, scope: Scope) -> Response:
        detail = f"The body is larger than {self._max_bytes} bytes; send less at a time."
        return refusal(scope["path"], 413, "too_large", detail)


def _busy(scope: Scope) -> Response:
    detail = "Too much is being sent to this hub at this moment; try again in a few seconds."
    return refusal(scope["path"], 503, "busy", detail, {"Retry-After": str(RETRY_AFTER_S)})
