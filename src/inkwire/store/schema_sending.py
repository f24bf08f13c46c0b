"""The tables of sending; see `schema` for the conventions."""

import sqlalchemy as sa

from inkwire.model.message import DeliveryState
from inkwire.model.webhook import WebhookState
from inkwire.store.schema import Json, Micros, make_id, may, metadata, need, partial, text

NOT_DELETED: sa.ColumnElement[bool] = sa.literal_column(f"state <> '{WebhookState.DELETED.value}'")
IS_UNFANNED: sa.ColumnElement[bool] = sa.literal_column("fanned_at IS NULL")
IS_DUE_SOME_TIME: sa.ColumnElement[bool] = sa.literal_column(
    f"state = '{DeliveryState.WAITING.value}'"
)
IS_EVICTED: sa.ColumnElement[bool] = sa.literal_column(f"state = '{DeliveryState.EVICTED.value}'")
IS_CLAIMED: sa.ColumnElement[bool] = sa.literal_column("claimed_until IS NOT NULL")
IS_RUNNING: sa.ColumnElement[bool] = sa.literal_column("state = 'running'")

#: Numbers that people see: the last one given of each series.
numbers = sa.Table(
    "numbers",
    metadata,
    sa.Column("name", text(), primary_key=True),
    need("value", sa.BigInteger()),
    sqlite_with_rowid=False,
)

applications = sa.Table(
    "applications",
    metadata,
    make_id(),
    need("name"),
    need("frame_ancestors", Json()),
    need("created_at", Micros()),
    need("updated_at", Micros()),
)

#: The operator's own topics; the built-in ones are code.
topics = sa.Table(
    "topics",
    metadata,
    sa.Column("name", text(), primary_key=True),
    need("description"),
    may("schema", Json()),
    may("example", Json()),
    need("granted_to_all", sa.Boolean()),
    need("created_at", Micros()),
    need("updated_at", Micros()),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column(
        "application_id",
        text(),
        sa.ForeignKey("applications.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("topic", text(), primary_key=True, index=True),
    need("created_at", Micros()),
)

#: `headers` are sealed by the master key: they may hold the endpoint's credentials.
webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
    need("application_id"),
    need("topic"),
    need("address"),
    need("profile"),
    need("state"),
    may("state_reason"),
    need("state_changed_at", Micros()),
    need("description"),
    need("document_ids", Json()),
    need("filters", Json()),
    need("header_names", Json()),
    may("headers", sa.LargeBinary()),
    may("rate_per_minute", sa.Integer()),
    need("max_in_flight", sa.Integer()),
    need("created_at", Micros()),
    need("updated_at", Micros()),
    partial("uq_webhooks_address", NOT_DELETED, "application_id", "topic", "address", unique=True),
    sa.Index("ix_webhooks_topic", "topic", "application_id"),
    sa.Index("ix_webhooks_application", "application_id", "id"),
)

webhook_keys = sa.Table(
    "webhook_keys",
    metadata,
    sa.Column(
        "webhook_id",
        sa.BigInteger(),
        sa.ForeignKey("webhooks.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("id", text(), primary_key=True),
    need("created_at", Micros()),
    may("expires_at", Micros()),
    need("sealed", sa.LargeBinary()),
)

#: Apart from `webhooks`, because every attempt writes here. `rate_at`: when the next attempt is
#: within the rate (GCRA's theoretical arrival time).
webhook_health = sa.Table(
    "webhook_health",
    metadata,
    sa.Column("webhook_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    need("failures", sa.Integer()),
    may("last_success_at", Micros()),
    may("last_failure_at", Micros()),
    may("breaker_until", Micros()),
    need("breaker_opens", sa.Integer()),
    may("rate_at", Micros()),
)

#: `data_key` is wrapped by the master key, `body` sealed under it.
messages = sa.Table(
    "messages",
    metadata,
    make_id(),
    need("application_id"),
    need("topic"),
    need("account"),
    need("origin"),
    may("event_id"),
    may("webhook_id", sa.BigInteger()),
    need("document_ids", Json()),
    need("created_at", Micros()),
    may("fanned_at", Micros()),
    need("body_size", sa.BigInteger()),
    need("data_key", sa.LargeBinary()),
    may("body", sa.LargeBinary()),
    sa.Index("ix_messages_application", "application_id", "id"),
    sa.Index("ix_messages_topic", "application_id", "topic", "id"),
    sa.Index("ix_messages_event", "event_id"),
    partial("ix_messages_unfanned", IS_UNFANNED, "id"),
)

#: A publisher's keys, hashed under the hub's key; kept longer than the messages.
idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("key", sa.LargeBinary(), primary_key=True),
    need("request_hash", sa.LargeBinary()),
    need("message_ids", Json()),
    sa.Column("created_at", Micros(), nullable=False, index=True),
    sqlite_with_rowid=False,
)

#: `due_at` of a claimed delivery is the end of its lease, so a dead worker's come due by
#: themselves.
deliveries = sa.Table(
    "deliveries",
    metadata,
    make_id(),
    need("message_id"),
    need("webhook_id", sa.BigInteger()),
    need("application_id"),
    need("topic"),
    need("state"),
    need("created_at", Micros()),
    need("due_at", Micros()),
    may("claimed_until", Micros()),
    need("fence", sa.Integer()),
    need("attempts", sa.Integer()),
    may("first_attempt_at", Micros()),
    may("last_attempt_at", Micros()),
    may("last_result"),
    may("last_status", sa.Integer()),
    may("done_at", Micros()),
    sa.Index("ix_deliveries_webhook", "webhook_id", "id"),
    sa.Index("ix_deliveries_application", "application_id", "id"),
    sa.Index("ix_deliveries_message", "message_id"),
    partial("ix_deliveries_due", IS_DUE_SOME_TIME, "webhook_id", "due_at"),
    partial("ix_deliveries_claimed", IS_CLAIMED, "webhook_id", "claimed_until"),
    partial("ix_deliveries_evicted", IS_EVICTED, "webhook_id", "id"),
    sqlite_with_rowid=False,
)

#: `sealed`: the request's headers, the answer's headers and its first 16 KiB, under `data_key`.
attempts = sa.Table(
    "attempts",
    metadata,
    make_id(),
    need("delivery_id"),
    need("fence", sa.Integer()),
    need("webhook_id", sa.BigInteger()),
    need("application_id"),
    need("number", sa.Integer()),
    need("address"),
    may("remote"),
    need("result"),
    may("status", sa.Integer()),
    need("detail"),
    need("started_at", Micros()),
    need("duration_us", sa.BigInteger()),
    may("connect_us", sa.BigInteger()),
    may("head_us", sa.BigInteger()),
    need("data_key", sa.LargeBinary()),
    need("sealed", sa.LargeBinary()),
    sa.Index("uq_attempts_delivery_fence", "delivery_id", "fence", unique=True),
    sa.Index("ix_attempts_webhook", "webhook_id", "started_at"),
)

jobs = sa.Table(
    "jobs",
    metadata,
    make_id(),
    need("kind"),
    need("application_id"),
    need("webhook_id", sa.BigInteger()),
    need("query", Json()),
    need("cursor"),
    need("done", sa.BigInteger()),
    need("total", sa.BigInteger()),
    need("state"),
    may("error"),
    need("created_at", Micros()),
    need("created_by"),
    need("updated_at", Micros()),
    sa.Index("ix_jobs_application", "application_id", "id"),
    partial("ix_jobs_running", IS_RUNNING, "id"),
)

#: Tokens of the portal, hashed: a link's (used once) and a session's.
portal_tokens = sa.Table(
    "portal_tokens",
    metadata,
    sa.Column("token_hash", sa.LargeBinary(), primary_key=True),
    need("application_id"),
    need("kind"),
    need("csrf"),
    need("created_at", Micros()),
    sa.Column("expires_at", Micros(), nullable=False, index=True),
    need("created_by"),
)
