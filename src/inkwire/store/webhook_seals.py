"""What is sealed of a webhook: its signing keys, and the values of its own headers."""

import msgspec

from inkwire.model.message import TextHeaders
from inkwire.store.cipher import Cipher, place


def headers_place(webhook_id: int) -> bytes:
    """Associated data of a webhook's own headers."""
    return place("webhooks", str(webhook_id), "headers")


def key_place(webhook_id: int, key_id: str) -> bytes:
    """Associated data of a webhook's signing key."""
    return place("webhook_keys", f"{webhook_id}/{key_id}", "sealed")


def sealed_headers(cipher: Cipher, webhook_id: int, headers: TextHeaders) -> bytes | None:
    """The column `headers`; None without any."""
    if not headers:
        return None
    return cipher.wrap(msgspec.msgpack.encode(headers), headers_place(webhook_id))


def opened_headers(cipher: Cipher, webhook_id: int, sealed: bytes | None) -> TextHeaders:
    """The headers that the column holds. Raises CipherError."""
    if sealed is None:
        return ()
    plain = cipher.unwrap(sealed, headers_place(webhook_id))
    return msgspec.msgpack.decode(plain, type=TextHeaders)
