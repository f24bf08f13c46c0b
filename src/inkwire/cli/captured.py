"""Reads a request that somebody captured: raw HTTP text, or headers and a body apart. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from inkwire.errors import InvalidInput
from inkwire.model.request import InboundRequest

_REQUEST_LINE = re.compile(rb"([A-Z]+) ((?:/|https?://)\S*)(?: HTTP/[0-9.]+)?\r?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\r?")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, kw_only=True, slots=True)
class Capture:
    """A captured request, and what looks wrong about the capture itself."""

    request: InboundRequest
    notes: tuple[str, ...] = ()


def parse_http(raw: bytes) -> Capture:
    """A request as text: an optional request line, headers, an empty line, the body's exact bytes.

    Raises InvalidInput, naming the line that is no header.
    """
    found = _BLANK_LINE.search(raw)
    head, body = (raw[: found.start()], raw[found.end() :]) if found else (raw.rstrip(b"\r\n"), b"")
    lines = head.split(b"\n")
    method, target = "POST", b"/"
    first = _REQUEST_LINE.fullmatch(lines[0])
    if first:
        method, target = first[1].decode("ascii"), first[2]
        lines = lines[1:]
    headers = tuple(_header(line, number) for number, line in enumerate(lines, start=1))
    path, _, query = target.partition(b"?")
    request = InboundRequest(
        method=method, path=path.decode("latin-1"), query=query, headers=headers, body=body
    )
    return _checked_length(request, has_body=found is not None)


def from_parts(headers: Sequence[str], body: bytes, query: str) -> Capture:
    """A request from `Name: value` texts and the body. Raises InvalidInput for a malformed one."""
    return Capture(
        request=InboundRequest(
            method="POST",
            path="/",
            query=query.encode(),
            headers=tuple(
                _header(text.encode(), number) for number, text in enumerate(headers, start=1)
            ),
            body=body,
        )
    )


def _header(line: bytes, number: int) -> tuple[bytes, bytes]:
    found = _HEADER.fullmatch(line)
    if not found:
        shown = line[:60].decode("utf-8", "replace").strip()
        raise InvalidInput(
            f"Header {number} is {shown!r}, not `Name: value`. A capture is the request line, the "
            "headers, an empty line and then the body, byte for byte."
        )
    return found[1].lower(), found[2]


def _checked_length(request: InboundRequest, *, has_body: bool) -> Capture:
    """The body cut to its Content-Length where an editor added a line end; notes on what is odd."""
    if request.values(b"transfer-encoding"):
        note = "Transfer-Encoding is set: the body must stand here decoded, without chunk sizes."
        return Capture(request=request, notes=(note,))
    lengths = request.values(b"content-length")
    if not lengths or not lengths[0].isdigit():
        notes = () if has_body else ("There is no empty line, so the body is taken as empty.",)
        return Capture(request=request, notes=notes)
    said, held = int(lengths[0]), len(request.body)
    if said < held and not request.body[said:].strip(b"\r\n"):
        cut = InboundRequest(
            method=request.method,
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=request.body[:said],
        )
        return Capture(request=cut, notes=("Dropped a line end behind the body (Content-Length).",))
    if said != held:
        note = (
            f"Content-Length says {said} bytes and the capture holds {held}: it is not the body "
            "as it was sent, so its signature cannot be right."
        )
        return Capture(request=request, notes=(note,))
    return Capture(request=request)
