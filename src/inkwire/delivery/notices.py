"""Operational messages: what an application hears about its own webhooks (`webhook.*`)."""

import msgspec

from inkwire.ids import Ids
from inkwire.model.message import Message, MessageOrigin
from inkwire.store.sending import NewMessage, WebhookChange


class Notices:
    """Makes the message of a change."""

    def __init__(self, ids: Ids) -> None:
        """`ids` names the messages."""
        self._ids = ids

    def __call__(self, change: WebhookChange) -> NewMessage:
        """The message; it goes to webhooks of the same application that subscribe to the topic."""
        topic, webhook = f"webhook.{change.kind}", change.webhook
        body = msgspec.json.encode(
            {
                "type": topic,
                "timestamp": change.at.isoformat(),
                "data": {
                    "webhook_id": webhook.id,
                    "topic": webhook.topic,
                    "address": webhook.address,
                    "failures": change.failures,
                    "reason": change.reason,
                },
            }
        )
        return NewMessage(
            message=Message(
                id=self._ids.new("msg"),
                application_id=webhook.application_id,
                topic=topic,
                origin=MessageOrigin.OPERATIONAL,
                created_at=change.at,
                body_size=len(body),
            ),
            body=body,
        )
