"""Connections: their secrets, sealed by the master key.

Tokens and health are in `tokens.py`, what a person is asked to consent to in `authorizations.py`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound
from inkwire.model.access import AuditEntry
from inkwire.model.connection import Connection, ConnectionHealth
from inkwire.store import acting_rows, rows
from inkwire.store import schema_acting as tables
from inkwire.store import schema_crm as tables_crm
from inkwire.store.acting import SecretText
from inkwire.store.authorizations import Authorizations
from inkwire.store.cipher import Cipher
from inkwire.store.connection_seals import connection_secret_place
from inkwire.store.contract import CONFIG, WORK
from inkwire.store.database import Database
from inkwire.store.faults import Violated
from inkwire.store.keepable import require_keepable
from inkwire.store.tokens import Tokens

_connections = tables.connections
_secrets = tables.connection_secrets
_integrations = tables.integrations


class SqlConnections(Tokens, Authorizations):
    """See `acting.Connections`."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def all(self) -> list[Connection]:
        """Every connection, by id."""
        with self._database.reading() as conn:
            return list(_read(conn))

    def get(self, connection_id: str) -> Connection:
        """One connection. Raises NotFound."""
        require_keepable(connection_id)
        with self._database.reading() as conn:
            return _one(conn, connection_id)

    def add(
        self, connection: Connection, secrets: Sequence[SecretText], *, audit: AuditEntry
    ) -> None:
        """Keeps a connection, which is UNCHECKED. Raises Conflict if the id is taken."""
        require_keepable(connection.id, connection.provider, *_texts(connection, secrets))
        try:
            with self._database.writing() as conn:
                conn.execute(
                    _connections.insert().values(
                        id=connection.id,
                        provider=connection.provider,
                        generation=0,
                        created_at=connection.created_at,
                        **_given(connection),
                        **_NO_TOKEN,
                    )
                )
                self._keep(conn, connection.id, secrets, connection.created_at)
                rows.add_audit(conn, audit)
                self._database.bump(conn, CONFIG)
        except Violated:
            raise Conflict(
                f"There is a connection {connection.id} already; choose another id."
            ) from None

    def update(
        self,
        connection: Connection,
        secrets: Sequence[SecretText],
        *,
        removed: Collection[str] = (),
        keep_token: bool = False,
        expected: datetime,
        audit: AuditEntry,
    ) -> Connection:
        """Replaces name, method, settings and the given secrets; removes the named ones.

        The token is forgotten under the next generation, so that a refresh by the old credentials
        that is under way keeps nothing; so are the calls that were counted, which may be those of
        another account. With `keep_token` it is the same account: all of that stays, and a refresh
        that is under way keeps its own. A pending consent goes. Raises NotFound, Conflict.
        """
        require_keepable(connection.id, *removed, *_texts(connection, secrets))
        here = _connections.c.id == connection.id
        values = _given(connection)
        if not keep_token:
            values |= {"generation": _connections.c.generation + 1, **_NO_TOKEN}
        with self._database.writing() as conn:
            changed = conn.execute(
                _connections.update()
                .where(here, _connections.c.updated_at == expected)
                .values(values)
            )
            if changed.rowcount == 0:
                _one(conn, connection.id)
                raise Conflict(f"The connection {connection.id} was changed meanwhile; read it.")
            mine = _secrets.c.connection_id == connection.id
            replaced = {*removed, *(secret.name for secret in secrets)}
            conn.execute(_secrets.delete().where(mine, _secrets.c.name.in_(replaced)))
            self._keep(conn, connection.id, secrets, connection.updated_at)
            _forget(conn, tables.connection_authorizations, connection.id)
            if not keep_token:
                _forget(conn, tables_crm.api_usages, connection.id)
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG, WORK)
            return _one(conn, connection.id)

    def delete(self, connection_id: str, *, audit: AuditEntry) -> None:
        """Removes it. Raises NotFound, Conflict while an integration names it."""
        require_keepable(connection_id)
        here = _connections.c.id == connection_id
        users = (
            sa.select(_integrations.c.id)
            .where(
                sa.or_(
                    _integrations.c.connection_id == connection_id,
                    _integrations.c.second_connection_id == connection_id,
                )
            )
            .order_by(_integrations.c.id)
            .limit(1)
        )
        with self._database.writing() as conn:
            # Locked: nobody can name it meanwhile (`SqlIntegrations` locks it for sharing).
            if conn.scalar(sa.select(_connections.c.id).where(here).with_for_update()) is None:
                raise missing_connection(connection_id)
            user = conn.scalar(users)
            if user is not None:
                raise Conflict(
                    f"Integration int_{user} uses the connection {connection_id}; give it another "
                    "connection first."
                )
            conn.execute(_connections.delete().where(here))
            rows.add_audit(conn, audit)
            self._database.bump(conn, CONFIG)

    def open_secrets(self, connection_id: str) -> Mapping[str, str]:
        """Its secrets in plain. Raises NotFound, CipherError."""
        require_keepable(connection_id)
        with self._database.reading() as conn:
            _one(conn, connection_id)
            found = conn.execute(
                sa.select(_secrets.c.name, _secrets.c.sealed)
                .where(_secrets.c.connection_id == connection_id)
                .order_by(_secrets.c.name)
            ).all()
        return {
            row.name: self._cipher.unwrap(
                row.sealed, connection_secret_place(connection_id, row.name)
            ).decode()
            for row in found
        }

    def _keep(
        self,
        conn: sa.Connection,
        connection_id: str,
        secrets: Sequence[SecretText],
        at: datetime,
    ) -> None:
        for secret in secrets:
            where = connection_secret_place(connection_id, secret.name)
            conn.execute(
                _secrets.insert().values(
                    connection_id=connection_id,
                    name=secret.name,
                    set_at=at,
                    sealed=self._cipher.wrap(secret.value.encode(), where),
                )
            )


def missing_connection(connection_id: str) -> NotFound:
    """There is none of that id."""
    return NotFound(f"There is no connection {connection_id}.")


def _read(conn: sa.Connection, connection_id: str | None = None) -> Iterator[Connection]:
    found = sa.select(*acting_rows.CONNECTION_FIELDS).order_by(_connections.c.id)
    held = sa.select(_secrets.c.connection_id, _secrets.c.name, _secrets.c.set_at)
    if connection_id is not None:
        found = found.where(_connections.c.id == connection_id)
        held = held.where(_secrets.c.connection_id == connection_id)
    secrets: dict[str, dict[str, datetime]] = defaultdict(dict)
    for row in conn.execute(held.order_by(_secrets.c.name)):
        secrets[row.connection_id][row.name] = row.set_at
    for row in conn.execute(found):
        yield acting_rows.connection(row, secrets[row.id])


def _one(conn: sa.Connection, connection_id: str) -> Connection:
    for found in _read(conn, connection_id):
        return found
    raise missing_connection(connection_id)


_NO_TOKEN: Mapping[str, object] = {"token": None, "token_expires_at": None, "leased_until": None}


def _given(connection: Connection) -> dict[str, object]:
    """What an operator gives; that it works is not known yet."""
    return {
        "name": connection.name,
        "method": connection.method,
        "settings": connection.settings,
        "updated_at": connection.updated_at,
        "health": ConnectionHealth.UNCHECKED.value,
        "health_note": "",
        "health_at": None,
    }


def _forget(conn: sa.Connection, learned: sa.Table, connection_id: str) -> None:
    conn.execute(learned.delete().where(learned.c.connection_id == connection_id))


def _texts(connection: Connection, secrets: Sequence[SecretText]) -> tuple[str, ...]:
    return (connection.name, connection.method, *(secret.name for secret in secrets))
