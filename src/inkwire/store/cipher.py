"""Sealing: AES-256-GCM envelopes, and the hub's keyed hashes.

A *wrapped* value is sealed by the master key itself: version (1 byte), key id (8), nonce (12),
ciphertext and tag. Small things are wrapped: secrets, the hub key, data keys. A receipt's parts
are sealed under its own random data key: nonce (12), ciphertext and tag. The associated data
(table, id, column) ties each value to its place. Random nonces allow 2**32 wraps a master key
(NIST SP 800-38D, 8.3): rotate it before four thousand million receipts.
"""

import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from inkwire.errors import CipherError
from inkwire.store.keys import ID_BYTES, Keyring

NONCE = 12
KEY = 32
#: Bytes of a dedupe key: 128 bits are enough against chance, and small rows keep the table fast.
KEY_HASH = 16
_VERSION = b"\x01"
_HEAD = 1 + ID_BYTES


def place(table: str, row: str, column: str) -> bytes:
    """Associated data of a value: it opens nowhere else."""
    return f"{table}\x00{row}\x00{column}".encode()


class Cipher:
    """Seals with the current master key and opens with any of the ring. Safe between threads."""

    def __init__(self, keyring: Keyring) -> None:
        """Keeps one AES context for each key."""
        self._keys = {key.id: AESGCM(key.value) for key in keyring.keys}
        self._current = self._keys[keyring.current.id]
        self._prefix = _VERSION + keyring.current.id

    def wrap(self, plain: bytes, where: bytes) -> bytes:
        """`plain` sealed by the current master key."""
        return self.wrap_with(os.urandom(NONCE), plain, where)

    def wrap_with(self, nonce: bytes, plain: bytes, where: bytes) -> bytes:
        """As `wrap`, with 12 fresh random bytes that the caller drew."""
        return self._prefix + nonce + self._current.encrypt(nonce, plain, where)

    def unwrap(self, value: bytes, where: bytes) -> bytes:
        """The plain value. Raises CipherError that names the key it needs."""
        key = self._keys.get(value[1:_HEAD]) if value[:1] == _VERSION else None
        if key is None:
            raise CipherError(
                f"This needs the master key with id {value[1:_HEAD].hex()}, which is not "
                "configured; add it behind the current one in INKWIRE_MASTER_KEY or master.key."
            )
        return _open(key, value[_HEAD:], where)

    def outdated(self, value: bytes) -> bool:
        """Whether an older master key wrapped the value."""
        return value[:_HEAD] != self._prefix

    def rewrap(self, value: bytes, where: bytes) -> bytes:
        """The same value wrapped by the current key. Raises CipherError."""
        return self.wrap(self.unwrap(value, where), where)


class DataKey:
    """The key of one row: seals and opens its parts."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes, drawn for this row only."""
        self._aes = AESGCM(key)

    def seal(self, nonce: bytes, plain: bytes, where: bytes) -> bytes:
        """`plain` sealed; `nonce` is 12 fresh random bytes."""
        return nonce + self._aes.encrypt(nonce, plain, where)

    def open(self, value: bytes, where: bytes) -> bytes:
        """The plain part. Raises CipherError if it was changed or moved."""
        return _open(self._aes, value, where)


class HubHash:
    """HMAC-SHA256 under the hub's own key: what it keeps tells nothing without that key."""

    def __init__(self, key: bytes) -> None:
        """`key`: the hub's 32 bytes."""
        self._key = key

    def body(self, body: bytes) -> bytes:
        """Equal bodies of one hub have equal hashes (32 bytes)."""
        return hmac.digest(self._key, b"body\x00" + body, "sha256")

    def event(self, source_id: str, kind: str, key: bytes, *, test: bool) -> bytes:
        """A dedupe key (16 bytes). Test events share none with real ones."""
        head = f"event\x00{source_id}\x00{kind}\x00{'test' if test else ''}\x00"
        return hmac.digest(self._key, head.encode() + key, "sha256")[:KEY_HASH]

    def quarantined(self, source_id: str, body_hash: bytes, signed_at: int | None) -> bytes:
        """The dedupe key of a quarantined request: the same body, signed at the same time."""
        head = f"quarantine\x00{source_id}\x00{signed_at}\x00"
        return hmac.digest(self._key, head.encode() + body_hash, "sha256")[:KEY_HASH]

    def idempotency(self, scope: str, key: str) -> bytes:
        """A publisher's idempotency key (32 bytes); its length keeps scope and key apart."""
        head = f"idempotency\x00{len(scope)}\x00{scope}\x00"
        return hmac.digest(self._key, (head + key).encode("utf-8", "surrogatepass"), "sha256")


def _open(key: AESGCM, value: bytes, where: bytes) -> bytes:
    try:
        return key.decrypt(value[:NONCE], value[NONCE:], where)
    except (InvalidTag, ValueError):
        raise CipherError(
            "A sealed value does not open: it was changed or moved. Restore it from a backup."
        ) from None
