"""Checks the sandbox's answers against Box's OpenAPI file, where that file is at hand.

`INKWIRE_BOX_OPENAPI=/path/to/openapi.json pytest tests/sandbox` checks every JSON answer that the
tests see; without the variable nothing is checked here.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import requests


def json_schema(schema: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: `nullable` becomes a choice; `$ref` beside it is kept."""
    if isinstance(schema, list):
        return [json_schema(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = ("nullable", "example", "examples", "discriminator")
    made = {key: json_schema(value) for key, value in schema.items() if key not in left_out}
    # The file writes `nullable` beside a reference as a part of `allOf`, too.
    parts = [part for part in schema.get("allOf", []) if isinstance(part, dict)]
    null = schema.get("nullable") is True or any(
        part.get("nullable") is True and "type" not in part for part in parts
    )
    if "allOf" in schema:
        made["allOf"] = [
            json_schema({key: value for key, value in part.items() if key != "nullable"})
            for part in parts
        ]
    return {"anyOf": [made, {"type": "null"}]} if null else made


def _all_properties(schema: Any) -> Iterator[dict[str, Any]]:
    """Every `properties` in a schema, at any depth."""
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if not isinstance(schema, dict):
        return
    if isinstance(schema.get("properties"), dict):
        yield schema["properties"]
    for value in schema.values():
        yield from _all_properties(value)


def _placeholders(path: tuple[str, Any]) -> int:
    """So that `/files/content` comes before `/files/{file_id}`."""
    return path[0].count("{")


class Contract:
    """Box's file, ready to judge answers."""

    def __init__(self, path: Path) -> None:
        document = json.loads(path.read_text("utf-8"))
        self._schemas = json_schema(document["components"]["schemas"])
        # Codes of errors are an open set: the file names 17 of the many there are.
        del self._schemas["ClientError"]["properties"]["code"]["enum"]
        # One of these is any object, so nothing could be exactly one of them.
        source = self._schemas["EventSourceResource"]
        source["anyOf"] = source.pop("oneOf")
        # Real bodies have null here for folder 0.
        for properties in _all_properties(self._schemas):
            if "sequence_id" in properties:
                properties["sequence_id"] = {}
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", template.split("#")[0])), methods)
            for template, methods in sorted(document["paths"].items(), key=_placeholders)
        ]
        self._validators: dict[str, Any] = {}
        #: Checked answers: (method, path, status).
        self.seen: set[tuple[str, str, int]] = set()

    def check(self, answer: requests.Response, *_: Any, **__: Any) -> None:
        """A hook of requests: raises AssertionError for an answer that Box would not give."""
        path = urlsplit(answer.url).path.removeprefix("/api")
        json_ = answer.headers.get("content-type", "").startswith("application/json")
        if not path.startswith(("/2.0/", "/oauth2/token")) or not json_:
            return
        path = path.removeprefix("/2.0")
        method = answer.request.method.lower()
        for pattern, methods in self._paths:
            if method not in methods or not pattern.fullmatch(path):
                continue
            responses = methods[method]["responses"]
            found = responses.get(str(answer.status_code), responses.get("default"))
            content = found.get("content", {}).get("application/json") if found else None
            if content is None:
                continue
            errors = self._errors(json_schema(content["schema"]), answer.json())
            if not errors:
                self.seen.add((method, pattern.pattern, answer.status_code))
                return
            raise AssertionError(f"{method} {path} {answer.status_code}: {errors[:5]}")

    def _errors(self, schema: Any, value: Any) -> list[str]:
        key = json.dumps(schema)
        if key not in self._validators:
            whole = {**schema, "components": {"schemas": self._schemas}}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        found = self._validators[key].iter_errors(value)
        return [f"{list(error.instance_path)}: {error.message[:200]}" for error in found]
