"""The SDK's network client: each request is sent once, by a guarded session, and recorded.

It stands where the SDK's own would be, and so in the place of that one's retries, waits and
redirects (box_sdk_gen.networking). What may be repeated is decided by the engine.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

import requests
from box_sdk_gen.networking.fetch_options import FetchOptions, ResponseFormat
from box_sdk_gen.networking.fetch_response import FetchResponse
from box_sdk_gen.networking.network_client import NetworkClient
from urllib3.exceptions import ConnectTimeoutError

from inkwire.errors import AddressRefused, CallFailed, NeedsAttention, Transient
from inkwire.providers.box.client import BoxCalling
from inkwire.providers.box.client.faults import (
    Answer,
    items_of,
    printable,
    refused,
    unanswered,
    unreadable,
    wait_s,
)

#: Bytes read at once.
PIECE = 1024 * 1024
#: Bytes of an answer, and of a file.
MAX_JSON, MAX_FILE = 16 * 1024 * 1024, 200 * 1024 * 1024
#: Seconds to connect; without a byte of the answer; for the whole answer.
_CONNECT_S, _SILENT_S, _JSON_S, _FILE_S = 5.0, 60.0, 120.0, 900.0
_HOPS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class _Request:
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


class Wire(NetworkClient):
    """Sends what the SDK's managers ask for."""

    def __init__(self, calling: BoxCalling) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # the SDK's
        self._calling = calling

    def fetch(self, options: FetchOptions) -> FetchResponse:
        """One call. Raises the kinds that `inkwire.providers.box.client` names."""
        request = _prepared(options, self._calling.as_user)
        binary = options.response_format == ResponseFormat.BINARY
        try:
            answer = self._answered(request, binary=binary)
            if binary:
                return self._file(request, answer)
            return self._object(request, options, answer)
        except NeedsAttention as error:
            self._calling.attention(error)
            raise

    def _answered(self, request: _Request, *, binary: bool) -> Answer:
        """The answer to the request; a refused token is exchanged for another once (R71)."""
        tokens = self._calling.tokens
        token = tokens.access()
        answer = self._once(request, token, binary=binary)
        if answer.status == 401:
            answer = self._once(request, tokens.access(refused=token), binary=binary)
        return answer

    def _object(self, request: _Request, options: FetchOptions, answer: Answer) -> FetchResponse:
        if not 200 <= answer.status < 300:
            self._refuse(request, answer)
        table = answer.table
        if options.response_format == ResponseFormat.JSON and answer.status != 202 and not table:
            raise unreadable(request.method, request.path, answer.status)
        # The SDK's objects insist on an id; `reading` sees that it is empty.
        data = {"id": "", **table}
        return FetchResponse(status=answer.status, headers=dict(answer.headers), data=data)

    def _file(self, request: _Request, answer: Answer) -> FetchResponse:
        """A file's bytes; where they are fetched from gets no token."""
        url = request.url
        for _ in range(_HOPS):
            if answer.status not in (301, 302, 303, 307, 308):
                break
            try:
                url = urljoin(url, answer.headers.get("location", ""))
                parts = urlsplit(url)
            except ValueError:
                raise Transient("Box points to no address for a file; it is tried again.") from None
            if parts.scheme != "https" and urlsplit(request.url).scheme == "https":
                raise Transient("Box points to an unencrypted address for a file; nothing is read.")
            hop = _Request(
                method="GET",
                url=url,
                # The rest of that address opens the file to whoever knows it.
                path=f"{parts.scheme}://{parts.netloc}/…",
                headers={"User-Agent": "Inkwire", "Accept-Encoding": "identity"},
            )
            answer = self._once(hop, None, binary=True)
        if answer.status == 202:
            raise Transient(
                f"Box has the file of {request.path} not ready yet; it is tried again.",
                retry_after_s=wait_s(answer, self._calling.now()),
            )
        if answer.status != 200:
            self._refuse(request, answer)
        return FetchResponse(
            status=200, headers=dict(answer.headers), content=answer.body  # type: ignore[arg-type]
        )  # fmt: skip

    def _refuse(self, request: _Request, answer: Answer) -> NoReturn:
        raise refused(
            request.method,
            request.path,
            answer,
            now=self._calling.now(),
            as_user=self._calling.as_user,
            items=request.items,
        )

    def _once(self, request: _Request, token: str | None, *, binary: bool) -> Answer:
        """Sends it once and records it. Raises for an answer that did not come whole."""
        started_at, start = self._calling.now(), time.perf_counter()
        answer: Answer | None = None
        problem = ""
        try:
            answer = self._exchange(request, token, binary=binary)
            problem = answer.code
            return answer
        except AddressRefused as error:
            problem = "address_refused"
            raise NeedsAttention(f"{request.path} was not called: {error.message}") from error
        except requests.RequestException as error:
            problem = type(error).__name__
            raise _lost(request, error) from error
        except _TooLarge:
            problem = "too_large"
            raise unanswered(
                request.method, request.path, why="it was larger than expected", sent=True
            ) from None
        except CallFailed as error:
            problem = error.code
            raise
        finally:
            self._calling.journal(
                method=request.method,
                path=request.path,
                status=None if answer is None else answer.status,
                error=problem,
                vendor_id="" if answer is None else answer.request_id,
                body_sha256=request.body_sha256,
                started_at=started_at,
                duration_us=int((time.perf_counter() - start) * 1_000_000),
            )

    def _exchange(self, request: _Request, token: str | None, *, binary: bool) -> Answer:
        session = self._calling.files if token is None else self._calling.session
        headers = request.headers
        if token is not None:
            headers = {**headers, "Authorization": f"Bearer {token}"}
        deadline = time.monotonic() + (_FILE_S if binary else _JSON_S)
        with session.request(
            request.method,
            request.url,
            params=request.params,
            headers=headers,
            data=request.data,
            files=request.files,
            timeout=(_CONNECT_S, _SILENT_S),
            allow_redirects=False,
            stream=True,
        ) as response:
            most = MAX_FILE if binary and response.status_code == 200 else MAX_JSON
            return Answer(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=b"".join(_pieces(response, most, deadline)),
            )


def _pieces(response: requests.Response, most: int, deadline: float) -> Iterator[bytes]:
    left = most
    for piece in response.iter_content(PIECE):
        left -= len(piece)
        if left < 0:
            raise _TooLarge
        if time.monotonic() > deadline:
            raise requests.ReadTimeout("the answer took too long")
        yield piece


def _prepared(options: FetchOptions, as_user: str) -> _Request:
    headers = {
        "User-Agent": "Inkwire",
        "Accept-Encoding": "identity",
        **({"as-user": as_user} if as_user else {}),
        **(options.headers or {}),
    }
    params = dict(options.params or {})
    parts = urlsplit(options.url)
    names = "&".join(
        sorted({*params, *(part.split("=")[0] for part in parts.query.split("&"))} - {""})
    )
    data, files, digest = _body(options)
    if data is not None:
        headers["Content-Type"] = options.content_type
    return _Request(
        method=options.method,
        url=options.url,
        path=f"{parts.path}?{names}" if names else parts.path,
        headers=headers,
        params=params,
        data=data,
        files=files,
        body_sha256=digest,
        items=items_of(parts.path, _table(options)),
    )


def _table(options: FetchOptions) -> dict[str, Any]:
    """The JSON object that is sent: the body, or a form's `attributes`."""
    parts = [options.data, *(part.data for part in options.multipart_data or ())]
    return next((part for part in parts if isinstance(part, dict)), {})


def _body(options: FetchOptions) -> tuple[bytes | None, list[tuple[str, Any]] | None, str]:
    """The body as bytes or as the parts of a form, and the SHA-256 of its JSON or of its file."""
    if options.multipart_data:
        files: list[tuple[str, Any]] = []
        content = b""
        for part in options.multipart_data:
            if part.file_stream is None:
                text = json.dumps(part.data)
                files.append((part.part_name, (None, text, "application/json")))
            else:
                content = part.file_stream.read()
                files.append((part.part_name, ("file", content, "application/octet-stream")))
        return None, files, hashlib.sha256(content).hexdigest()
    if options.file_stream is not None:
        data = options.file_stream.read()
    elif options.data is not None:
        data = json.dumps(options.data).encode("utf-8")
    else:
        return None, None, ""
    return data, None, hashlib.sha256(data).hexdigest()


def _lost(request: _Request, error: requests.RequestException) -> CallFailed:
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
        why = f"no connection: {printable(_last_line(reason or error))}"
    return unanswered(request.method, request.path, why=why, sent=sent)


def _last_line(error: BaseException) -> str:
    """What the machine said, without the wrappings of the libraries."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error)
