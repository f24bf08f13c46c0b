"""Messages on their way out: their deliveries, and each HTTP try."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from inkwire.model.webhook import ProfileName, WebhookKey, WebhookState

#: Bytes of an endpoint's answer that an attempt keeps.
MAX_RESPONSE = 16 * 1024

TextHeaders = tuple[tuple[str, str], ...]


class MessageOrigin(StrEnum):
    """Where a message is from."""

    #: `POST /v1/messages`, or the hub itself, such as `order.created`.
    PUBLISHED = "published"
    #: `POST /webhooks/{id}/queue`: for that webhook only.
    QUEUED = "queued"
    #: An inbound event, by a grant.
    FORWARDED = "forwarded"
    #: The test button.
    TEST = "test"
    #: `webhook.*`: our own news about a webhook.
    OPERATIONAL = "operational"


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    #: Due now or later, or being sent.
    WAITING = "waiting"
    DELIVERED = "delivered"
    #: Given up after its last attempt: a dead letter that only a person revives.
    EVICTED = "evicted"
    #: Its webhook was deleted or disabled before it could be delivered.
    CANCELLED = "cancelled"


class AttemptResult(StrEnum):
    """How one HTTP try ended; what failed has its own word."""

    OK = "ok"
    #: Answered outside 200–299 (redirects too: they are never followed).
    STATUS = "status"
    #: 410: the endpoint wants no more.
    GONE = "gone"
    #: The name does not resolve.
    DNS = "dns"
    #: The guard refuses the address: private, loopback, metadata …
    BLOCKED = "blocked"
    #: Refused or not reachable.
    CONNECT = "connect"
    TLS = "tls"
    #: No connection, or no whole answer, in time.
    TIMEOUT = "timeout"
    #: The connection was closed or reset in the middle.
    RESET = "reset"
    #: What came back is no HTTP.
    PROTOCOL = "protocol"
    #: The egress proxy refused or failed: not the endpoint's fault.
    PROXY = "proxy"
    #: A fault of our own, or the end of our process before the answer: nobody else's fault.
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One outbound event of one application; its payload is opened apart."""

    id: str
    application_id: str
    topic: str
    #: Value of X-BoxC-Account; empty: the header is not sent.
    account: str = ""
    origin: MessageOrigin
    #: The inbound event it forwards.
    event_id: str | None = None
    #: The only webhook it is for; None: whoever subscribes.
    webhook_id: int | None = None
    #: What webhooks can be limited to (R131).
    document_ids: tuple[str, ...] = ()
    created_at: datetime
    #: When its deliveries were made; None while it waits for that.
    fanned_at: datetime | None = None
    #: Bytes.
    body_size: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A message's copy for one webhook."""

    id: str
    message_id: str
    webhook_id: int
    application_id: str
    topic: str
    state: DeliveryState
    created_at: datetime
    #: When it is due; while it is being sent, when its lease ends.
    due_at: datetime
    #: Set while a worker is sending it: the end of the lease.
    claimed_until: datetime | None = None
    #: Counts claims: only the newest claim may record what came of it.
    fence: int = 0
    #: Attempts recorded.
    attempts: int = 0
    first_attempt_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_result: AttemptResult | None = None
    last_status: int | None = None
    done_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a delivery needs of its webhook, opened."""

    webhook_id: int
    application_id: str
    address: str
    profile: ProfileName
    #: Valid now, newest first.
    keys: tuple[WebhookKey, ...] = field(repr=False)
    #: Its own headers and its authentication, in plain.
    headers: TextHeaders = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """A delivery that this worker holds until its lease ends."""

    delivery: Delivery
    message: Message
    body: bytes = field(repr=False)
    target: Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """What one HTTP try sent and got, timed; nothing in it is decided yet."""

    result: AttemptResult
    #: A sentence for a person when it failed: what happened and what to look at.
    detail: str = ""
    status: int | None = None
    request_headers: TextHeaders = field(default=(), repr=False)
    response_headers: TextHeaders = field(default=(), repr=False)
    #: The first 16 KiB.
    response_body: bytes = field(default=b"", repr=False)
    #: Whether there was more.
    truncated: bool = False
    #: The address that was connected to.
    remote: str | None = None
    started_at: datetime
    #: Seconds: the whole; until connected (name, TCP, TLS); until the answer's head.
    duration_s: float
    connect_s: float | None = None
    head_s: float | None = None
    #: Seconds that Retry-After asked for.
    retry_after_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One recorded HTTP try. Headers and body are opened apart."""

    id: str
    delivery_id: str
    webhook_id: int
    application_id: str
    #: From 1.
    number: int
    address: str
    remote: str | None
    result: AttemptResult
    status: int | None
    detail: str
    started_at: datetime
    duration_s: float
    connect_s: float | None = None
    head_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenedAttempt:
    """An attempt with what was sent and what came back."""

    attempt: Attempt
    request_headers: TextHeaders = field(repr=False)
    response_headers: TextHeaders = field(repr=False)
    response_body: bytes = field(repr=False)
    truncated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What becomes of a delivery after an attempt."""

    state: DeliveryState
    #: The next attempt, if it stays WAITING.
    due_at: datetime | None = None
    #: What becomes of its webhook: DISABLED or DELETED; None: nothing.
    webhook_state: WebhookState | None = None
    reason: str = ""
    #: The webhook is spared if anything to it succeeded since then.
    unless_success_since: datetime | None = None
