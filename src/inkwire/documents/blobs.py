"""The bytes of documents: in a folder of this machine, or in an object store by its URL.

What is put here is sealed already (`store.documents.seal`). A blob's name is its document's id and
nothing else: no name from outside ever becomes a path. By obstore, which speaks to S3, Google
Cloud Storage and Azure; their credentials are read from the environment as their own tools do.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkwire.errors import InvalidInput, NotFound, StoreBusy, StoreError, StoreFull
from inkwire.ids import LENGTH

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_NAME = re.compile(rf"doc_[0-9a-v]{{{LENGTH}}}")
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_BUCKET = "There is no such bucket; create it, or correct INKWIRE_BLOB_URL."
#: Retries within one call stay short: the run that stores a document tries again itself.
_RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}


class Blobs:
    """A flat set of named blobs. Safe to share between threads; obstore is loaded on first use."""

    def __init__(self, *, folder: Path | None = None, url: str | None = None) -> None:
        """`url`: `s3://BUCKET/PREFIX`, `gs://…` or `az://…`; else `folder`, made if needed."""
        if (folder is None) is (url is None):
            raise ValueError("blobs are in a folder or at a URL, one of the two")
        self._folder = folder
        self._url = url
        self._opened: ObjectStore | None = None

    def put(self, name: str, content: bytes) -> None:
        """Stores a blob, whole or not at all, and on the disk before this returns.

        The same name again replaces it. Raises StoreFull, StoreBusy, StoreError.
        """
        _check(name)
        with _in_words(name):
            if self._folder is not None:
                _write(self._folder, name, content)
                return
            try:
                self._store.put(name, content)
            except FileNotFoundError:
                raise StoreError(_NO_BUCKET) from None

    def get(self, name: str) -> bytes:
        """The blob's bytes. Raises NotFound, StoreBusy, StoreError."""
        _check(name)
        with _in_words(name):
            return self._store.get(name).bytes().to_bytes()

    def exists(self, name: str) -> bool:
        """Whether there is such a blob. Raises StoreBusy, StoreError."""
        _check(name)
        with _in_words(name):
            try:
                self._store.head(name)
            except FileNotFoundError:
                return False
            return True

    def delete(self, name: str) -> None:
        """Removes a blob; one that is not there is fine. Raises StoreBusy, StoreError."""
        _check(name)
        with _in_words(name), suppress(FileNotFoundError):
            self._store.delete(name)

    def names(self, *, before: datetime) -> Iterator[str]:
        """Names of the blobs that were put before that moment (by the store's own clock)."""
        with _in_words("the list"):
            for batch in self._store.list():
                for found in batch:
                    if _NAME.fullmatch(found["path"]) and found["last_modified"] < before:
                        yield found["path"]

    @property
    def _store(self) -> "ObjectStore":
        if self._opened is None:
            from obstore.store import (  # noqa: PLC0415 - loaded on first use, it takes memory
                LocalStore,
                from_url,
            )

            if self._url is not None:
                # No client options: they would put the environment's own (AWS_ALLOW_HTTP) aside.
                self._opened = from_url(self._url, retry_config=_RETRIES)
            elif self._folder is not None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._opened = LocalStore(self._folder)
        assert self._opened is not None  # noqa: S101 - the constructor saw to it
        return self._opened


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidInput("A blob is named by a document's id, such as doc_ and 24 characters.")


def _write(folder: Path, name: str, content: bytes) -> None:
    """Writes beside the place, syncs, renames, syncs the folder.

    obstore's own LocalStore renames into place without any fsync (seen with strace, 0.12): after
    a power cut the row could be there and the bytes not. Objects in a cloud are durable when the
    answer comes.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # `#` and a number at the end: obstore leaves such names out of lists.
    beside = folder / f"{name}.{os.getpid()}-{os.urandom(4).hex()}#1"
    try:
        with open(beside, "xb", opener=_private) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / name)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextmanager
def _in_words(name: str) -> Iterator[None]:
    """Turns what obstore and the file system raise into errors of ours."""
    from obstore import exceptions  # noqa: PLC0415 - loaded on first use

    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise StoreError(_NO_BUCKET) from None
        raise NotFound(
            f"The bytes of {name} are not in the blob store; restore it from a backup, or check "
            "that INKWIRE_BLOB_URL and the data folder are the ones they were stored with."
        ) from None
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError):
        raise StoreError(
            "The blob store refuses our credentials; check the variables that it reads them from "
            "(AWS_…, GOOGLE_…, AZURE_…) and the rights of that account."
        ) from None
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFull(
                "The disk of the blob store is full; free some room, nothing was kept."
            ) from None
        raise StoreError(
            f"The blob store could not do it: {error.strerror or error}. Check the folder and "
            "its rights."
        ) from None
    except (exceptions.BaseError, ValueError) as error:
        # Its text holds addresses and answers, for an operator; the first line says enough.
        raise StoreBusy(
            f"The blob store did not do it ({_first_line(error)}); it is tried again later."
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
