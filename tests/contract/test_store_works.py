"""Work rows: kept once, run one at a time for each entity, changed only by who holds them."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from contract.acting_kit import ME, Acting, race
from contract.store_kit import Hub
from inkwire.errors import NotFound, StoreError
from inkwire.model.connection import ConnectionHealth
from inkwire.model.event import Origin
from inkwire.model.work import ErrorKind, IntegrationState, ParkCause, Work, WorkState
from inkwire.moments import to_micros
from inkwire.store import schema_acting as tables
from inkwire.store.acting import Ending, WorkQuery
from inkwire.store.acting_rows import WORK_COLUMNS, work_row
from inkwire.store.contract import Dispatched

S, P = WorkState, ParkCause


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store with one active integration."""
    acting = Acting(hub)
    acting.integration()
    return acting


def lanes(acting: Acting) -> int:
    """How many lanes there are."""
    with acting.database.reading() as conn:
        return conn.scalar(sa.select(sa.func.count()).select_from(tables.work_lanes))


class TestRecords:
    def test_comes_back_as_it_was_given(self, acting: Acting):
        """Every field survives, whatever it holds."""
        full = acting.work(
            origin=Origin.RECONCILED,
            event_id="evt_1",
            subject={"order_id": "ord_1", "ü": "é\x01"},
            state=S.PARKED,
            run_number=3,
            failures=2,
            takeovers=1,
            park_cause=P.PERSON,
            error_kind=ErrorKind.AMBIGUOUS,
            note="A person must say.",
            started_at=acting.now,
        )
        bare = acting.work()
        assert acting.moved(lambda: acting.store.works.add([full, bare])) == {"work"}
        assert acting.store.works.get(full.id) == full
        assert acting.store.works.get(bare.id) == bare
        assert acting.store.works.by_key(1, full.key) == full
        assert acting.store.works.by_key(2, full.key) is None

    def test_a_key_is_kept_once(self, acting: Acting):
        """Of one (integration, key) the first stays, within a call and between calls."""
        one = acting.work(key="k")
        same = [acting.work(key="k"), acting.work(2, key="k"), acting.work(2, key="k")]
        assert acting.store.works.add([one]) == [one.id]
        assert acting.store.works.add(same) == [same[1].id]
        assert acting.store.works.add([one, *same]) == []
        assert acting.moved(lambda: acting.store.works.add([one])) == set()
        with pytest.raises(NotFound, match=same[0].id):
            acting.store.works.get(same[0].id)
        assert acting.claim() == [one.id]
        assert acting.end(one.id)
        assert lanes(acting) == 1, "of integration 2, which is not there"

    def test_one_key_from_many_threads(self, acting: Acting):
        """Whoever is first keeps it; nobody hears of an error, and no lane is left without end."""
        entities = [f"order:{number}" for number in range(4)]
        batches = [
            [
                acting.work(1, entity, key=f"k-{entity}")
                for entity in (entities, entities[::-1])[n % 2]
            ]
            for n in range(8)
        ]
        kept = race([lambda batch=batch: acting.store.works.add(batch) for batch in batches])
        assert sum(len(ids) for ids in kept) == 4
        assert sorted(acting.claim()) == sorted(work_id for ids in kept for work_id in ids)

    def test_a_key_that_cannot_be_kept(self, acting: Acting):
        """It is refused before anything is written."""
        for key in ("", "a b", "k" * 201, "k\x00", "é"):
            with pytest.raises(StoreError, match="request_signature of int_1"):
                acting.store.works.add([acting.work(), acting.work(key=key)])
        assert acting.store.works.page(WorkQuery()) == []

    def test_many_at_once(self, acting: Acting):
        """Those that there are, by id; of too many the first in order."""
        made = acting.add(1, *(f"order:{number}" for number in range(205)))
        found = acting.store.works.of([made[3], "wrk_none", made[0], "\x00"])
        assert found == {one: acting.store.works.get(one) for one in (made[0], made[3])}
        assert len(acting.store.works.of(made)) == 200
        assert acting.store.works.of([]) == {}

    def test_what_is_unfinished(self, acting: Acting):
        """Of several entities at once: what waits, runs, is parked or dead; not what has ended."""
        a, b, c, d = acting.add(1, "order:1", "order:2", "order:3", "order:4")
        acting.claim()
        acting.end(a, S.PARKED, P.PERSON)
        acting.end(b, S.DEAD)
        acting.end(c)
        [later] = acting.add(1, "order:3")
        unfinished = acting.store.works.unfinished
        assert [one.id for one in unfinished(["order:1", "order:2", "order:3"])] == [later, b, a]
        assert [one.id for one in unfinished([f"order:{n}" for n in range(900)])][1:] == [d, b, a]
        assert len(unfinished(["order:1", "order:2"], limit=1)) == 1
        assert unfinished([]) == []

    def test_what_the_clock_made_is_told_apart(self, acting: Acting):
        """Upkeep alone, or all but it; an entity that only begins alike is no upkeep."""
        kept = acting.add(1, "integration:1:reconcile", "order:1", "integrations:1", "z")
        acting.claim()
        acting.end(kept[1], S.DEAD)
        page = acting.store.works.page
        assert [one.id for one in page(WorkQuery(upkeep=True))] == [kept[0]]
        assert [one.id for one in page(WorkQuery(upkeep=False))] == [kept[3], kept[2], kept[1]]
        assert page(WorkQuery(error_kind=ErrorKind.LIMIT)) == []

    def test_dead_letters_by_cause(self, acting: Acting):
        """Most first, with what the newest says; the newest so many are counted."""
        acting.integration()
        ids = [*acting.add(1, "order:1", "order:2", "order:3"), *acting.add(2, "order:1")]
        kinds = (ErrorKind.PERMANENT, ErrorKind.TRANSIENT, ErrorKind.PERMANENT, None)
        acting.claim()
        for number, (work_id, kind) in enumerate(zip(ids, kinds, strict=True)):
            ending = Ending(state=S.DEAD, note=f"No {number}.", error_kind=kind)
            assert acting.store.works.end(work_id, run_number=1, ending=ending, at=acting.now)
        found = acting.store.works.dead()
        assert [(one.integration_id, one.error_kind, one.count, one.note) for one in found] == [
            (1, ErrorKind.PERMANENT, 2, "No 2."),
            (2, None, 1, "No 3."),
            (1, ErrorKind.TRANSIENT, 1, "No 1."),
        ]
        assert [one.work_id for one in acting.store.works.dead(most=2)] == [ids[3], ids[2]]
        assert [one.id for one in acting.store.works.page(WorkQuery(error_kind=kinds[1]))] == [
            ids[1]
        ]
        assert acting.store.works.dead(most=0) == []

    def test_the_list(self, acting: Acting):
        """Newest first, by every filter, page after page."""
        a, b, c = acting.add(1, "order:1", "order:2", "order:1", event_id="evt_1")
        [d] = acting.add(2, "order:9", workflow="other", event_id="evt_2")
        acting.claim(1)
        acting.end(a, S.PARKED, P.PERSON)

        def ids(**query: object) -> list[str]:
            return [one.id for one in acting.store.works.page(WorkQuery(**query))]

        assert ids() == [d, c, b, a]
        assert ids(limit=2) == [d, c]
        assert ids(before=c) == [b, a]
        assert ids(integration_id=1) == [c, b, a]
        assert ids(integration_id=2**70) == []
        assert ids(state=S.PARKED) == ids(park_cause=P.PERSON) == [a]
        assert ids(park_cause=P.LIMIT) == []
        assert ids(entity_key="order:1", state=S.NEW) == [c]
        assert ids(event_id="evt_2") == ids(workflow="other") == [d]
        assert acting.store.works.counts() == {
            S.NEW: 3,
            S.PARKED: 1,
            S.RUNNING: 0,
            S.DONE: 0,
            S.DEAD: 0,
            S.CANCELLED: 0,
        }


class TestClaim:
    def test_takes_what_is_due_oldest_first(self, acting: Acting):
        """A claimed row runs, by that executor, and nobody gets it again."""
        [late] = acting.add(1, "a", due_at=acting.after(60))
        [second] = acting.add(1, "b")
        [first] = acting.add(1, "c", due_at=acting.after(-5))
        assert acting.store.works.next_due(acting.now) == acting.now
        assert acting.moved(lambda: acting.claim(1)) == {"work"}
        assert acting.store.works.running(ME) == [acting.store.works.get(first)]
        assert acting.claim() == [second]
        assert acting.moved(acting.claim) == set()
        row = acting.store.works.get(second)
        assert (row.state, row.run_number, row.executor_id) == (S.RUNNING, 1, ME)
        assert row.started_at == acting.now
        assert acting.store.works.running("worker-2") == []
        assert acting.store.works.next_due(acting.now) == acting.after(60)
        acting.hub.clock.advance(seconds=60)
        assert acting.claim() == [late]
        assert acting.store.works.next_due(acting.now) is None

    def test_an_entity_s_rows_run_one_at_a_time_in_order(self, acting: Acting):
        """The next starts when the one before has ended, however it ended."""
        ids = acting.add(1, *["a"] * 4)
        for work_id, state in zip(ids, (S.DONE, S.DEAD, S.CANCELLED, S.DONE), strict=True):
            assert acting.claim() == [work_id]
            assert acting.claim() == []
            assert acting.end(work_id, state)
        assert lanes(acting) == 0, "an entity without work leaves nothing behind"

    def test_the_oldest_decides_when_its_entity_goes_on(self, acting: Acting):
        """Younger rows do not overtake one that waits for its time; other entities do."""
        [first] = acting.add(1, "a", due_at=acting.after(60))
        second, other = acting.add(1, "a", "b")
        assert acting.claim() == [other]
        acting.hub.clock.advance(seconds=60)
        assert acting.claim() == [first]
        acting.end(first, S.NEW, due_at=acting.after(5))
        assert acting.claim() == []
        assert acting.store.works.next_due(acting.now) == acting.after(5)
        acting.hub.clock.advance(seconds=5)
        assert acting.claim() == [first], "it is the oldest still"
        assert acting.state(first) == (S.RUNNING, 2)
        acting.end(first)
        assert acting.claim() == [second]

    def test_arrival_is_when_it_was_made(self, acting: Acting):
        """Ids of two machines need not agree; the moment decides, then the id."""
        younger = acting.work(created_at=acting.after(1))
        older = acting.work()
        acting.store.works.add([younger, older])
        assert acting.claim() == [older.id]

    def test_entities_of_two_integrations_are_two(self, acting: Acting):
        """The same order under two integrations runs twice at once."""
        acting.integration()
        ids = acting.add(1, "a") + acting.add(2, "a")
        assert sorted(acting.claim()) == sorted(ids)

    def test_parked_on_a_limit(self, acting: Acting):
        """It starts at its time, under the next run number, and until then holds its entity."""
        first, second = acting.add(1, "a", "a")
        acting.claim()
        acting.end(first, S.PARKED, P.LIMIT, due_at=acting.after(30), error_kind=ErrorKind.LIMIT)
        assert acting.store.works.get(first).park_cause is P.LIMIT
        assert acting.claim() == []
        acting.hub.clock.advance(seconds=30)
        assert acting.claim() == [first]
        row = acting.store.works.get(first)
        assert (row.state, row.run_number, row.park_cause) == (S.RUNNING, 2, None)
        acting.end(first)
        assert acting.claim() == [second]

    def test_what_waits_for_a_person_blocks_nothing(self, acting: Acting):
        """Its entity goes on, and time does not start it."""
        first, second = acting.add(1, "a", "a")
        acting.claim()
        acting.end(first, S.PARKED, P.PERSON)
        acting.hub.clock.advance(seconds=10_000)
        assert acting.claim() == [second]

    def test_by_the_integration_s_state(self, acting: Acting):
        """Paused: nothing starts, nothing is due. Inactive: what is there is finished."""
        one = acting.store.integrations.get(1)
        [work_id] = acting.add(1, "a")
        acting.put_integration(replace(one, state=IntegrationState.PAUSED))
        assert (acting.claim(), acting.store.works.next_due(acting.now)) == ([], None)
        acting.put_integration(replace(one, state=IntegrationState.INACTIVE))
        assert acting.claim() == [work_id]
        acting.add(99, "b")
        assert acting.claim() == [], "of an integration that is not there"

    def test_by_the_connection_s_health(self, acting: Acting):
        """Needs attention: nothing starts; only then, and only where that connection is used."""
        acting.connection()
        acting.put_integration(replace(acting.store.integrations.get(1), connection_id="box-main"))
        acting.integration()
        [waits], [goes_on] = acting.add(1, "a"), acting.add(2, "a")
        acting.health(ConnectionHealth.NEEDS_ATTENTION)
        assert acting.claim() == [goes_on]
        assert acting.store.works.next_due(acting.now) is None
        acting.health(ConnectionHealth.OK)
        assert acting.claim() == [waits]

    def test_parked_on_its_connection(self, acting: Acting):
        """It holds its entity, starts a minute later if all is well, or at once when woken."""
        acting.connection()
        acting.put_integration(replace(acting.store.integrations.get(1), connection_id="box-main"))
        first, second = acting.add(1, "a", "a")
        acting.claim()
        acting.end(first, S.PARKED, P.CONNECTION, error_kind=ErrorKind.AUTH)
        assert acting.claim() == [], "a connection that only looks well is not asked at once"
        acting.hub.clock.advance(seconds=60)
        acting.health(ConnectionHealth.NEEDS_ATTENTION)
        assert acting.claim() == []
        acting.health(ConnectionHealth.OK)
        assert acting.claim() == [first]
        acting.end(first, S.PARKED, P.CONNECTION)
        assert acting.store.works.wake(connection_id="other", at=acting.now) == 0
        assert acting.moved(
            lambda: acting.store.works.wake(connection_id="box-main", at=acting.now)
        )
        assert acting.state(first) == (S.NEW, 3)
        assert acting.store.works.wake(connection_id="box-main", at=acting.now) == 0
        assert acting.claim() == [first]
        assert acting.state(first) == (S.RUNNING, 3)
        acting.end(first)
        assert acting.claim() == [second]

    def test_waking_many(self, acting: Acting):
        """All of them, though a transaction takes only a part."""
        acting.connection()
        acting.put_integration(replace(acting.store.integrations.get(1), connection_id="box-main"))
        parked = {"state": S.PARKED, "park_cause": P.CONNECTION, "due_at": acting.after(9999)}
        ids = acting.add(1, *(f"order:{n}" for n in range(130)), **parked)
        assert acting.store.works.wake(connection_id="box-main", at=acting.now) == 130
        assert sorted(acting.claim() + acting.claim()) == sorted(ids)

    def test_at_most_what_was_asked_for(self, acting: Acting):
        """And never more than 100; the oldest of all integrations, not of the first."""
        acting.integration()
        acting.add(1, *(f"o:{n}" for n in range(130)))
        older = acting.add(2, *(f"o:{n}" for n in range(3)), due_at=acting.after(-1))
        assert acting.claim(0) == []
        assert acting.claim(3) == older
        assert len(acting.claim(1000)) == 100
        assert len(acting.claim(1000)) == 30


class TestRaces:
    def test_workers_never_run_two_rows_of_an_entity(self, acting: Acting):
        """Four workers claim and end until all is done: each row once, in order, never two."""
        entities = [f"order:{number}" for number in range(5)]
        per = 8
        ids = acting.add(1, *(entity for _ in range(per) for entity in entities))
        log: list[tuple[str, str]] = []

        def work(store, me: str) -> None:
            idle = 0
            while idle < 50:
                rows = store.works.claim(executor_id=me, now=acting.now, limit=2)
                idle = 0 if rows else idle + 1
                log.extend(("begin", row.id) for row in rows)
                for row in rows:
                    log.append(("end", row.id))
                    ending = Ending(state=S.DONE, note="")
                    assert store.works.end(row.id, run_number=1, ending=ending, at=acting.now)

        with acting.stores(3) as others:
            workers = [acting.store, *others]
            race([lambda n=n, s=s: work(s, f"w{n}") for n, s in enumerate(workers)])
        entity_of = {work_id: entities[at % 5] for at, work_id in enumerate(ids)}
        for entity in entities:
            mine = [(what, one) for what, one in log if entity_of[one] == entity]
            expected = [one for one in ids if entity_of[one] == entity]
            assert mine == [(what, one) for one in expected for what in ("begin", "end")]
        assert lanes(acting) == 0

    def test_one_entity_many_claimers(self, acting: Acting):
        """Eight at the same moment: one gets the one row that may run."""
        for _ in range(5):
            acting.add(1, "a", "a")
            with_ids = race([lambda n=n: acting.claim(by=f"w{n}") for n in range(8)])
            [claimed] = [work_id for ids in with_ids for work_id in ids]
            acting.end(claimed)
            [rest] = acting.claim()
            acting.end(rest)

    def test_adding_while_the_last_one_ends(self, acting: Acting):
        """A lane that goes and comes at the same moment loses nothing."""
        for _ in range(20):
            [first] = acting.add(1, "a")
            assert acting.claim() == [first]
            second = acting.work(1, "a")
            race([lambda: acting.end(first), lambda: acting.store.works.add([second])])  # noqa: B023
            assert acting.claim() == [second.id]
            acting.end(second.id)

    def test_a_row_ends_once(self, acting: Acting):
        """Of eight that end the same run, one is heard."""
        [work_id] = acting.add()
        acting.claim()
        ending = Ending(state=S.NEW, note="", failed=True)
        ends = race(
            [
                lambda: acting.store.works.end(work_id, run_number=1, ending=ending, at=acting.now)
                for _ in range(8)
            ]
        )
        assert sorted(ends) == [False] * 7 + [True]
        row = acting.store.works.get(work_id)
        assert (row.run_number, row.failures) == (2, 1)

    def test_a_dead_executor_s_row_is_taken_once(self, acting: Acting):
        """Of several that take over, one gets the row."""
        [work_id] = acting.add()
        acting.claim(by="dead")

        def take(me: str) -> Work | None:
            return acting.store.works.take_over(work_id, run_number=1, of="dead", by=me)

        taken = [one for one in race([lambda n=n: take(f"w{n}") for n in range(6)]) if one]
        assert [one.takeovers for one in taken] == [1]
        assert taken == acting.store.works.running(taken[0].executor_id)


class TestDispatch:
    def test_work_is_kept_with_its_event(self, acting: Acting):
        """In the same transaction, each key once, however often the event is dispatched."""
        hub = acting.hub
        first, second = hub.put_event(b"1"), hub.put_event(b"2")

        def found(event_id: str, *keys: str) -> Dispatched:
            rows = tuple(acting.work(key=key, event_id=event_id) for key in keys)
            return Dispatched(event_id=event_id, work=rows)

        def take() -> None:
            hub.store.dispatch.take(
                10,
                lambda waiting: [
                    found(item.event.id, *(("a", "b") if item.event.id == first else ("b", "c")))
                    for item in waiting
                ],
            )

        assert acting.moved(take) == {"dispatched", "work"}
        kept = {one.key: one.event_id for one in acting.store.works.page(WorkQuery())}
        assert kept == {"a": first, "b": first, "c": second}
        hub.store.dispatch.again(first, audit=hub.audit())
        assert acting.moved(take) == {"dispatched"}
        assert len(acting.store.works.page(WorkQuery())) == 3
        assert acting.claim() == [acting.store.works.by_key(1, "a").id]

    def test_work_that_no_store_keeps_is_an_error_of_its_event(self, acting: Acting):
        """It is told on the event, for a person; the events beside it go on."""
        hub = acting.hub
        bad, good = hub.put_event(b"1"), hub.put_event(b"2")
        rows = {bad: [acting.work(subject={"id": "\ud800"})], good: [acting.work()]}
        hub.store.dispatch.take(
            10,
            lambda waiting: [
                Dispatched(event_id=item.event.id, work=tuple(rows[item.event.id]))
                for item in waiting
            ],
        )
        assert "report it" in (hub.store.events.get(bad).dispatch_error or "")
        assert hub.store.events.get(good).dispatch_error is None
        assert acting.claim() == [rows[good][0].id]
        assert hub.store.dispatch.backlog() == 0


class TestPlans:
    def test_a_long_queue_costs_nothing(self, acting: Acting):
        """100,000 rows behind one entity and 2,000 other entities: every step walks an index."""
        many = 100_000
        at = to_micros(acting.now)
        names = list(WORK_COLUMNS)
        row = dict(zip(names, work_row(acting.work(1, "queue")), strict=True))
        rows = [
            tuple((row | {"id": f"wrk_{n:06}", "key": f"q{n}", "created_at": at + n}).values())
            for n in range(many)
        ]
        others = {"state": "new", "due_at": to_micros(acting.after(60))}
        rows += [
            tuple(
                (row | others | {"id": f"o_{n}", "key": f"o{n}", "entity_key": f"o:{n}"}).values()
            )
            for n in range(2000)
        ]
        acting.raw("work", names, rows)
        columns = ("integration_id", "entity_key", "work_id", "due_at")
        acting.raw("work_lanes", columns, [(1, "queue", "wrk_000000", at)])
        acting.raw(
            "work_lanes",
            columns,
            [(1, f"o:{n}", f"o_{n}", to_micros(acting.after(60))) for n in range(2000)],
        )
        with acting.database.writing() as conn:
            conn.exec_driver_sql("ANALYZE")

        def turn() -> None:
            for number in range(3):
                assert acting.claim() == [f"wrk_{number:06}"]
                acting.end(f"wrk_{number:06}")
            assert acting.store.works.next_due(acting.now) == acting.now
            assert acting.store.works.running(ME) == []

        found = "\n".join(acting.plans(turn))
        for walked in ("SCAN work", "SCAN other", "Seq Scan on work"):
            assert walked not in found, found
        assert "ix_work_waiting" in found
        assert "ix_work_lanes_due" in found
