"""Rows of what keeps Box and Salesforce in step, to models and back. No I/O."""

from datetime import date, datetime
from typing import Any

from inkwire.model.crm import (
    Activity,
    ActivityState,
    ApiUsage,
    Attachment,
    AttachmentState,
    BulkJob,
    BulkJobState,
    FieldAgreement,
    FieldSide,
    FieldState,
    FolderOrigin,
    FolderState,
    RecordFolder,
)
from inkwire.moments import to_micros
from inkwire.providers.payload import fold
from inkwire.store import schema_crm as tables
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable
from inkwire.store.rows import Row

#: Characters of a Task's Description, as Salesforce takes them: its end says whose it is.
MAX_DESCRIPTION = 32_000

FOLDER_FIELDS = tuple(
    column for column in tables.record_folders.c if column.name not in ("name_term", "record_term")
)
ATTACHMENT_FIELDS = tuple(column for column in tables.attachments.c if column.name != "name_term")
#: Columns as `folder_row`, `attachment_row` and `activity_row` give them.
FOLDER_COLUMNS = tuple(column.name for column in tables.record_folders.c)
ATTACHMENT_COLUMNS = tuple(column.name for column in tables.attachments.c)
ACTIVITY_COLUMNS = tuple(column.name for column in tables.activities.c)
BULK_COLUMNS = tuple(column.name for column in tables.bulk_jobs.c)
FIELD_COLUMNS = tuple(column.name for column in tables.field_states.c)


def folder(row: Row) -> RecordFolder:
    """A folder from FOLDER_FIELDS."""
    values = _values(row)
    values["state"] = FolderState(row.state)
    values["origin"] = FolderOrigin(row.origin)
    return RecordFolder(**values)


def folder_row(one: RecordFolder) -> tuple[Any, ...]:
    """The columns FOLDER_COLUMNS of a folder, as they lie in the table."""
    require_keepable(one.folder_id, one.record_id, one.account_id, one.object, one.collaboration_id)
    return (
        one.integration_id,
        one.folder_id,
        clean(one.name),
        clean(one.path),
        one.state.value,
        one.origin.value,
        one.object,
        one.record_id,
        clean(one.record_name),
        one.account_id,
        clean(one.owner_email),
        one.collaboration_id,
        clean(one.note),
        to_micros(one.checked_at),
        _micros(one.synced_at),
        to_micros(one.created_at),
        to_micros(one.updated_at),
        fold(one.name),
        fold(one.record_name),
    )


def attachment(row: Row) -> Attachment:
    """An attachment from ATTACHMENT_FIELDS."""
    return Attachment(**_values(row) | {"state": AttachmentState(row.state)})


def attachment_row(one: Attachment) -> tuple[Any, ...]:
    """The columns ATTACHMENT_COLUMNS of an attachment, as they lie in the table."""
    require_keepable(one.id, one.file_id, one.version_id, one.record_id, one.object, one.work_id)
    require_keepable(one.sha1, one.md5, one.content_version_id, one.document_id)
    return (
        one.id,
        one.integration_id,
        one.file_id,
        one.version_id,
        one.version_number,
        clean(one.name),
        one.size,
        one.sha1,
        one.record_id,
        one.object,
        one.first,
        one.state.value,
        one.md5,
        one.content_version_id,
        one.document_id,
        one.work_id,
        clean(one.note),
        to_micros(one.created_at),
        _micros(one.stored_at),
        _micros(one.verified_at),
        fold(one.name),
    )


def activity(row: Row) -> Activity:
    """An activity from a whole row."""
    values = _values(row)
    values["state"] = ActivityState(row.state)
    values["activity_date"] = date.fromisoformat(row.activity_date)
    return Activity(**values)


def activity_row(one: Activity) -> tuple[Any, ...]:
    """The columns ACTIVITY_COLUMNS of an activity, as they lie in the table."""
    require_keepable(one.id, one.key, one.who_id, one.what_id, one.batch_id, one.work_id)
    require_keepable(one.task_id)
    return (
        one.id,
        one.integration_id,
        one.key,
        clean(one.subject),
        clean(one.description, MAX_DESCRIPTION),
        one.who_id,
        one.what_id,
        one.activity_date.isoformat(),
        one.state.value,
        one.batch_id,
        one.task_id,
        one.work_id,
        clean(one.note),
        to_micros(one.created_at),
        _micros(one.done_at),
    )


def bulk_job(row: Row) -> BulkJob:
    """A Bulk job from a whole row."""
    return BulkJob(**_values(row) | {"state": BulkJobState(row.state)})


def bulk_row(one: BulkJob) -> tuple[Any, ...]:
    """The columns BULK_COLUMNS of a Bulk job, as they lie in the table."""
    require_keepable(one.batch_id, one.job_id)
    return (
        one.batch_id,
        one.integration_id,
        one.state.value,
        one.job_id,
        one.size,
        one.processed,
        one.failed,
        clean(one.said),
        clean(one.note),
        to_micros(one.created_at),
        to_micros(one.look_at),
        _micros(one.ended_at),
    )


def field_state(row: Row) -> FieldState:
    """A mapped field from a whole row."""
    values = _values(row)
    values["state"] = FieldAgreement(row.state)
    values["source"] = FieldSide(row.source) if row.source is not None else None
    return FieldState(**values)


def field_row(one: FieldState) -> tuple[Any, ...]:
    """The columns FIELD_COLUMNS of a mapped field, as they lie in the table."""
    require_keepable(one.folder_id, one.field, one.target, one.record_id, one.mark)
    return (
        one.integration_id,
        one.folder_id,
        one.field,
        one.target,
        one.record_id,
        one.state.value,
        one.mark,
        None if one.source is None else one.source.value,
        clean(one.author),
        clean(one.note),
        _micros(one.agreed_at),
        to_micros(one.updated_at),
    )


def api_usage(row: Row) -> ApiUsage:
    """An organisation's calls from a whole row."""
    return ApiUsage(**_values(row))


def _values(row: Row) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
