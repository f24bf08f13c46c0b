"""Bytes of a file's version: kept, or made up as they are read, so that 2 GB need no room."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass

PIECE = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """Bytes that a seed gives."""

    seed: str
    size: int

    def pieces(self) -> Iterator[bytes]:
        """The bytes in pieces of `PIECE` at most; no two pieces are the same."""
        rest = random.Random(self.seed).randbytes(PIECE - 8)  # noqa: S311 - no secret
        for start in range(0, self.size, PIECE):
            piece = start.to_bytes(8) + rest
            yield piece[: self.size - start]

    def sha1(self) -> str:
        """In hex; takes seconds for gigabytes."""
        digest = hashlib.sha1(usedforsecurity=False)
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Hashed:
    """`made`, of which the SHA-1 is known."""

    made: Made
    sha1: str
