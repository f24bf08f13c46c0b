"""Any sender that signs with HMAC-SHA256: proven and read as the source's settings say."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice

from inkwire.errors import Unparsable
from inkwire.model.event import ParsedEvent, Term, TermKind
from inkwire.model.request import InboundRequest, Reply, SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Reason, Refused, Verdict
from inkwire.moments import to_micros
from inkwire.providers import hints
from inkwire.providers.contract import RetryPlan, SecretField, SettingField, Settings
from inkwire.providers.generic.events import events_of, terms_of, told_in_headers, values_in
from inkwire.providers.generic.scheme import (
    digests_of,
    parts_of,
    signed_parts,
    signed_request,
    stamp_of,
)
from inkwire.providers.generic.settings import ROLE, SECRETS, SETTINGS
from inkwire.providers.payload import decode_json, term_kind
from inkwire.providers.signing import by_role, first_of, matching, parse_moment, timeliness

#: What tells one sample from another.
_TELLING = (TermKind.ID, TermKind.NUMBER)
#: Most ids of a sample that `fresh` changes.
_MAX_IDS = 100

_HINTS = {
    Reason.MISSING_HEADER: (
        "The settings of this source name another header or parameter than the sender uses, or a "
        "proxy drops it. Compare them with the sender's documentation, or start from a recipe."
    ),
    Reason.BAD_SIGNATURE: (
        "Check in this order: the secret, copied whole; what is signed (the body alone, or with "
        "the time, and what stands between them); and whether a proxy rewrites the body."
    ),
    Reason.MALFORMED: (
        "The signature or the time is not in the form that the settings of this source describe: "
        "look at its prefix, its separator and its encoding."
    ),
}


class GenericReceiver:
    """How the webhooks of a sender that nobody wrote a provider for are proven and read."""

    settings: tuple[SettingField, ...] = SETTINGS
    secrets: tuple[SecretField, ...] = SECRETS
    #: Each sender has its own.
    event_types: Mapping[str, str] = {}
    retries = RetryPlan(
        delays_s=(),
        timeout_s=10.0,
        source="Each sender has its own: GitHub waits 10 s and repeats nothing, Shopify waits 5 s "
        "and repeats for hours. None is assumed.",
    )

    def verify(
        self,
        request: InboundRequest,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
    ) -> Verdict:
        """Accepts a signature by one of the secrets; in time, if the time is signed."""
        keys = by_role(secrets, ROLE)
        if not keys:
            return Refused(
                reason=Reason.NO_SECRET, detail="The source holds no secret that is valid."
            )
        parts = parts_of(request, settings)
        if isinstance(parts, Refused):
            return parts
        digests = digests_of(parts, settings)
        if isinstance(digests, Refused):
            return digests
        stamp = stamp_of(request, parts, settings)
        if isinstance(stamp, Refused):
            return stamp
        secret = matching(keys, digests, *signed_parts(request.body, stamp, settings))
        if secret is None:
            return Refused(
                reason=Reason.BAD_SIGNATURE,
                detail=f"{settings['signature_name']} is not by a secret of this source.",
            )
        if stamp is None:
            return Accepted(secret_id=secret.id)
        return _in_time(secret.id, stamp, int(settings["tolerance_s"]), now)

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
        """What such a sender would send; headers that settings name for type and id among them.

        Raises InvalidInput without a secret, or if the settings cannot make a request.
        """
        headers = {
            "Content-Type": "application/json",
            **told_in_headers(body, settings, event_type, delivery_id),
        }
        stamp = str(to_micros(now) // 1_000_000)
        key = first_of(secrets, ROLE).value
        return signed_request(body, key, stamp, tuple(headers.items()), settings)

    def parse(
        self, request: InboundRequest, body: bytes, settings: Settings
    ) -> tuple[ParsedEvent, ...]:
        """The events of a JSON body, told apart by the places that the settings name."""
        return events_of(request, body, settings)

    def terms(self, event: ParsedEvent) -> tuple[Term, ...]:
        """Ids, e-mail addresses, names and numbers, wherever a member's name says what it is."""
        return terms_of(event)

    def reply(self, events: Sequence[ParsedEvent]) -> Reply:
        """Senders look at the status alone."""
        return Reply(body=b'{"status":"received"}')

    def handshake(self, request: InboundRequest, settings: Settings) -> Reply | None:
        """There is no common one."""
        return None

    def hint(self, refused: Refused) -> str:
        """Which of the settings, or what on the way here, does not fit."""
        return hints.hint(refused, _HINTS)

    def fresh(self, body: bytes, token: str) -> bytes:
        """The body with every id and number that is a text changed; its layout stays as it is."""
        try:
            payload = decode_json(body)
        except Unparsable:
            return body
        ids = (value for name, value in values_in(payload) if term_kind(name) in _TELLING)
        for old in islice(dict.fromkeys(ids), _MAX_IDS):
            body = body.replace(json.dumps(old).encode(), json.dumps(f"{old}-{token}").encode())
        return body


def _in_time(secret_id: str, stamp: bytes, tolerance_s: int, now: datetime) -> Verdict:
    signed_at = parse_moment(stamp.decode("ascii"))
    if signed_at is None:
        return Refused(
            reason=Reason.MALFORMED,
            detail="The signed time is neither a Unix time nor RFC 3339 with its zone.",
        )
    proof = Accepted(secret_id=secret_id, signed_at=signed_at)
    late = timeliness(signed_at, now, past_s=tolerance_s, future_s=tolerance_s)
    if late is None:
        return proof
    reason, detail = late
    held = proof if reason is Reason.STALE else None
    return Refused(reason=reason, detail=detail, proof=held)
