"""What makes an event a duplicate: rules without I/O, the same for every dialect.

- hard keys (a vendor's id): a repeat is a duplicate for good; a repeat with another body is a
  conflict, flagged, and its body is kept;
- derived keys (content): a repeat within the window is a *probable* duplicate, kept and handed
  on; a later one is new again and starts a new window;
- an unparsable event claims its key too but stays unparsable; a filtered one claims none, so
  that widening the source's filter lets a repeat in.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from inkwire.model.event import DedupeKind, EventState


class Claim(NamedTuple):
    """A row of the dedupe table, in column order: who came first with a key."""

    key: bytes
    kind: str
    event_id: str
    body_hash: bytes
    #: Microseconds.
    first_seen_at: int


class Candidate(NamedTuple):
    """An event that asks for its key, with the state it gets if the key is free."""

    claim: Claim
    state: EventState


class Outcome(NamedTuple):
    """What became of a candidate."""

    state: EventState
    duplicate_of: str | None = None
    conflict: bool = False
    #: The same hard key with the same body: the first holds the body already.
    exact: bool = False


#: The outcome of most events, made once.
NEW = Outcome(EventState.NEW)


class Settled(NamedTuple):
    """Outcomes in the candidates' order, and the rows whose window starts anew."""

    outcomes: list[Outcome]
    renewed: list[Claim]


def first_claims(candidates: Iterable[Candidate]) -> dict[bytes, Claim]:
    """For each key of a batch the claim that arrived first."""
    claims: dict[bytes, Claim] = {}
    for candidate in candidates:
        if candidate.state is not EventState.FILTERED:
            claims.setdefault(candidate.claim.key, candidate.claim)
    return claims


def settle(
    candidates: Sequence[Candidate], existing: Mapping[bytes, Claim], window_us: int
) -> Settled:
    """Decides a batch in order of arrival.

    `existing` holds the rows that stood in the table before this batch; `window_us`, in
    microseconds, is how long equal content counts as a repeat.
    """
    known = dict(existing)
    renewed: dict[bytes, Claim] = {}
    outcomes = []
    for candidate in candidates:
        claim = candidate.claim
        if candidate.state is EventState.FILTERED:
            outcomes.append(Outcome(EventState.FILTERED))
            continue
        first = known.get(claim.key)
        if first is None:
            known[claim.key] = claim
            outcomes.append(_first(candidate.state))
        elif claim.kind == DedupeKind.HARD:
            outcomes.append(_repeat_of_id(candidate, first))
        elif claim.first_seen_at - first.first_seen_at <= window_us:
            outcomes.append(_repeat_of_content(candidate, first))
        else:
            known[claim.key] = renewed[claim.key] = claim
            outcomes.append(_first(candidate.state))
    return Settled(outcomes, list(renewed.values()))


def _first(state: EventState) -> Outcome:
    return NEW if state is EventState.NEW else Outcome(state)


def _repeat_of_id(candidate: Candidate, first: Claim) -> Outcome:
    differs = candidate.claim.body_hash != first.body_hash
    state = EventState.DUPLICATE if candidate.state is EventState.NEW else candidate.state
    return Outcome(state, first.event_id, conflict=differs, exact=not differs)


def _repeat_of_content(candidate: Candidate, first: Claim) -> Outcome:
    new = candidate.state is EventState.NEW
    state = EventState.PROBABLE_DUPLICATE if new else candidate.state
    return Outcome(state, first.event_id)
