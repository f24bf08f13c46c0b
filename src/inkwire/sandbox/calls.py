"""What surrounds every call of a vendor's API: the journal, and faults by rule."""

import asyncio
import json
import socket
import struct
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inkwire.providers.sandboxing import Doc, FaultAnswer, SandboxClock
from inkwire.sandbox.faults import FaultRules
from inkwire.sandbox.journal import Journal, Seen

_DROP = "inkwire.drop"
#: Template of a call that no vendor has.
UNKNOWN = "unknown"
#: A place of a route that is counted by its value: the calls of one object together.
_OBJECT = "{object}"
#: Seconds between two looks at the clock.
_LOOK_S = 0.02
#: Bytes of a body that the journal keeps, and of one that is read before it is given on.
_LARGEST_BODY, _READ_FIRST = 8 * 1024, 1024 * 1024
_PIECE = 256 * 1024
#: A provider's shape of faults, see `Mounted`.
Shape = Callable[[str, int, str], FaultAnswer]
#: Own pages and controls: neither journalled nor befallen.
_OURS = ("/_sandbox",)
_LINGER_NOT = struct.pack("ii", 1, 0)


class DroppableProtocol(HttpToolsProtocol):
    """HTTP whose connection an application can drop: a reset, without a byte of an answer."""

    def on_message_begin(self) -> None:
        """Puts `drop` into the scope of the request that begins."""
        super().on_message_begin()
        self.scope[_DROP] = self._drop  # type: ignore[literal-required]

    def _drop(self) -> None:
        kept = self.transport.get_extra_info("socket")
        if kept is not None:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.transport.abort()


class Calls:
    """ASGI middleware around the vendors' routes."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Sequence[BaseRoute],
        faults: FaultRules,
        journal: Journal,
        clock: SandboxClock,
        shapes: Mapping[int, Shape] | None = None,
    ) -> None:
        """`app` answers; `routes`: what it answers by; those named `page:…` are ours.

        `shapes`: by the identity of a route, how its provider answers a fault.
        """
        self._app = app
        self._routes = routes
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._shapes = shapes or {}
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        template, shape = self._template(scope) if scope["type"] == "http" else (None, None)
        if template is None:
            await self._app(scope, receive, send)
            return
        call = _Call(self._app, scope, receive, send, shape)
        rule = self._faults.for_call(scope["method"], scope["path"])
        fault = rule["kind"] if rule else ""
        call.seen = lambda: self._write(call, template, fault)
        if rule:
            await self._befallen(call, rule)
        else:
            await call.run()

    def _template(self, scope: Scope) -> tuple[str | None, Shape | None]:
        """The route's path, None for a page or control of ours; how its provider shapes faults."""
        if scope["path"].startswith(_OURS):
            return None, None
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL and isinstance(route, Route):
                if route.name.startswith("page:"):
                    return None, None
                name = found["path_params"].get("object", _OBJECT)
                template = route.path.removeprefix("/api").replace(_OBJECT, name)
                return template, self._shapes.get(id(route))
        return UNKNOWN, None

    async def _befallen(self, call: "_Call", rule: Doc) -> None:
        kind = rule["kind"]
        if kind == "status":
            await call.answer(rule)
        elif kind == "slow":
            await asyncio.sleep(rule["delay_s"])
            await call.run()
        elif kind == "reset_before_commit":
            await call.swallow()
            call.seen()
            await call.drop()
        elif kind == "reset_after_commit":
            await call.run(answered=False)
            await call.drop()
        else:
            await call.keep()
            await call.drop()
            task = asyncio.create_task(self._later(call, rule["delay_s"]))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _later(self, call: "_Call", delay_s: float) -> None:
        due = self._clock.now() + timedelta(seconds=delay_s)
        while self._clock.now() < due:  # noqa: ASYNC110 - a clock that is moved has no event
            await asyncio.sleep(_LOOK_S)
        await call.run(answered=False)

    def _write(self, call: "_Call", template: str, fault: str) -> None:
        self._journal.write(
            Seen(
                method=call.scope["method"],
                path=call.scope["path"].removeprefix("/api"),
                template=template,
                status=call.status,
                fault=fault,
                authorized=any(name == b"authorization" for name, _ in call.scope["headers"]),
                body=call.json(),
            )
        )


class _Call:
    """One request, whose answer may be kept back.

    A small body is read before it is given on; a large one goes through piece by piece, and waits
    in a file if it is to be given on later.
    """

    def __init__(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, shape: Shape | None
    ) -> None:
        self.scope = scope
        #: What was answered, or would have been.
        self.status: int | None = None
        #: Called as soon as `status` is known, before anything of the answer is sent.
        self.seen: Callable[[], None] = lambda: None
        self._app = app
        self._receive = receive
        self._send = send
        self._shape = shape
        #: The first bytes of the body, for the journal.
        self._head = bytearray()
        self._size = 0
        #: Whether the connection ended before the body did.
        self._cut = False
        self._left: AsyncIterator[Message] | None = None

    async def swallow(self) -> None:
        """Reads the body to its end and forgets it."""
        async for _ in self._pieces():
            pass

    async def keep(self) -> None:
        """Reads the body to its end, for later."""
        kept = tempfile.SpooledTemporaryFile(_READ_FIRST)  # noqa: SIM115 - closed when it was given on
        async for piece in self._pieces():
            kept.write(piece)
        kept.seek(0)

        async def replayed() -> AsyncIterator[Message]:
            with kept:
                while piece := kept.read(_PIECE):
                    yield {"type": "http.request", "body": piece, "more_body": True}
            if self._cut:
                yield {"type": "http.disconnect"}
            else:
                yield {"type": "http.request", "body": b"", "more_body": False}

        self._left = replayed()

    async def run(self, *, answered: bool = True) -> None:
        """Does it. `answered` False: without sending the answer."""
        headers = dict(self.scope["headers"])
        length = headers.get(b"content-length", b"0")
        small = b"transfer-encoding" not in headers and int(length) <= _READ_FIRST
        if self._left is None and small:
            await self.keep()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.seen()
            if answered:
                await self._send(message)

        await self._app(self.scope, self._given, send)

    async def answer(self, rule: Doc) -> None:
        """The answer that a fault of kind `status` gives."""
        await self.swallow()
        self.status = status = rule["status"]
        self.seen()
        given = (self._shape or _generic)(self.scope["path"], status, rule["code"])
        headers = [(b"content-type", given.content_type.encode())]
        if rule["retry_after_s"] is not None:
            headers.append((b"retry-after", f"{rule['retry_after_s']:g}".encode()))
        headers.append((b"content-length", str(len(given.body)).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": given.body})

    async def drop(self) -> None:
        """Resets the connection, and waits until the server knows."""
        self.scope[_DROP]()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _given(self) -> Message:
        """What was kept of the body, or what comes of it; then what comes from the connection."""
        if self._left is not None:
            async for message in self._left:
                return message
            self._left = None
        message = await self._receive()
        self._note(message.get("body", b""))
        return message

    async def _pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. A connection that ends early ends it."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                self._cut = True
                return
            piece = message.get("body", b"")
            self._note(piece)
            yield piece
            more = message.get("more_body", False)

    def _note(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= _LARGEST_BODY:
            self._head += piece

    def json(self) -> Any:
        """The body if it is a small JSON one."""
        headers = dict(self.scope["headers"])
        if not headers.get(b"content-type", b"").startswith(b"application/json"):
            return None
        if not 0 < self._size <= _LARGEST_BODY:
            return None
        try:
            return json.loads(bytes(self._head))
        except ValueError:
            return None


def _generic(_: str, status: int, code: str) -> FaultAnswer:
    """A fault in a shape that says a little to every vendor's client."""
    code = code or _code_of(status)
    body = {
        "type": "error",
        "status": status,
        "code": code,
        "message": "A fault that was set in the sandbox",
        "error": code,
        "error_description": "A fault that was set in the sandbox",
        "request_id": "sandboxfault",
    }
    return FaultAnswer(body=json.dumps(body).encode(), content_type="application/json")


def _code_of(status: int) -> str:
    """The status in the spelling of an error's code."""
    known = {
        429: "rate_limit_exceeded",
        403: "access_denied_insufficient_permissions",
        503: "unavailable",
    }
    try:
        return known.get(status) or HTTPStatus(status).phrase.lower().replace(" ", "_")
    except ValueError:
        return "error"
