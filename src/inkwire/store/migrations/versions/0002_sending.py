"""Sending: applications, topics, webhooks, messages, deliveries, jobs, the portal."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BYTES = sa.LargeBinary()
MICROS = sa.BigInteger()
NUMBER = sa.BigInteger()


def _need(name: str, kind: sa.types.TypeEngine = TEXT) -> sa.Column:  # type: ignore[type-arg]
    return sa.Column(name, kind, nullable=False)


def _may(name: str, kind: sa.types.TypeEngine = TEXT) -> sa.Column:  # type: ignore[type-arg]
    return sa.Column(name, kind, nullable=True)


def _numbered(name: str) -> sa.Column:  # type: ignore[type-arg]
    """A primary key whose numbers we give out ourselves."""
    return sa.Column(name, NUMBER, nullable=False, autoincrement=False)


def _partial(
    name: str, table: str, columns: list[str], condition: str, *, unique: bool = False
) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    op.add_column("api_keys", _may("application_id"))
    _subscribers()
    _webhooks()
    _messages()
    _deliveries()
    _attempts()
    _jobs()
    _portal()


def _subscribers() -> None:
    op.create_table(
        "numbers",
        _need("name"),
        _need("value", NUMBER),
        sa.PrimaryKeyConstraint("name", name="pk_numbers"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "applications",
        _need("id"),
        _need("name"),
        _need("frame_ancestors"),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_applications"),
    )
    op.create_table(
        "topics",
        _need("name"),
        _need("description"),
        _may("schema"),
        _may("example"),
        _need("granted_to_all", sa.Boolean()),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("name", name="pk_topics"),
    )
    op.create_table(
        "grants",
        _need("application_id"),
        _need("topic"),
        _need("created_at", MICROS),
        sa.PrimaryKeyConstraint("application_id", "topic", name="pk_grants"),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["applications.id"],
            name="fk_grants_application_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_grants_topic", "grants", ["topic"])


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        _numbered("id"),
        _need("application_id"),
        _need("topic"),
        _need("address"),
        _need("profile"),
        _need("state"),
        _may("state_reason"),
        _need("state_changed_at", MICROS),
        _need("description"),
        _need("document_ids"),
        _need("filters"),
        _need("header_names"),
        _may("headers", BYTES),
        _may("rate_per_minute", sa.Integer()),
        _need("max_in_flight", sa.Integer()),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    _partial(
        "uq_webhooks_address",
        "webhooks",
        ["application_id", "topic", "address"],
        "state <> 'deleted'",
        unique=True,
    )
    op.create_index("ix_webhooks_topic", "webhooks", ["topic", "application_id"])
    op.create_index("ix_webhooks_application", "webhooks", ["application_id", "id"])
    op.create_table(
        "webhook_keys",
        _need("webhook_id", NUMBER),
        _need("id"),
        _need("created_at", MICROS),
        _may("expires_at", MICROS),
        _need("sealed", BYTES),
        sa.PrimaryKeyConstraint("webhook_id", "id", name="pk_webhook_keys"),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name="fk_webhook_keys_webhook_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "webhook_health",
        _numbered("webhook_id"),
        _need("failures", sa.Integer()),
        _may("last_success_at", MICROS),
        _may("last_failure_at", MICROS),
        _may("breaker_until", MICROS),
        _need("breaker_opens", sa.Integer()),
        _may("rate_at", MICROS),
        sa.PrimaryKeyConstraint("webhook_id", name="pk_webhook_health"),
    )


def _messages() -> None:
    op.create_table(
        "messages",
        _need("id"),
        _need("application_id"),
        _need("topic"),
        _need("account"),
        _need("origin"),
        _may("event_id"),
        _may("webhook_id", NUMBER),
        _need("document_ids"),
        _need("created_at", MICROS),
        _may("fanned_at", MICROS),
        _need("body_size", sa.BigInteger()),
        _need("data_key", BYTES),
        _may("body", BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
    )
    op.create_index("ix_messages_application", "messages", ["application_id", "id"])
    op.create_index("ix_messages_topic", "messages", ["application_id", "topic", "id"])
    op.create_index("ix_messages_event", "messages", ["event_id"])
    _partial("ix_messages_unfanned", "messages", ["id"], "fanned_at IS NULL")
    op.create_table(
        "idempotency_keys",
        _need("key", BYTES),
        _need("request_hash", BYTES),
        _need("message_ids"),
        _need("created_at", MICROS),
        sa.PrimaryKeyConstraint("key", name="pk_idempotency_keys"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        _need("id"),
        _need("message_id"),
        _need("webhook_id", NUMBER),
        _need("application_id"),
        _need("topic"),
        _need("state"),
        _need("created_at", MICROS),
        _need("due_at", MICROS),
        _may("claimed_until", MICROS),
        _need("fence", sa.Integer()),
        _need("attempts", sa.Integer()),
        _may("first_attempt_at", MICROS),
        _may("last_attempt_at", MICROS),
        _may("last_result"),
        _may("last_status", sa.Integer()),
        _may("done_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_deliveries_webhook", "deliveries", ["webhook_id", "id"])
    op.create_index("ix_deliveries_application", "deliveries", ["application_id", "id"])
    op.create_index("ix_deliveries_message", "deliveries", ["message_id"])
    _partial("ix_deliveries_due", "deliveries", ["webhook_id", "due_at"], "state = 'waiting'")
    _partial(
        "ix_deliveries_claimed",
        "deliveries",
        ["webhook_id", "claimed_until"],
        "claimed_until IS NOT NULL",
    )
    _partial("ix_deliveries_evicted", "deliveries", ["webhook_id", "id"], "state = 'evicted'")


def _attempts() -> None:
    op.create_table(
        "attempts",
        _need("id"),
        _need("delivery_id"),
        _need("fence", sa.Integer()),
        _need("webhook_id", NUMBER),
        _need("application_id"),
        _need("number", sa.Integer()),
        _need("address"),
        _may("remote"),
        _need("result"),
        _may("status", sa.Integer()),
        _need("detail"),
        _need("started_at", MICROS),
        _need("duration_us", sa.BigInteger()),
        _may("connect_us", sa.BigInteger()),
        _may("head_us", sa.BigInteger()),
        _need("data_key", BYTES),
        _need("sealed", BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("uq_attempts_delivery_fence", "attempts", ["delivery_id", "fence"], unique=True)
    op.create_index("ix_attempts_webhook", "attempts", ["webhook_id", "started_at"])


def _jobs() -> None:
    op.create_table(
        "jobs",
        _need("id"),
        _need("kind"),
        _need("application_id"),
        _need("webhook_id", NUMBER),
        _need("query"),
        _need("cursor"),
        _need("done", sa.BigInteger()),
        _need("total", sa.BigInteger()),
        _need("state"),
        _may("error"),
        _need("created_at", MICROS),
        _need("created_by"),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_application", "jobs", ["application_id", "id"])
    _partial("ix_jobs_running", "jobs", ["id"], "state = 'running'")


def _portal() -> None:
    op.create_table(
        "portal_tokens",
        _need("token_hash", BYTES),
        _need("application_id"),
        _need("kind"),
        _need("csrf"),
        _need("created_at", MICROS),
        _need("expires_at", MICROS),
        _need("created_by"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_portal_tokens"),
    )
    op.create_index("ix_portal_tokens_expires_at", "portal_tokens", ["expires_at"])
