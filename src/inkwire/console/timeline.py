"""What happened to an event, line by line, and what happens next. Pure."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from inkwire.console import words
from inkwire.console.views import Line
from inkwire.model.event import HANDED_ON, DedupeKind, Event, EventState, Origin
from inkwire.model.receipt import Receipt, ReceiptState
from inkwire.model.source import Source
from inkwire.pages import times
from inkwire.pages.marks import Tone

#: The page of an event, by its id.
EventUrl = Callable[[str], str]


def timeline(
    event: Event,
    receipt: Receipt,
    *,
    source: Source | None,
    provider: str,
    event_url: EventUrl,
) -> tuple[Line, ...]:
    """Newest first, with what comes next on top; `provider` is the vendor's title."""
    lines = [
        *_at_the_sender(event, receipt, provider),
        _received(event, receipt),
        _verified(receipt, source),
        _stored(receipt),
        *_sorted_in(event, receipt, event_url),
        *_handed_on(event),
    ]
    spaced = [lines[0]]
    for before, line in pairwise(lines):
        spaced.append(_with_gap(line, before.at))
    return (*_next(event, source), *reversed(spaced))


def _with_gap(line: Line, before: datetime | None) -> Line:
    if line.at is None or before is None:
        return line
    return replace(line, gap=times.gap(line.at - before))


def _at_the_sender(event: Event, receipt: Receipt, provider: str) -> list[Line]:
    lines = []
    if event.occurred_at is not None:
        lines.append(_line("activity", f"It happened, by {provider}'s clock.", event.occurred_at))
    if receipt.signed_at is not None:
        lines.append(_line("pen-line", f"{provider} signed this delivery.", receipt.signed_at))
    return lines


def _received(event: Event, receipt: Receipt) -> Line:
    if event.origin is Origin.RECONCILED:
        return _line("refresh-cw", "Found by asking the sender.", receipt.received_at)
    return _line(
        "inbox",
        f"Received from {receipt.remote}.",
        receipt.received_at,
        proof=f"{receipt.method} {receipt.path} · {times.size(receipt.body_size)}",
    )


def _verified(receipt: Receipt, source: Source | None) -> Line:
    secrets = source.secrets if source else ()
    secret = next((s for s in secrets if s.id == receipt.secret_id), None)
    which = (
        f"{_secret_name(secret.role)} set on {secret.created_at:%-d %b %Y}"
        if secret
        else "a secret that has since been removed"
    )
    return _line(
        "shield-check",
        f"Sender proven with {which}.",
        receipt.received_at,
        proof=f"Signature over {words.MATCHED[receipt.matched_on]} · {receipt.secret_id}",
        tone=Tone.OK,
    )


def _secret_name(role: str) -> str:
    """`the primary secret`; `the key`, where the role says it already."""
    return f"the {role}" if role in ("secret", "key") else f"the {role} secret"


def _stored(receipt: Receipt) -> Line:
    if receipt.quarantine is not None:
        text = "Stored in the quarantine and answered 401"
        why = words.reason_words(receipt.quarantine.value)
        return _line(
            "shield-alert",
            f"{text}: {why[:1].lower()}{why[1:]}.",
            receipt.received_at,
            proof=receipt.id,
            tone=Tone.ATTENTION,
        )
    return _line("database", "Stored, then answered 200.", receipt.received_at, proof=receipt.id)


def _sorted_in(event: Event, receipt: Receipt, event_url: EventUrl) -> list[Line]:
    """Release, and what the dedupe key said."""
    at, lines = receipt.received_at, []
    if receipt.state is ReceiptState.RELEASED and receipt.released_at is not None:
        at = receipt.released_at
        who = (receipt.released_by or "somebody").removeprefix("user:")
        lines.append(
            _line("shield-check", f"Released from the quarantine by {who}.", at, tone=Tone.OK)
        )
    if event.state is EventState.QUARANTINED:
        return lines
    icon, tone, text = _dedupe(event)
    lines.append(
        replace(
            _line(icon, text, at, tone=tone),
            link=event_url(event.duplicate_of) if event.duplicate_of else "",
            link_text="The first delivery" if event.duplicate_of else "",
        )
    )
    return lines


def _dedupe(event: Event) -> tuple[str, Tone, str]:
    if event.conflict:
        return (
            "triangle-alert",
            Tone.ATTENTION,
            "Its id was used before for another body: kept, flagged, handed on only by a person.",
        )
    if event.state is EventState.DUPLICATE:
        return "copy", Tone.NEUTRAL, "The same id came before: counted as a duplicate."
    if event.state is EventState.PROBABLE_DUPLICATE:
        return "copy-check", Tone.NEUTRAL, "The same content came before: a probable duplicate."
    if event.state is EventState.UNPARSABLE:
        return (
            "file-x",
            Tone.ATTENTION,
            "The body could not be read, so nothing is looked for in it.",
        )
    if event.state is EventState.FILTERED:
        return "funnel", Tone.NEUTRAL, "Outside what its source is limited to: kept, not acted on."
    if event.dedupe_kind is DedupeKind.HARD:
        return "fingerprint", Tone.NEUTRAL, "The sender's id is new here: the first delivery."
    return "fingerprint", Tone.NEUTRAL, "Its content is new here: the first delivery."


def _handed_on(event: Event) -> list[Line]:
    if event.dispatched_at is None:
        return []
    if event.dispatch_error is not None:
        return [
            _line(
                "circle-x",
                f"Dispatch failed: {event.dispatch_error}",
                event.dispatched_at,
                tone=Tone.FAILED,
            )
        ]
    if event.conflict or event.state not in HANDED_ON:
        return []  # the moment it was set aside
    return [_line("send", "Dispatched: handed on.", event.dispatched_at, tone=Tone.OK)]


def _next(event: Event, source: Source | None) -> list[Line]:
    """What will happen next, or what has to happen first."""
    if event.state is EventState.QUARANTINED:
        return [_line("clock", "Waits for a person to release it.", None, tone=Tone.WAITING)]
    if event.dispatched_at is not None:
        return []
    if source is not None and source.paused:
        text = "Dispatch waits until its source is resumed."
        return [_line("circle-pause", text, None, tone=Tone.WAITING)]
    return [_line("clock", "Dispatch takes it within a second or two.", None, tone=Tone.WAITING)]


def _line(
    icon: str, text: str, at: datetime | None, *, proof: str = "", tone: Tone = Tone.NEUTRAL
) -> Line:
    return Line(icon=icon, tone=tone, text=text, at=at, proof=proof)
