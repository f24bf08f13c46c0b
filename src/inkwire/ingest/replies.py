"""The answers that the endpoint gives, ready-made; and what an operator is told about each.

A refused sender learns the class of the refusal and nothing else; the reason, a detail and a
hint are in the rejected log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Message

from inkwire.ingest.receive import Refusal
from inkwire.model.verdict import Reason

#: Seconds after which the sender should try again: busy, and disk full.
RETRY_SOON_S, RETRY_LATER_S = 5, 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole HTTP answer as two ASGI messages."""

    status: int
    start: Message
    body: Message
    #: The same answer with `Connection: close`.
    closing_start: Message


def answer(status: int, title: str, **headers: str) -> Answer:
    """A problem+json answer. `headers`: further ones, `_` in a name standing for `-`."""
    body = json.dumps({"status": status, "title": title}).encode()
    lines = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        *((name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()),
    ]
    return Answer(
        status=status,
        start={"type": "http.response.start", "status": status, "headers": lines},
        body={"type": "http.response.body", "body": body},
        closing_start={
            "type": "http.response.start",
            "status": status,
            "headers": [*lines, (b"connection", b"close")],
        },
    )


NOT_PROVEN = answer(401, "Not accepted.")
UNKNOWN = answer(404, "There is no such source.")
METHOD = answer(405, "Only POST is taken here.", allow="POST")
TOO_SLOW = answer(408, "The body was not complete in time.")
TOO_LARGE = answer(413, "The body is too large.")
ENCODED = answer(415, "Send the body without Content-Encoding.", accept_encoding="identity")
HEAD_TOO_LARGE = answer(431, "The headers are too large.")
BUSY = answer(503, "Busy. Send it again.", retry_after=str(RETRY_SOON_S))
NO_ROOM = answer(503, "No room. Send it again later.", retry_after=str(RETRY_LATER_S))
STOPPING = answer(503, "Restarting. Send it again.", retry_after=str(RETRY_SOON_S))
FAULT = answer(503, "Not processed. Send it again later.", retry_after=str(RETRY_LATER_S))

#: Refusals that the endpoint itself makes: what was found, and what an operator can do.
_OWN: Mapping[Reason, tuple[str, str]] = {
    Reason.UNKNOWN_SOURCE: (
        "No source has this id.",
        "Compare the address set at the provider with the source's page: a source may have been "
        "deleted or renamed, or a scanner is guessing.",
    ),
    Reason.METHOD: (
        "Webhooks come as POST.",
        "A browser or a monitor asked this address; check a provider's set-up only if it should "
        "have been the sender.",
    ),
    Reason.TOO_LARGE: (
        "The request is larger than this source takes.",
        "If the sender is right, raise the source's limit (INKWIRE_MAX_BODY_BYTES is the default).",
    ),
    Reason.TOO_SLOW: (
        "The body was not complete in time.",
        "The sender or the network between is slow; INKWIRE_BODY_TIMEOUT_S sets the time.",
    ),
    Reason.ENCODED: (
        "The body came with a Content-Encoding.",
        "Signatures cover plain bytes: switch compression off at the sender or at the proxy.",
    ),
    Reason.UNAVAILABLE: (
        "Inkwire could not take it at that moment; the sender was asked to repeat it.",
        "`inkwire doctor` shows the disk, the store and the backlog.",
    ),
}


#: A stale request that the quarantine did not take; the store does not say which of the two it is.
NOT_KEPT = Refusal(
    reason=Reason.STALE,
    detail="Signed right but too old, and not kept: the quarantine of this source holds the same "
    "request already, or is full.",
    hint="If it is full, nothing more of this source is held: look at what waits in its "
    "quarantine, release what is right, or raise INKWIRE_QUARANTINE_ROWS.",
)


def own_refusal(reason: Reason, detail: str | None = None, hint: str | None = None) -> Refusal:
    """A refusal by the endpoint itself; `detail` and `hint` in place of the usual ones."""
    usual_detail, usual_hint = _OWN[reason]
    return Refusal(reason=reason, detail=detail or usual_detail, hint=hint or usual_hint)
