"""Box Webhooks V2: proven, read and answered (seed 002; developer.box.com, guides/webhooks).

The signature is base64(HMAC-SHA256(key, body ‖ BOX-DELIVERY-TIMESTAMP)), the timestamp as it was
sent. An application has two keys, so that one can be changed while the other still proves
deliveries: the primary header goes with the primary key, the secondary with the secondary one.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from json.encoder import encode_basestring_ascii

from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, ParsedEvent, Term, TermKind
from inkwire.model.request import InboundRequest, Reply, SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, MatchedOn, Reason, Refused, Verdict
from inkwire.moments import as_utc
from inkwire.providers import hints
from inkwire.providers.box.events import (
    EVENT_TYPES,
    PROVIDER,
    TYPES,
    about,
    document_ids,
    terms_of,
)
from inkwire.providers.contract import (
    RetryPlan,
    SecretField,
    SettingField,
    SettingKind,
    Settings,
)
from inkwire.providers.payload import decode_json, event_type, text_at, with_member
from inkwire.providers.signing import (
    by_role,
    first_of,
    from_base64,
    hmac_sha256,
    matching,
    one_header,
    parse_rfc3339,
    timeliness,
    to_base64,
)

#: Role of a key, and the header that it signs. The X- form stands in seed 001 only (C1).
_SIGNATURES = {
    "primary": (b"box-signature-primary", b"x-box-signature-primary"),
    "secondary": (b"box-signature-secondary", b"x-box-signature-secondary"),
}
_TIMESTAMP = (b"box-delivery-timestamp", b"x-box-delivery-timestamp")
_DELIVERY_ID = (b"box-delivery-id", b"x-box-delivery-id")
#: Box documents one value for each of these (R92, R93).
_SCHEME = (
    ((b"box-signature-version", b"x-box-signature-version"), b"1"),
    ((b"box-signature-algorithm", b"x-box-signature-algorithm"), b"HmacSHA256"),
)
#: Largest body in bytes whose escaped form is tried: Box's are a few KiB, and this is work that
#: anybody can ask for.
_MAX_ESCAPED = 64 * 1024
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")

_HINTS = {
    Reason.MISSING_HEADER: (
        "Box signs only once the application has signature keys: Developer Console > your "
        "application > Webhooks > Manage signature keys > Generate Key. If it has them, a proxy in "
        "front of this hub drops the BOX-* headers, or the request is not from Box."
    ),
    Reason.BAD_SIGNATURE: (
        "Signed with the keys of another Box application? Keys belong to the application that "
        "made the webhook: compare both with its Developer Console > Webhooks > Manage signature "
        "keys, and that primary and secondary are not swapped. If they are right, a proxy "
        "rewrites the body."
    ),
    Reason.STALE: (
        "The signature is right, but Box sent it longer ago than this source accepts; it waits in "
        "the quarantine. Compare this machine's clock with the real time, then release it."
    ),
    Reason.WRONG_VERSION: (
        "Box documents version 1 and HmacSHA256 only, and nothing else is accepted. The request is "
        "not from Box, or Box has a new scheme: look for a newer release."
    ),
    Reason.NO_SECRET: (
        "Paste the primary signature key (Developer Console > your application > Webhooks > Manage "
        "signature keys) into this source; Box repeats the delivery for about two hours."
    ),
}


class BoxReceiver:
    """How Box's webhooks are proven, read and answered."""

    settings: tuple[SettingField, ...] = (
        SettingField(
            key="tolerance_past_s",
            label="Oldest delivery",
            help="A delivery that Box sent longer ago is held in the quarantine. "
            "Box itself advises 600 seconds.",
            kind=SettingKind.SECONDS,
            default=600,
            minimum=10,
            maximum=3600,
        ),
        SettingField(
            key="tolerance_future_s",
            label="Clock ahead",
            help="How far Box's clock may be ahead of this machine's.",
            kind=SettingKind.SECONDS,
            default=60,
            minimum=0,
            maximum=600,
        ),
    )
    secrets: tuple[SecretField, ...] = (
        SecretField(
            role="primary",
            label="Primary signature key",
            help="Developer Console > your application > Webhooks > Manage signature keys.",
            min_length=8,
        ),
        SecretField(
            role="secondary",
            label="Secondary signature key",
            help="From the same place. With both, either can be changed without losing a delivery.",
            required=False,
            min_length=8,
        ),
    )
    event_types: Mapping[str, str] = EVENT_TYPES
    retries = RetryPlan(
        delays_s=(600.0,) * 12,
        timeout_s=30.0,
        source="Box's guide: up to 12 repeats over 2 hours, 30 s to answer. The spacing is not "
        "published; even steps of 10 minutes fit.",
    )

    def verify(
        self,
        request: InboundRequest,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
    ) -> Verdict:
        """Accepts a right primary or a right secondary signature (R94, R95) that is in time."""
        if not any(secret.role in _SIGNATURES for secret in secrets):
            return Refused(
                reason=Reason.NO_SECRET, detail="The source holds no signature key that is valid."
            )
        wrong = _wrong_scheme(request)
        if wrong:
            return wrong
        stamp = one_header(request, *_TIMESTAMP)
        if isinstance(stamp, Refused):
            return stamp
        signed_at = parse_rfc3339(stamp.decode("ascii"))
        if signed_at is None:
            return Refused(
                reason=Reason.MALFORMED,
                detail="BOX-DELIVERY-TIMESTAMP is no RFC 3339 time with an offset.",
            )
        proof = _proof(request, secrets, stamp, signed_at)
        if isinstance(proof, Refused):
            return proof
        past_s, future_s = int(settings["tolerance_past_s"]), int(settings["tolerance_future_s"])
        late = timeliness(signed_at, now, past_s=past_s, future_s=future_s)
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
        """What Box would send, with the secondary signature if there is a secondary key.

        Raises InvalidInput without a primary key.
        """
        stamp = as_utc(now).isoformat(timespec="seconds")
        signed = body + stamp.encode("ascii")
        primary = to_base64(hmac_sha256(first_of(secrets, "primary").value, signed))
        headers = [
            ("Content-Type", "application/json"),
            ("User-Agent", "Box-WH-Client/0.1"),
            ("BOX-DELIVERY-ID", delivery_id),
            ("BOX-DELIVERY-TIMESTAMP", stamp),
            ("BOX-SIGNATURE-VERSION", "1"),
            ("BOX-SIGNATURE-ALGORITHM", "HmacSHA256"),
            ("BOX-SIGNATURE-PRIMARY", primary),
        ]
        for secret in by_role(secrets, "secondary")[:1]:
            digest = to_base64(hmac_sha256(secret.value, signed))
            headers.append(("BOX-SIGNATURE-SECONDARY", digest))
        return SignedRequest(headers=tuple(headers), body=body)

    def parse(
        self, request: InboundRequest, body: bytes, settings: Settings
    ) -> tuple[ParsedEvent, ...]:
        """The one event of a delivery. Its `id` stays the same over Box's repeats (R89)."""
        payload = decode_json(body)
        if not isinstance(payload, dict):
            raise Unparsable("The body is no JSON object, as every delivery of Box is.")
        trigger = text_at(payload, "trigger") or ""
        event_id = text_at(payload, "id")
        delivery_id = one_header(request, *_DELIVERY_ID)
        return (
            ParsedEvent(
                type=TYPES.get(trigger) or event_type(PROVIDER, trigger),
                dedupe_key=event_id.encode() if event_id else body,
                dedupe_kind=DedupeKind.HARD if event_id else DedupeKind.DERIVED,
                entity_key=about(trigger, payload),
                occurred_at=parse_rfc3339(text_at(payload, "created_at") or ""),
                document_ids=document_ids(payload),
                header_terms=()
                if isinstance(delivery_id, Refused)
                else (Term(kind=TermKind.ID, value=delivery_id.decode("ascii")),),
                payload=payload,
            ),
        )

    def terms(self, event: ParsedEvent) -> tuple[Term, ...]:
        """Ids, names and e-mail addresses of the item, the people and the sign request."""
        return terms_of(event)

    def reply(self, events: Sequence[ParsedEvent]) -> Reply:
        """Box takes any 2xx within 30 s and reads nothing of it (R102)."""
        return Reply(body=b'{"status":"received"}')

    def handshake(self, request: InboundRequest, settings: Settings) -> Reply | None:
        """Box sends none."""
        return None

    def hint(self, refused: Refused) -> str:
        """Where to look in Box's Developer Console, or on the way from there."""
        return hints.hint(refused, _HINTS)

    def fresh(self, body: bytes, token: str) -> bytes:
        """The body with another event id."""
        return with_member(body, ("id",), token)


def _wrong_scheme(request: InboundRequest) -> Refused | None:
    for names, wanted in _SCHEME:
        found = one_header(request, *names)
        if isinstance(found, Refused):
            return found
        if found != wanted:
            return Refused(
                reason=Reason.WRONG_VERSION,
                detail=f"{names[0].decode().upper()} is not {wanted.decode()}.",
            )
    return None


def _proof(
    request: InboundRequest, secrets: Sequence[Secret], stamp: bytes, signed_at: datetime
) -> Accepted | Refused:
    """Who signed, on which bytes; a Refused that says what is wrong with the signatures."""
    secret = _signer(request, secrets, request.body + stamp)
    if secret:
        return Accepted(secret_id=secret.id, signed_at=signed_at)
    escaped = _escaped(request.body)
    secret = _signer(request, secrets, escaped + stamp) if escaped else None
    if secret:
        return Accepted(
            secret_id=secret.id,
            matched_on=MatchedOn.ESCAPED,
            signed_at=signed_at,
            canonical=escaped,
        )
    return _unproven(request, secrets, request.body + stamp)


def _signer(request: InboundRequest, secrets: Sequence[Secret], signed: bytes) -> Secret | None:
    """The key whose own header holds its signature of `signed`."""
    for role, names in _SIGNATURES.items():
        given = one_header(request, *names)
        digest = None if isinstance(given, Refused) else from_base64(given)
        found = matching(by_role(secrets, role), (digest,), signed) if digest else None
        if found:
            return found
    return None


def _unproven(request: InboundRequest, secrets: Sequence[Secret], signed: bytes) -> Refused:
    """Which of the ways to have no right signature it is."""
    given = [one_header(request, *names) for names in _SIGNATURES.values()]
    values = [one for one in given if isinstance(one, bytes)]
    refused = [one for one in given if isinstance(one, Refused)]
    if not values:  # a header that is there but malformed tells more than one that is missing
        return max(refused, key=lambda one: one.reason is not Reason.MISSING_HEADER)
    digests = [digest for digest in map(from_base64, values) if digest]
    if not digests:
        return Refused(reason=Reason.MALFORMED, detail="No signature header is strict base64.")
    detail = "Neither the primary nor the secondary signature is by a key of this source."
    if matching(secrets, digests, signed):
        detail = "The keys are swapped: primary and secondary stand in each other's place."
    return Refused(reason=Reason.BAD_SIGNATURE, detail=detail)


def _escaped(body: bytes) -> bytes | None:
    r"""The body with each character beyond ASCII as \uXXXX, nothing else rewritten.

    None if there is none, if it is no UTF-8, or if it is larger than Box sends. Box signs the
    escaped form; a proxy that decodes it changes the bytes, not the meaning.
    """
    if body.isascii() or len(body) > _MAX_ESCAPED:
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return _NON_ASCII.sub(lambda run: encode_basestring_ascii(run[0])[1:-1], text).encode("ascii")
