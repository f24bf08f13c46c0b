"""Small sites on real ports: an endpoint that notes what it gets, and a page with a frame."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fakes.pages import Pages
from inkwire.worker import run_worker


@dataclass
class Endpoint:
    """What an endpoint answers, and what it was sent."""

    url: str
    status: int = 200
    body: bytes = b'{"received": true}'
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """A subscriber's endpoint."""
    found = Endpoint(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            found.got.append((dict(self.headers.items()), body))
            self.send_response(found.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, *args: object) -> None:
            """Not into the tests' output."""

    with _serving(Handler) as address:
        found.url = f"{address}/in"
        yield found


@contextmanager
def framing(frame: list[str]) -> Iterator[str]:
    """A site whose one page shows `frame[0]` in a frame; yields its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f'<!doctype html><title>Site</title><iframe src="{frame[0]}" width=900 height=700></iframe>'
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *args: object) -> None:
            """Not into the tests' output."""

    with _serving(Handler) as address:
        yield address


@contextmanager
def working(pages: Pages) -> Iterator[None]:
    """The real worker beside the pages: dispatch, sender and jobs."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    def run() -> None:
        loop.run_until_complete(run_worker(pages.hub, stop))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=20)
        assert not thread.is_alive(), "the worker did not stop"
        loop.close()
