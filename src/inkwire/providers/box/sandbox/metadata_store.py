"""Metadata templates of the enterprise and their instances, with the events of the latter."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from inkwire.providers.box.sandbox.answers import BoxError, not_found, text, wrong
from inkwire.providers.box.sandbox.apps import ENTERPRISE
from inkwire.providers.box.sandbox.parts import Parts
from inkwire.providers.box.sandbox.patching import BadPatch, Untrue, patched
from inkwire.providers.sandboxing import Doc
from inkwire.providers.signing import parse_rfc3339

_TEMPLATE, _INSTANCE = "box_template", "box_instance"
#: How the enterprise's templates are named in answers; calls may write `enterprise` for it.
OURS = f"enterprise_{ENTERPRISE}"
_KEY = re.compile(r"[a-zA-Z_][-a-zA-Z0-9_]{0,63}")
#: What a field of each type holds.
_KINDS: dict[str, Any] = {
    "string": lambda value, _: isinstance(value, str),
    "float": lambda value, _: isinstance(value, int | float) and not isinstance(value, bool),
    "date": lambda value, _: isinstance(value, str) and parse_rfc3339(value) is not None,
    "enum": lambda value, options: value in options,
    "multiSelect": lambda value, options: isinstance(value, list) and set(value) <= set(options),
}


class MetadataStore:
    """Templates and instances, and the events of the latter; for calls and for people."""

    def __init__(self, parts: Parts) -> None:
        """`parts`: the Box of this sandbox."""
        self._parts = parts
        self._state = parts.stage.state

    def templates(self) -> list[Doc]:
        """The enterprise's templates, oldest first."""
        return [doc for _, doc in self._state.find(_TEMPLATE)]

    def template(self, scope: str, key: str) -> Doc | None:
        """A template; None if there is none. Raises BoxError 400 for an unknown scope."""
        name = full_scope(scope)
        if (name, key) == ("global", "properties"):
            return {"scope": name, "templateKey": key, "fields": None}
        return self._state.get(_TEMPLATE, f"{name}/{key}")

    def create_template(self, body: Mapping[str, Any]) -> Doc:
        """A new template. Raises BoxError."""
        given_key, title = text(body, "templateKey"), text(body, "displayName", required=True)
        key = given_key or re.sub(r"[^a-zA-Z0-9]", "", title or "")[:64].lower() or "template"
        if not _KEY.fullmatch(key):
            raise wrong("templateKey", "Invalid template key", key)
        rows = body.get("fields") or []
        if not isinstance(rows, list):
            raise wrong("fields", "Expected an array")
        fields = [_field(row) for row in rows]
        if len({field["key"] for field in fields}) < len(fields):
            raise wrong("fields", "Keys of fields must differ")
        if self._state.get(_TEMPLATE, f"{OURS}/{key}") is not None:
            raise BoxError(409, "tuple_already_exists", "Template key already exists in this scope")
        template: Doc = {
            "id": str(uuid.uuid4()),
            "type": "metadata_template",
            "scope": OURS,
            "templateKey": key,
            "displayName": title,
            "hidden": body.get("hidden") is True,
            "fields": fields,
            "copyInstanceOnItemCopy": body.get("copyInstanceOnItemCopy") is True,
        }
        self._state.put(_TEMPLATE, f"{OURS}/{key}", template)
        return template

    def drop_template(self, key: str) -> None:
        """Removes a template with its instances. Raises BoxError 404."""
        if self._state.get(_TEMPLATE, f"{OURS}/{key}") is None:
            raise not_found()
        with self._state.change():
            self._state.drop(_TEMPLATE, f"{OURS}/{key}")
            for _, row in self._state.find(_INSTANCE, name=f"{OURS}/{key}"):
                self._state.drop(_INSTANCE, _place(row["item"], OURS, key))

    def of(self, item: Doc) -> list[Doc]:
        """All instances on an item, as Box shows them."""
        found = self._state.find(_INSTANCE, owner=f"{item['type']}/{item['id']}")
        return [_shown(row) for _, row in found]

    def instance(self, item: Doc, scope: str, key: str) -> Doc:
        """An instance as Box shows it. Raises BoxError 404."""
        return _shown(self._row(item, scope, key))

    def create(self, user: Doc, item: Doc, scope: str, key: str, values: Mapping[str, Any]) -> Doc:
        """A new instance. Raises BoxError."""
        template = self.template(scope, key)
        if template is None:
            raise BoxError(404, "instance_tuple_not_found", "Template not found")
        _check(template, values)
        if self._state.get(_INSTANCE, _place(item, full_scope(scope), key)) is not None:
            raise BoxError(409, "tuple_already_exists", "Tuple already exists")
        row: Doc = {
            "id": str(uuid.uuid4()),
            "item": {"type": item["type"], "id": item["id"]},
            "scope": full_scope(scope),
            "key": key,
            "version": 0,
            "values": dict(values),
        }
        self._keep(user, item, row, "CREATED")
        return _shown(row)

    def update(self, user: Doc, item: Doc, scope: str, key: str, operations: Any) -> Doc:
        """The instance after a JSON patch, all of it or nothing. Raises BoxError."""
        row = self._row(item, scope, key)
        try:
            values = patched(row["values"], operations)
        except BadPatch as problem:
            raise BoxError(400, "bad_request", str(problem)) from None
        except Untrue as problem:
            # Which status Box gives here is not documented.
            message = f"The value of '{problem}' is not the tested one"
            raise BoxError(412, "precondition_failed", message) from None
        template = self.template(scope, key)
        if template is not None:
            _check(template, values)
        row |= {"values": values, "version": row["version"] + 1}
        self._keep(user, item, row, "UPDATED")
        return _shown(row)

    def remove(self, user: Doc, item: Doc, scope: str, key: str) -> None:
        """Takes an instance off. Raises BoxError 404."""
        row = self._row(item, scope, key)
        with self._state.change():
            self._state.drop(_INSTANCE, _place(item, row["scope"], key))
            self._tell(user, item, row, "DELETED")

    def _keep(self, user: Doc, item: Doc, row: Doc, what: str) -> None:
        place = _place(item, row["scope"], row["key"])
        owner, name = f"{item['type']}/{item['id']}", f"{row['scope']}/{row['key']}"
        with self._state.change():
            self._state.put(_INSTANCE, place, row, owner=owner, name=name)
            self._tell(user, item, row, what)

    def _tell(self, user: Doc, item: Doc, row: Doc, what: str) -> None:
        info = {"template": row["key"], "scope": row["scope"]}
        self._parts.events.about(f"METADATA_INSTANCE.{what}", item, user, info)

    def _row(self, item: Doc, scope: str, key: str) -> Doc:
        row = self._state.get(_INSTANCE, _place(item, full_scope(scope), key))
        if row is None:
            raise BoxError(404, "instance_tuple_not_found", "Instance not found")
        return row


def full_scope(scope: str) -> str:
    """The scope as answers name it. Raises BoxError 400 for an unknown one."""
    if scope in ("enterprise", OURS):
        return OURS
    if scope != "global":
        raise BoxError(400, "bad_request", "Unknown scope")
    return scope


def _place(item: Doc, scope: str, key: str) -> str:
    return f"{item['type']}/{item['id']}/{scope}/{key}"


def _field(row: Any) -> Doc:
    """A field of a template as it is asked for. Raises BoxError 400."""
    if not isinstance(row, dict):
        raise wrong("fields", "Expected objects")
    kind = text(row, "type", required=True)
    if kind not in _KINDS:
        raise wrong("fields.type", f"Must be one of {', '.join(_KINDS)}", kind)
    field: Doc = {
        "id": str(uuid.uuid4()),
        "type": kind,
        "key": text(row, "key", required=True),
        "displayName": text(row, "displayName", required=True),
        "hidden": row.get("hidden") is True,
    }
    if kind in ("enum", "multiSelect"):
        options = row.get("options")
        rows = options if isinstance(options, list) else []
        keys = [text(one, "key", required=True) for one in rows if isinstance(one, dict)]
        field["options"] = [{"id": str(uuid.uuid4()), "key": key} for key in keys]
    return field


def _check(template: Doc, values: Mapping[str, Any]) -> None:
    """Raises BoxError 400 for a field that the template does not have, or another type."""
    if template["fields"] is None:
        return
    fields = {field["key"]: field for field in template["fields"]}
    for key, value in values.items():
        field = fields.get(key)
        options = [one["key"] for one in field.get("options", ())] if field else []
        if field is None or not _KINDS[field["type"]](value, options):
            message = f"Validation failed for the field '{key}'"
            raise BoxError(400, "schema_validation_failed", message)


def _shown(row: Doc) -> Doc:
    item = row["item"]
    values: Doc = row["values"]
    return values | {
        "$id": row["id"],
        "$type": f"{row['key']}-{row['id']}",
        "$parent": f"{item['type']}_{item['id']}",
        "$scope": row["scope"],
        "$template": row["key"],
        "$version": row["version"],
        "$typeVersion": 0,
        "$canEdit": True,
    }
