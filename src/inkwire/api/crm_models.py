"""What the API takes and answers about folders, arrivals and Tasks between Box and Salesforce."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import Field

from inkwire.api.fields import Cursor, Input, Next, Output, Page, Term, Text
from inkwire.api.integration_models import IntegrationTerm
from inkwire.integrations.box_salesforce.field_checks import Finding
from inkwire.integrations.box_salesforce.field_map import MOST as MOST_LINES
from inkwire.integrations.box_salesforce.field_trying import MOST, SOME
from inkwire.integrations.crm_desk import Backlog
from inkwire.integrations.field_map_desk import MapView
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
from inkwire.model.work import WorkState
from inkwire.store.contract import MAX_PAGE

_MOST_OFFSET = 10_000
#: A record's id in a query.
RecordTerm = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$",
        description="A record's id, of 15 or 18 characters.",
    ),
]


class FolderFilters(Input):
    """The filters of the mapping; all that are given must hold."""

    integration: IntegrationTerm | None = None
    state: FolderState | None = None
    record: RecordTerm | None = None
    name: Term | None = Field(
        None, description="Beginning of the folder's or the record's name, whatever its case."
    )
    offset: int = Field(0, ge=0, le=_MOST_OFFSET, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=MAX_PAGE, description="Most items of one page.")


class AttachmentFilters(Page):
    """The filters of the arrivals; all that are given must hold."""

    integration: IntegrationTerm | None = None
    state: AttachmentState | None = None
    file: Term | None = Field(None, description="A file's id in Box.")
    version: Term | None = Field(None, description="A version's id in Box.")
    record: RecordTerm | None = None
    work: Cursor | None = Field(None, description="The work that brought it.")
    name: Term | None = Field(None, description="Beginning of the file's name, whatever its case.")


class ActivityFilters(Page):
    """The filters of the Tasks; all that are given must hold."""

    integration: IntegrationTerm | None = None
    state: ActivityState | None = None
    record: RecordTerm | None = None


class FolderOut(Output):
    """A folder in Box, and the record in Salesforce that it stands for."""

    integration_id: str = Field(examples=["int_7"])
    folder_id: str
    name: str
    path: str = Field(description="As last seen; empty if nobody has looked yet.")
    state: FolderState
    origin: FolderOrigin = Field(description="How its record became known.")
    object: str = Field(description="Empty while there is no record.", examples=["Opportunity"])
    record_id: str | None
    record_name: str
    account_id: str | None
    owner_email: str = Field(description="Who was given access for owning the record.")
    note: str = Field(description="Why it is in this state.")
    checked_at: datetime = Field(description="When its record was last looked for.")
    synced_at: datetime | None = Field(description="When something last went through it.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def shown(cls, folder: RecordFolder) -> Self:
        """With the integration's label."""
        return cls(**_labelled(cls, folder))


class FoldersPage(Output):
    """A page of the mapping, newest change first."""

    items: list[FolderOut]
    next: int | None = Field(
        description="Give it as `offset` to get the next page; null on the last page."
    )


class AttachmentOut(Output):
    """One version of a file, and one record that it was to reach."""

    id: str
    integration_id: str = Field(examples=["int_7"])
    file_id: str
    version_id: str
    version_number: int = Field(description="From 1; 0 if Box did not say.")
    name: str
    size: int = Field(description="Bytes.")
    sha1: str = Field(description="Hex, as Box says.")
    md5: str = Field(description="Hex, of the bytes that were sent; empty before.")
    object: str
    record_id: str
    first: bool = Field(description="Published to this record; else linked to it.")
    state: AttachmentState
    content_version_id: str = Field(description="068…; empty before.")
    document_id: str = Field(description="069…; empty before.")
    work_id: str
    note: str
    created_at: datetime
    stored_at: datetime | None
    verified_at: datetime | None = Field(
        description="When MD5 and size in Salesforce were found to be those of the bytes from Box."
    )

    @classmethod
    def shown(cls, row: Attachment) -> Self:
        """With the integration's label."""
        return cls(**_labelled(cls, row))


class AttachmentsPage(Output):
    """A page of arrivals, newest first."""

    items: list[AttachmentOut]
    next: Next


class VersionOut(Output):
    """Every record that one version was to reach."""

    items: list[AttachmentOut]


class ActivityOut(Output):
    """A Task that stands in Salesforce, or is to."""

    id: str
    integration_id: str = Field(examples=["int_7"])
    key: str = Field(description="What it is about; unique within the integration.")
    subject: str
    description: str
    who_id: str | None = Field(description="Contact or lead.")
    what_id: str | None = Field(description="The record.")
    activity_date: date
    state: ActivityState
    batch_id: str | None
    job_id: str = Field(description="Bulk job that it went in (750…); empty if it went in none.")
    task_id: str = Field(description="00T…; empty before.")
    work_id: str
    note: str
    created_at: datetime
    done_at: datetime | None

    @classmethod
    def shown(cls, row: Activity, jobs: Mapping[str, BulkJob]) -> Self:
        """With the integration's label; `jobs`: by batch."""
        job = jobs.get(row.batch_id or "")
        return cls(**_labelled(cls, row, job_id=job.job_id if job is not None else ""))


class ActivitiesPage(Output):
    """A page of Tasks, newest first."""

    items: list[ActivityOut]
    next: Next


class UsageOut(Output):
    """Calls of the rolling day that an organisation has used, as Salesforce said last."""

    connection_id: str
    used: int
    most: int
    at: datetime


class BulkJobOut(Output):
    """A job of Salesforce's Bulk API with many Tasks."""

    batch_id: str
    job_id: str = Field(description="750…; empty before it has one.")
    state: BulkJobState
    size: int = Field(description="Tasks in it.")
    processed: int = Field(description="That Salesforce has worked on, as it said last.")
    failed: int = Field(description="Those among them that it refused.")
    said: str = Field(description="Salesforce's own word.", examples=["InProgress"])
    note: str
    created_at: datetime
    look_at: datetime = Field(description="When it is looked at next, unless it has ended.")
    ended_at: datetime | None


class BacklogOut(Output):
    """How far an integration is; each state is counted up to 10,000."""

    work: Mapping[WorkState, int] = Field(description="Without upkeep.")
    attachments: Mapping[AttachmentState, int]
    activities: Mapping[ActivityState, int]
    folders: Mapping[FolderState, int]
    jobs: list[BulkJobOut] = Field(description="Bulk jobs of Tasks, the newest first, at most 10.")
    per_minute: float = Field(description="Work that ended a minute lately; 0: too little to say.")
    ends_at: datetime | None = Field(description="When what waits will be done at that speed.")
    usage: UsageOut | None = Field(description="null: Salesforce has not said yet.")

    @classmethod
    def shown(
        cls, backlog: Backlog, folders: Mapping[FolderState, int], usage: ApiUsage | None
    ) -> Self:
        """From the desk."""
        return cls(
            work=backlog.works,
            attachments=backlog.attachments,
            activities=backlog.activities,
            folders=folders,
            jobs=[BulkJobOut.of(one) for one in backlog.jobs],
            per_minute=backlog.per_minute,
            ends_at=backlog.ends_at,
            usage=None if usage is None else UsageOut.of(usage),
        )


class MapIn(Input):
    """A person's word on which record a folder is."""

    record_id: Annotated[Text, Field(min_length=15, max_length=18)] = Field(
        description="15 or 18 characters.", examples=["006Dn000009xYzAIAU"]
    )
    object: Annotated[Text, Field(max_length=80)] = Field(
        "", description="API name; needed for objects of an organisation's own only."
    )


class FieldFilters(Input):
    """The filters of mapped fields; all that are given must hold."""

    integration: IntegrationTerm | None = None
    state: FieldAgreement | None = None
    limit: int = Field(50, ge=1, le=MAX_PAGE, description="Most items.")


class FieldOut(Output):
    """A mapped field of one folder; values are not kept, so they are not here."""

    integration_id: str = Field(examples=["int_7"])
    folder_id: str
    field: str = Field(description="Key in Box's metadata template.", examples=["amount"])
    target: str = Field(description="Object and field.", examples=["Opportunity.Amount"])
    record_id: str
    state: FieldAgreement
    source: FieldSide | None = Field(
        description="Where the value that both have came from; null if both had it."
    )
    author: str = Field(description="Who changed it there, if that is known.")
    note: str = Field(description="Why it is in this state.")
    agreed_at: datetime | None = Field(description="When both agreed last; null: never yet.")
    updated_at: datetime

    @classmethod
    def shown(cls, row: FieldState) -> Self:
        """With the integration's label."""
        return cls(**_labelled(cls, row))


class FieldsOut(Output):
    """Mapped fields."""

    items: list[FieldOut]

    @classmethod
    def all(cls, rows: Sequence[FieldState]) -> Self:
        """In their order."""
        return cls(items=[FieldOut.shown(one) for one in rows])


class MappedFieldOut(Output):
    """A line of the field map, and what is wrong with it as far as both vendors were asked."""

    number: int = Field(description="From 1.")
    line: str = Field(examples=["amount = Opportunity.Amount number both salesforce"])
    problems: list[str] = Field(description="What no value of it could do.")
    warnings: list[str] = Field(description="What some values of it could not do.")


class FieldMapOut(Output):
    """The field map of an integration."""

    integration_id: str = Field(examples=["int_7"])
    template: str = Field(description="Key of the metadata template at Box.")
    items: list[MappedFieldOut]
    problems: list[str] = Field(description="What is wrong with the whole.")
    described_at: datetime | None = Field(
        description="When both vendors last said which fields they have; null: not lately."
    )
    updated_at: datetime = Field(description="When the integration was last changed.")

    @classmethod
    def shown(cls, view: MapView) -> Self:
        """From the desk."""
        found: dict[int, list[Finding]] = {}
        for number, one in view.findings:
            found.setdefault(number, []).append(one)
        return cls(
            integration_id=view.integration.label,
            template=view.template,
            items=[
                MappedFieldOut(
                    number=number,
                    line=line,
                    problems=[one.text for one in found.get(number, ()) if one.fails],
                    warnings=[one.text for one in found.get(number, ()) if not one.fails],
                )
                for number, line in enumerate(view.lines, start=1)
            ],
            problems=[one.text for one in found.get(0, ())],
            described_at=view.asked.done_at if view.asked and view.asked.done_at else None,
            updated_at=view.integration.updated_at,
        )


class DryRunIn(Input):
    """What is to be tried on records."""

    lines: (
        Annotated[list[Annotated[Text, Field(max_length=500)]], Field(max_length=MOST_LINES)] | None
    ) = Field(
        None,
        description="Lines to try instead of those of the settings; nothing of them is kept.",
        examples=[["amount = Opportunity.Amount number both salesforce"]],
    )
    records: int = Field(
        SOME, ge=1, le=MOST, description="How many mapped records, the last changed first."
    )


class TakeIn(Input):
    """A person's word on a field in conflict."""

    field: Annotated[Text, Field(max_length=64)] = Field(description="Key in Box's template.")
    side: FieldSide = Field(description="Whose value counts; it is written to the other side.")


class WakeIn(Input):
    """Whose work without a record is to be started again."""

    integration: IntegrationTerm


class WokenOut(Output):
    """What was started again."""

    count: int = Field(description="At most 1,000, the oldest.")


class ActivitiesIn(Input):
    """Tasks that are to be sent again."""

    ids: Annotated[
        list[Annotated[Text, Field(max_length=100)]], Field(min_length=1, max_length=MAX_PAGE)
    ]


def _labelled(
    model: type[Output], value: RecordFolder | Attachment | Activity | FieldState, **more: Any
) -> dict[str, Any]:
    """The model's fields as the value has them, the integration by its label; `more`: others."""
    given = {name: getattr(value, name) for name in model.model_fields if name not in more}
    return given | more | {"integration_id": f"int_{value.integration_id}"}
