"""BoloSign's webhooks: proven, read and answered (seed 003).

The signature is hex(HMAC-SHA256(secret, timestamp + "." + JSON)). The vendor's sample computes it
over `JSON.stringify` of the parsed body (C18), so the raw bytes are tried first and Node's
re-serialisation of them second. A body that only fits the second way is read from that text, so
that a repeated name cannot mean one thing to the signature and another to us.

Anybody can make us try the second way, on the thread that answers everybody: it is tried only up
to `FALLBACK_BYTES` and `FALLBACK_TOKENS`. What fits as it came has no such bound.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, ParsedEvent, Term
from inkwire.model.request import InboundRequest, Reply, SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, MatchedOn, Reason, Refused, Verdict
from inkwire.moments import to_micros
from inkwire.providers import hints
from inkwire.providers.bolosign.events import (
    EVENT_TYPES,
    about,
    document_ids,
    occurred_at,
    terms_of,
    type_of,
)
from inkwire.providers.bolosign.stringify import stringify, stringify_elements, stringify_value
from inkwire.providers.contract import RetryPlan, SecretField, SettingField, SettingKind, Settings
from inkwire.providers.payload import decode_json, text_at
from inkwire.providers.signing import (
    by_role,
    first_of,
    from_hex,
    hmac_sha256,
    matching,
    one_header,
    parse_moment,
    timeliness,
)

_SIGNATURE = b"x-signature"
_TIMESTAMP = b"x-timestamp"
_ROLE = "secret"
#: Bytes of an HMAC-SHA256.
_DIGEST_LENGTH = 32
#: Most elements of a body that become events. BoloSign sends one for each selected document.
MAX_ELEMENTS = 1_000
#: Largest body, in bytes and JSON tokens, that is re-serialised for a sender who is not proven: at
#: most 3 ms, measured with the dearest numbers. A BoloSign document takes under 1 KiB, 80 tokens.
FALLBACK_BYTES, FALLBACK_TOKENS = 32 * 1024, 1_000
#: Members whose value tells one sample from another.
_TELLING = ("documentId", "formResponseId")
#: In canonical JSON: an escape, with the digits of a lone surrogate where it is one.
_ESCAPE = re.compile(rb"\\(?:u(d[89a-f][0-9a-f]{2})|.)", re.DOTALL)

_HINTS = {
    Reason.MISSING_HEADER: (
        "BoloSign sends x-signature and x-timestamp with every webhook. A proxy in front of this "
        "hub drops them, or the request is not from BoloSign."
    ),
    Reason.BAD_SIGNATURE: (
        "Signed with another secret? BoloSign gives each customer one: copy it again from the "
        "webhook page of its dashboard, without blanks. If it is right, a proxy changes the body "
        "or the x-timestamp header."
    ),
    Reason.MALFORMED: (
        "BoloSign sends x-signature as 64 hex digits and x-timestamp as one time. The request "
        "comes from somebody else, or a proxy doubles or rewrites headers. If BoloSign itself "
        "writes the time in a new way, look for a newer release."
    ),
    Reason.NO_SECRET: (
        "Enter the webhook secret that BoloSign's dashboard shows; until then nothing is accepted. "
        "BoloSign publishes no repeats, so send what was missed again from its dashboard."
    ),
}


class BolosignReceiver:
    """How BoloSign's webhooks are proven, read and answered."""

    settings: tuple[SettingField, ...] = (
        SettingField(
            key="tolerance_s",
            label="Tolerance",
            help="How far x-timestamp may be from this machine's time, past or future. BoloSign "
            "publishes no limit; an older delivery is held in the quarantine.",
            kind=SettingKind.SECONDS,
            default=300,
            minimum=10,
            maximum=86_400,
        ),
        SettingField(
            key="mark_as_test",
            label="All deliveries are tests",
            help="Marks everything that arrives as a test, for a source that only «Test Webhook» "
            "is pointed at. Inkwire cannot tell by itself: BoloSign sends tests as an array, but "
            "says that real data mirror it, and it signs both alike.",
            kind=SettingKind.SWITCH,
            default=False,
        ),
    )
    secrets: tuple[SecretField, ...] = (
        SecretField(
            role=_ROLE,
            label="Webhook secret",
            help="The customer-specific secret that BoloSign shows for webhooks.",
            min_length=8,
        ),
    )
    event_types: Mapping[str, str] = EVENT_TYPES
    retries = RetryPlan(
        delays_s=(),
        timeout_s=10.0,
        source="BoloSign publishes neither repeats nor a time limit: none is assumed, and "
        "10 s to answer.",
    )

    def verify(
        self,
        request: InboundRequest,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
    ) -> Verdict:
        """Accepts a signature of the raw body, or of Node's re-serialisation of it, in time.

        The second is tried for bodies of at most `FALLBACK_BYTES` and `FALLBACK_TOKENS`.
        """
        usable = by_role(secrets, _ROLE)
        if not usable:
            return Refused(
                reason=Reason.NO_SECRET, detail="The source holds no secret that is valid."
            )
        given = one_header(request, _SIGNATURE)
        if isinstance(given, Refused):
            return given
        stamp = one_header(request, _TIMESTAMP)
        if isinstance(stamp, Refused):
            return stamp
        digest = from_hex(given)
        if digest is None or len(digest) != _DIGEST_LENGTH:
            return Refused(reason=Reason.MALFORMED, detail="x-signature is not 64 hex digits.")
        signed_at = parse_moment(stamp.decode("ascii"))
        if signed_at is None:
            return Refused(
                reason=Reason.MALFORMED,
                detail="x-timestamp is neither a Unix time nor an ISO 8601 time with its zone.",
            )
        proof = _proof(request.body, usable, digest, stamp, signed_at)
        if isinstance(proof, Refused):
            return proof
        tolerance_s = int(settings["tolerance_s"])
        late = timeliness(signed_at, now, past_s=tolerance_s, future_s=tolerance_s)
        if late is None:
            return proof
        reason, detail = late
        held = proof if reason is Reason.STALE else None
        return Refused(reason=reason, detail=detail, proof=held)

    def sign(
        self,
        body: bytes,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
        *,
        event_type: str,
        delivery_id: str,
    ) -> SignedRequest:
        """What BoloSign would send, the time in milliseconds as Node tells it.

        Raises InvalidInput without a secret.
        """
        stamp = str(to_micros(now) // 1_000)
        digest = hmac_sha256(first_of(secrets, _ROLE).value, stamp.encode("ascii"), b".", body)
        return SignedRequest(
            headers=(
                ("Content-Type", "application/json"),
                ("x-timestamp", stamp),
                ("x-signature", digest.hex()),
            ),
            body=body,
        )

    def parse(
        self, request: InboundRequest, body: bytes, settings: Settings
    ) -> tuple[ParsedEvent, ...]:
        """One event, or one for each element of an array (R108, R109).

        BoloSign sends no id: the canonical text of the element tells a repeat (R130).
        """
        test = bool(settings["mark_as_test"])
        return tuple(
            ParsedEvent(
                type=type_of(payload),
                dedupe_key=text,
                dedupe_kind=DedupeKind.DERIVED,
                entity_key=about(payload),
                occurred_at=occurred_at(payload),
                test=test,
                document_ids=document_ids(payload),
                payload=payload,
            )
            for text, payload in _elements(body)
        )

    def terms(self, event: ParsedEvent) -> tuple[Term, ...]:
        """Ids, e-mail addresses and names of documents, forms and the people who sign."""
        return terms_of(event)

    def reply(self, events: Sequence[ParsedEvent]) -> Reply:
        """Exactly the body that BoloSign's documentation shows (R123)."""
        return Reply(body=b'{"status": "Webhook received successfully"}')

    def handshake(self, request: InboundRequest, settings: Settings) -> Reply | None:
        """BoloSign sends none."""
        return None

    def hint(self, refused: Refused) -> str:
        """What to look at in BoloSign's dashboard, or on the way from there."""
        return hints.hint(refused, _HINTS)

    def fresh(self, body: bytes, token: str) -> bytes:
        """The body with other document or form response ids; its layout stays as it is."""
        try:
            elements = _elements(body)
        except Unparsable:
            return body
        for _, payload in elements:
            for key in _TELLING:
                old = text_at(payload, key)
                if old:
                    new = msgspec.json.encode(f"{old}-{token}")
                    body = body.replace(msgspec.json.encode(old), new)
        return body


def _proof(
    body: bytes, secrets: Sequence[Secret], digest: bytes, stamp: bytes, signed_at: datetime
) -> Accepted | Refused:
    secret = matching(secrets, (digest,), stamp, b".", body)
    if secret:
        return Accepted(secret_id=secret.id, signed_at=signed_at)
    try:
        canonical = stringify(body, most_bytes=FALLBACK_BYTES, most_tokens=FALLBACK_TOKENS)
    except Unparsable as error:
        return Refused(
            reason=Reason.BAD_SIGNATURE,
            detail=f"x-signature does not fit the raw body. {error.message}",
        )
    secret = matching(secrets, (digest,), stamp, b".", canonical)
    if secret is None:
        return Refused(
            reason=Reason.BAD_SIGNATURE,
            detail="x-signature fits neither the raw body nor JSON.stringify of it, with any "
            "secret of this source.",
        )
    return Accepted(
        secret_id=secret.id,
        matched_on=MatchedOn.RESERIALIZED,
        signed_at=signed_at,
        canonical=canonical,
    )


def _elements(body: bytes) -> list[tuple[bytes, Any]]:
    """Canonical text and value of each element; at least one. Raises Unparsable."""
    try:
        root = decode_json(body)
    except Unparsable:
        # Node reads some texts that no strict decoder takes: lone surrogates, numbers like 1e400.
        texts = stringify_elements(body)
        elements = [(text, decode_json(_well_formed(text))) for text in texts]
    else:
        values = root if isinstance(root, list) else [root]
        elements = [(stringify_value(value), value) for value in values[: MAX_ELEMENTS + 1]]
    if not elements:
        raise Unparsable("The body is an array with nothing in it.")
    if len(elements) > MAX_ELEMENTS:
        raise Unparsable(f"The body is an array of over {MAX_ELEMENTS} elements.")
    return elements


def _well_formed(canonical: bytes) -> bytes:
    """Canonical JSON with U+FFFD for each lone surrogate, as `String.toWellFormed` does."""
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], canonical)
