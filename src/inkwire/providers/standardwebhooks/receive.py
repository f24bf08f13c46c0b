"""Standard Webhooks: proven, read and answered (the specification, version 1.0.0).

A signature is `v1,` and base64(HMAC-SHA256(secret, id.timestamp.body)); several stand side by side
while a secret is rotated. Asymmetric ones (`v1a`) and unknown versions are passed over.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from inkwire.errors import InvalidInput
from inkwire.model.event import DedupeKind, ParsedEvent, Term, TermKind
from inkwire.model.request import InboundRequest, Reply, SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Reason, Refused, Verdict
from inkwire.moments import EPOCH, to_micros
from inkwire.providers import hints
from inkwire.providers.contract import (
    RetryPlan,
    SecretField,
    SettingField,
    SettingKind,
    Settings,
)
from inkwire.providers.payload import (
    Terms,
    decode_json,
    dig,
    entity_key,
    event_type,
    term_kind,
    text_at,
)
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

PROVIDER = "standardwebhooks"
_ROLE = "secret"
_PREFIX = b"whsec_"
#: Svix sends the same three under its own names unless told otherwise.
_ID = (b"webhook-id", b"svix-id")
_TIMESTAMP = (b"webhook-timestamp", b"svix-timestamp")
_SIGNATURE = (b"webhook-signature", b"svix-signature")
#: Digits of a Unix time in seconds that a datetime can hold.
_MAX_STAMP = 11
#: Most members of `data` that are looked at.
_MAX_MEMBERS = 200

_HINTS = {
    Reason.MISSING_HEADER: (
        "A sender of Standard Webhooks sends webhook-id, webhook-timestamp and webhook-signature "
        "(Svix: svix-id and so on). If yours signs in another way, make a source of the generic "
        "kind; else a proxy drops the headers."
    ),
    Reason.BAD_SIGNATURE: (
        "Signed with the secret of another endpoint? Senders make one secret (whsec_…) for each "
        "endpoint: copy that of this URL. After a rotation enter the new one and keep the old one "
        "for a day. If it is right, a proxy rewrites the body."
    ),
    Reason.WRONG_VERSION: (
        "None of the signatures is of the version v1 (HMAC-SHA256). Asymmetric ones (v1a) are not "
        "supported: let the sender sign with a shared secret."
    ),
    Reason.NO_SECRET: (
        "Enter the secret that the sender shows for this endpoint: whsec_ and base64, whole."
    ),
}


class StandardWebhooksReceiver:
    """How the webhooks of any sender that keeps to the specification are proven and read."""

    settings: tuple[SettingField, ...] = (
        SettingField(
            key="tolerance_s",
            label="Tolerance",
            help="How far the time of signing may be from this machine's, past or future. "
            "The specification's libraries allow 300 seconds.",
            kind=SettingKind.SECONDS,
            default=300,
            minimum=10,
            maximum=3600,
        ),
    )
    secrets: tuple[SecretField, ...] = (
        SecretField(
            role=_ROLE,
            label="Signing secret",
            help="As the sender shows it for this endpoint: whsec_ and base64, or base64 alone.",
            min_length=8,
            max_length=200,
            pattern=r"(whsec_)?([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}(==)?|[A-Za-z0-9+/]{3}=?)?",
            pattern_help="must be base64, with or without whsec_ before it; copy it again in full "
            "(whpk_ and whsk_ are keys of the asymmetric kind, which is not supported)",
        ),
    )
    #: The specification names no types: each sender has its own.
    event_types: Mapping[str, str] = {}
    retries = RetryPlan(
        delays_s=(5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0),
        timeout_s=15.0,
        source="The specification's example schedule, 75 h 35 min in all; it advises 15 to 30 s "
        "to answer. Each sender has its own.",
    )

    def verify(
        self,
        request: InboundRequest,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
    ) -> Verdict:
        """Accepts if one of the v1 signatures is by one of the secrets, and in time."""
        keys = [key for key in map(_decoded, by_role(secrets, _ROLE)) if key]
        if not keys:
            return Refused(
                reason=Reason.NO_SECRET, detail="The source holds no valid secret in base64."
            )
        message_id = one_header(request, *_ID)
        if isinstance(message_id, Refused):
            return message_id
        stamp = one_header(request, *_TIMESTAMP)
        if isinstance(stamp, Refused):
            return stamp
        digests = _v1_digests(request)
        if isinstance(digests, Refused):
            return digests
        if not stamp.isdigit() or len(stamp) > _MAX_STAMP:
            return Refused(
                reason=Reason.MALFORMED, detail="webhook-timestamp is no time in Unix seconds."
            )
        secret = matching(keys, digests, b"%b.%b.%b" % (message_id, stamp, request.body))
        if secret is None:
            return Refused(
                reason=Reason.BAD_SIGNATURE,
                detail="No v1 signature in webhook-signature is by a secret of this source.",
            )
        signed_at = EPOCH + timedelta(seconds=int(stamp))
        proof = Accepted(secret_id=secret.id, signed_at=signed_at)
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
        """What a sender would send: `delivery_id` is the message's id, the same over repeats.

        Raises InvalidInput without a secret in base64.
        """
        key = _decoded(first_of(secrets, _ROLE))
        if key is None:
            raise InvalidInput("The signing secret is not base64; enter it again.")
        stamp = str(to_micros(now) // 1_000_000)
        digest = hmac_sha256(key.value, f"{delivery_id}.{stamp}.".encode(), body)
        return SignedRequest(
            headers=(
                ("Content-Type", "application/json"),
                ("webhook-id", delivery_id),
                ("webhook-timestamp", stamp),
                ("webhook-signature", f"v1,{to_base64(digest)}"),
            ),
            body=body,
        )

    def parse(
        self, request: InboundRequest, body: bytes, settings: Settings
    ) -> tuple[ParsedEvent, ...]:
        """The one event of a message; its id stands in the headers and is signed with the body."""
        payload = decode_json(body)
        name = text_at(payload, "type")
        given = one_header(request, *_ID)
        message_id = None if isinstance(given, Refused) else given.decode("ascii")
        kind = name.rpartition(".")[0] or name if name else None
        return (
            ParsedEvent(
                type=event_type(PROVIDER, name),
                dedupe_key=message_id.encode() if message_id else body,
                dedupe_kind=DedupeKind.HARD if message_id else DedupeKind.DERIVED,
                entity_key=entity_key(PROVIDER, kind, text_at(payload, "data", "id")),
                occurred_at=parse_rfc3339(text_at(payload, "timestamp") or ""),
                document_ids=tuple(
                    value for kind, value in _findable(payload) if kind is TermKind.ID
                ),
                header_terms=(Term(kind=TermKind.ID, value=message_id),) if message_id else (),
                payload=payload,
            ),
        )

    def terms(self, event: ParsedEvent) -> tuple[Term, ...]:
        """The message's id, and ids, e-mail addresses, names and numbers right below `data`."""
        terms = Terms().add(TermKind.ENTITY, event.entity_key)
        for term in event.header_terms:
            terms.add(term.kind, term.value)
        for kind, value in _findable(event.payload):
            terms.add(kind, value)
        return terms.all()

    def reply(self, events: Sequence[ParsedEvent]) -> Reply:
        """Any 2xx is success, and the body is not read."""
        return Reply(body=b'{"status":"received"}')

    def handshake(self, request: InboundRequest, settings: Settings) -> Reply | None:
        """The specification has none."""
        return None

    def hint(self, refused: Refused) -> str:
        """What to look at on the sender's side, or on the way from there."""
        return hints.hint(refused, _HINTS)

    def fresh(self, body: bytes, token: str) -> bytes:
        """The body as it is: dedupe looks at the message's id, which `sign` is given."""
        return body


def _decoded(secret: Secret) -> Secret | None:
    """The secret with the bytes that it signs with; None if it is no base64.

    Padding may be missing, as in the secrets of some senders.
    """
    text = secret.value.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Secret(id=secret.id, role=secret.role, value=key) if key else None


def _v1_digests(request: InboundRequest) -> list[bytes] | Refused:
    given = one_header(request, *_SIGNATURE)
    if isinstance(given, Refused):
        return given
    signatures = [one.partition(b",") for one in given.split()]
    v1 = [text for version, _, text in signatures if version == b"v1"]
    if not v1:
        return Refused(
            reason=Reason.WRONG_VERSION, detail="webhook-signature holds no signature of v1."
        )
    digests = [digest for digest in map(from_base64, v1) if digest]
    return digests or Refused(
        reason=Reason.MALFORMED, detail="No v1 signature in webhook-signature is strict base64."
    )


def _findable(payload: Any) -> list[tuple[TermKind, str]]:
    """What stands right below `data` (or the body itself) under a telling name: `order_id`."""
    data = dig(payload, "data")
    members = data if isinstance(data, dict) else payload
    if not isinstance(members, dict):
        return []
    found = []
    for name in islice(members, _MAX_MEMBERS):
        kind, value = term_kind(name), text_at(members, name)
        if kind and value:
            found.append((kind, value))
    return found
