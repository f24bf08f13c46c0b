"""The sandbox put together: every provider's sandbox on one server, with one state."""

import asyncio
import importlib
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inkwire.errors import InkwireError, InvalidInput
from inkwire.providers.contract import Provider
from inkwire.providers.sandboxing import Mounted, Stage
from inkwire.sandbox.calls import Calls, DroppableProtocol
from inkwire.sandbox.clock import MovableClock, machine
from inkwire.sandbox.control import Control
from inkwire.sandbox.faults import FaultRules
from inkwire.sandbox.journal import Journal
from inkwire.sandbox.pages import Frame, Inbox, Pages
from inkwire.sandbox.posting import Poster
from inkwire.sandbox.state import FileState

_log = structlog.get_logger()
FILE = "sandbox.db"
#: Seconds between two looks at what is due.
_TICK_S = 0.03
#: Names of this machine; whoever listens elsewhere has chosen to be reached by any.
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SAFE = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """A sandbox that is built, not yet serving."""

    app: ASGIApp
    #: Provider's name → what a connection to it needs.
    ready: Mapping[str, Mapping[str, Any]]


def build(
    providers: Iterable[Provider],
    *,
    folder: Path,
    url: str,
    base: Callable[[], datetime] = machine,
) -> Sandbox:
    """The sandbox with its state in `folder`, seen from outside at `url`.

    `base`: the clock that is shifted. Raises OSError, sqlite3.Error if the folder is of no use.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = FileState(folder / FILE)
    clock, poster, frame = MovableClock(state, base=base), Poster(), Frame()
    faults, journal, inbox = FaultRules(state), Journal(state, clock), Inbox(state, clock)
    stage = Stage(
        state=state,
        clock=clock,
        post=poster,
        url=url,
        mail=inbox.add,
        webhook_fault=faults.for_event,
        render=frame.render,
    )
    mounted = {
        provider.name: _mounted(provider.sandbox, stage)
        for provider in providers
        if provider.sandbox
    }
    for one in mounted.values():
        frame.pages.extend(one.pages)
    control = Control(clock=clock, journal=journal, faults=faults, inbox=inbox)
    pages = Pages(inbox=inbox, faults=faults, journal=journal, frame=frame)
    routes = [*control.routes(), *pages.routes()]
    routes += [route for one in mounted.values() for route in one.routes]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        ticking = asyncio.create_task(_tick(list(mounted.values())))
        yield
        ticking.cancel()
        await poster.close()
        state.close()

    app: ASGIApp = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={InkwireError: _refused}
    )
    # Routes have no hash: they are known by their identity.
    shapes = {id(each): one.fault for one in mounted.values() if one.fault for each in one.routes}
    app = Calls(app, routes=routes, faults=faults, journal=journal, clock=clock, shapes=shapes)
    ready = {name: one.ready() for name, one in mounted.items()}
    return Sandbox(app=_Outer(app, clock, url), ready=ready)


async def serve(sandbox: Sandbox, listening: socket.socket, *, ready: Callable[[], None]) -> None:
    """Serves until it is told to stop (SIGTERM, Ctrl-C); calls `ready` once it answers."""
    config = uvicorn.Config(
        sandbox.app,
        http=DroppableProtocol,
        loop="asyncio",
        lifespan="on",
        log_level="warning",
        server_header=False,
        date_header=False,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)

    async def tell() -> None:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        ready()

    telling = asyncio.create_task(tell())
    await server.serve(sockets=[listening])
    telling.cancel()


def _mounted(path: str, stage: Stage) -> Mounted:
    mounted = importlib.import_module(path).mount(stage)
    if not isinstance(mounted, Mounted):
        raise TypeError(f"mount of {path} must return Mounted")
    return mounted


async def _tick(mounted: list[Mounted]) -> None:
    """Lets every provider do what is due; a defect of one hinders no other."""
    while True:
        for one in mounted:
            try:
                await one.tick()
            except Exception:  # noqa: BLE001
                _log.exception("a tick of the sandbox failed")
        await asyncio.sleep(_TICK_S)


def _refused(_: Request, error: Exception) -> Response:
    """An error of ours as JSON."""
    if not isinstance(error, InkwireError):
        return PlainTextResponse("Internal error", 500)
    fields = error.fields if isinstance(error, InvalidInput) else {}
    body = {"code": error.code, "message": error.message, "fields": fields}
    return JSONResponse(body, error.status)


class _Outer:
    """Headers of every answer, `Date` by the sandbox's clock; no changes asked by other sites."""

    def __init__(self, app: ASGIApp, clock: MovableClock, url: str) -> None:
        self._app = app
        self._clock = clock
        self._here = urlsplit(url).hostname

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["date"] = format_datetime(self._clock.wall(), usegmt=True)
                for name, value in _SAFE.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["type"] == "http" and (_foreign(scope) or self._misnamed(scope)):
            answer = PlainTextResponse("Not from another site.", 403)
            await answer(scope, receive, dated)
            return
        await self._app(scope, receive, dated)

    def _misnamed(self, scope: Scope) -> bool:
        """Whether this machine's own address goes by a strange name: a page's that was rebound."""
        return self._here in _LOOPBACK and _named(scope) not in _LOOPBACK


def _named(scope: Scope) -> str | None:
    """The host that the request asks for; None if it names none."""
    try:
        return urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname
    except ValueError:
        return None


def _foreign(scope: Scope) -> bool:
    """Whether a page of another site asks for a change."""
    headers = Headers(scope=scope)
    origin = headers.get("origin")
    if scope["method"] in ("GET", "HEAD") or origin is None:
        return False
    return origin.partition("://")[2] != headers.get("host")
