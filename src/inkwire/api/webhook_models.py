"""What the API takes and answers about webhooks."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr

from inkwire.api.fields import Input, Output, Text, storable
from inkwire.delivery.drafts import (
    MAX_DESCRIPTION,
    MAX_DOCUMENT_ID,
    MAX_DOCUMENT_IDS,
    MAX_IN_FLIGHT,
    MAX_RATE,
    WebhookDraft,
    WebhookPatch,
)
from inkwire.delivery.filters import MAX_FILTERS
from inkwire.delivery.profiles import MAX_HEADERS
from inkwire.model.webhook import FilterOp, ProfileName, WebhookState

MAX_ADDRESS = 2048
_Address = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_ADDRESS,
        description="http or https, with a hostname and a path.",
        examples=["https://www.example.com/path/to/script"],
    ),
]
_Key = Annotated[
    SecretStr,
    Field(max_length=200, description="Signing key as the profile asks for. Never answered again."),
]
_Description = Annotated[Text, Field(max_length=MAX_DESCRIPTION)]
_Documents = Annotated[
    list[Annotated[Text, Field(min_length=1, max_length=MAX_DOCUMENT_ID)]],
    Field(
        max_length=MAX_DOCUMENT_IDS,
        description="Deliver only what is about these documents; empty: all.",
    ),
]
_Header = Annotated[str, AfterValidator(storable), Field(min_length=1, max_length=200)]
_Headers = Annotated[
    dict[_Header, Annotated[SecretStr, Field(max_length=5000)]],
    Field(
        max_length=MAX_HEADERS,
        description="Headers of its own, e.g. Authorization. Values are never answered again.",
    ),
]
_Rate = Annotated[
    int, Field(ge=0, le=MAX_RATE, description="Most attempts begun a minute; 0: no limit.")
]
_InFlight = Annotated[int, Field(ge=1, le=MAX_IN_FLIGHT, description="Most requests at once.")]


class FilterModel(Input):
    """One condition on a payload; all of a webhook's must hold."""

    path: Annotated[Text, Field(min_length=1, max_length=500)] = Field(
        description="Members and indexes from the root.", examples=["order.lines.0.sku"]
    )
    op: FilterOp
    value: Any = Field(
        True, description="equals: a scalar; in: a list of them; exists: true or false."
    )


_Filters = Annotated[list[FilterModel], Field(max_length=MAX_FILTERS)]


def _as_given(filters: list[FilterModel]) -> list[dict[str, Any]]:
    """As JSON gave them; a value of any depth or kind is judged by the desk, not here."""
    return [{"path": one.path, "op": one.op.value, "value": one.value} for one in filters]


class FilterOut(Output):
    """One condition on a payload."""

    path: str
    op: FilterOp
    value: Any


class WebhookKeyOut(Output):
    """A signing key: everything but its value."""

    id: str
    created_at: datetime
    expires_at: datetime | None = Field(description="Signs until then; null: current.")


class WebhookOut(Output):
    """An application's registered address for one topic."""

    id: int = Field(examples=[100001])
    application_id: str
    topic: str = Field(examples=["shipments_status"])
    address: str
    profile: ProfileName
    state: WebhookState
    state_reason: str | None = Field(description="Why it is in that state.")
    state_changed_at: datetime
    description: str
    document_ids: list[str]
    filters: list[FilterOut]
    header_names: list[str] = Field(description="Names of its own headers.")
    rate_per_minute: int | None
    max_in_flight: int
    created_at: datetime
    updated_at: datetime
    keys: list[WebhookKeyOut] = Field(description="Newest first; the first signs.")


class WebhooksOut(Output):
    """A page of webhooks."""

    items: list[WebhookOut]
    next: int | None = Field(
        description="Give it as `after` to get the next page; null on the last page."
    )


class WebhookKeyShown(Output):
    """A webhook, and its signing key if Inkwire made it up."""

    webhook: WebhookOut
    generated_key: str | None = Field(description="It is not shown again.")


class WebhookHealthOut(Output):
    """How a webhook's endpoint has been doing."""

    webhook_id: int
    failures: int = Field(description="Failed attempts since the last success.")
    last_success_at: datetime | None
    last_failure_at: datetime | None
    breaker_until: datetime | None = Field(
        description="Nothing is sent until then, for its endpoint failed; null: it is sent to."
    )
    breaker_opens: int = Field(description="How often in a row that happened.")


class WebhookIn(Input):
    """A webhook to be made."""

    topic: Annotated[Text, Field(min_length=1, max_length=200)] = Field(
        examples=["shipments_status"]
    )
    address: _Address
    profile: ProfileName = Field(
        ProfileName.STANDARD, description="How it is signed, timed and given up."
    )
    key: _Key | None = Field(None, description="null: made up, where the profile allows it.")
    description: _Description = Field("")
    document_ids: _Documents = Field([])
    filters: _Filters = Field([])
    headers: _Headers = Field({})
    rate_per_minute: _Rate | None = None
    max_in_flight: _InFlight = Field(10)

    def draft(self) -> WebhookDraft:
        """As the desk takes it."""
        return WebhookDraft(
            topic=self.topic,
            address=self.address,
            profile=self.profile,
            key=None if self.key is None else self.key.get_secret_value(),
            description=self.description,
            document_ids=self.document_ids,
            filters=_as_given(self.filters),
            headers={name: value.get_secret_value() for name, value in self.headers.items()},
            rate_per_minute=self.rate_per_minute,
            max_in_flight=self.max_in_flight,
        )


class WebhookChange(Input):
    """Fields to be changed; what is absent or null stays. Topic and profile stay always."""

    address: _Address | None = None
    description: _Description | None = None
    document_ids: _Documents | None = None
    filters: _Filters | None = None
    headers: _Headers | None = Field(None, description="All of them, in place of the present ones.")
    rate_per_minute: _Rate | None = None
    max_in_flight: _InFlight | None = None

    def patch(self) -> WebhookPatch:
        """As the desk takes it."""
        filters = None if self.filters is None else _as_given(self.filters)
        headers = None
        if self.headers is not None:
            headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        return WebhookPatch(
            address=self.address,
            description=self.description,
            document_ids=self.document_ids,
            filters=filters,
            headers=headers,
            rate_per_minute=self.rate_per_minute,
            max_in_flight=self.max_in_flight,
        )


class RotateIn(Input):
    """Another signing key."""

    key: _Key | None = Field(None, description="null: made up, where the profile allows it.")
    overlap_s: Annotated[int, Field(ge=0, le=7 * 86_400)] | None = Field(
        None,
        description="Seconds for which the old keys sign too, where the profile can sign with "
        "several; null: the profile's usual.",
    )


class TestIn(Input):
    """What the test button sends."""

    payload: Any = Field(
        None, description="JSON that fits the topic's schema; null: the topic's example."
    )


class SentOut(Output):
    """A message that was accepted for one webhook."""

    message_id: str
    delivery_id: str | None
