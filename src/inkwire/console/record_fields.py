"""Mapped fields on a folder's page: how each is, both values on request, a person's word."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from inkwire.console import crm_words
from inkwire.console.connections import Asked, asked
from inkwire.console.records import ROOM, number_in_path
from inkwire.errors import Conflict, InvalidInput
from inkwire.integrations.box_salesforce.field_map import Direction, Mapped
from inkwire.integrations.field_desk import takes
from inkwire.model.access import Scope
from inkwire.model.crm import FieldAgreement, FieldSide, FieldState, RecordFolder
from inkwire.model.work import CommandKind
from inkwire.pages.marks import Mark
from inkwire.pages.visit import Page, Visit

_ARROWS = {Direction.TO_BOX: "←", Direction.TO_SALESFORCE: "→", Direction.BOTH: "↔"}
_ONE = "/records/folders/{integration_id}/{folder_id}/fields"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldRow:
    """One mapped field of a folder."""

    field: str
    target: str
    arrow: str
    mark: Mark
    note: str
    #: Where the value came from, and who changed it; "" if nobody knows.
    by: str
    agreed_at: datetime | None
    #: Both values, once somebody asked for them.
    compared: str
    #: Sides that a person may take: value and words.
    takes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fields:
    """The fields of a folder as its page shows them."""

    rows: tuple[FieldRow, ...]
    url: str
    #: The last request for both values.
    asked: Asked | None
    #: How that ended, if not well.
    problem: str
    may_compare: bool
    may_sync: bool
    may_take: bool


def shown(visit: Visit, folder: RecordFolder) -> Fields | None:
    """The fields of a folder; None if none is mapped."""
    found, number = visit.parts.fields.shown(visit.caller, folder), folder.integration_id
    if not found.rules:
        return None
    work = found.work
    may_run = visit.may(Scope.RUNS_WRITE)
    # Values are for those who may read what runs do.
    dry = None
    if work is not None and visit.may(Scope.RUNS_READ):
        latest = visit.parts.store.commands.latest(CommandKind.DRY_RUN, work.id)
        dry = asked(visit, latest)
    values, problem = _compared(dry)
    return Fields(
        rows=tuple(_row(rule, found.states.get(rule.field), values) for rule in found.rules),
        url=visit.url(ROOM, "folders", f"int_{number}", folder.folder_id, "fields"),
        asked=dry,
        problem=problem,
        may_compare=may_run and work is not None and not (dry is not None and dry.pending),
        may_sync=may_run,
        may_take=visit.may(Scope.INTEGRATIONS_WRITE),
    )


def _compared(dry: Asked | None) -> tuple[Mapping[str, str], str]:
    """What a comparison said of each field, and what went wrong."""
    if dry is None or not isinstance(dry.command.result, Mapping):
        return {}, dry.command.error if dry is not None else ""
    plans = dry.command.result.get("plans") or []
    found = {str(one["step"]).removeprefix("field:"): str(one["plan"]) for one in plans}
    return found, "" if found else str(dry.command.result.get("note", ""))


def _row(rule: Mapped, state: FieldState | None, values: Mapping[str, str]) -> FieldRow:
    conflict = state is not None and state.state is FieldAgreement.CONFLICT
    return FieldRow(
        field=rule.field,
        target=rule.target,
        arrow=_ARROWS[rule.direction],
        mark=crm_words.FIELDS[state.state] if state is not None else crm_words.NOT_COMPARED,
        note=state.note if state is not None else "",
        by=_by(state),
        agreed_at=state.agreed_at if state is not None else None,
        compared=values.get(rule.field, "").removeprefix(f"{rule.field} = {rule.target}: "),
        takes=tuple((side.value, crm_words.TAKE[side]) for side in takes(rule)) if conflict else (),
    )


def _by(state: FieldState | None) -> str:
    if state is None or state.source is None:
        return ""
    return ", ".join(filter(None, (crm_words.SIDES[state.source], state.author)))


# --- what a person does


def sync(visit: Visit) -> Response:
    """POST …/fields: both sides are compared, and written where the map says so."""
    number, folder_id = number_in_path(visit), visit.path["folder_id"]
    visit.parts.fields.sync(visit.caller, number, folder_id)
    return _back(visit, "fields_asked")


def compare(visit: Visit) -> Response:
    """POST …/fields/compare: a worker reads both values and writes nothing."""
    number, folder_id = number_in_path(visit), visit.path["folder_id"]
    work = visit.parts.fields.last_work(visit.caller, number, folder_id)
    if work is None:
        raise Conflict("Its fields were never compared; bring them in step first.")
    visit.parts.work.dry_run(visit.caller, work.id)
    return _back(visit, "fields_compared")


def take(visit: Visit) -> Response:
    """POST …/fields/take: one side's value of a field in conflict counts."""
    number, folder_id = number_in_path(visit), visit.path["folder_id"]
    if visit.field("side") not in set(FieldSide):
        raise InvalidInput(fields={"side": f"must be one of: {', '.join(FieldSide)}"})
    side = FieldSide(visit.field("side"))
    visit.parts.fields.take(visit.caller, number, folder_id, visit.field("field"), side)
    return _back(visit, "field_taken")


def _back(visit: Visit, said: str) -> Response:
    number, folder_id = number_in_path(visit), visit.path["folder_id"]
    return visit.see(visit.url(ROOM, "folders", f"int_{number}", folder_id), said=said)


PAGES = (
    Page(path=_ONE, handler=sync, method="POST", scope=Scope.RUNS_WRITE),
    Page(path=f"{_ONE}/compare", handler=compare, method="POST", scope=Scope.RUNS_WRITE),
    Page(path=f"{_ONE}/take", handler=take, method="POST", scope=Scope.INTEGRATIONS_WRITE),
)
