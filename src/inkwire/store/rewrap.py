"""Re-seals what an older master key wraps, so that the old key can be removed."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from inkwire.store import rows, schema, schema_acting, schema_orders, schema_sending
from inkwire.store.cipher import Cipher, place
from inkwire.store.connection_seals import (
    authorization_place,
    connection_secret_place,
    token_place,
)
from inkwire.store.database import Database
from inkwire.store.sealed_commands import command_place
from inkwire.store.sources import secret_place
from inkwire.store.webhook_seals import headers_place, key_place

_SCAN = 1000
#: Rows a transaction, so that an append never waits long for its turn.
_WRITE = 100

Where = Callable[[rows.Row], bytes]


class Rewrapper:
    """Walks round the large tables; a call that returns 0 has seen them all."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        """Starts with the oldest receipt."""
        self._database = database
        self._cipher = cipher
        self._walks = [
            _Walk(database, cipher, column, where)
            for column, where in (
                (schema.receipts.c.data_key, _data_key("receipts")),
                (schema_sending.messages.c.data_key, _data_key("messages")),
                (schema_sending.attempts.c.data_key, _data_key("attempts")),
                (schema_orders.orders.c.data_key, _data_key("orders")),
                (schema_orders.documents.c.data_key, _data_key("documents")),
                (schema_acting.connections.c.token, lambda row: token_place(row.id)),
                (
                    schema_acting.connection_secrets.c.sealed,
                    lambda row: connection_secret_place(row.connection_id, row.name),
                ),
                (
                    schema_acting.connection_authorizations.c.sealed,
                    lambda row: authorization_place(row.connection_id),
                ),
                (schema_acting.commands.c.sealed, lambda row: command_place(row.id)),
                (schema_sending.webhooks.c.headers, lambda row: headers_place(row.id)),
                (
                    schema_sending.webhook_keys.c.sealed,
                    lambda row: key_place(row.webhook_id, row.id),
                ),
            )
        ]
        self._at = 0

    def rewrap(self, limit: int) -> int:
        """Re-seals up to `limit` values; returns how many."""
        with self._database.writing() as conn:
            done = self._small(conn, schema.hub, lambda row: place("hub", row.name, "sealed"))
            done += self._small(
                conn, schema.source_secrets, lambda row: secret_place(row.source_id, row.id)
            )
        return done + self._large(max(0, limit - done))

    def _small(self, conn: sa.Connection, table: sa.Table, where: Where) -> int:
        done = 0
        for row in conn.execute(sa.select(table)).all():
            if self._cipher.outdated(row.sealed):
                conn.execute(
                    table.update()
                    .where(*(column == row._mapping[column.name] for column in table.primary_key))  # noqa: SLF001
                    .values(sealed=self._cipher.rewrap(row.sealed, where(row)))
                )
                done += 1
        return done

    def _large(self, limit: int) -> int:
        """Goes on where the last call stopped, table after table, and once round at most."""
        if not self._walks:
            return 0
        done = ends = 0
        begun = self._walks[self._at].begun
        while done < limit and ends < len(self._walks) + begun:
            done += self._walks[self._at].step(limit - done)
            if not self._walks[self._at].begun:
                ends += 1
                self._at = (self._at + 1) % len(self._walks)
        return done


class _Walk:
    """Walks along one table by its primary key, and begins anew behind its end."""

    def __init__(
        self, database: Database, cipher: Cipher, column: sa.Column[bytes], where: Where
    ) -> None:
        """`column`: what is wrapped; `where`: a value's place, from its row's key."""
        self._database = database
        self._cipher = cipher
        self._column = column
        self._where = where
        self._table = column.table
        self._key = list(self._table.primary_key)
        self._after: tuple[Any, ...] = ()

    @property
    def begun(self) -> bool:
        """Whether it stands somewhere behind the first row."""
        return self._after != ()

    def step(self, limit: int) -> int:
        """Looks at the next rows and re-seals up to `limit`; returns how many."""
        found = self._next()
        old = [row for row in found if self._cipher.outdated(row.wrapped)][:limit]
        for at in range(0, len(old), _WRITE):
            self._replace(old[at : at + _WRITE])
        last = old[-1] if len(old) == limit else found[-1] if found else None
        self._after = () if last is None else self._key_of(last)
        return len(old)

    def _next(self) -> list[rows.Row]:
        wanted = sa.select(*self._key, self._column.label("wrapped")).order_by(*self._key)
        if self._after:
            wanted = wanted.where(sa.tuple_(*self._key) > self._after)
        with self._database.reading() as conn:
            return list(conn.execute(wanted.where(self._column.is_not(None)).limit(_SCAN)))

    def _replace(self, old: list[rows.Row]) -> None:
        """A value that was changed meanwhile is left alone."""
        with self._database.writing() as conn:
            for row in old:
                fresh = self._cipher.rewrap(row.wrapped, self._where(row))
                here = zip(self._key, self._key_of(row), strict=True)
                conn.execute(
                    self._table.update()
                    .where(self._column == row.wrapped, *(name == value for name, value in here))
                    .values({self._column.name: fresh})
                )

    def _key_of(self, row: rows.Row) -> tuple[Any, ...]:
        return tuple(row._mapping[column.name] for column in self._key)  # noqa: SLF001


def _data_key(table: str) -> Where:
    return lambda row: place(table, row.id, "data_key")
