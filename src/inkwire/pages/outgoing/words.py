"""What these pages call things: states with icon, word and tone; causes; what was done."""

from collections.abc import Mapping
from datetime import datetime

from inkwire.model.job import Job, JobKind, JobState
from inkwire.model.message import AttemptResult, Delivery, DeliveryState, MessageOrigin
from inkwire.model.webhook import ProfileName, Webhook, WebhookHealth, WebhookState
from inkwire.pages.marks import Mark, Tone

_STATES: Mapping[WebhookState, Mark] = {
    WebhookState.ACTIVE: Mark(
        word="Active", icon="circle-check", tone=Tone.OK, meaning="It gets its deliveries."
    ),
    WebhookState.PAUSED: Mark(
        word="Paused",
        icon="circle-pause",
        tone=Tone.WAITING,
        meaning="Deliveries are made and wait until it is resumed.",
    ),
    WebhookState.DISABLED: Mark(
        word="Disabled",
        icon="circle-x",
        tone=Tone.FAILED,
        meaning="No deliveries are made. Enable it when its endpoint is well again.",
    ),
    WebhookState.DELETED: Mark(
        word="Deleted",
        icon="trash-2",
        tone=Tone.NEUTRAL,
        meaning="It is gone for its application. An operator can restore it.",
    ),
}
#: What the state filter offers.
STATE_WORDS: Mapping[WebhookState, str] = {state: mark.word for state, mark in _STATES.items()}


def webhook_mark(webhook: Webhook, health: WebhookHealth | None, now: datetime) -> Mark:
    """How a webhook is: its state, and while it is active how its endpoint does."""
    if webhook.state is not WebhookState.ACTIVE or health is None:
        return _STATES[webhook.state]
    if health.breaker_until is not None and health.breaker_until > now:
        return Mark(
            word="Backing off",
            icon="circle-pause",
            tone=Tone.ATTENTION,
            meaning="Its endpoint failed again and again, so nothing is sent until the breaker "
            "closes; then one delivery tries it.",
        )
    if health.failures:
        times = "once" if health.failures == 1 else f"{health.failures:,} times in a row"
        return Mark(
            word="Failing",
            icon="triangle-alert",
            tone=Tone.ATTENTION,
            meaning=f"Its endpoint failed {times}; deliveries are tried again.",
        )
    if health.last_success_at is None:
        return Mark(
            word="Not used yet",
            icon="circle-minus",
            tone=Tone.NEUTRAL,
            meaning="It is active, and nothing has been sent to it yet. Send a test.",
        )
    return _STATES[WebhookState.ACTIVE]


_DELIVERED = Mark(
    word="Delivered",
    icon="circle-check",
    tone=Tone.OK,
    meaning="The endpoint answered with a status from 200 to 299.",
)
_SENDING = Mark(word="Sending", icon="send", tone=Tone.WAITING, meaning="An attempt is under way.")
_DUE = Mark(
    word="Waiting", icon="clock", tone=Tone.WAITING, meaning="It is sent as soon as it is due."
)
_RETRYING = Mark(
    word="Retrying",
    icon="refresh-cw",
    tone=Tone.ATTENTION,
    meaning="The last attempt failed; it is tried again when it is due.",
)
_SETTLED: Mapping[DeliveryState, Mark] = {
    DeliveryState.DELIVERED: _DELIVERED,
    DeliveryState.EVICTED: Mark(
        word="Given up",
        icon="circle-x",
        tone=Tone.FAILED,
        meaning="Every attempt failed. It stays here until somebody sends it again.",
    ),
    DeliveryState.CANCELLED: Mark(
        word="Cancelled",
        icon="circle-minus",
        tone=Tone.NEUTRAL,
        meaning="Its webhook was disabled or deleted before it could be delivered.",
    ),
}
#: What the state filter of deliveries offers.
DELIVERY_WORDS: Mapping[DeliveryState, str] = {DeliveryState.WAITING: "Waiting or retrying"} | {
    state: mark.word for state, mark in _SETTLED.items()
}


def delivery_mark(delivery: Delivery, now: datetime) -> Mark:
    """Where a delivery stands."""
    if delivery.state in _SETTLED:
        return _SETTLED[delivery.state]
    if delivery.claimed_until is not None and delivery.claimed_until > now:
        return _SENDING
    return _RETRYING if delivery.attempts else _DUE


RESULTS: Mapping[AttemptResult, str] = {
    AttemptResult.OK: "Answered",
    AttemptResult.STATUS: "Answered with another status",
    AttemptResult.GONE: "Answered 410: it wants no more",
    AttemptResult.DNS: "The name does not resolve",
    AttemptResult.BLOCKED: "Refused by the guard: not a public address",
    AttemptResult.CONNECT: "No connection",
    AttemptResult.TLS: "TLS failed",
    AttemptResult.TIMEOUT: "No whole answer in time",
    AttemptResult.RESET: "Connection closed in the middle",
    AttemptResult.PROTOCOL: "What came back is no HTTP",
    AttemptResult.PROXY: "The egress proxy failed",
    AttemptResult.INTERNAL: "A fault of our own",
}
#: What to look at when it happens.
ADVICE: Mapping[AttemptResult, str] = {
    AttemptResult.OK: "",
    AttemptResult.STATUS: "The endpoint took the request and refused it: its own log says why. "
    "Redirects are never followed.",
    AttemptResult.GONE: "The endpoint asked for no more deliveries, so the webhook ends at once.",
    AttemptResult.DNS: "Check the host in the address for a typing mistake, and its DNS records.",
    AttemptResult.BLOCKED: "The address leads into a private network. An operator can allow it "
    "with `INKWIRE_OUTBOUND_ALLOW`.",
    AttemptResult.CONNECT: "Nothing listens at that address and port, or a firewall refuses us.",
    AttemptResult.TLS: "The certificate is not valid for the host, or its chain is incomplete.",
    AttemptResult.TIMEOUT: "The endpoint should answer at once and do its work afterwards.",
    AttemptResult.RESET: "The endpoint or a proxy before it hung up: look into its log.",
    AttemptResult.PROTOCOL: "Something other than a web server listens there.",
    AttemptResult.PROXY: "Check `INKWIRE_OUTBOUND_PROXY`; the endpoint is not at fault.",
    AttemptResult.INTERNAL: "Inkwire's own log says what happened.",
}


def result_words(result: AttemptResult | None, status: int | None) -> str:
    """How an attempt ended: `HTTP 503`, or what failed."""
    if result is None:
        return "–"
    if status is not None:
        return f"HTTP {status}"
    return RESULTS[result]


ORIGINS: Mapping[MessageOrigin, str] = {
    MessageOrigin.PUBLISHED: "Published",
    MessageOrigin.QUEUED: "Queued for one webhook",
    MessageOrigin.FORWARDED: "Forwarded event",
    MessageOrigin.TEST: "Test",
    MessageOrigin.OPERATIONAL: "News about a webhook",
}

PROFILE_WORDS: Mapping[ProfileName, str] = {
    ProfileName.STANDARD: "Standard Webhooks: signed v1, disabled when it fails for good",
    ProfileName.BOXC: "BoxC: X-BoxC-* headers, 12 attempts, deleted when it fails for good",
    ProfileName.BOX: "Box: as Box signs, for sandboxes",
    ProfileName.BOLOSIGN: "BoloSign: as BoloSign signs, for sandboxes",
}

JOB_WORDS: Mapping[JobKind, str] = {
    JobKind.RECOVER: "Recover what was given up",
    JobKind.REPLAY_MISSING: "Replay what is missing",
}
_JOB_MARKS: Mapping[JobState, Mark] = {
    JobState.RUNNING: Mark(
        word="Running",
        icon="refresh-cw",
        tone=Tone.WAITING,
        meaning="The worker makes its deliveries, batch after batch.",
    ),
    JobState.DONE: Mark(
        word="Done", icon="circle-check", tone=Tone.OK, meaning="All its deliveries are made."
    ),
    JobState.CANCELLED: Mark(
        word="Cancelled",
        icon="circle-minus",
        tone=Tone.NEUTRAL,
        meaning="It was stopped; the deliveries that it had made stay.",
    ),
    JobState.FAILED: Mark(
        word="Failed", icon="circle-x", tone=Tone.FAILED, meaning="It could not go on."
    ),
}


def job_mark(job: Job) -> Mark:
    """Where a job stands."""
    return _JOB_MARKS[job.state]


#: What the next page says after something was done.
SAID: Mapping[str, str] = {
    "webhook_made": "Made. Send a test to see what its endpoint answers.",
    "webhook_saved": "Saved. The next attempt uses it.",
    "webhook_paused": "Paused. Deliveries are made and wait.",
    "webhook_resumed": "Resumed. What waited is sent now.",
    "webhook_disabled": "Disabled. What waited is cancelled, and nothing new is made.",
    "webhook_enabled": "Enabled. It gets what is published from now on.",
    "webhook_deleted": "Deleted. What was sent stays in the log.",
    "webhook_restored": "Restored. Recover what it missed below, if it should have it.",
    "webhook_rotated": "The new key signs from now on.",
    "webhooks_changed": "Done for {n}.",
    "webhooks_some": "Done for {n}; the others could not be changed from the state they are in.",
    "resent": "It is due at once.",
    "resent_many": "{n} are due at once.",
    "resent_some": "{n} are due at once; the others' webhooks take no deliveries.",
    "job_started": "Started. This page shows how far it is.",
    "job_cancelled": "Cancelled. The deliveries that it had made stay.",
}
