"""Steps and calls: kept once, shown in order, forgotten when they are old and their work ended."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contract.acting_kit import Acting
from contract.store_kit import Hub
from inkwire.errors import StoreError
from inkwire.model.work import Call, ParkCause, Step, StepResult, WorkState


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store with one active integration."""
    acting = Acting(hub)
    acting.integration()
    return acting


def step(acting: Acting, name: str = "send", attempt: int = 1, **fields: object) -> Step:
    """A try of a step that went well."""
    values = {
        "work_id": "wrk_1",
        "run_id": "int_1/k/1",
        "result": StepResult.OK,
        "started_at": acting.now,
        "duration_us": 1500,
        **fields,
    }
    step_id = f"{values['run_id']}/{name}/{attempt}"
    return Step(id=step_id, name=name, attempt=attempt, **values)


def call(acting: Acting, **fields: object) -> Call:
    """An API request that was answered."""
    values = {
        "id": acting.hub.ids.new("cal"),
        "connection_id": "box-main",
        "work_id": "wrk_1",
        "run_id": "int_1/k/1",
        "method": "POST",
        "path": "/2.0/sign_requests",
        "status": 201,
        "started_at": acting.now,
        "duration_us": 90_000,
        **fields,
    }
    return Call(**values)


def test_steps_come_back_in_order(acting: Acting):
    """All tries of all runs, oldest first, with what they gave; text is made keepable."""
    log = acting.store.run_log
    first = step(acting, value={"id": "1", "count": 2, "list": [None, "é"]})
    acting.hub.clock.advance(seconds=1)
    second = step(acting, "file", result=StepResult.TRANSIENT, detail="503 \x00")
    third = step(acting, "file", 2, run_id="int_1/k/2", value=False, started_at=acting.after(1))
    assert acting.moved(lambda: log.add_step(third)) == {"step"}
    for one in (first, second, step(acting, work_id="wrk_2", run_id="other")):
        log.add_step(one)
    assert log.steps("wrk_1") == [first, replace(second, detail="503 ?"), third]
    assert log.steps("none") == []


def test_a_try_is_kept_once(acting: Acting):
    """A step that is repeated after a crash stands once, whatever id it comes with."""
    log = acting.store.run_log
    one = step(acting)
    log.add_step(one)
    log.add_step(replace(one, detail="again"))
    log.add_step(replace(one, id="another"))
    log.add_step(replace(one, id="another run", run_id="int_1/k/2", attempt=1))
    assert [found.id for found in log.steps("wrk_1")] == ["another run", one.id]


def test_many_steps_in_one_transaction(acting: Acting):
    """Each once, those that are there stay as they were; one that no store keeps refuses all."""
    log = acting.store.run_log
    first, second = step(acting, "a"), step(acting, "b", started_at=acting.after(1))
    log.add_step(first)
    given = [second, replace(first, detail="again"), second]
    assert acting.moved(lambda: log.add_steps(given)) == {"step"}
    assert acting.moved(lambda: log.add_steps([])) == set()
    with pytest.raises(StoreError):
        log.add_steps([step(acting, "c"), step(acting, "d\x00")])
    assert log.steps("wrk_1") == [first, second]


def test_calls_newest_first(acting: Acting):
    """By work, by connection, both, or all; one without an answer too."""
    log = acting.store.run_log
    of_work = call(acting, vendor_id="req-1", error="conflict", body_sha256="ab" * 32, status=409)
    check = call(acting, work_id=None, run_id=None, status=None, method="GET", path="/2.0/users/me")
    other = call(acting, connection_id="box-two")
    assert acting.moved(lambda: log.add_call(of_work)) == {"step"}
    log.add_call(check)
    log.add_call(other)
    assert log.calls() == [other, check, of_work]
    assert log.calls(work_id="wrk_1") == [other, of_work]
    assert log.calls(connection_id="box-main") == [check, of_work]
    assert log.calls(work_id="wrk_1", connection_id="box-main", limit=1) == [of_work]


def test_what_is_old_is_forgotten_unless_its_work_goes_on(acting: Acting):
    """In small steps; a run that waits for a person keeps its story."""
    log = acting.store.run_log
    ended, open_one = acting.add(1, "a", "b")
    acting.claim()
    acting.end(ended)
    acting.end(open_one, WorkState.PARKED, ParkCause.PERSON)
    for work_id in (ended, open_one, "gone"):
        log.add_step(step(acting, work_id=work_id, run_id=work_id))
        log.add_call(call(acting, work_id=work_id))
    log.add_call(call(acting, work_id=None))
    acting.hub.clock.advance(seconds=10)
    young = [call(acting, work_id=ended), call(acting, work_id=None)]
    for one in young:
        log.add_call(one)
    before = acting.now - timedelta(seconds=5)
    assert [log.forget(before=before, limit=3) for _ in range(3)] == [3, 2, 0]
    assert (log.steps(ended), log.steps("gone")) == ([], [])
    assert len(log.steps(open_one)) == len(log.calls(work_id=open_one)) == 1
    assert log.calls(work_id=ended) == young[:1]
    assert log.calls(connection_id="box-main")[:2] == young[::-1]
    assert len(log.calls()) == 3


def test_the_record_of_one_work_row_is_forgotten_as_a_whole(acting: Acting):
    """Evidence holds the hash of all of it: what a work row did first goes with what it did last."""
    log = acting.store.run_log
    (work_id,) = acting.add(1, "a")
    acting.claim()
    log.add_step(step(acting, work_id=work_id))
    log.add_call(call(acting, work_id=work_id))
    acting.hub.clock.advance(seconds=100)
    log.add_step(step(acting, "keep", work_id=work_id))
    log.add_call(call(acting, work_id=work_id))
    acting.end(work_id)
    assert log.forget(before=acting.now - timedelta(seconds=50), limit=9) == 0
    assert (len(log.steps(work_id)), len(log.calls_of(work_id))) == (2, 2)
    assert [one.id for one in log.calls_of(work_id)] == [
        one.id for one in reversed(log.calls(work_id=work_id))
    ]
    acting.hub.clock.advance(seconds=1)
    assert log.forget(before=acting.now, limit=9) == 4
