"""Metadata: templates of the enterprise, and their instances on folders."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from box_sdk_gen.managers.metadata_templates import (
    CreateMetadataTemplateFields,
    CreateMetadataTemplateFieldsTypeField,
    GetMetadataTemplateScope,
)

from inkwire.errors import Permanent
from inkwire.providers.answers import rows_of, table_of
from inkwire.providers.box.client import reading
from inkwire.providers.box.client.faults import BoxRefused
from inkwire.providers.box.client.parts import Part, checked_id, found, unless
from inkwire.providers.box.objects import BoxTemplateField

_TEMPLATE = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_PATCH = "application/json-patch+json"
#: With these Box refuses a patch whose `test` does not hold; which one, it does not document.
_UNTRUE = (400, 409, 412)


class SdkMetadata(Part):
    """Metadata.

    Instances are sent without the SDK's manager: that one leaves out fields whose key begins with
    an underscore, which Box allows.
    """

    def metadata(self, folder_id: str, template: str) -> Mapping[str, Any] | None:
        """GET /folders/{id}/metadata/enterprise/{template}; None: no folder, or no instance."""
        path = _instance(folder_id, template)
        return found(lambda: self._box.ask("GET", path))

    def create_metadata(self, folder_id: str, template: str, values: Mapping[str, Any]) -> bool:
        """POST of the same; False if an instance is there already.

        Box documents `tuple_already_exists` and has been seen to answer `conflict` (box-openapi
        issue 393): every 409 that does not pass by itself is taken for it.
        """
        path = _instance(folder_id, template)
        return unless({409}, lambda: self._box.ask("POST", path, dict(values))) is not None

    def change_metadata(
        self, folder_id: str, template: str, operations: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any] | None:
        """PUT a JSON patch: the fields after it; None if a `test` in it did not hold.

        None, too, if the instance is gone.
        """
        path = _instance(folder_id, template)
        body = [dict(one) for one in operations]
        try:
            return found(lambda: self._box.ask("PUT", path, body, _PATCH))
        except BoxRefused as refused:
            if refused.answer.status not in _UNTRUE:
                raise
            now = self.metadata(folder_id, template)
            if now is None or not _holds(operations, now):
                return None
            raise

    def metadata_template(self, template: str) -> tuple[str, ...] | None:
        """GET /metadata_templates/enterprise/{template}/schema: its field keys; None without."""
        fields = self.metadata_fields(template)
        return None if fields is None else tuple(fields)

    def metadata_fields(self, template: str) -> Mapping[str, BoxTemplateField] | None:
        """GET of the same: its fields with their types, by key; None without."""
        key = _checked(template)
        scope = GetMetadataTemplateScope.ENTERPRISE
        there = found(lambda: self._box.templates.get_metadata_template(scope, key))
        if there is None:
            return None
        rows = rows_of(table_of(there.raw_data).get("fields"))
        return {field.key: field for row in rows if (field := reading.template_field(row)).key}

    def create_metadata_template(self, template: str, title: str, fields: Sequence[str]) -> bool:
        """POST /metadata_templates/schema with text fields; False if it is there already."""
        text = CreateMetadataTemplateFieldsTypeField.STRING
        rows = [CreateMetadataTemplateFields(text, key=one, display_name=one) for one in fields]
        key = _checked(template)
        answer = unless(
            {409},
            lambda: self._box.templates.create_metadata_template(
                "enterprise", title, template_key=key, fields=rows
            ),
        )
        return answer is not None


def _checked(template: str) -> str:
    if not _TEMPLATE.fullmatch(template):
        raise Permanent(
            f"{template[:80]!a} is no key of a metadata template; correct it where it was entered."
        )
    return template


def _instance(folder_id: str, template: str) -> str:
    return f"/folders/{checked_id(folder_id)}/metadata/enterprise/{_checked(template)}"


def _holds(operations: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> bool:
    """Whether every `test` is true of these fields, as far as they are untouched before it."""
    for one in operations:
        if one.get("op") != "test":
            continue
        key = str(one.get("path", "")).removeprefix("/").replace("~1", "/").replace("~0", "~")
        if key not in values or values[key] != one.get("value"):
            return False
    return True
