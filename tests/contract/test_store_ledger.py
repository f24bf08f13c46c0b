"""The ledger: one sender at a time, and never one more than was decided."""

from dataclasses import replace

import pytest

from contract.acting_kit import Acting, race
from contract.store_kit import Hub
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.model.work import LedgerEntry, LedgerState

L = LedgerState
KEY = "sign_request/x/y"


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store."""
    return Acting(hub)


def send(acting: Acting, fence: int = 0, run_id: str = "int_1/k/1") -> LedgerEntry | None:
    """Claims the right to send."""
    return acting.store.ledger.send(KEY, fence=fence, run_id=run_id, at=acting.now)


def probed(acting: Acting, fence: int = 1, *, doubt: bool = False) -> LedgerEntry | None:
    """An empty probe."""
    return acting.store.ledger.probed(KEY, fence=fence, at=acting.now, doubt=doubt)


def decide(acting: Acting, state: LedgerState, remote_id: str | None = None) -> LedgerEntry:
    """A person's word."""
    audit = acting.hub.audit("ledger.decide", KEY)
    return acting.store.ledger.decide(
        KEY, state=state, remote_id=remote_id, at=acting.now, audit=audit
    )


def in_doubt(acting: Acting) -> LedgerEntry:
    """An entry that waits for a person."""
    acting.intend()
    send(acting)
    found = probed(acting, doubt=True)
    assert found is not None
    return found


class TestFence:
    def test_of_eight_one_sends(self, acting: Acting):
        """Whatever runs at the same moment, in this process or another: one gets it."""
        with acting.stores(3) as others:
            stores = [acting.store, *others] * 2
            for number in range(10):
                acting.intend(key := f"sign_request/{number}")
                got = race(
                    [
                        lambda n=n, s=s, k=key: s.ledger.send(
                            k, fence=0, run_id=f"run-{n}", at=acting.now
                        )
                        for n, s in enumerate(stores)
                    ]
                )
                [winner] = [one for one in got if one is not None]
                assert (winner.state, winner.fence, winner.sends) == (L.SENDING, 1, 1)
                assert acting.store.ledger.get(key) == winner
                assert winner.run_id == f"run-{got.index(winner)}"

    def test_only_from_the_fence_that_was_read(self, acting: Acting):
        """A worker that slept meanwhile does not send again, whatever the entry came to."""
        acting.intend()
        assert send(acting, fence=1) is None
        sent = send(acting)
        assert (sent.fence, sent.sent_at, sent.run_id) == (1, acting.now, "int_1/k/1")
        assert send(acting, fence=0) is None
        assert send(acting, fence=1) is None, "it is being sent"
        assert acting.store.ledger.unsent(KEY, fence=0, at=acting.now) is None
        back = acting.store.ledger.unsent(KEY, fence=1, at=acting.now)
        assert (back.state, back.fence, back.sends, back.sent_at) == (L.INTENDED, 1, 1, None)
        assert send(acting, fence=0) is None, "the fence never goes back"
        assert send(acting, fence=1).fence == 2
        assert acting.store.ledger.send("none", fence=0, run_id="r", at=acting.now) is None

    def test_done_is_never_sent(self, acting: Acting):
        """A find that came before the sending is enough."""
        acting.intend()
        acting.store.ledger.settle(KEY, remote_id="r1", at=acting.now)
        assert send(acting) is None


class TestFates:
    def test_intended_once(self, acting: Acting):
        """The same key again gives what is there, also at the same moment."""
        first = acting.entry(work_id="wrk_1")
        found = race(
            [
                lambda n=n: acting.store.ledger.intend(replace(first, work_id=f"w{n}"))
                for n in range(6)
            ]
        )
        assert len({one.work_id for one in found}) == 1
        assert acting.store.ledger.intend(replace(first, work_id="late")) == found[0]
        assert acting.store.ledger.get(KEY) == found[0]
        assert acting.store.ledger.get("none") is None

    def test_settled_by_a_fact(self, acting: Acting):
        """What is there is there, whatever the fence; a second object shows by its id."""
        acting.intend()
        send(acting)
        settle = acting.store.ledger.settle
        done = settle(KEY, remote_id="r1", at=acting.now)
        assert (done.state, done.remote_id, done.fence) == (L.DONE, "r1", 1)
        acting.hub.clock.advance(seconds=1)
        assert settle(KEY, remote_id="r2", at=acting.now) == done
        assert probed(acting) is None
        with pytest.raises(NotFound, match="none"):
            settle("none", remote_id="r", at=acting.now)

    def test_probes_are_counted_from_each_sending(self, acting: Acting):
        """Empty probes add up; the next sending starts at none; an old fence counts nothing."""
        acting.intend()
        assert probed(acting, fence=0) is None, "it was not sent"
        send(acting)
        assert probed(acting).probes == 1
        found = probed(acting, doubt=True)
        assert (found.state, found.probes) == (L.DOUBT, 2)
        assert probed(acting) is None
        assert send(acting, fence=1) is None, "a doubt is not sent again by itself"
        decide(acting, L.REPEAT)
        sent = send(acting, fence=1)
        assert (sent.probes, sent.sends, sent.fence) == (0, 2, 2)
        assert probed(acting, fence=1) is None

    def test_a_person_decides(self, acting: Acting):
        """Repeat, leave, or name what they found; it stands in the audit log."""
        for state, remote_id in ((L.REPEAT, None), (L.ABANDONED, None), (L.DONE, "r9")):
            doubt = in_doubt(acting)
            acting.hub.clock.advance(seconds=1)
            found = decide(acting, state, remote_id)
            assert found == replace(doubt, state=state, remote_id=remote_id, updated_at=acting.now)
            assert acting.store.access.audit()[0].action == "ledger.decide"
            sendable = send(acting, fence=1) is not None
            assert sendable is (state is L.REPEAT)
            with acting.database.writing() as conn:
                conn.exec_driver_sql("DELETE FROM ledger")

    def test_a_wrong_id_is_disowned(self, acting: Acting):
        """Back to the person who named it, once, and only while that id stands there."""
        in_doubt(acting)
        ledger = acting.store.ledger
        assert ledger.disown(KEY, remote_id="7", at=acting.now) is None
        decide(acting, L.DONE, "7")
        assert ledger.disown(KEY, remote_id="8", at=acting.now) is None
        back = ledger.disown(KEY, remote_id="7", at=acting.now)
        assert back is not None
        assert (back.state, back.remote_id) == (L.DOUBT, None)
        assert send(acting, fence=back.fence) is None
        assert decide(acting, L.DONE, "9").remote_id == "9"

    def test_decisions_that_make_no_sense(self, acting: Acting):
        """They change nothing: an id without a find, a find without an id, no doubt, no entry."""
        doubt = in_doubt(acting)
        with pytest.raises(InvalidInput, match="remote_id"):
            decide(acting, L.DONE)
        with pytest.raises(InvalidInput, match="remote_id"):
            decide(acting, L.REPEAT, "r1")
        with pytest.raises(InvalidInput, match="state"):
            decide(acting, L.SENDING)
        assert acting.store.ledger.get(KEY) == doubt
        decide(acting, L.ABANDONED)
        with pytest.raises(Conflict, match="abandoned"):
            decide(acting, L.REPEAT)
        with acting.database.writing() as conn:
            conn.exec_driver_sql("DELETE FROM ledger")
        with pytest.raises(NotFound):
            decide(acting, L.REPEAT)

    def test_a_late_answer_settles_what_was_left(self, acting: Acting):
        """A person's word does not undo a fact."""
        in_doubt(acting)
        decide(acting, L.ABANDONED)
        assert acting.store.ledger.settle(KEY, remote_id="r", at=acting.now).state is L.DONE


class TestLists:
    def test_by_work_and_by_change(self, acting: Acting):
        """A run's page shows its entries; the list shows the newest change first."""
        for number in range(4):
            acting.intend(f"k{number}", work_id=f"wrk_{number % 2}")
            acting.hub.clock.advance(seconds=1)
        ledger = acting.store.ledger
        assert [one.key for one in ledger.of_work("wrk_1")] == ["k1", "k3"]
        ledger.settle("k1", remote_id="r", at=acting.now)
        assert [one.key for one in ledger.page()] == ["k1", "k3", "k2", "k0"]
        assert [one.key for one in ledger.page(state=L.INTENDED, limit=2)] == ["k3", "k2"]
        assert acting.moved(lambda: acting.intend("new")) == {"step"}
        assert acting.moved(lambda: acting.intend("new")) == set()
