"""`/v1/applications/{id}/webhooks`: every field of every profile."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.fields import Id, Input, Term
from inkwire.api.parts import With
from inkwire.api.webhook_models import (
    RotateIn,
    SentOut,
    TestIn,
    WebhookChange,
    WebhookHealthOut,
    WebhookIn,
    WebhookKeyShown,
    WebhookOut,
    WebhooksOut,
)
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.model.access import Caller, Scope
from inkwire.model.message import MessageOrigin
from inkwire.model.webhook import Webhook, WebhookHealth, WebhookState
from inkwire.parts import Parts
from inkwire.store.contract import MAX_PAGE
from inkwire.store.sending import WebhookQuery

router = APIRouter(prefix="/applications/{application_id}/webhooks", tags=["Webhooks"])

Reader = Annotated[Caller, Allowed(Scope.WEBHOOKS_READ)]
Writer = Annotated[Caller, Allowed(Scope.WEBHOOKS_WRITE)]
Sender = Annotated[Caller, Allowed(Scope.MESSAGES_WRITE)]
#: Numbers that JavaScript keeps as they are.
_MAX_ID = 2**53 - 1
WebhookId = Annotated[int, Path(ge=1, le=_MAX_ID, description="Its number.")]


class WebhookFilters(Input):
    """The filters of the list of webhooks; all that are given must hold."""

    topic: Term | None = None
    state: WebhookState | None = Field(
        None, description="null: all but deleted ones, which only an operator sees."
    )
    text: Term | None = Field(None, description="Part of the address or the description.")
    failing: bool = Field(False, description="Only those whose endpoint failed last.")
    after: int | None = Field(None, ge=1, le=_MAX_ID, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=MAX_PAGE, description="Most items of one page.")


@router.get("", summary="List an application's webhooks")
def list_webhooks(
    application_id: Id, parts: With, caller: Reader, filters: Annotated[WebhookFilters, Query()]
) -> WebhooksOut:
    """Newest first."""
    parts.applications.get(caller, application_id)
    found = parts.webhooks.all(
        caller,
        WebhookQuery(
            application_id=application_id,
            topic=filters.topic,
            state=filters.state,
            text=filters.text,
            failing=filters.failing,
            after=filters.after,
            limit=filters.limit,
        ),
    )
    more = len(found) == filters.limit
    return WebhooksOut(
        items=[WebhookOut.of(webhook) for webhook in found], next=found[-1].id if more else None
    )


@router.post("", summary="Make a webhook", status_code=201)
def create_webhook(
    application_id: Id, body: WebhookIn, parts: With, caller: Writer, response: Response
) -> WebhookKeyShown:
    """Subscribes an address to a topic that the application may hear."""
    webhook, key = parts.webhooks.create(caller, application_id, body.draft())
    response.headers["Location"] = f"/v1/applications/{application_id}/webhooks/{webhook.id}"
    return WebhookKeyShown(webhook=WebhookOut.of(webhook), generated_key=key)


@router.get("/{webhook_id}", summary="Read a webhook")
def read_webhook(
    application_id: Id, webhook_id: WebhookId, parts: With, caller: Reader
) -> WebhookOut:
    """One webhook; keys and headers without their values."""
    return WebhookOut.of(_found(parts, caller, application_id, webhook_id, Scope.WEBHOOKS_READ))


@router.patch("/{webhook_id}", summary="Change a webhook")
def change_webhook(
    application_id: Id, webhook_id: WebhookId, body: WebhookChange, parts: With, caller: Writer
) -> WebhookOut:
    """Changes the fields that are given; all of them or, if one is wrong, none."""
    _found(parts, caller, application_id, webhook_id, Scope.WEBHOOKS_WRITE)
    return WebhookOut.of(parts.webhooks.change(caller, webhook_id, body.patch()))


@router.delete("/{webhook_id}", summary="Delete a webhook", status_code=204)
def delete_webhook(application_id: Id, webhook_id: WebhookId, parts: With, caller: Writer) -> None:
    """Gone for its application; what waits is cancelled. An operator can restore it."""
    _found(parts, caller, application_id, webhook_id, Scope.WEBHOOKS_WRITE)
    parts.webhooks.delete(caller, webhook_id)


@router.post("/{webhook_id}/rotate", summary="Change a webhook's key")
def rotate_webhook_key(
    application_id: Id, webhook_id: WebhookId, body: RotateIn, parts: With, caller: Writer
) -> WebhookKeyShown:
    """Signs with another key from the next attempt on; the old ones may sign along for a while."""
    _found(parts, caller, application_id, webhook_id, Scope.WEBHOOKS_WRITE)
    given = None if body.key is None else body.key.get_secret_value()
    webhook, key = parts.webhooks.rotate(caller, webhook_id, key=given, overlap_s=body.overlap_s)
    return WebhookKeyShown(webhook=WebhookOut.of(webhook), generated_key=key)


@router.post("/{webhook_id}/pause", summary="Pause a webhook")
def pause_webhook(
    application_id: Id, webhook_id: WebhookId, parts: With, caller: Writer
) -> WebhookOut:
    """Deliveries are made and wait."""
    _found(parts, caller, application_id, webhook_id, Scope.WEBHOOKS_WRITE)
    return WebhookOut.of(parts.webhooks.pause(caller, webhook_id))


@router.post("/{webhook_id}/disable", summary="Disable a webhook")
def disable_webhook(
    application_id: Id, webhook_id: WebhookId, parts: With, caller: Writer
) -> WebhookOut:
    """No deliveries are made any more; those that wait are cancelled."""
    _found(parts, caller, application_id, webhook_id, Scope.WEBHOOKS_WRITE)
    return WebhookOut.of(parts.webhooks.disable(caller, webhook_id))


@router.post("/{webhook_id}/activate", summary="Activate a webhook")
def activate_webhook(
    application_id: Id, webhook_id: WebhookId, parts: With, caller: Writer
) -> WebhookOut:
    """Delivers (again): resumed after a pause, or enabled."""
    found = _found(parts, caller, application_id, webhook_id, Scope.WEBHOOKS_WRITE)
    if found.state is WebhookState.DELETED:
        raise Conflict(f"Webhook {webhook_id} is deleted; restore it first.")
    return WebhookOut.of(parts.webhooks.activate(caller, webhook_id))


@router.post("/{webhook_id}/restore", summary="Restore a deleted webhook")
def restore_webhook(
    application_id: Id, webhook_id: WebhookId, parts: With, caller: Writer
) -> WebhookOut:
    """Brings it back, active; for an operator, as its application no longer sees it."""
    found = _found(parts, caller, application_id, webhook_id, Scope.WEBHOOKS_WRITE)
    if found.state is not WebhookState.DELETED:
        raise Conflict(f"Webhook {webhook_id} is not deleted; there is nothing to restore.")
    return WebhookOut.of(parts.webhooks.activate(caller, webhook_id))


@router.post("/{webhook_id}/test", summary="Test a webhook", status_code=202)
def test_webhook(
    application_id: Id, webhook_id: WebhookId, body: TestIn, parts: With, caller: Sender
) -> SentOut:
    """Sends the topic's example, or the payload given, to this webhook only."""
    webhook = _found(parts, caller, application_id, webhook_id, Scope.MESSAGES_WRITE)
    if body.payload is None:
        payload = parts.publisher.sample(webhook)
    else:
        payload = _encoded(body.payload)
        parts.catalogue.check_payload(webhook.topic, payload)
    message_id = parts.publisher.deliver_to(caller, webhook, payload, origin=MessageOrigin.TEST)
    delivery = parts.deliveries.only_delivery(caller, message_id)
    return SentOut(message_id=message_id, delivery_id=delivery.id if delivery else None)


@router.get("/{webhook_id}/health", summary="Read a webhook's health")
def read_webhook_health(
    application_id: Id, webhook_id: WebhookId, parts: With, caller: Reader
) -> WebhookHealthOut:
    """How its endpoint has been doing."""
    webhook = _found(parts, caller, application_id, webhook_id, Scope.WEBHOOKS_READ)
    health = parts.webhooks.health(caller, [webhook])
    return WebhookHealthOut.of(health.get(webhook_id, WebhookHealth(webhook_id=webhook_id)))


def _encoded(payload: Any) -> bytes:
    """The payload as JSON. Raises InvalidInput for what UTF-8 cannot carry, or nested too deep."""
    try:
        return msgspec.json.encode(payload)
    except (ValueError, RecursionError):
        raise InvalidInput(fields={"payload": "must be JSON that UTF-8 can carry"}) from None


def _found(
    parts: Parts, caller: Caller, application_id: str, webhook_id: int, scope: Scope
) -> Webhook:
    """The webhook, if it is that application's. Raises NotFound."""
    webhook = parts.webhooks.get(caller, webhook_id, scope=scope)
    if webhook.application_id != application_id:
        raise NotFound(f"There is no webhook {webhook_id}.")
    return webhook
