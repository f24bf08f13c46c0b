"""A small provider whose signature is one header, for tests of what stands around providers."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, ParsedEvent
from inkwire.model.request import InboundRequest, Reply, SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Reason, Refused
from inkwire.providers.contract import Provider, RetryPlan, SecretField
from inkwire.providers.payload import decode_json
from inkwire.providers.registry import Registry

TOLERANCE = timedelta(seconds=300)


@dataclass
class ToyReceiver:
    """`x-toy-time: SECONDS` and `x-toy-signature: hex HMAC-SHA256(key, time.body)`.

    The body is an object or a list of objects `{"id", "type", "document"}`.
    """

    settings = ()
    secrets = (SecretField(role="key", label="Key", help="The signing key."),)
    event_types: ClassVar[dict[str, str]] = {"toy.made": "Something was made."}
    retries = RetryPlan(delays_s=(1.0,), timeout_s=5.0, source="made up")
    #: Errors that a call raises although its contract forbids it.
    faults: dict[str, Exception] = field(default_factory=dict)

    def _fault(self, name: str) -> None:
        if name in self.faults:
            raise self.faults[name]

    def verify(
        self, request: InboundRequest, secrets: Sequence[Secret], settings: Any, now: datetime
    ) -> Accepted | Refused:
        self._fault("verify")
        given, stamp = request.values(b"x-toy-signature"), request.values(b"x-toy-time")
        if not given or not stamp:
            return Refused(reason=Reason.MISSING_HEADER, detail="x-toy-signature is missing.")
        if len(given) != 1 or len(stamp) != 1 or not stamp[0].isdigit() or len(stamp[0]) > 12:
            return Refused(reason=Reason.MALFORMED, detail="The headers are malformed.")
        for secret in secrets:
            if hmac.compare_digest(_signature(secret, stamp[0], request.body), given[0]):
                break
        else:
            return Refused(reason=Reason.BAD_SIGNATURE, detail="No key gives this signature.")
        signed_at = datetime.fromtimestamp(int(stamp[0]), tz=now.tzinfo)
        proof = Accepted(secret_id=secret.id, signed_at=signed_at)
        if now - signed_at > TOLERANCE:
            return Refused(reason=Reason.STALE, detail="Signed too long ago.", proof=proof)
        if signed_at - now > TOLERANCE:
            return Refused(reason=Reason.FUTURE, detail="Signed in the future.")
        return proof

    def sign(
        self,
        body: bytes,
        secrets: Sequence[Secret],
        settings: Any,
        now: datetime,
        *,
        event_type: str = "toy.made",
        delivery_id: str = "",
    ) -> SignedRequest:
        stamp = str(int(now.timestamp())).encode()
        signature = _signature(secrets[0], stamp, body).decode()
        return SignedRequest(
            headers=(("X-Toy-Time", stamp.decode()), ("X-Toy-Signature", signature)), body=body
        )

    def parse(self, request: InboundRequest, body: bytes, settings: Any) -> tuple[ParsedEvent, ...]:
        self._fault("parse")
        found = decode_json(body)
        elements = found if isinstance(found, list) else [found]
        if not elements or not all(isinstance(element, dict) for element in elements):
            raise Unparsable("The body is neither an object nor a list of objects.")
        return tuple(_event(element) for element in elements)

    def terms(self, event: ParsedEvent) -> tuple[()]:
        return ()

    def reply(self, events: Sequence[ParsedEvent]) -> Reply:
        self._fault("reply")
        return Reply(status=202, content_type="text/plain", body=b"toy says thanks")

    def handshake(self, request: InboundRequest, settings: Any) -> Reply | None:
        self._fault("handshake")
        if request.query.startswith(b"hello="):
            return Reply(content_type="text/plain", body=request.query[6:])
        return None

    def hint(self, refused: Refused) -> str:
        self._fault("hint")
        return f"Toy hint for {refused.reason}."

    def fresh(self, body: bytes, token: str) -> bytes:
        return body


def _event(element: dict[str, Any]) -> ParsedEvent:
    document = element.get("document")
    return ParsedEvent(
        type=f"toy.{element.get('type', 'made')}"[:200],
        dedupe_key=str(element.get("id")).encode("utf-8", "replace"),
        dedupe_kind=DedupeKind.HARD if "id" in element else DedupeKind.DERIVED,
        document_ids=(document,) if isinstance(document, str) else (),
    )


def _signature(secret: Secret, stamp: bytes, body: bytes) -> bytes:
    return hmac.new(secret.value, stamp + b"." + body, "sha256").hexdigest().encode()


def toy_registry(receiver: ToyReceiver) -> Registry:
    """A registry with the toy only."""
    return Registry(
        [Provider(name="toy", title="Toy", summary="For tests.", receive=receiver, package="fakes")]
    )
