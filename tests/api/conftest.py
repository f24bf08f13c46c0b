"""An app around a real SQLite store, and a client that calls it in this process."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from inkwire.access.gate import CLI, Gate
from inkwire.api.app import BodyLimit, Parts, api_router, install_errors
from inkwire.model.access import Scope
from inkwire.sources.inbox import Inbox
from inkwire.store.live import LiveCounters


@dataclass(frozen=True)
class Answer:
    """What the app answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=True)

    def json(self) -> Any:
        """The body, which must be JSON."""
        return json.loads(self.body)


class Client:
    """Calls an ASGI app without a socket: every byte of the request is the test's own."""

    def __init__(self, app: Any, key: str | None = None) -> None:
        self.app = app
        self.key = key

    def call(
        self,
        method: str,
        target: str,
        *,
        json_body: Any = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Answer:
        """One request; `body` may be given as raw bytes."""
        given = {k.lower(): v for k, v in (headers or {}).items()}
        key = key or self.key
        if key:
            given.setdefault("authorization", f"Bearer {key}")
        if json_body is not None:
            body = json.dumps(json_body).encode()
        if body is not None:
            given.setdefault("content-type", "application/json")
            given.setdefault("content-length", str(len(body)))
        path, _, query = target.partition("?")
        return asyncio.run(self._run(method, path, query, given, body or b""))

    async def _run(self, method, path, query, headers, body) -> Answer:
        from urllib.parse import unquote

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": quote(path, safe="/%").encode(),
            "root_path": "",
            "query_string": query.encode("latin-1"),
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in headers.items()],
            "client": ("192.0.2.7", 4711),
            "server": ("hub.test", 80),
            "state": {},
        }
        pending = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if pending:
                return pending.pop()
            await asyncio.sleep(3600)
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start = sent[0]
        return Answer(
            status=start["status"],
            headers={k.decode().lower(): v.decode("latin-1") for k, v in start["headers"]},
            body=b"".join(m.get("body", b"") for m in sent[1:]),
        )
