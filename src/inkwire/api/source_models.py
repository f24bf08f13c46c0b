"""What the API takes and answers about sources."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StrictBool, StrictInt, StrictStr

from inkwire.api.fields import Input, Output, Text, storable
from inkwire.model.source import ManagedBy, SettingValue
from inkwire.sources.checks import (
    MAX_DOCUMENT_IDS,
    MAX_EVENT_TYPES,
    MAX_ITEM,
    MAX_NAME,
    MAX_OVERLAP_S,
    MIN_BODY_BYTES,
)

#: Largest number that every store keeps as it is.
_MAX_INT = 2**31
_Item = Annotated[Text, Field(min_length=1, max_length=MAX_ITEM)]
_Name = Annotated[
    Text, Field(min_length=1, max_length=MAX_NAME, description="Shown in lists.", examples=["Box"])
]
_Role = Annotated[Text, Field(min_length=1, max_length=64)]
_Key = Annotated[str, AfterValidator(storable), Field(min_length=1, max_length=64)]
_Value = (
    Annotated[StrictStr, Field(max_length=500)]
    | StrictBool
    | Annotated[StrictInt, Field(ge=-_MAX_INT, le=_MAX_INT)]
    | None
)
_Settings = Annotated[
    dict[_Key, _Value],
    Field(
        max_length=50,
        description="Settings as `GET /v1/providers` describes them; null: the default.",
        examples=[{"tolerance_s": 600}],
    ),
]
_Types = Annotated[
    list[_Item],
    Field(
        max_length=MAX_EVENT_TYPES,
        description="Event types that are acted on; empty: all. Others are kept as filtered.",
        examples=[["box.FILE.UPLOADED"]],
    ),
]
_Documents = Annotated[
    list[_Item],
    Field(
        max_length=MAX_DOCUMENT_IDS,
        description="Ids of documents, forms or folders that are acted on; empty: all.",
    ),
]
_BodyLimit = Annotated[
    int, Field(ge=MIN_BODY_BYTES, le=_MAX_INT, description="Largest body, in bytes.")
]
_SecretValue = Annotated[SecretStr, Field(max_length=1000)]


class SecretOut(Output):
    """A secret: everything but its value."""

    id: str
    role: str = Field(description="Which of the provider's secrets it is.", examples=["primary"])
    created_at: datetime
    expires_at: datetime | None = Field(description="Not accepted from then on; null: current.")


class ActivityOut(Output):
    """When a source was last heard of."""

    last_receipt_at: datetime | None
    last_rejection_at: datetime | None
    last_rejection_reason: str | None
    receipts_24h: int = Field(
        description="Accepted requests of the last 24 hours; counted up to 10,000."
    )
    rejections_24h: int = Field(
        description="Refused requests of the last 24 hours; counted up to 10,000."
    )
    quarantined: int = Field(description="Requests that wait for a person to release them.")


class SourceOut(Output):
    """One inbound endpoint of a provider."""

    id: str = Field(examples=["box-main"])
    provider: str = Field(examples=["box"])
    name: str = Field(examples=["Box, production"])
    url: str = Field(description="Where the provider sends its webhooks.")
    settings: Mapping[str, SettingValue]
    event_types: list[str]
    document_ids: list[str]
    max_body_bytes: int
    paused: bool = Field(
        description="Requests are still proven, stored and answered; dispatch waits."
    )
    managed_by: ManagedBy = Field(description="`file`: declared in inkwire.toml, read-only here.")
    created_at: datetime
    updated_at: datetime
    secrets: list[SecretOut]
    activity: ActivityOut | None


class SourcesOut(Output):
    """Every source, by id."""

    items: list[SourceOut]


class SourceCreated(Output):
    """A new source."""

    source: SourceOut
    generated_secrets: dict[str, str] = Field(
        description="Secrets that Inkwire made up, by role. They are not shown again."
    )


class ManualOut(Output):
    """How to connect a source in the vendor's console."""

    url: str
    markdown: str


class SecretAdded(Output):
    """A new secret."""

    secret: SecretOut
    generated: str | None = Field(
        description="The secret, if Inkwire made it up. It is not shown again."
    )


class SourceIn(Input):
    """A source to be made."""

    id: Annotated[Text, Field(min_length=1, max_length=64)] = Field(
        description="Stands in the URL: lower-case letters, digits and hyphens.",
        examples=["box-main"],
    )
    provider: Annotated[Text, Field(min_length=1, max_length=32)] = Field(examples=["box"])
    name: _Name
    settings: _Settings = Field({})
    secrets: Annotated[
        dict[_Key, _SecretValue],
        Field(
            max_length=10,
            description="Secrets by role, as the vendor shows them. Never answered again.",
        ),
    ] = Field({})
    event_types: _Types = Field([])
    document_ids: _Documents = Field([])
    max_body_bytes: _BodyLimit | None = None


class SourcePatch(Input):
    """Fields to be changed; what is absent or null stays."""

    name: _Name | None = None
    settings: _Settings | None = Field(
        None, description="Laid over the present settings; a key with null: back to its default."
    )
    event_types: _Types | None = None
    document_ids: _Documents | None = None
    max_body_bytes: _BodyLimit | None = None


class SecretIn(Input):
    """A secret to be added."""

    role: _Role = Field(examples=["primary"])
    value: _SecretValue | None = Field(
        None, description="As the vendor shows it; null: made up, where the vendor allows that."
    )
    overlap_s: Annotated[int, Field(ge=0, le=MAX_OVERLAP_S)] = Field(
        86_400, description="Seconds for which the role's other secrets are still accepted."
    )
