"""Both sides of a folder's mapped fields, read and compared (R85).

A write of ours is known again by its mark: what both sides have now is what they agreed on. Who
changed a record last is only told to people.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from inkwire.engine.contract import Run
from inkwire.integrations.box_salesforce import field_values as values
from inkwire.integrations.box_salesforce.clients import box, salesforce
from inkwire.integrations.box_salesforce.field_map import Mapped, Verdict, decide, taken
from inkwire.integrations.box_salesforce.field_values import Unfit
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import FieldAgreement, FieldSide, FieldState, RecordFolder
from inkwire.providers.box.objects import BoxTemplateField
from inkwire.providers.salesforce.objects import Field, Record, moment_of
from inkwire.providers.salesforce.soql import equals, one_of, select

#: Times that a patch is made anew because somebody changed the instance meanwhile.
TRIES = 3
_NAME = {FieldSide.BOX: "Box", FieldSide.SALESFORCE: "Salesforce"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One mapped field with its values in the common form, and what follows from them."""

    rule: Mapped
    kept: FieldState | None
    verdict: Verdict
    box: str = ""
    salesforce: str = ""
    #: The JSON value that is to be written; None clears.
    value: Any = None
    #: Why it can be neither compared nor written; "" if it can.
    wrong: str = ""

    @property
    def told(self) -> str:
        """Both values in short, and what would be done, for a person who asked."""
        has = f"Box has {_quoted(self.box)}, Salesforce has {_quoted(self.salesforce)}"
        if self.wrong:
            return f"{self.rule.field} = {self.rule.target}: {self.wrong}"
        then = {
            Verdict.AGREED: "they are in step",
            Verdict.TO_BOX: "Salesforce's is written to Box",
            Verdict.TO_SALESFORCE: "Box's is written to Salesforce",
            Verdict.CONFLICT: "a person decides",
        }[self.verdict]
        return f"{self.rule.field} = {self.rule.target}: {has}; {then}."


class Gone(Exception):
    """Salesforce shows no such record, or does not know the object."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """What was read for many folders together, so that each of them costs no such call."""

    #: Those of the object, by name in small letters.
    fields: Mapping[str, Field]
    record: Record
    template: Mapping[str, BoxTemplateField]


class Sides:
    """Reads both sides once in each execution of a run: values are not for the journal."""

    def __init__(
        self,
        run: Run,
        folder: RecordFolder,
        rules: Sequence[Mapped],
        *,
        choices: Mapping[str, FieldSide],
        ready: Ready | None = None,
    ) -> None:
        """`folder` has a record, `rules` are of its object, `choices` a person's by field."""
        self.folder = folder
        #: As read from Box with its own fields; None: there is none.
        self.instance: Mapping[str, Any] | None = None
        #: Those of the object, by name in small letters.
        self.fields: Mapping[str, Field] = {}
        #: Who changed the record last, as Salesforce says.
        self.author = ""
        #: When that was; None: Salesforce does not say.
        self.modified_at: datetime | None = None
        self._run = run
        self._rules = rules
        self._choices = choices
        self._pairs: list[Pair] | None = None
        self._read = False
        self._ready = ready
        self._template = ready.template if ready is not None else None

    # --- reading

    def box_is_as_agreed(self) -> bool:
        """Whether Box has what was agreed on in every field, so that Salesforce need not be asked.

        It is not while a field is in conflict, failed, or was never compared.
        """
        return all(
            row is not None and row.state is FieldAgreement.IN_STEP and row.mark == mark
            for row, mark in self._marks_of_box()
        )

    def box_moved(self) -> bool:
        """Whether Box has something in a field that nobody has compared yet.

        What is in conflict or failed waits for a person, and is not looked at over and over.
        """
        return any(
            row is None or (row.state is FieldAgreement.IN_STEP and row.mark != mark)
            for row, mark in self._marks_of_box()
        )

    def _marks_of_box(self) -> Iterator[tuple[FieldState | None, str]]:
        """What is known of each field, and the mark of what Box has; "" if it cannot be read."""
        kept, instance = self.kept(), self._read_box()
        for rule in self._rules:
            try:
                mark = values.side(rule, _of_box(rule, instance)).mark
            except Unfit:
                mark = ""
            yield kept.get(rule.field), mark

    def pairs(self) -> list[Pair]:
        """Every mapped field with both values. Raises Gone, and what the calls raise."""
        if self._pairs is None:
            record = self._read_salesforce()
            instance, kept = self._read_box(), self.kept()
            self._pairs = [self._pair(rule, instance, record, kept) for rule in self._rules]
        return self._pairs

    def still(self, pairs: Sequence[Pair]) -> bool:
        """Whether Salesforce has in those fields what was compared, read anew.

        `modified_at` is then as of now. Raises Gone, and what the calls raise.
        """
        self._ready = None
        record = self._read_salesforce()
        return all(self._has(record, pair) for pair in pairs)

    def _has(self, record: Record, pair: Pair) -> bool:
        field = self.fields.get(pair.rule.name.lower())
        if field is None:
            return False
        try:
            now = values.read(pair.rule.type, record.get(field.name), where=pair.rule.target)
        except Unfit:
            return False
        return now == pair.salesforce

    def _pair(
        self,
        rule: Mapped,
        instance: Mapping[str, Any] | None,
        record: Record,
        kept: Mapping[str, FieldState],
    ) -> Pair:
        row = kept.get(rule.field)
        pair = Pair(rule=rule, kept=row, verdict=Verdict.CONFLICT)
        field = self.fields.get(rule.name.lower())
        if field is None:
            return replace(pair, wrong=unseen(rule))
        try:
            here = _of_box(rule, instance)
            there = values.read(rule.type, record.get(field.name), where=rule.target)
            pair = replace(pair, box=here, salesforce=there)
            pair = replace(pair, verdict=self._verdict(pair))
            return replace(pair, value=self._written(pair, field))
        except Unfit as unfit:
            return replace(pair, wrong=str(unfit))

    def _verdict(self, pair: Pair) -> Verdict:
        """By the rule; of a conflict by a person's word."""
        agreed = pair.kept.mark if pair.kept is not None else ""
        here, there = (values.side(pair.rule, one) for one in (pair.box, pair.salesforce))
        found = decide(agreed, here, there, pair.rule)
        if found is Verdict.CONFLICT:
            return taken(self._choices.get(pair.rule.field))
        return found

    def _written(self, pair: Pair, field: Field) -> Any:
        """The value that the other side gets, as its JSON has it. Raises Unfit."""
        if pair.verdict is Verdict.TO_SALESFORCE:
            return values.for_salesforce(pair.rule, pair.box, field)
        if pair.verdict is not Verdict.TO_BOX or not pair.salesforce:
            return None
        if self._template is None:
            key = chosen(self._run.integration).mapping_template
            self._template = box(self._run).metadata_fields(key) or {}
        there = self._template.get(pair.rule.field)
        if there is None:
            raise Unfit(lacking(pair.rule))
        return values.for_box(pair.rule, pair.salesforce, there)

    def _read_salesforce(self) -> Record:
        """The record with the fields that there are. Raises Gone."""
        folder, ready = self.folder, self._ready
        if ready is None:
            self.fields = fields_of(self._run, folder.object)
            wanted = [folder.record_id or ""]
            rows = list(read_records(self._run, folder.object, self._rules, self.fields, wanted))
        else:
            self.fields, rows = ready.fields, [ready.record]
        if not rows:
            raise Gone
        self.author = str((rows[0].get("LastModifiedBy") or {}).get("Name") or "")
        self.modified_at = moment_of(rows[0].get("LastModifiedDate"))
        return rows[0]

    def _read_box(self) -> Mapping[str, Any] | None:
        if not self._read:
            template = chosen(self._run.integration).mapping_template
            self.instance = box(self._run).metadata(self.folder.folder_id, template)
            self._read = True
        return self.instance

    def kept(self) -> dict[str, FieldState]:
        """What is known of the fields; nothing of one that was mapped to something else."""
        rules = {rule.field: rule for rule in self._rules}
        states = self._run.services.store.field_states
        return {
            row.field: row
            for row in states.of_folder(self.folder.integration_id, self.folder.folder_id)
            if row.field in rules
            and row.target == rules[row.field].target
            and row.record_id == self.folder.record_id
        }

    def forget(self) -> None:
        """What was read is no longer so: it is read anew."""
        self._pairs, self._read, self._ready = None, False, None


def fields_of(run: Run, object_name: str) -> Mapping[str, Field]:
    """The object's fields by name in small letters. Raises Gone."""
    described = salesforce(run).describe(object_name)
    if described is None:
        raise Gone
    return {name.lower(): field for name, field in described.fields.items()}


def read_records(
    run: Run,
    object_name: str,
    rules: Sequence[Mapped],
    fields: Mapping[str, Field],
    ids: Sequence[str],
) -> Iterator[Record]:
    """Records (≤ 200) of an object, with the mapped fields that there are, by one query."""
    asked = [fields[rule.name.lower()].name for rule in rules if rule.name.lower() in fields]
    names = dict.fromkeys(("Id", *asked, "LastModifiedBy.Name", "LastModifiedDate"))
    where = one_of("Id", ids) if len(ids) > 1 else equals("Id", ids[0])
    yield from salesforce(run).query(select(object_name, list(names), where), most=len(ids))


def lacking(rule: Mapped) -> str:
    """That Box's template has no such field."""
    return (
        f"The metadata template has no field {rule.field}: a Box admin adds it (Admin "
        "Console > Content > Metadata), or correct the map."
    )


def unseen(rule: Mapped) -> str:
    """That the object in Salesforce has no such field."""
    return (
        f"{rule.object} has no field {rule.name}, or the connected user may not see it: "
        "correct the map, or the field-level security."
    )


def _of_box(rule: Mapped, instance: Mapping[str, Any] | None) -> str:
    value = (instance or {}).get(rule.field)
    return values.read(rule.type, value, where=f"{rule.field} in Box")


def _quoted(value: str) -> str:
    return f"“{values.shown(value)}”" if value else "nothing"
