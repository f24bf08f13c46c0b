"""The form of an order: its inputs, and the draft that comes back. Pure.

An input is called as the draft's member that it fills: `customer.email`,
`blocks.0.lines.2.quantity`. Rows that are left empty are left out, so the numbers in the draft may
be others than those in the form; `Draft.places` leads back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inkwire.model.order import Order, OrderBlock
from inkwire.orders.amounts import amount_problem, product
from inkwire.pages.views import FormField
from inkwire.pages.visit import Form

Values = Mapping[str, str]
Errors = Mapping[str, str]

PARTY = (
    ("name", "Name", "text"),
    ("email", "E-mail address", "text"),
    ("phone", "Phone", "text"),
    ("address", "Address", "area"),
    ("city", "City", "text"),
    ("country", "Country", "text"),
)
_CELLS = ("description", "quantity", "unit_price", "amount")
#: A form holds so many lines; larger orders keep theirs, and are changed by the API.
MOST_LINES = 80
#: Empty lines of a new order's block.
_FIRST_LINES = 3
#: Two digits: what somebody makes up cannot make the page of it large.
_ROW = re.compile(r"(blocks|fields)\.\d{1,2}\.(lines\.\d{1,2}\.)?[a-z_]+", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class LineInput:
    """One line of a block."""

    path: str
    cells: Values
    #: What the amount comes to if it is left empty.
    computed: str
    errors: Errors


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockInput:
    """One block."""

    path: str
    title: str
    lines: tuple[LineInput, ...]
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldInput:
    """One field of the site's own."""

    path: str
    key: str
    value: str
    #: Its key when the form was opened; empty for a new one.
    was: str
    errors: Errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What the desk takes, and where the form has it."""

    members: dict[str, Any] = field(default_factory=dict)
    #: Path in the draft → path in the form, of rows.
    places: dict[str, str] = field(default_factory=dict)
    #: What the form itself finds wrong, by its own paths.
    wrong: dict[str, str] = field(default_factory=dict)

    def errors(self, found: Errors) -> dict[str, str]:
        """The desk's findings by the form's paths."""
        return {self._place(path): text for path, text in found.items()} | self.wrong

    def _place(self, path: str) -> str:
        head = path
        while head:
            if head in self.places:
                return self.places[head] + path[len(head) :]
            head = head.rpartition(".")[0]
        return path


def values_of(order: Order) -> dict[str, str]:
    """An order as the form's values."""
    found = {"number": order.number, "currency": order.currency}
    for name, party in (("customer", order.customer), ("company", order.company)):
        found |= {f"{name}.{key}": getattr(party, key) for key, _, _ in PARTY}
    for number, block in enumerate(order.blocks):
        found |= _block_values(f"blocks.{number}", block)
    for number, (key, value) in enumerate(order.fields.items()):
        path = f"fields.{number}"
        found |= {f"{path}.key": key, f"{path}.value": value, f"{path}.was": key}
    return found


def _block_values(path: str, block: OrderBlock) -> dict[str, str]:
    found = {f"{path}.title": block.title}
    for number, line in enumerate(block.lines):
        row = f"{path}.lines.{number}"
        usual = product(line.quantity, line.unit_price)
        found |= {
            f"{row}.description": line.description,
            f"{row}.quantity": line.quantity,
            f"{row}.unit_price": line.unit_price,
            # Left empty it follows the quantity and the price when they are changed.
            f"{row}.amount": "" if line.amount == usual else line.amount,
        }
    return found


def typed(form: Form) -> dict[str, str]:
    """The form's values as typed; browsers end lines with CR LF."""
    return {key: value.replace("\r\n", "\n").strip() for key, value in form.items()}


def party_inputs(name: str, values: Values, errors: Errors) -> list[FormField]:
    """Inputs of the customer (`customer`) or the company (`company`)."""
    return [
        FormField(
            name=f"{name}.{key}",
            label=label,
            kind=kind,
            value=values.get(f"{name}.{key}", ""),
            example="jane@example.com" if key == "email" and name == "customer" else "",
            help="Sign requests go to this address."
            if key == "email" and name == "customer"
            else "",
            error=errors.get(f"{name}.{key}", ""),
        )
        for key, label, kind in PARTY
    ]


def block_inputs(values: Values, errors: Errors, *, more: str = "") -> list[BlockInput]:
    """The blocks that are there, or one empty one; `more`: `blocks`, or the path of one block."""
    number = _count(values, "blocks") + (more == "blocks")
    found = []
    for path in [f"blocks.{n}" for n in range(max(1, number))]:
        there = _count(values, f"{path}.lines")
        lines = max(1, there + (more == path)) if there else _FIRST_LINES
        found.append(
            BlockInput(
                path=path,
                title=values.get(f"{path}.title", ""),
                error=errors.get(f"{path}.title", errors.get(path, "")),
                lines=tuple(
                    [_line_input(f"{path}.lines.{n}", values, errors) for n in range(lines)]
                ),
            )
        )
    return found


def _line_input(path: str, values: Values, errors: Errors) -> LineInput:
    cells = {key: values.get(f"{path}.{key}", "") for key in _CELLS}
    quantity, price = cells["quantity"] or "1", cells["unit_price"] or "0"
    sound = amount_problem(quantity) is None and amount_problem(price) is None
    return LineInput(
        path=path,
        cells=cells,
        computed=product(quantity, price) if sound and cells["unit_price"] else "",
        errors={key: errors[f"{path}.{key}"] for key in _CELLS if f"{path}.{key}" in errors},
    )


def field_inputs(values: Values, errors: Errors, *, more: str = "") -> list[FieldInput]:
    """The fields that are there, and one empty one at least."""
    number = _count(values, "fields")
    return [
        FieldInput(
            path=path,
            key=values.get(f"{path}.key", ""),
            value=values.get(f"{path}.value", ""),
            was=values.get(f"{path}.was", ""),
            errors={
                key: errors[f"{path}.{key}"]
                for key in ("key", "value")
                if f"{path}.{key}" in errors
            },
        )
        for path in [f"fields.{n}" for n in range(max(1, number + (more == "fields")))]
    ]


def _count(values: Values, path: str) -> int:
    """How many rows the values have below `path`."""
    found = -1
    for name in values:
        if name.startswith(f"{path}.") and _ROW.fullmatch(name):
            found = max(found, int(name[len(path) + 1 :].partition(".")[0]))
    return found + 1


def draft_of(values: Values, *, blocks: bool) -> Draft:
    """The draft of a form; `blocks`: whether the form had them."""
    draft = Draft()
    draft.members["number"] = values.get("number", "")
    draft.members["currency"] = values.get("currency", "").upper()
    for name in ("customer", "company"):
        draft.members[name] = {key: values.get(f"{name}.{key}", "") for key, _, _ in PARTY}
    if blocks:
        draft.members["blocks"] = _blocks(values, draft)
    draft.members["fields"] = _fields(values, draft)
    return draft


def _blocks(values: Values, draft: Draft) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(_count(values, "blocks")):
        path, here = f"blocks.{number}", f"blocks.{len(found)}"
        lines: list[dict[str, str]] = []
        for row in [f"{path}.lines.{n}" for n in range(_count(values, f"{path}.lines"))]:
            cells = {key: text for key in _CELLS if (text := values.get(f"{row}.{key}", ""))}
            if cells:
                draft.places[f"{here}.lines.{len(lines)}"] = row
                lines.append({"description": ""} | cells)
        title = values.get(f"{path}.title", "")
        if lines or title:
            draft.places[here] = path
            found.append({"title": title, "lines": lines})
    return found


def _fields(values: Values, draft: Draft) -> dict[str, str | None]:
    """Texts by key; None for one that was renamed or emptied of its key."""
    found: dict[str, str | None] = {}
    rows = [f"fields.{number}" for number in range(_count(values, "fields"))]
    for path in rows:
        if was := values.get(f"{path}.was", ""):
            found[was] = None
    for path in rows:
        key, text = values.get(f"{path}.key", ""), values.get(f"{path}.value", "")
        if not key:
            if text and not values.get(f"{path}.was", ""):
                draft.wrong[f"{path}.key"] = "is needed: what is this text called?"
            continue
        if found.get(key) is not None:
            draft.wrong[f"{path}.key"] = "is there twice"
        found[key] = text
        draft.places[f"fields.{key}"] = f"{path}.value"
    return found


def has_lines(order: Order) -> bool:
    """Whether the order's lines fit into a form."""
    return sum(len(block.lines) for block in order.blocks) <= MOST_LINES
