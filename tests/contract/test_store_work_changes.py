"""What becomes of a row of work: its end, its taking over, and what a person asks of it."""

import pytest

from contract.acting_kit import ME, Acting
from contract.store_kit import Hub
from inkwire.errors import Conflict, NotFound
from inkwire.model.work import ErrorKind, ParkCause, WorkState
from inkwire.store.acting import Ending

S, P = WorkState, ParkCause


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store with one active integration."""
    acting = Acting(hub)
    acting.integration()
    return acting


class TestChanges:
    def test_end_notes_all_it_was_told(self, acting: Acting):
        """Failures are counted, the executor is let go, the end has its time."""
        [work_id] = acting.add()
        acting.claim()
        acting.end(work_id, S.NEW, failed=True, error_kind=ErrorKind.TRANSIENT, note="503\x00")
        row = acting.store.works.get(work_id)
        assert (row.state, row.run_number, row.failures) == (S.NEW, 2, 1)
        assert (row.executor_id, row.error_kind, row.note) == (None, ErrorKind.TRANSIENT, "503?")
        assert (row.due_at, row.finished_at) == (acting.now, None)
        acting.claim()
        acting.hub.clock.advance(seconds=3)
        assert acting.moved(lambda: acting.end(work_id, S.DEAD)) == {"work"}
        row = acting.store.works.get(work_id)
        assert (row.failures, row.finished_at, row.run_number) == (1, acting.now, 2)

    def test_end_is_for_the_run_that_runs(self, acting: Acting):
        """Another number, a row that does not run, a row that is gone: nothing is changed."""
        [work_id] = acting.add()
        done = Ending(state=S.DONE, note="")
        end = acting.store.works.end
        assert not end(work_id, run_number=1, ending=done, at=acting.now)
        acting.claim()
        row = acting.store.works.get(work_id)
        assert not end(work_id, run_number=2, ending=done, at=acting.now)
        assert not end("wrk_none", run_number=1, ending=done, at=acting.now)
        assert acting.store.works.get(work_id) == row

    def test_take_over_only_from_the_one_named(self, acting: Acting):
        """A row that moved on, or runs elsewhere, stays where it is."""
        [work_id] = acting.add()
        take_over = acting.store.works.take_over
        assert take_over(work_id, run_number=1, of=ME, by="w2") is None
        acting.claim()
        assert take_over(work_id, run_number=2, of=ME, by="w2") is None
        assert take_over(work_id, run_number=1, of="w3", by="w2") is None
        moved = take_over(work_id, run_number=1, of=ME, by="w2")
        assert (moved.executor_id, moved.takeovers, moved.state) == ("w2", 1, S.RUNNING)

    def test_again(self, acting: Acting):
        """What ended or is parked starts anew: next number, a clean slate, due now."""
        again = acting.store.works.again
        for state in (S.DONE, S.DEAD, S.CANCELLED, S.PARKED):
            [work_id] = acting.add(1, "a", subject={"order_id": "1"})
            acting.claim()
            acting.end(work_id, state, P.PERSON if state is S.PARKED else None, failed=True)
            acting.hub.clock.advance(seconds=9)
            row = again(work_id, at=acting.now, audit=acting.hub.audit("work.retry", work_id))
            assert (row.state, row.run_number, row.failures, row.note) == (S.NEW, 2, 0, "")
            assert (row.due_at, row.finished_at, row.park_cause) == (acting.now, None, None)
            assert row.subject == {"order_id": "1"}
            assert acting.store.access.audit()[0].target == work_id
            assert acting.claim() == [work_id]
            acting.end(work_id)

    def test_again_with_another_subject(self, acting: Acting):
        """What the next run works with is replaced as a whole."""
        [work_id] = acting.add(subject={"order_id": "1", "box": "2"})
        acting.dead(work_id)
        other = {"order_id": "2"}
        audit = acting.hub.audit()
        row = acting.store.works.again(work_id, at=acting.now, subject=other, audit=audit)
        assert row.subject == acting.store.works.get(work_id).subject == other

    def test_again_only_when_nothing_is_on_its_way(self, acting: Acting):
        """A person who clicks twice starts one run."""
        again, audit = acting.store.works.again, acting.hub.audit
        [work_id] = acting.add()
        with pytest.raises(Conflict, match="waits to start"):
            again(work_id, at=acting.now, audit=audit())
        acting.claim()
        with pytest.raises(Conflict, match="runs"):
            again(work_id, at=acting.now, audit=audit())
        with pytest.raises(NotFound, match="wrk_none"):
            again("wrk_none", at=acting.now, audit=audit())
        assert acting.state(work_id) == (S.RUNNING, 1)

    def test_an_old_row_again_waits_for_the_one_that_runs(self, acting: Acting):
        """It is the oldest of its entity, and yet two never run at once."""
        old, young = acting.add(1, "a", "a")
        acting.dead(old)
        assert acting.claim() == [young]
        acting.store.works.again(old, at=acting.now, audit=acting.hub.audit())
        assert acting.claim() == []
        acting.end(young)
        assert acting.claim() == [old]

    def test_cancel(self, acting: Acting):
        """What waits is cancelled at once and blocks nobody; what runs is asked to stop."""
        first, second = acting.add(1, "a", "a")
        cancel = acting.store.works.cancel
        row = cancel(first, at=acting.now, audit=acting.hub.audit("work.cancel", first))
        assert (row.state, row.finished_at) == (S.CANCELLED, acting.now)
        assert acting.store.access.audit()[0].action == "work.cancel"
        with pytest.raises(Conflict, match="cancelled"):
            cancel(first, at=acting.now, audit=acting.hub.audit())
        assert acting.claim() == [second]
        row = cancel(second, at=acting.now, audit=acting.hub.audit())
        assert (row.state, row.cancel_asked) == (S.RUNNING, True)
        with pytest.raises(NotFound):
            cancel("wrk_none", at=acting.now, audit=acting.hub.audit())

    def test_a_wish_to_cancel_is_not_forgotten(self, acting: Acting):
        """A run that would have gone on later does not; one that is done is done."""
        for state, cause, expected in (
            (S.NEW, None, S.CANCELLED),
            (S.PARKED, P.LIMIT, S.CANCELLED),
            (S.DONE, None, S.DONE),
            (S.DEAD, None, S.DEAD),
        ):
            [work_id] = acting.add()
            acting.claim()
            acting.store.works.cancel(work_id, at=acting.now, audit=acting.hub.audit())
            assert acting.end(work_id, state, cause)
            row = acting.store.works.get(work_id)
            assert (row.state, row.cancel_asked, row.park_cause) == (expected, False, None)
