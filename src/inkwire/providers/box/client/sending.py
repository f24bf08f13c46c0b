"""One request on its way: sent once, its answer read whole or in pieces, recorded."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError

from inkwire.errors import AddressRefused, CallFailed, NeedsAttention
from inkwire.providers.answers import one_line, root_cause
from inkwire.providers.box.client import BoxCalling
from inkwire.providers.box.client.faults import MOST_SAID, Answer, unanswered

#: Bytes read at once.
PIECE = 1024 * 1024
#: Bytes of an answer that is no file.
MAX_JSON = 16 * 1024 * 1024
#: Seconds to connect; without a byte of the answer; for the whole of one that is no file.
_CONNECT_S, _SILENT_S, _JSON_S = 5.0, 60.0, 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request, ready to be sent as often as a token is refreshed."""

    method: str
    url: str
    #: Without host and query values: for the record and for sentences.
    path: str
    headers: dict[str, str] = field(repr=False)
    params: dict[str, str] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)
    files: list[tuple[str, Any]] | None = field(default=None, repr=False)
    body_sha256: str = ""
    #: Folders and files that it is about, in words.
    items: tuple[str, ...] = ()


class _TooLarge(Exception):
    pass


class Noted:
    """One request that goes out, and what is to be recorded of it."""

    def __init__(self, request: Request, calling: BoxCalling) -> None:
        self.request = request
        self.status: int | None = None
        self.problem = ""
        self.vendor_id = ""
        self._calling = calling
        self._started_at, self._start = calling.now(), time.perf_counter()

    @contextmanager
    def judging(self) -> Iterator[None]:
        """What the network does wrong inside, as an error of the kinds that the client names."""
        request = self.request
        try:
            yield
        except AddressRefused as error:
            self.problem = "address_refused"
            raise NeedsAttention(f"{request.path} was not called: {error.message}") from error
        except requests.RequestException as error:
            self.problem = type(error).__name__
            raise _lost(request, error) from error
        except _TooLarge:
            self.problem = "too_large"
            raise unanswered(
                request.method, request.path, why="it was larger than expected", sent=True
            ) from None
        except CallFailed as error:
            self.problem = error.code
            raise

    def send(self, token: str | None) -> requests.Response:
        """Sends it; the body is not read yet."""
        request, calling = self.request, self._calling
        session = calling.files if token is None else calling.session
        headers = request.headers
        if token is not None:
            headers = {**headers, "Authorization": f"Bearer {token}"}
        return session.request(
            request.method,
            request.url,
            params=request.params,
            headers=headers,
            data=request.data,
            files=request.files,
            timeout=(_CONNECT_S, _SILENT_S),
            allow_redirects=False,
            stream=True,
        )

    def whole(self, response: requests.Response) -> Answer:
        """The answer, read to its end."""
        answer = Answer(
            status=response.status_code,
            headers=_headers(response),
            body=b"".join(_pieces(response, MAX_JSON, time.monotonic() + _JSON_S)),
        )
        self.status, self.problem, self.vendor_id = answer.status, answer.code, answer.request_id
        return answer

    def write(self) -> None:
        """Records it."""
        request = self.request
        self._calling.journal(
            method=request.method,
            path=request.path,
            status=self.status,
            error=self.problem,
            vendor_id=self.vendor_id,
            body_sha256=request.body_sha256,
            started_at=self._started_at,
            duration_us=int((time.perf_counter() - self._start) * 1_000_000),
        )


class Opened:
    """A file's bytes, of which none is read yet; recorded when it is closed."""

    def __init__(self, noted: Noted, response: requests.Response) -> None:
        self._noted = noted
        self._response = response
        self.headers = _headers(response)
        length = self.headers.get("content-length", "")
        plain = self.headers.get("content-encoding", "identity") == "identity"
        #: Bytes; None if nobody says how many.
        self.size = int(length) if plain and length.isascii() and length.isdigit() else None
        noted.status = response.status_code

    def pieces(self, most: int | None, seconds: float) -> Iterator[bytes]:
        """The bytes as they come. Raises Transient for a stream that breaks or is too short."""
        flow = _pieces(self._response, most, time.monotonic() + seconds)
        count = 0
        while True:
            # Only what happens here is judged, not what is done with the pieces outside.
            with self._noted.judging():
                piece = next(flow, b"")
                if not piece and self.size not in (None, count):
                    raise requests.ConnectionError(f"{count} bytes of {self.size}")
            if not piece:
                return
            count += len(piece)
            yield piece

    def close(self) -> None:
        """Gives the connection back, and records the request."""
        self._response.close()
        self._noted.write()


def _headers(response: requests.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _pieces(response: requests.Response, most: int | None, deadline: float) -> Iterator[bytes]:
    left = most
    for piece in response.iter_content(PIECE):
        if left is not None:
            left -= len(piece)
            if left < 0:
                raise _TooLarge
        if time.monotonic() > deadline:
            raise requests.ReadTimeout("the answer took too long")
        yield piece


def _lost(request: Request, error: requests.RequestException) -> CallFailed:
    """The error when the network failed; what never connected was surely not sent."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    sent = not isinstance(reason or error, ConnectTimeoutError | requests.ConnectTimeout)
    if isinstance(error, requests.exceptions.ProxyError):
        sent = False
    if isinstance(error, requests.Timeout):
        why = "it took too long"
    elif sent:
        why = "the connection broke"
    else:
        why = f"no connection: {one_line(root_cause(reason or error), MOST_SAID)}"
    return unanswered(request.method, request.path, why=why, sent=sent)
