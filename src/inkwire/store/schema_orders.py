"""The tables of orders; see `schema` for the conventions.

Plain are the ids, states and times, and what an order is found by: its number, and the customer's
name and e-mail address. Texts of timelines and evidence are plain too, so whoever writes them
names ids and statuses there, and nothing of an order's content.
"""

import sqlalchemy as sa

from inkwire.model.document import DocumentKind, SignState
from inkwire.store.schema import Json, Micros, make_id, may, metadata, need, partial, text

NOT_DELETED: sa.ColumnElement[bool] = sa.literal_column("deleted_at IS NULL")
IS_OPEN: sa.ColumnElement[bool] = sa.literal_column(f"state = '{SignState.OPEN.value}'")
IS_TO_BE_CHECKED: sa.ColumnElement[bool] = sa.literal_column("next_check_at IS NOT NULL")
IS_UNJUDGED: sa.ColumnElement[bool] = sa.literal_column(
    f"(kind = '{DocumentKind.SIGNED.value}' AND verdict IS NULL)"
)

order_statuses = sa.Table(
    "order_statuses",
    metadata,
    sa.Column("code", text(), primary_key=True),
    need("name"),
    need("transitions", Json()),
    need("terminal", sa.Boolean()),
    need("position", sa.Integer()),
)

#: `content` (customer, company, blocks, fields) is sealed under `data_key`, which the master key
#: wraps; null: erased. The `…_term` columns are folded, for search.
orders = sa.Table(
    "orders",
    metadata,
    make_id(),
    need("number"),
    need("status"),
    need("currency"),
    need("version", sa.Integer()),
    need("number_term"),
    need("name_term"),
    need("email_term"),
    need("created_at", Micros()),
    need("updated_at", Micros()),
    need("status_at", Micros()),
    may("deleted_at", Micros()),
    need("data_key", sa.LargeBinary()),
    may("content", sa.LargeBinary()),
    partial("uq_orders_number", NOT_DELETED, "number", unique=True),
    partial("ix_orders_status", NOT_DELETED, "status", "id"),
    partial("ix_orders_number_term", NOT_DELETED, "number_term", "id"),
    partial("ix_orders_name_term", NOT_DELETED, "name_term", "id"),
    partial("ix_orders_email_term", NOT_DELETED, "email_term", "id"),
)

#: Changes that are made once, by the name that their makers gave them.
order_changes = sa.Table(
    "order_changes",
    metadata,
    sa.Column("order_id", text(), primary_key=True),
    sa.Column("once", text(), primary_key=True),
    sqlite_with_rowid=False,
)

#: Timelines.
order_lines = sa.Table(
    "order_lines",
    metadata,
    make_id(),
    need("order_id"),
    need("at", Micros()),
    need("kind"),
    need("text"),
    need("actor"),
    need("refs", Json()),
    sa.Index("ix_order_lines_order", "order_id", "id"),
)

evidence_links = sa.Table(
    "evidence_links",
    metadata,
    sa.Column("order_id", text(), primary_key=True),
    sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
    need("kind"),
    need("text"),
    need("at", Micros()),
    need("facts", Json()),
    need("previous"),
    need("digest"),
    sqlite_with_rowid=False,
)

templates = sa.Table(
    "templates",
    metadata,
    make_id(),
    need("name"),
    need("version", sa.Integer()),
    need("created_at", Micros()),
    need("updated_at", Micros()),
)

template_versions = sa.Table(
    "template_versions",
    metadata,
    sa.Column(
        "template_id", text(), sa.ForeignKey("templates.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
    need("source"),
    need("created_at", Micros()),
    need("created_by"),
)

#: `data_key` opens the document's blob; null: erased, and the blob with it.
documents = sa.Table(
    "documents",
    metadata,
    make_id(),
    need("order_id"),
    need("kind"),
    need("name"),
    need("media_type"),
    need("size", sa.BigInteger()),
    need("sha256"),
    need("sha1"),
    need("origin"),
    need("blob"),
    may("sign_request_id"),
    may("verdict", Json()),
    need("created_at", Micros()),
    may("data_key", sa.LargeBinary()),
    sa.Index("uq_documents_origin", "order_id", "origin", unique=True),
    sa.Index("ix_documents_order", "order_id", "id"),
    partial("ix_documents_unjudged", IS_UNJUDGED, "id"),
)

#: `id` is the vendor's.
sign_requests = sa.Table(
    "sign_requests",
    metadata,
    make_id(),
    need("integration_id", sa.BigInteger()),
    need("order_id"),
    need("external_id"),
    need("state"),
    need("vendor_status"),
    may("work_id"),
    need("file_ids", Json()),
    need("signer_email"),
    may("next_check_at", Micros()),
    need("checks", sa.Integer()),
    may("expires_at", Micros()),
    need("created_at", Micros()),
    need("updated_at", Micros()),
    sa.Index("ix_sign_requests_order", "order_id", "created_at"),
    partial("ix_sign_requests_open", IS_OPEN, "order_id"),
    partial("ix_sign_requests_due", IS_TO_BE_CHECKED, "integration_id", "next_check_at"),
)
