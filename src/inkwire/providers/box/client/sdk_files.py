"""Files: their content in both directions, and their versions."""

import hashlib
import io
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from box_sdk_gen.managers.uploads import UploadFileAttributes, UploadFileAttributesParentField
from box_sdk_gen.schemas.upload_part import UploadPart

from inkwire.errors import Transient
from inkwire.providers.answers import rows_of, table_of
from inkwire.providers.box.client import reading
from inkwire.providers.box.client.faults import unreadable
from inkwire.providers.box.client.parts import Part, checked_id, found, made
from inkwire.providers.box.objects import BoxContent, BoxFile, BoxVersion, NameTaken

#: Bytes above which a file goes in parts: Box takes no more than that in one request.
CHUNKED_ABOVE = 50 * 1024 * 1024
#: Times that Box is asked whether it has put a file's parts together, and seconds between.
_COMMITS, _COMMIT_S = 30, 2.0
_FILE = [
    *("id", "name", "size", "sha1", "file_version", "parent", "item_status"),
    *("path_collection", "version_number", "lock", "modified_by"),
]
_VERSION = ["id", "sha1", "size", "name", "modified_by", "version_number"]
#: Older versions a page, and how far Box lets a list be read.
_PAGE, _FAR = 1000, 10_000


class SdkFiles(Part):
    """Files."""

    _chunked_above: int = CHUNKED_ABOVE
    _sleep: Callable[[float], None] = staticmethod(time.sleep)

    def upload(self, folder_id: str, name: str, content: bytes) -> BoxFile | NameTaken:
        """POST /files/content, chunked above 50 MB; the answer's sha1 is compared (Transient)."""
        digest = hashlib.sha1(content, usedforsecurity=False)
        if len(content) > self._chunked_above:
            answer = made(lambda: self._chunked(folder_id, name, content, digest.digest()))
        else:
            answer = made(lambda: self._whole(folder_id, name, content, digest.hexdigest()))
        if isinstance(answer, NameTaken):
            return answer
        file = self._read(reading.first_file, "POST /2.0/files/content", answer)
        if file.sha1 != digest.hexdigest():
            raise Transient(
                f"Box has stored other bytes than were sent (file {file.id}, SHA-1 {file.sha1}); "
                "it is tried again."
            )
        return file

    def file(self, file_id: str) -> BoxFile | None:
        """GET /files/{id} with sha1, size, version, path, lock and who changed it."""
        files = self._box.files
        there = found(lambda: files.get_file_by_id(checked_id(file_id), fields=_FILE))
        if there is None or there.raw_data.get("item_status", "active") != "active":
            return None
        return self._read(reading.file, "GET /2.0/files/ID", there)

    def versions(self, file_id: str) -> Iterator[BoxVersion]:
        """The present version and the older ones (GET /files/{id}/versions), newest first.

        None of it if the file is not there.
        """
        files = self._box.files
        there = found(lambda: files.get_file_by_id(checked_id(file_id), fields=_FILE))
        if there is None:
            return
        present = self._read(reading.present_version, "GET /2.0/files/ID", there)
        yield present
        seen = {present.id}
        for offset in range(0, _FAR, _PAGE):
            page = self._box.versions.get_file_versions(
                checked_id(file_id), fields=_VERSION, limit=_PAGE, offset=offset
            )
            rows = list(rows_of(table_of(page.raw_data).get("entries")))
            for row in rows:
                version = self._read(reading.version, "GET /2.0/files/ID/versions", dict(row))
                # A version that came meanwhile shifts the pages.
                if version.id not in seen:
                    seen.add(version.id)
                    yield version
            if len(rows) < _PAGE:
                return

    def download(self, file_id: str, *, version_id: str | None = None) -> bytes:
        """GET /files/{id}/content of that version; at most 200 MB. 202 is Transient."""
        version = None if version_id is None else checked_id(version_id)
        content: Any = self._box.downloads.download_file(checked_id(file_id), version=version)
        return bytes(content)

    def open_file(
        self, file_id: str, *, version_id: str | None = None
    ) -> AbstractContextManager[BoxContent]:
        """GET /files/{id}/content of that version, streamed, of any size. 202 is Transient."""
        # The SDK reads a file whole, or in pieces of 1 KiB.
        path = f"/2.0/files/{checked_id(file_id)}/content"
        params = {} if version_id is None else {"version": checked_id(version_id)}
        return self._box.wire.opened(f"{self._box.api_url}{path}", params)

    def _whole(self, folder_id: str, name: str, content: bytes, sha1: str) -> Any:
        parent = UploadFileAttributesParentField(id=checked_id(folder_id))
        return self._box.uploads.upload_file(
            UploadFileAttributes(name=name, parent=parent),
            io.BytesIO(content),
            # A SHA-1 despite its name (Box's API reference, Upload file).
            content_md_5=sha1,
        )

    def _chunked(self, folder_id: str, name: str, content: bytes, sha1: bytes) -> Any:
        """In parts, one after the other; Box checks each part and the whole by their SHA-1."""
        chunks = self._box.chunks
        opened = chunks.create_file_upload_session(checked_id(folder_id), len(content), name)
        session = table_of(opened.raw_data)
        size = session.get("part_size")
        urls = table_of(session.get("session_endpoints"))
        upload, commit = reading.text(urls, "upload_part"), reading.text(urls, "commit")
        if not isinstance(size, int) or size <= 0 or not upload or not commit:
            raise unreadable("POST", "/2.0/files/upload_sessions", 201)
        parts = []
        for start in range(0, len(content), size):
            piece = content[start : start + size]
            digest = hashlib.sha1(piece, usedforsecurity=False).digest()
            done = chunks.upload_file_part_by_url(
                upload,
                io.BytesIO(piece),
                f"sha={b64encode(digest).decode()}",
                f"bytes {start}-{start + len(piece) - 1}/{len(content)}",
            )
            parts.append(UploadPart(**table_of(done.raw_data.get("part"))))
        return self._committed(commit, parts, f"sha={b64encode(sha1).decode()}")

    def _committed(self, url: str, parts: list[UploadPart], digest: str) -> Any:
        """Box may need a while to put the parts together, and says so by 202."""
        for _ in range(_COMMITS):
            done = self._box.chunks.create_file_upload_session_commit_by_url(url, parts, digest)
            if done is not None and done.raw_data.get("entries"):
                return done
            self._sleep(_COMMIT_S)
        raise unreadable("POST", "/2.0/files/upload_sessions/ID/commit", 202)
