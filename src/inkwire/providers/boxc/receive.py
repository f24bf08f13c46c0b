"""BoxC's webhooks: proven, read and answered (seed 004; BoxC's API 1.123).

The signature is base64(HMAC-SHA256(key, body)). The headers that name topic and account are not
signed, so the topic must agree with the object that the signed body holds (R138).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, ParsedEvent, Term, TermKind
from inkwire.model.request import InboundRequest, Reply, SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Reason, Refused, Verdict
from inkwire.providers import hints
from inkwire.providers.boxc.events import (
    EVENT_TYPES,
    PROVIDER,
    TELLING,
    TELLING_ELSEWHERE,
    TOPICS,
    TYPES,
    about,
    occurred_at,
    root_of,
    terms_of,
)
from inkwire.providers.contract import RetryPlan, SecretField, SettingField, Settings
from inkwire.providers.payload import decode_json, event_type, members_of, text_at, with_member
from inkwire.providers.signing import (
    by_role,
    first_of,
    from_base64,
    hmac_sha256,
    matching,
    one_header,
    to_base64,
)

_SIGNATURE = b"x-boxc-hmac-sha256"
_TOPIC = b"x-boxc-topic"
_ACCOUNT = b"x-boxc-account"
_ROLE = "key"
#: The account of seed 004's example.
_SAMPLE_ACCOUNT = "9512"
#: Members of a body's object that a source can be limited to (R131).
_DOCUMENT_IDS = ("id", "order_id", "shipment_id")

_HINTS = {
    Reason.MISSING_HEADER: (
        "BoxC sends X-BoxC-Hmac-SHA256 and X-BoxC-Topic with every event. A proxy in front of this "
        "hub drops them, or the request is not from BoxC."
    ),
    Reason.BAD_SIGNATURE: (
        "Signed with another key than this source holds? BoxC never shows a webhook's key again: "
        "set the key of this source anew with PUT /webhooks/{id}. Events that BoxC had queued "
        "before are signed with the old one, so keep it here, too, for two days."
    ),
    Reason.MISMATCH: (
        "X-BoxC-Topic is not signed and names another kind of object than the signed body holds: "
        "a replay under another topic, or two webhooks mixed up on the way here."
    ),
    Reason.NO_SECRET: (
        "Enter the key that the webhook was made with (POST /webhooks, field `key`); if nobody "
        "knows it, set a new one with PUT /webhooks/{id}."
    ),
}


class BoxcReceiver:
    """How BoxC's webhooks are proven, read and answered."""

    #: BoxC signs no time, so there is no tolerance to set.
    settings: tuple[SettingField, ...] = ()
    secrets: tuple[SecretField, ...] = (
        SecretField(
            role=_ROLE,
            label="Key",
            help="The `key` that you give BoxC with POST or PUT /webhooks; BoxC never shows it.",
            min_length=16,
            max_length=40,
            generate=True,
        ),
    )
    event_types: Mapping[str, str] = EVENT_TYPES
    retries = RetryPlan(
        delays_s=tuple(60.0 * 2**n for n in range(11)),
        timeout_s=5.0,
        source="Seed 004: 11 repeats over about 34 hours, 5 s to answer, the steps fitted (60 s "
        "doubled each time). BoxC's API 1.123 says 4 s and 3 repeats within an hour.",
    )

    def verify(
        self,
        request: InboundRequest,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
    ) -> Verdict:
        """Accepts a right signature of the raw body whose object fits the topic."""
        keys = by_role(secrets, _ROLE)
        if not keys:
            return Refused(reason=Reason.NO_SECRET, detail="The source holds no key that is valid.")
        given, topic = one_header(request, _SIGNATURE), one_header(request, _TOPIC)
        if isinstance(given, Refused):
            return given
        if isinstance(topic, Refused):
            return topic
        digest = from_base64(given)
        if digest is None:
            return Refused(
                reason=Reason.MALFORMED, detail="X-BoxC-Hmac-SHA256 is not strict base64."
            )
        secret = matching(keys, (digest,), request.body)
        if secret is None:
            return Refused(
                reason=Reason.BAD_SIGNATURE,
                detail="X-BoxC-Hmac-SHA256 is not by a key of this source.",
            )
        return _mismatch(topic.decode("ascii"), request.body) or Accepted(secret_id=secret.id)

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
        """What BoxC would send on the topic `event_type`. Raises InvalidInput without a key.

        The sender may say `account` in the settings; empty: no account is named.
        """
        digest = hmac_sha256(first_of(secrets, _ROLE).value, body)
        account = str(settings.get("account", _SAMPLE_ACCOUNT))
        return SignedRequest(
            headers=(
                ("Content-Type", "application/json"),
                ("User-Agent", "BoxC/1.0 Webhook"),
                ("X-BoxC-Hmac-SHA256", to_base64(digest)),
                ("X-BoxC-Topic", event_type.removeprefix(f"{PROVIDER}.")),
                *((("X-BoxC-Account", account),) if account else ()),
            ),
            body=body,
        )

    def parse(
        self, request: InboundRequest, body: bytes, settings: Settings
    ) -> tuple[ParsedEvent, ...]:
        """The one event of a delivery. It has no id: topic and body together tell a repeat."""
        payload = decode_json(body)
        if not isinstance(payload, dict):
            raise Unparsable("The body is no JSON object, as every event of BoxC is.")
        topic, account = _header(request, _TOPIC), _header(request, _ACCOUNT)
        _, thing = root_of(topic, payload)
        return (
            ParsedEvent(
                type=TYPES.get(topic) or event_type(PROVIDER, topic),
                dedupe_key=topic.encode() + b"\n" + body,
                dedupe_kind=DedupeKind.DERIVED,
                entity_key=about(topic, payload),
                occurred_at=occurred_at(topic, payload),
                test=isinstance(thing, dict) and thing.get("test") is True,
                document_ids=tuple(
                    found for key in _DOCUMENT_IDS if (found := text_at(thing, key))
                ),
                header_terms=(Term(kind=TermKind.ID, value=account),) if account else (),
                payload=payload,
            ),
        )

    def terms(self, event: ParsedEvent) -> tuple[Term, ...]:
        """Ids, order and tracking numbers, the account, and the person a parcel goes to."""
        return terms_of(event.type.removeprefix(f"{PROVIDER}."), event)

    def reply(self, events: Sequence[ParsedEvent]) -> Reply:
        """BoxC takes any 2xx within 4 s and reads nothing of it (R144)."""
        return Reply(body=b'{"status":"received"}')

    def handshake(self, request: InboundRequest, settings: Settings) -> Reply | None:
        """BoxC sends none."""
        return None

    def hint(self, refused: Refused) -> str:
        """What to look at on BoxC's side, or on the way from there."""
        return hints.hint(refused, _HINTS)

    def fresh(self, body: bytes, token: str) -> bytes:
        """The body with another tracking number, order number or waybill."""
        for root in members_of(body) or ():
            body = with_member(body, (root, *TELLING.get(root, TELLING_ELSEWHERE)), token)
        return body


def _mismatch(topic: str, body: bytes) -> Refused | None:
    """Refused if the signed body is about something else than its topic."""
    members = members_of(body)
    if topic not in TOPICS or members is None or TOPICS[topic].root in members:
        return None  # an unknown topic passes, and what cannot be read is kept as it came
    return Refused(
        reason=Reason.MISMATCH,
        detail=f"X-BoxC-Topic is {topic}, but the signed body holds no {TOPICS[topic].root}.",
    )


def _header(request: InboundRequest, name: bytes) -> str:
    value = one_header(request, name)
    return "" if isinstance(value, Refused) else value.decode("ascii")
