"""What a store does for sending: subscribers, messages, deliveries. See `contract` for the rules.

`application_id` as an argument scopes the call: what belongs to another application is NotFound,
as if it were not there. None: an operator's view over all.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from inkwire.model.access import AuditEntry
from inkwire.model.job import Job, JobState
from inkwire.model.message import (
    Attempt,
    AttemptResult,
    Claimed,
    Decision,
    Delivery,
    DeliveryState,
    Exchange,
    Message,
    MessageOrigin,
    OpenedAttempt,
    TextHeaders,
)
from inkwire.model.webhook import (
    Application,
    Topic,
    Webhook,
    WebhookHealth,
    WebhookState,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A signing key to be sealed and kept."""

    id: str
    value: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotation:
    """A signing key that takes the place of the others."""

    key: NewKey
    expire_others_at: datetime
    audit: AuditEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookQuery:
    """Filters of the list of webhooks; all given ones must hold. Deleted ones only by state."""

    application_id: str | None = None
    topic: str | None = None
    #: None: all but DELETED.
    state: WebhookState | None = None
    #: Part of the address or the description.
    text: str | None = None
    #: Only those whose endpoint failed last.
    failing: bool = False
    #: False: greatest id first.
    ascending: bool = False
    #: Only those behind this id in that order.
    after: int | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageQuery:
    """Filters of the message log. Newest first."""

    application_id: str | None = None
    topic: str | None = None
    event_id: str | None = None
    #: One message, by its id.
    message_id: str | None = None
    origin: MessageOrigin | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryQuery:
    """Filters of the list of deliveries. Newest first."""

    application_id: str | None = None
    webhook_id: int | None = None
    message_id: str | None = None
    state: DeliveryState | None = None
    result: AttemptResult | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMessage:
    """A message to be kept; its deliveries are made by `fan_out`, or at once if it has a target.

    A target's delivery is due at once, whatever the webhook is subscribed to.
    """

    message: Message
    body: bytes = field(repr=False)
    #: Id of the one delivery of a message with `webhook_id`.
    delivery_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Idempotency:
    """A publisher's key: the same key and request again gives the same messages."""

    #: Scope of the key: the application's id, or the caller's actor.
    scope: str
    key: str
    #: Hash of everything that the request says.
    request_hash: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfanned:
    """A message whose deliveries are not made yet."""

    message: Message
    #: Active and paused webhooks of its application and topic.
    webhooks: tuple[Webhook, ...]
    #: Opened only if one of them filters by payload; else None.
    body: bytes | None = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fanned:
    """Which webhooks get a message."""

    message_id: str
    #: (delivery id, webhook id)
    deliveries: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What came of one claimed delivery."""

    delivery_id: str
    #: Of the claim.
    fence: int
    attempt_id: str
    address: str
    exchange: Exchange
    decision: Decision


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookChange:
    """Something about a webhook that its application should hear: topic `webhook.{kind}`."""

    #: `failing`, `recovered`, `disabled`, `deleted`.
    kind: str
    webhook: Webhook
    reason: str
    failures: int
    at: datetime


#: (webhook id, message ids) → those of them that the webhook's filters let through.
Chooses = Callable[[int, Sequence[str]], Collection[str]]

#: Makes the operational message of a change; committed together with it.
Notice = Callable[[WebhookChange], NewMessage]


class Subscribers(Protocol):
    """Applications, topics, grants and webhooks."""

    def applications(self, *, before: str | None = None, limit: int = 50) -> list[Application]:
        """Applications, newest first."""
        ...

    def application(self, application_id: str) -> Application:
        """One application. Raises NotFound."""
        ...

    def add_application(self, application: Application, *, audit: AuditEntry) -> None:
        """Keeps a new application."""
        ...

    def update_application(self, application: Application, *, audit: AuditEntry) -> None:
        """Replaces name and frame ancestors. Raises NotFound."""
        ...

    def delete_application(self, application_id: str, *, audit: AuditEntry) -> None:
        """Removes it, its grants, keys and webhooks; messages stay. Raises NotFound."""
        ...

    def topics(self) -> list[Topic]:
        """The operator's own topics, by name."""
        ...

    def put_topic(self, topic: Topic, *, at: datetime, audit: AuditEntry) -> None:
        """Adds or replaces a topic."""
        ...

    def delete_topic(self, name: str, *, audit: AuditEntry) -> None:
        """Removes a topic. Raises NotFound, and Conflict while webhooks subscribe to it."""
        ...

    def grants(self, application_id: str) -> frozenset[str]:
        """Topics granted to the application. Raises NotFound."""
        ...

    def set_grants(
        self, application_id: str, topics: frozenset[str], *, at: datetime, audit: AuditEntry
    ) -> None:
        """Replaces the grants of an application. Raises NotFound."""
        ...

    def granted(self, topic: str) -> list[str]:
        """Ids of the applications that hold a grant of the topic."""
        ...

    def granted_topics(self) -> frozenset[str]:
        """Every topic that some application holds a grant of."""
        ...

    def webhooks(self, query: WebhookQuery) -> list[Webhook]:
        """At most `query.limit` webhooks."""
        ...

    def webhook(self, webhook_id: int, *, application_id: str | None) -> Webhook:
        """One webhook, a deleted one too. Raises NotFound."""
        ...

    def add_webhook(
        self,
        webhook: Webhook,
        *,
        key: NewKey,
        headers: TextHeaders,
        most: int,
        audit: AuditEntry,
    ) -> Webhook:
        """Numbers and keeps a webhook (its `id` is ignored).

        Raises NotFound without the application, Conflict (code `webhook_exists`) if the
        application has an undeleted one of that topic and address, and Conflict (code
        `too_many_webhooks`) if it has `most`. The audit entry's target becomes the number.
        """
        ...

    def update_webhook(
        self,
        webhook: Webhook,
        *,
        headers: TextHeaders | None,
        expected: datetime,
        audit: AuditEntry,
        rotation: Rotation | None = None,
    ) -> Webhook:
        """Replaces all but id, application, topic, created_at and keys; headers None: they stay.

        `expected`: the `updated_at` that was read. `rotation`: as `add_key`, in the same
        transaction. Raises NotFound, Conflict if it is another by now, Conflict
        (`webhook_exists`) as `add_webhook`. Deleting or disabling cancels what waits; back to
        ACTIVE the breaker closes and the failures start at 0.
        """
        ...

    def add_key(
        self, webhook_id: int, key: NewKey, *, expire_others_at: datetime, audit: AuditEntry
    ) -> None:
        """Adds a signing key, the first from now on; the others end at `expire_others_at`.

        One that already ends earlier keeps its end. Raises NotFound.
        """
        ...

    def open_headers(self, webhook_id: int) -> TextHeaders:
        """The webhook's own headers in plain. Raises NotFound, CipherError."""
        ...

    def health(self, webhook_ids: Sequence[int]) -> Mapping[int, WebhookHealth]:
        """How their endpoints have been doing; one without a row is new."""
        ...


class Outbox(Protocol):
    """Messages, deliveries and attempts."""

    def publish(
        self, messages: Sequence[NewMessage], *, idempotency: Idempotency | None = None
    ) -> tuple[list[str], bool]:
        """Keeps messages durably. Returns their ids, and whether they are new.

        With a key that was used before for the same request: the ids of that time, and False.
        Raises Conflict (code `idempotency_key_reused`) if it was for another request.
        """
        ...

    def fan_out(self, limit: int, work: Callable[[Sequence[Unfanned]], Sequence[Fanned]]) -> int:
        """Gives up to `limit` messages without deliveries to `work`, oldest first; keeps those.

        No message is fanned out twice, whoever calls at the same time. Returns how many.
        """
        ...

    def claim(self, *, now: datetime, limit: int, share: int, lease_s: float) -> list[Claimed]:
        """Leases up to `limit` due deliveries of active webhooks, at most `share` of each.

        Fair: every webhook that has something due gets its turn. Never more of one webhook at a
        time than its `max_in_flight`, nor more a minute than its rate; none while its breaker is
        open, and one alone when the breaker's time is over. A lease that ended is claimed anew,
        with a greater fence. A body or key that does not open gives up on that delivery with
        INTERNAL as its result, and holds up no other.
        """
        ...

    def complete(self, done: Sequence[Completion], *, notice: Notice) -> list[bool]:
        """Records attempts and what becomes of their deliveries and webhooks, in one transaction.

        False for one whose lease was taken over: nothing of it is kept. Keeps the breaker and
        the health; makes the operational messages of what changed.
        """
        ...

    def renew(self, claims: Sequence[Claimed], *, until: datetime) -> None:
        """Moves the ends of these leases, also of those that ended and that nobody took over."""
        ...

    def let_go(self, claims: Sequence[Claimed]) -> None:
        """Gives back claims that were not sent: due at once, no attempt."""
        ...

    def waiting(self, now: datetime) -> tuple[int, datetime | None]:
        """How many deliveries are due (counted up to 10,000), and when the next one is."""
        ...

    def messages(self, query: MessageQuery) -> list[Message]:
        """At most `query.limit` messages, newest first."""
        ...

    def message(self, message_id: str, *, application_id: str | None) -> Message:
        """One message. Raises NotFound."""
        ...

    def open_body(self, message_id: str) -> bytes:
        """A message's payload as it is sent. Raises NotFound, CipherError."""
        ...

    def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        """At most `query.limit` deliveries, newest first."""
        ...

    def delivery(self, delivery_id: str, *, application_id: str | None) -> Delivery:
        """One delivery. Raises NotFound."""
        ...

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """The attempts of a delivery, by number."""
        ...

    def open_attempt(self, attempt_id: str, *, application_id: str | None) -> OpenedAttempt:
        """An attempt with headers and answer. Raises NotFound, CipherError."""
        ...

    def resend(self, delivery_id: str, *, new_id: str, at: datetime, audit: AuditEntry) -> Delivery:
        """Sends again: one that waits is due at once, else a new delivery of the same message.

        Raises NotFound, and Conflict if its webhook is disabled or deleted.
        """
        ...

    def failures(
        self, *, since: datetime, application_id: str | None = None
    ) -> list[tuple[AttemptResult, int | None, int]]:
        """Given-up and failing deliveries since a time, grouped by cause: result, status, count."""
        ...

    def success(
        self, webhook_ids: Sequence[int], *, since: datetime
    ) -> Mapping[int, tuple[int, int, float]]:
        """Attempts since a time by webhook: how many, how many were OK, mean seconds."""
        ...


class Jobs(Protocol):
    """Long background tasks."""

    def count(self, job: Job) -> int:
        """How many deliveries the job would make (counted up to 100,000). Raises NotFound."""
        ...

    def add(self, job: Job, *, audit: AuditEntry) -> None:
        """Keeps a job; the worker advances it. Raises Conflict while one of its kind runs."""
        ...

    def get(self, job_id: str, *, application_id: str | None) -> Job:
        """One job. Raises NotFound."""
        ...

    def page(
        self, *, application_id: str | None, before: str | None = None, limit: int = 50
    ) -> list[Job]:
        """Jobs, newest first."""
        ...

    def cancel(self, job_id: str, *, at: datetime, audit: AuditEntry) -> Job:
        """Stops a running job; what it made stays. Raises NotFound, Conflict if it has ended."""
        ...

    def advance(
        self, *, limit: int, now: datetime, new_id: Callable[[], str], chooses: Chooses
    ) -> Job | None:
        """Does the next batch of the oldest running job, in one transaction; None: none runs.

        `chooses` narrows what REPLAY_MISSING sends; it is called outside any transaction.
        """
        ...

    def fail(self, job_id: str, *, error: str, at: datetime, state: JobState) -> None:
        """Ends a job that cannot go on. Raises NotFound."""
        ...
