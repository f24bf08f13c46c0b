"""The tables, once for both dialects. What changes here needs a migration (tests compare them).

Times are whole microseconds since 1970 (BIGINT), ids and enums are text, JSON is text. Text is
compared byte by byte on both dialects, so that an id's order and a prefix mean the same.

Indexes of the hot tables grow at their right end (ids sort by time) or are partial; only
`dedupe_keys` is random. `terms` come in buckets, so that no write goes far from the last.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from inkwire.moments import from_micros, to_micros

#: The migration that makes these tables.
HEAD = "0007"

#: Conditions of partial indexes. Literal and untyped, so that a query says exactly what the index
#: says (typed as booleans, SQLite would be asked for `… = 1` and would not see the match).
IS_QUARANTINED: sa.ColumnElement[bool] = sa.literal_column("state = 'quarantined'")
IS_WAITING: sa.ColumnElement[bool] = sa.literal_column(
    "(dispatched_at IS NULL AND state <> 'quarantined')"
)
IS_REPEAT: sa.ColumnElement[bool] = sa.literal_column("duplicate_of IS NOT NULL")
NOT_NEW: sa.ColumnElement[bool] = sa.literal_column("state <> 'new'")

#: Where an index keeps its condition for `for_postgresql`.
_WHERE = "inkwire_where"

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


class Micros(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime as whole microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Datetime to microseconds."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """Microseconds to datetime."""
        return None if value is None else from_micros(value)


class Json(sa.types.TypeDecorator[Any]):
    """A JSON value as text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        """Value to text; mappings and sequences of any class become objects and lists."""
        if isinstance(value, Mapping):
            value = dict(value)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            value = list(value)
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        """Text to value."""
        return None if value is None else msgspec.json.decode(value)


def partial(
    name: str, condition: sa.ColumnElement[bool], *columns: str, unique: bool = False
) -> sa.Index:
    """An index of the rows that meet a condition. See `for_postgresql`."""
    return sa.Index(name, *columns, unique=unique, sqlite_where=condition, info={_WHERE: condition})


def for_postgresql() -> None:
    """Tells the partial indexes' conditions to PostgreSQL, too, for whoever makes or compares them.

    Not where they are declared: naming the dialect loads it, 2 MB that SQLite has no use for.
    """
    for table in metadata.tables.values():
        for index in table.indexes:
            if _WHERE in index.info:
                index.dialect_kwargs["postgresql_where"] = index.info[_WHERE]


def text() -> sa.Text:
    """Text that compares byte by byte."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def make_id() -> sa.Column[str]:
    """The primary key of a table whose ids are text."""
    return sa.Column("id", text(), primary_key=True)


def need(name: str, kind: sa.types.TypeEngine[Any] | None = None) -> sa.Column[Any]:
    """A column that always has a value."""
    return sa.Column(name, kind or text(), nullable=False)


def may(name: str, kind: sa.types.TypeEngine[Any] | None = None) -> sa.Column[Any]:
    """A column that may be null."""
    return sa.Column(name, kind or text(), nullable=True)


#: Sealed values of the hub itself: the key of its HMACs.
hub = sa.Table(
    "hub",
    metadata,
    sa.Column("name", text(), primary_key=True),
    need("sealed", sa.LargeBinary()),
)

#: Change counters. On PostgreSQL a topic has several rows, see `postgres.py`; the sum counts.
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("topic", text(), primary_key=True),
    sa.Column("slot", sa.Integer(), primary_key=True, autoincrement=False),
    need("value", sa.BigInteger()),
    sqlite_with_rowid=False,
)

sources = sa.Table(
    "sources",
    metadata,
    make_id(),
    need("provider"),
    need("name"),
    need("settings", Json()),
    need("event_types", Json()),
    need("document_ids", Json()),
    need("max_body_bytes", sa.BigInteger()),
    need("paused", sa.Boolean()),
    need("managed_by"),
    need("created_at", Micros()),
    need("updated_at", Micros()),
)

source_secrets = sa.Table(
    "source_secrets",
    metadata,
    sa.Column(
        "source_id", text(), sa.ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("id", text(), primary_key=True),
    need("role"),
    need("created_at", Micros()),
    may("expires_at", Micros()),
    need("sealed", sa.LargeBinary()),
)

#: One accepted request. `data_key` is wrapped by the master key; `headers` (with the query),
#: `body` and `canonical` are sealed under it. Short columns stand first: a list never reads a
#: body's pages.
receipts = sa.Table(
    "receipts",
    metadata,
    make_id(),
    need("source_id"),
    need("provider"),
    need("state"),
    need("received_at", Micros()),
    need("remote"),
    need("method"),
    need("path"),
    need("body_size", sa.BigInteger()),
    need("body_hash", sa.LargeBinary()),
    need("secret_id"),
    need("matched_on"),
    may("signed_at", Micros()),
    may("quarantine"),
    may("released_at", Micros()),
    may("released_by"),
    need("data_key", sa.LargeBinary()),
    need("headers", sa.LargeBinary()),
    may("body", sa.LargeBinary()),
    may("canonical", sa.LargeBinary()),
    partial("ix_receipts_quarantined", IS_QUARANTINED, "source_id", "id"),
)

#: `dispatched_at` is null only while an event waits for dispatch or is quarantined.
events = sa.Table(
    "events",
    metadata,
    make_id(),
    need("receipt_id"),
    need("source_id"),
    need("provider"),
    need("position", sa.Integer()),
    need("type"),
    need("state"),
    need("origin"),
    need("received_at", Micros()),
    may("occurred_at", Micros()),
    may("entity_key"),
    need("dedupe_kind"),
    need("dedupe_key", sa.LargeBinary()),
    may("duplicate_of"),
    need("conflict", sa.Boolean()),
    need("test", sa.Boolean()),
    may("dispatched_at", Micros()),
    may("dispatch_error"),
    # The state that a quarantined event gets at its release, if its key is free.
    may("release_as"),
    # Position stands in the index so that counting receipts (position 0) reads no row.
    sa.Index("ix_events_source", "source_id", "id", "position"),
    sa.Index("ix_events_type", "type", "id"),
    sa.Index("ix_events_receipt", "receipt_id"),
    partial("ix_events_waiting", IS_WAITING, "source_id", "id"),
    partial("ix_events_repeats", IS_REPEAT, "duplicate_of"),
    partial("ix_events_state", NOT_NEW, "state", "id"),
    sqlite_with_rowid=False,
)

#: Who came first with a key: HMAC-SHA256 under the hub's key, so that it outlives an erasure.
dedupe_keys = sa.Table(
    "dedupe_keys",
    metadata,
    sa.Column("key", sa.LargeBinary(), primary_key=True),
    need("kind"),
    need("event_id"),
    need("body_hash", sa.LargeBinary()),
    need("first_seen_at", Micros()),
    sqlite_with_rowid=False,
)

#: Each bucket of terms with the greatest event id in it, see `terms.py`.
term_buckets = sa.Table(
    "term_buckets",
    metadata,
    sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
    need("newest"),
)

#: What an event can be found by; plain text.
terms = sa.Table(
    "terms",
    metadata,
    sa.Column("bucket", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("value", text(), primary_key=True),
    sa.Column("event_id", text(), primary_key=True),
    sa.Column("kind", text(), primary_key=True),
    sa.Index("ix_terms_event", "event_id"),
    sqlite_with_rowid=False,
)

#: Event types seen so far.
event_types = sa.Table("event_types", metadata, sa.Column("type", text(), primary_key=True))

rejections = sa.Table(
    "rejections",
    metadata,
    make_id(),
    need("source_id"),
    may("provider"),
    need("at", Micros()),
    need("status", sa.Integer()),
    need("reason"),
    need("detail"),
    need("hint"),
    need("remote"),
    need("method"),
    need("path"),
    need("body_size", sa.BigInteger()),
    need("headers", Json()),
    sa.Index("ix_rejections_source", "source_id", "id"),
    sa.Index("ix_rejections_reason", "reason", "id"),
)

users = sa.Table(
    "users",
    metadata,
    make_id(),
    sa.Column("name", text(), nullable=False, unique=True),
    need("role"),
    need("password_hash"),
    need("created_at", Micros()),
    need("disabled", sa.Boolean()),
)

login_sessions = sa.Table(
    "login_sessions",
    metadata,
    sa.Column("token_hash", sa.LargeBinary(), primary_key=True),
    sa.Column(
        "user_id", text(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    need("csrf"),
    need("created_at", Micros()),
    sa.Column("expires_at", Micros(), nullable=False, index=True),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    make_id(),
    need("name"),
    sa.Column("key_hash", sa.LargeBinary(), nullable=False, unique=True),
    need("hint"),
    need("scopes", Json()),
    need("created_at", Micros()),
    need("created_by"),
    may("last_used_at", Micros()),
    may("revoked_at", Micros()),
    # The application that the key speaks for; null: an operator's key.
    may("application_id"),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    make_id(),
    need("at", Micros()),
    need("actor"),
    need("action"),
    need("target"),
    need("detail", Json()),
)
