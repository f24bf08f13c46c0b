"""Mapped fields that differ, written to the other side; and what is kept of each (R85).

A write whose answer was lost is not repeated but looked at: both sides then have the same value,
and that is agreed. So is one after which the run died before it was noted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from inkwire.engine.contract import Run
from inkwire.errors import Ambiguous, Permanent, Transient
from inkwire.integrations.box_salesforce import field_values as values
from inkwire.integrations.box_salesforce.clients import box, salesforce
from inkwire.integrations.box_salesforce.field_map import Verdict
from inkwire.integrations.box_salesforce.field_sides import Gone, Pair, Sides
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import FieldAgreement, FieldSide, FieldState, RecordFolder

#: Times that a patch is made anew because somebody changed the instance meanwhile.
TRIES = 3
_NAME = {FieldSide.BOX: "Box", FieldSide.SALESFORCE: "Salesforce"}


class Writer:
    """Writes what `sides` say, each change at most once."""

    def __init__(self, run: Run, folder: RecordFolder, sides: Sides) -> None:
        """`sides`: of that folder."""
        self._run = run
        self._folder = folder
        self._sides = sides

    def write(self) -> dict[str, Any]:
        """Brings both in step, and keeps how each field is; what was done, by field.

        Raises Gone, Transient if somebody changes Box's side all the time, what the calls raise.
        """
        for _ in range(TRIES):
            pairs = self._sides.pairs()
            self._keep([self._settled(pair) for pair in pairs if not _is_to_do(pair)])
            if self._write_box([pair for pair in pairs if _is_to_do(pair, Verdict.TO_BOX)]):
                break
            self._sides.forget()
        else:
            folder = self._folder.folder_id
            raise Transient(f"The metadata of folder {folder} changes all the time; tried again.")
        self._write_salesforce([p for p in pairs if _is_to_do(p, Verdict.TO_SALESFORCE)])
        states = self._sides.kept()
        return {
            "fields": len(pairs),
            "written": [pair.rule.field for pair in pairs if _is_to_do(pair)],
            "conflicts": _in(states, FieldAgreement.CONFLICT),
            "failed": _in(states, FieldAgreement.FAILED),
        }

    def _write_box(self, todo: Sequence[Pair]) -> bool:
        """One patch, each change with the test of what was read; False if one did not hold."""
        if not todo:
            return True
        client, folder = box(self._run), self._folder.folder_id
        template = chosen(self._run.integration).mapping_template
        try:
            if self._sides.instance is None:
                made = {p.rule.field: p.value for p in todo if p.value is not None}
                done = not made or client.create_metadata(folder, template, made)
            else:
                operations = [one for pair in todo for one in _patch(pair, self._sides.instance)]
                after = client.change_metadata(folder, template, operations)
                done = after is not None
                self._sides.instance = after
        except Permanent as error:
            if len(todo) == 1:
                self._keep([self._failed(todo[0], error.message)])
                return True
            return all(self._write_box([pair]) for pair in todo)
        if done:
            self._keep([self._agreed(pair, FieldSide.SALESFORCE) for pair in todo])
        return done

    def _write_salesforce(self, todo: Sequence[Pair]) -> None:
        """One PATCH of just those fields; if it is refused, one of each, so that one spoils none.

        Raises Gone, Transient.
        """
        if not todo:
            return
        try:
            self._patch_record(todo)
        except Permanent as error:
            # A refused PATCH of one record did nothing, so what was read of it is still so.
            if len(todo) == 1:
                self._keep([self._failed(todo[0], error.message)])
                return
            self._write_apart(todo)

    def _write_apart(self, todo: Sequence[Pair]) -> None:
        """One PATCH of each field, each on the condition that nobody else changed the record.

        Our own PATCH moves LastModifiedDate, and what it set off may change other fields. So
        after each one the record is read again: it has to have in the fields that are left what
        was compared, and its new date is the next condition. Raises Gone, Transient.
        """
        moved = False
        for number, pair in enumerate(todo):
            if moved and not self._sides.still(todo[number:]):
                self._sides.forget()
                raise Transient(
                    "Somebody changed the record while its fields were written; nothing of theirs "
                    "was overruled, and it is tried again with what it has now."
                )
            try:
                self._patch_record([pair])
                moved = True
            except Permanent as error:
                self._keep([self._failed(pair, error.message)])
                moved = False

    def _patch_record(self, todo: Sequence[Pair]) -> None:
        """One PATCH of those fields, which then are agreed.

        It holds only if nobody changed the record since it was read. Raises Gone, Transient,
        Permanent if it was refused.
        """
        fields = {self._sides.fields[p.rule.name.lower()].name: p.value for p in todo}
        try:
            there = salesforce(self._run).update(
                self._folder.object,
                self._folder.record_id or "",
                fields,
                unmodified_since=self._sides.modified_at,
            )
        except (Ambiguous, Transient) as error:
            # The next try looks at what is there by then, be it a colleague's or our own write.
            self._sides.forget()
            if isinstance(error, Transient):
                raise
            raise Transient(error.message) from error
        if not there:
            raise Gone
        self._keep([self._agreed(pair, FieldSide.BOX) for pair in todo])

    # --- what is kept

    def _settled(self, pair: Pair) -> FieldState:
        """The state of a field that needs no write."""
        if pair.wrong:
            return self._failed(pair, pair.wrong)
        if pair.verdict is Verdict.AGREED:
            return self._agreed(pair, None)
        row = self._row(pair)
        return replace(row, state=FieldAgreement.CONFLICT, note=why(pair))

    def _agreed(self, pair: Pair, source: FieldSide | None) -> FieldState:
        row = self._row(pair)
        value = pair.box if source is FieldSide.BOX else pair.salesforce
        mark = values.side(pair.rule, value).mark
        if source is None and row.mark == mark:
            return replace(row, state=FieldAgreement.IN_STEP, note="")
        return replace(
            row,
            state=FieldAgreement.IN_STEP,
            mark=mark,
            source=source,
            author=self._author_of(source),
            note="",
            agreed_at=self._run.services.clock.now(),
        )

    def _author_of(self, source: FieldSide | None) -> str:
        if source is FieldSide.SALESFORCE:
            return self._sides.author
        return self._run.work.subject.get("actor", "") if source is FieldSide.BOX else ""

    def _failed(self, pair: Pair, note: str) -> FieldState:
        return replace(self._row(pair), state=FieldAgreement.FAILED, note=note)

    def _row(self, pair: Pair) -> FieldState:
        """What is known, or a new row."""
        return pair.kept or FieldState(
            integration_id=self._folder.integration_id,
            folder_id=self._folder.folder_id,
            field=pair.rule.field,
            target=pair.rule.target,
            record_id=self._folder.record_id or "",
            state=FieldAgreement.IN_STEP,
            updated_at=self._run.services.clock.now(),
        )

    def _keep(self, rows: Sequence[FieldState]) -> None:
        """Only what is new, so that a look that finds nothing moves nothing."""
        kept, now = self._sides.kept(), self._run.services.clock.now()
        news = [replace(one, updated_at=now) for one in rows if kept.get(one.field) != one]
        self._run.services.store.field_states.put(news)


def why(pair: Pair) -> str:
    """Why a person has to decide."""
    kept = pair.kept
    if kept is None or not kept.mark:
        return "Box and Salesforce have different values, and never had the same."
    changed = [
        name
        for name, value in ((FieldSide.BOX, pair.box), (FieldSide.SALESFORCE, pair.salesforce))
        if values.side(pair.rule, value).mark != kept.mark
    ]
    if len(changed) == 1:
        return f"{_NAME[changed[0]]} was changed, and the map does not let it count."
    return "Both were changed since they last had the same value."


def _patch(pair: Pair, instance: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The operations of one field. Of one that is not there nothing can be tested."""
    path = f"/{pair.rule.field}"
    if pair.rule.field not in instance:
        return [] if pair.value is None else [{"op": "add", "path": path, "value": pair.value}]
    test = {"op": "test", "path": path, "value": instance[pair.rule.field]}
    if pair.value is None:
        return [test, {"op": "remove", "path": path}]
    return [test, {"op": "replace", "path": path, "value": pair.value}]


def _is_to_do(pair: Pair, verdict: Verdict | None = None) -> bool:
    """Whether the field is to be written, to that side if one is given."""
    wanted = (Verdict.TO_BOX, Verdict.TO_SALESFORCE) if verdict is None else (verdict,)
    return not pair.wrong and pair.verdict in wanted


def _in(states: Mapping[str, FieldState], state: FieldAgreement) -> list[str]:
    return sorted(field for field, row in states.items() if row.state is state)
