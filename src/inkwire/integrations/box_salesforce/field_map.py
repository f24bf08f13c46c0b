"""Which field in Box is which field in Salesforce, and which side counts (R85). Pure.

A line of the setting `field_map` names the field of Box's template, the object and field in
Salesforce, the type, the direction, and who wins when both sides have changed:

    amount = Opportunity.Amount number both salesforce
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from inkwire.model.crm import FieldSide

#: Lines: each folder's fields are compared together.
MOST = 50
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_TARGET = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,79})\.([A-Za-z][A-Za-z0-9_]{0,79})", re.ASCII)
#: Words after the equals sign: where to, the type, the direction; perhaps who wins.
_LEAST_WORDS, _MOST_WORDS = 3, 4
#: Who wins when a person decides.
NOBODY = "nobody"


class ValueType(StrEnum):
    """How values compare, and how they are written."""

    TEXT = "text"
    NUMBER = "number"
    #: A day, without a time.
    DATE = "date"
    FLAG = "flag"


class Direction(StrEnum):
    """Which side is written."""

    TO_BOX = "to_box"
    TO_SALESFORCE = "to_salesforce"
    BOTH = "both"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mapped:
    """One line: two fields that are to say the same."""

    #: Key in Box's template.
    field: str
    object: str
    #: API name in Salesforce.
    name: str
    type: ValueType
    direction: Direction
    #: Whose value counts when both have changed; None: nobody's, a person decides.
    winner: FieldSide | None

    @property
    def target(self) -> str:
        """`Opportunity.Amount`."""
        return f"{self.object}.{self.name}"

    @property
    def line(self) -> str:
        """The line that `parse` reads this from, with who wins in words."""
        winner = self.winner.value if self.winner is not None else NOBODY
        return f"{self.field} = {self.target} {self.type} {self.direction} {winner}"

    def writes(self, side: FieldSide) -> bool:
        """Whether that side may be written."""
        only = {FieldSide.BOX: Direction.TO_BOX, FieldSide.SALESFORCE: Direction.TO_SALESFORCE}
        return self.direction in (Direction.BOTH, only[side])


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldMap:
    """The map, and what is wrong with lines that are none."""

    lines: tuple[Mapped, ...]
    #: (line's number from 1, what is wrong with it); number 0: with the whole.
    faults: tuple[tuple[int, str], ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences, each with its line's number."""
        return tuple(f"Line {number}: {text}" if number else text for number, text in self.faults)

    def of(self, object_name: str) -> tuple[Mapped, ...]:
        """The lines of an object."""
        return tuple(one for one in self.lines if one.object == object_name)

    @property
    def objects(self) -> tuple[str, ...]:
        """The objects that have lines, each once."""
        return tuple(dict.fromkeys(one.object for one in self.lines))


def parse(lines: Sequence[str], *, reserved: Sequence[str] = ()) -> FieldMap:
    """The map of the setting's lines (without the empty ones); never raises.

    `reserved`: fields of the template that name the record, so they cannot hold a value of it.
    """
    found: list[Mapped] = []
    faults: list[tuple[int, str]] = []
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(lines, start=1):
        one = _line(line)
        wrong = one if isinstance(one, str) else _clash(one, seen, reserved)
        if isinstance(one, Mapped) and not wrong:
            found.append(one)
            seen |= {(one.object, f"box {one.field}"), (one.object, f"crm {one.name.lower()}")}
        else:
            faults.append((number, wrong))
    if len(found) > MOST:
        text = f"There are {len(found)} lines, and {MOST} are the most; leave some out."
        faults.append((0, text))
    return FieldMap(lines=tuple(found), faults=tuple(faults))


def _line(line: str) -> Mapped | str:
    """The line, or what is wrong with it."""
    field, equals, rest = (part.strip() for part in line.partition("="))
    words = rest.split()
    if not equals or not _LEAST_WORDS <= len(words) <= _MOST_WORDS:
        return (
            "write it as `template_field = Object.Field type direction winner`, e.g. "
            "`amount = Opportunity.Amount number both salesforce`."
        )
    if not _KEY.fullmatch(field):
        return f"{field[:80]!r} is no field's key in Box: letters, digits, _ and -, at most 64."
    target = _TARGET.fullmatch(words[0])
    if target is None:
        return f"{words[0][:80]!r} is no field in Salesforce; write Object.Field by its API names."
    type_, direction, winner = words[1], words[2], words[3] if len(words) > _LEAST_WORDS else ""
    if type_ not in set(ValueType):
        return f"the type {type_[:80]!r} is none of {', '.join(ValueType)}."
    if direction not in set(Direction):
        return f"the direction {direction[:80]!r} is none of {', '.join(Direction)}."
    one = Mapped(
        field=field,
        object=target[1],
        name=target[2],
        type=ValueType(type_),
        direction=Direction(direction),
        winner=None,
    )
    return _ruled(one, winner)


def _ruled(one: Mapped, winner: str) -> Mapped | str:
    """The line with who wins: of one direction only where the value comes from, or nobody."""
    sources = {Direction.TO_BOX: FieldSide.SALESFORCE, Direction.TO_SALESFORCE: FieldSide.BOX}
    source = sources.get(one.direction)
    if not winner:
        return replace(one, winner=source)
    if winner == NOBODY:
        return one
    allowed = [source] if source is not None else list(FieldSide)
    if winner not in allowed:
        words = ", ".join([*(side.value for side in allowed), NOBODY])
        return (
            f"with the direction {one.direction} who wins is one of {words}, not {winner[:80]!r}."
        )
    return replace(one, winner=FieldSide(winner))


def _clash(one: Mapped, seen: set[tuple[str, str]], reserved: Sequence[str]) -> str:
    """What keeps a good line from standing beside the others; "" for nothing."""
    if one.field in reserved:
        return f"the field {one.field} names the record itself; take another field of the template."
    if (one.object, f"box {one.field}") in seen:
        return f"{one.field} has a field of {one.object} on an earlier line; leave one of them out."
    if (one.object, f"crm {one.name.lower()}") in seen:
        return f"{one.target} stands on an earlier line; leave one of them out."
    return ""


# --- what follows from two values


class Verdict(StrEnum):
    """What is to be done about one field."""

    #: Both say the same.
    AGREED = "agreed"
    TO_BOX = "to_box"
    TO_SALESFORCE = "to_salesforce"
    CONFLICT = "conflict"


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A field's value on one side."""

    #: Equal values have equal marks.
    mark: str
    empty: bool


def decide(agreed: str, box: Side, salesforce: Side, rule: Mapped) -> Verdict:
    """What follows from the mark that both had last ("": never) and what they have now."""
    if box.mark == salesforce.mark:
        return Verdict.AGREED
    to_box, to_crm = rule.writes(FieldSide.BOX), rule.writes(FieldSide.SALESFORCE)
    if not agreed:
        if box.empty or salesforce.empty:
            # Nothing is taken away at first sight, not even by the side that wins.
            fills = Verdict.TO_BOX if box.empty else Verdict.TO_SALESFORCE
            allowed = to_box if box.empty else to_crm
            return fills if allowed else Verdict.CONFLICT
    elif box.mark == agreed and to_box:
        return Verdict.TO_BOX
    elif salesforce.mark == agreed and to_crm:
        return Verdict.TO_SALESFORCE
    return taken(rule.winner)


def taken(side: FieldSide | None) -> Verdict:
    """What is to be done for a side's value to count."""
    if side is None:
        return Verdict.CONFLICT
    return Verdict.TO_SALESFORCE if side is FieldSide.BOX else Verdict.TO_BOX
