"""The log of what was sent: messages, their deliveries, and each attempt."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.delivery.profiles import is_reserved
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.message import Attempt, Delivery, Message, OpenedAttempt, TextHeaders
from inkwire.model.request import is_secret_header
from inkwire.store.contract import Store
from inkwire.store.sending import DeliveryQuery, MessageQuery

REDACTED = "«redacted»"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryDetail:
    """A delivery, its message, and its attempts by number."""

    delivery: Delivery
    message: Message
    attempts: Sequence[Attempt] = field(default=())


class DeliveryLog:
    """Shows what was sent, and sends it again (R170).

    A caller that speaks for an application finds that application's own only; all else is
    NotFound, as if it were not there. Needs `messages:read`; for payloads and what endpoints
    answered `messages:body`; to resend `messages:write`.
    """

    def __init__(self, *, store: Store, clock: Clock, ids: Ids) -> None:
        self._outbox = store.outbox
        self._ids = ids
        self._audit = Auditor(clock, ids)

    def messages(self, caller: Caller, query: MessageQuery) -> list[Message]:
        """The messages that the query asks for, newest first."""
        caller.require(Scope.MESSAGES_READ)
        if caller.application_id is not None:
            if query.application_id not in (None, caller.application_id):
                return []
            query = replace(query, application_id=caller.application_id)
        return self._outbox.messages(query)

    def message(self, caller: Caller, message_id: str) -> Message:
        """One message. Raises NotFound."""
        caller.require(Scope.MESSAGES_READ)
        return self._outbox.message(message_id, application_id=caller.application_id)

    def payload(self, caller: Caller, message_id: str) -> bytes:
        """A message's payload, byte for byte as it is sent. Raises NotFound."""
        caller.require(Scope.MESSAGES_BODY)
        message = self._outbox.message(message_id, application_id=caller.application_id)
        return self._outbox.open_body(message.id)

    def deliveries(self, caller: Caller, query: DeliveryQuery) -> list[Delivery]:
        """The deliveries that the query asks for, newest first."""
        caller.require(Scope.MESSAGES_READ)
        if caller.application_id is not None:
            if query.application_id not in (None, caller.application_id):
                return []
            query = replace(query, application_id=caller.application_id)
        return self._outbox.deliveries(query)

    def delivery(self, caller: Caller, delivery_id: str) -> DeliveryDetail:
        """One delivery with its message and attempts. Raises NotFound."""
        caller.require(Scope.MESSAGES_READ)
        found = self._outbox.delivery(delivery_id, application_id=caller.application_id)
        return DeliveryDetail(
            delivery=found,
            message=self._outbox.message(found.message_id, application_id=found.application_id),
            attempts=self._outbox.attempts(found.id),
        )

    def only_delivery(self, caller: Caller, message_id: str) -> Delivery | None:
        """The delivery of a message for one webhook, for whoever just sent it."""
        caller.require(Scope.MESSAGES_WRITE)
        query = DeliveryQuery(application_id=caller.application_id, message_id=message_id, limit=1)
        return next(iter(self._outbox.deliveries(query)), None)

    def resend(self, caller: Caller, delivery_id: str) -> Delivery:
        """Sends again: one that waits is due at once, else a new delivery of the same message.

        Raises NotFound, and Conflict if its webhook is disabled or deleted.
        """
        caller.require(Scope.MESSAGES_WRITE)
        found = self._outbox.delivery(delivery_id, application_id=caller.application_id)
        audit = self._audit.entry(
            caller, "delivery.resend", found.id, webhook=str(found.webhook_id)
        )
        return self._outbox.resend(found.id, new_id=self._ids.new("dlv"), at=audit.at, audit=audit)

    def attempt(self, caller: Caller, attempt_id: str) -> OpenedAttempt:
        """An attempt with what was sent and what came back, credentials redacted.

        Raises NotFound. Of the request only headers of our own are shown with their values: a
        webhook's own headers are how its endpoint knows us.
        """
        caller.require(Scope.MESSAGES_BODY)
        opened = self._outbox.open_attempt(attempt_id, application_id=caller.application_id)
        return replace(
            opened,
            request_headers=shown_request(opened.request_headers),
            response_headers=shown_response(opened.response_headers),
        )


def shown_request(headers: TextHeaders) -> TextHeaders:
    """What we sent, a webhook's own headers redacted. Pure."""
    return tuple(
        (name, value if _is_ours(name) and not _is_secret(name) else REDACTED)
        for name, value in headers
    )


def _is_ours(name: str) -> bool:
    """Whether no webhook's own header has that name, or it may and tells nothing."""
    return is_reserved(name) or name.lower() == "accept"


def shown_response(headers: TextHeaders) -> TextHeaders:
    """What an endpoint answered, cookies and the like redacted. Pure."""
    return tuple((name, REDACTED if _is_secret(name) else value) for name, value in headers)


def _is_secret(name: str) -> bool:
    return is_secret_header(name.encode("utf-8"))
