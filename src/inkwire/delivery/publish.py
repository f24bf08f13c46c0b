"""Publishing: a message is checked, kept durably, and only then accepted."""

import hashlib
from collections.abc import Sequence

import msgspec

from inkwire.clock import Clock
from inkwire.delivery.catalogue import Catalogue
from inkwire.errors import Conflict, Forbidden, InvalidInput
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.message import Message, MessageOrigin
from inkwire.model.webhook import ProfileName, Webhook, WebhookState
from inkwire.store.contract import Store
from inkwire.store.sending import Idempotency, NewMessage

MAX_ACCOUNT = 64
MAX_IDEMPOTENCY_KEY = 255
MAX_DOCUMENT_IDS = 100


class Publisher:
    """Takes messages. Needs `messages:write`."""

    def __init__(self, *, store: Store, catalogue: Catalogue, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock
        self._ids = ids

    def publish(
        self,
        caller: Caller,
        *,
        topic: str,
        payload: bytes,
        application_id: str | None = None,
        account: str = "",
        document_ids: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> tuple[list[str], bool]:
        """Keeps one message for an application, or one for each that may hear the topic.

        `payload`: JSON, sent byte for byte as it is. Returns their ids, and whether they are new
        (False: the same key and request came before). Raises Forbidden for the key of an
        application (what it hears is not its own to say), NotFound, InvalidInput naming every
        wrong field, Conflict if the idempotency key was used for another request.
        """
        caller.require(Scope.MESSAGES_WRITE)
        if caller.application_id is not None:
            raise Forbidden(
                "The key of an application cannot publish; test a webhook with "
                "POST /webhooks/{id}/queue, or publish with an operator's key."
            )
        _check(account, document_ids, idempotency_key)
        self._catalogue.check_payload(topic, payload)
        applications = self._hearing(topic, application_id)
        now = self._clock.now()
        messages = [
            NewMessage(
                message=Message(
                    id=self._ids.new("msg"),
                    application_id=one,
                    topic=topic,
                    account=account,
                    origin=MessageOrigin.PUBLISHED,
                    document_ids=tuple(document_ids),
                    created_at=now,
                    body_size=len(payload),
                ),
                body=payload,
            )
            for one in applications
        ]
        key = None
        if idempotency_key is not None:
            said = (topic, payload, application_id, account, tuple(document_ids))
            key = Idempotency(
                scope=caller.actor,
                key=idempotency_key,
                request_hash=hashlib.sha256(msgspec.msgpack.encode(said)).digest(),
            )
        return self._store.outbox.publish(messages, idempotency=key)

    def queue(self, caller: Caller, webhook: Webhook, payload: bytes, *, account: str = "") -> str:
        """Puts an event into one webhook's queue, unaltered (R152–R154); returns the message id.

        The payload must match the topic's schema. Raises InvalidInput, and Conflict if the
        webhook is disabled.
        """
        self._catalogue.check_payload(webhook.topic, payload)
        return self.deliver_to(
            caller, webhook, payload, origin=MessageOrigin.QUEUED, account=account
        )

    def deliver_to(
        self,
        caller: Caller,
        webhook: Webhook,
        payload: bytes,
        *,
        origin: MessageOrigin,
        account: str = "",
    ) -> str:
        """A message for one webhook only, due at once; returns its id."""
        caller.require(Scope.MESSAGES_WRITE)
        if webhook.state not in (WebhookState.ACTIVE, WebhookState.PAUSED):
            raise Conflict(f"Webhook {webhook.id} is {webhook.state}; activate it first.")
        _check(account, (), None)
        message = Message(
            id=self._ids.new("msg"),
            application_id=webhook.application_id,
            topic=webhook.topic,
            account=account,
            origin=origin,
            webhook_id=webhook.id,
            created_at=self._clock.now(),
            body_size=len(payload),
        )
        new = NewMessage(message=message, body=payload, delivery_id=self._ids.new("dlv"))
        self._store.outbox.publish([new])
        return message.id

    def sample(self, webhook: Webhook) -> bytes:
        """What the test button sends: the topic's example.

        For a profile that sends arrays (BoloSign's) one element for each selected document, as
        its own test does (seed 003). Raises InvalidInput if the topic has no example.
        """
        example = self._catalogue.get(webhook.topic).example
        if example is None:
            raise InvalidInput(
                f"The topic {webhook.topic} has no example; queue a payload of your own."
            )
        if webhook.profile is not ProfileName.BOLOSIGN or not isinstance(example, dict):
            return msgspec.json.encode(example)
        member = "formId" if "formId" in example else "documentId"
        selected = webhook.document_ids or (example.get(member),)
        return msgspec.json.encode([example | {member: one} for one in selected])

    def _hearing(self, topic: str, application_id: str | None) -> list[str]:
        """The applications that get a message of the topic."""
        if application_id is None:
            return self._catalogue.hearing(topic)
        self._store.subscribers.application(application_id)
        problem = self._catalogue.problem(application_id, topic)
        if problem is not None:
            raise InvalidInput(fields={"topic": problem})
        return [application_id]


def _check(account: str, document_ids: Sequence[str], idempotency_key: str | None) -> None:
    wrong = {}
    if len(account) > MAX_ACCOUNT or not (account.isascii() and account.isprintable()):
        wrong["account"] = f"must be at most {MAX_ACCOUNT} printable ASCII characters"
    if len(document_ids) > MAX_DOCUMENT_IDS or not all(
        1 <= len(one) <= 200 and one.isprintable() for one in document_ids
    ):
        wrong["document_ids"] = f"must be at most {MAX_DOCUMENT_IDS} ids of 1 to 200 characters"
    if idempotency_key is not None and not (
        1 <= len(idempotency_key) <= MAX_IDEMPOTENCY_KEY
        and idempotency_key.isascii()
        and idempotency_key.isprintable()
    ):
        wrong["idempotency_key"] = f"must be 1 to {MAX_IDEMPOTENCY_KEY} printable ASCII characters"
    if wrong:
        raise InvalidInput(fields=wrong)
