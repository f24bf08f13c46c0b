"""The options that tell `send` and `verify` who signs: a source of this hub, or a secret."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkwire.cli.shell import opened, pairs, secret_text
from inkwire.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from inkwire.cli.signed import Sender
    from inkwire.providers.contract import Provider
    from inkwire.providers.registry import Registry

SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        help="Signing secret: env:NAME, file:PATH, or the text (which a shell keeps in its "
        "history). Repeat it for several.",
    ),
]
RoleOption = Annotated[
    list[str] | None,
    typer.Option("--secret-role", help="Which secret it is, if the provider has several."),
]
SourceOption = Annotated[
    str | None,
    typer.Option("--source", help="Take settings and secrets from this source of this hub."),
]
RecipeOption = Annotated[
    str | None,
    typer.Option("--recipe", help="Settings of a known sender; see `sources providers NAME`."),
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option("--setting", help="Setting of the provider, key=value; repeat it."),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """Who signs, as the command line says."""

    source: str | None
    secrets: tuple[str, ...] = field(repr=False)
    roles: tuple[str, ...]
    recipe: str | None
    settings: Mapping[str, str]

    def sender(
        self, ctx: typer.Context, provider: str, *, base: Mapping[str, Any] | None = None
    ) -> "Sender":
        """The provider, able to sign and to prove. `base`: settings that the others lie over.

        Raises InvalidInput, NotFound.
        """
        from inkwire.cli.signed import sender_of_source, sender_with
        from inkwire.providers.registry import registry

        if self.source is None:
            recipe = recipe_settings(registry(), provider, self.recipe)
            return sender_with(
                registry(),
                provider,
                settings={**(base or {}), **recipe, **self.settings},
                secrets=self.secrets,
                roles=self.roles,
            )
        with opened(ctx) as hub:
            sender = sender_of_source(hub, self.source, self.settings)
        if sender.provider != provider:
            raise InvalidInput(
                f"The source {self.source} is one of {sender.provider}, not {provider}."
            )
        return sender


def signer(
    source: str | None,
    secrets: list[str] | None,
    roles: list[str] | None,
    recipe: str | None,
    settings: list[str] | None,
) -> Signer:
    """The options, read. Raises InvalidInput for those that exclude each other, NotFound."""
    if source is not None and (secrets or recipe):
        raise InvalidInput("Give either --source, or a secret and a recipe, not both.")
    return Signer(
        source=source,
        secrets=tuple(secret_text(text) for text in secrets or ()),
        roles=tuple(roles or ()),
        recipe=recipe,
        settings=pairs(settings or [], what="--setting"),
    )


def recipe_settings(registry: "Registry", provider: str, name: str | None) -> Mapping[str, Any]:
    """The settings of a recipe; none for None. Raises NotFound, naming those there are."""
    if name is None:
        return {}
    found: Provider = registry.get(provider)
    for recipe in found.recipes:
        if recipe.name == name:
            return recipe.settings
    known = ", ".join(recipe.name for recipe in found.recipes) or "none"
    raise NotFound(f"{found.title} has no recipe {name!r}; there are: {known}.")
