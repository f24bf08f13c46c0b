"""What the tests of sending share: a claim, an exchange, subscribers in memory."""

from dataclasses import replace
from datetime import UTC, datetime

from inkwire.errors import NotFound
from inkwire.model.message import (
    AttemptResult,
    Claimed,
    Delivery,
    DeliveryState,
    Exchange,
    Message,
    MessageOrigin,
    Target,
)
from inkwire.model.webhook import Application, ProfileName, Webhook, WebhookKey

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

MESSAGE = Message(
    id="msg_000000000000000000000001",
    application_id="app_1",
    topic="shipments_status",
    account="9512",
    origin=MessageOrigin.PUBLISHED,
    created_at=NOW,
)
DELIVERY = Delivery(
    id="dlv_000000000000000000000001",
    message_id=MESSAGE.id,
    webhook_id=100_001,
    application_id="app_1",
    topic=MESSAGE.topic,
    state=DeliveryState.WAITING,
    created_at=NOW,
    due_at=NOW,
)
WEBHOOK = Webhook(
    id=100_001,
    application_id="app_1",
    topic=MESSAGE.topic,
    address="https://www.example.com/path",
    profile=ProfileName.STANDARD,
    state_changed_at=NOW,
    created_at=NOW,
    updated_at=NOW,
)


def claim(profile, keys, *, body=b'{"a":1}', headers=(), attempts=0, **message):
    """A claimed delivery with these keys (text, newest first)."""
    return Claimed(
        delivery=replace(DELIVERY, attempts=attempts),
        message=replace(MESSAGE, **message),
        body=body,
        target=Target(
            webhook_id=WEBHOOK.id,
            application_id="app_1",
            address=WEBHOOK.address,
            profile=profile,
            keys=tuple(
                WebhookKey(id=f"whk_{place}", value=key.encode()) for place, key in enumerate(keys)
            ),
            headers=tuple(headers),
        ),
    )


def exchange(result=AttemptResult.STATUS, status=None, **more):
    """What one try gave."""
    if result is AttemptResult.STATUS and status is None:
        status = 500
    return Exchange(result=result, status=status, started_at=NOW, duration_s=0.1, **more)


class Subscribers:
    """Applications, grants and topics in memory: as much as the catalogue asks for."""

    def __init__(self, *, topics=(), grants=None):
        self.own = list(topics)
        self.given = {name: frozenset(held) for name, held in (grants or {}).items()}

    def topics(self):
        return sorted(self.own, key=lambda topic: topic.name)

    def grants(self, application_id):
        if application_id not in self.given:
            raise NotFound(f"There is no application {application_id}.")
        return self.given[application_id]

    def granted(self, topic):
        return sorted(name for name, held in self.given.items() if topic in held)

    def granted_topics(self):
        return frozenset().union(*self.given.values())

    def applications(self, *, before=None, limit=50):
        names = sorted(
            (name for name in self.given if before is None or name < before), reverse=True
        )
        return [
            Application(id=name, name=name, created_at=NOW, updated_at=NOW)
            for name in names[: min(limit, 2)]
        ]
