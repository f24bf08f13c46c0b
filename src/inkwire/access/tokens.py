"""Random tokens that people and programs hold; the store keeps only their hashes. Pure."""

import hashlib
import re
import secrets
import string

#: Bytes of randomness in a cookie's and a form's token.
TOKEN_BYTES = 32
KEY_PREFIX = "ink_"
KEY_LENGTH = 40
HINT_LENGTH = len(KEY_PREFIX) + 6
_ALPHABET = string.ascii_letters + string.digits
#: Without letters that look alike.
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
_KEY = re.compile(rf"{KEY_PREFIX}[A-Za-z0-9]{{{KEY_LENGTH}}}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """32 random bytes as 43 URL-safe characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def new_api_key() -> str:
    """`ink_` and 40 letters and digits: 238 random bits, found easily by secret scanners."""
    return KEY_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(KEY_LENGTH))


def new_password() -> str:
    """A password to be typed off a screen once: five groups of four, 99 random bits."""
    return "-".join("".join(secrets.choice(_READABLE) for _ in range(4)) for _ in range(5))


def looks_like_token(text: str) -> bool:
    """Whether this can be a token of `new_token`."""
    return _TOKEN.fullmatch(text) is not None


def looks_like_api_key(text: str) -> bool:
    """Whether this can be a key of `new_api_key`."""
    return _KEY.fullmatch(text) is not None


def hash_token(token: str) -> bytes:
    """SHA-256 of a token or key: 32 bytes. They are random, so no slow hash is needed."""
    return hashlib.sha256(token.encode("ascii")).digest()
