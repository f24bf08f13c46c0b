"""What the tests of subscribers share: rows put where the store would put them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

from contract.store_kit import START, Hub
from inkwire.errors import Conflict, NotFound
from inkwire.model.access import ApiKey, PortalToken, PortalTokenKind, Scope
from inkwire.model.job import Job, JobKind
from inkwire.model.message import (
    AttemptResult,
    Claimed,
    Decision,
    DeliveryState,
    Exchange,
    Message,
    MessageOrigin,
)
from inkwire.model.webhook import (
    Webhook,
    WebhookHealth,
    WebhookState,
)
from inkwire.store import schema_sending
from inkwire.store.sending import Completion, NewMessage, WebhookChange, WebhookQuery

HOUR = timedelta(hours=1)
HEADERS = (("Authorization", "Bearer é"), ("X-Team", "ops"))


def update(hub: Hub, webhook: Webhook, **changes: Any) -> Webhook:
    """Changes a webhook as it was read a moment ago."""
    headers = changes.pop("headers", None)
    expected = changes.pop("expected", webhook.updated_at)
    hub.clock.advance(seconds=1)
    return hub.store.subscribers.update_webhook(
        replace(webhook, updated_at=hub.clock.now(), **changes),
        headers=headers,
        expected=expected,
        audit=hub.audit("webhook.update", str(webhook.id)),
    )


def set_state(hub: Hub, webhook: Webhook, state: WebhookState) -> Webhook:
    """Moves a webhook to a state."""
    return update(hub, webhook, state=state, state_reason="x", state_changed_at=hub.clock.now())


def listed(hub: Hub, **query: Any) -> list[int]:
    """Numbers of the webhooks of a page."""
    return [one.id for one in hub.store.subscribers.webhooks(WebhookQuery(**query))]


def put_delivery(hub: Hub, webhook: Webhook, state: str = "waiting", **fields: Any) -> str:
    """Writes a delivery behind the outbox's back."""
    delivery_id = hub.ids.new("dlv")
    with hub.store._database.writing() as conn:
        conn.execute(
            schema_sending.deliveries.insert().values(
                id=delivery_id,
                message_id="msg_1",
                webhook_id=webhook.id,
                application_id=webhook.application_id,
                topic=webhook.topic,
                state=state,
                created_at=START,
                due_at=fields.pop("due_at", START),
                fence=0,
                attempts=0,
                **fields,
            )
        )
    return delivery_id


def deliveries(hub: Hub) -> dict[str, tuple[str, int | None, int | None]]:
    """State, end and lease of every delivery, by id."""
    found = hub.rows("SELECT id, state, done_at, claimed_until FROM deliveries")
    return {row[0]: row[1:] for row in found}


def put_health(hub: Hub, webhook: Webhook, **fields: Any) -> WebhookHealth:
    """Writes how an endpoint has been doing."""
    health = WebhookHealth(webhook_id=webhook.id, **fields)
    names = ("failures", "last_success_at", "last_failure_at", "breaker_until", "breaker_opens")
    with hub.store._database.writing() as conn:
        conn.execute(
            schema_sending.webhook_health.insert().values(
                webhook_id=webhook.id, **{name: getattr(health, name) for name in names}
            )
        )
    return health


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Runs `act` on several threads at the same moment; what it raises counts as its result."""
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        start.wait(timeout=20)
        try:
            return act(number)
        except (Conflict, NotFound) as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def api_key(hub: Hub, number: int, application_id: str | None) -> ApiKey:
    """A key that opens nothing."""
    return ApiKey(
        id=hub.ids.new("key"),
        name="CI",
        key_hash=b"%d" % number,
        hint="ink_",
        scopes=frozenset({Scope.WEBHOOKS_READ, Scope.MESSAGES_BODY}),
        created_at=hub.clock.now(),
        created_by="user:ada",
        application_id=application_id,
    )


def token(hub: Hub, application_id: str, token_hash: bytes, **fields: Any) -> PortalToken:
    """A token of an application's portal."""
    values: dict[str, Any] = {
        "token_hash": token_hash,
        "application_id": application_id,
        "kind": PortalTokenKind.LINK,
        "created_at": hub.clock.now(),
        "expires_at": hub.clock.now() + HOUR,
        "created_by": "user:ada",
        **fields,
    }
    return PortalToken(**values)


def publish(hub: Hub, webhook: Webhook) -> str:
    """A message for one webhook; returns its delivery's id."""
    message = Message(
        id=hub.ids.new("msg"),
        application_id=webhook.application_id,
        topic=webhook.topic,
        origin=MessageOrigin.QUEUED,
        webhook_id=webhook.id,
        created_at=hub.clock.now(),
    )
    delivery_id = hub.ids.new("dlv")
    new = NewMessage(message=message, body=b'{"id": 1}', delivery_id=delivery_id)
    hub.store.outbox.publish([new])
    return delivery_id


def failed(hub: Hub, claimed: Claimed) -> Completion:
    """The endpoint said no; once more in a minute."""
    exchange = Exchange(
        result=AttemptResult.STATUS,
        status=500,
        response_body=b"no",
        started_at=hub.clock.now(),
        duration_s=0.1,
    )
    due = hub.clock.now() + timedelta(seconds=60)
    return Completion(
        delivery_id=claimed.delivery.id,
        fence=claimed.delivery.fence,
        attempt_id=hub.ids.new("att"),
        address=claimed.target.address,
        exchange=exchange,
        decision=Decision(state=DeliveryState.WAITING, due_at=due),
    )


def unexpected(change: WebhookChange) -> NewMessage:
    """No webhook should have changed."""
    raise AssertionError(change)


def put_job(hub: Hub, webhook: Webhook) -> None:
    """A job that runs."""
    job = Job(
        id=hub.ids.new("job"),
        kind=JobKind.RECOVER,
        application_id=webhook.application_id,
        webhook_id=webhook.id,
        created_at=START,
        created_by="user:ada",
        updated_at=START,
    )
    with hub.store._database.writing() as conn:
        conn.execute(
            schema_sending.jobs.insert().values(
                id=job.id,
                kind=job.kind.value,
                application_id=job.application_id,
                webhook_id=job.webhook_id,
                query=job.query,
                cursor=job.cursor,
                done=job.done,
                total=job.total,
                state=job.state.value,
                created_at=job.created_at,
                created_by=job.created_by,
                updated_at=job.updated_at,
            )
        )
