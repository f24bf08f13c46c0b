"""Orders: statuses, timelines, templates, documents, sign requests, evidence."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
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
    return sa.Column(name, sa.Integer(), nullable=False, autoincrement=False)


def _partial(
    name: str, table: str, columns: list[str], condition: str, *, unique: bool = False
) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def upgrade() -> None:
    _orders()
    _history()
    _templates()
    _documents()
    _sign_requests()


def _orders() -> None:
    op.create_table(
        "order_statuses",
        _need("code"),
        _need("name"),
        _need("transitions"),
        _need("terminal", sa.Boolean()),
        _need("position", sa.Integer()),
        sa.PrimaryKeyConstraint("code", name="pk_order_statuses"),
    )
    op.create_table(
        "orders",
        _need("id"),
        _need("number"),
        _need("status"),
        _need("currency"),
        _need("version", sa.Integer()),
        _need("number_term"),
        _need("name_term"),
        _need("email_term"),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        _need("status_at", MICROS),
        _may("deleted_at", MICROS),
        _need("data_key", BYTES),
        _may("content", BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_orders"),
    )
    live = "deleted_at IS NULL"
    _partial("uq_orders_number", "orders", ["number"], live, unique=True)
    _partial("ix_orders_status", "orders", ["status", "id"], live)
    for term in ("number_term", "name_term", "email_term"):
        _partial(f"ix_orders_{term}", "orders", [term, "id"], live)


def _history() -> None:
    op.create_table(
        "order_changes",
        _need("order_id"),
        _need("once"),
        sa.PrimaryKeyConstraint("order_id", "once", name="pk_order_changes"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "order_lines",
        _need("id"),
        _need("order_id"),
        _need("at", MICROS),
        _need("kind"),
        _need("text"),
        _need("actor"),
        _need("refs"),
        sa.PrimaryKeyConstraint("id", name="pk_order_lines"),
    )
    op.create_index("ix_order_lines_order", "order_lines", ["order_id", "id"])
    op.create_table(
        "evidence_links",
        _need("order_id"),
        _numbered("seq"),
        _need("kind"),
        _need("text"),
        _need("at", MICROS),
        _need("facts"),
        _need("previous"),
        _need("digest"),
        sa.PrimaryKeyConstraint("order_id", "seq", name="pk_evidence_links"),
        sqlite_with_rowid=False,
    )


def _templates() -> None:
    op.create_table(
        "templates",
        _need("id"),
        _need("name"),
        _need("version", sa.Integer()),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_templates"),
    )
    op.create_table(
        "template_versions",
        _need("template_id"),
        _numbered("version"),
        _need("source"),
        _need("created_at", MICROS),
        _need("created_by"),
        sa.PrimaryKeyConstraint("template_id", "version", name="pk_template_versions"),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["templates.id"],
            name="fk_template_versions_template_id",
            ondelete="CASCADE",
        ),
    )


def _documents() -> None:
    op.create_table(
        "documents",
        _need("id"),
        _need("order_id"),
        _need("kind"),
        _need("name"),
        _need("media_type"),
        _need("size", NUMBER),
        _need("sha256"),
        _need("sha1"),
        _need("origin"),
        _need("blob"),
        _may("sign_request_id"),
        _may("verdict"),
        _need("created_at", MICROS),
        _may("data_key", BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
    )
    op.create_index("uq_documents_origin", "documents", ["order_id", "origin"], unique=True)
    op.create_index("ix_documents_order", "documents", ["order_id", "id"])
    _partial("ix_documents_unjudged", "documents", ["id"], "(kind = 'signed' AND verdict IS NULL)")


def _sign_requests() -> None:
    op.create_table(
        "sign_requests",
        _need("id"),
        _need("integration_id", NUMBER),
        _need("order_id"),
        _need("external_id"),
        _need("state"),
        _need("vendor_status"),
        _may("work_id"),
        _need("file_ids"),
        _need("signer_email"),
        _may("next_check_at", MICROS),
        _need("checks", sa.Integer()),
        _may("expires_at", MICROS),
        _need("created_at", MICROS),
        _need("updated_at", MICROS),
        sa.PrimaryKeyConstraint("id", name="pk_sign_requests"),
    )
    op.create_index("ix_sign_requests_order", "sign_requests", ["order_id", "created_at"])
    _partial("ix_sign_requests_open", "sign_requests", ["order_id"], "state = 'open'")
    _partial(
        "ix_sign_requests_due",
        "sign_requests",
        ["integration_id", "next_check_at"],
        "next_check_at IS NOT NULL",
    )
