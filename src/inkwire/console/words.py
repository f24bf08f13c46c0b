"""What the console calls things: states with icon, word and tone; reasons; what was done."""

from collections.abc import Mapping
from datetime import datetime

from inkwire.console import order_words
from inkwire.model.access import Role, Scope
from inkwire.model.event import Event, EventState
from inkwire.model.source import Source, SourceActivity
from inkwire.model.verdict import MatchedOn, Reason
from inkwire.pages.marks import Mark, Tone
from inkwire.pages.outgoing import words as outgoing
from inkwire.providers.registry import Registry

CONFLICT = Mark(
    word="Conflict",
    icon="triangle-alert",
    tone=Tone.ATTENTION,
    meaning="The sender used the id of an earlier event for another body. Both are kept; only "
    "the first was acted on. Compare the two.",
)
WAITING = Mark(
    word="Waiting",
    icon="clock",
    tone=Tone.WAITING,
    meaning="Stored and acknowledged; dispatch will take it in a moment.",
)
HELD = Mark(
    word="Held",
    icon="circle-pause",
    tone=Tone.WAITING,
    meaning="Stored and acknowledged; its source is paused, so dispatch waits.",
)
DISPATCHED = Mark(
    word="Dispatched",
    icon="circle-check",
    tone=Tone.OK,
    meaning="Stored, acknowledged and handed on.",
)
FAILED = Mark(
    word="Failed",
    icon="circle-x",
    tone=Tone.FAILED,
    meaning="Stored and acknowledged, but it could not be handed on.",
)
_SETTLED: Mapping[EventState, Mark] = {
    EventState.DUPLICATE: Mark(
        word="Duplicate",
        icon="copy",
        tone=Tone.NEUTRAL,
        meaning="The sender delivered an event again that is already here; only the first one "
        "was acted on.",
    ),
    EventState.PROBABLE_DUPLICATE: Mark(
        word="Probable duplicate",
        icon="copy-check",
        tone=Tone.NEUTRAL,
        meaning="It says the same as an earlier event, but the sender gives no id that would "
        "prove it is the same one.",
    ),
    EventState.QUARANTINED: Mark(
        word="Quarantined",
        icon="shield-alert",
        tone=Tone.ATTENTION,
        meaning="The signature is right but its time is past, so it was kept and not let in. "
        "A person decides.",
    ),
    EventState.UNPARSABLE: Mark(
        word="Unparsable",
        icon="file-x",
        tone=Tone.ATTENTION,
        meaning="The sender is proven, but the body cannot be read. It is kept exactly as it came.",
    ),
    EventState.FILTERED: Mark(
        word="Filtered",
        icon="funnel",
        tone=Tone.NEUTRAL,
        meaning="Its source is limited to other event types or documents: it is kept and not "
        "acted on.",
    ),
}
#: What the state filter offers.
STATE_WORDS: Mapping[EventState, str] = {EventState.NEW: "Accepted"} | {
    state: mark.word for state, mark in _SETTLED.items()
}


def mark_of(event: Event, *, paused: bool = False) -> Mark:
    """The state of an event; `paused`: whether its source is."""
    if event.conflict:
        return CONFLICT
    if event.dispatch_error is not None:
        return FAILED
    if event.state in _SETTLED:
        return _SETTLED[event.state]
    if event.dispatched_at is not None:
        return DISPATCHED
    return HELD if paused else WAITING


def title_of(registry: Registry, event: Event) -> str:
    """What happened, in words: the provider's sentence for the type, without its full stop."""
    if event.state is EventState.UNPARSABLE:
        return f"A body from {provider_title(registry, event.provider)} that cannot be read"
    for provider in registry:
        if provider.name == event.provider and provider.receive is not None:
            sentence = provider.receive.event_types.get(event.type)
            if sentence:
                # What follows "; `field` …" tells how to read the body, not what happened.
                return sentence.partition("; `")[0].rstrip(".").replace("`", "")
    return event.type.removeprefix(f"{event.provider}.")


def entity_words(entity_key: str | None) -> tuple[str, str]:
    """`box:sign_request:ID` as ("sign request", "ID"); two empty texts for none."""
    if not entity_key:
        return "", ""
    _, _, rest = entity_key.partition(":")
    kind, separator, name = rest.partition(":")
    return (kind.replace("_", " "), name) if separator else ("", rest or entity_key)


def provider_title(registry: Registry, name: str | None) -> str:
    """The vendor's name as it writes itself; the stored name if this release lacks the provider."""
    return next((p.title for p in registry if p.name == name), name or "unknown")


MATCHED: Mapping[MatchedOn, str] = {
    MatchedOn.RAW: "the body byte for byte as received",
    MatchedOn.RESERIALIZED: "the body written anew by the rules of JSON.stringify; the text that "
    "was signed is the one that is read",
    MatchedOn.ESCAPED: "the body with its non-ASCII characters escaped, as Box's own libraries do",
}

#: Reason → what it means, in a few words. What to do about it comes with each rejection.
REASONS: Mapping[Reason, str] = {
    Reason.MISSING_HEADER: "A signature header is missing",
    Reason.BAD_SIGNATURE: "No secret of the source fits the signature",
    Reason.STALE: "Signed right, but too long ago",
    Reason.FUTURE: "Signed with a time that is still to come",
    Reason.WRONG_VERSION: "Signed in a version or algorithm that is not known here",
    Reason.MALFORMED: "A header is not in the sender's own form",
    Reason.MISMATCH: "The headers say something else than the signed body",
    Reason.NO_SECRET: "The source holds no secret that is valid now",
    Reason.UNKNOWN_SOURCE: "The address names no source",
    Reason.METHOD: "Not sent as POST",
    Reason.TOO_LARGE: "The body is over the limit",
    Reason.TOO_SLOW: "The body did not arrive in time",
    Reason.ENCODED: "The body came compressed",
    Reason.UNAVAILABLE: "The hub could not store it at that moment",
}


def reason_words(reason: str | None) -> str:
    """The words of a stored reason; the reason itself if this release does not know it."""
    try:
        return REASONS[Reason(reason or "")]
    except ValueError:
        return (reason or "unknown").replace("_", " ")


def health_of(source: Source, activity: SourceActivity | None, now: datetime) -> Mark:
    """How a source is: what an operator should know of it at a glance."""
    if not any(s.expires_at is None or s.expires_at > now for s in source.secrets):
        return _attention("No secret", "It holds no valid secret, so every request is refused.")
    if source.paused:
        return Mark(
            word="Paused",
            icon="circle-pause",
            tone=Tone.WAITING,
            meaning="Requests are still proven, stored and answered; dispatch waits.",
        )
    if activity is None or (
        activity.last_receipt_at is None and activity.last_rejection_at is None
    ):
        return Mark(
            word="Never heard",
            icon="circle-minus",
            tone=Tone.NEUTRAL,
            meaning="Nothing has come in yet. Follow the set-up steps on its page.",
        )
    last, refused = activity.last_receipt_at, activity.last_rejection_at
    if refused is not None and (last is None or refused > last):
        return _attention(
            "Refusing", f"The latest request was refused: {_lower(activity.last_rejection_reason)}."
        )
    if activity.quarantined:
        return _attention("Quarantine", "Requests wait in the quarantine for a person's decision.")
    return Mark(
        word="Healthy",
        icon="circle-check",
        tone=Tone.OK,
        meaning="The latest request was proven and stored.",
    )


def _attention(word: str, meaning: str) -> Mark:
    return Mark(word=word, icon="triangle-alert", tone=Tone.ATTENTION, meaning=meaning)


def _lower(reason: str | None) -> str:
    text = reason_words(reason)
    return text[:1].lower() + text[1:]


#: What the next page says after something was done. A cookie carries the key and a number.
SAID: Mapping[str, str] = {
    **outgoing.SAID,
    **order_words.SAID,
    "released": "Released. It is in the list as if it had come in time, and waits for dispatch.",
    "released_many": "Released {n}. They are in the list and wait for dispatch.",
    "released_some": "Released {n}; the others had been released by somebody else meanwhile.",
    "dispatching": "Waiting for dispatch again.",
    "source_made": "Made. Follow the set-up steps; this page says when it was heard.",
    "source_saved": "Saved. It takes effect within a second.",
    "source_paused": "Paused. Requests are still proven, stored and answered; dispatch waits.",
    "source_resumed": "Resumed. What came meanwhile is dispatched first.",
    "source_deleted": "Deleted. Its events and receipts are still here.",
    "secret_added": "The new secret is in use within a second.",
    "secret_removed": "The secret is no longer accepted.",
    "user_added": "The user can sign in now.",
    "user_saved": "Saved. Their sessions have ended; they sign in again.",
    "user_disabled": "Kept out. Their sessions have ended.",
    "user_enabled": "The user can sign in again.",
    "password_set": "The password is changed; sign in with it.",
    "key_revoked": "The API key is refused from now on.",
    "application_made": "Made. Grant it topics, and give it a key or a link into its portal.",
    "application_saved": "Saved.",
    "application_deleted": "Deleted. Its messages are still in the log.",
    "grants_saved": "Saved. It hears what is published from now on.",
    "topic_saved": "Saved.",
    "topic_deleted": "Deleted. What was sent stays in the log.",
    "signed_out": "You are signed out.",
}

ROLE_WORDS: Mapping[Role, str] = {
    Role.VIEWER: "Viewer: sees sources, events, webhooks and what was sent, no bodies",
    Role.OPERATOR: "Operator: also sees bodies, releases, manages webhooks and sends again",
    Role.ADMIN: "Admin: also changes sources, applications, topics, users and API keys",
}
SCOPE_WORDS: Mapping[Scope, str] = {
    Scope.SOURCES_READ: "See sources",
    Scope.SOURCES_WRITE: "Make and change sources",
    Scope.EVENTS_READ: "See events and refusals",
    Scope.EVENTS_BODY: "See bodies and headers as received (personal data)",
    Scope.EVENTS_WRITE: "Release from quarantine, dispatch again",
    Scope.WEBHOOKS_READ: "See webhooks, topics and applications",
    Scope.WEBHOOKS_WRITE: "Make and change webhooks",
    Scope.MESSAGES_READ: "See messages, deliveries and attempts",
    Scope.MESSAGES_BODY: "See payloads and what endpoints answered (personal data)",
    Scope.MESSAGES_WRITE: "Publish, test, send again, recover",
    Scope.APPLICATIONS: "Make applications, topics and grants; links into portals",
    Scope.ORDERS_READ: "See orders, statuses and templates",
    Scope.ORDERS_BODY: "Read stored documents (personal data)",
    Scope.ORDERS_WRITE: "Make and change orders, move them on",
    Scope.RUNS_READ: "See runs, their steps and calls",
    Scope.RUNS_WRITE: "Retry, replay, cancel, decide",
    Scope.INTEGRATIONS_READ: "See connections (without secrets) and integrations",
    Scope.INTEGRATIONS_WRITE: "Change connections, integrations, templates and statuses",
    Scope.ACCESS: "Users, API keys, the audit log",
}
