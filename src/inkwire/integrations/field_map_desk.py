"""The desk of the field map: its lines, what is wrong with them, and a trial on records.

It reads and writes rows only: the vendors are asked by a worker, as commands, and only to read.
The map itself is a setting, so it is kept by the desk of integrations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import Ids
from inkwire.integrations.box_salesforce.field_checks import (
    NOTHING,
    Facts,
    Finding,
    from_json,
    judged,
)
from inkwire.integrations.box_salesforce.field_map import FieldMap
from inkwire.integrations.box_salesforce.field_trying import DESCRIBE, MOST, SOME, TRY
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.crm_desk import KIND
from inkwire.model.access import Caller, Scope
from inkwire.model.work import Command, CommandKind, CommandState, Integration
from inkwire.providers.settings import MAX_LONG_TEXT
from inkwire.store.contract import Store

#: As long as a worker keeps what Salesforce described: after that the vendors are asked again.
FRESH = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class MapView:
    """A field map, kept or changed, and what is known of it."""

    integration: Integration
    #: Key of the metadata template, and those of its fields that name the record.
    template: str
    naming: tuple[str, ...]
    lines: tuple[str, ...]
    #: Those of the settings.
    kept: tuple[str, ...]
    map: FieldMap
    #: What both vendors said, if they were asked lately.
    facts: Facts
    #: The question whose answer that is, or will be; None: nobody has asked.
    asked: Command | None
    #: By the lines' numbers from 1; 0: about the whole.
    findings: tuple[tuple[int, Finding], ...]

    @property
    def stale(self) -> bool:
        """Whether the vendors are to be asked before their fields can be offered."""
        waits = self.asked is not None and self.asked.state is CommandState.NEW
        failed = self.asked is not None and self.asked.state is CommandState.FAILED
        return self.facts is NOTHING and not waits and not failed


class FieldMapDesk:
    """Shows and tries field maps. Needs `integrations:read`; asking needs more.

    All raise Forbidden without it, and NotFound for an integration of another kind.
    """

    def __init__(self, *, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._audit = Auditor(clock, ids)

    def shown(
        self, caller: Caller, integration_id: int, lines: Sequence[str] | None = None
    ) -> MapView:
        """The map of the settings, or of other lines, with all that is known to be wrong."""
        caller.require(Scope.INTEGRATIONS_READ)
        integration = self._integration(integration_id)
        given = chosen(integration)
        whole = tuple(given.field_map if lines is None else lines)
        mapped = given.mapped_by(whole)
        asked = self._store.commands.latest(CommandKind.ASK, f"{integration.label}/{DESCRIBE}")
        if asked is not None and asked.done_at is not None:
            asked = asked if self._clock.now() - asked.done_at < FRESH else None
        facts = _facts(asked, given.mapping_template)
        return MapView(
            integration=integration,
            template=given.mapping_template,
            naming=given.naming,
            lines=whole,
            kept=given.field_map,
            map=mapped,
            facts=facts,
            asked=asked,
            findings=judged(mapped, len(whole), facts),
        )

    def look(self, caller: Caller, integration_id: int, objects: Sequence[str] = ()) -> Command:
        """Asks both vendors for their fields. Needs `integrations:write`.

        `objects`: beside the usual ones and those of the map.
        """
        caller.require(Scope.INTEGRATIONS_WRITE)
        integration = self._integration(integration_id)
        wanted = (*chosen(integration).mapped.objects, *objects)
        return self._ask(caller, integration, DESCRIBE, {"objects": list(dict.fromkeys(wanted))})

    def try_out(
        self,
        caller: Caller,
        integration_id: int,
        *,
        lines: Sequence[str] | None = None,
        records: int = SOME,
    ) -> Command:
        """Asks what the map would do with mapped records; nothing is written.

        `lines`: instead of those of the settings. Needs `runs:write`. Raises InvalidInput, and
        Conflict if there is no line to try.
        """
        caller.require(Scope.RUNS_WRITE)
        caller.require(Scope.INTEGRATIONS_READ)
        integration = self._integration(integration_id)
        given = chosen(integration)
        whole = [one.strip() for one in (given.field_map if lines is None else lines)]
        whole = [one for one in whole if one]
        wrong = {}
        if not 1 <= records <= MOST:
            wrong["records"] = f"must be a whole number from 1 to {MOST}"
        if sum(len(one) + 1 for one in whole) > MAX_LONG_TEXT:
            wrong["lines"] = f"must have at most {MAX_LONG_TEXT:,} characters in all"
        if wrong:
            raise InvalidInput(fields=wrong)
        if not given.mapped_by(whole).lines:
            raise Conflict(
                "The field map has no line that can be read, so there is nothing to try."
            )
        return self._ask(caller, integration, TRY, {"lines": whole, "records": records})

    def trial(self, caller: Caller, integration_id: int, command_id: str) -> Command:
        """A trial that was asked for, with its answer once a worker has it; kept for a day.

        Needs `runs:read`, as all that shows values of both sides.
        """
        caller.require(Scope.RUNS_READ)
        caller.require(Scope.INTEGRATIONS_READ)
        integration = self._integration(integration_id)
        found = self._store.commands.get(command_id)
        if found.target != f"{integration.label}/{TRY}":
            raise NotFound("There is no such dry run of this field map; ask for another.")
        return found

    # --- inside

    def _integration(self, integration_id: int) -> Integration:
        found = self._store.integrations.get(integration_id)
        if found.kind != KIND:
            raise NotFound(f"{found.label} has no field map.")
        return found

    def _ask(
        self, caller: Caller, integration: Integration, question: str, asks: Mapping[str, Any]
    ) -> Command:
        """The same question that waits for a worker already, or a new one."""
        target = f"{integration.label}/{question}"
        waiting = self._store.commands.latest(CommandKind.ASK, target)
        if (
            waiting is not None
            and waiting.state is CommandState.NEW
            and waiting.asks == asks
            and waiting.created_by == caller.actor
        ):
            return waiting
        audit = self._audit.entry(
            caller, f"fields.{question.removesuffix('_fields')}", integration.label
        )
        command = Command(
            id=self._ids.new("cmd"),
            kind=CommandKind.ASK,
            target=target,
            asks=asks,
            created_at=audit.at,
            created_by=caller.actor,
        )
        self._store.commands.add(command, audit=audit)
        return command


def _facts(asked: Command | None, template: str) -> Facts:
    """What the vendors said of the present template; nothing if they were not asked for it."""
    if asked is None or asked.state is not CommandState.DONE:
        return NOTHING
    found = from_json(asked.result)
    return found if found.template == template else NOTHING
