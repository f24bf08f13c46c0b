"""What the console calls folders, arrivals and Tasks between Box and Salesforce."""

from collections.abc import Mapping

from inkwire.integrations.box_salesforce import field_map
from inkwire.integrations.box_salesforce.field_map import Direction, ValueType, Verdict
from inkwire.model.crm import (
    Activity,
    ActivityState,
    ApiUsage,
    Attachment,
    AttachmentState,
    BulkJobState,
    FieldAgreement,
    FieldSide,
    FolderOrigin,
    FolderState,
    RecordFolder,
)
from inkwire.pages.marks import Mark, Tone

#: Shares of the day's calls from which files go first, and only files go.
HIGH, FULL = 70, 90

FOLDERS: Mapping[FolderState, Mark] = {
    FolderState.MAPPED: Mark(
        word="Mapped",
        icon="circle-check",
        tone=Tone.OK,
        meaning="Its record is known: what is put into it reaches that record.",
    ),
    FolderState.BELOW: Mark(
        word="Below",
        icon="arrow-up",
        tone=Tone.NEUTRAL,
        meaning="The folder above it is mapped: what is put here reaches that record.",
    ),
    FolderState.UNMAPPED: Mark(
        word="No record",
        icon="circle-help",
        tone=Tone.ATTENTION,
        meaning="No record was found for it. Its files are kept and wait.",
    ),
    FolderState.CONFLICT: Mark(
        word="Conflict",
        icon="triangle-alert",
        tone=Tone.FAILED,
        meaning="More than one record fits, or its record has another folder. A person decides.",
    ),
    FolderState.GONE: Mark(
        word="Gone",
        icon="circle-minus",
        tone=Tone.NEUTRAL,
        meaning="The record was deleted, or the folder. Nothing goes through it any more.",
    ),
}
ORIGINS: Mapping[FolderOrigin, str] = {
    FolderOrigin.METADATA: "by its metadata",
    FolderOrigin.RULE: "by its path",
    FolderOrigin.PROVISIONED: "made for it",
    FolderOrigin.PERSON: "by a person",
}
ARRIVALS: Mapping[AttachmentState, Mark] = {
    AttachmentState.PLANNED: Mark(
        word="On its way",
        icon="send",
        tone=Tone.WAITING,
        meaning="It is meant for the record, and does not stand on it yet.",
    ),
    AttachmentState.STORED: Mark(
        word="Stored",
        icon="clock",
        tone=Tone.WAITING,
        meaning="Salesforce has it; its MD5 and size are compared in a moment.",
    ),
    AttachmentState.VERIFIED: Mark(
        word="Verified",
        icon="circle-check",
        tone=Tone.OK,
        meaning="MD5 and size in Salesforce are those of the bytes that Box gave.",
    ),
    AttachmentState.FAILED: Mark(
        word="Failed",
        icon="circle-x",
        tone=Tone.FAILED,
        meaning="It cannot come to that record, or other bytes arrived.",
    ),
    AttachmentState.LEFT_OUT: Mark(
        word="Left out",
        icon="circle-minus",
        tone=Tone.NEUTRAL,
        meaning="It did not arrive, and that is right: a newer version is there, and Salesforce "
        "takes no older one after that.",
    ),
}
TASKS: Mapping[ActivityState, Mark] = {
    ActivityState.WAITING: Mark(
        word="Waiting",
        icon="clock",
        tone=Tone.WAITING,
        meaning="It goes to Salesforce with the next batch.",
    ),
    ActivityState.SENDING: Mark(
        word="Being sent",
        icon="send",
        tone=Tone.WAITING,
        meaning="Sent, and not confirmed yet. It is looked for before anything is sent again.",
    ),
    ActivityState.DONE: Mark(
        word="Done", icon="circle-check", tone=Tone.OK, meaning="The Task stands in Salesforce."
    ),
    ActivityState.FAILED: Mark(
        word="Refused",
        icon="circle-x",
        tone=Tone.FAILED,
        meaning="Salesforce refuses it; its sentence says why.",
    ),
}
IN_JOB = Mark(
    word="In a Bulk job",
    icon="send",
    tone=Tone.WAITING,
    meaning="It is in a job of Salesforce's Bulk API, whose results are read once it has ended.",
)
JOBS: Mapping[BulkJobState, Mark] = {
    BulkJobState.GATHERING: Mark(
        word="Gathering",
        icon="clock",
        tone=Tone.WAITING,
        meaning="Tasks are put into it; Salesforce has none of them yet.",
    ),
    BulkJobState.OPEN: Mark(
        word="Uploading",
        icon="send",
        tone=Tone.WAITING,
        meaning="Salesforce has opened it; its Tasks are on their way there.",
    ),
    BulkJobState.QUEUED: Mark(
        word="In Salesforce",
        icon="clock",
        tone=Tone.WAITING,
        meaning="Salesforce works on it; it is looked at every few minutes.",
    ),
    BulkJobState.ENDED: Mark(
        word="Ended",
        icon="circle-check",
        tone=Tone.NEUTRAL,
        meaning="Its results were read; each Task says what became of it.",
    ),
}
NOT_COMPARED = Mark(
    word="Not compared",
    icon="circle-help",
    tone=Tone.NEUTRAL,
    meaning="It is compared with the next change, or once somebody asks.",
)
FIELDS: Mapping[FieldAgreement, Mark] = {
    FieldAgreement.IN_STEP: Mark(
        word="In step",
        icon="circle-check",
        tone=Tone.OK,
        meaning="Box and Salesforce had the same value when they were last compared.",
    ),
    FieldAgreement.CONFLICT: Mark(
        word="Conflict",
        icon="triangle-alert",
        tone=Tone.FAILED,
        meaning="Both sides differ, and the map names nobody who wins. A person decides.",
    ),
    FieldAgreement.FAILED: Mark(
        word="Failed",
        icon="circle-x",
        tone=Tone.FAILED,
        meaning="The value cannot go to the other side; the sentence says why.",
    ),
}
SIDES: Mapping[FieldSide, str] = {FieldSide.BOX: "Box", FieldSide.SALESFORCE: "Salesforce"}
TAKE: Mapping[FieldSide, str] = {
    FieldSide.BOX: "Take Box's",
    FieldSide.SALESFORCE: "Take Salesforce's",
}
DIRECTIONS: Mapping[str, str] = {
    Direction.BOTH: "Box ↔ Salesforce",
    Direction.TO_SALESFORCE: "Box → Salesforce",
    Direction.TO_BOX: "Salesforce → Box",
}
TYPES: Mapping[str, str] = {
    ValueType.TEXT: "Text",
    ValueType.NUMBER: "Number",
    ValueType.DATE: "Date",
    ValueType.FLAG: "Flag",
}
#: Types of Box's templates as its Admin Console calls them.
BOX_TYPES: Mapping[str, str] = {
    "string": "text",
    "float": "number",
    "date": "date",
    "enum": "drop-down",
    "multiSelect": "multi-select",
}
NOBODY = "Nobody"
WINNERS: Mapping[str, str] = {
    field_map.NOBODY: "Nobody: a person decides",
    FieldSide.BOX: "Box wins",
    FieldSide.SALESFORCE: "Salesforce wins",
    "": "Where the value comes from",
}
#: The side that a verdict writes.
WRITTEN: Mapping[str, str] = {
    Verdict.TO_BOX: SIDES[FieldSide.BOX],
    Verdict.TO_SALESFORCE: SIDES[FieldSide.SALESFORCE],
}
#: What a dry run says of a field, what a person should look at first.
VERDICTS: Mapping[str, Mark] = {
    "failed": Mark(
        word="Cannot go over",
        icon="circle-x",
        tone=Tone.FAILED,
        meaning="The value cannot be read, or the other side would not take it.",
    ),
    Verdict.CONFLICT: Mark(
        word="Conflict",
        icon="triangle-alert",
        tone=Tone.ATTENTION,
        meaning="Both sides differ, and the map names nobody who wins. A person would decide.",
    ),
    Verdict.TO_SALESFORCE: Mark(
        word="To Salesforce",
        icon="arrow-right",
        tone=Tone.WAITING,
        meaning="Box’s value would be written to Salesforce.",
    ),
    Verdict.TO_BOX: Mark(
        word="To Box",
        icon="arrow-right",
        tone=Tone.WAITING,
        meaning="Salesforce’s value would be written to Box.",
    ),
    Verdict.AGREED: Mark(
        word="In step",
        icon="circle-check",
        tone=Tone.OK,
        meaning="Both sides have the same value already.",
    ),
}
#: What waits for a person, with the number of fields.
FIELDS_WAIT: Mapping[FieldAgreement, str] = {
    FieldAgreement.CONFLICT: "In conflict between Box and Salesforce: {fields}. Each stays as it "
    "is until a person decides.",
    FieldAgreement.FAILED: "Cannot be brought in step: {fields}.",
}
#: What the next page says after something was done.
SAID: Mapping[str, str] = {
    "folder_mapped": "Noted. What waited for this folder's record is started again.",
    "folder_looked": "Asked. A worker looks at Box and Salesforce for its record.",
    "fields_asked": "Asked. A worker brings the fields in step.",
    "fields_compared": "Asked. A worker reads both values and writes nothing.",
    "field_map_saved": "Saved. Every folder is compared by the new map within the hour.",
    "field_taken": "Noted. A worker writes that value to the other side.",
    "unmapped_woken": "Started {n} again. What still finds no record waits again.",
    "version_retried": "Started again. What arrived already is not sent twice.",
    "tasks_retried": "{n} go with the next batch.",
}


def folder_name(folder: RecordFolder) -> str:
    """A folder as people know it."""
    return folder.name or f"Folder {folder.folder_id}"


def record_name(folder: RecordFolder) -> str:
    """A record as people know it: its name, else its id; empty without one."""
    return folder.record_name or folder.record_id or ""


def version_name(row: Attachment) -> str:
    """`MSA.pdf, version 2`."""
    return f"{row.name}, version {row.version_number}" if row.version_number else row.name


def task_about(row: Activity) -> str:
    """The records that a Task stands on."""
    return " and ".join(one for one in (row.what_id, row.who_id) if one)


def share(usage: ApiUsage) -> int:
    """Per cent of the day's calls that are used, at most 100."""
    return min(100, round(100 * usage.used / usage.most)) if usage.most else 0


def limit_mark(percent: int) -> Mark:
    """How the day's calls stand."""
    if percent >= FULL:
        return Mark(
            word="Files only",
            icon="triangle-alert",
            tone=Tone.FAILED,
            meaning="Nearly all calls of the day are used: Tasks and folders wait, files go on.",
        )
    if percent >= HIGH:
        return Mark(
            word="High",
            icon="circle-pause",
            tone=Tone.ATTENTION,
            meaning="Much of the day's calls is used; what can be batched is batched.",
        )
    return Mark(
        word="Enough left",
        icon="circle-check",
        tone=Tone.OK,
        meaning="The day's calls suffice at this speed.",
    )
