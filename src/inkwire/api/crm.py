"""`/v1/crm`: folders and their records, what arrived, Tasks; a person's word on them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from inkwire.api.callers import Allowed
from inkwire.api.crm_models import (
    ActivitiesIn,
    ActivitiesPage,
    ActivityFilters,
    ActivityOut,
    AttachmentFilters,
    AttachmentOut,
    AttachmentsPage,
    BacklogOut,
    DryRunIn,
    FieldFilters,
    FieldMapOut,
    FieldsOut,
    FolderFilters,
    FolderOut,
    FoldersPage,
    MapIn,
    TakeIn,
    VersionOut,
    WakeIn,
    WokenOut,
)
from inkwire.api.integration_models import IntegrationId, number
from inkwire.api.parts import With
from inkwire.api.work import accepted
from inkwire.api.work_models import CommandOut, WorkOut
from inkwire.errors import Conflict
from inkwire.model.access import Caller, Scope
from inkwire.providers.salesforce.standard import whole_id
from inkwire.store.crm import AttachmentQuery, FolderQuery

router = APIRouter(prefix="/crm", tags=["Box and Salesforce"])

Reader = Annotated[Caller, Allowed(Scope.INTEGRATIONS_READ)]
Writer = Annotated[Caller, Allowed(Scope.INTEGRATIONS_WRITE)]
Runner = Annotated[Caller, Allowed(Scope.RUNS_WRITE)]
_BOX_ID = r"^[0-9]{1,20}$"
FolderId = Annotated[str, Path(pattern=_BOX_ID, description="The folder's id in Box.")]
FileId = Annotated[str, Path(pattern=_BOX_ID, description="The file's id in Box.")]
VersionId = Annotated[str, Path(pattern=_BOX_ID, description="The version's id in Box.")]


@router.get("/folders", summary="List folders and their records")
def list_record_folders(
    parts: With, caller: Reader, filters: Annotated[FolderFilters, Query()]
) -> FoldersPage:
    """Which folder in Box is which record in Salesforce, newest change first."""
    query = FolderQuery(
        integration_id=_integration(filters.integration),
        state=filters.state,
        record_id=_record(filters.record),
        name=filters.name or "",
        offset=filters.offset,
        limit=filters.limit,
    )
    found = parts.crm.folders(caller, query)
    more = len(found) == filters.limit
    return FoldersPage(
        items=[FolderOut.shown(one) for one in found],
        next=filters.offset + filters.limit if more else None,
    )


@router.get("/folders/{integration_id}/{folder_id}", summary="Read a folder's record")
def read_record_folder(
    integration_id: IntegrationId, folder_id: FolderId, parts: With, caller: Reader
) -> FolderOut:
    """One folder that is known."""
    return FolderOut.shown(parts.crm.folder(caller, number(integration_id), folder_id))


@router.post("/folders/{integration_id}/{folder_id}/map", summary="Map a folder to a record")
def map_record_folder(
    integration_id: IntegrationId, folder_id: FolderId, body: MapIn, parts: With, caller: Writer
) -> FolderOut:
    """A person's word, which nothing found later overrules; what waited is started again."""
    mapped = parts.crm.map_folder(
        caller,
        number(integration_id),
        folder_id,
        record_id=body.record_id,
        object_name=body.object,
    )
    return FolderOut.shown(mapped)


@router.post(
    "/folders/{integration_id}/{folder_id}/look",
    summary="Look a folder's record up again",
    status_code=202,
)
def look_record_folder_up(
    integration_id: IntegrationId, folder_id: FolderId, parts: With, caller: Writer
) -> WorkOut:
    """Forgets its record, a person's word too, and asks Box and Salesforce; the work that does."""
    return WorkOut.shown(parts.crm.look_again(caller, number(integration_id), folder_id))


@router.get("/fields", summary="List mapped fields")
def list_fields(
    parts: With, caller: Reader, filters: Annotated[FieldFilters, Query()]
) -> FieldsOut:
    """Fields that are compared, of all folders, newest change first; `state=conflict` waits."""
    found = parts.fields.page(
        caller,
        integration_id=_integration(filters.integration),
        state=filters.state,
        limit=filters.limit,
    )
    return FieldsOut.all(found)


@router.get("/folders/{integration_id}/{folder_id}/fields", summary="List a folder's fields")
def list_folder_fields(
    integration_id: IntegrationId, folder_id: FolderId, parts: With, caller: Reader
) -> FieldsOut:
    """The mapped fields of one folder, by name."""
    return FieldsOut.all(parts.fields.of_folder(caller, number(integration_id), folder_id))


@router.post(
    "/folders/{integration_id}/{folder_id}/fields",
    summary="Bring a folder's fields in step",
    status_code=202,
)
def sync_folder_fields(
    integration_id: IntegrationId, folder_id: FolderId, parts: With, caller: Runner
) -> WorkOut:
    """Compares both sides and writes where the map says so; the work that does."""
    return WorkOut.shown(parts.fields.sync(caller, number(integration_id), folder_id))


@router.post(
    "/folders/{integration_id}/{folder_id}/fields/compare",
    summary="Compare a folder's fields",
    status_code=202,
)
def compare_folder_fields(
    integration_id: IntegrationId, folder_id: FolderId, parts: With, caller: Runner,
    response: Response,
) -> CommandOut:  # fmt: skip
    """Reads both sides and writes nothing; the command's answer has both values in short."""
    work = parts.fields.last_work(caller, number(integration_id), folder_id)
    if work is None:
        raise Conflict("Its fields were never compared; bring them in step first.")
    return accepted(parts.work.dry_run(caller, work.id), response)


@router.post(
    "/folders/{integration_id}/{folder_id}/fields/take",
    summary="Decide a field in conflict",
    status_code=202,
)
def take_field(
    integration_id: IntegrationId, folder_id: FolderId, body: TakeIn, parts: With, caller: Writer
) -> WorkOut:
    """One side's value is written to the other; the work that does."""
    return WorkOut.shown(
        parts.fields.take(caller, number(integration_id), folder_id, body.field, body.side)
    )


@router.get("/field-map/{integration_id}", summary="Read a field map")
def read_field_map(integration_id: IntegrationId, parts: With, caller: Reader) -> FieldMapOut:
    """Each line with what is wrong with it; it is changed as the setting `field_map`."""
    return FieldMapOut.shown(parts.field_maps.shown(caller, number(integration_id)))


@router.post(
    "/field-map/{integration_id}/describe",
    summary="Ask both vendors for their fields",
    status_code=202,
)
def describe_fields(
    integration_id: IntegrationId, parts: With, caller: Writer, response: Response
) -> CommandOut:
    """Reads Box's template and the objects; from then on the map is checked by what they said."""
    return accepted(parts.field_maps.look(caller, number(integration_id)), response)


@router.post(
    "/field-map/{integration_id}/dry-run", summary="Try a field map on records", status_code=202
)
def try_field_map(
    integration_id: IntegrationId, body: DryRunIn, parts: With, caller: Runner, response: Response
) -> CommandOut:
    """Tells what the map would write where, and writes nothing; the command has the answer.

    Its `result` has `problems` by line, and `records`: of each its `fields` with what Box and
    Salesforce have, the `verdict` (`agreed`, `to_box`, `to_salesforce`, `conflict`, `failed`), the
    `value` as it would arrive (null: taken away, or nothing is written) and a `note`. Values are
    shown in short. It is kept for a day.
    """
    command = parts.field_maps.try_out(
        caller, number(integration_id), lines=body.lines, records=body.records
    )
    return accepted(command, response)


@router.post("/wake", summary="Run what has no record again", status_code=202)
def wake_unmapped(body: WakeIn, parts: With, caller: Runner) -> WokenOut:
    """Starts work again that waits for a folder's record; what finds none waits again."""
    return WokenOut(count=parts.crm.wake(caller, number(body.integration)))


@router.get("/attachments", summary="List arrivals")
def list_attachments(
    parts: With, caller: Reader, filters: Annotated[AttachmentFilters, Query()]
) -> AttachmentsPage:
    """Which version of which file reached which record, with its proof, newest first."""
    query = AttachmentQuery(
        integration_id=_integration(filters.integration),
        state=filters.state,
        file_id=filters.file,
        version_id=filters.version,
        record_id=_record(filters.record),
        work_id=filters.work,
        name=filters.name or "",
        before=filters.before,
        limit=filters.limit,
    )
    found = parts.crm.attachments(caller, query)
    return AttachmentsPage(
        items=[AttachmentOut.shown(one) for one in found], next=filters.next_of(found)
    )


@router.get(
    "/attachments/{integration_id}/{file_id}/{version_id}", summary="Read a version's arrivals"
)
def read_version(
    integration_id: IntegrationId, file_id: FileId, version_id: VersionId, parts: With,
    caller: Reader,
) -> VersionOut:  # fmt: skip
    """Every record that one version was to reach, the first before the others."""
    found = parts.crm.version(caller, number(integration_id), file_id, version_id)
    return VersionOut(items=[AttachmentOut.shown(one) for one in found])


@router.post(
    "/attachments/{integration_id}/{file_id}/{version_id}/retry",
    summary="Try a version again",
    status_code=202,
)
def retry_version(
    integration_id: IntegrationId, file_id: FileId, version_id: VersionId, parts: With,
    caller: Runner,
) -> WorkOut:  # fmt: skip
    """Runs the work of a version that failed again; what arrived is not sent twice."""
    work = parts.crm.retry_version(caller, number(integration_id), file_id, version_id)
    return WorkOut.shown(work)


@router.get("/activities", summary="List Tasks")
def list_activities(
    parts: With, caller: Reader, filters: Annotated[ActivityFilters, Query()]
) -> ActivitiesPage:
    """Tasks that stand in Salesforce, or are to, newest first."""
    found = parts.crm.activities(
        caller,
        integration_id=_integration(filters.integration),
        state=filters.state,
        record_id=_record(filters.record),
        before=filters.before,
        limit=filters.limit,
    )
    jobs = parts.crm.jobs_of(caller, found)
    return ActivitiesPage(
        items=[ActivityOut.shown(one, jobs) for one in found], next=filters.next_of(found)
    )


@router.post("/activities/retry", summary="Send refused Tasks again", status_code=202)
def retry_activities(body: ActivitiesIn, parts: With, caller: Runner) -> WokenOut:
    """Those that Salesforce refused go with the next batch; others are left as they are."""
    return WokenOut(count=parts.crm.retry_activities(caller, body.ids))


@router.get("/backlog/{integration_id}", summary="Read a backlog")
def read_backlog(integration_id: IntegrationId, parts: With, caller: Reader) -> BacklogOut:
    """How far an integration is, when it will be done, and what is used of the day's calls."""
    integration = parts.integrations.get(caller, number(integration_id))
    connection = integration.second_connection_id
    return BacklogOut.shown(
        parts.crm.backlog(caller, integration.id),
        parts.crm.folder_counts(caller, integration.id),
        parts.crm.usage(caller, connection) if connection else None,
    )


def _integration(term: str | None) -> int | None:
    return None if term is None else number(term)


def _record(given: str | None) -> str | None:
    """The id with 18 characters; one that is none finds nothing."""
    return None if given is None else whole_id(given) or given
