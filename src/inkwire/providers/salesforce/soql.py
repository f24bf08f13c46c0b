"""SOQL by a safe builder: names are checked, values are written by their type. Pure.

    select("Opportunity", ["Id", "Name"], at_least("SystemModstamp", moment), order=["Id"])

No text of a person ever becomes part of a query but as a quoted literal.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from inkwire.errors import Permanent

#: Characters of one query, as Salesforce allows; and rows that a LIMIT may ask for.
MOST_TEXT, MOST_LIMIT = 100_000, 50_000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}(?:\.[A-Za-z][A-Za-z0-9_]{0,79}){0,5}")
_ORDER = re.compile(rf"({_PATH.pattern})(?: (ASC|DESC))?")
#: What a literal writes otherwise (SOQL reference, Quoted String Escape Sequences).
_ESCAPES = str.maketrans(
    {code: f"\\u{code:04x}" for code in (*range(32), 127)}
    | {ord("\\"): "\\\\", ord("'"): "\\'", ord('"'): '\\"'}
    | {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", ord("\b"): "\\b", ord("\f"): "\\f"}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Soql:
    """A query, ready to be sent."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One condition of a WHERE; all of a query's must hold."""

    text: str


def select(
    object_name: str,
    fields: Sequence[str],
    *where: Condition,
    order: Sequence[str] = (),
    limit: int | None = None,
) -> Soql:
    """A query; field names may be paths (`ContentDocument.Title`).

    `order`: field names, each may end in ` ASC` or ` DESC`. Raises Permanent for a name that is
    none, and for a query that is longer than Salesforce reads.
    """
    if not fields:
        raise Permanent("A query asks for no field; name at least one.")
    parts = [f"SELECT {','.join(map(field_path, fields))} FROM {name(object_name)}"]  # noqa: S608 - names are checked
    if where:
        parts.append("WHERE " + " AND ".join(condition.text for condition in where))
    if order:
        parts.append("ORDER BY " + ",".join(map(_ordered, order)))
    if limit is not None:
        if isinstance(limit, bool) or not 1 <= limit <= MOST_LIMIT:
            raise Permanent(f"A query may ask for 1 to {MOST_LIMIT} rows; {limit} is not that.")
        parts.append(f"LIMIT {limit:d}")
    text = " ".join(parts)
    if len(text) > MOST_TEXT:
        raise Permanent(
            f"The query has {len(text)} characters, and Salesforce reads {MOST_TEXT}; ask for "
            "fewer values at once."
        )
    return Soql(text=text)


def equals(field: str, value: str | int | bool | None) -> Condition:
    """`field = value`; None is `null`."""
    if value is None:
        written = "null"
    elif isinstance(value, bool):
        written = "true" if value else "false"
    elif isinstance(value, int):
        written = f"{value:d}"
    else:
        written = literal(value)
    return Condition(text=f"{field_path(field)} = {written}")


def one_of(field: str, values: Sequence[str]) -> Condition:
    """`field IN (…)`; at least one value. Raises Permanent without."""
    if not values:
        raise Permanent(f"A query looks for {field_path(field)} in an empty list.")
    return Condition(text=f"{field_path(field)} IN ({','.join(map(literal, values))})")


def at_least(field: str, moment: datetime) -> Condition:
    """`field >= moment`, in UTC with milliseconds."""
    return Condition(text=f"{field_path(field)} >= {_moment(moment)}")


def literal(text: str) -> str:
    """The text between quotes. Half a character, which nothing can send, becomes `?`."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return f"'{whole.translate(_ESCAPES)}'"


def name(text: str) -> str:
    """The name of an object or of a field, as it is. Raises Permanent."""
    if not _NAME.fullmatch(text):
        raise Permanent(
            f"{text[:80]!r} is no name of an object or field in Salesforce; take the API name "
            "that Setup → Object Manager shows."
        )
    return text


def field_path(text: str) -> str:
    """The name of a field, or a path to one, as it is. Raises Permanent."""
    if not _PATH.fullmatch(text):
        name(text)
        raise Permanent(f"{text[:80]!r} leads over too many objects.")
    return text


def _ordered(text: str) -> str:
    if not _ORDER.fullmatch(text):
        field_path(text)
    return text


def _moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise Permanent("A query compares with a time that has no zone.")
    written = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return written.removesuffix("+00:00") + "Z"
