"""One request to a vendor's token endpoint, made and read by the vendor's connector."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from inkwire.clock import Clock
from inkwire.errors import AddressRefused, NeedsAttention, Transient
from inkwire.ids import Ids
from inkwire.model.connection import Connection, Token
from inkwire.moments import http_date, retry_after_s
from inkwire.outbound.answer import printable
from inkwire.outbound.cutoff import cut_off
from inkwire.providers.contract import Connector, Journal, TokenRequest
from inkwire.providers.oauth import under

if TYPE_CHECKING:
    import requests

#: Seconds to connect, and without a byte of the answer.
_TIMES = (4.0, 9.0)
#: Seconds for all that is asked for one token, however slowly it comes: less than a lease (30 s).
WHOLE_S = 20.0
#: Bytes of an answer that are read.
_MOST = 64 * 1024


class TokenFetcher:
    """Fetches tokens for one connection."""

    def __init__(
        self,
        connector: Connector,
        connection: Connection,
        secrets: Callable[[], Mapping[str, str]],
        session: Callable[[], "requests.Session"],
        journal: Journal,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`secrets` and `session` are asked for when a token is fetched, not before."""
        self._connector = connector
        self._connection = connection
        self._secrets = secrets
        self._session = session
        self._journal = journal
        self._clock = clock
        self._ids = ids

    def fetch(self, refresh: str | None) -> Token:
        """A new token. Raises NeedsAttention, LimitReached, Transient.

        If the vendor says that our clock goes wrong, it is asked once more by its own time, with a
        fresh id: the same one is never sent twice. An answer without a refresh token means that
        the one that was sent is good on.
        """
        if refresh is None and self._authorizes():
            raise NeedsAttention(
                "Nobody has signed in at the vendor for this connection, or not since its "
                "credentials were changed. Sign in: open the connection and press “Connect”."
            )
        now, ends = self._clock.now(), time.monotonic() + WHOLE_S
        request = self._request(now, refresh)
        status, headers, body = self._asked(request, ends)
        there = http_date(headers.get("date", ""))
        if there is not None and self._connector.clock_differs(status, body):
            request = self._request(there, refresh)
            status, headers, body = self._asked(request, ends)
        token = self._read(request, status, headers, body, now=now, server_time=there)
        return replace(token, refresh=token.refresh or refresh)

    def exchange(self, *, code: str, verifier: str, redirect_uri: str) -> Token:
        """The token for a code that a person came back with; sent once. Raises as `fetch`."""
        now = self._clock.now()
        request = self._connector.code_request(
            self._connection.method,
            self._connection.settings,
            self._secrets(),
            code=code,
            verifier=verifier,
            redirect_uri=redirect_uri,
        )
        status, headers, body = self._asked(request, time.monotonic() + WHOLE_S)
        token = self._read(
            request, status, headers, body, now=now, server_time=http_date(headers.get("date", ""))
        )
        if token.refresh is None:
            raise NeedsAttention(
                "The vendor gave no refresh token, so the sign-in would end within hours. Let the "
                "app keep access (the scope “Perform requests at any time”, refresh_token), then "
                "sign in again."
            )
        return token

    def _authorizes(self) -> bool:
        name = self._connection.method
        return any(one.authorizes for one in self._connector.methods if one.name == name)

    def _request(self, now: datetime, refresh: str | None) -> TokenRequest:
        return self._connector.token_request(
            self._connection.method,
            self._connection.settings,
            self._secrets(),
            now=now,
            jti=self._ids.new("jti"),
            refresh=refresh,
        )

    def _read(
        self,
        request: TokenRequest,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        *,
        now: datetime,
        server_time: datetime | None,
    ) -> Token:
        """The answer's token, whose address is the vendor's or the one that was asked."""
        wait_s = retry_after_s(headers.get("retry-after"), server_time or now)
        token = self._connector.read_token(status, body, now=now, retry_after_s=wait_s)
        if token.base_url and not _is_ours(token.base_url, request.url, self._connector.domains):
            domains = " or ".join(self._connector.domains)
            host = urlsplit(token.base_url).hostname
            raise NeedsAttention(
                f"The answer with the token names {host} to be called, which is no host of "
                f"{domains}, so nothing is sent there; check the address of the connection."
            )
        return token

    def _asked(self, request: TokenRequest, ends: float) -> tuple[int, Mapping[str, str], bytes]:
        """`ends`: by time.monotonic, when it is given up."""
        started_at, start = self._clock.now(), time.perf_counter()
        status: int | None = None
        problem = ""
        try:
            status, headers, body = self._posted(request, ends - time.monotonic())
        except (NeedsAttention, Transient) as error:
            problem = error.code
            raise
        finally:
            self._journal(
                method="POST",
                path=urlsplit(request.url).path,
                status=status,
                error=problem or ("" if status in (200, None) else f"token_{status}"),
                vendor_id="",
                # Of a form of secrets not even a hash is kept.
                body_sha256="",
                started_at=started_at,
                duration_us=int((time.perf_counter() - start) * 1_000_000),
            )
        return status, headers, body

    def _posted(self, request: TokenRequest, left_s: float) -> tuple[int, Mapping[str, str], bytes]:
        import requests  # noqa: PLC0415 - only a process that calls vendors needs it

        host = urlsplit(request.url).hostname
        try:
            with (
                cut_off(left_s) as cutoff,
                self._session().post(
                    request.url,
                    data=dict(request.form),
                    headers={"User-Agent": "Inkwire", "Accept": "application/json"},
                    timeout=_TIMES,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                headers = {name.lower(): value for name, value in response.headers.items()}
                answer = response.status_code, headers, _head(response)
            if cutoff.late:
                raise requests.Timeout("it took too long")
            return answer
        except AddressRefused as error:
            raise NeedsAttention(f"No token was asked for: {error.message}") from None
        except requests.RequestException as error:
            # The error's text may quote the request, so only its kind and cause are told.
            raise Transient(
                f"{host} did not answer the request for a token ({_cause(error)}); "
                "it is tried again."
            ) from None


def _is_ours(base_url: str, asked: str, domains: tuple[str, ...]) -> bool:
    """Whether credentials may go to the address that an answer names.

    It is a host of the vendor, by https; or the very place that gave the token, such as a sandbox.
    """
    there, here = urlsplit(base_url), urlsplit(asked)
    if (there.scheme, there.netloc) == (here.scheme, here.netloc):
        return True
    return there.scheme == "https" and under(there.hostname or "", domains)


def _head(response: Any) -> bytes:
    """The body's beginning: a token's answer has 2 KiB, a proxy's page of HTML no end."""
    body = b""
    for piece in response.iter_content(16 * 1024):
        body += piece
        if len(body) > _MOST:
            break
    return body[:_MOST]


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return printable(f"{type(error).__name__}: {error}", 160)
