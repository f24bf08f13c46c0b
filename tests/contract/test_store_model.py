"""A store's decisions against a simple model of them, for whatever comes in."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.store_kit import Hub
from inkwire.model.event import DedupeKind, EventState

WINDOW_S = 60
S = EventState
_numbers = itertools.count()


@dataclass(frozen=True)
class Sent:
    """One request: its events as (key, kind, test, state), its body, the seconds since the last."""

    events: tuple[tuple[int, DedupeKind, bool, EventState], ...]
    body: int
    pause_s: int
    source: int


events = st.tuples(
    st.integers(0, 3),
    st.sampled_from(DedupeKind),
    st.booleans(),
    st.sampled_from([S.NEW, S.NEW, S.NEW, S.UNPARSABLE, S.FILTERED]),
)
requests = st.builds(
    Sent,
    events=st.lists(events, min_size=1, max_size=3).map(tuple),
    body=st.integers(0, 1),
    pause_s=st.sampled_from([0, 0, 1, WINDOW_S // 2, WINDOW_S, WINDOW_S + 1]),
    source=st.integers(0, 1),
)
batches = st.lists(st.lists(requests, min_size=1, max_size=5), min_size=1, max_size=5)


@dataclass
class Model:
    """What the words of the design say, and nothing about tables."""

    #: key → (number of the first event, its body, when).
    first: dict[tuple, tuple[int, int, int]] = field(default_factory=dict)
    now: int = 0
    count: int = 0

    def send(self, sent: Sent) -> tuple[list[tuple[EventState, int | None, bool]], bool]:
        """(state, number of the first, conflict) of each event; whether the body is kept."""
        self.now += sent.pause_s
        outcomes, needed = [], False
        for key, kind, test, state in sent.events:
            number, self.count = self.count, self.count + 1
            outcome, needs_body = self._event((sent.source, key, kind, test), number, state, sent)
            outcomes.append(outcome)
            needed = needed or needs_body
        return outcomes, needed

    def _event(self, key, number, state, sent):
        if state is S.FILTERED:
            return (S.FILTERED, None, False), True
        kind = key[2]
        known = self.first.get(key)
        if known is not None and kind is DedupeKind.DERIVED and self.now - known[2] > WINDOW_S:
            known = None
        if known is None:
            self.first[key] = (number, sent.body, self.now)
            return (state, None, False), True
        repeat = S.DUPLICATE if kind is DedupeKind.HARD else S.PROBABLE_DUPLICATE
        differs = kind is DedupeKind.HARD and known[1] != sent.body
        named = repeat if state is S.NEW else state
        return (named, known[0], differs), kind is DedupeKind.DERIVED or differs


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    """One store for all examples of a dialect; each example has sources of its own."""
    maker = request.getfixturevalue(
        "sqlite_maker" if request.param == "sqlite" else "postgres_maker"
    )
    folder: Path = tmp_path_factory.mktemp("model")
    with ExitStack() as stack:
        hub = Hub(stack.enter_context(maker.fresh(folder / "hub", dedupe_window_s=WINDOW_S)))
        stack.callback(hub.store.close)
        yield hub


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(sent=batches)
def test_every_outcome_is_as_the_model_says(shared_hub: Hub, sent: list[list[Sent]]):
    """States, links, conflicts and kept bodies agree, however the requests are batched."""
    hub, model, example = shared_hub, Model(), next(_numbers)
    ids: list[str] = []
    for batch in sent:
        expected, intakes = [], []
        for request in batch:
            expected.append(model.send(request))
            hub.clock.advance(seconds=request.pause_s)
            made = [
                hub.event(b"%d" % key, dedupe_kind=kind, test=test, state=state)
                for key, kind, test, state in request.events
            ]
            ids += [event.id for event in made]
            intakes.append(
                hub.intake(
                    *made, body=b"%d" % request.body, source_id=f"s{example}-{request.source}"
                )
            )
        for stored, intake, (outcomes, keeps_body) in zip(
            hub.put(*intakes), intakes, expected, strict=True
        ):
            assert list(stored.states) == [state for state, _, _ in outcomes]
            found = hub.store.events.of_receipt(intake.receipt_id)
            for event, (state, first, conflict) in zip(found, outcomes, strict=True):
                assert (event.state, event.conflict) == (state, conflict)
                assert event.duplicate_of == (None if first is None else ids[first])
                waits = state in (S.NEW, S.PROBABLE_DUPLICATE)
                assert (event.dispatched_at is None) == waits
            opened = hub.store.inbound.open_receipt(intake.receipt_id)
            assert opened.body == (intake.body if keeps_body else None)
