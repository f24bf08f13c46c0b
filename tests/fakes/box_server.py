"""A tiny server on 127.0.0.1 that answers as it is told, for the Box client: real sockets."""

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from inkwire.outbound.guard import Guard
from inkwire.outbound.networks import networks
from inkwire.outbound.resolving import Resolver, system_resolver


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What to answer; `drop`: close the connection instead; `short`: after so many bytes of it."""

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    short: int | None = None


class BoxServer:
    """Answers from a queue by (method, path without query); what is not queued gets 404."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self._replies: dict[tuple[str, str], deque[Any]] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                outer._serve(self)

            do_GET = do_POST = do_PUT = do_OPTIONS = do_DELETE = _any  # noqa: N815 - http.server's names

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            def date_time_string(self, timestamp: float | None = None) -> str:
                return outer.date

        #: What every answer's Date says.
        self.date = "Sun, 22 Nov 2026 12:00:00 GMT"
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._http.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def on(self, method: str, path: str, *replies: Reply | Callable[[Seen], Reply]) -> None:
        """Queues replies; the last one stays for all further requests."""
        self._replies.setdefault((method, path), deque()).extend(replies)

    def sent(self, method: str, path: str) -> list[Seen]:
        """The requests of that kind, in order."""
        return [
            one for one in self.seen if (one.method, one.path.partition("?")[0]) == (method, path)
        ]

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        seen = Seen(handler.command, handler.path, headers, body)
        with self._lock:
            self.seen.append(seen)
            queue = self._replies.get((seen.method, seen.path.partition("?")[0]))
            reply = None if queue is None else queue[0] if len(queue) == 1 else queue.popleft()
        if callable(reply):
            reply = reply(seen)
        if reply is None:
            reply = Reply(404, json={"type": "error", "status": 404, "code": "not_found"})
        if reply.drop:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        out = reply.body if reply.json is None else json.dumps(reply.json).encode()
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(out)))
        handler.end_headers()
        handler.wfile.write(out[: reply.short])
        if reply.short is not None:
            handler.close_connection = True


def loopback_guard(resolver: Resolver = system_resolver) -> Guard:
    """A guard whose operator has opened 127.0.0.1, as for a sandbox."""
    return Guard(networks("127.0.0.1"), resolver)
