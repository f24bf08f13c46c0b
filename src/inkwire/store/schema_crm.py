"""The tables that keep Box and Salesforce in step; see `schema` for the conventions.

All is plain: ids, states, names of files and records, and what is to be noted in Salesforce. The
`…_term` columns are folded, for search.
"""

import sqlalchemy as sa

from inkwire.model.crm import AttachmentState, BulkJobState, FolderState
from inkwire.store.schema import Micros, make_id, may, metadata, need, partial, text

IS_MAPPED: sa.ColumnElement[bool] = sa.literal_column(f"state = '{FolderState.MAPPED.value}'")
HAS_RECORD: sa.ColumnElement[bool] = sa.literal_column("record_id IS NOT NULL")
HAS_ARRIVED: sa.ColumnElement[bool] = sa.literal_column(
    f"(state = '{AttachmentState.STORED.value}' OR state = '{AttachmentState.VERIFIED.value}')"
)
IS_FIRST: sa.ColumnElement[bool] = sa.literal_column(
    f"(first AND state <> '{AttachmentState.FAILED.value}')"
)
IN_BATCH: sa.ColumnElement[bool] = sa.literal_column("batch_id IS NOT NULL")
HAS_WHAT: sa.ColumnElement[bool] = sa.literal_column("what_id IS NOT NULL")
UNDER_WAY: sa.ColumnElement[bool] = sa.literal_column(f"state <> '{BulkJobState.ENDED.value}'")

#: Lists walk `updated_at` from its end; `synced_at` stands in no index, for it moves with each
#: file.
record_folders = sa.Table(
    "record_folders",
    metadata,
    sa.Column("integration_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("folder_id", text(), primary_key=True),
    need("name"),
    need("path"),
    need("state"),
    need("origin"),
    need("object"),
    may("record_id"),
    need("record_name"),
    may("account_id"),
    need("owner_email"),
    need("collaboration_id"),
    need("note"),
    need("checked_at", Micros()),
    may("synced_at", Micros()),
    need("created_at", Micros()),
    need("updated_at", Micros()),
    need("name_term"),
    need("record_term"),
    sa.Index("ix_record_folders_updated", "updated_at", "integration_id", "folder_id"),
    sa.Index("ix_record_folders_integration", "integration_id", "updated_at", "folder_id"),
    sa.Index("ix_record_folders_state", "state", "updated_at", "integration_id", "folder_id"),
    sa.Index(
        "ix_record_folders_integration_state", "integration_id", "state", "updated_at", "folder_id"
    ),
    partial(
        "ix_record_folders_record",
        HAS_RECORD,
        "record_id",
        "updated_at",
        "integration_id",
        "folder_id",
    ),
    partial(
        "ix_record_folders_mapped",
        IS_MAPPED,
        "integration_id",
        "record_id",
        "created_at",
        "folder_id",
    ),
    sa.Index("ix_record_folders_name_term", "name_term"),
    sa.Index("ix_record_folders_record_term", "record_term"),
)

#: The unique index `uq_attachments_first` is the last word on "a version is published once".
attachments = sa.Table(
    "attachments",
    metadata,
    make_id(),
    need("integration_id", sa.BigInteger()),
    need("file_id"),
    need("version_id"),
    need("version_number", sa.BigInteger()),
    need("name"),
    need("size", sa.BigInteger()),
    need("sha1"),
    need("record_id"),
    need("object"),
    need("first", sa.Boolean()),
    need("state"),
    need("md5"),
    need("content_version_id"),
    need("document_id"),
    need("work_id"),
    need("note"),
    need("created_at", Micros()),
    may("stored_at", Micros()),
    may("verified_at", Micros()),
    need("name_term"),
    sa.Index(
        "uq_attachments_record",
        "integration_id",
        "file_id",
        "version_id",
        "record_id",
        unique=True,
    ),
    partial(
        "uq_attachments_first", IS_FIRST, "integration_id", "file_id", "version_id", unique=True
    ),
    partial(
        "ix_attachments_latest",
        HAS_ARRIVED,
        "integration_id",
        "file_id",
        "version_number",
        "id",
    ),
    sa.Index("ix_attachments_integration", "integration_id", "id"),
    sa.Index("ix_attachments_state", "state", "id"),
    sa.Index("ix_attachments_integration_state", "integration_id", "state", "id"),
    sa.Index("ix_attachments_file", "file_id", "id"),
    sa.Index("ix_attachments_version", "version_id", "id"),
    sa.Index("ix_attachments_record", "record_id", "id"),
    sa.Index("ix_attachments_work", "work_id", "id"),
    sa.Index("ix_attachments_name_term", "name_term"),
)

activities = sa.Table(
    "activities",
    metadata,
    make_id(),
    need("integration_id", sa.BigInteger()),
    need("key"),
    need("subject"),
    need("description"),
    may("who_id"),
    may("what_id"),
    need("activity_date"),
    need("state"),
    may("batch_id"),
    need("task_id"),
    need("work_id"),
    need("note"),
    need("created_at", Micros()),
    may("done_at", Micros()),
    sa.Index("uq_activities_key", "integration_id", "key", unique=True),
    partial("ix_activities_batch", IN_BATCH, "integration_id", "batch_id", "id"),
    partial("ix_activities_what", HAS_WHAT, "what_id", "id"),
    sa.Index("ix_activities_integration", "integration_id", "id"),
    sa.Index("ix_activities_state", "state", "id"),
    sa.Index("ix_activities_integration_state", "integration_id", "state", "id"),
    sa.Index("ix_activities_work", "work_id", "id"),
)

#: A few thousand Tasks each, so there are few; batch ids sort by time.
bulk_jobs = sa.Table(
    "bulk_jobs",
    metadata,
    sa.Column("batch_id", text(), primary_key=True),
    need("integration_id", sa.BigInteger()),
    need("state"),
    need("job_id"),
    need("size", sa.BigInteger()),
    need("processed", sa.BigInteger()),
    need("failed", sa.BigInteger()),
    need("said"),
    need("note"),
    need("created_at", Micros()),
    need("look_at", Micros()),
    may("ended_at", Micros()),
    sa.Index("ix_bulk_jobs_integration", "integration_id", "batch_id"),
    partial("ix_bulk_jobs_under_way", UNDER_WAY, "integration_id", "batch_id"),
)

#: The last word of each connection's organisation.
api_usages = sa.Table(
    "api_usages",
    metadata,
    sa.Column(
        "connection_id",
        text(),
        sa.ForeignKey("connections.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    need("used", sa.BigInteger()),
    need("most", sa.BigInteger()),
    need("at", Micros()),
)

#: Of a value no more than its mark. Conflicts and failures are few, lists of them walk an index.
field_states = sa.Table(
    "field_states",
    metadata,
    sa.Column("integration_id", sa.BigInteger(), primary_key=True, autoincrement=False),
    sa.Column("folder_id", text(), primary_key=True),
    sa.Column("field", text(), primary_key=True),
    need("target"),
    need("record_id"),
    need("state"),
    need("mark"),
    may("source"),
    need("author"),
    need("note"),
    may("agreed_at", Micros()),
    need("updated_at", Micros()),
    sa.Index("ix_field_states_updated", "updated_at", "integration_id", "folder_id", "field"),
    sa.Index("ix_field_states_integration", "integration_id", "updated_at", "folder_id", "field"),
    sa.Index(
        "ix_field_states_state", "state", "updated_at", "integration_id", "folder_id", "field"
    ),
    sa.Index(
        "ix_field_states_integration_state",
        "integration_id",
        "state",
        "updated_at",
        "folder_id",
        "field",
    ),
)
