"""From what somebody asks for to a source that fits its provider. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from inkwire.errors import InvalidInput, NotFound
from inkwire.model.source import ManagedBy, SettingValue, Source
from inkwire.providers.contract import Receiver
from inkwire.providers.registry import Registry
from inkwire.providers.settings import check_settings
from inkwire.sources import checks

_COMPARED = ("name", "event_types", "document_ids", "max_body_bytes", "paused", "managed_by")


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceDraft:
    """A source as somebody asks for it, not checked yet."""

    id: str
    provider: str
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: Role to value.
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    event_types: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()
    #: Bytes; None: as many as the hub allows.
    max_body_bytes: int | None = None
    managed_by: ManagedBy = ManagedBy.CONSOLE
    paused: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceChange:
    """What is to become of a source; None leaves a field as it is."""

    name: str | None = None
    #: Laid over the present ones; a key with None goes back to its default.
    settings: Mapping[str, Any] | None = None
    event_types: tuple[str, ...] | None = None
    document_ids: tuple[str, ...] | None = None
    max_body_bytes: int | None = None
    paused: bool | None = None
    #: Only the apply of `inkwire.toml` may change this.
    managed_by: ManagedBy | None = None


def drawn(draft: SourceDraft, registry: Registry, *, largest: int, now: datetime) -> Source:
    """The source that `draft` asks for; `largest`: most bytes a body may have.

    Raises InvalidInput naming every wrong field.
    """
    found = checks.Findings()
    found.add("id", checks.id_problem(draft.id))
    receiver = _receiver(registry, draft.provider, found)
    source = Source(
        id=draft.id,
        provider=draft.provider,
        name=draft.name,
        settings=_settings(receiver, draft.settings, found),
        event_types=tuple(dict.fromkeys(draft.event_types)),
        document_ids=tuple(dict.fromkeys(draft.document_ids)),
        max_body_bytes=largest if draft.max_body_bytes is None else draft.max_body_bytes,
        paused=draft.paused,
        managed_by=draft.managed_by,
        created_at=now,
        updated_at=now,
    )
    _check(source, largest, found)
    can_generate = draft.managed_by is ManagedBy.CONSOLE  # nobody would see it of a file's source
    found.fields.update(
        checks.secrets_problems(receiver.secrets, draft.secrets, can_generate=can_generate)
    )
    found.close()
    return source


def redrawn(source: Source, change: SourceChange, registry: Registry, *, largest: int) -> Source:
    """`source` with `change` made to it. Raises InvalidInput naming every wrong field."""
    found = checks.Findings()
    given: dict[str, Any] = {
        "name": change.name,
        "event_types": _unique(change.event_types),
        "document_ids": _unique(change.document_ids),
        "max_body_bytes": change.max_body_bytes,
        "paused": change.paused,
        "managed_by": change.managed_by,
    }
    if change.settings is not None:
        receiver = _receiver(registry, source.provider, found)
        given["settings"] = _settings(receiver, {**source.settings, **change.settings}, found)
    changed = replace(source, **{key: value for key, value in given.items() if value is not None})
    _check(changed, largest, found)
    found.close()
    return changed


def differences(old: Source, new: Source) -> list[str]:
    """Paths of the fields in which the two differ."""
    fields = [key for key in _COMPARED if getattr(old, key) != getattr(new, key)]
    keys = sorted(old.settings.keys() | new.settings.keys())
    return fields + [
        f"settings.{key}" for key in keys if old.settings.get(key) != new.settings.get(key)
    ]


def _unique(texts: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if texts is None else tuple(dict.fromkeys(texts))


def _check(source: Source, largest: int, found: checks.Findings) -> None:
    found.add("name", checks.name_problem(source.name))
    found.add("event_types", checks.event_types_problem(source.provider, source.event_types))
    found.add("document_ids", checks.document_ids_problem(source.document_ids))
    found.add("max_body_bytes", checks.max_body_problem(source.max_body_bytes, largest))


def _receiver(registry: Registry, provider: str, found: checks.Findings) -> Receiver:
    try:
        return registry.receiver(provider)
    except NotFound as error:
        raise InvalidInput(fields={**found.fields, "provider": error.message}) from None


def _settings(
    receiver: Receiver, given: Mapping[str, Any], found: checks.Findings
) -> Mapping[str, SettingValue]:
    try:
        return check_settings(receiver.settings, given)
    except InvalidInput as error:
        found.fields.update(error.fields)
        return {}
