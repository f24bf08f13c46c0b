"""What work waits for: the health of either connection, and a record that is not known yet."""

import pytest

from contract.acting_kit import Acting, race
from contract.store_kit import Hub
from inkwire.model.connection import ConnectionHealth
from inkwire.model.work import ErrorKind, ParkCause, WorkState
from inkwire.moments import to_micros
from inkwire.store.acting import WorkQuery
from inkwire.store.acting_rows import WORK_COLUMNS, work_row

H, S, P = ConnectionHealth, WorkState, ParkCause


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store with an integration that stands between two systems."""
    acting = Acting(hub)
    acting.connection("box")
    acting.connection("crm", provider="salesforce")
    acting.integration(connection_id="box", second_connection_id="crm")
    return acting


def park(acting: Acting, work_id: str, cause: ParkCause = P.MAPPING) -> None:
    """Claims the row, which must be the next of its entity, and parks it."""
    assert work_id in acting.claim()
    assert acting.end(work_id, S.PARKED, cause)


class TestTwoConnections:
    @pytest.mark.parametrize("unwell", ["box", "crm"])
    def test_neither_may_need_attention(self, acting: Acting, unwell: str):
        """Nothing starts, and nothing is due; others go on."""
        acting.integration(connection_id={"box": "crm", "crm": "box"}[unwell])
        acting.integration(second_connection_id=unwell)
        [waits], [goes_on], [too] = (acting.add(n, "a") for n in (1, 2, 3))
        acting.health(H.NEEDS_ATTENTION, unwell)
        assert acting.claim() == [goes_on]
        assert acting.store.works.next_due(acting.now) is None
        acting.health(H.OK, unwell)
        assert acting.claim() == [waits, too]

    def test_both_unwell(self, acting: Acting):
        """It waits for both."""
        [waits] = acting.add(1, "a")
        acting.health(H.NEEDS_ATTENTION, "box")
        acting.health(H.NEEDS_ATTENTION, "crm")
        acting.health(H.OK, "crm")
        assert acting.claim() == []
        acting.health(H.UNCHECKED, "box")
        assert acting.claim() == [waits]

    @pytest.mark.parametrize("well", ["box", "crm"])
    def test_woken_by_either(self, acting: Acting, well: str):
        """Whichever it was that is well again; not what another integration waits for."""
        acting.integration(connection_id={"box": "crm", "crm": "box"}[well])
        [mine], [theirs] = acting.add(1, "a"), acting.add(2, "a")
        acting.claim()
        for one in (mine, theirs):
            acting.end(one, S.PARKED, P.CONNECTION, error_kind=ErrorKind.AUTH)
        assert acting.store.works.wake(connection_id=well, at=acting.now) == 1
        assert acting.state(mine) == (S.NEW, 2)
        assert acting.state(theirs) == (S.PARKED, 1)
        assert acting.claim() == [mine]


class TestUnmapped:
    def test_it_waits_without_end_and_blocks_nothing(self, acting: Acting):
        """Neither time nor a connection's health starts it; the next of its entity goes on."""
        first, second = acting.add(1, "box:file:1", "box:file:1")
        park(acting, first)
        assert acting.claim() == [second]
        acting.end(second)
        acting.hub.clock.advance(seconds=10**7)
        assert acting.claim() == []
        assert acting.store.works.next_due(acting.now) is None
        assert acting.store.works.wake(connection_id="crm", at=acting.now) == 0
        found = acting.store.works.page(WorkQuery(park_cause=P.MAPPING, integration_id=1))
        assert [one.id for one in found] == [first]

    def test_woken(self, acting: Acting):
        """Due at once under the next run, in the order of arrival; what waits else stays."""
        acting.integration()
        first, asked, limited, late = acting.add(1, "a", "b", "c", "a")
        [theirs] = acting.add(2, "a")
        assert set(acting.claim()) == {first, asked, limited, theirs}
        for one, cause in ((first, P.MAPPING), (asked, P.PERSON), (limited, P.CONNECTION)):
            acting.end(one, S.PARKED, cause, note="No record.")
        acting.end(theirs, S.PARKED, P.MAPPING)
        acting.hub.clock.advance(seconds=1)
        wake = acting.store.works.wake_unmapped
        woken: list[int] = []
        assert acting.moved(lambda: woken.append(wake(1, at=acting.now))) == {"work"}
        assert woken == [1]
        row = acting.store.works.get(first)
        assert (row.state, row.run_number, row.park_cause) == (S.NEW, 2, None)
        assert (row.due_at, row.note) == (acting.now, "No record.")
        assert acting.state(asked) == (S.PARKED, 1)
        assert acting.state(limited) == (S.PARKED, 1)
        assert acting.state(theirs) == (S.PARKED, 1)
        assert acting.claim() == [first], "it came before the one that waits behind it"
        acting.end(first)
        assert acting.claim() == [late]
        assert acting.moved(lambda: woken.append(wake(1, at=acting.now))) == set()
        assert [*woken, wake(2**70, at=acting.now), wake(2, at=acting.now)] == [1, 0, 0, 1]

    def test_woken_by_a_person(self, acting: Acting):
        """Who asked stands in the audit log, even if nothing waited."""
        wake = acting.store.works.wake_unmapped
        assert wake(1, at=acting.now, audit=acting.hub.audit("work.wake_unmapped")) == 0
        assert acting.store.access.audit()[0].action == "work.wake_unmapped"

    def test_each_gets_its_turn(self, acting: Acting):
        """What was parked longest ago is first, so that no row is passed over for ever."""
        made = acting.add(1, *(f"box:file:{n}" for n in range(230)))
        for start in range(0, 230, 100):
            for one in acting.claim():
                acting.end(one, S.PARKED, P.MAPPING)
            assert acting.state(made[start])[0] is S.PARKED
        wake = acting.store.works.wake_unmapped
        tried: list[str] = []
        for _ in range(3):
            acting.hub.clock.advance(seconds=1)
            assert wake(1, at=acting.now, limit=110) == 110
            while taken := acting.claim():
                tried += taken
                for one in taken:
                    acting.end(one, S.PARKED, P.MAPPING)
        assert set(tried) == set(made)
        assert sorted(tried[:220]) == sorted(made[:220])
        assert wake(1, at=acting.now, limit=0) == 0
        assert wake(1, at=acting.now) == 230

    def test_woken_by_several_at_once(self, acting: Acting):
        """Each row is woken once."""
        made = acting.add(1, *(f"box:file:{n}" for n in range(50)))
        for one in acting.claim():
            acting.end(one, S.PARKED, P.MAPPING)
        with acting.stores(3) as others:
            stores = [acting.store, *others]
            woken = race([lambda s=s: s.works.wake_unmapped(1, at=acting.now) for s in stores])
        assert sum(woken) == 50
        assert {acting.state(one) for one in made} == {(S.NEW, 2)}
        assert sorted(acting.claim()) == sorted(made)

    def test_a_person_may_begin_or_end_it(self, acting: Acting):
        """As any work that is parked."""
        first, second = acting.add(1, "a", "b")
        park(acting, first)
        acting.end(second, S.PARKED, P.MAPPING)
        acting.store.works.again(first, at=acting.now, audit=acting.hub.audit())
        assert acting.claim() == [first]
        acting.store.works.cancel(second, at=acting.now, audit=acting.hub.audit())
        assert acting.state(second)[0] is S.CANCELLED
        assert acting.store.works.wake_unmapped(1, at=acting.now) == 0

    def test_many_cost_little(self, acting: Acting):
        """Among 20,000 that wait, waking some walks an index, by the dialect's statistics."""
        names = list(WORK_COLUMNS)
        given = acting.work(1, "x", state=S.PARKED, park_cause=P.MAPPING)
        row = dict(zip(names, work_row(given), strict=True))
        at = to_micros(acting.now)
        acting.raw(
            "work",
            names,
            [
                tuple(
                    (
                        row
                        | {
                            "id": f"wrk_{n:06}",
                            "key": f"k{n}",
                            "entity_key": f"box:file:{n}",
                            "created_at": at + n,
                            "due_at": at + n,
                            "state": "parked" if n % 2 else "done",
                            "park_cause": "mapping" if n % 2 else None,
                        }
                    ).values()
                )
                for n in range(40_000)
            ],
        )
        with acting.database.writing() as conn:
            conn.exec_driver_sql("ANALYZE")
        found = "\n".join(
            acting.plans(lambda: acting.store.works.wake_unmapped(1, at=acting.now, limit=200))
        )
        assert "ix_work_unmapped" in found, found
        for walked in ("SCAN work\n", "Seq Scan on work ", "TEMP B-TREE FOR ORDER BY"):
            assert walked not in found, found
        assert acting.store.works.counts(1) == dict.fromkeys(S, 0) | {
            S.NEW: 200,
            S.PARKED: 10_000,
            S.DONE: 10_000,
        }


def test_counts_of_one_integration(acting: Acting):
    """Without what the clock makes, which would hide the rest."""
    acting.integration()
    acting.add(1, "a", "integration:1:settle", "integrations")
    acting.add(2, "a")
    nothing = dict.fromkeys(S, 0)
    assert acting.store.works.counts(1) == nothing | {S.NEW: 2}
    assert acting.store.works.counts(2) == nothing | {S.NEW: 1}
    assert acting.store.works.counts() == nothing | {S.NEW: 4}
    assert acting.store.works.counts(2**70) == nothing
