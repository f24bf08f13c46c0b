"""An attempt's sealed part: what was sent and what came back, under its own key. No I/O."""

import os
from functools import lru_cache

import msgspec

from inkwire.model.message import MAX_RESPONSE, Exchange, TextHeaders
from inkwire.model.request import is_secret_header
from inkwire.store.cipher import KEY, NONCE, Cipher, DataKey, place

REDACTED = "«redacted»"

_Parts = tuple[TextHeaders, TextHeaders, bytes, bool]
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Parts)


def seal_attempt(cipher: Cipher, attempt_id: str, exchange: Exchange) -> tuple[bytes, bytes]:
    """(wrapped data key, sealed parts). What opens an endpoint is not kept. Raises CipherError."""
    drawn = os.urandom(KEY + 2 * NONCE)
    body = exchange.response_body
    parts = (
        [
            (name, REDACTED if _carries_credentials(name) else value)
            for name, value in exchange.request_headers
        ],
        exchange.response_headers,
        body[:MAX_RESPONSE],
        exchange.truncated or len(body) > MAX_RESPONSE,
    )
    return (
        cipher.wrap_with(drawn[32:44], drawn[:KEY], place("attempts", attempt_id, "data_key")),
        DataKey(drawn[:KEY]).seal(
            drawn[44:56], _encode(parts), place("attempts", attempt_id, "sealed")
        ),
    )


def open_attempt(cipher: Cipher, attempt_id: str, data_key: bytes, sealed: bytes) -> _Parts:
    """Request headers, response headers, response body, truncated. Raises CipherError."""
    key = DataKey(cipher.unwrap(data_key, place("attempts", attempt_id, "data_key")))
    parts: _Parts = _decoder.decode(key.open(sealed, place("attempts", attempt_id, "sealed")))
    return parts


@lru_cache(maxsize=1024)
def _carries_credentials(name: str) -> bool:
    return is_secret_header(name.encode("utf-8", "replace"))
