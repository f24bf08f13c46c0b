"""The form of an evidence bundle: what its writer and its reader agree on. Pure."""

import re
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from inkwire.errors import InvalidInput

FORMAT = "inkwire-evidence/1"
MANIFEST, SIGNATURE, README, KEY = "manifest.json", "manifest.sig", "README.txt", "hub-key.pem"
#: What the manifest does not list: itself and its signature.
UNLISTED = frozenset({MANIFEST, SIGNATURE})
#: A member's name: at most one folder, nothing that leaves it.
MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9][A-Za-z0-9._-]{0,199})?")
#: Limits of a bundle: members, and bytes when unpacked.
MOST_MEMBERS = 10_000
MOST_BYTES = 1024 * 1024 * 1024
MOST_MANIFEST = 64 * 1024 * 1024

_PRETTY = msgspec.json.Encoder(order="deterministic")
_HEX_KEY = re.compile(r"[0-9A-Fa-f]{64}")


def encoded(value: Any) -> bytes:
    """Readable JSON with sorted keys: equal values give equal bytes."""
    return msgspec.json.format(_PRETTY.encode(value), indent=2) + b"\n"


def line(value: Any) -> bytes:
    """One line of JSON."""
    return _PRETTY.encode(value) + b"\n"


def public_of(private: bytes) -> bytes:
    """The public key (32 bytes, raw) of a private one."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def signed(private: bytes, content: bytes) -> bytes:
    """The Ed25519 signature, 64 bytes."""
    return Ed25519PrivateKey.from_private_bytes(private).sign(content)


def fits(public: bytes, signature: bytes, content: bytes) -> bool:
    """Whether the signature of `content` was made with that key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def pem_of(public: bytes) -> bytes:
    """A public key as other tools read it (SubjectPublicKeyInfo, PEM)."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_public(text: bytes) -> bytes:
    """A public key out of PEM or 64 hex digits: 32 bytes. Raises InvalidInput."""
    hexed = text.decode("ascii", "replace").strip()
    if _HEX_KEY.fullmatch(hexed):
        return bytes.fromhex(hexed)
    try:
        key = load_pem_public_key(text)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInput(
            "This is no Ed25519 public key: give the file that `inkwire evidence key` prints, or "
            "its 64 hex digits."
        )
    return key.public_bytes_raw()
