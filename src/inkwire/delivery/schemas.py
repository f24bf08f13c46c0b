"""JSON Schema (draft 2020-12): what a topic's schema may be, and what a payload breaks of it. Pure.

Nothing is ever fetched: a reference leads to a place inside the same schema. Patterns run in an
engine whose time is linear in the text.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from inkwire.errors import InvalidInput

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

DRAFT = "https://json-schema.org/draft/2020-12/schema"
#: Bytes of a schema as JSON.
MAX_SCHEMA = 64 * 1024
#: Levels of a schema, and of a payload. A validator recurses: what is deeper would end the process.
MAX_DEPTH = 100
#: Bytes that one compiled pattern may take.
_MAX_PATTERN = 1024 * 1024
MAX_FINDINGS = 10
MAX_SENTENCE = 200


def check_schema(schema: Any) -> None:
    """Raises InvalidInput (`schema`) unless it is a schema of ours: an object, valid, bounded."""
    problem = _schema_problem(schema)
    if problem is not None:
        raise InvalidInput(fields={"schema": problem})


def findings(schema: Mapping[str, Any], payload: Any) -> dict[str, str]:
    """What is wrong with a decoded payload: JSON pointer to a sentence, at most 10. Empty: nothing.

    The sentences show no value of the payload. Raises InvalidInput (`schema`) if the schema is
    not usable.
    """
    if deeper_than(payload, MAX_DEPTH):
        return {"": f"is nested deeper than {MAX_DEPTH} levels"}
    validator = _validator(msgspec.json.encode(schema))
    try:
        if validator.is_valid(payload):
            return {}
        errors = validator.iter_errors(payload)
        found: dict[str, str] = {}
        for error in errors:
            pointer = _pointer(error.instance_path)
            if len(found) == MAX_FINDINGS and pointer not in found:
                break
            sentence = error.message[:MAX_SENTENCE]
            found[pointer] = f"{found[pointer]}; {sentence}" if pointer in found else sentence
    except ValueError as error:  # text or a number that no other JSON reader would take
        return {"": f"cannot be checked: {_first_line(error)}"}
    return found


def deeper_than(value: Any, most: int) -> bool:
    """Whether JSON is nested deeper than `most` levels; a scalar has none."""
    level = _containers([value])
    for _ in range(most):
        if not level:
            return False
        level = [
            child
            for item in level
            for child in _containers(item.values() if isinstance(item, dict) else item)
        ]
    return bool(level)


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _schema_problem(schema: Any) -> str | None:
    if not isinstance(schema, dict):
        return "must be a JSON object: a JSON Schema of draft 2020-12"
    if schema.get("$schema", DRAFT) != DRAFT:
        return f"must be of draft 2020-12: $schema is {DRAFT}, or left out"
    try:
        if deeper_than(schema, MAX_DEPTH):
            return f"must be nested at most {MAX_DEPTH} levels deep"
        text = msgspec.json.encode(schema)
    except (TypeError, ValueError, RecursionError):
        return "must be JSON: text, numbers, true, false, null, lists and objects"
    if len(text) > MAX_SCHEMA:
        return f"must be at most {MAX_SCHEMA} bytes as JSON; this has {len(text)}"
    try:
        _validator(text)
    except InvalidInput as error:
        return error.fields["schema"]
    return None


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> "Draft202012Validator":
    """The compiled schema. Raises InvalidInput (`schema`)."""
    # 8 MB that a process needs only once it checks a payload.
    from jsonschema_rs import (  # noqa: PLC0415
        Draft202012Validator,
        RegexOptions,
        ValidationError,
    )

    try:
        return Draft202012Validator(
            schema.decode(),
            offline=True,
            validate_formats=False,
            mask="the value",
            pattern_options=RegexOptions(size_limit=_MAX_PATTERN, dfa_size_limit=_MAX_PATTERN),
        )
    except ValidationError as error:
        where = _pointer(error.instance_path)
        raise InvalidInput(
            fields={
                "schema": f"must be valid: {_first_line(error)} (at {where or 'its root'}). "
                "References may lead within the schema only; patterns know no look-around and no "
                "back-references."
            }
        ) from None
    except ValueError as error:
        raise InvalidInput(fields={"schema": f"must be valid: {_first_line(error)}"}) from None


def _pointer(path: list[str | int]) -> str:
    """RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:MAX_SENTENCE]
