"""Passwords: the one rule, and argon2id hashes that cost the same for names that do not exist."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from inkwire.errors import InvalidInput, RateLimited

MIN_LENGTH = 12
MAX_LENGTH = 256
#: Hashes computed at a time: each takes 64 MiB for its moment.
AT_ONCE = 2
WAIT_S = 3.0

_hasher = PasswordHasher()  # argon2id, RFC 9106's second choice: 3 passes over 64 MiB, 4 lanes
_slots = threading.BoundedSemaphore(AT_ONCE)
#: Hash of a password that nobody holds, with the parameters above.
NOBODY = (
    "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA"
    "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def check_password(password: str) -> None:
    """Length is the only rule (NIST SP 800-63B §3.1.1.2). Raises InvalidInput."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        text = f"must be {MIN_LENGTH} to {MAX_LENGTH} characters; several words make a good one"
    elif not _encodable(password):
        text = "holds characters that cannot be encoded; type it anew"
    else:
        return
    raise InvalidInput(fields={"password": text})


def hash_password(password: str) -> str:
    """The argon2id hash of a checked password. Raises InvalidInput, and RateLimited if too busy."""
    check_password(password)
    with _Slot():
        return _hasher.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether `password` fits; None (no such user) takes as long and is False.

    Raises RateLimited if too many are being checked at once.
    """
    if len(password) > MAX_LENGTH or not _encodable(password):
        password = ""
    with _Slot():
        try:
            _hasher.verify(password_hash or NOBODY, password)
        except (VerificationError, InvalidHashError):
            return False
    return password_hash is not None


def _encodable(password: str) -> bool:
    return all(not "\ud800" <= character <= "\udfff" for character in password)


class _Slot:
    """Waits a moment for one of the slots, so that a flood of guesses cannot take all memory."""

    def __enter__(self) -> None:
        if not _slots.acquire(timeout=WAIT_S):
            raise RateLimited(
                "Too many people sign in at this moment; try again in a few seconds.",
                retry_after_s=5,
            )

    def __exit__(self, *_: object) -> None:
        _slots.release()
