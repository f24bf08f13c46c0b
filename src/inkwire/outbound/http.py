"""One POST to an endpoint that nobody has reason to trust: bounded in time and bytes, guarded."""

import asyncio
import base64
import re
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from yarl import URL

from inkwire.clock import Clock
from inkwire.errors import AddressRefused, ConfigError
from inkwire.model.message import AttemptResult, Exchange, TextHeaders
from inkwire.moments import http_date, retry_after_s
from inkwire.outbound.answer import kept_headers, read_body
from inkwire.outbound.asking import Asking, route
from inkwire.outbound.connecting import TRIP, Connector, Trip
from inkwire.outbound.faults import (
    Fault,
    answered,
    fault_of,
    proxy_failed,
    proxy_wants_password,
    timed_out,
)
from inkwire.outbound.guard import Guard
from inkwire.outbound.sending import as_sent, head
from inkwire.outbound.tls import client_context

#: Seconds that an idle connection is kept: less than the 5 s after which common servers close.
KEEP_ALIVE_S = 4
_CACHED_TARGETS = 4096
_CACHED_TIMEOUTS = 64

#: A path or query that needs no quoting (RFC 3986).
_QUOTED = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
_FINE = Fault(AttemptResult.OK, "")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Target:
    """Where a request goes; its host is checked as far as its spelling tells."""

    #: What the connector is told.
    route: ClientRequest
    tls: bool
    #: What follows POST: the path, or all of it for a proxy that passes it on.
    path: str
    #: Host and port, for people.
    place: str
    host_header: str


@dataclass(kw_only=True, slots=True)
class _Request:
    """What is to be sent, and within which time (seconds)."""

    target: _Target
    headers: TextHeaders
    body: bytes
    timeout_s: float
    connect_timeout_s: float


@dataclass(kw_only=True, slots=True)
class _Answer:
    """What has come so far."""

    status: int | None = None
    headers: TextHeaders = ()
    body: bytearray = field(default_factory=bytearray)
    truncated: bool = False
    location: str | None = None
    retry_after: str | None = None
    #: The endpoint's own time, by which it names a date to wait for.
    date: str = ""


class Outbound:
    """Sends POSTs over kept connections. One per event loop; an async context manager."""

    def __init__(
        self, *, guard: Guard, clock: Clock, proxy: str | None = None, ca_file: Path | None = None
    ) -> None:
        """`guard`: its owner closes it. `proxy`: `http://host:port` that all goes through.

        `ca_file`: PEM, trusted beside the machine's own authorities.
        Raises ConfigError if one of them is unusable.
        """
        self._guard = guard
        self._clock = clock
        self._proxy = None if proxy is None else _proxy_url(proxy)
        self._proxy_login = None if self._proxy is None else _basic(self._proxy)
        self._tls = client_context(ca_file)
        self._connector: Connector | None = None
        self._target = lru_cache(_CACHED_TARGETS)(self._read_target)

    async def __aenter__(self) -> Self:
        self._connector = Connector(
            guard=None if self._proxy else self._guard,
            tls=self._tls,
            keep_alive_s=KEEP_ALIVE_S,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connector is not None:
            await self._connector.close()
            self._connector = None

    async def post(
        self,
        url: str,
        *,
        headers: TextHeaders,
        body: bytes,
        timeout_s: float,
        connect_timeout_s: float,
    ) -> Exchange:
        """Sends `body` once and says what came of it; never raises for what a network does.

        `timeout_s` covers the whole: name, connection, TLS, answer with its body (R145).
        `connect_timeout_s` covers the part until connected. Redirects are not followed (R144).
        A kept connection that has ended meanwhile is passed over. Once anything was written nothing
        is sent again: the endpoint may have taken it, and that would stand in no record.
        """
        started_at = self._clock.now()
        trip = Trip(time.perf_counter())
        answer = _Answer()
        sent: TextHeaders = ()
        try:
            target = self._target(url)
            sent = as_sent(target.host_header, headers, len(body))
        except AddressRefused as error:
            fault = Fault(AttemptResult.BLOCKED, error.message)
        except ValueError as error:
            fault = Fault(AttemptResult.INTERNAL, f"The request could not be made: {error}.")
        else:
            request = _Request(
                target=target,
                headers=sent,
                body=body,
                timeout_s=timeout_s,
                connect_timeout_s=min(connect_timeout_s, timeout_s),
            )
            fault = await self._tried(request, trip, answer)
        return Exchange(
            result=fault.result,
            detail=fault.detail,
            status=answer.status,
            request_headers=sent,
            response_headers=answer.headers,
            response_body=bytes(answer.body),
            truncated=answer.truncated,
            # Where the egress proxy stands is the operator's, and no subscriber's to see.
            remote=None if self._proxy is not None else trip.remote,
            started_at=started_at,
            duration_s=time.perf_counter() - trip.started,
            connect_s=trip.connect_s,
            head_s=trip.head_s,
            retry_after_s=self._waits(answer),
        )

    def _waits(self, answer: _Answer) -> float | None:
        if answer.retry_after is None:  # as most do: no date is read then
            return None
        return retry_after_s(answer.retry_after, http_date(answer.date) or self._clock.now())

    async def _tried(self, request: _Request, trip: Trip, answer: _Answer) -> Fault:
        """Sends and reads; what failed, or that all is fine."""
        fault = await self._failure(request, trip, answer)
        status = answer.status
        if status is None or (fault is not None and 200 <= status < 300):
            return fault or _FINE
        if status == 407 and self._proxy is not None and not request.target.tls:
            # Through a tunnel it is the endpoint's: the proxy's own answer to CONNECT came before.
            return proxy_wants_password()
        if 200 <= status < 300:
            return _FINE
        # Whatever became of its body: the status is the answer.
        answer.truncated = answer.truncated or fault is not None
        return answered(status, answer.location, request.target.place)

    async def _failure(self, request: _Request, trip: Trip, answer: _Answer) -> Fault | None:
        token = TRIP.set(trip)
        try:
            async with asyncio.timeout(request.timeout_s):
                await self._exchange(request, trip, answer)
        except TimeoutError as error:
            connecting = isinstance(error, aiohttp.ConnectionTimeoutError)
            seconds = request.connect_timeout_s if connecting else request.timeout_s
            return timed_out(self._stage(trip), request.target.place, seconds)
        except Exception as error:  # noqa: BLE001 – whatever it was, the attempt has an outcome
            return self._explained(error, request.target, trip)
        finally:
            TRIP.reset(token)
        return None

    async def _exchange(self, request: _Request, trip: Trip, answer: _Answer) -> None:
        asking = await self._asked(request, trip)
        try:
            trip.answered()
            message = asking.message
            answer.status = message.code
            answer.headers = kept_headers(message.raw_headers)
            answer.location = message.headers.get("Location")
            answer.retry_after = message.headers.get("Retry-After")
            answer.date = message.headers.get("Date", "")
            if message.code != 101:
                answer.truncated = await read_body(asking.content, answer.body)
        finally:
            # What is not read to its end costs the connection.
            asking.end()

    async def _asked(self, request: _Request, trip: Trip) -> Asking:
        """The request with the head of its answer, on whichever connection that came about."""
        target = request.target
        while True:
            trip.begin()
            asking = Asking(await self._connected(request))
            # Through a tunnel the connector tells the proxy, and the endpoint must not hear it.
            login = None if target.tls else self._proxy_login
            start = head(target.path, request.headers, proxy_authorization=login)
            try:
                await asking.ask(start, request.body, kept=trip.reused)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if asking.written or not trip.reused:
                    raise
            else:
                return asking

    async def _connected(self, request: _Request) -> Connection:
        if self._connector is None:
            raise RuntimeError("Outbound is not open; use it as `async with Outbound(…)`")
        timeout = _connect_timeout(request.connect_timeout_s)
        try:
            found: Connection = await self._connector.connect(request.target.route, [], timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        return found

    def _stage(self, trip: Trip) -> str:
        return "proxy" if self._proxy is not None and not trip.reached else trip.stage

    def _explained(self, error: Exception, target: _Target, trip: Trip) -> Fault:
        if trip.refused is not None:
            return Fault(AttemptResult.BLOCKED, trip.refused)
        if self._proxy is not None and trip.connect_s is None:
            own = isinstance(error, aiohttp.ClientHttpProxyError) or (
                trip.reached and isinstance(error, aiohttp.ClientConnectorError)
            )
            if not own and isinstance(error, aiohttp.ClientError):
                return proxy_failed(error)
        return fault_of(error, target.place, tls=target.tls)

    def _read_target(self, url: str) -> _Target:
        """Takes an address apart and checks it. Raises AddressRefused."""
        if not url.isprintable() or " " in url:
            raise AddressRefused("The address has spaces or control characters; correct it.")
        try:
            parsed = URL(url)
        except ValueError:
            raise AddressRefused("The address is no URL; correct it.") from None
        if parsed.scheme not in ("http", "https"):
            raise AddressRefused("The address must begin with https:// or http://.")
        if parsed.user is not None or parsed.password is not None:
            raise AddressRefused(
                "The address holds a user or password; send credentials as a header instead."
            )
        if not parsed.raw_host or not parsed.port:
            raise AddressRefused("The address has no usable host or port; correct it.")
        if refused := self._guard.check_host(parsed.raw_host):
            raise AddressRefused(refused)
        written = _as_written(url, parsed)
        tls = parsed.scheme == "https"
        return _Target(
            route=route(written, self._proxy),
            tls=tls,
            path=written.raw_path_qs if tls or self._proxy is None else str(written),
            place=f"{parsed.host_subcomponent}:{parsed.port}",
            host_header=parsed.host_port_subcomponent or "",
        )


def _as_written(text: str, parsed: URL) -> URL:
    """The checked URL with path and query as they were registered: `%2F` is not `/` to everyone."""
    parts = urlsplit(text)
    if not (_QUOTED.fullmatch(parts.path) and _QUOTED.fullmatch(parts.query)):
        return parsed.with_fragment(None)
    return URL.build(
        scheme=parsed.scheme,
        authority=parsed.raw_authority,
        path=parts.path or "/",
        query_string=parts.query,
        encoded=True,
    )


@lru_cache(_CACHED_TIMEOUTS)
def _connect_timeout(seconds: float) -> aiohttp.ClientTimeout:
    # The threshold keeps aiohttp from rounding time-outs up to whole seconds.
    return aiohttp.ClientTimeout(total=None, connect=seconds, ceil_threshold=seconds)


def _proxy_url(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError:
        url = URL()
    if url.scheme != "http" or not url.raw_host or not url.port:
        raise ConfigError("INKWIRE_OUTBOUND_PROXY must look like http://proxy.example.com:3128.")
    return url


def _basic(proxy: URL) -> str | None:
    """The userinfo of the proxy's address as it is told (RFC 7617); None: it has none."""
    if proxy.user is None and proxy.password is None:
        return None
    pair = f"{proxy.user or ''}:{proxy.password or ''}"
    return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
