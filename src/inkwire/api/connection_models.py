"""What the API takes and answers about connections. Secrets go in and never come out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr

from inkwire.api.fields import Input, Output, Text, storable
from inkwire.api.integration_models import Settings
from inkwire.api.providers import SecretFieldOut, SettingOut
from inkwire.model.connection import ConnectionHealth
from inkwire.model.source import SettingValue
from inkwire.providers.contract import Provider
from inkwire.sources.checks import MAX_NAME

#: Characters of a secret: a PEM key, or a vendor's whole file.
MAX_SECRET = 70_000

_Name = Annotated[
    Text, Field(min_length=1, max_length=MAX_NAME, description="Shown in lists.", examples=["Box"])
]
_Method = Annotated[Text, Field(min_length=1, max_length=32)]
_Role = Annotated[str, AfterValidator(storable), Field(min_length=1, max_length=64)]
_Secrets = Annotated[
    dict[_Role, Annotated[SecretStr, Field(max_length=MAX_SECRET)]],
    Field(max_length=20, description="Secrets by role, as described. Never answered again."),
]


class MethodOut(Output):
    """One way to authenticate at a provider."""

    provider: str = Field(examples=["box"])
    provider_title: str
    name: str = Field(examples=["jwt"])
    title: str
    help: str
    authorizes: bool = Field(
        description="Whether a person signs in at the vendor, from the connection's console page."
    )
    settings: list[SettingOut]
    secrets: list[SecretFieldOut]

    @classmethod
    def each(cls, provider: Provider) -> list[Self]:
        """The ways of one provider; none if its API is not called."""
        return [
            cls(
                provider=provider.name,
                provider_title=provider.title,
                name=method.name,
                title=method.title,
                help=method.help,
                authorizes=method.authorizes,
                settings=[SettingOut.of(one) for one in method.settings],
                secrets=[SecretFieldOut.of(one) for one in method.secrets],
            )
            for method in (provider.connect.methods if provider.connect else ())
        ]


class MethodsOut(Output):
    """Every way to authenticate, by provider."""

    items: list[MethodOut]


class ConnectionOut(Output):
    """Credentials of one account at one provider, without the secrets."""

    id: str = Field(examples=["box-main"])
    provider: str
    name: str
    method: str = Field(examples=["jwt"])
    settings: Mapping[str, SettingValue]
    secrets_set: Mapping[str, datetime] = Field(
        description="Roles of the secrets that are set, and since when."
    )
    health: ConnectionHealth
    health_note: str = Field(description="What is wrong, and what to do.")
    health_at: datetime | None
    token_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ConnectionsOut(Output):
    """Every connection, by id."""

    items: list[ConnectionOut]


class ConnectionIn(Input):
    """A connection to be made."""

    id: Annotated[Text, Field(min_length=1, max_length=64)] = Field(
        description="Lower-case letters, digits and hyphens.", examples=["box-main"]
    )
    provider: Annotated[Text, Field(min_length=1, max_length=32)] = Field(examples=["box"])
    name: _Name
    method: _Method = Field(examples=["jwt"])
    settings: Settings = Field({})
    secrets: _Secrets = Field({})


class ConnectionPatch(Input):
    """Fields to be changed; what is absent or null stays, each secret too."""

    name: _Name | None = None
    method: _Method | None = None
    settings: Settings | None = Field(
        None, description="Laid over the present settings; a key with null: back to its default."
    )
    secrets: _Secrets | None = None


def opened(secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    """The secrets in plain, for the desk alone."""
    return {role: value.get_secret_value() for role, value in secrets.items()}
