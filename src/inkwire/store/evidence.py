"""The chains of evidence, and the key that signs what is exported of them."""

import os

import sqlalchemy as sa

from inkwire.errors import CipherError
from inkwire.model.document import EvidenceLink
from inkwire.store import order_rows, schema
from inkwire.store import schema_orders as tables
from inkwire.store.cipher import KEY, Cipher, place
from inkwire.store.database import Database
from inkwire.store.intake import clean

_HUB_KEY = "evidence"
_WHERE = place("hub", _HUB_KEY, "sealed")
_links = tables.evidence_links


class SqlEvidence:
    """See `ordering.Evidence`; `order_changes` adds the links."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        """`cipher` wraps the hub's key."""
        self._database = database
        self._cipher = cipher

    def chain(self, order_id: str) -> list[EvidenceLink]:
        """All links, by number."""
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(_links).where(_links.c.order_id == clean(order_id)).order_by(_links.c.seq)
            )
            return [order_rows.link(row) for row in found]

    def hub_key(self) -> bytes:
        """The hub's Ed25519 private key (32 bytes, raw), made on first use. Raises CipherError.

        Any 32 random bytes are one (RFC 8032, 5.1.5). Of several processes that make one at the
        same time the first to keep it wins, and all of them read what is kept.
        """
        sealed = self._sealed()
        if sealed is None:
            fresh = self._cipher.wrap(os.urandom(KEY), _WHERE)
            with self._database.writing() as conn:
                self._database.add_missing(conn, "hub", ("name", "sealed"), [(_HUB_KEY, fresh)])
            sealed = self._sealed()
        if sealed is None:
            raise CipherError("The key for evidence could not be kept; run `inkwire doctor`.")
        try:
            return self._cipher.unwrap(sealed, _WHERE)
        except CipherError as error:
            raise CipherError(f"The key for evidence does not open. {error.message}") from None

    def _sealed(self) -> bytes | None:
        with self._database.reading() as conn:
            found: bytes | None = conn.scalar(
                sa.select(schema.hub.c.sealed).where(schema.hub.c.name == _HUB_KEY)
            )
            return found
