"""Passwords: the one rule, and argon2id hashes that cost the same for names that do not exist."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import Parameters, PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from inkwire.errors import InvalidInput, RateLimited

MIN_LENGTH = 12
MAX_LENGTH = 256


def check_password(password: str) -> None:
    """Length is the only rule (NIST SP 800-63B §3.1.1.2). Raises InvalidInput."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        text = f"must be {MIN_LENGTH} to {MAX_LENGTH} characters; several words make a good one"
    elif not _encodable(password):
        text = "holds characters that cannot be encoded; type it anew"
    else:
        return
    raise InvalidInput(fields={"password": text})


class Passwords:
    """Hashes and verifies; safe to share between threads."""

    def __init__(
        self,
        parameters: Parameters = RFC_9106_LOW_MEMORY,
        *,
        at_once: int = 2,
        waiting: int = 8,
        wait_s: float = 3,
    ) -> None:
        """`parameters`: 3 passes over 64 MiB unless told otherwise (RFC 9106 §4, second choice).

        `at_once`: hashes computed at a time, for each takes its memory; `waiting`: how many more
        may wait, for each keeps a thread that pages need; `wait_s`: seconds that one waits at most.
        """
        self._hasher = PasswordHasher.from_parameters(parameters)
        self._places = threading.BoundedSemaphore(at_once + waiting)
        self._slots = threading.BoundedSemaphore(at_once)
        self._wait_s = wait_s
        #: A hash of nothing, with the same parameters: verifying against it takes as long.
        self._nobody = (
            f"$argon2id$v={parameters.version}$m={parameters.memory_cost},"
            f"t={parameters.time_cost},p={parameters.parallelism}"
            f"${_unpadded(parameters.salt_len)}${_unpadded(parameters.hash_len)}"
        )

    def hash(self, password: str) -> str:
        """The hash of a password that fits the rule. Raises InvalidInput, RateLimited."""
        check_password(password)
        with self._slot():
            return self._hasher.hash(password)

    def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether `password` fits; None (no such user) takes as long and is False.

        Raises RateLimited if too many are being checked at this moment.
        """
        if len(password) > MAX_LENGTH or not _encodable(password):
            password = ""
        with self._slot():
            try:
                self._hasher.verify(password_hash or self._nobody, password)
            except (VerificationError, InvalidHashError):
                return False
        return password_hash is not None

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """A flood of guesses must take neither all memory nor all threads."""
        if not self._places.acquire(blocking=False):
            raise _crowded()
        try:
            if not self._slots.acquire(timeout=self._wait_s):
                raise _crowded()
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._places.release()


def _crowded() -> RateLimited:
    return RateLimited(
        "Too many people are signing in at this moment; try again in a few seconds.",
        retry_after_s=2,
    )


def _encodable(password: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in password)


def _unpadded(length: int) -> str:
    return base64.b64encode(bytes(length)).decode("ascii").rstrip("=")
