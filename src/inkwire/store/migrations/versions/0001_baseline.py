"""The first tables: receiving, sources, access.

A migration never imports the schema module: it says what the tables were when it was written.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BYTES = sa.LargeBinary()
MICROS = sa.BigInteger()


def _need(name: str, kind: sa.types.TypeEngine = TEXT) -> sa.Column:  # type: ignore[type-arg]
    return sa.Column(name, kind, nullable=False)


def _may(name: str, kind: sa.types.TypeEngine = TEXT) -> sa.Column:  # type: ignore[type-arg]
    return sa.Column(name, kind, nullable=True)


def _partial(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    _hub()
    _sources()
    _receipts()
    _events()
    _found_by()
    _rejections()
    _access()


def _hub() -> None:
    op.create_table(
        "hub", _need("name"), _need("sealed", BYTES), sa.PrimaryKeyConstraint("name", name="pk_hub")
    )
    op.create_table(
        "counters",
        _need("topic"),
        sa.Column("slot", sa.Integer(), nullable=False, autoincrement=False),
        _need("value", sa.BigInteger()),
        sa.PrimaryKeyConstraint("topic", "slot", name="pk_counters"),
        sqlite_with_rowid=False,
    )


def _sources() -> None:
    op.create_table(
        "sources",
        _need("id"),
        _need("provider"),
        _need("name"),
        _need("settings"),
        _need("event_types"),
        _need("document_ids"),
        _need("max_body_bytes", sa.BigInteger()),
        _need("paused", sa.Boolean()),
        _need("managed_by"),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
    )
    op.create_table(
        "source_secrets",
        _need("source_id"),
        _need("id"),
        _need("role"),
        _need("created_at", MICROS),
        _may("expires_at", MICROS),
        _need("sealed", BYTES),
        sa.PrimaryKeyConstraint("source_id", "id", name="pk_source_secrets"),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name="fk_source_secrets_source_id", ondelete="CASCADE"
        ),
    )


def _receipts() -> None:
    op.create_table(
        "receipts",
        _need("id"),
        _need("source_id"),
        _need("provider"),
        _need("state"),
        _need("received_at", MICROS),
        _need("remote"),
        _need("method"),
        _need("path"),
        _need("body_size", sa.BigInteger()),
        _need("body_hash", BYTES),
        _need("secret_id"),
        _need("matched_on"),
        _may("signed_at", MICROS),
        _may("quarantine"),
        _may("released_at", MICROS),
        _may("released_by"),
        _need("data_key", BYTES),
        _need("headers", BYTES),
        _may("body", BYTES),
        _may("canonical", BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
    )
    _partial("ix_receipts_quarantined", "receipts", ["source_id", "id"], "state = 'quarantined'")


def _events() -> None:
    op.create_table(
        "events",
        _need("id"),
        _need("receipt_id"),
        _need("source_id"),
        _need("provider"),
        _need("position", sa.Integer()),
        _need("type"),
        _need("state"),
        _need("origin"),
        _need("received_at", MICROS),
        _may("occurred_at", MICROS),
        _may("entity_key"),
        _need("dedupe_kind"),
        _need("dedupe_key", BYTES),
        _may("duplicate_of"),
        _need("conflict", sa.Boolean()),
        _need("test", sa.Boolean()),
        _may("dispatched_at", MICROS),
        _may("dispatch_error"),
        _may("release_as"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_events_source", "events", ["source_id", "id", "position"])
    op.create_index("ix_events_type", "events", ["type", "id"])
    op.create_index("ix_events_receipt", "events", ["receipt_id"])
    _partial(
        "ix_events_waiting",
        "events",
        ["source_id", "id"],
        "dispatched_at IS NULL AND state <> 'quarantined'",
    )
    _partial("ix_events_repeats", "events", ["duplicate_of"], "duplicate_of IS NOT NULL")
    _partial("ix_events_state", "events", ["state", "id"], "state <> 'new'")
    op.create_table(
        "dedupe_keys",
        _need("key", BYTES),
        _need("kind"),
        _need("event_id"),
        _need("body_hash", BYTES),
        _need("first_seen_at", MICROS),
        sa.PrimaryKeyConstraint("key", name="pk_dedupe_keys"),
        sqlite_with_rowid=False,
    )


def _found_by() -> None:
    op.create_table(
        "term_buckets",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        _need("newest"),
        sa.PrimaryKeyConstraint("id", name="pk_term_buckets"),
    )
    op.create_table(
        "terms",
        sa.Column("bucket", sa.BigInteger(), nullable=False, autoincrement=False),
        _need("value"),
        _need("event_id"),
        _need("kind"),
        sa.PrimaryKeyConstraint("bucket", "value", "event_id", "kind", name="pk_terms"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_terms_event", "terms", ["event_id"])
    op.create_table(
        "event_types", _need("type"), sa.PrimaryKeyConstraint("type", name="pk_event_types")
    )


def _rejections() -> None:
    op.create_table(
        "rejections",
        _need("id"),
        _need("source_id"),
        _may("provider"),
        _need("at", MICROS),
        _need("status", sa.Integer()),
        _need("reason"),
        _need("detail"),
        _need("hint"),
        _need("remote"),
        _need("method"),
        _need("path"),
        _need("body_size", sa.BigInteger()),
        _need("headers"),
        sa.PrimaryKeyConstraint("id", name="pk_rejections"),
    )
    op.create_index("ix_rejections_source", "rejections", ["source_id", "id"])
    op.create_index("ix_rejections_reason", "rejections", ["reason", "id"])


def _access() -> None:
    op.create_table(
        "users",
        _need("id"),
        _need("name"),
        _need("role"),
        _need("password_hash"),
        _need("created_at", MICROS),
        _need("disabled", sa.Boolean()),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "login_sessions",
        _need("token_hash", BYTES),
        _need("user_id"),
        _need("csrf"),
        _need("created_at", MICROS),
        _need("expires_at", MICROS),
        sa.PrimaryKeyConstraint("token_hash", name="pk_login_sessions"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_login_sessions_user_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_login_sessions_user_id", "login_sessions", ["user_id"])
    op.create_index("ix_login_sessions_expires_at", "login_sessions", ["expires_at"])
    op.create_table(
        "api_keys",
        _need("id"),
        _need("name"),
        _need("key_hash", BYTES),
        _need("hint"),
        _need("scopes"),
        _need("created_at", MICROS),
        _need("created_by"),
        _may("last_used_at", MICROS),
        _may("revoked_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("key_hash", name="uq_api_keys_key_hash"),
    )
    op.create_table(
        "audit_log",
        _need("id"),
        _need("at", MICROS),
        _need("actor"),
        _need("action"),
        _need("target"),
        _need("detail"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_log"),
    )
