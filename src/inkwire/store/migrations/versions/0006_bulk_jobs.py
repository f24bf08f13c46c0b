"""Jobs of Salesforce's Bulk API, each with thousands of Tasks."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MICROS = sa.BigInteger()
NUMBER = sa.BigInteger()


def _need(name: str, kind: sa.types.TypeEngine = TEXT) -> sa.Column:  # type: ignore[type-arg]
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    op.create_table(
        "bulk_jobs",
        _need("batch_id"),
        _need("integration_id", NUMBER),
        _need("state"),
        _need("job_id"),
        _need("size", NUMBER),
        _need("processed", NUMBER),
        _need("failed", NUMBER),
        _need("said"),
        _need("note"),
        _need("created_at", MICROS),
        _need("look_at", MICROS),
        sa.Column("ended_at", MICROS, nullable=True),
        sa.PrimaryKeyConstraint("batch_id", name="pk_bulk_jobs"),
    )
    columns = ["integration_id", "batch_id"]
    op.create_index("ix_bulk_jobs_integration", "bulk_jobs", columns)
    where = sa.text("state <> 'ended'")
    op.create_index(
        "ix_bulk_jobs_under_way", "bulk_jobs", columns, sqlite_where=where, postgresql_where=where
    )
