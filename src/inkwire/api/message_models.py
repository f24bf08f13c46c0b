"""What the API answers about messages, deliveries and attempts."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, Field

from inkwire.api.event_models import HeaderOut
from inkwire.api.fields import Next, Output
from inkwire.delivery.log import DeliveryDetail
from inkwire.model.message import AttemptResult, DeliveryState, MessageOrigin, OpenedAttempt


class MessageOut(Output):
    """One outbound event of one application; not its payload."""

    id: str
    application_id: str
    topic: str = Field(examples=["shipments_status"])
    account: str = Field(description="Value of X-BoxC-Account.")
    origin: MessageOrigin
    event_id: str | None = Field(description="The inbound event that it forwards.")
    webhook_id: int | None = Field(
        description="The only webhook it is for; null: all that want it."
    )
    document_ids: list[str]
    created_at: datetime
    fanned_at: datetime | None = Field(description="When its deliveries were made.")
    body_size: int = Field(description="Bytes of the payload.")


class MessagesOut(Output):
    """A page of messages, newest first."""

    items: list[MessageOut]
    next: Next


class PublishedOut(Output):
    """What was accepted: durable, and on its way."""

    ids: list[str] = Field(description="One message for each application that hears the topic.")
    new: bool = Field(description="false: the same idempotency key and request came before.")


class DeliveryOut(Output):
    """A message's copy for one webhook."""

    id: str
    message_id: str
    webhook_id: int
    application_id: str
    topic: str
    state: DeliveryState
    created_at: datetime
    due_at: datetime = Field(description="While it waits: when the next attempt is due.")
    attempts: int = Field(description="Attempts recorded.")
    first_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_result: AttemptResult | None
    last_status: int | None = Field(description="HTTP status of the last answer.")
    done_at: datetime | None


class DeliveriesOut(Output):
    """A page of deliveries, newest first."""

    items: list[DeliveryOut]
    next: Next


class AttemptOut(Output):
    """One HTTP try."""

    id: str
    delivery_id: str
    webhook_id: int
    application_id: str
    number: int = Field(description="From 1.")
    address: str
    remote: str | None = Field(description="The address that was connected to.")
    result: AttemptResult
    status: int | None
    detail: str = Field(description="What happened, if it failed, and what to look at.")
    started_at: datetime
    duration_s: float
    connect_s: float | None = Field(description="Seconds until connected.")
    head_s: float | None = Field(description="Seconds until the head of the answer.")


class DeliveryDetailOut(Output):
    """A delivery with its message and attempts."""

    delivery: DeliveryOut
    message: MessageOut
    attempts: list[AttemptOut]

    @classmethod
    def shown(cls, detail: DeliveryDetail) -> Self:
        """From the log."""
        return cls(
            delivery=DeliveryOut.of(detail.delivery),
            message=MessageOut.of(detail.message),
            attempts=[AttemptOut.of(attempt) for attempt in detail.attempts],
        )


def _headers(pairs: Iterable[tuple[str, str]]) -> list[HeaderOut]:
    return HeaderOut.each(pairs)


_Headers = Annotated[list[HeaderOut], BeforeValidator(_headers)]


class OpenedAttemptOut(Output):
    """An attempt with what was sent and what came back; credentials are redacted."""

    attempt: AttemptOut
    request_headers: _Headers
    response_headers: _Headers
    response_body: str = Field(description="At most 16 KiB; what is no UTF-8 is shown as �.")
    truncated: bool = Field(description="The answer was longer.")

    @classmethod
    def shown(cls, opened: OpenedAttempt) -> Self:
        """From the log, already redacted."""
        return cls.model_validate(
            {
                "attempt": AttemptOut.of(opened.attempt),
                "request_headers": opened.request_headers,
                "response_headers": opened.response_headers,
                "response_body": opened.response_body.decode("utf-8", "replace"),
                "truncated": opened.truncated,
            }
        )
