"""Judges one complete request. Pure: no I/O, no clock, no store."""

from dataclasses import dataclass
from datetime import datetime

from inkwire.errors import Unparsable
from inkwire.ids import Ids
from inkwire.ingest.live_sources import LiveSource
from inkwire.model.event import DedupeKind, EventState, ParsedEvent
from inkwire.model.receipt import Intake, IntakeEvent
from inkwire.model.request import InboundRequest, Reply
from inkwire.model.verdict import Accepted, Reason, Refused
from inkwire.providers.contract import Receiver

#: Events read from one body; more make it unparsable. Box and BoxC send one, BoloSign a few.
MAX_EVENTS = 10_000

_NO_SECRET = Refused(
    reason=Reason.NO_SECRET, detail="The source holds no secret that is valid at this moment."
)
_NO_SECRET_HINT = "Give the source its signing secret; until then nothing can be proven."


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """The request is not accepted; what the rejected log says about it."""

    reason: Reason
    detail: str
    hint: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """The sender is proven: store `intake`, then answer."""

    intake: Intake
    #: What the provider expects; None for a quarantined request, which is answered 401.
    reply: Reply | None
    #: An error that the provider's code should not have raised; the request is kept all the same.
    fault: Exception | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """What was read out of a proven body."""

    parsed: tuple[ParsedEvent, ...]
    readable: bool
    fault: Exception | None = None


def judge(
    live: LiveSource,
    receiver: Receiver,
    request: InboundRequest,
    *,
    remote: str,
    now: datetime,
    ids: Ids,
) -> Received | Refusal:
    """Proves the sender and reads the events (R83, R97, R117, R167).

    A request that is signed right but stale comes back as a quarantined intake. A proven body
    that cannot be read becomes one `{provider}.unparsable` event, whatever went wrong. What
    `verify` should not raise passes through: then nothing is known about the sender.
    """
    secrets = live.secrets_at(now)
    if not secrets:
        return Refusal(reason=Reason.NO_SECRET, detail=_NO_SECRET.detail, hint=_NO_SECRET_HINT)
    settings = live.source.settings
    verdict = receiver.verify(request, secrets, settings, now)
    if isinstance(verdict, Accepted):
        proof, quarantine = verdict, None
    elif verdict.proof is not None:
        proof, quarantine = verdict.proof, verdict.reason
    else:
        return Refusal(reason=verdict.reason, detail=verdict.detail, hint=_hint(receiver, verdict))
    reading = _read(live, receiver, request, proof)
    intake = Intake(
        receipt_id=ids.new("rcp"),
        source_id=live.source.id,
        provider=live.source.provider,
        received_at=now,
        remote=remote,
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        body=request.body,
        proof=proof,
        quarantine=quarantine,
        events=tuple(
            [
                IntakeEvent(id=ids.new("evt"), parsed=parsed, state=_state(live, parsed, reading))
                for parsed in reading.parsed
            ]
        ),
    )
    if quarantine is not None:
        return Received(intake=intake, reply=None, fault=reading.fault)
    reply, fault = _reply(receiver, reading)
    return Received(intake=intake, reply=reply, fault=fault)


def _read(
    live: LiveSource, receiver: Receiver, request: InboundRequest, proof: Accepted
) -> _Reading:
    body = request.body if proof.canonical is None else proof.canonical
    fault: Exception | None = None
    try:
        parsed = receiver.parse(request, body, live.source.settings)
        if 0 < len(parsed) <= MAX_EVENTS:
            return _Reading(parsed=parsed, readable=True)
    except Unparsable:
        pass
    except Exception as error:  # noqa: BLE001 – a proven event outlives a fault of our own
        fault = error
    unparsable = ParsedEvent(
        type=f"{live.source.provider}.unparsable",
        dedupe_key=body,
        dedupe_kind=DedupeKind.DERIVED,
    )
    return _Reading(parsed=(unparsable,), readable=False, fault=fault)


def _state(live: LiveSource, parsed: ParsedEvent, reading: _Reading) -> EventState:
    """The event's state before its key is looked at; FILTERED by the source's limits (R131)."""
    if not reading.readable:
        return EventState.UNPARSABLE
    if live.event_types and parsed.type not in live.event_types:
        return EventState.FILTERED
    if live.document_ids and live.document_ids.isdisjoint(parsed.document_ids):
        return EventState.FILTERED
    return EventState.NEW


def _reply(receiver: Receiver, reading: _Reading) -> tuple[Reply, Exception | None]:
    try:
        reply = receiver.reply(reading.parsed)
        reply.content_type.encode("ascii")
        if not 200 <= reply.status < 300:
            raise ValueError(f"reply gave {reply.status} for an accepted request")  # noqa: TRY301
        return reply, reading.fault
    except Exception as error:  # noqa: BLE001 – any 2xx tells the sender that it is kept
        return Reply(), error


def _hint(receiver: Receiver, refused: Refused) -> str:
    try:
        return receiver.hint(refused)
    except Exception:  # noqa: BLE001 – a refusal stands without its advice
        return ""
