"""A running ingest on a real socket, and a client that sends exactly the bytes it is told to."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn

from fakes.provider import ToyReceiver, toy_registry
from fakes.store import FakeStore
from inkwire.cli.protocol import HubProtocol
from inkwire.clock import ManualClock
from inkwire.config import Settings
from inkwire.ids import SortableIds
from inkwire.ingest import Ingest
from inkwire.model.source import Secret, Source

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY = Secret(id="sec_key", role="key", value=b"toy-key")
BODY = b'{"id":"e1","type":"made"}'


def toy_source(**changes: Any) -> Source:
    """A source named `toy`, 64 KiB at most."""
    given = {
        "id": "toy",
        "provider": "toy",
        "name": "Toy",
        "settings": {},
        "max_body_bytes": 64 * 1024,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Source(**{**given, **changes})


@dataclass
class Answer:
    """One HTTP answer as read from the socket."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """The next answer; raises IncompleteReadError if the connection ends before it."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    named = (line.split(": ", 1) for line in lines[1:] if line)
    headers = {name.lower(): value for name, value in named}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(lines[0].split()[1]), headers, body)


def http(
    method: str = "POST",
    path: str = "/in/toy",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    length: int | None = -1,
) -> bytes:
    """Raw HTTP/1.1. `length`: Content-Length (-1: the true one, None: none)."""
    lines = [f"{method} {path} HTTP/1.1", "Host: hub"]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length == -1 else length}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*chunks: bytes) -> bytes:
    """The chunks in chunked coding, the last one included."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.ended.wait()

    @contextlib.contextmanager
    def capture_signals(self):
        yield


@dataclass
class Hub:
    """The ingest under test with everything around it."""

    store: Any
    ingest: Ingest
    clock: ManualClock
    receiver: ToyReceiver = field(default_factory=ToyReceiver)
    port: int = 0
    _server: Any = None
    _serving: Any = None

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def send(self, raw: bytes) -> Answer:
        """Sends the bytes on a connection of their own and reads one answer."""
        reader, writer = await self.connect()
        try:
            writer.write(raw)
            return await asyncio.wait_for(read_answer(reader), 10)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def signed(self, body: bytes = BODY, *, key: Secret = KEY) -> dict[str, str]:
        """The headers of a request signed now."""
        return dict(self.receiver.sign(body, [key], {}, self.clock.now()).headers)

    async def post(self, body: bytes = BODY, *, key: Secret = KEY, path: str = "/in/toy") -> Answer:
        """A well signed request."""
        return await self.send(http(path=path, headers=self.signed(body, key=key), body=body))

    async def rejections(self) -> list[Any]:
        """The rejected log, flushed."""
        await self.ingest._rejected.flush()
        return self.store.inbound.rejections

    async def shut_down(self) -> None:
        """Stops the server as SIGTERM does, and waits for its end."""
        self._server.ended.set()
        await self._serving


@contextlib.asynccontextmanager
async def serving(ingest: Ingest, hub: Hub, *, grace_s: int = 3) -> AsyncIterator[Hub]:
    """`ingest` behind uvicorn on a port of its own, as in production."""
    sock = socket.create_server(("127.0.0.1", 0))
    hub.port = sock.getsockname()[1]
    config = uvicorn.Config(
        ingest,
        http=HubProtocol,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=grace_s,
    )
    hub._server = _Server(config)
    hub._serving = asyncio.create_task(hub._server.serve(sockets=[sock]))
    try:
        await asyncio.wait_for(hub._server.ready.wait(), 5)
        yield hub
    finally:
        await hub.shut_down()
        sock.close()


@contextlib.asynccontextmanager
async def running(
    tmp_path: Path,
    *,
    source: Source | None = None,
    receiver: ToyReceiver | None = None,
    **settings: Any,
):
    """A hub with the fake store, the toy provider and one source `toy`."""
    store, receiver, clock = FakeStore(), receiver or ToyReceiver(), ManualClock(NOW)
    store.sources.put(source or toy_source(), KEY)
    ingest = Ingest(
        store=store,
        registry=toy_registry(receiver),
        clock=clock,
        ids=SortableIds(clock),
        settings=Settings(data_dir=tmp_path, disk_reserve_bytes=0, **settings),
    )
    hub = Hub(store=store, ingest=ingest, clock=clock, receiver=receiver)
    async with serving(ingest, hub):
        yield hub


async def until(condition: Callable[[], bool]) -> None:
    """Gives the loop its turns until `condition` holds; TimeoutError after 5 s."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)
