"""Files: versions, documents and their links, which belong together in one transaction."""

import base64
import binascii
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from inkwire.providers.salesforce.sandbox.answers import SalesforceError, bad_json
from inkwire.providers.salesforce.sandbox.schema import SObject
from inkwire.providers.salesforce.sandbox.writing import Change, Writer
from inkwire.providers.sandboxing import Doc, Documents

#: Bytes of one kept piece of a file.
PIECE = 4 * 1024 * 1024
#: Bytes: of a file by multipart, of a body that is not multipart, of a job's CSV.
LARGEST_FILE, LARGEST_BODY, LARGEST_CSV = 2 * 1024**3, 50 * 1024**2, 150 * 1024**2
#: Characters of base64 in such a body.
LARGEST_BASE64 = 37_500_000 * 4 // 3
_TYPES = {
    "pdf": "PDF",
    "docx": "WORD_X",
    "xlsx": "EXCEL_X",
    "pptx": "POWER_POINT_X",
    "txt": "TEXT",
    "png": "PNG",
    "jpg": "JPG",
    "csv": "CSV",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """Bytes that are kept, in pieces."""

    pieces: tuple[str, ...]
    size: int
    #: In hex.
    md5: str


class Keeper:
    """Takes a file's bytes as they come, and keeps them piece by piece."""

    def __init__(self, state: Documents) -> None:
        """`state`: where pieces are kept; those of a file that fails stay, and are harmless."""
        self._state = state
        self._pieces: list[str] = []
        self._held = bytearray()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.size = 0

    def take(self, data: bytes) -> None:
        """The next bytes."""
        self.size += len(data)
        self._md5.update(data)
        self._held += data
        while len(self._held) >= PIECE:
            self._pieces.append(self._state.keep(bytes(self._held[:PIECE])))
            del self._held[:PIECE]

    def done(self) -> Content:
        """The whole."""
        if self._held:
            self._pieces.append(self._state.keep(bytes(self._held)))
            self._held.clear()
        return Content(pieces=tuple(self._pieces), size=self.size, md5=self._md5.hexdigest())


def decoded(state: Documents, text: str) -> Content:
    """The content that base64 stands for. Raises SalesforceError."""
    if len(text) > LARGEST_BASE64:
        raise SalesforceError(
            "MAXIMUM_SIZE_OF_ATTACHMENT",
            "The file is larger than 37.5 MB: send it as multipart/form-data",
            ["VersionData"],
        )
    keeper = Keeper(state)
    try:
        keeper.take(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise bad_json(
            "Cannot deserialize base64 from VALUE_STRING value: illegal base64 character at "
            "[line:1, column:1]"
        ) from None
    return keeper.done()


async def pieces(state: Documents, version: Doc) -> AsyncIterator[bytes]:
    """A version's content; asynchronous, so that the state is read by the loop's thread only."""
    for sha1 in version["_pieces"]:
        yield state.content(sha1)


class Files:
    """The hooks of ContentVersion, ContentDocument and ContentDocumentLink."""

    def __init__(self, writer: Writer, state: Documents) -> None:
        """Hangs itself into `writer`."""
        self._writer = writer
        self._records = writer.records
        self._state = state
        writer.before["ContentVersion"] = [self._version]
        writer.after["ContentVersion"] = [self._publish]
        writer.before["ContentDocument"] = [self._document]
        writer.on_delete["ContentVersion"] = [self._keep_version]
        writer.on_delete["ContentDocument"] = [self._take_along]
        writer.before["ContentDocumentLink"] = [self._link]
        writer.on_delete["ContentDocumentLink"] = [self._unlink]

    def may_see(self, document: Doc, user_id: str) -> bool:
        """Whether a query without an id shows it: owners and those that it is shared with."""
        links = self._records.linked("ContentDocumentLink", "ContentDocumentId", document["Id"])
        return document["OwnerId"] == user_id or any(
            link["LinkedEntityId"] == user_id for link in links
        )

    def _version(self, change: Change) -> None:
        """Completes a version: size, checksum, number, names."""
        record = change.record
        if change.before is not None:
            return
        content = self._content(change)
        lacking = [] if record.get("PathOnClient") else ["PathOnClient"]
        lacking += ["VersionData"] if content is None else []
        if lacking or content is None:
            raise SalesforceError(
                "REQUIRED_FIELD_MISSING",
                f"Required fields are missing: [{', '.join(lacking)}]",
                lacking,
            )
        path = PurePosixPath(record["PathOnClient"].replace("\\", "/"))
        extension = path.suffix.removeprefix(".")
        record |= {
            "VersionData": None,
            "_pieces": list(content.pieces),
            "ContentSize": content.size,
            "Checksum": content.md5,
            "FileExtension": extension or None,
            "FileType": _TYPES.get(extension.lower(), extension.upper() or "UNKNOWN"),
            "Title": record.get("Title") or path.stem,
            "IsLatest": True,
            "ContentModifiedDate": record["CreatedDate"],
            "VersionNumber": "1",
        }
        if record.get("ContentDocumentId"):
            self._follow(change)
        else:
            record["FirstPublishLocationId"] = (
                record.get("FirstPublishLocationId") or change.user_id
            )

    def _content(self, change: Change) -> Content | None:
        streamed, text = change.extra.get("content"), change.record.get("VersionData")
        if isinstance(streamed, Content):
            return streamed
        if text is None:
            # An empty text is an empty file; a field that was not sent is not.
            given = "VersionData" in change.given
            return (
                Content(pieces=(), size=0, md5=hashlib.md5(b"", usedforsecurity=False).hexdigest())
                if given
                else None
            )
        return decoded(self._state, text)

    def _follow(self, change: Change) -> None:
        """A new version of a document that is there."""
        record = change.record
        field = change.one.fields["ContentDocumentId"]
        if record.get("FirstPublishLocationId"):
            raise SalesforceError(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                "First Publish Location ID: a new version of a document cannot be published again",
                ["FirstPublishLocationId"],
            )
        _, document = self._writer.target(field, record["ContentDocumentId"])
        shares = self._records.linked("ContentDocumentLink", "ContentDocumentId", document["Id"])
        editor = document["OwnerId"] == change.user_id or any(
            link["ShareType"] == "C" for link in shares
        )
        if not (editor or change.admin):
            raise SalesforceError(
                "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"
            )
        earlier = self._versions(document["Id"])
        record["VersionNumber"] = str(len(earlier) + 1)
        record["OwnerId"] = document["OwnerId"]
        if "Title" not in change.given:
            record["Title"] = document["Title"]

    def _publish(self, change: Change) -> None:
        """The document of a new version, with its links; or its latest version."""
        version, now = change.record, change.record["LastModifiedDate"]
        facts = {
            "Title": version["Title"],
            "FileType": version["FileType"],
            "FileExtension": version["FileExtension"],
            "ContentSize": version["ContentSize"],
            "LatestPublishedVersionId": version["Id"],
            "ContentModifiedDate": now,
            "Description": version.get("Description"),
        }
        document_of, version_of = self._object("ContentDocument"), change.one
        if change.before is not None:
            if version["IsLatest"]:
                document = self._records.get("ContentDocument", version["ContentDocumentId"])
                if document:
                    self._writer.touch(document_of, document, change.user_id, Title=facts["Title"])
            return
        if version.get("ContentDocumentId"):
            for old in self._versions(version["ContentDocumentId"]):
                if old["IsLatest"] and old["Id"] != version["Id"]:
                    self._writer.touch(version_of, old, change.user_id, IsLatest=False)
            document = self._records.get("ContentDocument", version["ContentDocumentId"])
            if document:
                self._writer.touch(document_of, document, change.user_id, **facts)
            return
        made = self._writer.create(
            document_of, facts | {"OwnerId": version["OwnerId"]}, change.user_id, admin=True
        )
        change.record = version | {"ContentDocumentId": made["Id"]}
        self._records.put("ContentVersion", change.record)
        self._share(made["Id"], version["OwnerId"], "I", change)
        place = version["FirstPublishLocationId"]
        if place not in (version["OwnerId"], None):
            self._share(made["Id"], place, "V", change)

    def _share(self, document_id: str, entity: str, share: str, change: Change) -> None:
        body = {
            "ContentDocumentId": document_id,
            "LinkedEntityId": entity,
            "ShareType": share,
            "Visibility": "AllUsers",
        }
        link = self._object("ContentDocumentLink")
        self._writer.create(link, body, change.user_id, admin=True)

    def _document(self, change: Change) -> None:
        """A document's new title is its latest version's."""
        if change.before is None or "Title" not in change.given:
            return
        latest = self._records.get("ContentVersion", change.record["LatestPublishedVersionId"])
        if latest:
            title = change.record["Title"]
            self._writer.touch(self._object("ContentVersion"), latest, change.user_id, Title=title)

    def _link(self, change: Change) -> None:
        """One link for a document and a record."""
        record = change.record
        if change.before is not None or not record.get("ContentDocumentId"):
            return
        entity = record.get("LinkedEntityId")
        links = self._records.linked(
            "ContentDocumentLink", "ContentDocumentId", record["ContentDocumentId"]
        )
        if any(link["LinkedEntityId"] == entity for link in links):
            raise SalesforceError(
                "DUPLICATE_VALUE",
                f"Document with ID: {record['ContentDocumentId']} is already linked with the "
                f"entity with ID: {entity}",
                ["LinkedEntityId"],
            )
        record["Visibility"] = record.get("Visibility") or "AllUsers"

    def _unlink(self, change: Change) -> None:
        document = self._records.get("ContentDocument", change.record["ContentDocumentId"])
        if document and document["OwnerId"] == change.record["LinkedEntityId"]:
            raise SalesforceError("FIELD_INTEGRITY_EXCEPTION", "field integrity exception")

    def _keep_version(self, change: Change) -> None:
        """A version goes with its document only."""
        raise SalesforceError(
            "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"
        )

    def _take_along(self, change: Change) -> None:
        gone = change.record["Id"]
        for name in ("ContentVersion", "ContentDocumentLink"):
            for record in self._records.linked(name, "ContentDocumentId", gone):
                self._writer.touch(self._object(name), record, change.user_id, IsDeleted=True)

    def _versions(self, document_id: str) -> list[Doc]:
        return self._records.linked("ContentVersion", "ContentDocumentId", document_id)

    def _object(self, name: str) -> SObject:
        one = self._records.schema.object(name)
        if one is None:
            raise KeyError(name)
        return one
