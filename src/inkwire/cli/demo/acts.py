"""What the demo sends, act by act. Each act says what must come of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from inkwire.cli.demo.oracle import Oracle, Outcome
from inkwire.cli.demo.stage import MAX_BODY, Actor, token
from inkwire.cli.signed import tampered
from inkwire.model.event import EventState
from inkwire.model.request import SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Reason
from inkwire.providers.registry import Case

#: How far out of time the stale and the future ones are; beyond every provider's tolerance.
FAR = timedelta(hours=26)


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """One kind of request."""

    #: What is sent, for a newcomer.
    title: str
    status: int
    #: States that its events may have, if anything is stored; empty: any.
    states: frozenset[EventState] = frozenset()
    reason: Reason | None = None

    def fits(self, outcome: Outcome) -> bool:
        """Whether `outcome` is what this act is about."""
        return (
            outcome.status == self.status
            and (self.reason is None or outcome.reason is self.reason)
            and (not self.states or self.states.issuperset(outcome.states))
        )


SAMPLES = Act(title="every sample, signed for real", status=200)
DUPLICATES = Act(
    title="delivered a second time",
    status=200,
    states=frozenset({EventState.DUPLICATE, EventState.PROBABLE_DUPLICATE}),
)
NEW_KEY = Act(title="signed with the rotated key", status=200)
OLD_KEY = Act(title="signed with the old key, in the overlap", status=200)
ENDED_KEY = Act(title="signed with the old key, later", status=401, reason=Reason.BAD_SIGNATURE)
TAMPERED = Act(title="changed after signing", status=401, reason=Reason.BAD_SIGNATURE)
FOREIGN = Act(title="signed with somebody else's key", status=401, reason=Reason.BAD_SIGNATURE)
UNSIGNED = Act(title="not signed at all", status=401, reason=Reason.MISSING_HEADER)
STALE = Act(
    title="signed a day ago",
    status=401,
    states=frozenset({EventState.QUARANTINED}),
    reason=Reason.STALE,
)
FUTURE = Act(title="signed tomorrow", status=401, reason=Reason.FUTURE)
OVERSIZED = Act(title="larger than the source takes", status=413, reason=Reason.TOO_LARGE)
UNKNOWN = Act(title="to a source that is not there", status=404, reason=Reason.UNKNOWN_SOURCE)
UNREADABLE = Act(
    title="signed right, but no JSON", status=200, states=frozenset({EventState.UNPARSABLE})
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shot:
    """One request of an act. It is made when it is sent, so that its time is right."""

    act: Act
    actor: Actor
    make: Callable[[datetime], SignedRequest]
    #: Where it is sent; the actor's own source unless it is about another.
    source_id: str


def samples(actor: Actor) -> Iterator[Shot]:
    """Every case of the provider, as the seeds and the vendor have it."""
    for case in actor.cases:
        yield _sample(SAMPLES, actor, case)


def duplicates(actor: Actor) -> Iterator[Shot]:
    """The first case once more: vendors repeat a delivery whose answer they missed."""
    yield _sample(DUPLICATES, actor, actor.cases[0])


def signed_with(act: Act, actor: Actor, secret: Secret) -> Iterator[Shot]:
    """A new event, signed with one particular secret."""
    yield _shot(act, actor, _fresh(actor), actor.cases[0].event_type, secret)


def forgeries(actor: Actor, oracle: Oracle, now: datetime) -> Iterator[Shot]:
    """What must not get in, and what gets in although it cannot be read.

    Not every scheme knows every case (some carry no time): the oracle decides.
    """
    kind = actor.cases[0].event_type
    foreign = replace(actor.secrets[0], value=actor.another_secret().encode())
    candidates = [
        _changed(TAMPERED, actor, tampered),
        _shot(FOREIGN, actor, _fresh(actor), kind, foreign),
        _changed(UNSIGNED, actor, _unsigned),
        _shifted(STALE, actor, -FAR),
        _shifted(FUTURE, actor, FAR),
        _shot(UNREADABLE, actor, b"this is no JSON: " + token().encode(), kind),
    ]
    for shot in candidates:
        if shot.act.fits(oracle.preview(actor, shot.make(now), now)):
            yield shot
    yield _shot(OVERSIZED, actor, _fresh(actor).ljust(MAX_BODY + 1), kind)


def strayed(actor: Actor) -> Iterator[Shot]:
    """A right request to a source that does not exist."""
    shot = _shot(UNKNOWN, actor, _fresh(actor), actor.cases[0].event_type)
    yield replace(shot, source_id="no-such-source")


def _fresh(actor: Actor) -> bytes:
    return actor.sender().receiver.fresh(actor.cases[0].body, token())


def _sample(act: Act, actor: Actor, case: Case) -> Shot:
    return _shot(act, actor, case.body, case.event_type, delivery=actor.deliveries[case.name])


def _shot(  # whose, what, and how it is signed
    act: Act,
    actor: Actor,
    body: bytes,
    kind: str,
    *secrets: Secret,
    delivery: str | None = None,
) -> Shot:
    delivery = delivery or token()

    def make(now: datetime) -> SignedRequest:
        sender = actor.sender(*secrets)
        return sender.sign(body, at=now, event_type=kind, delivery_id=delivery)

    return Shot(act=act, actor=actor, make=make, source_id=actor.source_id)


def _shifted(act: Act, actor: Actor, by: timedelta) -> Shot:
    shot = _shot(act, actor, _fresh(actor), actor.cases[0].event_type)
    return replace(shot, make=lambda now: shot.make(now + by))


def _changed(act: Act, actor: Actor, change: Callable[[SignedRequest], SignedRequest]) -> Shot:
    shot = _shot(act, actor, _fresh(actor), actor.cases[0].event_type)
    return replace(shot, make=lambda now: change(shot.make(now)))


def _unsigned(request: SignedRequest) -> SignedRequest:
    kept = tuple((n, v) for n, v in request.headers if n.lower() in ("content-type", "user-agent"))
    return SignedRequest(headers=kept, body=request.body)
