"""Tells an application on every answer how full its bucket is, as BoxC does."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders

from inkwire.access.bucket import Usage

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class RateHeaders:
    """ASGI middleware: adds X-Rate-Limit (size) and X-Rate-Requests (used).

    Only where `callers.caller_of` knew an application; who is not known has no bucket.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def telling(message: Message) -> None:
            usage: Usage | None = state.get("usage")
            if usage is not None and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Rate-Limit"] = str(usage.size)
                headers["X-Rate-Requests"] = str(usage.used)
            await send(message)

        await self._app(scope, receive, telling)
