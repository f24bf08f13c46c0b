"""Consents of persons that were asked for: one a connection, each good once (OAuth, code flow)."""

from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.connection import Authorization
from inkwire.moments import to_micros
from inkwire.store import acting_rows, rows
from inkwire.store import schema_acting as tables
from inkwire.store.cipher import Cipher
from inkwire.store.connection_seals import authorization_place
from inkwire.store.database import Database
from inkwire.store.keepable import require_keepable

_authorizations = tables.connection_authorizations
_connections = tables.connections
_PUT = sa.text(
    "INSERT INTO connection_authorizations "
    "(connection_id, state_hash, redirect_uri, session, until, sealed) VALUES "
    "(:connection_id, :state_hash, :redirect_uri, :session, :until, :sealed) "
    "ON CONFLICT (connection_id) DO UPDATE SET state_hash = excluded.state_hash, "
    "redirect_uri = excluded.redirect_uri, session = excluded.session, until = excluded.until, "
    "sealed = excluded.sealed"
)


class Authorizations:
    """The part of `acting.Connections` that waits for a person's consent."""

    _database: Database
    _cipher: Cipher

    def begin_authorization(
        self,
        connection_id: str,
        *,
        state_hash: bytes,
        verifier: str,
        redirect_uri: str,
        session: str,
        until: datetime,
        audit: AuditEntry | None = None,
    ) -> None:
        """Keeps that a person was asked, in place of an older asking. Raises NotFound."""
        require_keepable(connection_id, redirect_uri, session)
        values = {
            "connection_id": connection_id,
            "state_hash": state_hash,
            "redirect_uri": redirect_uri,
            "session": session,
            "until": to_micros(until),
            "sealed": self._cipher.wrap(verifier.encode(), authorization_place(connection_id)),
        }
        wanted = sa.select(_connections.c.id).where(_connections.c.id == connection_id)
        with self._database.writing() as conn:
            # Locked for sharing: it is not deleted meanwhile.
            if conn.scalar(wanted.with_for_update(read=True)) is None:
                raise NotFound(f"There is no connection {connection_id}.")
            conn.execute(_PUT, values)
            if audit is not None:
                rows.add_audit(conn, audit)

    def take_authorization(self, *, state_hash: bytes, now: datetime) -> Authorization | None:
        """Removes and returns the one with that state; None: unknown, or too late.

        Raises CipherError; it is removed then, too.
        """
        taken = (
            _authorizations.delete()
            .where(_authorizations.c.state_hash == state_hash)
            .returning(*_authorizations.c)
        )
        with self._database.writing() as conn:
            row = conn.execute(taken).one_or_none()
        if row is None or row.until <= now:
            return None
        place = authorization_place(row.connection_id)
        return acting_rows.authorization(row, self._cipher.unwrap(row.sealed, place).decode())
