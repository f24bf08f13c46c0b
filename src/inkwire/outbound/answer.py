"""What an endpoint answered, bounded and made safe to keep."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from inkwire.model.message import MAX_RESPONSE, TextHeaders

if TYPE_CHECKING:
    import aiohttp

MAX_HEADERS = 100
#: Bytes of all names and values together.
MAX_HEADER_BYTES = 16 * 1024

#: C0, DEL and C1, and what could not be decoded.
_NOT_TEXT = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str, most: int) -> str:
    """`text` on one line without control characters or surrogates, cut to `most` characters."""
    text = _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def kept_headers(raw: Iterable[tuple[bytes, bytes]]) -> TextHeaders:
    """Headers as text: the first 100, and no more than 16 KiB of them."""
    kept: list[tuple[str, str]] = []
    room = MAX_HEADER_BYTES
    for name, value in raw:
        room -= len(name) + len(value)
        if room < 0 or len(kept) == MAX_HEADERS:
            break
        kept.append((_text(name), _text(value)))
    return tuple(kept)


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if text.isprintable():
        return text
    return _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)


async def read_body(content: "aiohttp.StreamReader", body: bytearray) -> bool:
    """Reads the answer into `body` until its end or 16 KiB; returns whether there was more.

    Fills `body` as it goes, so that what came is there if reading fails or is cancelled.
    """
    while not content.at_eof():
        body += await content.readany()
        if len(body) > MAX_RESPONSE:
            del body[MAX_RESPONSE:]
            return True
    return False
