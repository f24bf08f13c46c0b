"""Form inputs from described settings and secrets, and what comes back of them. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from inkwire.console.views import SecretGroup, SecretRow
from inkwire.model.source import SettingValue, Source
from inkwire.pages import times
from inkwire.pages.views import FormField
from inkwire.pages.visit import Form
from inkwire.providers.contract import SecretField, SettingField, SettingKind

Errors = Mapping[str, str]
_INPUTS = {
    SettingKind.TEXT: "text",
    SettingKind.INTEGER: "number",
    SettingKind.SECONDS: "number",
    SettingKind.SWITCH: "switch",
    SettingKind.CHOICE: "choice",
    SettingKind.LIST: "area",
    SettingKind.LINES: "area",
    SettingKind.MAPPING: "area",
    SettingKind.EMAIL: "text",
    SettingKind.URL: "text",
}


def setting_inputs(
    described: Iterable[SettingField], values: Mapping[str, SettingValue | str], errors: Errors
) -> list[FormField]:
    """One input for each described setting; `values` by key, defaults for those that are absent."""
    return [
        FormField(
            name=f"settings.{item.key}",
            label=item.label,
            help=item.help,
            kind=_INPUTS[item.kind],
            value=text_of(values.get(item.key, item.default)),
            choices=tuple((choice, choice) for choice in item.choices),
            example=item.example,
            unit="seconds" if item.kind is SettingKind.SECONDS else "",
            minimum=item.minimum,
            maximum=item.maximum,
            error=errors.get(f"settings.{item.key}", ""),
        )
        for item in described
    ]


def text_of(value: SettingValue) -> str:
    """A setting as a form holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_given(described: Iterable[SettingField], form: Form) -> dict[str, str]:
    """The settings of a posted form by key; a switch that is off is not sent by browsers."""
    given = {}
    for item in described:
        name = f"settings.{item.key}"
        if item.kind is SettingKind.SWITCH:
            given[item.key] = "true" if name in form else "false"
        elif name in form:
            given[item.key] = form[name]
    return given


def secret_inputs(described: Iterable[SecretField], errors: Errors) -> list[FormField]:
    """One write-only input for each role of secret of a new source."""
    return [
        FormField(
            name=f"secrets.{item.role}",
            label=item.label,
            help=_secret_help(item),
            kind="secret",
            required=item.required and not item.generate,
            minimum=item.min_length,
            maximum=item.max_length,
            error=errors.get(f"secrets.{item.role}", ""),
        )
        for item in described
    ]


def _secret_help(item: SecretField) -> str:
    if item.generate and item.required:
        return f"{item.help} Leave it empty, and one is made up and shown once."
    return item.help


def secrets_given(described: Iterable[SecretField], form: Form) -> dict[str, str]:
    """The secrets of a posted form by role; empty ones were not given."""
    return {
        item.role: form[f"secrets.{item.role}"]
        for item in described
        if form.get(f"secrets.{item.role}")
    }


def secret_groups(
    described: Iterable[SecretField], source: Source, now: datetime
) -> list[SecretGroup]:
    """The source's secrets by role, newest first."""
    return [
        SecretGroup(
            role=item.role,
            label=item.label,
            help=item.help,
            required=item.required,
            generate=item.generate,
            min_length=item.min_length,
            max_length=item.max_length,
            secrets=tuple(
                SecretRow(
                    id=secret.id,
                    created_at=secret.created_at,
                    expires_at=secret.expires_at,
                    expired=secret.expires_at is not None and secret.expires_at <= now,
                )
                for secret in sorted(source.secrets, key=lambda s: s.created_at, reverse=True)
                if secret.role == item.role
            ),
        )
        for item in described
    ]


def limit_inputs(
    *,
    example: str,
    event_types: str,
    document_ids: str,
    max_body: str,
    largest: int,
    errors: Errors,
) -> list[FormField]:
    """What a source can be limited to (R131), and its largest body."""
    return [
        FormField(
            name="event_types",
            label="Event types",
            help="Only these are acted on, one a line; others are kept and marked as filtered. "
            "Empty: all.",
            kind="area",
            value=event_types,
            example=example,
            error=errors.get("event_types", ""),
        ),
        FormField(
            name="document_ids",
            label="Documents",
            help="Only events about these ids of documents, forms or folders, one a line. "
            "Empty: all.",
            kind="area",
            value=document_ids,
            error=errors.get("document_ids", ""),
        ),
        FormField(
            name="max_body_bytes",
            label="Largest body",
            help=f"Larger requests are refused with 413. At most {times.size(largest)}.",
            kind="number",
            value=max_body,
            unit="bytes",
            minimum=1024,
            maximum=largest,
            error=errors.get("max_body_bytes", ""),
        ),
    ]
