"""Box and Salesforce in step: which folder is which record, what reached it, what was noted."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class FolderState(StrEnum):
    """Whether a folder's record is known."""

    MAPPED = "mapped"
    #: It says nothing of a record itself: the folder above it answers for what is in it.
    BELOW = "below"
    #: Looked for, and nothing found; looked for again when something changes.
    UNMAPPED = "unmapped"
    #: More than one record fits, or the record belongs to another folder: a person decides.
    CONFLICT = "conflict"
    #: The record was deleted, or the folder.
    GONE = "gone"


class FolderOrigin(StrEnum):
    """How a folder's record became known."""

    #: The metadata template on the folder names it.
    METADATA = "metadata"
    #: The rule on the folder's path (R50): an id or a name in it.
    RULE = "rule"
    #: Inkwire made the folder for it.
    PROVISIONED = "provisioned"
    #: A person said so; nothing that is found later overrules it.
    PERSON = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordFolder:
    """A Box folder, and the Salesforce record that it stands for. Unique by integration, folder."""

    integration_id: int
    folder_id: str
    #: Name and path as last seen, e.g. `/Clients/Acme/Renewal`.
    name: str
    path: str
    state: FolderState
    origin: FolderOrigin
    #: `Opportunity`, `Account` or any object with Files; "" while there is no record.
    object: str = ""
    #: 18 characters.
    record_id: str | None = None
    #: The record's name, for people.
    record_name: str = ""
    #: Account of the record, itself for an Account; None if it has none.
    account_id: str | None = None
    #: Whom Inkwire gave access, and by which collaboration at Box.
    owner_email: str = ""
    collaboration_id: str = ""
    #: Why it is in this state, a sentence for a person.
    note: str = ""
    #: When Box or Salesforce were last asked, and when something last went through it.
    checked_at: datetime
    synced_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


class AttachmentState(StrEnum):
    """How far a file version is on its way to a record."""

    #: Meant; the ledger knows whether it was sent.
    PLANNED = "planned"
    #: Salesforce has answered with an id; not yet compared.
    STORED = "stored"
    #: MD5 and size are those that were read from Box, and it stands on the record.
    VERIFIED = "verified"
    #: It cannot come to that record, or other bytes arrived; `note` says why.
    FAILED = "failed"
    #: Its turn came after a newer version was there, and Salesforce takes no older one after that;
    #: nothing is wrong, and nobody has to do anything.
    LEFT_OUT = "left_out"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """One version of a Box file, and one record that it reached. Unique by those and integration.

    The first record of a version is the one that the ContentVersion is published to; to others it
    is linked.
    """

    id: str
    integration_id: int
    file_id: str
    version_id: str
    #: From 1; 0 if Box did not say.
    version_number: int
    #: The file's name at that time.
    name: str
    #: Bytes, and SHA-1 in hex, as Box says.
    size: int
    sha1: str
    record_id: str
    object: str
    #: Whether the version was published to this record; else it was linked.
    first: bool
    state: AttachmentState = AttachmentState.PLANNED
    #: MD5 in hex of the bytes that were sent.
    md5: str = ""
    #: ContentVersion (068…) and ContentDocument (069…).
    content_version_id: str = ""
    document_id: str = ""
    #: Work that brought it there.
    work_id: str
    note: str = ""
    created_at: datetime
    stored_at: datetime | None = None
    verified_at: datetime | None = None


class ActivityState(StrEnum):
    """How far an activity is."""

    WAITING = "waiting"
    #: In a batch that was, or is about to be, sent.
    SENDING = "sending"
    DONE = "done"
    #: Salesforce refuses it for good; `note` says why.
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Activity:
    """A Task that is to stand in Salesforce. Unique by integration and key."""

    id: str
    integration_id: int
    #: What it is about, so that a repeat makes no second one: `evt_…`, `view/FILE/WHO/2026-03-01`.
    key: str
    #: At most 255 characters.
    subject: str
    description: str
    #: Contact or lead, and the record that it is related to; None for none.
    who_id: str | None
    what_id: str | None
    activity_date: date
    state: ActivityState = ActivityState.WAITING
    #: Batch that it was sent in.
    batch_id: str | None = None
    #: Id of the Task (00T…).
    task_id: str = ""
    work_id: str
    note: str = ""
    created_at: datetime
    done_at: datetime | None = None


class BulkJobState(StrEnum):
    """How far a Bulk API job of Tasks is."""

    #: Tasks are being put into it; Salesforce has no row of it.
    GATHERING = "gathering"
    #: Salesforce has given it an id; its rows are there whole, or not at all.
    OPEN = "open"
    #: Its rows are there, and Salesforce works on them.
    QUEUED = "queued"
    #: Its results are kept, or nothing is to be had of it any more.
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class BulkJob:
    """A job of Salesforce's Bulk API 2.0 with many Tasks. Unique by its batch."""

    #: Batch of the activities in it (`blk_…`).
    batch_id: str
    integration_id: int
    state: BulkJobState = BulkJobState.GATHERING
    #: Salesforce's id (750…); "" while it has none.
    job_id: str = ""
    #: Tasks in it; 0 while they are gathered.
    size: int = 0
    #: Rows that Salesforce has worked on, those among them that it refused, and its own word for
    #: the state (`InProgress`), as it said last.
    processed: int = 0
    failed: int = 0
    said: str = ""
    #: A sentence for a person.
    note: str = ""
    created_at: datetime
    #: When Salesforce is asked about it next.
    look_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiUsage:
    """Calls that a connection's organisation has used of its rolling day."""

    connection_id: str
    used: int
    most: int
    at: datetime


class FieldSide(StrEnum):
    """One of the two places where a mapped field stands."""

    BOX = "box"
    SALESFORCE = "salesforce"


class FieldAgreement(StrEnum):
    """Whether both sides of a mapped field say the same."""

    IN_STEP = "in_step"
    #: Both differ, and no rule says who wins: a person decides.
    CONFLICT = "conflict"
    #: The value cannot go to the other side; `note` says why.
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldState:
    """A mapped field of one folder. Unique by integration, folder and field.

    Values are not kept, only the mark of the one that both sides had when they agreed last.
    """

    integration_id: int
    folder_id: str
    #: Key in Box's metadata template.
    field: str
    #: `Opportunity.Amount`.
    target: str
    record_id: str
    state: FieldAgreement
    #: SHA-256 in hex of the value agreed on, with the field's place and type; "" before.
    mark: str = ""
    #: Where that value came from, and who wrote it, if that is known; None: both had it.
    source: FieldSide | None = None
    author: str = ""
    note: str = ""
    #: When both agreed last; None: never yet.
    agreed_at: datetime | None = None
    updated_at: datetime
