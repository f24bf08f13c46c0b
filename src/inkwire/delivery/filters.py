r"""Which messages a webhook wants: by document ids and by conditions on the payload. Pure.

A path names members and indexes from the root: `order.lines.0.sku`. A dot or a backslash in a
member's name is written `\.` or `\\`.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from inkwire.errors import InvalidInput
from inkwire.model.webhook import Filter, FilterOp, Webhook

MAX_FILTERS = 20
MAX_PATH = 200
MAX_STEPS = 16
MAX_VALUES = 100
MAX_TEXT = 1000

_STEP = re.compile(r"(?:[^.\\]|\\[.\\])+")
_ESCAPED = re.compile(r"\\([.\\])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_MEMBERS = frozenset({"path", "op", "value"})
_ABSENT = object()


def wants(webhook: Webhook, document_ids: Sequence[str], payload: Any) -> bool:
    """Whether the webhook gets a message that is about `document_ids` and holds `payload`.

    Limited to documents, it wants a message that names one of them, whichever others it names
    (R131). All filters must hold; of an array, as BoloSign sends it (R108), one element for which
    they all hold is enough. A payload that is neither object nor array meets no filter. Raises
    nothing.
    """
    if webhook.document_ids and not set(webhook.document_ids).intersection(document_ids):
        return False
    if not webhook.filters:
        return True
    elements = payload if isinstance(payload, list) else [payload]
    return any(
        isinstance(element, dict | list)
        and all(_holds(condition, element) for condition in webhook.filters)
        for element in elements
    )


def _holds(condition: Filter, payload: Any) -> bool:
    found = _at(payload, condition.path)
    if condition.op is FilterOp.EXISTS:
        return (found is not _ABSENT) is bool(condition.value)
    if found is _ABSENT:
        return False
    if condition.op is FilterOp.IN:
        values = condition.value
        return isinstance(values, list | tuple) and any(_equal(found, value) for value in values)
    return _equal(found, condition.value)


def _at(payload: Any, path: str) -> Any:
    """The value at the path, null included; `_ABSENT` if the path ends early."""
    value = payload
    for step in _steps(path):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and _INDEX.fullmatch(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return _ABSENT
    return value


def _steps(path: str) -> list[str]:
    return [_ESCAPED.sub(r"\1", step) for step in _STEP.findall(path)]


def _equal(one: Any, other: Any) -> bool:
    """JSON's equality of scalars: 1 is 1.0, but neither "1" nor true."""
    return _kind(one) == _kind(other) != "" and bool(one == other)


def _kind(value: Any) -> str:
    """The JSON type of a scalar; empty for anything else."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else ""


# --- checking what somebody wrote


def check_filters(raw: Any) -> tuple[Filter, ...]:
    """Filters from JSON: a list of `{"path": …, "op": …, "value": …}`.

    Raises InvalidInput with one sentence for each wrong field, by path `filters.0.op`.
    """
    if not isinstance(raw, list | tuple):
        raise InvalidInput(fields={"filters": "must be a list of objects with path, op and value"})
    if len(raw) > MAX_FILTERS:
        raise InvalidInput(fields={"filters": f"must be at most {MAX_FILTERS}"})
    wrong: dict[str, str] = {}
    filters = []
    for place, item in enumerate(raw):
        problems = _problems(item)
        wrong |= {f"filters.{place}{field}": text for field, text in problems.items()}
        if not problems:
            filters.append(_filter(item))
    if wrong:
        raise InvalidInput(fields=wrong)
    return tuple(filters)


def _filter(item: Mapping[str, Any]) -> Filter:
    value = item.get("value", True)
    return Filter(
        path=item["path"],
        op=FilterOp(item["op"]),
        value=list(value) if isinstance(value, list | tuple) else value,
    )


def _problems(item: Any) -> dict[str, str]:
    """What is wrong with one filter, by `.field`."""
    if not isinstance(item, Mapping):
        return {"": "must be an object with path, op and value"}
    wrong = {}
    if not set(item) <= _MEMBERS:
        wrong[""] = "must hold path, op and value only"
    if problem := _path_problem(item.get("path")):
        wrong[".path"] = problem
    op = item.get("op")
    if not isinstance(op, str) or op not in tuple(FilterOp):
        wrong[".op"] = f"must be one of: {', '.join(FilterOp)}"
    elif problem := _value_problem(FilterOp(op), item):
        wrong[".value"] = problem
    return wrong


def _path_problem(path: Any) -> str | None:
    if not isinstance(path, str) or not 1 <= len(path) <= MAX_PATH:
        return f"must be a text of 1 to {MAX_PATH} characters, such as order.lines.0.sku"
    if not path.isprintable():
        return "must hold printable characters only"
    steps = _STEP.findall(path)
    if ".".join(steps) != path:
        return "must be names joined by single dots; within a name write \\. and \\\\ for . and \\"
    if len(steps) > MAX_STEPS:
        return f"must be at most {MAX_STEPS} steps deep"
    return None


def _value_problem(op: FilterOp, item: Mapping[str, Any]) -> str | None:
    value = item.get("value", _ABSENT)
    if op is FilterOp.EXISTS:
        return None if value is _ABSENT or isinstance(value, bool) else "must be true or false"
    scalar = f"a text of at most {MAX_TEXT} characters, a number, true, false or null"
    if op is FilterOp.EQUALS:
        return None if _is_scalar(value) else f"must be {scalar}"
    if (
        isinstance(value, list | tuple)
        and 1 <= len(value) <= MAX_VALUES
        and all(map(_is_scalar, value))
    ):
        return None
    return f"must be a list of 1 to {MAX_VALUES} values, each {scalar}"


def _is_scalar(value: Any) -> bool:
    """Whether a filter may compare with the value, and every store can keep it."""
    if isinstance(value, str):
        return len(value) <= MAX_TEXT and "\x00" not in value and _is_unicode(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return _kind(value) != ""


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in text)
