"""One row of the field map: as it is shown, as it is changed, and the line that it becomes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from inkwire.console import crm_words
from inkwire.integrations.box_salesforce.field_checks import Facts, Finding, type_of
from inkwire.integrations.box_salesforce.field_map import (
    NOBODY,
    Direction,
    Mapped,
    ValueType,
)
from inkwire.integrations.field_map_desk import MapView
from inkwire.model.crm import FieldSide
from inkwire.pages.views import FormField
from inkwire.providers.salesforce.objects import Field

#: What an open row sends. The `…_typed` ones win: a field that is not listed.
NAMES = ("box", "box_typed", "target", "target_typed", "type", "direction", "winner")
#: Types of Salesforce that hold more than one value, so that no field of them is offered.
_NOT_OFFERED = frozenset({"address", "location", "complexvalue", "multipicklist", "base64"})


@dataclass(frozen=True, kw_only=True, slots=True)
class MapRow:
    """A line of the map."""

    #: Its place from 0.
    at: int
    line: str
    #: None: it cannot be read, and `findings` say why.
    rule: Mapped | None
    direction: str
    winner: str
    findings: tuple[Finding, ...]
    #: What both vendors call the fields' types; "" if that is not known.
    box_type: str
    salesforce_type: str

    @property
    def fails(self) -> bool:
        """Whether something is wrong that concerns every value."""
        return any(one.fails for one in self.findings)


@dataclass(frozen=True, kw_only=True, slots=True)
class EditedRow:
    """The row that is open."""

    at: int
    new: bool
    box: FormField
    box_typed: FormField
    target: FormField
    #: Label and (value, text) of each object's fields; none: `target` is plain text.
    groups: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    target_typed: FormField
    more: tuple[FormField, ...]
    #: Whether a field that is not listed was typed in.
    typed: bool


def rows_of(view: MapView) -> tuple[MapRow, ...]:
    """Every line, those that cannot be read among them."""
    bad = {number for number, _ in view.map.faults}
    good = iter(view.map.lines)
    found: dict[int, list[Finding]] = {}
    for number, finding in view.findings:
        found.setdefault(number, []).append(finding)
    return tuple(
        _row(view, at, line, None if at + 1 in bad else next(good, None), found.get(at + 1, []))
        for at, line in enumerate(view.lines)
    )


def _row(view: MapView, at: int, line: str, rule: Mapped | None, findings: list[Finding]) -> MapRow:
    here = (view.facts.box or {}).get(rule.field) if rule else None
    there = view.facts.objects.get(rule.object, {}).get(rule.name.lower()) if rule else None
    return MapRow(
        at=at,
        line=line,
        rule=rule,
        direction=crm_words.DIRECTIONS[rule.direction] if rule else "",
        winner=_winner(rule) if rule else "",
        findings=tuple(findings),
        box_type=here.type if here else "",
        salesforce_type=there.type if there else "",
    )


def _winner(rule: Mapped) -> str:
    return crm_words.SIDES[rule.winner] if rule.winner else crm_words.NOBODY


def vendor_problems(view: MapView) -> tuple[str, ...]:
    """Why fields can only be typed in: what a vendor said instead of listing them."""
    facts, asked = view.facts, view.asked
    found = [asked.error] if asked is not None and asked.error else []
    found += [facts.box_problem] if facts.box_problem else []
    found += facts.object_problems.values()
    return tuple(found)


# --- the row that is open


def edited(view: MapView, *, at: int, line: str, typed: Mapping[str, str] | None) -> EditedRow:
    """The open row: `line` in its parts, or what was typed since."""
    values = dict(typed) if typed is not None else parts_of(line)
    facts = view.facts
    fields = tuple(_of_template(facts, view))
    groups = tuple(_groups(facts))
    offered = {value.lower() for _, options in groups for value, _ in options}
    unlisted_target = (
        bool(groups) and bool(values["target"]) and (values["target"].lower() not in offered)
    )
    unlisted_box = bool(fields) and values["box"] not in {"", *(value for value, _ in fields)}
    if unlisted_target:
        values |= {"target_typed": values["target_typed"] or values["target"], "target": ""}
    if unlisted_box:
        values |= {"box_typed": values["box_typed"] or values["box"], "box": ""}
    return EditedRow(
        at=at,
        new=not line,
        box=FormField(
            name="box",
            label="Field in Box",
            kind="choice" if fields else "text",
            value=values["box"],
            choices=(("", "Choose a field"), *fields),
            example="amount",
        ),
        box_typed=_typed("box_typed", "Another key in Box", values, "amount"),
        target=FormField(
            name="target",
            label="Field in Salesforce",
            value=values["target"],
            example="Opportunity.Amount",
        ),
        groups=groups,
        target_typed=_typed(
            "target_typed", "Another field in Salesforce", values, "Deal__c.Amount__c"
        ),
        more=(
            _choice("type", "Type", values, (("", "As in Salesforce"), *crm_words.TYPES.items())),
            _choice("direction", "Direction", values, tuple(crm_words.DIRECTIONS.items())),
            _choice("winner", "When both have changed", values, tuple(crm_words.WINNERS.items())),
        ),
        typed=bool(values["box_typed"] or values["target_typed"]),
    )


def _typed(name: str, label: str, values: Mapping[str, str], example: str) -> FormField:
    return FormField(name=name, label=label, value=values[name], example=example)


def _choice(
    name: str, label: str, values: Mapping[str, str], choices: tuple[tuple[str, str], ...]
) -> FormField:
    """A select; a value that is none of its own is kept, so that its message can be understood."""
    value = values[name]
    if value not in {own for own, _ in choices}:
        choices = (*choices, (value, f"{value} (not known)"))
    return FormField(name=name, label=label, kind="choice", value=value, choices=choices)


def _of_template(facts: Facts, view: MapView) -> Iterator[tuple[str, str]]:
    """The template's fields that can hold a value; those that name the record are left out."""
    for one in (facts.box or {}).values():
        if one.key not in view.naming and one.type != "multiSelect":
            yield one.key, f"{one.key} ({crm_words.BOX_TYPES.get(one.type, one.type)})"


def _groups(facts: Facts) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """The fields of each object by name."""
    for name, fields in facts.objects.items():
        shown = sorted(fields.values(), key=lambda one: one.name.casefold())
        offered = tuple(
            (f"{name}.{one.name}", _told(name, one))
            for one in shown
            if one.type not in _NOT_OFFERED
        )
        if offered:
            yield name, offered


def _told(object_name: str, one: Field) -> str:
    read_only = "" if one.updateable else ", read only"
    label = f" – {one.label}" if one.label not in ("", one.name) else ""
    return f"{object_name}.{one.name}{label} ({one.type}{read_only})"


def parts_of(line: str) -> dict[str, str]:
    """What an open row shows of a line, as far as its parts can be told; defaults for an empty one.

    `amount = Opportunity.Amount number both salesforce`.
    """
    field, _, rest = (one.strip() for one in line.partition("="))
    words = [*rest.split(), "", "", "", ""]
    known = dict.fromkeys(NAMES, "")
    if not line:
        return known | {"direction": Direction.BOTH.value, "winner": NOBODY}
    return known | {
        "box": field,
        "target": words[0],
        "type": words[1],
        "direction": words[2],
        "winner": words[3],
    }


def line_of(typed: Mapping[str, str], facts: Facts) -> str:
    """The line that an open row becomes; whether it can be read, the map itself says."""
    box = _word(typed["box_typed"] or typed["box"])
    target = _word(typed["target_typed"] or typed["target"])
    type_ = _word(typed["type"]) or _guessed(target, facts).value
    direction = _word(typed["direction"]) or Direction.BOTH.value
    winner = _fitting(direction, _word(typed["winner"]))
    return f"{box} = {target} {type_} {direction} {winner}".strip()


def _guessed(target: str, facts: Facts) -> ValueType:
    """The type that the field in Salesforce suggests; text if nothing is known of it."""
    name, _, field = target.partition(".")
    there = facts.objects.get(name, {}).get(field.lower())
    return type_of(there.type) if there is not None else ValueType.TEXT


def _fitting(direction: str, winner: str) -> str:
    """Of one direction the written side cannot win: left out, the other one does."""
    written = {
        Direction.TO_BOX.value: FieldSide.BOX.value,
        Direction.TO_SALESFORCE.value: FieldSide.SALESFORCE.value,
    }
    return "" if winner and written.get(direction) == winner else winner


def _word(text: str) -> str:
    """Without blanks, which separate the words of a line."""
    return "".join(text.split())
