"""What surrounds every call of a vendor's API: the journal, and faults by rule."""

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inkwire.providers.sandboxing import Doc, SandboxClock
from inkwire.sandbox.faults import FaultRules
from inkwire.sandbox.journal import Journal, Seen

_DROP = "inkwire.drop"
#: Template of a call that no vendor has.
UNKNOWN = "unknown"
#: Seconds between two looks at the clock.
_LOOK_S = 0.02
_LARGEST_BODY = 8 * 1024
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
    ) -> None:
        """`app` answers; `routes`: what it answers by; those named `page:…` are ours."""
        self._app = app
        self._routes = routes
        self._faults = faults
        self._journal = journal
        self._clock = clock
        self._late: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        template = self._template(scope) if scope["type"] == "http" else None
        if template is None:
            await self._app(scope, receive, send)
            return
        call = _Call(self._app, scope, receive, send)
        rule = self._faults.for_call(scope["method"], scope["path"])
        fault = rule["kind"] if rule else ""
        call.seen = lambda: self._write(call, template, fault)
        if rule:
            await self._befallen(call, rule)
        else:
            await call.run()

    def _template(self, scope: Scope) -> str | None:
        """The route's path; None for a page or control of ours."""
        if scope["path"].startswith(_OURS):
            return None
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL and isinstance(route, Route):
                ours = route.name.startswith("page:")
                return None if ours else route.path.removeprefix("/api")
        return UNKNOWN

    async def _befallen(self, call: "_Call", rule: Doc) -> None:
        kind = rule["kind"]
        if kind == "status":
            await call.answer(rule)
        elif kind == "slow":
            await asyncio.sleep(rule["delay_s"])
            await call.run()
        elif kind == "reset_before_commit":
            await call.read()
            call.seen()
            await call.drop()
        elif kind == "reset_after_commit":
            await call.run(answered=False)
            await call.drop()
        else:
            await call.read()
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
    """One request, whose body is read once and whose answer may be kept back."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        #: What was answered, or would have been.
        self.status: int | None = None
        #: Called as soon as `status` is known, before anything of the answer is sent.
        self.seen: Callable[[], None] = lambda: None
        self._app = app
        self._receive = receive
        self._send = send
        self._body: bytes | None = None
        self._given = False

    async def read(self) -> bytes:
        """The whole body."""
        if self._body is None:
            parts = []
            while True:
                message = await self._receive()
                if message["type"] != "http.request":
                    break
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    break
            self._body = b"".join(parts)
        return self._body

    async def run(self, *, answered: bool = True) -> None:
        """Does it. `answered` False: without sending the answer."""
        await self.read()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                self.seen()
            if answered:
                await self._send(message)

        await self._app(self.scope, self._replay, send)

    async def answer(self, rule: Doc) -> None:
        """The answer that a fault of kind `status` gives."""
        await self.read()
        self.status = status = rule["status"]
        self.seen()
        headers = [(b"content-type", b"application/json")]
        if rule["retry_after_s"] is not None:
            headers.append((b"retry-after", f"{rule['retry_after_s']:g}".encode()))
        code = rule["code"] or _code_of(status)
        body = json.dumps(
            {
                "type": "error",
                "status": status,
                "code": code,
                "message": "A fault that was set in the sandbox",
                "error": code,
                "error_description": "A fault that was set in the sandbox",
                "request_id": "sandboxfault",
            }
        ).encode()
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def drop(self) -> None:
        """Resets the connection, and waits until the server knows."""
        self.scope[_DROP]()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _replay(self) -> Message:
        """The body that was read; then what comes from the connection."""
        if not self._given:
            self._given = True
            return {"type": "http.request", "body": self._body or b"", "more_body": False}
        return await self._receive()

    def json(self) -> Any:
        """The body if it is a small JSON one."""
        headers = dict(self.scope["headers"])
        if not headers.get(b"content-type", b"").startswith(b"application/json"):
            return None
        if self._body is None or len(self._body) > _LARGEST_BODY:
            return None
        try:
            return json.loads(self._body)
        except ValueError:
            return None


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
