"""Acme's webhooks: hex(HMAC-SHA256(secret, body)) in one header, one event a call, with an id."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, ParsedEvent, Term, TermKind
from inkwire.model.request import InboundRequest, Reply, SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Reason, Refused, Verdict
from inkwire.providers import hints
from inkwire.providers.contract import RetryPlan, SecretField, SettingField, Settings
from inkwire.providers.payload import (
    Terms,
    decode_json,
    entity_key,
    event_type,
    text_at,
    with_member,
)
from inkwire.providers.signing import (
    by_role,
    first_of,
    from_hex,
    hmac_sha256,
    matching,
    one_header,
    parse_rfc3339,
)


class AcmeReceiver:
    """How Acme's webhooks are proven, read and answered."""

    settings: tuple[SettingField, ...] = ()
    secrets: tuple[SecretField, ...] = (
        SecretField(role="secret", label="Secret", help="Acme shows it once.", min_length=8),
    )
    event_types: Mapping[str, str] = {
        "acme.anvil.ordered": "Somebody ordered an anvil.",
        "acme.anvil.fell": "An anvil fell.",
    }
    retries = RetryPlan(delays_s=(60.0,), timeout_s=5.0, source="Made up, as Acme is.")

    def verify(
        self,
        request: InboundRequest,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
    ) -> Verdict:
        """Accepts a signature of the raw body by any of the secrets."""
        usable = by_role(secrets, "secret")
        if not usable:
            return Refused(reason=Reason.NO_SECRET, detail="The source holds no secret.")
        given = one_header(request, b"x-acme-signature")
        if isinstance(given, Refused):
            return given
        digest = from_hex(given)
        if digest is None:
            return Refused(reason=Reason.MALFORMED, detail="X-Acme-Signature is not hex.")
        secret = matching(usable, (digest,), request.body)
        if secret is None:
            return Refused(reason=Reason.BAD_SIGNATURE, detail="Signed with another secret.")
        return Accepted(secret_id=secret.id)

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
        """What Acme would send."""
        digest = hmac_sha256(first_of(secrets, "secret").value, body)
        headers = (("Content-Type", "application/json"), ("X-Acme-Signature", digest.hex()))
        return SignedRequest(headers=headers, body=body)

    def parse(
        self, request: InboundRequest, body: bytes, settings: Settings
    ) -> tuple[ParsedEvent, ...]:
        """The one event of a call."""
        payload = decode_json(body)
        if not isinstance(payload, dict):
            raise Unparsable("The body is no JSON object.")
        event_id = text_at(payload, "id")
        return (
            ParsedEvent(
                type=event_type("acme", text_at(payload, "what")),
                dedupe_key=event_id.encode() if event_id else body,
                dedupe_kind=DedupeKind.HARD if event_id else DedupeKind.DERIVED,
                entity_key=entity_key("acme", "anvil", text_at(payload, "anvil")),
                occurred_at=parse_rfc3339(text_at(payload, "when") or ""),
                payload=payload,
            ),
        )

    def terms(self, event: ParsedEvent) -> tuple[Term, ...]:
        """The anvil, and the event's id."""
        found = Terms().add(TermKind.ENTITY, event.entity_key)
        return found.add(TermKind.ID, text_at(event.payload, "id")).all()

    def reply(self, events: Sequence[ParsedEvent]) -> Reply:
        """Acme wants to read its own name."""
        return Reply(content_type="text/plain", body=b"Acme")

    def handshake(self, request: InboundRequest, settings: Settings) -> Reply | None:
        """Acme sends none."""
        return None

    def hint(self, refused: Refused) -> str:
        """The common advice."""
        return hints.hint(refused, {})

    def fresh(self, body: bytes, token: str) -> bytes:
        """The body with another id."""
        return with_member(body, ("id",), token)
