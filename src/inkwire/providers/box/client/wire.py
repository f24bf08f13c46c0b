"""The SDK's network client: each request is sent once, by a guarded session, and recorded.

It stands where the SDK's own would be, and so in the place of that one's retries, waits and
redirects (box_sdk_gen.networking). What may be repeated is decided by the engine.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn
from urllib.parse import urljoin, urlsplit

from box_sdk_gen.networking.fetch_options import FetchOptions, ResponseFormat
from box_sdk_gen.networking.fetch_response import FetchResponse
from box_sdk_gen.networking.network_client import NetworkClient

from inkwire.errors import NeedsAttention, Transient
from inkwire.providers.answers import wait_s
from inkwire.providers.box.client import BoxCalling
from inkwire.providers.box.client.faults import (
    Answer,
    foreign,
    items_of,
    refused,
    unreadable,
)
from inkwire.providers.box.client.sending import Noted, Opened, Request
from inkwire.providers.box.objects import BoxContent

#: Bytes of a file that is read at once.
MAX_FILE = 200 * 1024 * 1024
#: Seconds that a file may be read for: at once; in pieces, by somebody who may be slower than Box.
_FILE_S, _STREAM_S = 900.0, 3600.0
_HOPS, _REDIRECTS = 3, (301, 302, 303, 307, 308)


class Wire(NetworkClient):
    """Sends what the SDK's managers ask for."""

    def __init__(self, calling: BoxCalling) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # the SDK's
        self._calling = calling

    def fetch(self, options: FetchOptions) -> FetchResponse:
        """One call. Raises the kinds that `inkwire.providers.box.client` names."""
        request = _prepared(options, self._calling.as_user)
        if options.response_format == ResponseFormat.BINARY:
            return self._file(request)
        try:
            return self._object(request, options, self._answered(request))
        except NeedsAttention as error:
            self._calling.attention(error)
            raise

    @contextmanager
    def opened(self, url: str, params: dict[str, str]) -> Iterator[BoxContent]:
        """A file to be read in pieces of `PIECE` bytes at most. Raises as `fetch` does."""
        options = FetchOptions(
            url=url, method="GET", params=params, response_format=ResponseFormat.BINARY
        )
        file = self._open(_prepared(options, self._calling.as_user))
        try:
            yield BoxContent(size=file.size, pieces=file.pieces(None, _STREAM_S))
        finally:
            file.close()

    def _answered(self, request: Request) -> Answer:
        """The answer to the request; a refused token is exchanged for another once (R71)."""
        tokens = self._calling.tokens
        token = tokens.access()
        answer = self._once(request, token)
        if answer.status == 401:
            answer = self._once(request, tokens.access(refused=token))
        return answer

    def _object(self, request: Request, options: FetchOptions, answer: Answer) -> FetchResponse:
        table = answer.table
        if answer.status == 404 and answer.body.strip()[:1] not in (b"", b"{"):
            raise foreign(request.method, request.path)
        if not 200 <= answer.status < 300:
            self._refuse(request, answer)
        if options.response_format == ResponseFormat.JSON and answer.status != 202 and not table:
            raise unreadable(request.method, request.path, answer.status)
        # The SDK's objects insist on an id; `reading` sees that it is empty. Metadata has none,
        # and its fields may have any name.
        data = table if "$template" in table else {"id": "", **table}
        return FetchResponse(status=answer.status, headers=dict(answer.headers), data=data)

    def _file(self, request: Request) -> FetchResponse:
        """A file's bytes, all at once."""
        file = self._open(request)
        try:
            content: Any = b"".join(file.pieces(MAX_FILE, _FILE_S))
        finally:
            file.close()
        return FetchResponse(status=200, headers=dict(file.headers), content=content)

    def _open(self, request: Request) -> Opened:
        """A file's bytes; where they are fetched from gets no token."""
        tokens = self._calling.tokens
        try:
            token = tokens.access()
            there = self._begun(request, token)
            if isinstance(there, Answer) and there.status == 401:
                there = self._begun(request, tokens.access(refused=token))
            hop = request
            for _ in range(_HOPS):
                if isinstance(there, Opened) or there.status not in _REDIRECTS:
                    break
                hop = _hop(hop, there)
                there = self._begun(hop, None)
            if isinstance(there, Opened):
                return there
            if there.status == 202:
                raise Transient(
                    f"Box has the file of {request.path} not ready yet; it is tried again.",
                    retry_after_s=wait_s(there.headers, self._calling.now()),
                )
            self._refuse(request, there)
        except NeedsAttention as error:
            self._calling.attention(error)
            raise

    def _refuse(self, request: Request, answer: Answer) -> NoReturn:
        raise refused(
            request.method,
            request.path,
            answer,
            now=self._calling.now(),
            as_user=self._calling.as_user,
            items=request.items,
        )

    def _once(self, request: Request, token: str | None) -> Answer:
        """Sends it once and records it. Raises for an answer that did not come whole."""
        noted = Noted(request, self._calling)
        try:
            with noted.judging(), noted.send(token) as response:
                return noted.whole(response)
        finally:
            noted.write()

    def _begun(self, request: Request, token: str | None) -> Opened | Answer:
        """A file of which no byte is read yet; or what was answered in its place."""
        noted = Noted(request, self._calling)
        try:
            with noted.judging():
                response = noted.send(token)
                if response.status_code == 200:
                    return Opened(noted, response)
                with response:
                    answer = noted.whole(response)
        except BaseException:
            noted.write()
            raise
        noted.write()
        return answer


def _hop(request: Request, answer: Answer) -> Request:
    """The request for the address that a file is to be fetched from. Raises Transient."""
    try:
        url = urljoin(request.url, answer.headers.get("location", ""))
        parts = urlsplit(url)
    except ValueError:
        raise Transient("Box points to no address for a file; it is tried again.") from None
    if parts.scheme != "https" and urlsplit(request.url).scheme == "https":
        raise Transient("Box points to an unencrypted address for a file; nothing is read.")
    return Request(
        method="GET",
        url=url,
        # The rest of that address opens the file to whoever knows it.
        path=f"{parts.scheme}://{parts.netloc}/…",
        headers={"User-Agent": "Inkwire", "Accept-Encoding": "identity"},
    )


def _prepared(options: FetchOptions, as_user: str) -> Request:
    headers = {
        "User-Agent": "Inkwire",
        "Accept-Encoding": "identity",
        **({"as-user": as_user} if as_user else {}),
        **(options.headers or {}),
    }
    # The SDK writes Python's `True` and `False`; the API's examples write them small.
    params = {
        name: value.lower() if value in ("True", "False") else value
        for name, value in (options.params or {}).items()
    }
    parts = urlsplit(options.url)
    names = "&".join(
        sorted({*params, *(part.split("=")[0] for part in parts.query.split("&"))} - {""})
    )
    data, files, digest = _body(options)
    if data is not None:
        headers["Content-Type"] = options.content_type
    return Request(
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
