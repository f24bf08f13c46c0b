"""Re-seals what an older master key wraps, so that the old key can be removed."""

from collections.abc import Callable

import sqlalchemy as sa

from inkwire.store import rows, schema
from inkwire.store.cipher import Cipher, place
from inkwire.store.database import Database
from inkwire.store.sources import secret_place

_SCAN = 1000
#: Rows a transaction, so that an append never waits long for its turn.
_WRITE = 100


class Rewrapper:
    """Walks round the receipts; a call that returns 0 has seen them all."""

    def __init__(self, database: Database, cipher: Cipher) -> None:
        """Starts at the oldest receipt."""
        self._database = database
        self._cipher = cipher
        self._after = ""

    def rewrap(self, limit: int) -> int:
        """Re-seals up to `limit` values; returns how many."""
        with self._database.writing() as conn:
            done = self._small(conn, schema.hub, lambda row: place("hub", row.name, "sealed"))
            done += self._small(
                conn, schema.source_secrets, lambda row: secret_place(row.source_id, row.id)
            )
        return done + self._receipts(max(0, limit - done))

    def _small(
        self, conn: sa.Connection, table: sa.Table, where: Callable[[rows.Row], bytes]
    ) -> int:
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

    def _receipts(self, limit: int) -> int:
        """Goes on where the last call stopped; at the end once round to where it began."""
        done, start = 0, self._after
        round_again = start != ""
        while done < limit:
            found = self._next()
            old = [row for row in found if self._cipher.outdated(row.data_key)][: limit - done]
            self._replace(old)
            done += len(old)
            if done == limit:
                self._after = old[-1].id
            elif found:
                self._after = found[-1].id
            elif round_again:
                self._after, round_again = "", False
                continue
            else:
                self._after = ""
                break
            if not round_again and self._after > start > "":
                break
        return done

    def _next(self) -> list[rows.Row]:
        table = schema.receipts
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(table.c.id, table.c.data_key)
                .where(table.c.id > self._after)
                .order_by(table.c.id)
                .limit(_SCAN)
            )
            return list(found)

    def _replace(self, old: list[rows.Row]) -> None:
        table = schema.receipts
        for at in range(0, len(old), _WRITE):
            with self._database.writing() as conn:
                for row in old[at : at + _WRITE]:
                    where = place("receipts", row.id, "data_key")
                    conn.execute(
                        table.update()
                        .where(table.c.id == row.id, table.c.data_key == row.data_key)
                        .values(data_key=self._cipher.rewrap(row.data_key, where))
                    )
