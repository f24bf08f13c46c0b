"""The cipher of an open store, and the hub's own key, which the master key seals."""

import os
import threading

import sqlalchemy as sa

from inkwire.errors import CipherError, StoreOutdated
from inkwire.store import schema
from inkwire.store.cipher import KEY, Cipher, HubHash, place
from inkwire.store.database import Database

_HUB_KEY = "key"
_WHERE = place("hub", _HUB_KEY, "sealed")


class Seals:
    """Cipher and hub hashes; the hub's key is made by whoever opens the fresh store first."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        """Reads nothing yet."""
        self.cipher = cipher
        self._database = database
        self._lock = threading.Lock()
        self._hashes: HubHash | None = None

    @property
    def hashes(self) -> HubHash:
        """The hub's keyed hashes. Raises StoreOutdated before `migrate`, CipherError."""
        if self._hashes is None:
            with self._lock:
                self._database.require_head()
                self._hashes = HubHash(self._hub_key())
        return self._hashes

    def prove(self, sealed: bytes) -> None:
        """Opens the hub's key: the master key fits this store. Raises CipherError."""
        self.cipher.unwrap(sealed, _WHERE)

    def _hub_key(self) -> bytes:
        sealed = sealed_hub_key(self._database)
        if sealed is None:
            fresh = self.cipher.wrap(os.urandom(KEY), _WHERE)
            with self._database.writing() as conn:
                self._database.add_missing(conn, "hub", ("name", "sealed"), [(_HUB_KEY, fresh)])
            sealed = sealed_hub_key(self._database)
        if sealed is None:
            raise CipherError("The hub's key could not be kept; run `inkwire doctor`.")
        return self.cipher.unwrap(sealed, _WHERE)


def sealed_hub_key(database: Database) -> bytes | None:
    """The hub's key as it is kept; None in a store without one, or without tables."""
    try:
        with database.reading() as conn:
            found: bytes | None = conn.scalar(
                sa.select(schema.hub.c.sealed).where(schema.hub.c.name == _HUB_KEY)
            )
            return found
    except StoreOutdated:
        return None
