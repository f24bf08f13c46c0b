"""The desk of documents: kept byte for byte, sealed, found again."""

import hashlib
import hmac
from datetime import timedelta

from inkwire.clock import Clock
from inkwire.documents.blobs import Blobs
from inkwire.errors import InvalidInput, NotFound, StoreError
from inkwire.ids import Ids
from inkwire.model.document import Document, DocumentKind
from inkwire.store.contract import Store
from inkwire.store.ordering import NewDocument

#: Largest document that is kept unless a setting says otherwise, in bytes.
MAX_BYTES = 100 * 1024 * 1024
#: A blob without a row that is older than this belongs to a step that was cut off.
ORPHAN_AGE = timedelta(hours=1)


class DocumentDamaged(StoreError):
    """The stored bytes are not those that were kept; restore the blob from a backup."""

    code = "document_damaged"


class DocumentDesk:
    """Documents of orders and their bytes."""

    def __init__(
        self, *, store: Store, blobs: Blobs, clock: Clock, ids: Ids, max_bytes: int = MAX_BYTES
    ) -> None:
        """`max_bytes`: size of the largest document that is kept."""
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._ids = ids
        self._max_bytes = max_bytes

    def keep(
        self,
        *,
        order_id: str,
        kind: DocumentKind,
        name: str,
        media_type: str,
        content: bytes,
        origin: str,
        sign_request_id: str | None = None,
    ) -> NewDocument:
        """Seals the bytes and stores the blob, durably; the row is kept with an OrderChange.

        A document of that (order, origin) which is already kept is returned with an empty key,
        and `Orders.apply` leaves it out. Raises InvalidInput over the size limit, StoreError.
        """
        if len(content) > self._max_bytes:
            raise InvalidInput(
                f"{name[:80]!r} has {len(content):,} bytes; a document may have "
                f"{self._max_bytes:,} (INKWIRE_MAX_DOCUMENT_BYTES)."
            )
        kept = self._store.documents.by_origin(order_id, origin)
        if kept is not None:
            return NewDocument(document=kept, data_key=b"")
        document_id = self._ids.new("doc")
        sealed = self._store.documents.seal(document_id, content)
        self._blobs.put(document_id, sealed.content)
        document = Document(
            id=document_id,
            order_id=order_id,
            kind=kind,
            name=name,
            media_type=media_type,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            sha1=hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            origin=origin,
            blob=document_id,
            sign_request_id=sign_request_id,
            created_at=self._clock.now(),
        )
        return NewDocument(document=document, data_key=sealed.data_key)

    def get(self, document_id: str) -> Document:
        """One document without its bytes. Raises NotFound."""
        return self._store.documents.get(document_id)

    def content(self, document_id: str) -> bytes:
        """The bytes as they came; checked against the SHA-256.

        Raises NotFound, StoreError, CipherError; DocumentDamaged if they are others.
        """
        document = self._store.documents.get(document_id)
        content = self._store.documents.open(document_id, self._blobs.get(document.blob))
        found = hashlib.sha256(content).digest()
        if not hmac.compare_digest(found, bytes.fromhex(document.sha256)):
            raise DocumentDamaged
        return content

    def of_order(self, order_id: str) -> list[Document]:
        """An order's documents, oldest first."""
        return self._store.documents.of_order(order_id)

    def try_blobs(self) -> None:
        """Puts a small blob and removes it: whether documents can be kept. Raises StoreError."""
        name = self._ids.new("doc")
        self._blobs.put(name, b"Inkwire tries whether it may write here.")
        self._blobs.delete(name)

    def orphans(self, *, older: timedelta = ORPHAN_AGE, limit: int = 1000) -> list[str]:
        """Blobs without a row, at most `limit`: a run was cut off between the two.

        They may be deleted (`Blobs.delete`); younger ones may be about to get their row.
        """
        found: list[str] = []
        for name in self._blobs.names(before=self._clock.now() - older):
            try:
                self._store.documents.get(name)
            except NotFound:
                found.append(name)
                if len(found) == limit:
                    break
        return found
