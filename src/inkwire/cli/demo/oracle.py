"""What an honest hub must make of a request: worked out here, apart from ingest and the store.

It keeps its own set of the keys that were sent. The store is later compared with its tally.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from inkwire.cli.demo.stage import Actor
from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, EventState, ParsedEvent
from inkwire.model.request import SignedRequest
from inkwire.model.verdict import Accepted, Reason, Refused
from inkwire.providers.contract import Receiver

_REPEATED = {
    DedupeKind.HARD: EventState.DUPLICATE,
    DedupeKind.DERIVED: EventState.PROBABLE_DUPLICATE,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What must come of one request."""

    status: int
    #: State of each event that must be stored; empty if nothing is.
    states: tuple[EventState, ...] = ()
    #: Why it is refused or held.
    reason: Reason | None = None

    @property
    def refused(self) -> bool:
        """Whether nothing of it is kept but a line in the rejected log."""
        return self.reason is not None and not self.states


@dataclass(kw_only=True, slots=True)
class Tally:
    """What the store must hold of one source."""

    states: Counter[EventState] = field(default_factory=Counter)
    refusals: Counter[Reason] = field(default_factory=Counter)


class Oracle:
    """Remembers what was sent, and so knows what is a duplicate."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self._seen: set[tuple[str, bool, bytes]] = set()
        self.tallies: dict[str, Tally] = {}

    def preview(self, actor: Actor, request: SignedRequest, now: datetime) -> Outcome:
        """What must come of it, if it were sent now."""
        return self._judge(actor, request, now)[0]

    def sent(self, actor: Actor, request: SignedRequest, now: datetime) -> Outcome:
        """What must come of it; it counts as sent."""
        outcome, keys = self._judge(actor, request, now)
        self._seen |= keys
        self.note(actor.source_id, outcome)
        return outcome

    def note(self, source_id: str, outcome: Outcome) -> None:
        """Counts an outcome."""
        tally = self.tallies.setdefault(source_id, Tally())
        tally.states.update(outcome.states)
        if outcome.refused and outcome.reason is not None:
            tally.refusals[outcome.reason] += 1

    def _judge(
        self, actor: Actor, request: SignedRequest, now: datetime
    ) -> tuple[Outcome, set[tuple[str, bool, bytes]]]:
        receiver = actor.sender().receiver
        inbound = request.as_inbound(f"/in/{actor.source_id}")
        verdict = receiver.verify(inbound, actor.valid_at(now), actor.settings, now)
        if isinstance(verdict, Refused) and verdict.proof is None:
            return Outcome(status=401, reason=verdict.reason), set()
        proof = verdict if isinstance(verdict, Accepted) else verdict.proof
        events = _events(receiver, actor, request, proof)
        if isinstance(verdict, Refused):
            states = (EventState.QUARANTINED,) * max(1, len(events))
            return Outcome(status=401, states=states, reason=verdict.reason), set()
        if not events:
            return Outcome(status=200, states=(EventState.UNPARSABLE,)), set()
        return self._accepted(actor.source_id, events)

    def _accepted(
        self, source_id: str, events: tuple[ParsedEvent, ...]
    ) -> tuple[Outcome, set[tuple[str, bool, bytes]]]:
        keys: set[tuple[str, bool, bytes]] = set()
        states = []
        for event in events:
            key = (source_id, event.test, event.dedupe_key)
            known = key in self._seen or key in keys
            states.append(_REPEATED[event.dedupe_kind] if known else EventState.NEW)
            keys.add(key)
        return Outcome(status=200, states=tuple(states)), keys


def _events(
    receiver: Receiver, actor: Actor, request: SignedRequest, proof: Accepted | None
) -> tuple[ParsedEvent, ...]:
    """The events in a proven body; none if it cannot be read."""
    text = request.body if proof is None or proof.canonical is None else proof.canonical
    try:
        return receiver.parse(request.as_inbound(), text, actor.settings)
    except Unparsable:
        return ()
