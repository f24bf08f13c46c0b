"""What a store does to keep Box and Salesforce in step. See `contract`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from inkwire.model.access import AuditEntry
from inkwire.model.crm import (
    Activity,
    ActivityState,
    ApiUsage,
    Attachment,
    AttachmentState,
    BulkJob,
    BulkJobState,
    FieldAgreement,
    FieldState,
    FolderState,
    RecordFolder,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderQuery:
    """Filters of the list of folders; all given ones must hold. Newest change first."""

    integration_id: int | None = None
    state: FolderState | None = None
    record_id: str | None = None
    #: Beginning of the folder's or the record's name, whatever its case.
    name: str = ""
    #: Rows to leave out at the beginning.
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachmentQuery:
    """Filters of the list of attachments; all given ones must hold. Newest first."""

    integration_id: int | None = None
    state: AttachmentState | None = None
    file_id: str | None = None
    version_id: str | None = None
    record_id: str | None = None
    work_id: str | None = None
    #: Beginning of the file's name, whatever its case.
    name: str = ""
    before: str | None = None
    #: Only what is newer than this id.
    after: str | None = None
    limit: int = 50


class RecordFolders(Protocol):
    """Folders and their records."""

    def put(self, folder: RecordFolder, *, audit: AuditEntry | None = None) -> RecordFolder:
        """Keeps it in place of one of the same integration and folder, whose `created_at` stays.

        `audit`: of a person who did it. Without, a folder that a person mapped stays that
        record's: what is there is returned.
        """
        ...

    def get(self, integration_id: int, folder_id: str) -> RecordFolder | None:
        """One folder, or None."""
        ...

    def known(self, integration_id: int, folder_ids: Collection[str]) -> Mapping[str, RecordFolder]:
        """Those of the given folders (≤ 200) that are known, by id."""
        ...

    def of_record(self, integration_id: int, record_id: str) -> RecordFolder | None:
        """The MAPPED folder of a record, the oldest if there are several; None without."""
        ...

    def of_records(
        self, integration_id: int, record_ids: Collection[str]
    ) -> Mapping[str, RecordFolder]:
        """As `of_record`, of each of many records (≤ 200) that has one."""
        ...

    def touch(self, integration_id: int, folder_id: str, *, synced_at: datetime) -> None:
        """Notes that something went through it."""
        ...

    def shared(
        self,
        integration_id: int,
        folder_id: str,
        *,
        owner_email: str,
        collaboration_id: str,
        at: datetime,
    ) -> RecordFolder | None:
        """Notes whom Inkwire gave access, and nothing else; the folder as it is now, or None."""
        ...

    def page(self, query: FolderQuery) -> list[RecordFolder]:
        """At most `query.limit` folders."""
        ...

    def counts(self, integration_id: int | None = None) -> Mapping[FolderState, int]:
        """How many folders are in each state (each counted up to 10,000)."""
        ...


class Attachments(Protocol):
    """Which file version reached which record."""

    def plan(self, rows: Sequence[Attachment]) -> list[Attachment]:
        """Keeps those whose (integration, file, version, record) is free; what is there, in order.

        One that is FAILED or LEFT_OUT becomes PLANNED again, as it is given (`created_at` and id
        stay). Of a version one row at most is the `first` that is neither: another that is given as
        such becomes a link, and a planned link becomes the first if it is given as such and there
        is none.
        """
        ...

    def of_version(self, integration_id: int, file_id: str, version_id: str) -> list[Attachment]:
        """The rows of one version, the first record before the others."""
        ...

    def latest(self, integration_id: int, file_id: str) -> Attachment | None:
        """The STORED or VERIFIED row of the newest version (by number, then age), or None."""
        ...

    def stored(
        self, attachment_id: str, *, content_version_id: str, md5: str, size: int, at: datetime
    ) -> Attachment:
        """PLANNED → STORED; one that is further stays. Raises NotFound."""
        ...

    def verified(
        self, attachment_id: str, *, document_id: str, content_version_id: str, at: datetime
    ) -> Attachment:
        """PLANNED or STORED → VERIFIED; others stay (FAILED: plan it again). Raises NotFound."""
        ...

    def failed(self, attachment_id: str, *, note: str, at: datetime) -> Attachment:
        """PLANNED or STORED → FAILED with a sentence; VERIFIED stays. Raises NotFound."""
        ...

    def left_out(self, attachment_id: str, *, note: str) -> Attachment:
        """PLANNED → LEFT_OUT with a sentence, and no longer the `first`; others stay.

        Raises NotFound.
        """
        ...

    def unsettled(self, integration_id: int, *, limit: int = 200) -> list[Attachment]:
        """STORED rows, and PLANNED links whose version is STORED or VERIFIED; oldest first."""
        ...

    def page(self, query: AttachmentQuery) -> list[Attachment]:
        """At most `query.limit` rows."""
        ...

    def counts(self, integration_id: int | None = None) -> Mapping[AttachmentState, int]:
        """How many rows are in each state (each counted up to 10,000)."""
        ...


class Activities(Protocol):
    """Tasks for Salesforce, sent in batches."""

    def add(self, rows: Sequence[Activity]) -> int:
        """Keeps those whose (integration, key) is free; how many those were."""
        ...

    def claim(self, integration_id: int, *, batch_id: str, limit: int) -> list[Activity]:
        """The oldest WAITING ones (≤ 200) become SENDING in that batch.

        Asked again with the same batch it gives the same rows, whatever became of them, and takes
        no others (one whose rows were all released is a new one).
        """
        ...

    def batches(self, integration_id: int) -> list[str]:
        """Batches that have rows in SENDING, oldest first, at most 100.

        Those of Bulk jobs that are under way are left out: see `BulkJobs.under_way`.
        """
        ...

    def sending(self, integration_id: int, batch_id: str) -> list[Activity]:
        """All rows of a batch that are SENDING, oldest first; thousands if it is a Bulk job's."""
        ...

    def waiting(self, integration_id: int, *, most: int) -> int:
        """How many are WAITING, counted up to `most`."""
        ...

    def done(self, tasks: Mapping[str, str], *, at: datetime) -> None:
        """Activities (by id) → DONE with the ids of their Tasks; one that is DONE stays."""
        ...

    def failed(self, notes: Mapping[str, str], *, at: datetime) -> None:
        """Activities (by id) → FAILED with a sentence each; one that is DONE stays."""
        ...

    def release(self, ids: Collection[str], *, batch_id: str) -> None:
        """SENDING in that batch → WAITING, out of it: nothing was made of them.

        One that is in another batch by now stays: whoever comes too late releases nothing.
        """
        ...

    def again(self, ids: Collection[str], *, audit: AuditEntry) -> int:
        """FAILED → WAITING, out of their batch, note empty: a person asked; how many those were."""
        ...

    def of_work(self, work_id: str) -> list[Activity]:
        """What one work row noted, oldest first."""
        ...

    def page(
        self,
        *,
        integration_id: int | None = None,
        state: ActivityState | None = None,
        what_id: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Activity]:
        """Activities, newest first."""
        ...

    def counts(self, integration_id: int | None = None) -> Mapping[ActivityState, int]:
        """How many are in each state (each counted up to 10,000)."""
        ...


class BulkJobs(Protocol):
    """Jobs of Salesforce's Bulk API, each with the Tasks of one batch."""

    def begin(self, job: BulkJob) -> BulkJob:
        """Keeps it, GATHERING; one of its integration that still gathers is returned instead."""
        ...

    def gather(self, batch_id: str, *, limit: int) -> list[Activity]:
        """The oldest WAITING activities (≤ 200) become SENDING in it, besides those that are.

        Those that it took; none when its job is not GATHERING any more.
        """
        ...

    def opened(self, batch_id: str, *, job_id: str, look_at: datetime) -> BulkJob:
        """GATHERING → OPEN with Salesforce's id and the number of its rows.

        One that has an id already, or has ended, stays as it is. Raises NotFound.
        """
        ...

    def noted(
        self,
        batch_id: str,
        *,
        state: BulkJobState,
        said: str,
        processed: int,
        failed: int,
        look_at: datetime,
    ) -> None:
        """What Salesforce said of one that is OPEN or QUEUED."""
        ...

    def ended(
        self, batch_id: str, *, note: str, at: datetime, only: BulkJobState | None = None
    ) -> bool:
        """→ ENDED, with a sentence; one that is ENDED stays, and one that is not `only` that.

        Whether it did.
        """
        ...

    def under_way(self, integration_id: int) -> list[BulkJob]:
        """Those that are not ENDED, oldest first, at most 100."""
        ...

    def of(self, batch_ids: Collection[str]) -> Mapping[str, BulkJob]:
        """Those of the given batches (≤ 200) that are Bulk jobs, by batch."""
        ...

    def newest(self, integration_id: int, *, limit: int = 10) -> list[BulkJob]:
        """The newest first, whatever their state."""
        ...

    def forget(self, *, before: datetime, limit: int) -> int:
        """Deletes up to `limit` that ended before, the oldest end first; how many.

        One of which an activity is still SENDING stays.
        """
        ...


class ApiUsages(Protocol):
    """What organisations have used of their daily calls, as their answers say."""

    def note(self, usage: ApiUsage) -> None:
        """Keeps the newest of a connection; nothing for one that is not there."""
        ...

    def get(self, connection_id: str) -> ApiUsage | None:
        """The last one noted, or None."""
        ...


class FieldStates(Protocol):
    """Whether the mapped fields of folders and their records are in step."""

    def of_folder(self, integration_id: int, folder_id: str) -> list[FieldState]:
        """All of one folder, by field."""
        ...

    def put(self, states: Sequence[FieldState], *, audit: AuditEntry | None = None) -> None:
        """Keeps each in place of one of the same integration, folder and field.

        `audit`: of a person who asked, kept even without rows.
        """
        ...

    def forget(self, integration_id: int, folder_id: str, fields: Collection[str]) -> None:
        """Takes rows out, of fields that are no longer mapped."""
        ...

    def page(
        self,
        *,
        integration_id: int | None = None,
        state: FieldAgreement | None = None,
        limit: int = 50,
    ) -> list[FieldState]:
        """Fields, newest change first."""
        ...

    def counts(self, integration_id: int | None = None) -> Mapping[FieldAgreement, int]:
        """How many are in each state (each counted up to 10,000)."""
        ...
