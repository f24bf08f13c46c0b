"""Where aiohttp connects, it is told here: only checked addresses, and how far a request came.

A request's `Trip` travels in a context variable, because aiohttp hands its hooks no request. The
hooks do without aiohttp's TraceConfig, which awaits six signals a request and knows no peer.
"""

import socket
import ssl
import time
from contextvars import ContextVar
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from inkwire.outbound.guard import Guard


class Trip:
    """How far one request has come."""

    __slots__ = (
        "connect_s",
        "head_s",
        "reached",
        "refused",
        "remote",
        "reused",
        "stage",
        "started",
    )

    def __init__(self, started: float) -> None:
        """`started`: `time.perf_counter()`."""
        self.started = started
        self.connect_s: float | None = None
        self.head_s: float | None = None
        self.remote: str | None = None
        #: Why the guard refused at the last moment.
        self.refused: str | None = None
        self.begin()

    def begin(self) -> None:
        """A first or further try begins."""
        self.stage = "connect"
        #: Whether it goes over a connection that was kept.
        self.reused = True
        #: Whether the TCP connection stands (to the proxy, if there is one).
        self.reached = False

    def connected(self, transport: Any) -> None:
        """The connection stands, TLS included."""
        self.stage = "head"
        self.reached = True
        self.connect_s = time.perf_counter() - self.started
        peer = transport.get_extra_info("peername") if transport is not None else None
        self.remote = peer[0] if peer else None

    def answered(self) -> None:
        """The head of the answer is there."""
        self.stage = "body"
        self.head_s = time.perf_counter() - self.started


TRIP: ContextVar[Trip] = ContextVar("trip")


class _CheckedAddresses(AbstractResolver):
    """Gives aiohttp the addresses that the guard let pass, so it connects to those and no other."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises AddressRefused; OSError if the name does not resolve."""
        trip = TRIP.get()
        trip.stage = "name"
        addresses = await self._guard.resolve(host, port)
        trip.stage = "connect"
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET if address.version == 4 else socket.AF_INET6,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held: the guard is its owner's."""


class Connector(aiohttp.TCPConnector):
    """aiohttp's connector behind the guard. How many connections there are is the caller's."""

    def __init__(self, *, guard: Guard | None, tls: ssl.SSLContext, keep_alive_s: float) -> None:
        """`guard`: None if all goes to an egress proxy, whose own address is the operator's."""
        self._guard = guard
        super().__init__(
            ssl=tls,
            limit=0,
            use_dns_cache=False,
            resolver=None if guard is None else _CheckedAddresses(guard),
            socket_factory=self._socket,
            keepalive_timeout=keep_alive_s,
        )

    def _socket(self, info: Any) -> socket.socket:
        """The last moment before a connection: nothing passes here unchecked, literals neither."""
        family, kind, protocol, _, address = info
        trip = TRIP.get()
        trip.reused = False
        if self._guard is not None:
            refused = self._guard.refusal(ip_address(address[0]))
            if refused is not None:
                trip.refused = refused
                raise PermissionError(refused)
        return socket.socket(family, kind, protocol)

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109 – aiohttp's
        """As aiohttp's, and notes that the request is connected."""
        connection = await super().connect(req, traces, timeout)
        TRIP.get().connected(connection.transport)
        return connection

    async def _create_direct_connection(self, *args: Any, **options: Any) -> Any:
        """As aiohttp's, and notes that the proxy was reached: what fails later is another's."""
        made = await super()._create_direct_connection(*args, **options)
        TRIP.get().reached = True
        return made
