"""Rows of sending to models, and what a delivery's rows are made of. No I/O."""

from typing import Any

import msgspec
import sqlalchemy as sa

from inkwire.model.job import Job, JobKind, JobState
from inkwire.model.message import (
    Attempt,
    AttemptResult,
    Delivery,
    DeliveryState,
    Message,
    MessageOrigin,
)
from inkwire.model.webhook import Filter, ProfileName, Webhook, WebhookState
from inkwire.store import schema_sending as tables
from inkwire.store.rows import Row

#: All but the sealed parts.
MESSAGE_FIELDS = tuple(
    column for column in tables.messages.c if column.name not in ("data_key", "body")
)
DELIVERY_FIELDS = tuple(tables.deliveries.c)
ATTEMPT_FIELDS = tuple(
    column for column in tables.attempts.c if column.name not in ("fence", "data_key", "sealed")
)
WEBHOOK_FIELDS = tuple(column for column in tables.webhooks.c if column.name != "headers")

#: A new delivery's columns, as `delivery_row` gives them.
DELIVERY_COLUMNS = (
    "id",
    "message_id",
    "webhook_id",
    "application_id",
    "topic",
    "state",
    "created_at",
    "due_at",
    "fence",
    "attempts",
)
_STATES = {state.value: state for state in DeliveryState}
_RESULTS: dict[str | None, AttemptResult | None] = {
    None: None,
    **{result.value: result for result in AttemptResult},
}
_ORIGINS = {origin.value: origin for origin in MessageOrigin}


def delivery_row(
    delivery_id: str, message_id: str, webhook_id: int, *, application_id: str, topic: str, at: int
) -> tuple[Any, ...]:
    """A delivery that is due at once; `at` in microseconds."""
    waiting = DeliveryState.WAITING.value
    return (delivery_id, message_id, webhook_id, application_id, topic, waiting, at, at, 0, 0)


def message(row: Row) -> Message:
    """A message from MESSAGE_FIELDS."""
    return Message(
        id=row.id,
        application_id=row.application_id,
        topic=row.topic,
        account=row.account,
        origin=_ORIGINS[row.origin],
        event_id=row.event_id,
        webhook_id=row.webhook_id,
        document_ids=tuple(row.document_ids),
        created_at=row.created_at,
        fanned_at=row.fanned_at,
        body_size=row.body_size,
    )


def delivery(row: Row) -> Delivery:
    """A delivery from DELIVERY_FIELDS."""
    return Delivery(
        id=row.id,
        message_id=row.message_id,
        webhook_id=row.webhook_id,
        application_id=row.application_id,
        topic=row.topic,
        state=_STATES[row.state],
        created_at=row.created_at,
        due_at=row.due_at,
        claimed_until=row.claimed_until,
        fence=row.fence,
        attempts=row.attempts,
        first_attempt_at=row.first_attempt_at,
        last_attempt_at=row.last_attempt_at,
        last_result=_RESULTS[row.last_result],
        last_status=row.last_status,
        done_at=row.done_at,
    )


def attempt(row: Row) -> Attempt:
    """An attempt from ATTEMPT_FIELDS."""
    return Attempt(
        id=row.id,
        delivery_id=row.delivery_id,
        webhook_id=row.webhook_id,
        application_id=row.application_id,
        number=row.number,
        address=row.address,
        remote=row.remote,
        result=AttemptResult(row.result),
        status=row.status,
        detail=row.detail,
        started_at=row.started_at,
        duration_s=row.duration_us / 1e6,
        connect_s=_seconds(row.connect_us),
        head_s=_seconds(row.head_us),
    )


def webhook(row: Row) -> Webhook:
    """A webhook from WEBHOOK_FIELDS, without its keys."""
    return Webhook(
        id=row.id,
        application_id=row.application_id,
        topic=row.topic,
        address=row.address,
        profile=ProfileName(row.profile),
        state=WebhookState(row.state),
        state_reason=row.state_reason,
        state_changed_at=row.state_changed_at,
        description=row.description,
        document_ids=tuple(row.document_ids),
        filters=tuple([msgspec.convert(one, Filter) for one in row.filters]),
        header_names=tuple(row.header_names),
        rate_per_minute=row.rate_per_minute,
        max_in_flight=row.max_in_flight,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def job(row: Row) -> Job:
    """A job."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    values["kind"] = JobKind(values["kind"])
    values["state"] = JobState(values["state"])
    return Job(**values)


def may_see(
    found: sa.Column[Any], application_id: str | None
) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition that scopes a query to an application; none for an operator."""
    return () if application_id is None else (found == application_id,)


def _seconds(micros: int | None) -> float | None:
    return None if micros is None else micros / 1e6
