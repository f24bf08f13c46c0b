"""A database as the store's rooms use it; `sqlite.py` and `postgres.py` hold what differs."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa

from inkwire.errors import StoreOutdated
from inkwire.store import schema
from inkwire.store.contract import TOPICS
from inkwire.store.dedupe import Claim
from inkwire.store.faults import store_error

Row = tuple[Any, ...]


def one_of(
    conn: sa.Connection, column: sa.Column[Any], values: Iterable[str]
) -> sa.ColumnElement[bool]:
    """`column` is one of `values`: a single array where a long list costs more than the query."""
    if conn.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(values), sa.ARRAY(sa.Text())))
    return column.in_(list(values))


def one_of_numbers(
    conn: sa.Connection, column: sa.Column[Any], values: Iterable[int]
) -> sa.ColumnElement[bool]:
    """As `one_of`, for whole numbers."""
    if conn.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(values), sa.ARRAY(sa.BigInteger())))
    return column.in_(list(values))


def tested(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """The column where rows that another condition finds are only tested for it.

    Without statistics SQLite walks the index that gives the order of a list, even if a million
    rows in it have the one value and an index on another condition would find three.
    """
    return sa.func.coalesce(column, column)


class Database(ABC):
    """Connections, transactions and the hot statements of one dialect."""

    #: Reads; also for migrations.
    engine: sa.Engine
    #: What its driver and SQLAlchemy may raise.
    faults: tuple[type[Exception], ...]
    #: Whether a transaction may lock single rows and stay open while work is done.
    locks_rows: bool

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One consistent view. Raises StoreError."""
        try:
            with self.engine.connect() as conn:
                yield conn
        except self.faults as fault:
            raise store_error(fault) from fault

    @abstractmethod
    def writing(self) -> AbstractContextManager[sa.Connection]:
        """One transaction: committed durably at the end, or nothing of it. Raises StoreError."""

    @abstractmethod
    def migrating(self) -> AbstractContextManager[sa.Connection]:
        """A connection outside any transaction, while no other process migrates."""

    @abstractmethod
    def claim(self, conn: sa.Connection, claims: Mapping[bytes, Claim]) -> dict[bytes, Claim]:
        """Takes the keys that are free; returns the rows of those that are not, locked."""

    @abstractmethod
    def insert(
        self, conn: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """Adds many rows. `table` and `columns` come from our code only."""

    @abstractmethod
    def add_missing(
        self, conn: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """Adds the rows whose primary key is free, leaves the others as they are."""

    @abstractmethod
    def update(
        self, conn: sa.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """Sets many rows: the first column says which, the others get the row's values."""

    @abstractmethod
    def rows(self, conn: sa.Connection, statement: str, *values: Any) -> list[Row]:
        """What a hot statement of ours finds, as plain tuples of what lies in the columns.

        Written in PostgreSQL's words with `?` for each value; `= ANY (?)` takes a list, and
        FOR UPDATE says nothing where one process writes at a time.
        """

    @abstractmethod
    def due(
        self, conn: sa.Connection, rooms: Sequence[tuple[int, int]], now: int
    ) -> list[tuple[int, str]]:
        """(webhook id, delivery id) of due deliveries, oldest due first within each webhook.

        `rooms`: webhook ids, and how many of each at most. Locked; what is locked is left out.
        """

    @abstractmethod
    def count_due(
        self, conn: sa.Connection, webhook_ids: Sequence[int], now: int, most: int
    ) -> int:
        """How many deliveries of these webhooks are due, counted up to `most`."""

    @abstractmethod
    def bump(self, conn: sa.Connection, *topics: str) -> None:
        """Moves the counters of `topics` with this transaction."""

    @abstractmethod
    def count_alone(self, conn: sa.Connection) -> None:
        """Until the commit nobody else who calls this goes on: what is counted stays so."""

    @abstractmethod
    def keep_waiting(self, conn: sa.Connection, event_ids: Sequence[str], limit: int) -> list[str]:
        """Those of `event_ids` that nobody else is handing on, at most `limit`, oldest first."""

    @abstractmethod
    def watch(self) -> AsyncIterator[Mapping[str, int]]:
        """See `Store.watch`."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """What `Store.check` tells of the dialect."""

    def close(self) -> None:
        """Closes every connection."""
        self.engine.dispose()

    def counters(self) -> Mapping[str, int]:
        """The change counters, by topic."""
        table = schema.counters
        with self.reading() as conn:
            found = conn.execute(
                sa.select(table.c.topic, sa.func.sum(table.c.value)).group_by(table.c.topic)
            )
            values = {topic: int(value) for topic, value in found}
        return {topic: values.get(topic, 0) for topic in TOPICS}

    def revision(self) -> str | None:
        """The schema's revision; None for an empty database."""
        with self.reading() as conn:
            if not sa.inspect(conn).has_table("alembic_version"):
                return None
            found: str | None = conn.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return found

    def require_head(self) -> str:
        """The schema's revision. Raises StoreOutdated if it is not this release's."""
        found = self.revision()
        if found is None:
            raise StoreOutdated("The store has no tables yet; run `inkwire migrate`.")
        if found != schema.HEAD:
            raise StoreOutdated(
                f"The store has schema {found}, this release needs {schema.HEAD}; "
                "run `inkwire migrate`."
            )
        return found
