"""Acting: connections, integrations, work, the ledger, runs, executors, commands."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BYTES = sa.LargeBinary()
MICROS = sa.BigInteger()
NUMBER = sa.BigInteger()
COUNT = sa.Integer()


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
    _connections()
    _integrations()
    _work()
    _ledger()
    _run_log()
    _workers()


def _connections() -> None:
    op.create_table(
        "connections",
        _need("id"),
        _need("provider"),
        _need("name"),
        _need("method"),
        _need("settings"),
        _need("health"),
        _need("health_note"),
        _may("health_at", MICROS),
        _may("token_expires_at", MICROS),
        _need("generation", NUMBER),
        _may("leased_until", MICROS),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        _may("token", BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_connections"),
    )
    op.create_table(
        "connection_secrets",
        _need("connection_id"),
        _need("name"),
        _need("set_at", MICROS),
        _need("sealed", BYTES),
        sa.PrimaryKeyConstraint("connection_id", "name", name="pk_connection_secrets"),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["connections.id"],
            name="fk_connection_secrets_connection_id",
            ondelete="CASCADE",
        ),
    )


def _integrations() -> None:
    op.create_table(
        "integrations",
        _numbered("id"),
        _need("kind"),
        _need("name"),
        _need("state"),
        _need("settings"),
        _may("connection_id"),
        _need("source_ids"),
        _need("remote"),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_integrations"),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name="fk_integrations_connection_id"
        ),
    )
    op.create_index("ix_integrations_connection_id", "integrations", ["connection_id"])


def _work() -> None:
    op.create_table(
        "work",
        _need("id"),
        _need("integration_id", NUMBER),
        _need("key"),
        _need("workflow"),
        _need("entity_key"),
        _need("origin"),
        _may("event_id"),
        _need("subject"),
        _need("state"),
        _need("run_number", COUNT),
        _need("failures", COUNT),
        _need("takeovers", COUNT),
        _need("due_at", MICROS),
        _may("executor_id"),
        _may("park_cause"),
        _may("error_kind"),
        _need("note"),
        _need("cancel_asked", sa.Boolean()),
        _need("created_at", MICROS),
        _may("started_at", MICROS),
        _may("finished_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_work"),
    )
    waits = "(state = 'new' OR (state = 'parked' AND park_cause <> 'person'))"
    entity = ["integration_id", "entity_key"]
    op.create_index("uq_work_key", "work", ["integration_id", "key"], unique=True)
    _partial("uq_work_running", "work", entity, "state = 'running'", unique=True)
    _partial("ix_work_waiting", "work", [*entity, "created_at", "id"], waits)
    _partial("ix_work_executor", "work", ["executor_id", "id"], "state = 'running'")
    _partial("ix_work_parked", "work", ["park_cause", "integration_id", "id"], "state = 'parked'")
    _partial("ix_work_event", "work", ["event_id", "id"], "event_id IS NOT NULL")
    op.create_index("ix_work_integration", "work", ["integration_id", "id"])
    op.create_index("ix_work_state", "work", ["state", "id"])
    op.create_index("ix_work_entity", "work", ["entity_key", "id"])
    op.create_table(
        "work_lanes",
        _numbered("integration_id"),
        _need("entity_key"),
        _may("work_id"),
        _may("due_at", MICROS),
        sa.PrimaryKeyConstraint("integration_id", "entity_key", name="pk_work_lanes"),
    )
    op.create_index("ix_work_lanes_due", "work_lanes", ["integration_id", "due_at"])


def _ledger() -> None:
    op.create_table(
        "ledger",
        _need("key"),
        _need("kind"),
        _need("integration_id", NUMBER),
        _need("work_id"),
        _need("entity_key"),
        _need("state"),
        _need("fence", NUMBER),
        _may("remote_id"),
        _may("run_id"),
        _may("sent_at", MICROS),
        _need("probes", COUNT),
        _need("sends", COUNT),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("key", name="pk_ledger"),
    )
    op.create_index("ix_ledger_work", "ledger", ["work_id", "key"])
    op.create_index("ix_ledger_updated", "ledger", ["updated_at", "key"])
    op.create_index("ix_ledger_state", "ledger", ["state", "updated_at", "key"])


def _run_log() -> None:
    op.create_table(
        "steps",
        _need("id"),
        _need("work_id"),
        _need("run_id"),
        _need("name"),
        _need("attempt", COUNT),
        _need("result"),
        _need("detail"),
        _may("value"),
        _need("started_at", MICROS),
        _need("duration_us", NUMBER),
        sa.PrimaryKeyConstraint("id", name="pk_steps"),
    )
    op.create_index("uq_steps_try", "steps", ["run_id", "name", "attempt"], unique=True)
    op.create_index("ix_steps_work", "steps", ["work_id", "started_at", "id"])
    op.create_index("ix_steps_started", "steps", ["started_at"])
    op.create_table(
        "calls",
        _need("id"),
        _need("connection_id"),
        _may("work_id"),
        _may("run_id"),
        _need("method"),
        _need("path"),
        _may("status", COUNT),
        _need("vendor_id"),
        _need("error"),
        _need("body_sha256"),
        _need("started_at", MICROS),
        _need("duration_us", NUMBER),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    _partial("ix_calls_work", "calls", ["work_id", "id"], "work_id IS NOT NULL")
    op.create_index("ix_calls_connection", "calls", ["connection_id", "id"])
    op.create_index("ix_calls_started", "calls", ["started_at"])


def _workers() -> None:
    op.create_table(
        "executors",
        _need("id"),
        _need("host"),
        _need("version"),
        _need("started_at", MICROS),
        _need("beat_at", MICROS),
        _may("stopped_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_executors"),
    )
    op.create_table(
        "commands",
        _need("id"),
        _need("kind"),
        _need("target"),
        _need("state"),
        _may("result"),
        _need("error"),
        _need("created_at", MICROS),
        _need("created_by"),
        _may("done_at", MICROS),
        _may("leased_until", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_commands"),
    )
    op.create_index("ix_commands_target", "commands", ["kind", "target", "id"])
    _partial("ix_commands_asked", "commands", ["id"], "state = 'new'")
