"""`/v1/providers`: what each vendor's sources need."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.fields import Output
from inkwire.api.parts import With
from inkwire.model.access import Caller, Scope
from inkwire.model.source import SettingValue
from inkwire.providers.contract import SettingKind

router = APIRouter(prefix="/providers", tags=["Providers"])


class SettingOut(Output):
    """One setting of a source."""

    key: str
    label: str
    help: str
    kind: SettingKind
    default: SettingValue
    choices: list[str]
    minimum: int | None
    maximum: int | None
    example: str


class SecretFieldOut(Output):
    """One role of secret."""

    role: str
    label: str
    help: str
    required: bool
    min_length: int
    max_length: int
    pattern: str = Field(description="Regular expression of the whole text; empty: any.")
    pattern_help: str
    generate: bool = Field(description="Inkwire can make one up.")


class RetriesOut(Output):
    """How the vendor repeats a delivery that was not answered with 2xx."""

    delays_s: list[float]
    timeout_s: float
    source: str = Field(description="Where this is from, and how sure it is.")


class ReceivingOut(Output):
    """What a source of this provider has."""

    settings: list[SettingOut]
    secrets: list[SecretFieldOut]
    event_types: Mapping[str, str] = Field(
        description="Known event types, each with a sentence; others may come.",
        examples=[{"box.FILE.UPLOADED": "A file was uploaded."}],
    )
    retries: RetriesOut


class RecipeOut(Output):
    """Settings that make a source fit one known sender: something to start from."""

    name: str
    title: str = Field(description="The sender, as it writes itself.")
    note: str = Field(description="What to do at the sender, and what to know of it.")
    settings: Mapping[str, SettingValue] = Field(description="Those that differ from the defaults.")


class ProviderOut(Output):
    """A vendor."""

    name: str
    title: str
    summary: str
    receive: ReceivingOut | None = Field(description="null: it sends no webhooks to us.")
    recipes: list[RecipeOut]


class ProvidersOut(Output):
    """Every provider, by title."""

    items: list[ProviderOut]


@router.get("", summary="List providers")
def list_providers(parts: With, _: Annotated[Caller, Allowed(Scope.SOURCES_READ)]) -> ProvidersOut:
    """Every provider with the settings, secrets and event types that its sources have."""
    return ProvidersOut(items=[ProviderOut.of(provider) for provider in parts.registry])
