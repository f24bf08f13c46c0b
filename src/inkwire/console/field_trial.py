"""What a dry run of the field map said, as its page shows it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from inkwire.console import crm_words
from inkwire.console.connections import Asked, asked
from inkwire.model.work import CommandState
from inkwire.pages.marks import Mark
from inkwire.pages.visit import Visit


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialField:
    """One field of one record."""

    field: str
    target: str
    #: Both values in short; "" for none.
    box: str
    salesforce: str
    mark: Mark
    #: What would be written, or why nothing is.
    tells: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRecord:
    """One record, what would move first."""

    title: str
    folder: str
    url: str
    problem: str
    moving: tuple[TrialField, ...]
    agreed: tuple[TrialField, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A dry run, asked for or answered."""

    id: str
    asked: Asked
    #: Why there is no answer; "" if there is, or may be.
    error: str
    #: Whether the map on the page is another by now.
    outdated: bool
    records: tuple[TrialRecord, ...]
    #: How many fields of all records come to what.
    totals: tuple[tuple[Mark, int], ...]


def trial_of(visit: Visit, number: int, command_id: str) -> tuple[Trial, tuple[str, ...]]:
    """The dry run and the lines that it tries. Raises NotFound."""
    command = visit.parts.field_maps.trial(visit.caller, number, command_id)
    said: Mapping[str, Any] = command.asks or command.result or {}
    done = command.result if command.state is CommandState.DONE else None
    found = Trial(
        id=command.id,
        asked=cast("Asked", asked(visit, command)),
        error=command.error,
        outdated=False,
        records=tuple(_record(visit, number, one) for one in done["records"]) if done else (),
        totals=_totals(done["records"]) if done else (),
    )
    return found, tuple(said.get("lines", ()))


def _record(visit: Visit, number: int, one: Mapping[str, Any]) -> TrialRecord:
    fields = [(field["verdict"], _field(field)) for field in one["fields"]]
    return TrialRecord(
        title=f"{one['object']} {one['record'] or one['record_id']}",
        folder=one["folder"],
        url=visit.url("records", "folders", f"int_{number}", one["folder_id"]),
        problem=one["problem"],
        moving=tuple(shown for verdict, shown in fields if verdict != "agreed"),
        agreed=tuple(shown for verdict, shown in fields if verdict == "agreed"),
    )


def _field(one: Mapping[str, Any]) -> TrialField:
    tells = one["note"]
    if one["verdict"] in crm_words.WRITTEN:
        side = crm_words.WRITTEN[one["verdict"]]
        value = one["value"]
        tells = f"{side}’s value is taken away." if value is None else f"{side} gets “{value}”."
    return TrialField(
        field=one["field"],
        target=one["target"],
        box=one["box"],
        salesforce=one["salesforce"],
        mark=crm_words.VERDICTS[one["verdict"]],
        tells=tells,
    )


def _totals(records: Sequence[Mapping[str, Any]]) -> tuple[tuple[Mark, int], ...]:
    counts = Counter(field["verdict"] for one in records for field in one["fields"])
    return tuple((mark, counts[name]) for name, mark in crm_words.VERDICTS.items() if counts[name])
