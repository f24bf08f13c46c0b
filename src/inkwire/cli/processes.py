"""The two processes of a hub: `web` answers, `worker` acts. `serve` starts both; so can anybody.

Each may be given a lifeline (its standard input: a byte means begin, the end means stop) and a
ready pipe, to say that it can be used; see `supervisor`. Both end in good order on SIGTERM, SIGINT
and the lifeline's end.
"""

import asyncio
import errno
import gc
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import structlog
import uvicorn
import uvloop

from inkwire.cli.locks import lock_path, try_lock
from inkwire.cli.protocol import HubProtocol
from inkwire.errors import ConfigError

if TYPE_CHECKING:
    from inkwire.app import WebApp
    from inkwire.config import Settings

#: Seconds to wait for an address that a dying predecessor still holds.
BIND_PATIENCE_S = 5.0
#: Seconds between two tries for the worker's lock.
LOCK_POLL_S = 0.25
#: Connections that the kernel holds for us while we are busy.
LISTEN_BACKLOG = 2048
#: Seconds an idle connection is kept: more than most proxies keep theirs (60 s), so that the proxy
#: ends it and no request meets a closing connection.
KEEP_ALIVE_S = 75
MAX_OPEN_FILES = 65_536

log = structlog.get_logger()
Say = Callable[..., None]


def sayer(ready_fd: int | None) -> Say:
    """What tells the supervisor of this process: a JSON object a line; nothing without a pipe."""

    def say(**facts: object) -> None:
        if ready_fd is not None:
            os.write(ready_fd, json.dumps(facts | {"pid": os.getpid()}).encode() + b"\n")

    return say


def run_web(settings: "Settings", *, lifeline: bool, say: Say) -> None:
    """Serves ingest, API and console until told to stop.

    Raises ConfigError if the address cannot be had, StoreOutdated before a migration.
    """
    from inkwire.app import open_hub, web_app

    if lifeline and not _told_to_begin():
        return
    sock = bind(settings.host, settings.port)
    settings = settings.model_copy(update={"port": sock.getsockname()[1]})
    with open_hub(settings) as hub:
        hub.store.check()
        app = web_app(hub)
        server = _Server(_uvicorn_config(app, settings), app=app, address=settings, say=say)
        _raise_open_files()
        _run(lambda stop: server.serve_until(stop, sock), lifeline=lifeline)
    if server.failed:
        raise ConfigError("The web process could not start; what it logged above says why.")


def run_worker(settings: "Settings", *, lifeline: bool, say: Say) -> None:
    """Hands on events until told to stop. On SQLite it first waits to be the only worker."""
    from inkwire.hub import open_hub
    from inkwire.worker import run_worker as work

    if lifeline and not _told_to_begin():
        return

    async def main(stop: asyncio.Event) -> None:
        async with only_worker(settings, stop, say=say):
            if stop.is_set():
                return
            with open_hub(settings) as hub:
                hub.store.check()
                _raise_open_files()
                gc.freeze()
                say(state="ready")
                log.info("worker.ready", pid=os.getpid())
                await work(hub, stop)
        log.info("worker.stopped")

    _run(main, lifeline=lifeline)


class _Server(uvicorn.Server):
    """uvicorn, stopped by an event, telling when it listens and before it waits for connections."""

    def __init__(
        self, config: uvicorn.Config, *, app: "WebApp", address: "Settings", say: Say
    ) -> None:
        super().__init__(config)
        self._app, self._address, self._say = app, address, say
        self.failed = False

    async def serve_until(self, stop: asyncio.Event, sock: socket.socket) -> None:
        """Serves on `sock`, which is bound but does not listen before the app has started."""
        ending = asyncio.create_task(self._end_on(stop))
        try:
            await self._serve(sockets=[sock])
        except SystemExit:  # how uvicorn says that the app's start failed
            self.failed = True
        finally:
            ending.cancel()

    async def _end_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what start-up made stays for good: the collector need not look at it again
        self._say(state="ready", host=self._address.host, port=self._address.port)
        log.info("web.ready", host=self._address.host, port=self._address.port, pid=os.getpid())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.begin_shutdown()
        await super().shutdown(sockets)
        log.info("web.stopped")


def _uvicorn_config(app: Any, settings: "Settings") -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=HubProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        backlog=LISTEN_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(settings.shutdown_grace_s)),
    )


def bind(host: str, port: int, *, patience_s: float = BIND_PATIENCE_S) -> socket.socket:
    """A bound socket that does not listen yet. Raises ConfigError, saying what to change."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(
            f"INKWIRE_HOST {host!r} is no address of this machine: {error}."
        ) from None
    family, kind, proto, _, address = found[0]
    give_up_at = time.monotonic() + patience_s
    while True:
        sock = socket.socket(family, kind, proto)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(address)
            return sock
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE or time.monotonic() >= give_up_at:
                raise ConfigError(_unbindable(host, port, error)) from None
        time.sleep(0.1)


def _unbindable(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is in use by another program. Stop that program, or choose "
            "another port with --port or INKWIRE_PORT."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has; choose one from 1024 upwards."
    return f"Inkwire cannot listen on {host}, port {port}: {error.strerror}. Correct INKWIRE_HOST."


@asynccontextmanager
async def only_worker(
    settings: "Settings", stop: asyncio.Event, *, say: Say
) -> AsyncIterator[None]:
    """Holds the worker's lock of a SQLite data folder; PostgreSQL needs none.

    Waits while another worker holds it (the kernel frees it with that process, kill -9 included).
    """
    if settings.database_url is not None:
        yield
        return
    with lock_path(settings).open("ab") as file:
        waited = False
        while not (held := try_lock(file.fileno())) and not stop.is_set():
            if not waited:
                waited = True
                say(state="waiting")
                log.warning(
                    "worker.waiting",
                    advice="Another worker runs on this data folder; this one takes over when "
                    "it ends. SQLite has one worker: several need PostgreSQL.",
                )
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOCK_POLL_S)
        if held and waited:
            log.info("worker.took_over")
        yield


def _run(main: Callable[[asyncio.Event], Awaitable[None]], *, lifeline: bool) -> None:
    """Runs `main` on uvloop with an event that is set when this process should end."""

    async def guarded() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if lifeline:
            loop.add_reader(sys.stdin.fileno(), _cut, loop, stop)
        await main(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(guarded())


def _told_to_begin() -> bool:
    """Waits for the supervisor's word; False if it ended instead."""
    return os.read(sys.stdin.fileno(), 1) != b""


def _cut(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """The lifeline can be read: if it is its end, finish what is in hand, then end."""
    if not os.read(sys.stdin.fileno(), 512):
        loop.remove_reader(sys.stdin.fileno())
        log.warning("process.supervisor_gone")
        stop.set()


def _raise_open_files() -> None:
    """Lets this process hold as many connections as the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
