"""What the rooms of the Box sandbox share, and how a call becomes an answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inkwire.providers.box.sandbox.acts import Acts
from inkwire.providers.box.sandbox.answers import BoxError
from inkwire.providers.box.sandbox.apps import Apps
from inkwire.providers.box.sandbox.events import Events
from inkwire.providers.box.sandbox.items import Items
from inkwire.providers.box.sandbox.tokens import Caller, Tokens
from inkwire.providers.sandboxing import Stage

#: A call: the request and who makes it.
Handler = Callable[[Request, Caller], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The Box of one sandbox."""

    stage: Stage
    apps: Apps
    tokens: Tokens
    items: Items
    events: Events
    acts: Acts


def api(parts: Parts, method: str, path: str, handler: Handler, *scopes: str) -> list[Route]:
    """`/2.0{path}`, also below `/api` as the upload host has it; with the scopes it needs."""

    async def endpoint(request: Request) -> Response:
        try:
            caller = parts.tokens.caller(request)
            caller.needs(*scopes)
            return await handler(request, caller)
        except BoxError as error:
            return error.answer()

    name = f"{method} {path}"
    return [
        Route(f"{prefix}/2.0{path}", endpoint, methods=[method], name=name)
        for prefix in ("", "/api")
    ]


def given(request: Request, name: str) -> Any:
    """A value out of the path."""
    return request.path_params[name]
