"""Finds business processes: sub-packages of `inkwire.integrations`, and others' by entry point."""

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from types import MappingProxyType

import inkwire.integrations
from inkwire.engine.contract import IntegrationKind
from inkwire.errors import ConfigError

GROUP = "inkwire.integrations"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
#: What an IntegrationKind has, see `inkwire.engine.contract`.
_MEMBERS = (
    "name",
    "title",
    "summary",
    "provider",
    "second_provider",
    "settings",
    "events",
    "upkeep",
    "workflows",
    "problems",
    "on_order",
)


@cache
def kinds() -> Mapping[str, IntegrationKind]:
    """All kinds by name: our own folders and those of the entry point group.

    Raises ConfigError if a package holds none, or two have one name.
    """
    return by_name([*_own(), *_third_party()])


def by_name(found: Iterable[IntegrationKind]) -> Mapping[str, IntegrationKind]:
    """The kinds by name, in order of title. Raises ConfigError for a bad or a double name."""
    named: dict[str, IntegrationKind] = {}
    for kind in sorted(found, key=lambda kind: kind.title.lower()):
        if not _NAME.fullmatch(kind.name):
            raise ConfigError(f"Integration name {kind.name!r} must match {_NAME.pattern}.")
        if kind.name in named:
            raise ConfigError(f"Two integrations are named {kind.name}; remove one of them.")
        named[kind.name] = kind
    return MappingProxyType(named)


def kind_of(package: str) -> IntegrationKind:
    """The kind that a package holds as INTEGRATION. Raises ConfigError if it holds none."""
    kind: IntegrationKind | None = getattr(importlib.import_module(package), "INTEGRATION", None)
    missing = [name for name in _MEMBERS if not hasattr(kind, name)]
    if kind is None or missing:
        lacks = f"; it lacks {', '.join(missing)}" if kind is not None else ""
        raise ConfigError(f"The package {package} must hold INTEGRATION, a kind{lacks}.")
    return kind


def _own() -> Iterator[IntegrationKind]:
    for module in pkgutil.iter_modules(inkwire.integrations.__path__):
        if module.ispkg:
            yield kind_of(f"{inkwire.integrations.__name__}.{module.name}")


def _third_party() -> Iterator[IntegrationKind]:
    for point in metadata.entry_points(group=GROUP):
        yield kind_of(point.value)
