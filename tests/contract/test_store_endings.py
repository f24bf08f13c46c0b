"""Runs end in groups, each as its own ending says, and only by who runs them."""

from dataclasses import replace

import pytest

from contract.acting_kit import ME, Acting, race
from contract.store_kit import Hub
from inkwire.errors import StoreError
from inkwire.model.work import ErrorKind, ParkCause, Step, StepResult, Work, WorkState
from inkwire.store.acting import Ending, RunEnd

S, P = WorkState, ParkCause


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store with one active integration."""
    acting = Acting(hub)
    acting.integration()
    return acting


def rows(acting: Acting, *entities: str) -> list[Work]:
    """Rows that run by now, in that order."""
    ids = acting.add(1, *entities)
    acting.claim()
    return [acting.store.works.get(work_id) for work_id in ids]


def end(acting: Acting, work: Work, state: WorkState = S.DONE, **fields: object) -> RunEnd:
    """The end of its run, by the executor that has it."""
    by = fields.pop("by", ME)
    ending = Ending(state=state, **{"note": "So.", **fields})
    return RunEnd(work=work, by=by, ending=ending, at=acting.now)


def step(acting: Acting, work: Work, name: str = "send") -> Step:
    """A step of its run that went well."""
    return Step(
        id=f"{work.run_id}#{name}#1", work_id=work.id, run_id=work.run_id, name=name, attempt=1,
        result=StepResult.OK, started_at=acting.now, duration_us=9,
    )  # fmt: skip


def test_each_ends_as_its_own_ending_says(acting: Acting):
    """In one transaction, with the steps; every column is the one that a single end gives."""
    kinds = [
        ("done", {"state": S.DONE, "note": "Yes.\x00"}),
        ("again", {"state": S.NEW, "failed": True, "error_kind": ErrorKind.TRANSIENT}),
        ("later", {"state": S.NEW, "due_at": acting.after(60)}),
        ("sick", {"state": S.PARKED, "park_cause": P.CONNECTION}),
        ("full", {"state": S.PARKED, "park_cause": P.LIMIT, "due_at": acting.after(9)}),
        ("asks", {"state": S.PARKED}),
        ("dead", {"state": S.DEAD, "error_kind": ErrorKind.PERMANENT}),
    ]
    names = [name for name, _ in kinds]
    together = rows(acting, *(f"one:{name}" for name in names))
    alone = rows(acting, *(f"two:{name}" for name in names))
    ends = [end(acting, row, **fields) for row, (_, fields) in zip(together, kinds, strict=True)]
    steps = [step(acting, row) for row in together]
    works = acting.store.works
    acting.hub.clock.advance(seconds=2)
    assert acting.moved(lambda: works.end_runs(ends, steps=steps)) == {"work", "step"}
    for row, one in zip(alone, ends, strict=True):
        assert works.end(row.id, run_number=1, ending=one.ending, at=one.at)
    for mine, other, (name, _) in zip(together, alone, kinds, strict=True):
        found, like = works.get(mine.id), works.get(other.id)
        assert replace(found, id="", key="", entity_key="", created_at=acting.now) == replace(
            like, id="", key="", entity_key="", created_at=acting.now
        ), name
        assert acting.store.run_log.steps(mine.id) == [
            replace(step(acting, mine), started_at=steps[0].started_at)
        ]
    assert works.get(together[0].id).note == "Yes.?"
    assert works.in_hand(ME) == {}
    assert [works.get(row.id).failures for row in together] == [0, 1, 0, 0, 0, 0, 0]


def test_who_has_lost_a_run_does_not_end_it(acting: Acting):
    """Another executor's, another run's, one that does not run or is gone; the others end."""
    taken, other_run, mine, ended = rows(acting, "a", "b", "c", "d")
    works = acting.store.works
    assert works.take_over(taken.id, run_number=1, of=ME, by="w2")
    assert acting.end(ended.id)
    before = [works.get(row.id) for row in (taken, other_run, ended)]
    ends = [
        end(acting, taken),
        end(acting, replace(other_run, run_number=2)),
        end(acting, mine),
        end(acting, ended),
        end(acting, replace(mine, id="wrk_none", entity_key="nowhere")),
        end(acting, mine, S.DEAD),
    ]
    assert works.end_runs(ends) == [False, False, True, False, False, False]
    assert [works.get(row.id) for row in (taken, other_run, ended)] == before
    assert works.get(mine.id).state is S.DONE
    assert works.end_runs([end(acting, taken, by=None)]) == [True], "whoever runs it"
    assert acting.moved(lambda: works.end_runs(ends)) == set()
    assert works.end_runs([]) == []


def test_all_or_nothing(acting: Acting):
    """A step that no store keeps ends no run: the ending and its notes are one."""
    (row,) = rows(acting, "a")
    bad = replace(step(acting, row), name="\x00")
    with pytest.raises(StoreError):
        acting.store.works.end_runs([end(acting, row)], steps=[step(acting, row), bad])
    assert acting.state(row.id) == (S.RUNNING, 1)
    assert acting.store.run_log.steps(row.id) == []
    assert acting.moved(lambda: acting.store.works.end_runs([], steps=[step(acting, row)])) == {
        "step"
    }


def test_a_wish_to_cancel_ends_what_would_go_on(acting: Acting):
    """And says so; what is done is done."""
    again, parked, done = rows(acting, "a", "b", "c")
    works = acting.store.works
    for row in (again, parked, done):
        works.cancel(row.id, at=acting.now, audit=acting.hub.audit())
    assert works.in_hand(ME) == {row.id: (1, True) for row in (again, parked, done)}
    works.end_runs(
        [
            end(acting, again, S.NEW, failed=True),
            end(acting, parked, S.PARKED, park_cause=P.PERSON),
            end(acting, done),
        ]
    )
    found = [works.get(row.id) for row in (again, parked, done)]
    assert [row.state for row in found] == [S.CANCELLED, S.CANCELLED, S.DONE]
    assert found[0].note == "Cancelled as asked. So."
    assert [(row.run_number, row.finished_at, row.cancel_asked) for row in found] == [
        (1, acting.now, False)
    ] * 3


def test_the_next_of_each_entity_starts(acting: Acting):
    """Lanes of all that ended say what comes; one without more is gone."""
    first, second = rows(acting, "a", "b")
    behind = acting.add(1, "a", "b")
    assert acting.claim() == []
    acting.store.works.end_runs([end(acting, second), end(acting, first)])
    assert acting.claim() == behind


def test_what_an_executor_has_in_hand(acting: Acting):
    """Its running rows with their run, and nobody else's."""
    works = acting.store.works
    mine, moved, parked = rows(acting, "a", "b", "c")
    acting.add(1, "d")
    works.take_over(moved.id, run_number=1, of=ME, by="w2")
    acting.end(parked.id, S.NEW)
    acting.claim(1)
    again = works.in_hand(ME)
    assert again.pop(mine.id) == (1, False)
    assert len(again) == 1
    assert works.in_hand("w2") == {moved.id: (1, False)}
    assert works.in_hand("nobody") == {}


def test_ended_or_taken_over_never_both(acting: Acting):
    """At the same moment: whoever comes second finds that the run is no longer its own."""
    works = acting.store.works
    for round_ in range(15):
        found = rows(acting, *(f"{round_}:{n}" for n in range(4)))
        ends = [end(acting, row) for row in found]

        def take(row: Work) -> bool:
            return works.take_over(row.id, run_number=1, of=ME, by="w2") is not None

        calls = [lambda row=row: [take(row)] for row in found]
        ended, *taken = race([lambda ends=ends: works.end_runs(ends), *calls])
        assert [not one for one in ended] == [one for (one,) in taken]
        for row, mine in zip(found, ended, strict=True):
            now = works.get(row.id)
            assert (now.state is S.DONE) is mine
            assert (now.executor_id == "w2") is not mine


def test_groups_that_overlap_end_each_run_once(acting: Acting):
    """In whatever order several threads name them: nobody waits for nobody, each is heard once."""
    works = acting.store.works
    found = rows(acting, *(f"o:{n}" for n in range(12)))
    ends = [end(acting, row) for row in found]
    steps = [step(acting, row) for row in found]
    groups = [(ends, steps), (ends[::-1], steps[::-1]), (ends[6:] + ends[:6], steps[3:])] * 2
    heard = race([lambda e=e, s=s: works.end_runs(e, steps=s) for e, s in groups])
    assert sum(sum(one) for one in heard) == len(found)
    assert all(len(acting.store.run_log.steps(row.id)) == 1 for row in found)
