"""A ContentVersion as multipart/form-data, streamed, with a length that is known beforehand.

First `entity_content`, the fields as JSON; then `VersionData`, the bytes (up to 2 GB; the JSON form
of the same call ends at 37.5 MB). Whoever gives fewer or more bytes than announced ends the
request before the closing boundary, so that Salesforce gets half a form and makes nothing.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from urllib3.exceptions import HTTPError

from inkwire.errors import Transient

#: Bytes that go to the network at once: small enough that each piece is soon gone.
PIECE = 256 * 1024
_CONTROLS = frozenset(map(chr, {*range(32), 127} - {10, 13}))


class Broken(Exception):
    """Ends a request in the middle of its body. It is no OSError: those are taken as the network's.

    `error`: what the content raised, which is the caller's to see.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(str(error))


class Form:
    """The form, and whether it can be sent again."""

    def __init__(
        self,
        entity: Mapping[str, Any],
        *,
        file_name: str,
        size: int,
        content: Iterable[bytes],
        boundary: str,
    ) -> None:
        """`size`: bytes of `content`. `boundary`: such that the content cannot foresee it.

        Raises ValueError or TypeError for an entity that is no JSON.
        """
        self.size = size
        #: What streams is used up by its first sending; a list starts anew.
        self.repeatable = isinstance(content, Sequence)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._content = content
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="entity_content"\r\n'
            f"Content-Type: application/json\r\n\r\n{json.dumps(entity, allow_nan=False)}\r\n"
            f'--{boundary}\r\nContent-Disposition: form-data; name="VersionData"; '
            f'filename="{escaped(file_name)}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()

    @property
    def length(self) -> int:
        """Bytes of the whole body."""
        return len(self._head) + self.size + len(self._tail)

    def body(self, *, deadline: float) -> "Body":
        """The body for one sending. `deadline`: by time.monotonic."""
        return Body(self._head, self._content, self.size, self._tail, deadline)


class Body:
    """One sending of a form."""

    def __init__(
        self, head: bytes, content: Iterable[bytes], size: int, tail: bytes, deadline: float
    ) -> None:
        self._head, self._content, self._size, self._tail = head, content, size, tail
        self._deadline = deadline
        #: Whether the end was handed to the network; before that nothing can have been made.
        self.ended = False

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes | memoryview]:
        """The pieces. Raises Broken."""
        yield self._head
        try:
            yield from self._pieces()
        except Exception as error:
            raise Broken(error) from error
        self.ended = True
        yield self._tail

    def _pieces(self) -> Iterator[memoryview]:
        passed = 0
        for piece in unbroken(self._content):
            passed += len(piece)
            if passed > self._size:
                raise wrong_size(self._size, f"more than {self._size}")
            view = memoryview(piece)
            for start in range(0, len(piece), PIECE):
                if time.monotonic() > self._deadline:
                    raise Transient(
                        "Sending the file to Salesforce took too long, so it was broken off; it "
                        "is tried again."
                    )
                yield view[start : start + PIECE]
        if passed < self._size:
            raise wrong_size(self._size, f"only {passed}")


def unbroken(content: Iterable[bytes]) -> Iterator[bytes]:
    """The content; a network's or a disk's failure in it is Transient. Other errors pass."""
    try:
        yield from content
    except (OSError, HTTPError) as error:
        raise Transient(
            "The file could not be read to its end. Nothing was stored in Salesforce; it is tried "
            "again."
        ) from error


def wrong_size(size: int, came: str) -> Transient:
    """The error for content that is not as long as announced."""
    return Transient(
        f"The file should have {size} bytes, and {came} came: it changed meanwhile, or its "
        "download broke off. Nothing was stored in Salesforce; it is tried again."
    )


def escaped(name: str) -> str:
    """A file's name for between quotes: nothing in it ends the header (WHATWG's form encoding).

    A backslash goes too, for some readers take it for an escape. The name that counts is in the
    JSON.
    """
    kept = "".join("_" if one in _CONTROLS else one for one in name)
    for one, written in (("\\", "%5C"), ('"', "%22"), ("\r", "%0D"), ("\n", "%0A")):
        kept = kept.replace(one, written)
    return kept.encode("utf-8", "replace").decode("utf-8")
