"""The desk of what stands between Box and Salesforce: who is asked, and what a person may do.

It reads and writes rows only; what must be asked of Box or Salesforce is work for a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import Ids
from inkwire.integrations.box_salesforce.asking import wake_work
from inkwire.integrations.box_salesforce.field_sync import fields_work
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.by_hand import (
    FOLDER,
    checked_record,
    mapped_by_hand,
    unknown_folder,
)
from inkwire.model.access import Caller, Scope
from inkwire.model.crm import (
    Activity,
    ActivityState,
    ApiUsage,
    Attachment,
    AttachmentState,
    BulkJob,
    FolderOrigin,
    FolderState,
    RecordFolder,
)
from inkwire.model.event import Origin
from inkwire.model.work import Integration, ParkCause, Work, WorkState
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import MAX_PAGE, Store
from inkwire.store.crm import AttachmentQuery, FolderQuery

KIND = "box_salesforce"
#: The workflow that asks Box and Salesforce anew which record a folder is.
LOOK = "refresh_mapping"
#: Work that one press wakes.
MAX_WOKEN = 1_000
#: How far back the speed of work is measured.
RECENT = timedelta(minutes=10)
#: Fewer endings than this say nothing of speed.
LEAST_ENDED = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Backlog:
    """How far an integration is with what it has to do."""

    #: Work without upkeep; each state counted up to 10,000.
    works: Mapping[WorkState, int]
    attachments: Mapping[AttachmentState, int]
    activities: Mapping[ActivityState, int]
    #: Bulk jobs of Tasks, the newest first, at most 10.
    jobs: Sequence[BulkJob] = ()
    #: Work that ended a minute, measured over the last minutes; 0 if too little did.
    per_minute: float
    #: When what waits and runs will be done at that speed; None if nothing waits, or nobody knows.
    ends_at: datetime | None

    @property
    def left(self) -> int:
        """Work that waits or runs."""
        return self.works.get(WorkState.NEW, 0) + self.works.get(WorkState.RUNNING, 0)

    @property
    def done(self) -> int:
        """Work that is done."""
        return self.works.get(WorkState.DONE, 0)


class CrmDesk:
    """Shows and steers folders, attachments and activities. Needs `integrations:read`.

    Mapping a folder needs `integrations:write`, running something again `runs:write`. All raise
    Forbidden without it; those with an id raise NotFound.
    """

    def __init__(self, *, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._audit = Auditor(clock, ids)

    # --- what is read

    def integrations(self, caller: Caller) -> list[Integration]:
        """Those that keep Box and Salesforce in step, by number."""
        caller.require(Scope.INTEGRATIONS_READ)
        return [one for one in self._store.integrations.all() if one.kind == KIND]

    def folders(self, caller: Caller, query: FolderQuery) -> list[RecordFolder]:
        """Folders and their records, newest change first."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._store.record_folders.page(query)

    def folder_counts(
        self, caller: Caller, integration_id: int | None = None
    ) -> Mapping[FolderState, int]:
        """How many folders are in each state (each counted up to 10,000)."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._store.record_folders.counts(integration_id)

    def folder(self, caller: Caller, integration_id: int, folder_id: str) -> RecordFolder:
        """One folder that is known."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._folder(integration_id, folder_id)

    def attachments(self, caller: Caller, query: AttachmentQuery) -> list[Attachment]:
        """File versions and the records that they reached, newest first."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._store.attachments.page(query)

    def version(
        self, caller: Caller, integration_id: int, file_id: str, version_id: str
    ) -> list[Attachment]:
        """All records that one version was to reach, the first before the others."""
        caller.require(Scope.INTEGRATIONS_READ)
        found = self._store.attachments.of_version(integration_id, file_id, version_id)
        if not found:
            raise NotFound("No such version of a file has come this way; look for its name.")
        return found

    def activities(
        self,
        caller: Caller,
        *,
        integration_id: int | None = None,
        state: ActivityState | None = None,
        record_id: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Activity]:
        """Tasks that stand in Salesforce, or are to, newest first."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._store.activities.page(
            integration_id=integration_id,
            state=state,
            what_id=record_id,
            before=before,
            limit=limit,
        )

    def jobs_of(self, caller: Caller, rows: Sequence[Activity]) -> Mapping[str, BulkJob]:
        """The Bulk jobs that some of these Tasks (≤ 200) went in, by their batch."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._store.bulk_jobs.of({one.batch_id for one in rows if one.batch_id})

    def unmapped(
        self,
        caller: Caller,
        *,
        integration_id: int | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[Work]:
        """Work that waits until a folder's record is known, newest first; needs `runs:read`."""
        caller.require(Scope.RUNS_READ)
        query = WorkQuery(
            integration_id=integration_id,
            park_cause=ParkCause.MAPPING,
            before=before,
            limit=limit,
        )
        return self._store.works.page(query)

    def usage(self, caller: Caller, connection_id: str) -> ApiUsage | None:
        """Calls of the day that a connection's organisation has used, as it said last."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._store.api_usages.get(connection_id)

    def backlog(self, caller: Caller, integration_id: int) -> Backlog:
        """How far an integration is, and when it will be done at its present speed."""
        caller.require(Scope.INTEGRATIONS_READ)
        works = self._store.works.counts(integration_id)
        now = self._clock.now()
        left = works.get(WorkState.NEW, 0) + works.get(WorkState.RUNNING, 0)
        speed = self._speed(integration_id, now) if left else 0.0
        return Backlog(
            works=works,
            attachments=self._store.attachments.counts(integration_id),
            activities=self._store.activities.counts(integration_id),
            jobs=self._store.bulk_jobs.newest(integration_id),
            per_minute=speed,
            ends_at=now + timedelta(minutes=left / speed) if speed else None,
        )

    # --- what a person does

    def map_folder(
        self,
        caller: Caller,
        integration_id: int,
        folder_id: str,
        *,
        record_id: str,
        object_name: str = "",
        name: str = "",
    ) -> RecordFolder:
        """Says which record a folder is; what waited for that is started again.

        `object_name`: needed only for objects of an organisation's own. Raises InvalidInput naming
        every wrong field, Conflict if another folder has that record.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        integration = self._integration(integration_id)
        record, object_name = checked_record(folder_id, record_id, object_name)
        self._refuse_second(integration_id, folder_id, record)
        old = self._store.record_folders.get(integration_id, folder_id)
        audit = self._audit.entry(
            caller, "folder.map", integration.label, folder=folder_id, record=record
        )
        folder = mapped_by_hand(
            old or unknown_folder(integration_id, folder_id, audit.at),
            record=record,
            object_name=object_name,
            note=f"{_person(audit.actor)} said so.",
            at=audit.at,
        )
        if name:
            folder = replace(folder, name=name)
        kept = self._store.record_folders.put(folder, audit=audit)
        self._store.works.wake_unmapped(integration_id, at=audit.at, limit=MAX_WOKEN)
        # A run that looked before this may park only now: it is started at the minute's end.
        later = wake_work(integration_id, work_id=self._ids.new("wrk"), now=audit.at)
        self._store.works.add([later])
        if chosen(integration).mapped.of(kept.object):
            work_id = self._ids.new("wrk")
            self._store.works.add(
                [fields_work(kept, work_id=work_id, now=audit.at, key=f"asked/{work_id}")]
            )
        return kept

    def look_again(self, caller: Caller, integration_id: int, folder_id: str) -> Work:
        """Forgets which record a folder is and asks Box and Salesforce anew; the work that does.

        What a person said of it is forgotten, too.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        integration = self._integration(integration_id)
        old = self._folder(integration_id, folder_id)
        audit = self._audit.entry(caller, "folder.look", integration.label, folder=folder_id)
        work = self._look(integration_id, folder_id, audit.at)
        forgotten = replace(
            old,
            state=FolderState.UNMAPPED,
            origin=FolderOrigin.METADATA,
            object="",
            record_id=None,
            record_name="",
            account_id=None,
            note="Its record is being looked for anew.",
            checked_at=audit.at,
            updated_at=audit.at,
        )
        self._store.record_folders.put(forgotten, audit=audit)
        self._store.works.add([work])
        return work

    def wake(self, caller: Caller, integration_id: int) -> int:
        """Starts what waits for a folder's record again, the oldest 1,000; how many that were.

        What still finds none waits again. Needs `runs:write`.
        """
        caller.require(Scope.RUNS_WRITE)
        integration = self._integration(integration_id)
        audit = self._audit.entry(caller, "work.wake_unmapped", integration.label)
        return self._store.works.wake_unmapped(
            integration_id, at=audit.at, limit=MAX_WOKEN, audit=audit
        )

    def retry_version(
        self, caller: Caller, integration_id: int, file_id: str, version_id: str
    ) -> Work:
        """Runs the work again that brought, or failed to bring, a version. Needs `runs:write`.

        The ledger keeps what arrived from being sent twice. Raises Conflict while it runs, or if
        nothing of that version failed.
        """
        caller.require(Scope.RUNS_WRITE)
        rows = self.version(caller, integration_id, file_id, version_id)
        failed = next((one for one in rows if one.state is AttachmentState.FAILED), None)
        if failed is None:
            raise Conflict("Nothing of this version failed, so there is nothing to try again.")
        label = f"int_{integration_id}"
        audit = self._audit.entry(
            caller, "work.retry", failed.work_id, integration=label, version=version_id
        )
        return self._store.works.again(failed.work_id, at=audit.at, audit=audit)

    def retry_activities(self, caller: Caller, ids: Sequence[str]) -> int:
        """Tasks that Salesforce refused are sent with the next batch; how many those were.

        At most 200. Needs `runs:write`.
        """
        caller.require(Scope.RUNS_WRITE)
        given = list(dict.fromkeys(ids))[:MAX_PAGE]
        if not given:
            raise InvalidInput(fields={"ids": "names no Task; choose at least one"})
        audit = self._audit.entry(caller, "activity.retry", given[0], count=str(len(given)))
        return self._store.activities.again(given, audit=audit)

    # --- inside

    def _integration(self, integration_id: int) -> Integration:
        found = self._store.integrations.get(integration_id)
        if found.kind != KIND:
            raise NotFound(f"{found.label} has nothing to do with Salesforce's records.")
        return found

    def _folder(self, integration_id: int, folder_id: str) -> RecordFolder:
        found = (
            self._store.record_folders.get(integration_id, folder_id)
            if FOLDER.fullmatch(folder_id)
            else None
        )
        if found is None:
            raise NotFound("This folder is not known; map it by hand, or put a file into it.")
        return found

    def _refuse_second(self, integration_id: int, folder_id: str, record_id: str) -> None:
        """Raises Conflict if another folder has the record."""
        other = self._store.record_folders.of_record(integration_id, record_id)
        if other is not None and other.folder_id != folder_id:
            raise Conflict(
                f"{record_id} has the folder {other.path or other.name or other.folder_id} "
                f"({other.folder_id}) already; look that one's record up again first."
            )

    def _look(self, integration_id: int, folder_id: str, now: datetime) -> Work:
        work_id = self._ids.new("wrk")
        return Work(
            id=work_id,
            integration_id=integration_id,
            key=f"look/{folder_id}/{work_id}",
            workflow=LOOK,
            entity_key=f"box:folder:{folder_id}",
            origin=Origin.RECONCILED,
            subject={"folder_id": folder_id},
            due_at=now,
            created_at=now,
        )

    def _speed(self, integration_id: int, now: datetime) -> float:
        """Work that ended a minute, of the newest 200 that are done."""
        query = WorkQuery(
            integration_id=integration_id, state=WorkState.DONE, upkeep=False, limit=MAX_PAGE
        )
        return speed([one.finished_at for one in self._store.works.page(query)], now)


def speed(ended: Sequence[datetime | None], now: datetime) -> float:
    """Endings a minute over the last minutes; 0 if too few say anything."""
    recent = [one for one in ended if one is not None and now - RECENT <= one <= now]
    if len(recent) < LEAST_ENDED:
        return 0.0
    # A second at least: what ended in the same moment says nothing of a minute.
    return 60 * len(recent) / max((now - min(recent)).total_seconds(), 1.0)


def _person(actor: str) -> str:
    """`user:jane` → `jane`; the command line and keys as they are."""
    return actor.removeprefix("user:")
