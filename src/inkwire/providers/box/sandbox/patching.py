"""JSON patches (RFC 6902) on the fields of a metadata instance, which lie flat. Pure."""

from collections.abc import Mapping
from typing import Any

_OPS = ("add", "replace", "remove", "test", "move", "copy")


class BadPatch(Exception):
    """The patch is none, or asks for what cannot be done."""


class Untrue(Exception):
    """A `test` does not hold; its field."""


def patched(values: Mapping[str, Any], operations: Any) -> dict[str, Any]:
    """The fields after all operations. Raises BadPatch, Untrue; then nothing is changed."""
    if not isinstance(operations, list) or not operations:
        raise BadPatch("Expected an array of operations")
    found = dict(values)
    for one in operations:
        if not isinstance(one, dict) or one.get("op") not in _OPS:
            raise BadPatch("Unknown operation")
        _apply(found, one["op"], one)
    return found


def _apply(found: dict[str, Any], op: str, one: Mapping[str, Any]) -> None:
    key = _key(one.get("path"))
    if op in ("add", "replace", "test") and "value" not in one:
        raise BadPatch(f"'{op}' needs a value")
    if op == "test":
        if key not in found or found[key] != one["value"]:
            raise Untrue(key)
        return
    if op == "add":
        found[key] = one["value"]
        return
    source = _key(one.get("from")) if op in ("move", "copy") else key
    if source not in found:
        raise BadPatch(f"There is no field '{source}'")
    if op == "replace":
        found[key] = one["value"]
    elif op == "remove":
        del found[key]
    else:
        found[key] = found[source]
        if op == "move" and source != key:
            del found[source]


def _key(path: Any) -> str:
    """`/field` as the field. Raises BadPatch."""
    if not isinstance(path, str) or not path.startswith("/") or "/" in path[1:]:
        raise BadPatch("A path must be / and a field")
    return path[1:].replace("~1", "/").replace("~0", "~")
