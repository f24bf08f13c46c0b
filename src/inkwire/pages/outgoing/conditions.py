"""Filters and headers as a person types them, a line each. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from inkwire.model.webhook import Filter, FilterOp
from inkwire.pages.inputs import lines

EXAMPLE = 'order.status equals "paid"'
_OPS = {op.value for op in FilterOp}


def typed_filters(text: str) -> tuple[list[dict[str, Any]], str]:
    """`order.status equals "paid"`, `customer.vip exists`, `country in ["DE", "AT"]`, one a line.

    The filters as JSON gives them, and what is wrong with the first line that cannot be read. A
    value that is no JSON is taken as the text it is.
    """
    found: list[dict[str, Any]] = []
    for place, line in enumerate(lines(text), 1):
        words = line.split(maxsplit=2)
        if len(words) < 2 or words[1] not in _OPS:
            return [], f"line {place} must be like `{EXAMPLE}`, `path in [1, 2]` or `path exists`"
        path, op, value = words[0], words[1], words[2] if len(words) == 3 else ""
        if not value and op != FilterOp.EXISTS:
            return [], f"line {place} needs a value behind `{op}`"
        found.append({"path": path, "op": op, "value": _value(value) if value else True})
    return found, ""


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def shown_filter(condition: Filter) -> str:
    """A filter as it is typed."""
    if condition.op is FilterOp.EXISTS:
        return f"{condition.path} exists" + ("" if condition.value else " false")
    value = list(condition.value) if isinstance(condition.value, tuple) else condition.value
    return f"{condition.path} {condition.op.value} {json.dumps(value, ensure_ascii=False)}"


def shown_filters(conditions: Sequence[Filter]) -> str:
    """Filters as they are typed, one a line."""
    return "\n".join(map(shown_filter, conditions))


def typed_headers(text: str) -> tuple[dict[str, str], str]:
    """`Name: value`, one a line; and what is wrong with the first line that cannot be read."""
    found: dict[str, str] = {}
    for place, line in enumerate(lines(text), 1):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            return {}, f"line {place} must be like `Authorization: Bearer …`"
        if name.strip() in found:
            return {}, f"line {place} names a header that is there already"
        found[name.strip()] = value.strip()
    return found, ""


def under(errors: Mapping[str, str], name: str) -> str:
    """Everything that is wrong with the field `name` or with a part of it, in one text."""
    parts = []
    for path, problem in errors.items():
        if path == name:
            parts.append(problem)
        elif path.startswith((f"{name}.", f"{name}[")):
            parts.append(f"`{path[len(name) :].lstrip('.')}` {problem}")
    return "; ".join(parts)
