"""Subscribers: applications, the topics they may hear, and their webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

#: BoxC numbers webhooks; ours start here.
FIRST_WEBHOOK = 100_001
MAX_WEBHOOKS = 100


class ProfileName(StrEnum):
    """How a webhook is signed, timed and given up; see `inkwire.delivery.profiles`."""

    STANDARD = "standard"
    BOXC = "boxc"
    BOX = "box"
    BOLOSIGN = "bolosign"


class WebhookState(StrEnum):
    """Whether a webhook gets deliveries."""

    ACTIVE = "active"
    #: Deliveries are made and wait.
    PAUSED = "paused"
    #: No deliveries are made: its endpoint failed for too long or said 410, or a person did it.
    DISABLED = "disabled"
    #: Gone for its application; an operator can restore it.
    DELETED = "deleted"


class FilterOp(StrEnum):
    """What a filter asks of a value in the payload."""

    EQUALS = "equals"
    IN = "in"
    EXISTS = "exists"


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """One condition on a payload; all of a webhook's must hold."""

    #: Members and indexes from the root, dot-separated: `order.lines.0.sku`.
    path: str
    op: FilterOp
    #: EQUALS: any JSON scalar. IN: a list of them. EXISTS: a boolean (False: must be absent).
    value: Any = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """A subscriber: somebody's program that gets our webhooks."""

    id: str
    name: str
    #: Origins that may show its portal in a frame, e.g. `https://app.example.com`.
    frame_ancestors: tuple[str, ...] = ()
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """What a webhook can subscribe to."""

    name: str
    description: str = ""
    #: JSON Schema (draft 2020-12) of the payload; None: open.
    schema: Mapping[str, Any] | None = None
    #: A sample payload; None: there is none.
    example: Any = None
    #: Every application may subscribe, without a grant.
    granted_to_all: bool = False
    #: Ours; the operator cannot change it.
    builtin: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookKeyInfo:
    """What may be shown of a signing key: never the key."""

    id: str
    created_at: datetime
    #: None: until it is removed.
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookKey:
    """A signing key in plain, for as long as a delivery needs it."""

    id: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """An application's registered address for one topic."""

    #: 0 until the store numbers it.
    id: int
    application_id: str
    topic: str
    address: str
    profile: ProfileName
    state: WebhookState = WebhookState.ACTIVE
    #: Why it is in that state, in a sentence; None: nobody said.
    state_reason: str | None = None
    state_changed_at: datetime
    description: str = ""
    #: Deliver only what is about these documents (R131); empty: all.
    document_ids: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    #: Names of its own headers; their values are sealed.
    header_names: tuple[str, ...] = ()
    #: Most attempts begun a minute; None: no limit.
    rate_per_minute: int | None = None
    #: Most requests to it at the same time.
    max_in_flight: int = 10
    created_at: datetime
    updated_at: datetime
    #: Newest first; the first signs.
    keys: tuple[WebhookKeyInfo, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookHealth:
    """How a webhook's endpoint has been doing."""

    webhook_id: int
    #: Failed attempts since the last success.
    failures: int = 0
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    #: The breaker is open until then: nothing is sent. None: closed.
    breaker_until: datetime | None = None
    #: How often in a row the breaker opened.
    breaker_opens: int = 0
