"""Finds providers: sub-packages of `inkwire.providers`, and third parties' by entry point."""

import importlib
import pkgutil
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata, resources
from typing import Any

import inkwire.providers
from inkwire.errors import ConfigError, NotFound
from inkwire.providers.contract import Provider, Receiver

GROUP = "inkwire.providers"
_NAME = re.compile(r"[a-z][a-z0-9]{0,31}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One real sample of a provider, from its `cases/cases.toml`."""

    provider: str
    #: Unique within the provider; `inkwire send PROVIDER:NAME`.
    name: str
    #: Event type of the first event, with the provider's prefix.
    event_type: str
    note: str
    body: bytes = field(repr=False)
    #: What `parse` must find, one table per event: type, entity, occurred_at, dedupe, test, terms.
    expect: tuple[Mapping[str, Any], ...]
    #: Settings that differ from the defaults; those of its recipe among them.
    settings: Mapping[str, Any]
    #: The recipe that it is a sample of; empty: none.
    recipe: str = ""


class Registry:
    """The providers at hand, by name."""

    def __init__(self, providers: Iterator[Provider] | list[Provider]) -> None:
        """Raises ConfigError if a name is malformed or taken twice."""
        self._providers: dict[str, Provider] = {}
        for provider in providers:
            if not _NAME.fullmatch(provider.name):
                raise ConfigError(f"Provider name {provider.name!r} must match {_NAME.pattern}.")
            if provider.name in self._providers:
                raise ConfigError(f"Two providers are named {provider.name}; remove one of them.")
            self._providers[provider.name] = provider

    def __iter__(self) -> Iterator[Provider]:
        return iter(sorted(self._providers.values(), key=lambda provider: provider.title.lower()))

    def get(self, name: str) -> Provider:
        """The provider `name`; raises NotFound, naming those there are."""
        try:
            return self._providers[name]
        except KeyError:
            known = ", ".join(sorted(self._providers))
            raise NotFound(f"There is no provider {name!r}; there are: {known}.") from None

    def receiver(self, name: str) -> Receiver:
        """The receiving part of `name`; raises NotFound if it sends no webhooks."""
        provider = self.get(name)
        if provider.receive is None:
            raise NotFound(f"{provider.title} sends no webhooks to us; choose another provider.")
        return provider.receive

    def receiving(self) -> list[Provider]:
        """The providers that send webhooks, by title."""
        return [provider for provider in self if provider.receive is not None]


@cache
def registry() -> Registry:
    """All providers: our own folders and those of the entry point group `inkwire.providers`."""
    return Registry(list(_own()) + list(_third_party()))


def _own() -> Iterator[Provider]:
    for module in pkgutil.iter_modules(inkwire.providers.__path__):
        if module.ispkg:
            yield _provider_of(f"{inkwire.providers.__name__}.{module.name}")


def _third_party() -> Iterator[Provider]:
    for point in metadata.entry_points(group=GROUP):
        yield _provider_of(point.value)


def _provider_of(package: str) -> Provider:
    provider = getattr(importlib.import_module(package), "PROVIDER", None)
    if not isinstance(provider, Provider):
        raise ConfigError(f"The package {package} must hold PROVIDER, a Provider.")
    return provider


def manual(provider: Provider) -> str:
    """The operator's manual, Markdown; `{url}` in it stands for the source's public URL."""
    return resources.files(provider.package).joinpath("manual.md").read_text("utf-8")


def cases(provider: Provider) -> list[Case]:
    """The provider's samples, in the order of `cases.toml`."""
    folder = resources.files(provider.package).joinpath("cases")
    table = tomllib.loads(folder.joinpath("cases.toml").read_text("utf-8"))
    recipes = {recipe.name: recipe.settings for recipe in provider.recipes} | {"": {}}
    return [
        Case(
            provider=provider.name,
            name=row["name"],
            event_type=row["expect"][0]["type"],
            note=row["note"],
            body=folder.joinpath(row["file"]).read_bytes(),
            expect=tuple(row["expect"]),
            settings={**recipes[row.get("recipe", "")], **row.get("settings", {})},
            recipe=row.get("recipe", ""),
        )
        for row in table["case"]
    ]


def case(provider: Provider, name: str) -> Case:
    """The sample `name`, or the first of that event type. Raises NotFound, naming them."""
    found = cases(provider)
    for candidate in found:
        if name in (candidate.name, candidate.event_type):
            return candidate
    known = ", ".join(candidate.name for candidate in found)
    raise NotFound(f"{provider.title} has no sample {name!r}; there are: {known}.")
