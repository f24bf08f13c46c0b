"""The web process of a hub: ingest, API and console on one address."""

import asyncio
import errno
import os
import socket
import time
from typing import Any

import structlog
import uvicorn

from inkwire.app import WebApp, open_hub, web_app
from inkwire.cli.processes import Say, raise_open_files, run, settle
from inkwire.cli.protocol import HubProtocol
from inkwire.config import Settings
from inkwire.errors import ConfigError
from inkwire.ingest.tallies import Share

#: Seconds to wait for an address that a dying predecessor still holds.
BIND_PATIENCE_S = 5.0
#: Connections that the kernel holds for us while we are busy.
LISTEN_BACKLOG = 2048
#: Seconds an idle connection is kept: more than most proxies keep theirs (60 s), so that the proxy
#: ends it and no request meets a closing connection.
KEEP_ALIVE_S = 75

log = structlog.get_logger()


def run_web(settings: Settings, *, lifeline: bool, say: Say, share: Share | None = None) -> None:
    """Serves ingest, API and console until told to stop; `share`: as one of several there.

    Raises ConfigError if the address cannot be had, StoreOutdated before a migration.
    """
    sock = bind(settings.host, settings.port, join=share is not None and share.joins)
    settings = settings.model_copy(update={"port": sock.getsockname()[1]})
    with open_hub(settings) as hub:
        hub.store.check()
        app = web_app(hub, share)
        config, shared = _uvicorn_config(app, settings), share is not None
        server = _Server(config, app=app, address=settings, say=say, shared=shared)
        raise_open_files()
        run(lambda stop: server.serve_until(stop, sock), lifeline=lifeline)
    if server.failed:
        raise ConfigError("The web process could not start; what it logged above says why.")


class _Server(uvicorn.Server):
    """uvicorn, stopped by an event, telling when it listens and before it waits for connections."""

    def __init__(
        self, config: uvicorn.Config, *, app: WebApp, address: Settings, say: Say, shared: bool
    ) -> None:
        """`shared`: once it listens, others may listen on the same address too."""
        super().__init__(config)
        self._app, self._address, self._say = app, address, say
        self._shared = shared
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
        if self._shared:
            # Only now: until it listened, a stranger's claim on the address would not have shown.
            for sock in sockets or ():
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        settle()
        self._say(state="ready", host=self._address.host, port=self._address.port)
        log.info("web.ready", host=self._address.host, port=self._address.port, pid=os.getpid())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.begin_shutdown()
        await super().shutdown(sockets)
        log.info("web.stopped")


def _uvicorn_config(app: Any, settings: Settings) -> uvicorn.Config:
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


def bind(
    host: str, port: int, *, join: bool = False, patience_s: float = BIND_PATIENCE_S
) -> socket.socket:
    """A bound socket that does not listen yet. Raises ConfigError, saying what to change.

    `join`: beside others of this user that let it; the kernel shares the connections out.
    """
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
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, join)
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
