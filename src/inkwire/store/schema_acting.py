"""The tables of acting; see `schema` for the conventions."""

import sqlalchemy as sa

from inkwire.model.work import CommandState, ParkCause, WorkState
from inkwire.store.schema import Json, Micros, make_id, may, metadata, need, partial, text

#: Rows that are started by themselves; a row that waits for a person or a mapping is none.
WAITS: sa.ColumnElement[bool] = sa.literal_column(
    f"(state = '{WorkState.NEW.value}' OR "
    f"(state = '{WorkState.PARKED.value}' AND park_cause <> '{ParkCause.PERSON.value}' "
    f"AND park_cause <> '{ParkCause.MAPPING.value}'))"
)
RUNS: sa.ColumnElement[bool] = sa.literal_column(f"state = '{WorkState.RUNNING.value}'")
IS_PARKED: sa.ColumnElement[bool] = sa.literal_column(f"state = '{WorkState.PARKED.value}'")
IS_UNMAPPED: sa.ColumnElement[bool] = sa.literal_column(
    f"(state = '{WorkState.PARKED.value}' AND park_cause = '{ParkCause.MAPPING.value}')"
)
#: What the clock makes, by its entity; and the rest.
IS_UPKEEP: sa.ColumnElement[bool] = sa.literal_column(
    "(entity_key >= 'integration:' AND entity_key < 'integration;')"
)
NO_UPKEEP: sa.ColumnElement[bool] = sa.literal_column(
    "(entity_key < 'integration:' OR entity_key >= 'integration;')"
)
OF_AN_EVENT: sa.ColumnElement[bool] = sa.literal_column("event_id IS NOT NULL")
OF_WORK: sa.ColumnElement[bool] = sa.literal_column("work_id IS NOT NULL")
IS_ASKED: sa.ColumnElement[bool] = sa.literal_column(f"state = '{CommandState.NEW.value}'")

#: `token` holds what the token endpoint gave, wrapped by the master key.
connections = sa.Table(
    "connections",
    metadata,
    make_id(),
    need("provider"),
    need("name"),
    need("method"),
    need("settings", Json()),
    need("health"),
    need("health_note"),
    may("health_at", Micros()),
    may("token_expires_at", Micros()),
    need("generation", sa.BigInteger()),
    may("leased_until", Micros()),
    need("created_at", Micros()),
    need("updated_at", Micros()),
    may("token", sa.LargeBinary()),
)

connection_secrets = sa.Table(
    "connection_secrets",
    metadata,
    sa.Column(
        "connection_id",
        text(),
        sa.ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("name", text(), primary_key=True),
    need("set_at", Micros()),
    need("sealed", sa.LargeBinary()),
)

#: At most one consent of a person is waited for at a time. `sealed`: the verifier.
connection_authorizations = sa.Table(
    "connection_authorizations",
    metadata,
    sa.Column(
        "connection_id",
        text(),
        sa.ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("state_hash", sa.LargeBinary(), nullable=False, unique=True),
    need("redirect_uri"),
    need("session"),
    need("until", Micros()),
    need("sealed", sa.LargeBinary()),
)

#: The foreign keys keep a connection from going while somebody names it.
integrations = sa.Table(
    "integrations",
    metadata,
    sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
    need("kind"),
    need("name"),
    need("state"),
    need("settings", Json()),
    sa.Column("connection_id", text(), sa.ForeignKey("connections.id"), nullable=True, index=True),
    sa.Column(
        "second_connection_id", text(), sa.ForeignKey("connections.id"), nullable=True, index=True
    ),
    need("source_ids", Json()),
    need("remote", Json()),
    need("created_at", Micros()),
    need("updated_at", Micros()),
)

#: The unique index `uq_work_running` is the last word on "one row of an entity runs at a time".
#: Arrival is (created_at, id): no other index gives this order, so no planner can mistake it.
work = sa.Table(
    "work",
    metadata,
    make_id(),
    need("integration_id", sa.BigInteger()),
    need("key"),
    need("workflow"),
    need("entity_key"),
    need("origin"),
    may("event_id"),
    need("subject", Json()),
    need("state"),
    need("run_number", sa.Integer()),
    need("failures", sa.Integer()),
    need("takeovers", sa.Integer()),
    need("due_at", Micros()),
    may("executor_id"),
    may("park_cause"),
    may("error_kind"),
    need("note"),
    need("cancel_asked", sa.Boolean()),
    need("created_at", Micros()),
    may("started_at", Micros()),
    may("finished_at", Micros()),
    sa.Index("uq_work_key", "integration_id", "key", unique=True),
    partial("uq_work_running", RUNS, "integration_id", "entity_key", unique=True),
    partial("ix_work_waiting", WAITS, "integration_id", "entity_key", "created_at", "id"),
    partial("ix_work_executor", RUNS, "executor_id", "id"),
    partial("ix_work_parked", IS_PARKED, "park_cause", "integration_id", "id"),
    partial("ix_work_cause", IS_PARKED, "park_cause", "id"),
    partial("ix_work_unmapped", IS_UNMAPPED, "integration_id", "due_at", "id"),
    partial("ix_work_event", OF_AN_EVENT, "event_id", "id"),
    sa.Index("ix_work_integration", "integration_id", "id"),
    partial("ix_work_acted", NO_UPKEEP, "integration_id", "state", "id"),
    sa.Index("ix_work_state", "state", "id"),
    sa.Index("ix_work_entity", "entity_key", "id"),
)

#: One row for each (integration, entity) with work that waits or runs: which row is the next, and
#: when; both null while one runs. Whoever changes such work holds this row.
work_lanes = sa.Table(
    "work_lanes",
    metadata,
    sa.Column("integration_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("entity_key", text(), primary_key=True),
    may("work_id"),
    may("due_at", Micros()),
    sa.Index("ix_work_lanes_due", "integration_id", "due_at"),
)

ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("key", text(), primary_key=True),
    need("kind"),
    need("integration_id", sa.BigInteger()),
    need("work_id"),
    need("entity_key"),
    need("state"),
    need("fence", sa.BigInteger()),
    may("remote_id"),
    may("run_id"),
    may("sent_at", Micros()),
    need("probes", sa.Integer()),
    need("sends", sa.Integer()),
    need("updated_at", Micros()),
    sa.Index("ix_ledger_work", "work_id", "key"),
    sa.Index("ix_ledger_updated", "updated_at", "key"),
    sa.Index("ix_ledger_state", "state", "updated_at", "key"),
)

steps = sa.Table(
    "steps",
    metadata,
    make_id(),
    need("work_id"),
    need("run_id"),
    need("name"),
    need("attempt", sa.Integer()),
    need("result"),
    need("detail"),
    may("value", Json()),
    need("started_at", Micros()),
    need("duration_us", sa.BigInteger()),
    sa.Index("uq_steps_try", "run_id", "name", "attempt", unique=True),
    sa.Index("ix_steps_work", "work_id", "started_at", "id"),
    sa.Index("ix_steps_started", "started_at"),
)

calls = sa.Table(
    "calls",
    metadata,
    make_id(),
    need("connection_id"),
    may("work_id"),
    may("run_id"),
    need("method"),
    need("path"),
    may("status", sa.Integer()),
    need("vendor_id"),
    need("error"),
    need("body_sha256"),
    need("started_at", Micros()),
    need("duration_us", sa.BigInteger()),
    partial("ix_calls_work", OF_WORK, "work_id", "id"),
    sa.Index("ix_calls_connection", "connection_id", "id"),
    sa.Index("ix_calls_started", "started_at"),
)

executors = sa.Table(
    "executors",
    metadata,
    make_id(),
    need("host"),
    need("version"),
    need("started_at", Micros()),
    need("beat_at", Micros()),
    may("stopped_at", Micros()),
)

#: `sealed` holds what is asked while it waits, then the answer, wrapped by the master key.
commands = sa.Table(
    "commands",
    metadata,
    make_id(),
    need("kind"),
    need("target"),
    need("state"),
    need("error"),
    need("created_at", Micros()),
    need("created_by"),
    may("done_at", Micros()),
    may("leased_until", Micros()),
    may("sealed", sa.LargeBinary()),
    sa.Index("ix_commands_target", "kind", "target", "id"),
    partial("ix_commands_asked", IS_ASKED, "id"),
)
