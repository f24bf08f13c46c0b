"""Box and Salesforce: record folders, attachments, activities; second connections, consents."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
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
    """A part of a primary key whose numbers we give out ourselves."""
    return sa.Column(name, NUMBER, nullable=False, autoincrement=False)


def _partial(
    name: str, table: str, columns: list[str], condition: str, *, unique: bool = False
) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    _connections()
    _work()
    _record_folders()
    _attachments()
    _activities()
    _api_usages()
    _field_states()


def _of_connection(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["connection_id"],
        ["connections.id"],
        name=f"fk_{table}_connection_id",
        ondelete="CASCADE",
    )


def _connections() -> None:
    second = "second_connection_id"
    reference = sa.ForeignKey("connections.id", name=f"fk_integrations_{second}")
    op.add_column(
        "integrations",
        sa.Column(second, TEXT, reference, nullable=True),
        inline_references=True,
    )
    op.create_index(f"ix_integrations_{second}", "integrations", [second])
    op.create_table(
        "connection_authorizations",
        _need("connection_id"),
        _need("state_hash", BYTES),
        _need("redirect_uri"),
        _need("session"),
        _need("until", MICROS),
        _need("sealed", BYTES),
        sa.PrimaryKeyConstraint("connection_id", name="pk_connection_authorizations"),
        sa.UniqueConstraint("state_hash", name="uq_connection_authorizations_state_hash"),
        _of_connection("connection_authorizations"),
    )


def _work() -> None:
    """What waits for a mapping is started by nobody, as what waits for a person."""
    op.drop_index("ix_work_waiting", "work")
    _partial(
        "ix_work_waiting",
        "work",
        ["integration_id", "entity_key", "created_at", "id"],
        "(state = 'new' OR (state = 'parked' AND park_cause <> 'person' "
        "AND park_cause <> 'mapping'))",
    )
    _partial("ix_work_cause", "work", ["park_cause", "id"], "state = 'parked'")
    _partial(
        "ix_work_unmapped",
        "work",
        ["integration_id", "due_at", "id"],
        "(state = 'parked' AND park_cause = 'mapping')",
    )
    _partial(
        "ix_work_acted",
        "work",
        ["integration_id", "state", "id"],
        "(entity_key < 'integration:' OR entity_key >= 'integration;')",
    )


def _record_folders() -> None:
    op.create_table(
        "record_folders",
        _numbered("integration_id"),
        _need("folder_id"),
        _need("name"),
        _need("path"),
        _need("state"),
        _need("origin"),
        _need("object"),
        _may("record_id"),
        _need("record_name"),
        _may("account_id"),
        _need("owner_email"),
        _need("collaboration_id"),
        _need("note"),
        _need("checked_at", MICROS),
        _may("synced_at", MICROS),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        _need("name_term"),
        _need("record_term"),
        sa.PrimaryKeyConstraint("integration_id", "folder_id", name="pk_record_folders"),
    )
    here = ["integration_id", "folder_id"]
    for name, columns in (
        ("updated", ["updated_at", *here]),
        ("integration", ["integration_id", "updated_at", "folder_id"]),
        ("state", ["state", "updated_at", *here]),
        ("integration_state", ["integration_id", "state", "updated_at", "folder_id"]),
        ("name_term", ["name_term"]),
        ("record_term", ["record_term"]),
    ):
        op.create_index(f"ix_record_folders_{name}", "record_folders", columns)
    _partial(
        "ix_record_folders_record",
        "record_folders",
        ["record_id", "updated_at", *here],
        "record_id IS NOT NULL",
    )
    _partial(
        "ix_record_folders_mapped",
        "record_folders",
        ["integration_id", "record_id", "created_at", "folder_id"],
        "state = 'mapped'",
    )


def _attachments() -> None:
    op.create_table(
        "attachments",
        _need("id"),
        _need("integration_id", NUMBER),
        _need("file_id"),
        _need("version_id"),
        _need("version_number", NUMBER),
        _need("name"),
        _need("size", NUMBER),
        _need("sha1"),
        _need("record_id"),
        _need("object"),
        _need("first", sa.Boolean()),
        _need("state"),
        _need("md5"),
        _need("content_version_id"),
        _need("document_id"),
        _need("work_id"),
        _need("note"),
        _need("created_at", MICROS),
        _may("stored_at", MICROS),
        _may("verified_at", MICROS),
        _need("name_term"),
        sa.PrimaryKeyConstraint("id", name="pk_attachments"),
    )
    version = ["integration_id", "file_id", "version_id"]
    op.create_index("uq_attachments_record", "attachments", [*version, "record_id"], unique=True)
    _partial(
        "uq_attachments_first", "attachments", version, "(first AND state <> 'failed')", unique=True
    )
    for name, columns in (
        ("integration", ["integration_id", "id"]),
        ("state", ["state", "id"]),
        ("integration_state", ["integration_id", "state", "id"]),
        ("file", ["file_id", "id"]),
        ("version", ["version_id", "id"]),
        ("record", ["record_id", "id"]),
        ("work", ["work_id", "id"]),
        ("name_term", ["name_term"]),
    ):
        op.create_index(f"ix_attachments_{name}", "attachments", columns)
    _partial(
        "ix_attachments_latest",
        "attachments",
        ["integration_id", "file_id", "version_number", "id"],
        "(state = 'stored' OR state = 'verified')",
    )


def _activities() -> None:
    op.create_table(
        "activities",
        _need("id"),
        _need("integration_id", NUMBER),
        _need("key"),
        _need("subject"),
        _need("description"),
        _may("who_id"),
        _may("what_id"),
        _need("activity_date"),
        _need("state"),
        _may("batch_id"),
        _need("task_id"),
        _need("work_id"),
        _need("note"),
        _need("created_at", MICROS),
        _may("done_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_activities"),
    )
    op.create_index("uq_activities_key", "activities", ["integration_id", "key"], unique=True)
    for name, columns in (
        ("integration", ["integration_id", "id"]),
        ("state", ["state", "id"]),
        ("integration_state", ["integration_id", "state", "id"]),
        ("work", ["work_id", "id"]),
    ):
        op.create_index(f"ix_activities_{name}", "activities", columns)
    _partial(
        "ix_activities_batch",
        "activities",
        ["integration_id", "batch_id", "id"],
        "batch_id IS NOT NULL",
    )
    _partial("ix_activities_what", "activities", ["what_id", "id"], "what_id IS NOT NULL")


def _api_usages() -> None:
    op.create_table(
        "api_usages",
        _need("connection_id"),
        _need("used", NUMBER),
        _need("most", NUMBER),
        _need("at", MICROS),
        sa.PrimaryKeyConstraint("connection_id", name="pk_api_usages"),
        _of_connection("api_usages"),
    )


def _field_states() -> None:
    op.create_table(
        "field_states",
        _numbered("integration_id"),
        _need("folder_id"),
        _need("field"),
        _need("target"),
        _need("record_id"),
        _need("state"),
        _need("mark"),
        _may("source"),
        _need("author"),
        _need("note"),
        _may("agreed_at", MICROS),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("integration_id", "folder_id", "field", name="pk_field_states"),
    )
    here = ["folder_id", "field"]
    for name, columns in (
        ("updated", ["updated_at", "integration_id", *here]),
        ("integration", ["integration_id", "updated_at", *here]),
        ("state", ["state", "updated_at", "integration_id", *here]),
        ("integration_state", ["integration_id", "state", "updated_at", *here]),
    ):
        op.create_index(f"ix_field_states_{name}", "field_states", columns)
