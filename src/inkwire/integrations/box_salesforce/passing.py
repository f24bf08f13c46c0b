"""A file's bytes on their way from Box to Salesforce: hashed and counted, in constant memory."""

import hashlib
from collections.abc import Iterable, Iterator

from inkwire.errors import CallFailed, Transient


class Passing:
    """Gives the pieces on, once, and hashes them.

    The last piece is held back until all that came is what Box says it is. So a body that was read
    wrongly is never complete, and Salesforce makes nothing of it.
    """

    def __init__(self, pieces: Iterable[bytes], *, size: int, sha1: str) -> None:
        """`size` and `sha1` (hex, "" if unknown) as Box says."""
        self._pieces = pieces
        self._size = size
        self._sha1 = sha1
        self._hashes = hashlib.sha1(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
        self._passed = 0
        #: What kept it from being given on whole; None: nothing did.
        self.fault: CallFailed | None = None

    def __iter__(self) -> Iterator[bytes]:
        """The pieces. Raises Transient if they are not those of the file, and what Box raises."""
        held = b""
        try:
            for piece in self._pieces:
                for one in self._hashes:
                    one.update(piece)
                self._passed += len(piece)
                if held:
                    yield held
                held = piece
            self._require_whole()
        except CallFailed as error:
            self.fault = error
            raise
        if held:
            yield held

    @property
    def md5(self) -> str:
        """Of what came, in hex."""
        return self._hashes[1].hexdigest()

    def read(self) -> str:
        """Reads it all to hash it only; the MD5. Raises as iteration does."""
        for _ in self:
            pass
        return self.md5

    def _require_whole(self) -> None:
        if self._passed != self._size:
            raise Transient(
                f"Box gave {self._passed} bytes of a file of {self._size}; it is fetched again."
            )
        if self._sha1 and self._hashes[0].hexdigest() != self._sha1.lower():
            raise Transient("The file came with other content than Box says; it is fetched again.")
