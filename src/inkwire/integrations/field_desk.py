"""The desk of mapped fields: how each is, and what a person decides about one in conflict.

It reads and writes rows only; values are compared and written by a run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import Ids
from inkwire.integrations.box_salesforce.field_map import Mapped
from inkwire.integrations.box_salesforce.field_sync import FIELD, TAKE, WORKFLOW, fields_work
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.access import AuditEntry, Caller, Scope
from inkwire.model.crm import FieldAgreement, FieldSide, FieldState, RecordFolder
from inkwire.model.work import Work
from inkwire.store.acting import WorkQuery
from inkwire.store.contract import Store

_NAMES = {FieldSide.BOX: "Box", FieldSide.SALESFORCE: "Salesforce"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderFields:
    """The mapped fields of one folder."""

    rules: tuple[Mapped, ...]
    #: By field; those that were compared.
    states: Mapping[str, FieldState]
    #: The newest work that compares, or compared, them.
    work: Work | None


class FieldDesk:
    """Shows and steers mapped fields. Needs `integrations:read`; what is changed needs more.

    All raise Forbidden without it, and NotFound for a folder that is not known.
    """

    def __init__(self, *, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._ids = ids
        self._audit = Auditor(clock, ids)

    def of_folder(self, caller: Caller, integration_id: int, folder_id: str) -> list[FieldState]:
        """The fields of a folder that were compared, by name."""
        caller.require(Scope.INTEGRATIONS_READ)
        self._folder(integration_id, folder_id)
        return self._store.field_states.of_folder(integration_id, folder_id)

    def page(
        self,
        caller: Caller,
        *,
        integration_id: int | None = None,
        state: FieldAgreement | None = None,
        limit: int = 50,
    ) -> list[FieldState]:
        """Fields of all folders, newest change first."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._store.field_states.page(
            integration_id=integration_id, state=state, limit=limit
        )

    def counts(
        self, caller: Caller, integration_id: int | None = None
    ) -> Mapping[FieldAgreement, int]:
        """How many are in each state (each counted up to 10,000)."""
        caller.require(Scope.INTEGRATIONS_READ)
        return self._store.field_states.counts(integration_id)

    def shown(self, caller: Caller, folder: RecordFolder) -> FolderFields:
        """What a folder's page shows; no states and work if no field is mapped."""
        caller.require(Scope.INTEGRATIONS_READ)
        rules, number, folder_id = self._rules(folder), folder.integration_id, folder.folder_id
        if not rules:
            return FolderFields(rules=(), states={}, work=None)
        known = self._store.field_states.of_folder(number, folder_id)
        return FolderFields(
            rules=rules,
            states={one.field: one for one in known},
            work=self.last_work(caller, number, folder_id),
        )

    def last_work(self, caller: Caller, integration_id: int, folder_id: str) -> Work | None:
        """The newest work that compares, or compared, the folder's fields."""
        caller.require(Scope.INTEGRATIONS_READ)
        query = WorkQuery(
            integration_id=integration_id,
            entity_key=f"box:folder:{folder_id}",
            workflow=WORKFLOW,
            limit=1,
        )
        return next(iter(self._store.works.page(query)), None)

    def sync(self, caller: Caller, integration_id: int, folder_id: str) -> Work:
        """Brings a folder's fields in step; the work that does. Needs `runs:write`.

        Raises Conflict if no field of it is mapped.
        """
        caller.require(Scope.RUNS_WRITE)
        folder = self._folder(integration_id, folder_id)
        if not self._rules(folder):
            raise Conflict(
                f"No field of {folder.object or 'this folder'} is mapped; add a line to the field "
                "map in the integration's settings."
            )
        audit = self._audit.entry(caller, "fields.sync", f"int_{integration_id}", folder=folder_id)
        self._store.field_states.put([], audit=audit)
        return self._ask(folder, audit)

    def take(
        self, caller: Caller, integration_id: int, folder_id: str, field: str, side: FieldSide
    ) -> Work:
        """Says whose value of a field in conflict counts; the work that writes it to the other.

        Needs `integrations:write`. Raises Conflict if it is in no conflict, InvalidInput if the
        map does not let that side count.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        folder = self._folder(integration_id, folder_id)
        known = self._store.field_states.of_folder(integration_id, folder_id)
        state = next((one for one in known if one.field == field), None)
        rule = next((one for one in self._rules(folder) if one.field == field), None)
        if state is None or rule is None:
            raise NotFound("This folder has no such mapped field; look at its page again.")
        if state.state is not FieldAgreement.CONFLICT:
            raise Conflict("This field is no longer in conflict, so nothing is to be decided.")
        if side not in takes(rule):
            text = f"cannot be {side}: the map writes this field {rule.direction} only"
            raise InvalidInput(fields={"side": text})
        audit = self._audit.entry(
            caller,
            "field.take",
            f"int_{integration_id}",
            folder=folder_id,
            field=field,
            side=side.value,
        )
        note = f"{audit.actor.removeprefix('user:')} took {_NAMES[side]}'s value; it is written."
        taken = replace(state, note=note, updated_at=audit.at)
        self._store.field_states.put([taken], audit=audit)
        return self._ask(folder, audit, **{FIELD: field, TAKE: side.value})

    # --- inside

    def _ask(self, folder: RecordFolder, audit: AuditEntry, **subject: str) -> Work:
        work_id = self._ids.new("wrk")
        row = fields_work(folder, work_id=work_id, now=audit.at, key=f"asked/{work_id}", **subject)
        self._store.works.add([row])
        return row

    def _folder(self, integration_id: int, folder_id: str) -> RecordFolder:
        found = self._store.record_folders.get(integration_id, folder_id)
        if found is None:
            raise NotFound("This folder is not known; map it by hand, or put a file into it.")
        return found

    def _rules(self, folder: RecordFolder) -> tuple[Mapped, ...]:
        if folder.record_id is None:
            return ()
        integration = self._store.integrations.get(folder.integration_id)
        return chosen(integration).mapped.of(folder.object)


def takes(rule: Mapped) -> tuple[FieldSide, ...]:
    """The sides whose value a person may take: the other one must be writable."""
    other = {FieldSide.BOX: FieldSide.SALESFORCE, FieldSide.SALESFORCE: FieldSide.BOX}
    return tuple(side for side in FieldSide if rule.writes(other[side]))
