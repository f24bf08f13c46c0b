"""What the API takes and answers about integrations and their kinds."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self

from fastapi import Path
from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr

from inkwire.api.fields import Input, Moment, Output, Text, storable
from inkwire.api.providers import SettingOut
from inkwire.engine.contract import IntegrationKind, Problem
from inkwire.integrations.desk import (
    MAX_SOURCES,
    IntegrationChange,
    IntegrationDraft,
    Judged,
    second_provider,
)
from inkwire.model.source import SettingValue
from inkwire.model.work import Integration, IntegrationState
from inkwire.providers.settings import MAX_LONG_TEXT
from inkwire.sources.checks import MAX_NAME

_MAX_INT = 2**31
INTEGRATION = r"^(int_)?[1-9][0-9]{0,8}$"
#: `int_7`, or its number alone, in the path.
IntegrationId = Annotated[str, Path(pattern=INTEGRATION, description="`int_7`, or `7`.")]
#: The same in a query or body.
IntegrationTerm = Annotated[
    str, Field(pattern=INTEGRATION, description="`int_7`, or `7`.", examples=["int_7"])
]

_Name = Annotated[
    Text, Field(min_length=1, max_length=MAX_NAME, description="Shown in lists.", examples=["Sign"])
]
_Key = Annotated[str, AfterValidator(storable), Field(min_length=1, max_length=64)]
_Value = (
    Annotated[StrictStr, AfterValidator(storable), Field(max_length=MAX_LONG_TEXT)]
    | StrictBool
    | Annotated[StrictInt, Field(ge=-_MAX_INT, le=_MAX_INT)]
    | None
)
#: Settings that are sent to us.
Settings = Annotated[
    dict[_Key, _Value],
    Field(max_length=100, description="By key, as described; null: the default."),
]
_Id = Annotated[Text, Field(max_length=64)]
_Sources = Annotated[
    list[_Id],
    Field(max_length=MAX_SOURCES, description="Sources whose events it hears.", examples=[["box"]]),
]


def number(integration_id: str) -> int:
    """The number in `int_7` or `7`, already checked by its pattern."""
    return int(integration_id.removeprefix("int_"))


class KindOut(Output):
    """A business process that can be set up, as often as needed."""

    name: str = Field(examples=["box_sign_orders"])
    title: str
    summary: str
    provider: str = Field(description="Whose connection it needs; empty: none.")
    second_provider: str = Field(
        description="Whose connection it needs besides, standing between two systems; empty: none."
    )
    settings: list[SettingOut]
    event_types: list[str] = Field(description="What it hears from its sources.")

    @classmethod
    def shown(cls, kind: IntegrationKind) -> Self:
        """From the kind, whatever object that is."""
        return cls(
            name=kind.name,
            title=kind.title,
            summary=kind.summary,
            provider=kind.provider,
            second_provider=second_provider(kind),
            settings=[SettingOut.of(one) for one in kind.settings],
            event_types=sorted({name for handler in kind.events for name in handler.types}),
        )


class KindsOut(Output):
    """Every kind that is installed, by title."""

    items: list[KindOut]


class IntegrationOut(Output):
    """A configured instance of a business process."""

    id: str = Field(examples=["int_7"])
    kind: str
    name: str
    state: IntegrationState
    settings: Mapping[str, SettingValue]
    connection_id: str | None
    second_connection_id: str | None = Field(
        description="The connection to the other system, for a kind between two."
    )
    source_ids: list[str]
    remote: Mapping[str, str] = Field(
        description="What it knows of the other side: ids of a folder, a webhook."
    )
    created_at: datetime
    updated_at: datetime

    @classmethod
    def shown(cls, one: Integration) -> Self:
        """With its label as id."""
        return cls(
            id=one.label,
            kind=one.kind,
            name=one.name,
            state=one.state,
            settings=one.settings,
            connection_id=one.connection_id,
            second_connection_id=one.second_connection_id,
            source_ids=list(one.source_ids),
            remote=one.remote,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


class IntegrationsOut(Output):
    """Every integration, by number."""

    items: list[IntegrationOut]


class ProblemOut(Output):
    """Something about an integration's configuration."""

    field: str = Field(
        description="A setting's key, `connection`, `second_connection` or `sources`."
    )
    text: str = Field(description="What is wrong, and the way out.")
    blocks: bool = Field(description="It cannot become active like that; false: a warning.")


class ProblemsOut(Output):
    """All that its kind has to say about an integration's configuration."""

    items: list[ProblemOut]

    @classmethod
    def shown(cls, problems: tuple[Problem, ...]) -> Self:
        """From the kind's findings."""
        return cls(items=[ProblemOut.of(one) for one in problems])


class JudgedOut(Output):
    """An integration, and what its kind has to say about its configuration."""

    integration: IntegrationOut
    problems: list[ProblemOut]

    @classmethod
    def shown(cls, judged: Judged) -> Self:
        """From the desk."""
        return cls(
            integration=IntegrationOut.shown(judged.integration),
            problems=[ProblemOut.of(one) for one in judged.problems],
        )


class IntegrationIn(Input):
    """An integration to be made; it is inactive at first."""

    kind: Annotated[Text, Field(min_length=1, max_length=64)] = Field(examples=["box_sign_orders"])
    name: _Name
    settings: Settings = Field({})
    connection_id: _Id | None = Field(None, description="The connection that it calls by.")
    second_connection_id: _Id | None = Field(
        None, description="The connection to the other system, for a kind between two."
    )
    source_ids: _Sources = Field([])

    def draft(self) -> IntegrationDraft:
        """As the desk takes it."""
        return IntegrationDraft(
            kind=self.kind,
            name=self.name,
            settings=self.settings,
            connection_id=self.connection_id,
            second_connection_id=self.second_connection_id,
            source_ids=self.source_ids,
        )


class IntegrationPatch(Input):
    """Fields to be changed; what is absent or null stays."""

    name: _Name | None = None
    settings: Settings | None = Field(
        None, description="Laid over the present settings; a key with null: back to its default."
    )
    connection_id: _Id | None = Field(None, description="Empty text: none any more.")
    second_connection_id: _Id | None = Field(None, description="Empty text: none any more.")
    source_ids: _Sources | None = None
    updated_at: Moment | None = Field(
        None, description="The one that you read: 409 if somebody changed it since. RFC 3339."
    )

    def change(self) -> IntegrationChange:
        """As the desk takes it."""
        return IntegrationChange(
            name=self.name,
            settings=self.settings,
            connection_id=self.connection_id,
            second_connection_id=self.second_connection_id,
            source_ids=self.source_ids,
            expected=self.updated_at,
        )


class StateIn(Input):
    """The state that an integration is to have."""

    state: IntegrationState = Field(
        description="`active`: work is made and done. `paused`: made, not done. `inactive`: not "
        "made; what is under way is finished."
    )


class UpkeepIn(Input):
    """What of an integration's upkeep is to be done at once."""

    workflow: Annotated[Text, Field(min_length=1, max_length=64)] = Field(examples=["poll_records"])
