"""A small server on 127.0.0.1 that answers, resets, drips and breaks off as it is told.

It keeps no large body: of each request the first bytes, the length and the MD5.
"""

import contextlib
import hashlib
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from inkwire.model.connection import Token
from inkwire.providers.salesforce.client import SalesforceCalling
from inkwire.providers.salesforce.client.rest import RestSalesforceClient
from inkwire.providers.salesforce.client.wire import Patience

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BASE = "/services/data/v66.0"
_KEPT = 256 * 1024


@dataclass
class Seen:
    """One request that came."""

    method: str
    target: str
    headers: dict[str, str]
    #: Its first bytes, and its last ones.
    body: bytes = b""
    tail: bytes = b""
    length: int = 0
    md5: str = ""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {key: one[0] for key, one in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What to answer."""

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: `before`: reset once the headers came; `after`: reset once all came; `half`: break off the
    #: answer; `early`: answer, then reset, without reading the body; `stall`: read nothing of the
    #: body for `pause_s`, then go on.
    fault: str = ""
    #: Seconds between the bytes of the answer.
    pause_s: float = 0.0
    #: Send the body in chunks of three bytes, as Salesforce does (with more bytes).
    chunked: bool = False
    #: The whole answer as it goes over the wire, instead.
    raw: bytes | None = None


class SalesforceServer:
    """Answers from a queue by (method, path without query); what is not queued gets 404."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self._replies: dict[tuple[str, str], deque[Any]] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def _any(self) -> None:
                with contextlib.suppress(ConnectionError):
                    outer._serve(self)

            do_GET = do_POST = do_PATCH = _any  # noqa: N815 - http.server's names

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def on(self, method: str, path: str, *replies: Reply | Callable[[Seen], Reply]) -> None:
        """Queues replies; the last one stays for all further requests."""
        self._replies.setdefault((method, path), deque()).extend(replies)

    def came(self) -> list[Seen]:
        """The requests; waits for the first, whose headers may still be on their way."""
        end = time.monotonic() + 5
        while not self.seen and time.monotonic() < end:
            time.sleep(0.01)
        return self.seen

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        seen = Seen(handler.command, handler.path, headers)
        with self._lock:
            self.seen.append(seen)
            queue = self._replies.get((seen.method, seen.path))
            reply = None if queue is None else queue[0] if len(queue) == 1 else queue.popleft()
        fault = reply.fault if isinstance(reply, Reply) else ""
        if fault == "before":
            return _reset(handler)
        if fault == "stall":
            time.sleep(reply.pause_s)
        if fault != "early" and not _received(handler, seen):
            return None
        if callable(reply):
            reply = reply(seen)
        if reply is None:
            body = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
            reply = Reply(404, json=body)
        if fault == "after":
            return _reset(handler)
        _answer(handler, reply)
        if fault in ("half", "early"):
            return _reset(handler) if fault == "early" else _end(handler)
        return None


def _received(handler: BaseHTTPRequestHandler, seen: Seen) -> bool:
    """Reads the body; False if it broke off."""
    left = int(handler.headers.get("Content-Length") or 0)
    digest = hashlib.md5()
    while left:
        piece = handler.rfile.read(min(left, 65536))
        if not piece:
            handler.close_connection = True
            return False
        left -= len(piece)
        seen.length += len(piece)
        digest.update(piece)
        if len(seen.body) < _KEPT:
            seen.body += piece
        seen.tail = (seen.tail + piece)[-200:]
    seen.md5 = digest.hexdigest()
    return True


def _answer(handler: BaseHTTPRequestHandler, reply: Reply) -> None:
    out = reply.body if reply.json is None else json.dumps(reply.json).encode()
    if reply.raw is not None:
        handler.wfile.write(reply.raw)
        _end(handler)
        return
    handler.send_response(reply.status)
    headers = {"Sforce-Limit-Info": "api-usage=18/5000", **reply.headers}
    for name, value in headers.items():
        handler.send_header(name, value)
    if reply.chunked:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for at in range(0, len(out), 3):
            piece = out[at : at + 3]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")
        return
    handler.send_header("Content-Length", str(len(out) + (10 if reply.fault == "half" else 0)))
    handler.end_headers()
    if not reply.pause_s or reply.fault:
        handler.wfile.write(out)
        return
    for at in range(len(out)):
        handler.wfile.write(out[at : at + 1])
        time.sleep(reply.pause_s)


def _end(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_WR)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    """RST in place of FIN."""
    handler.close_connection = True
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.connection.close()


class HeldTokens:
    """Tokens that count how often another was asked for."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.refused: list[str | None] = []

    def token(self, *, refused: str | None = None) -> Token:
        self.refused.append(refused)
        access = "t2" if "t1" in self.refused else "t1"
        return Token(access=access, expires_at=NOW, base_url=self.url)


class Kit:
    """A server, a client of it, and what the client told."""

    def __init__(self, session: Any, *, patience: Patience | None = None, **calling: Any) -> None:
        self.server = SalesforceServer()
        self.tokens = HeldTokens(self.server.url)
        self.calls: list[dict[str, Any]] = []
        self.attention: list[str] = []
        self.usages: list[Any] = []
        self.now = NOW
        self.calling = SalesforceCalling(
            **{
                "api_version": "66.0",
                "tokens": self.tokens,
                "session": session,
                "journal": lambda **call: self.calls.append(call),
                "now": lambda: self.now,
                "attention": lambda error: self.attention.append(error.message),
                "usage": self.usages.append,
                **calling,
            }
        )
        self.crm = RestSalesforceClient(self.calling, patience)

    def on(self, method: str, path: str, *replies: Any) -> None:
        """As the server's, below the version's path."""
        self.server.on(method, BASE + path, *replies)

    def close(self) -> None:
        self.server.close()
