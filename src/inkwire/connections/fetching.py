"""One request to a vendor's token endpoint, made and read by the vendor's connector."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from inkwire.clock import Clock
from inkwire.errors import AddressRefused, NeedsAttention, Transient
from inkwire.ids import Ids
from inkwire.model.connection import Connection, Token
from inkwire.outbound.answer import printable, retry_after
from inkwire.providers.contract import Connector, Journal, TokenRequest

if TYPE_CHECKING:
    import requests

#: Seconds to connect, and without a byte of the answer: twice both is less than a lease (30 s).
_TIMES = (4.0, 9.0)
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
        fresh id: the same one is never sent twice.
        """
        now = self._clock.now()
        status, headers, body = self._asked(now, refresh)
        there = _date(headers)
        if there is not None and self._connector.clock_differs(status, body):
            status, headers, body = self._asked(there, refresh)
        return self._connector.read_token(
            status,
            body,
            now=now,
            retry_after_s=retry_after(headers.get("retry-after"), there or now),
        )

    def _asked(self, now: datetime, refresh: str | None) -> tuple[int, Mapping[str, str], bytes]:
        request = self._connector.token_request(
            self._connection.method,
            self._connection.settings,
            self._secrets(),
            now=now,
            jti=self._ids.new("jti"),
            refresh=refresh,
        )
        started_at, start = self._clock.now(), time.perf_counter()
        status: int | None = None
        problem = ""
        try:
            status, headers, body = self._posted(request)
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

    def _posted(self, request: TokenRequest) -> tuple[int, Mapping[str, str], bytes]:
        import requests  # noqa: PLC0415 - only a process that calls vendors needs it

        host = urlsplit(request.url).hostname
        try:
            with self._session().post(
                request.url,
                data=dict(request.form),
                headers={"User-Agent": "Inkwire", "Accept": "application/json"},
                timeout=_TIMES,
                allow_redirects=False,
                stream=True,
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return response.status_code, headers, _head(response)
        except AddressRefused as error:
            raise NeedsAttention(f"No token was asked for: {error.message}") from None
        except requests.RequestException as error:
            # The error's text may quote the request, so only its kind and cause are told.
            raise Transient(
                f"{host} did not answer the request for a token ({_cause(error)}); "
                "it is tried again."
            ) from None


def _head(response: Any) -> bytes:
    """The body's beginning: a token's answer has 2 KiB, a proxy's page of HTML no end."""
    body = b""
    for piece in response.iter_content(16 * 1024):
        body += piece
        if len(body) > _MOST:
            break
    return body[:_MOST]


def _date(headers: Mapping[str, str]) -> datetime | None:
    """The server's time, if it gives one with an offset."""
    text = headers.get("date", "")
    try:
        moment = parsedate_to_datetime(text) if 0 < len(text) <= 64 else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return printable(f"{type(error).__name__}: {error}", 160)
