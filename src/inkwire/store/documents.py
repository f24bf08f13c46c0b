"""Documents' rows, and the sealing of their bytes; the blobs themselves are kept elsewhere."""

import os
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from inkwire.errors import CipherError, NotFound
from inkwire.model.document import Document
from inkwire.store import order_rows
from inkwire.store import schema_orders as tables
from inkwire.store.cipher import KEY, NONCE, Cipher, DataKey, place
from inkwire.store.contract import MAX_PAGE, ORDER
from inkwire.store.database import Database
from inkwire.store.intake import clean
from inkwire.store.ordering import SealedFile

MAX_OF_ORDER = 1_000
_documents = tables.documents


class SqlDocuments:
    """See `ordering.Documents`."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        """`cipher` wraps each document's key."""
        self._database = database
        self._cipher = cipher

    def seal(self, document_id: str, content: bytes) -> SealedFile:
        """Encrypts under a key of its own; no I/O. Raises CipherError."""
        drawn = os.urandom(KEY + 2 * NONCE)
        key, first, second = drawn[:KEY], drawn[KEY : KEY + NONCE], drawn[KEY + NONCE :]
        return SealedFile(
            data_key=self._cipher.wrap_with(first, key, _key_place(document_id)),
            content=DataKey(key).seal(second, content, _blob_place(document_id)),
        )

    def open(self, document_id: str, content: bytes) -> bytes:
        """Decrypts a blob's bytes. Raises NotFound, CipherError that names the document."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(_documents.c.name, _documents.c.data_key).where(
                    _documents.c.id == clean(document_id)
                )
            ).one_or_none()
        if row is None:
            raise _missing(document_id)
        if row.data_key is None:
            raise CipherError(f"The document {row.name} ({document_id}) was erased.")
        try:
            key = DataKey(self._cipher.unwrap(row.data_key, _key_place(document_id)))
            return key.open(content, _blob_place(document_id))
        except CipherError as error:
            raise CipherError(
                f"The document {row.name} ({document_id}) does not open. {error.message}"
            ) from None

    def get(self, document_id: str) -> Document:
        """One document. Raises NotFound."""
        found = self._all(_documents.c.id == clean(document_id), limit=1)
        if not found:
            raise _missing(document_id)
        return found[0]

    def of_order(self, order_id: str) -> list[Document]:
        """An order's documents, oldest first, at most 1,000."""
        return self._all(_documents.c.order_id == clean(order_id), limit=MAX_OF_ORDER)

    def by_origin(self, order_id: str, origin: str) -> Document | None:
        """The document that came from there, or None."""
        found = self._all(
            _documents.c.order_id == clean(order_id), _documents.c.origin == clean(origin), limit=1
        )
        return found[0] if found else None

    def set_verdict(self, document_id: str, verdict: Mapping[str, Any]) -> None:
        """Keeps what was found about its signatures. Raises NotFound."""
        with self._database.writing() as conn:
            changed = conn.execute(
                _documents.update()
                .where(_documents.c.id == clean(document_id))
                .values(verdict=verdict)
            )
            if changed.rowcount == 0:
                raise _missing(document_id)
            self._database.bump(conn, ORDER)

    def unjudged(self, limit: int) -> list[Document]:
        """Signed documents without a verdict, oldest first, at most MAX_PAGE."""
        return self._all(tables.IS_UNJUDGED, limit=min(limit, MAX_PAGE))

    def _all(self, *conditions: sa.ColumnElement[bool], limit: int) -> list[Document]:
        wanted = order_rows.documents_where(*conditions).limit(max(0, limit))
        with self._database.reading() as conn:
            return [order_rows.document(row) for row in conn.execute(wanted)]


def _key_place(document_id: str) -> bytes:
    return place("documents", document_id, "data_key")


def _blob_place(document_id: str) -> bytes:
    return place("documents", document_id, "blob")


def _missing(document_id: str) -> NotFound:
    return NotFound(f"There is no document {document_id}.")
