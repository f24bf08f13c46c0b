"""Lines of the lists of webhooks, deliveries and messages, with everything worked out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from inkwire.model.access import Scope
from inkwire.model.message import Delivery, DeliveryState, Message
from inkwire.model.webhook import Webhook, WebhookHealth, WebhookState
from inkwire.pages.marks import Mark
from inkwire.pages.outgoing import words
from inkwire.pages.visit import Visit

#: What the health of an endpoint is counted over.
DAY = timedelta(hours=24)
#: Most applications that a page knows by name; others are shown by id.
NAMED = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Success:
    """An endpoint's last 24 hours."""

    attempts: int
    ok: int
    #: Seconds.
    mean_s: float

    @property
    def rate(self) -> str:
        """The share that was answered well: `98.3 %`; never rounded up to 100 %."""
        if not self.attempts:
            return "–"
        share = 100 * self.ok / self.attempts
        if self.ok < self.attempts:
            share = min(share, 99.9)
        return f"{share:.1f}".removesuffix(".0") + " %"

    @property
    def mean(self) -> str:
        """The mean time of an attempt: `120 ms`."""
        if not self.attempts:
            return "–"
        return seconds(self.mean_s)


NOTHING_SENT = Success(attempts=0, ok=0, mean_s=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookRow:
    """One webhook with how its endpoint does."""

    webhook: Webhook
    mark: Mark
    health: WebhookHealth
    success: Success
    url: str
    #: Name or id of its application; empty where there is only one.
    application: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryRow:
    """One delivery."""

    delivery: Delivery
    mark: Mark
    result: str
    url: str
    webhook_url: str
    message_url: str
    #: Whether it waits for its time.
    waits: bool
    can_resend: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageRow:
    """One message."""

    message: Message
    origin: str
    url: str
    application: str


def seconds(length: float) -> str:
    """A short length of time: `340 ms`, `2.1 s`."""
    return f"{round(length * 1000)} ms" if length < 1 else f"{length:.1f} s"


def application_names(visit: Visit) -> Mapping[str, str]:
    """Names by id, for an operator; empty for an application, which knows its own."""
    if visit.caller.application_id is not None or not visit.may(Scope.WEBHOOKS_READ):
        return {}
    return {one.id: one.name for one in visit.parts.applications.all(visit.caller, limit=NAMED)}


def shown_application(visit: Visit, application_id: str, names: Mapping[str, str]) -> str:
    """What stands in the column of applications."""
    own = visit.caller.application_id is not None
    return "" if own else names.get(application_id, application_id)


def topic_choices(visit: Visit) -> list[tuple[str, str]]:
    """What a filter of topics offers."""
    if not visit.may(Scope.WEBHOOKS_READ):
        return []
    return [(topic.name, topic.name) for topic in visit.parts.applications.topics(visit.caller)]


def webhook_rows(
    visit: Visit, webhooks: Sequence[Webhook], names: Mapping[str, str]
) -> list[WebhookRow]:
    """The lines of a list of webhooks."""
    health = visit.parts.webhooks.health(visit.caller, webhooks) if webhooks else {}
    ids = [webhook.id for webhook in webhooks]
    counted = visit.parts.store.outbox.success(ids, since=visit.now - DAY) if ids else {}
    found = []
    for webhook in webhooks:
        attempts, ok, mean_s = counted.get(webhook.id, (0, 0, 0.0))
        how = health.get(webhook.id) or WebhookHealth(webhook_id=webhook.id)
        found.append(
            WebhookRow(
                webhook=webhook,
                mark=words.webhook_mark(webhook, how, visit.now),
                health=how,
                success=Success(attempts=attempts, ok=ok, mean_s=mean_s),
                url=visit.url("webhooks", str(webhook.id)),
                application=shown_application(visit, webhook.application_id, names),
            )
        )
    return found


def delivery_rows(
    visit: Visit, deliveries: Sequence[Delivery], *, takes: WebhookState | None = None
) -> list[DeliveryRow]:
    """The lines of a list of deliveries; `takes`: the state of their webhook, if it is known."""
    open_for = takes in (None, WebhookState.ACTIVE, WebhookState.PAUSED)
    return [
        DeliveryRow(
            delivery=one,
            mark=words.delivery_mark(one, visit.now),
            result=words.result_words(one.last_result, one.last_status),
            url=visit.url("deliveries", one.id),
            webhook_url=visit.url("webhooks", str(one.webhook_id)),
            message_url=visit.url("messages", one.message_id),
            waits=one.state is DeliveryState.WAITING,
            can_resend=open_for and visit.may(Scope.MESSAGES_WRITE),
        )
        for one in deliveries
    ]


def message_rows(
    visit: Visit, messages: Sequence[Message], names: Mapping[str, str]
) -> list[MessageRow]:
    """The lines of the message log."""
    return [
        MessageRow(
            message=one,
            origin=words.ORIGINS[one.origin],
            url=visit.url("messages", one.id),
            application=shown_application(visit, one.application_id, names),
        )
        for one in messages
    ]
