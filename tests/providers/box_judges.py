"""Judges of the requests that go to Box: schemas of our own, and Box's OpenAPI file if at hand.

`INKWIRE_BOX_OPENAPI=/path/to/openapi.json pytest tests/providers/test_box_by_spec.py` adds the
second judge; ours (tests/vectors/box_requests.json) always sits.
"""

import json
import re
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs
import requests

from sandbox.openapi import json_schema

OURS = Path(__file__).parents[1] / "vectors" / "box_requests.json"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One request as it left."""

    method: str
    #: As Box's file writes it: without host and `/2.0`.
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    media: str
    #: JSON as its value, a form as an object, bytes as ""; None: there was no body.
    body: Any

    @classmethod
    def of(cls, request: requests.PreparedRequest) -> "Sent":
        """What requests put on the wire."""
        parts = urlsplit(str(request.url))
        headers = {name.lower(): value for name, value in request.headers.items()}
        given, raw = headers.get("content-type", ""), request.body or b""
        raw = raw.encode() if isinstance(raw, str) else raw
        media = given.partition(";")[0]
        return cls(
            method=str(request.method),
            path=parts.path.removeprefix("/api").removeprefix("/2.0"),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers=headers,
            media=media,
            body=_body(media, given, raw) if raw else None,
        )


def _body(media: str, given: str, raw: bytes) -> Any:
    if media in ("application/json", "application/json-patch+json"):
        return json.loads(raw)
    if media == "application/x-www-form-urlencoded":
        return dict(parse_qsl(raw.decode(), keep_blank_values=True))
    if media != "multipart/form-data":
        return ""
    parsed = BytesParser(policy=HTTP).parsebytes(f"content-type: {given}\r\n\r\n".encode() + raw)
    found: dict[str, Any] = {}
    for part in parsed.iter_parts():
        name = part.get_param("name", header="content-disposition")
        is_json = part.get_content_type() == "application/json"
        found[name] = json.loads(part.get_payload(decode=True)) if is_json else ""
    return found


class Ours:
    """Our own schemas: what is not in them, we do not send."""

    def __init__(self) -> None:
        self.operations: dict[str, Any] = json.loads(OURS.read_text("utf-8"))["operations"]
        self._patterns = _patterns(list(self.operations))
        self._validators: dict[str, Any] = {}

    def operation(self, sent: Sent) -> str:
        """`METHOD /template`; "" for one that is not there."""
        return _found(self._patterns, sent)

    def problems(self, sent: Sent) -> list[str]:
        """What is wrong with a request."""
        name = self.operation(sent)
        if not name:
            return [f"{sent.method} {sent.path} is no call that we know"]
        described = self.operations[name]
        wrong = self._errors(f"{name} query", described["query"], sent.query)
        wrong += self._errors(f"{name} headers", described.get("headers", True), sent.headers)
        wrong += [] if sent.media == described.get("media", "") else [f"{name}: {sent.media}"]
        return wrong + self.body_problems(name, sent.body)

    def body_problems(self, name: str, body: Any) -> list[str]:
        """What is wrong with a body of that operation; None: there is none."""
        return self._errors(
            f"{name} body", self.operations[name].get("body", {"type": "null"}), body
        )

    def _errors(self, key: str, schema: Any, value: Any) -> list[str]:
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.Draft202012Validator(schema)
        return _said(key, self._validators[key], value)


class Boxs:
    """Box's OpenAPI file, with the flaws taken out that make validators pass everything.

    A `nullable` without `type` is dropped: Box's file has 67, and tools that cannot read a schema
    skip it. Every body that is described is required.
    """

    def __init__(self, path: Path) -> None:
        document = json.loads(path.read_text("utf-8"))
        _drop_lone_nullable(document)
        self._schemas = json_schema(document["components"]["schemas"])
        self.operations = {
            f"{method.upper()} {template}": described
            for template, methods in document["paths"].items()
            for method, described in methods.items()
        }
        self._patterns = _patterns(list(self.operations))
        self._validators: dict[str, Any] = {}

    def operation(self, sent: Sent) -> str:
        """`METHOD /template`; "" for one that is not there."""
        return _found(self._patterns, sent)

    def problems(self, sent: Sent) -> list[str]:
        """What is wrong with a request."""
        name = self.operation(sent)
        if not name:
            return [f"Box has no {sent.method} {sent.path}"]
        described = self.operations[name]
        wrong = []
        for place, given in (("query", sent.query), ("header", sent.headers)):
            known = {
                one["name"]: one for one in described.get("parameters", ()) if one["in"] == place
            }
            wrong += [f"{name} lacks {key}" for key, one in known.items()
                      if one.get("required") and key not in given]  # fmt: skip
            for key, value in given.items():
                if key in known:
                    schema = known[key]["schema"]
                    wrong += self._errors(f"{name} {key}", schema, _typed(value, schema["type"]))
                elif place == "query":
                    wrong.append(f"{name} takes no {key}")
        content = described.get("requestBody", {}).get("content", {})
        if sent.body is not None and sent.media not in content:
            wrong.append(f"{name} takes no {sent.media or 'body'}")
        return wrong + self.body_problems(name, sent.body)

    def body_problems(self, name: str, body: Any) -> list[str]:
        """What is wrong with a body of that operation; None: there is none."""
        request = self.operations[name].get("requestBody", {})
        if body is None:
            needed = request.get("required", bool(request))
            return [f"{name} needs a body"] if needed else []
        schemas = [one["schema"] for one in request.get("content", {}).values()]
        return self._errors(f"{name} body", schemas[0], body) if schemas else [f"{name}: a body"]

    def _errors(self, key: str, schema: Any, value: Any) -> list[str]:
        if key not in self._validators:
            whole = {**json_schema(schema), "components": {"schemas": self._schemas}}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        return _said(key, self._validators[key], value)


def _drop_lone_nullable(value: Any) -> None:
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, dict | list):
            _drop_lone_nullable(one)
    if isinstance(value, dict) and isinstance(value.get("nullable"), bool) and "type" not in value:
        del value["nullable"]


def _typed(value: str, kind: str) -> Any:
    """A query's or header's text as the value that it stands for."""
    if kind == "array":
        return value.split(",")
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    return int(value) if kind == "integer" and value.isdigit() else value


def _patterns(names: list[str]) -> list[tuple[re.Pattern[str], str]]:
    """Those without placeholders first: `/files/content` comes before `/files/{file_id}`."""
    return [
        (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", name.partition("#")[0])), name)
        for name in sorted(names, key=lambda name: name.count("{"))
    ]


def _found(patterns: list[tuple[re.Pattern[str], str]], sent: Sent) -> str:
    line = f"{sent.method} {sent.path}"
    return next((name for pattern, name in patterns if pattern.fullmatch(line)), "")


def _said(key: str, validator: Any, value: Any) -> list[str]:
    return [
        f"{key} {list(error.instance_path)}: {error.message[:200]}"
        for error in validator.iter_errors(value)
    ]
