"""The composition root: the only place that wires rooms together, opens and closes resources."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any

import structlog
from fastapi import FastAPI, Header, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from inkwire import __version__
from inkwire.api.app import BodyLimit, RateHeaders, api_router, install_errors
from inkwire.console.app import console_app
from inkwire.errors import InkwireError
from inkwire.hub import Hub, open_hub
from inkwire.ingest.endpoint import Ingest
from inkwire.ingest.metrics import Metrics as IngestMetrics
from inkwire.ingest.tallies import Share, Tallies
from inkwire.metrics import metrics_registry
from inkwire.model.access import Scope as Reach
from inkwire.portal.app import portal_app
from inkwire.store.contract import CONFIG
from inkwire.store.live import LiveCounters

__all__ = ["Hub", "WebApp", "open_hub", "web_app"]

#: Seconds before a change of the sources that could not be read is tried again.
RELOAD_RETRY_S = 1.0

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class WebApp:
    """The ASGI app of a web process: `/in/` goes to ingest as it is, the rest to the pages.

    Starting it loads the sources, so nothing is answered before the store can take events.
    """

    def __init__(self, hub: Hub, share: Share | None) -> None:
        """`hub` stays the caller's to close, after this app has shut down."""
        self._hub = hub
        self._live = LiveCounters()
        self._ingest = Ingest(
            store=hub.store,
            registry=hub.registry,
            clock=hub.clock,
            ids=hub.ids,
            settings=hub.settings,
        )
        folder = hub.settings.data_dir / "tallies" / str(hub.settings.port)
        self._tallies = Tallies(folder, self._ingest.metrics, share) if share else None
        self._pages = _pages(hub, self._live, self._counted)
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's worth of ASGI."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/in/"):
            await self._ingest(scope, receive, send)
        else:
            await self._pages(scope, receive, send)

    def _counted(self) -> IngestMetrics:
        return self._ingest.metrics if self._tallies is None else self._tallies.total()

    def begin_shutdown(self) -> None:
        """Ends the streams that wait for news, so that a graceful stop need not wait for them."""
        self._live.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except InkwireError as error:
            await send({"type": "lifespan.startup.failed", "message": error.message})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        await asyncio.to_thread(self._hub.store.check)
        await self._ingest.start()
        self._tasks = [
            asyncio.create_task(self._live.run(self._hub.store)),
            asyncio.create_task(self._follow_config()),
        ]
        if self._tallies is not None:
            self._tasks.append(asyncio.create_task(self._tallies.run()))

    async def _stop(self) -> None:
        self._live.close()
        for task in self._tasks:
            task.cancel()
        # However a task ended, what ingest has accepted must still be written.
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._ingest.stop()

    async def _follow_config(self) -> None:
        """A change of a source or secret takes effect in this process within a second."""
        seen = self._live.counters()
        while not self._live.closed:  # closed, `changed` returns at once: no second round
            now = await self._live.changed(seen, timeout_s=60)
            if now.get(CONFIG) != seen.get(CONFIG):
                try:
                    await self._ingest.reload()
                except Exception:
                    log.exception("config.not_reloaded", retry_s=RELOAD_RETRY_S)
                    await asyncio.sleep(RELOAD_RETRY_S)
                    continue
            seen = now


def web_app(hub: Hub, share: Share | None = None) -> WebApp:
    """The ASGI app of a web process; `share` if it is one of several on one address."""
    return WebApp(hub, share)


def _pages(hub: Hub, live: LiveCounters, counted: Callable[[], IngestMetrics]) -> FastAPI:
    pages = FastAPI(
        title="Inkwire",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        # A redirect would come before anybody is asked who they are, and not in BoxC's shape.
        redirect_slashes=False,
    )
    install_errors(pages)
    pages.add_middleware(BodyLimit)
    pages.add_middleware(RateHeaders)
    parts = hub.parts(live)
    pages.include_router(api_router(parts))
    pages.mount("/console", console_app(parts))
    pages.mount("/portal", portal_app(parts))
    metrics = metrics_registry(counted, hub.store, hub.clock)

    @pages.get("/", include_in_schema=False)
    def front() -> Response:
        return RedirectResponse("/console/")

    @pages.get("/console", include_in_schema=False)
    @pages.get("/portal", include_in_schema=False)
    def with_slash(request: Request) -> Response:
        return RedirectResponse(f"{request.url.path}/")

    @pages.get("/healthz", include_in_schema=False)
    async def healthy() -> Response:  # on no thread: it answers while all of them are busy
        return JSONResponse({"status": "ok", "version": __version__})

    @pages.get("/readyz", include_in_schema=False)
    def ready() -> Response:
        try:
            hub.store.check()
        except InkwireError as error:
            return JSONResponse({"status": "unavailable", "detail": error.message}, 503)
        return JSONResponse({"status": "ok"})

    @pages.get("/metrics", include_in_schema=False)
    def measured(authorization: Annotated[str | None, Header()] = None) -> Response:
        hub.gate.by_key(authorization).require(Reach.EVENTS_READ)
        return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    return pages
