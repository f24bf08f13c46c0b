"""A `requests` session behind the guard, for vendors' own libraries that are built on `requests`.

It resolves a name once, refuses addresses that are not public, and connects to a checked address
while TLS keeps the name. It follows no redirect, keeps no cookie, repeats nothing, and cuts an
answer off at a limit. Imports `requests`: import this module where a session is first needed.
"""

import ssl
import time
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from socket import socket
from typing import Any, ClassVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.util.connection import create_connection

from inkwire.errors import AddressRefused, Permanent
from inkwire.outbound import cutoff
from inkwire.outbound.guard import Guard
from inkwire.outbound.hosts import read_literal
from inkwire.outbound.networks import Address
from inkwire.outbound.tls import client_context

#: Seconds that an idle connection is kept: less than the 5 s after which common servers close. A
#: request that meets a closing connection has an unknown outcome, which for a create costs a probe.
KEEP_ALIVE_S = 4.0
#: Connections to a host that are kept for the next request: as many as runs can be in flight.
MAX_KEPT = 500
#: Seconds that a piece of a body may take to leave; urllib3 would allow what connecting may take.
SEND_S = 60.0
#: Bytes of an answer, decoded, beyond which it is cut off.
MAX_ANSWER = 256 * 1024 * 1024
#: Seconds that a name may take to be looked up.
_LOOKUP_S = 4.0
#: Of a name's addresses so many are tried, each with the time-out for connecting.
_TRIED = 3


class Places:
    """Where a session may go."""

    def __init__(self, guard: Guard, domains: tuple[str, ...]) -> None:
        """`domains`: see `session`."""
        self._guard = guard
        self._domains = domains

    def check(self, url: str, *, proxied: bool) -> None:
        """Judges an address by its spelling. Raises AddressRefused."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            raise AddressRefused("The address must begin with https:// and name a host.")
        if parts.username is not None or parts.password is not None:
            raise AddressRefused("The address holds a user or password; take them out.")
        if refused := self._guard.check_host(host):
            raise AddressRefused(refused)
        if self._is_vendors(host):
            if parts.scheme != "https":
                raise AddressRefused(f"{host} is called by https only; correct the address.")
        elif proxied:
            literal = read_literal(host)
            self._check_foreign(host, () if literal is None else (literal,))

    def addresses(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses to connect to. Raises AddressRefused; OSError if it does not resolve."""
        found = self._guard.resolve_now(host, port, timeout_s=_LOOKUP_S)
        if not self._is_vendors(host):
            self._check_foreign(host, found)
        return found

    def _is_vendors(self, host: str) -> bool:
        # As it is sent to the resolver: folding may refuse a host, never make it the vendor's.
        name = host.lower().rstrip(".")
        return any(name == domain or name.endswith(f".{domain}") for domain in self._domains)

    def _check_foreign(self, host: str, found: tuple[Address, ...]) -> None:
        """Refuses to bring credentials to a host that is neither the vendor's nor allowed."""
        if not self._domains or (found and all(map(self._guard.allows, found))):
            return
        raise AddressRefused(
            f"{host} is no host of {' or '.join(self._domains)}, so credentials are not sent "
            "there; correct the address, or name its network in INKWIRE_OUTBOUND_ALLOW."
        )


class _Once:
    """What both kinds of connection do: not kept for long, and a failure to connect is told apart.

    Whoever sees NewConnectionError knows that nothing was sent.
    """

    places: ClassVar[Places | None] = None
    _used_at = 0.0

    @property
    def is_connected(self) -> bool:
        """Whether a kept connection may be used again; urllib3 asks before it does."""
        fresh = time.monotonic() - self._used_at < KEEP_ALIVE_S
        return fresh and bool(super().is_connected)  # type: ignore[misc] # a mixin

    def getresponse(self) -> Any:
        """As urllib3's, and notes when the connection was last used."""
        answer = super().getresponse()  # type: ignore[misc] # a mixin
        self._used_at = time.monotonic()
        return answer

    def connect(self) -> None:
        """As urllib3's; raises NewConnectionError whatever failed, and AddressRefused."""
        try:
            super().connect()  # type: ignore[misc] # a mixin
        except NewConnectionError:
            raise
        except (OSError, HTTPError) as error:
            raise NewConnectionError(self, str(error)) from error  # type: ignore[arg-type]
        self._give_time()

    def request(self, *args: Any, **options: Any) -> None:
        """As urllib3's, with its own time to send; the time to read is set after it."""
        self._give_time()
        super().request(*args, **options)  # type: ignore[misc] # a mixin

    def _give_time(self) -> None:
        """Once connected: what is sent next may take as long as sending may."""
        one: Any = self
        if one.sock is not None:
            one.timeout = SEND_S
            one.sock.settimeout(SEND_S)
            cutoff.watch(one.sock)

    def _new_conn(self) -> socket:
        """The hook of urllib3 that opens the socket; TLS and its name come after it."""
        made = self._opened()
        cutoff.watch(made)
        return made

    def _opened(self) -> socket:
        places = self.places
        if places is None:
            return super()._new_conn()  # type: ignore[misc,no-any-return] # a mixin
        host, port = self._dns_host, self.port  # type: ignore[attr-defined] # HTTPConnection's
        try:
            addresses = places.addresses(host, port)
        except OSError as error:
            raise NewConnectionError(self, f"{host} does not resolve: {error}") from error  # type: ignore[arg-type]
        failure: OSError = OSError(f"{host} has no address")
        for address in addresses[:_TRIED]:
            try:
                return create_connection(
                    (str(address), port),
                    self.timeout,  # type: ignore[attr-defined]
                    socket_options=self.socket_options,  # type: ignore[attr-defined]
                )
            except OSError as error:
                failure = error
        raise NewConnectionError(self, str(failure)) from failure  # type: ignore[arg-type]


class _Http(_Once, HTTPConnection):
    """An unencrypted connection."""


class _Https(_Once, HTTPSConnection):
    """An encrypted connection; the certificate must be for the URL's name."""


def _pools(places: Places | None) -> dict[str, type[HTTPConnectionPool]]:
    """urllib3's pools by scheme, whose connections go through `places` (None: to a proxy)."""
    plain_one = type("GuardedHttp", (_Http,), {"places": places})
    tls_one = type("GuardedHttps", (_Https,), {"places": places})
    return {
        "http": type("HttpPool", (HTTPConnectionPool,), {"ConnectionCls": plain_one}),
        "https": type("HttpsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls_one}),
    }


class _Limited:
    """A raw answer that ends in an error once it has given more than `most` bytes."""

    def __init__(self, raw: Any, most: int) -> None:
        self._raw = raw
        self._left = most
        self._most = most

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:
        """Decoded pieces of at most `amount` bytes. Raises Permanent beyond the limit."""
        for piece in self._raw.stream(amount, decode_content=decode_content):
            self._left -= len(piece)
            if self._left < 0:
                self._raw.close()
                raise Permanent(
                    f"The answer is larger than {self._most // 1024 // 1024} MiB, which is more "
                    "than Inkwire takes."
                )
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class GuardedAdapter(HTTPAdapter):
    """The transport of a guarded session."""

    def __init__(self, places: Places, tls: ssl.SSLContext, max_answer: int | None) -> None:
        """`max_answer`: bytes; None: the caller counts."""
        self._places = places
        self._tls = tls
        self._max_answer = max_answer
        super().__init__(pool_maxsize=MAX_KEPT, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """As requests', with our pools."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _pools(self._places)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """As requests'; the proxy itself is the operator's, and outside the guard."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **options)
        if not known:
            manager.pool_classes_by_scheme = _pools(None)
        return manager

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The pool's key: our own TLS context in place of the one that requests would take."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        if host["scheme"] != "https":
            return host, {}
        return host, {"ssl_context": self._tls, "cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to add: the context checks certificates, and cannot be told not to."""

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        """Sends once. Raises AddressRefused before anything leaves, else what requests raises.

        A ProxyError means that nothing has left.
        """
        self._places.check(request.url, proxied=bool(options.get("proxies")))
        try:
            response = super().send(request, *args, **options)
        except requests.exceptions.ProxyError as error:
            if _never_connected(error):
                raise
            # A connection that closes forgets at urllib3 that it had reached the proxy.
            raise requests.ConnectionError(
                "the connection to the proxy broke", request=request
            ) from error
        if self._max_answer is not None:
            response.raw = _Limited(response.raw, self._max_answer)
        return response


def _never_connected(error: requests.exceptions.ProxyError) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(getattr(reason, "original_error", None), ConnectTimeoutError)


class _Session(requests.Session):
    """Follows no redirect: the caller does, and decides what goes along."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def session(
    guard: Guard,
    *,
    domains: tuple[str, ...] = (),
    proxy: str | None = None,
    ca_file: Path | None = None,
    max_answer: int | None = MAX_ANSWER,
) -> requests.Session:
    """A session that may be shared by threads; its owner closes it.

    `domains`: the vendor's; with them only their hosts are reached, by https, and hosts inside
    the operator's allow-list: for requests that carry credentials. Without: every public host.
    `proxy`: `http://host:port` that all goes through. `ca_file`: PEM, trusted as well.
    `max_answer`: bytes; None for callers that read in pieces and count them. Raises ConfigError
    for an unusable `ca_file`.
    """
    made = _Session()
    made.trust_env = False
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if proxy:
        made.proxies = {"http": proxy, "https": proxy}
    adapter = GuardedAdapter(Places(guard, domains), client_context(ca_file), max_answer)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made
