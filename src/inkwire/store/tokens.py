"""Tokens and health of connections: one process refreshes at a time, the newest token stays."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from inkwire.errors import NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.connection import ConnectionHealth, HeldToken, Token
from inkwire.store import rows
from inkwire.store import schema_acting as tables
from inkwire.store.acting_rows import token_bytes, token_of
from inkwire.store.cipher import Cipher
from inkwire.store.connection_seals import token_place
from inkwire.store.contract import CONFIG, WORK
from inkwire.store.database import Database
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable

#: How often "still the same" reaches the disk.
_NOTED_EVERY = timedelta(minutes=1)
_connections = tables.connections


class Tokens:
    """The part of `acting.Connections` that runs change."""

    _database: Database
    _cipher: Cipher

    def token(self, connection_id: str) -> HeldToken:
        """The stored token, opened. Raises NotFound, CipherError."""
        require_keepable(connection_id)
        columns = (_connections.c.token, _connections.c.generation, _connections.c.leased_until)
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(*columns).where(_connections.c.id == connection_id)
            ).one_or_none()
        if row is None:
            raise NotFound(f"There is no connection {connection_id}.")
        token = None
        if row.token is not None:
            token = token_of(self._cipher.unwrap(row.token, token_place(connection_id)))
        return HeldToken(token=token, generation=row.generation, leased_until=row.leased_until)

    def lease_refresh(
        self, connection_id: str, *, generation: int, now: datetime, lease_s: float
    ) -> bool:
        """Takes the right to refresh the token of that generation; False: another has it."""
        free = sa.or_(_connections.c.leased_until.is_(None), _connections.c.leased_until <= now)
        until = now + timedelta(seconds=lease_s)
        return self._set(connection_id, generation, {"leased_until": until}, free)

    def put_token(
        self,
        connection_id: str,
        token: Token,
        *,
        generation: int,
        audit: AuditEntry | None = None,
    ) -> bool:
        """Keeps the next token (generation + 1), ends the lease. False: there is a newer one."""
        values = {
            "token": self._cipher.wrap(token_bytes(token), token_place(connection_id)),
            "token_expires_at": token.expires_at,
            "generation": generation + 1,
            "leased_until": None,
        }
        return self._set(connection_id, generation, values, audit=audit)

    def drop_lease(self, connection_id: str, *, generation: int, leased_until: datetime) -> None:
        """Gives the right to refresh back; a lease that ends at another time is another's."""
        ours = _connections.c.leased_until == leased_until
        self._set(connection_id, generation, {"leased_until": None}, ours)

    def set_health(
        self, connection_id: str, health: ConnectionHealth, note: str, *, at: datetime
    ) -> bool:
        """Notes how it is doing; True if that is news. Moves the counters only then.

        The same again moves `health_at`, at most once a minute.
        """
        require_keepable(connection_id)
        here = _connections.c.id == connection_id
        note = clean(note)
        same = sa.and_(
            _connections.c.health == health.value,
            _connections.c.health_note == note,
            _connections.c.health_at.is_not(None),
        )
        recent = sa.and_(same, _connections.c.health_at > at - _NOTED_EVERY)
        with self._database.reading() as conn:
            if conn.scalar(sa.select(_connections.c.id).where(here, recent)) is not None:
                return False
        values = {"health": health.value, "health_note": note, "health_at": at}
        with self._database.writing() as conn:
            news = conn.execute(_connections.update().where(here, ~same).values(values)).rowcount
            if news:
                self._database.bump(conn, CONFIG, WORK)
            else:
                conn.execute(_connections.update().where(here).values(health_at=at))
        return bool(news)

    def _set(
        self,
        connection_id: str,
        generation: int,
        values: dict[str, object],
        *also: sa.ColumnElement[bool],
        audit: AuditEntry | None = None,
    ) -> bool:
        """One compare-and-set on the token's generation."""
        require_keepable(connection_id)
        with self._database.writing() as conn:
            changed = conn.execute(
                _connections.update()
                .where(
                    _connections.c.id == connection_id,
                    _connections.c.generation == generation,
                    *also,
                )
                .values(values)
            )
            if audit is not None and changed.rowcount == 1:
                rows.add_audit(conn, audit)
            return changed.rowcount == 1
