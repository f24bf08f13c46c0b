"""Values of mapped fields: read from either side, compared, and written to the other. Pure.

A value is kept as text in one form for both sides, "" for none: a number as the shortest decimal
of a double, a date as `2027-01-31`, a flag as `true` or `false`.
"""

import hashlib
import math
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from inkwire.integrations.box_salesforce.field_map import Mapped, Side, ValueType
from inkwire.providers.box.objects import BoxTemplateField
from inkwire.providers.salesforce.objects import Field

_NUMBER = re.compile(r"[+-]?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ].{1,40})?", re.ASCII)
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
#: Characters of a value that a sentence shows.
_SHOWN = 60
#: Types of Salesforce that a type of the map can be written to; all but text read others, too.
_WRITTEN = {
    ValueType.TEXT: frozenset(
        {"string", "textarea", "picklist", "email", "phone", "url", "combobox"}
    ),
    ValueType.NUMBER: frozenset({"double", "currency", "percent", "int", "long"}),
    ValueType.DATE: frozenset({"date"}),
    ValueType.FLAG: frozenset({"boolean"}),
}
_WHOLE = frozenset({"int", "long"})
#: Types on either side whose values no type of the map can read.
_LISTS = frozenset({"multipicklist", "multiSelect", "address", "location", "complexvalue"})
#: Types on either side that may hold a value of the map's type, written as text or otherwise.
_AS_TEXT = frozenset({"string", "textarea", "picklist", "combobox", "enum", "encryptedstring"})
_READ = {
    ValueType.NUMBER: _AS_TEXT | _WRITTEN[ValueType.NUMBER] | {"float"},
    ValueType.DATE: _AS_TEXT | {"date", "datetime"},
    ValueType.FLAG: _AS_TEXT | {"boolean", "float"} | _WRITTEN[ValueType.NUMBER],
}


class Unfit(Exception):
    """The value cannot be read, or not be written there; a sentence says why."""


def read(type_: ValueType, value: Any, *, where: str) -> str:
    """A side's JSON value in the common form. Raises Unfit naming `where` it stands."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return ""
    if isinstance(value, list | dict):
        raise Unfit(f"{where} holds a list, which cannot be mapped; map a field with one value.")
    if type_ is ValueType.FLAG:
        found = _flag(value)
    elif type_ is ValueType.NUMBER:
        found = _number(value)
    elif type_ is ValueType.DATE:
        found = _day(value)
    else:
        found = _text(value)
    if found is None:
        raise Unfit(
            f"{where} holds “{shown(_text(value))}”, which is no {type_}; correct it there."
        )
    return found


def side(rule: Mapped, value: str) -> Side:
    """A value in the common form as `decide` compares it. A flag that is not set is false."""
    text = value or ("false" if rule.type is ValueType.FLAG else "")
    mark = hashlib.sha256(f"{rule.type}\0{text}".encode("utf-8", "replace")).hexdigest()
    return Side(mark=mark, empty=not value)


def shown(value: str) -> str:
    """The value in short, in one line, for a sentence."""
    text = " ".join(value.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def require_readable(rule: Mapped, type_: str, *, where: str) -> None:
    """Raises Unfit if no value of a field of that type (of either side) is one of the map's."""
    if type_ in _LISTS or type_ not in _READ.get(rule.type, {type_}):
        raise Unfit(
            f"{where} is of the type {type_}, of which no value is a {rule.type}; correct the map."
        )


def require_writable(rule: Mapped, field: Field) -> None:
    """Raises Unfit if nothing of the map's type can be written to the field in Salesforce."""
    if not field.updateable:
        raise Unfit(
            f"{rule.target} cannot be changed by the connected user: tick Edit for it in the "
            "field-level security, or map it to_box."
        )
    if field.type not in _WRITTEN[rule.type]:
        raise Unfit(
            f"{rule.target} is of the type {field.type}, and the map writes a {rule.type} to it; "
            "correct the map."
        )


def require_holding(rule: Mapped, field: BoxTemplateField) -> None:
    """Raises Unfit if the template's field takes nothing of the map's type."""
    own = {"float": ValueType.NUMBER, "date": ValueType.DATE}
    if field.type not in ("string", "enum") and own.get(field.type) is not rule.type:
        raise Unfit(
            f"The template's field {rule.field} is of the type {field.type}, and the map writes a "
            f"{rule.type} to it; correct the map."
        )


def for_salesforce(rule: Mapped, value: str, field: Field) -> Any:
    """The JSON value for a PATCH. Raises Unfit."""
    require_writable(rule, field)
    if rule.type is ValueType.FLAG:
        return value == "true"
    if not value:
        return None
    if rule.type is ValueType.NUMBER:
        return _json_number(rule, value, whole=field.type in _WHOLE)
    if rule.type is ValueType.TEXT:
        _require_listed(rule, value, field)
        if field.length and len(value) > field.length:
            raise Unfit(
                f"{rule.field} in Box has {len(value)} characters, and {rule.target} takes "
                f"{field.length}; shorten it in Box."
            )
    return value


def for_box(rule: Mapped, value: str, field: BoxTemplateField) -> Any:
    """The JSON value for an instance; `value` is not empty. Raises Unfit."""
    require_holding(rule, field)
    if field.type == "float":
        number = float(value)
        return int(number) if number.is_integer() else number
    if field.type == "date":
        return f"{value}T00:00:00.000Z"
    return _option(rule, value, field.options) if field.type == "enum" else value


def _option(rule: Mapped, value: str, options: Sequence[str]) -> str:
    for one in options:
        if one == value or (rule.type is ValueType.FLAG and _flag(one) == value):
            return one
    raise Unfit(
        f"The template's field {rule.field} has no option “{shown(value)}”: a Box admin adds it, "
        f"or somebody takes one of these in Salesforce: {', '.join(options)[:300]}"
    )


def _require_listed(rule: Mapped, value: str, field: Field) -> None:
    """Salesforce keeps any text in a picklist that is not restricted, so it is asked before."""
    if field.type == "picklist" and value not in field.values:
        raise Unfit(
            f"{rule.target} has no active value “{shown(value)}”; take one of these in Box: "
            f"{', '.join(field.values)[:300]}"
        )


def _json_number(rule: Mapped, value: str, *, whole: bool) -> int | float:
    number = float(value)
    if number.is_integer() and abs(number) < 2**53:
        return int(number)
    if whole:
        raise Unfit(
            f"{rule.target} takes whole numbers only, and Box has {value}; correct it there."
        )
    return number


def _text(value: Any) -> str:
    """Line ends are plain, blanks at the ends fall away: Salesforce keeps none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value) or str(value)
    # Half a character, which nothing can send, becomes `?`, as in a query.
    whole = str(value).encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\r\n", "\n").replace("\r", "\n").strip()


def _number(value: Any) -> str | None:
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    if isinstance(value, str) and not _NUMBER.fullmatch(text):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    # Both sides keep doubles: what they could not tell apart is equal here, too.
    plain = f"{Decimal(repr(number)):f}"
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    return "0" if plain in ("-0", "") else plain


def _day(value: Any) -> str | None:
    """The day as it is written: Box's dates are days with a time of no meaning."""
    found = _DAY.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return date.fromisoformat(found[1]).isoformat()
    except ValueError:
        return None


def _flag(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).strip().lower()
    if text in _TRUE:
        return "true"
    return "false" if text in _FALSE else None
