"""What both vendors say of mapped fields, and what is wrong with a line by it (R85). Pure.

The rules on types and values are those of `field_values`; here they are asked before any value is
written. What the vendors said is kept as JSON with the answer of the question that asked them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inkwire.integrations.box_salesforce import field_values as values
from inkwire.integrations.box_salesforce.field_map import FieldMap, Mapped, ValueType
from inkwire.integrations.box_salesforce.field_sides import lacking, unseen
from inkwire.integrations.box_salesforce.field_values import Unfit
from inkwire.model.crm import FieldSide
from inkwire.providers.box.objects import BoxTemplateField
from inkwire.providers.salesforce.objects import Field

#: Values that a sentence names.
_NAMED = 8
#: The map's type for types of Salesforce; text for the others.
_TYPES = {
    **dict.fromkeys(("double", "currency", "percent", "int", "long"), ValueType.NUMBER),
    **dict.fromkeys(("date", "datetime"), ValueType.DATE),
    "boolean": ValueType.FLAG,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something about a line of the map."""

    text: str
    #: False: only some values are concerned, the others go over.
    fails: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The fields that there are at both vendors."""

    #: Key of the metadata template that Box was asked for.
    template: str = ""
    #: Its fields by key; None: there is none, or Box could not be asked.
    box: Mapping[str, BoxTemplateField] | None = None
    #: Why Box could not be asked, or what it lacks; "" if it answered.
    box_problem: str = ""
    #: Fields by name in small letters, by object; those objects that were found.
    objects: Mapping[str, Mapping[str, Field]] = field(default_factory=dict)
    #: Why an object could not be described, by its name; "" stands for all of them.
    object_problems: Mapping[str, str] = field(default_factory=dict)

    def problem_of(self, object_name: str) -> str:
        """Why nothing is known of an object; "" if something is, or it was not asked for."""
        problems = self.object_problems
        return problems.get(object_name, problems.get("", ""))


NOTHING = Facts()


def findings(rule: Mapped, facts: Facts) -> tuple[Finding, ...]:
    """What is wrong with a line; nothing is said of a side of which nothing is known."""
    found: list[Finding] = []
    here = (facts.box or {}).get(rule.field)
    fields = facts.objects.get(rule.object)
    there = (fields or {}).get(rule.name.lower())
    if facts.box is not None and here is None:
        found.append(Finding(text=lacking(rule)))
    if fields is not None and there is None:
        found.append(Finding(text=unseen(rule)))
    found += [Finding(text=text) for text in _misfits(rule, here, there)]
    if not found and here is not None and there is not None:
        found += [Finding(text=text, fails=False) for text in _unmet(rule, here, there)]
    return tuple(found)


def judged(given: FieldMap, count: int, facts: Facts) -> tuple[tuple[int, Finding], ...]:
    """What is wrong with a map of `count` lines, by their numbers from 1; 0: with the whole."""
    found = [(number, Finding(text=text)) for number, text in given.faults]
    bad = {number for number, _ in given.faults}
    good = [number for number in range(1, count + 1) if number not in bad]
    for number, rule in zip(good, given.lines, strict=True):
        found += [(number, one) for one in findings(rule, facts)]
        if problem := facts.problem_of(rule.object):
            found.append((number, Finding(text=problem)))
    return tuple(sorted(found, key=lambda one: one[0]))


def type_of(salesforce_type: str) -> ValueType:
    """The type of the map that a field of Salesforce suggests."""
    return _TYPES.get(salesforce_type, ValueType.TEXT)


def _misfits(rule: Mapped, here: BoxTemplateField | None, there: Field | None) -> Iterator[str]:
    """What no value of the fields' types could do."""
    tries: list[Callable[[], None]] = []
    if here is not None:
        type_ = here.type
        where = f"The template's field {rule.field}"
        tries.append(lambda: values.require_readable(rule, type_, where=where))
        if rule.writes(FieldSide.BOX):
            tries.append(lambda: values.require_holding(rule, here))
    if there is not None:
        kind = there.type
        tries.append(lambda: values.require_readable(rule, kind, where=rule.target))
        if rule.writes(FieldSide.SALESFORCE):
            tries.append(lambda: values.require_writable(rule, there))
    said: dict[str, None] = {}
    for attempt in tries:
        try:
            attempt()
        except Unfit as unfit:
            said[str(unfit)] = None
    yield from said


def _unmet(rule: Mapped, here: BoxTemplateField, there: Field) -> Iterator[str]:
    """Listed values of one side that the other side would not take."""
    if rule.writes(FieldSide.BOX) and here.type == "enum":
        left = _refused(rule, there.values, lambda one: values.for_box(rule, one, here))
        if left:
            yield (
                f"The template's field {rule.field} has no option for {_named(left)} of "
                f"{rule.target}; a Box admin adds what is in use."
            )
    if rule.writes(FieldSide.SALESFORCE) and there.type == "picklist":
        left = _refused(rule, here.options, lambda one: values.for_salesforce(rule, one, there))
        if left:
            yield (
                f"{rule.target} has no active value for {_named(left)} of the template's field "
                f"{rule.field}; an admin of Salesforce adds what is in use."
            )


def _refused(rule: Mapped, given: Sequence[str], write: Callable[[str], Any]) -> list[str]:
    left = []
    for one in given:
        try:
            write(values.read(rule.type, one, where=rule.field))
        except Unfit:
            left.append(one)
    return left


def _named(left: Sequence[str]) -> str:
    shown = ", ".join(f"“{values.shown(one)}”" for one in left[:_NAMED])
    return shown if len(left) <= _NAMED else f"{shown} and {len(left) - _NAMED} more"


# --- as JSON


def as_json(facts: Facts) -> dict[str, Any]:
    """What a command keeps."""
    return {
        "template": facts.template,
        "box": None
        if facts.box is None
        else [
            {"key": one.key, "type": one.type, "options": list(one.options)}
            for one in facts.box.values()
        ],
        "box_problem": facts.box_problem,
        "objects": {
            name: [
                {
                    "name": one.name,
                    "label": one.label,
                    "type": one.type,
                    "length": one.length,
                    "updateable": one.updateable,
                    "values": list(one.values),
                }
                for one in fields.values()
            ]
            for name, fields in facts.objects.items()
        },
        "object_problems": dict(facts.object_problems),
    }


def from_json(data: Mapping[str, Any]) -> Facts:
    """What `as_json` made."""
    rows = data["box"]
    return Facts(
        template=data["template"],
        box=None
        if rows is None
        else {
            one["key"]: BoxTemplateField(
                key=one["key"], type=one["type"], options=tuple(one["options"])
            )
            for one in rows
        },
        box_problem=data["box_problem"],
        objects={
            name: {
                one["name"].lower(): Field(
                    name=one["name"],
                    label=one["label"],
                    type=one["type"],
                    length=one["length"],
                    createable=False,
                    updateable=one["updateable"],
                    values=tuple(one["values"]),
                )
                for one in fields
            }
            for name, fields in data["objects"].items()
        },
        object_problems=data["object_problems"],
    )
