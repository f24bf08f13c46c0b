"""Activities: kept once, sent in batches, none lost and none in two; calls of an organisation."""

from dataclasses import replace

import pytest

from contract.acting_kit import race
from contract.crm_store_kit import Crm
from contract.store_kit import Hub
from inkwire.errors import StoreError
from inkwire.model.crm import Activity, ActivityState, ApiUsage
from inkwire.moments import to_micros
from inkwire.store.crm_rows import ACTIVITY_COLUMNS, activity_row

S = ActivityState


@pytest.fixture
def crm(hub: Hub) -> Crm:
    """A fresh store."""
    return Crm(hub)


def ids(found: list[Activity]) -> list[str]:
    """Their ids."""
    return [one.id for one in found]


class TestAdding:
    def test_kept_whole_and_once(self, crm: Crm):
        """Of one (integration, key) the first stays, within a call and between calls."""
        full = crm.activity("evt_1", who_id="003A", subject="é\x00")
        bare = crm.activity("evt_2", what_id=None)
        same = [crm.activity("evt_1"), crm.activity("evt_1", integration_id=2)]
        kept = []
        assert crm.moved(lambda: kept.append(crm.activities.add([full, bare, *same]))) == {"work"}
        assert kept == [3]
        assert crm.activities.of_work("wrk_1") == [replace(full, subject="é?"), bare, same[1]]
        assert crm.moved(lambda: kept.append(crm.activities.add([full, *same]))) == set()
        assert kept == [3, 0]
        assert crm.activities.add([]) == 0
        with pytest.raises(StoreError):
            crm.activities.add([crm.activity(), crm.activity(who_id="\ud800")])
        assert len(crm.activities.page()) == 3

    def test_from_many_threads(self, crm: Crm):
        """Whoever is first keeps it; the sum is right, and nobody hears of an error."""
        keys = [f"evt_{n}" for n in range(9)]
        batches = [[crm.activity(key) for key in keys[:: (1, -1)[n % 2]]] for n in range(6)]
        counts = race([lambda rows=rows: crm.activities.add(rows) for rows in batches])
        assert sum(counts) == 9
        assert sorted(one.key for one in crm.activities.page()) == keys


class TestBatches:
    def test_claimed_oldest_first(self, crm: Crm):
        """Up to a number; the same batch gives the same ones and takes no others."""
        made = ids(crm.noted(5))
        crm.noted(integration_id=2)
        assert crm.moved(lambda: crm.claimed("bat_1", 3)) == {"work"}
        taken = crm.activities.claim(1, batch_id="bat_1", limit=200)
        assert ids(taken) == made[:3]
        assert {(one.state, one.batch_id) for one in taken} == {(S.SENDING, "bat_1")}
        crm.activities.done({made[0]: "00TA"}, at=crm.now)
        assert crm.moved(lambda: crm.claimed("bat_1")) == set()
        assert crm.claimed("bat_1") == made[:3]
        assert crm.claimed("bat_2") == made[3:]
        assert crm.claimed("bat_3") == []
        assert crm.claimed("bat_1", integration_id=3) == []
        assert len(crm.claimed("bat_1", integration_id=2)) == 1, "batches of others are others"

    def test_at_most_200(self, crm: Crm):
        """A composite request takes no more."""
        crm.noted(205)
        assert len(crm.claimed("bat_1", 1_000)) == 200
        assert len(crm.claimed("bat_2", 1_000)) == 5
        assert crm.claimed("bat_3", -1) == []

    def test_which_batches_are_under_way(self, crm: Crm):
        """Oldest first, until the last of their rows is done."""
        made = ids(crm.noted(6))
        for batch in ("z", "y", "x"):
            crm.claimed(batch, 2)
        batches = crm.activities.batches
        assert batches(1) == ["z", "y", "x"]
        assert batches(2) == []
        crm.activities.done({made[0]: "00TA"}, at=crm.now)
        crm.activities.failed({made[2]: "No.", made[3]: "No."}, at=crm.now)
        assert batches(1) == ["z", "x"]
        crm.activities.release([made[1]], batch_id="z")
        crm.activities.release([made[4], made[5]], batch_id="x")
        assert batches(1) == []
        assert crm.claimed("x") == [made[1], made[4], made[5]], "an empty batch is a new one"

    def test_several_claim_at_the_same_moment(self, crm: Crm):
        """Two batches share no row, and one batch that two ask for is one."""
        crm.integration()
        made = ids(crm.noted(30))
        with crm.stores(5) as others:
            names = ["a", "b", "a", "b", "c", "c"]
            found = race(
                [
                    lambda s=s, name=name: crm.claimed(name, 10, store=s)
                    for s, name in zip([crm.store, *others], names, strict=True)
                ]
            )
        assert [found[0], found[1], found[4]] == [found[2], found[3], found[5]]
        assert sorted([*found[0], *found[1], *found[4]]) == made


class TestEnds:
    def test_done(self, crm: Crm):
        """With the Task's id, which stays; nothing undoes it."""
        one, two = crm.noted(2)
        crm.claimed()
        assert crm.moved(lambda: crm.activities.done({one.id: "00TA"}, at=crm.now)) == {"work"}
        done = crm.of(one)
        assert done == replace(one, state=S.DONE, batch_id="bat_1", task_id="00TA", done_at=crm.now)
        crm.hub.clock.advance(seconds=1)
        crm.activities.done({one.id: "00TB", two.id: "00TC", "act_x": "00TD"}, at=crm.now)
        crm.activities.failed({one.id: "No."}, at=crm.now)
        crm.activities.release([one.id], batch_id="bat_1")
        assert crm.activities.again([one.id], audit=crm.hub.audit()) == 0
        assert crm.of(one) == done
        assert crm.of(two).task_id == "00TC"
        assert crm.moved(lambda: crm.activities.done({}, at=crm.now)) == set()
        with pytest.raises(StoreError):
            crm.activities.done({two.id: "\x00"}, at=crm.now)

    def test_failed(self, crm: Crm):
        """With a sentence, until a person asks for it again or it proves to be there."""
        one, two = crm.noted(2)
        crm.claimed()
        crm.activities.failed({one.id: "No.\x00", two.id: "No."}, at=crm.now)
        assert (crm.of(one).state, crm.of(one).note) == (S.FAILED, "No.?")
        assert crm.claimed("bat_2") == []
        crm.activities.release([one.id], batch_id="bat_1")
        assert crm.of(one).state is S.FAILED
        audit = crm.hub.audit("activity.again")
        assert crm.activities.again([one.id, "act_x"], audit=audit) == 1
        assert crm.of(one) == one
        assert crm.store.access.audit()[0].action == "activity.again"
        assert crm.claimed("bat_2") == [one.id]
        crm.activities.done({two.id: "00TA"}, at=crm.now)
        assert (crm.of(two).state, crm.of(two).note) == (S.DONE, "")

    def test_released(self, crm: Crm):
        """As if it had never been in the batch."""
        one, two = crm.noted(2)
        crm.claimed()
        assert crm.moved(lambda: crm.activities.release([one.id], batch_id="bat_1")) == {"work"}
        assert crm.of(one) == one
        assert crm.moved(lambda: crm.activities.release([one.id], batch_id="bat_1")) == set()
        assert crm.claimed("bat_1") == [two.id]
        crm.activities.release([], batch_id="bat_1")

    def test_released_too_late(self, crm: Crm):
        """Who was overtaken in a batch takes nothing out of the next, which is on its way."""
        [one] = crm.noted(1)
        crm.claimed("bat_1")
        crm.activities.release([one.id], batch_id="bat_1")
        assert crm.claimed("bat_2") == [one.id]
        crm.activities.release([one.id], batch_id="bat_1")
        assert crm.claimed("bat_3") == [], "it would be sent a second time"
        assert crm.claimed("bat_2") == [one.id]


class TestFinding:
    def test_pages(self, crm: Crm):
        """Newest first; every filter narrows."""
        [a] = crm.noted(what_id="006A")
        [b] = crm.noted(what_id="006B", integration_id=2)
        [c] = crm.noted(what_id=None, work_id="wrk_2")
        crm.activities.done({a.id: "00TA"}, at=crm.now)
        page = crm.activities.page
        assert ids(page()) == [c.id, b.id, a.id]
        assert ids(page(integration_id=1)) == [c.id, a.id]
        assert ids(page(state=S.WAITING)) == [c.id, b.id]
        assert ids(page(state=S.WAITING, integration_id=2)) == [b.id]
        assert ids(page(what_id="006A")) == [a.id]
        assert ids(page(before=c.id, limit=1)) == [b.id]
        assert page(what_id="\x00") == page(integration_id=2**70) == page(limit=-3) == []
        assert ids(crm.activities.of_work("wrk_2")) == [c.id]
        assert crm.activities.of_work("\ud800") == []

    def test_counts(self, crm: Crm):
        """By state, of one integration or of all."""
        [a, _] = crm.noted(2)
        crm.noted(integration_id=2)
        crm.activities.failed({a.id: "No."}, at=crm.now)
        nothing = dict.fromkeys(S, 0)
        assert crm.activities.counts() == nothing | {S.WAITING: 2, S.FAILED: 1}
        assert crm.activities.counts(1) == nothing | {S.WAITING: 1, S.FAILED: 1}


def test_a_long_history_costs_nothing(crm: Crm):
    """Among 40,000 activities every step and page walks an index, by the dialect's statistics."""
    names = list(ACTIVITY_COLUMNS)
    row = dict(zip(names, activity_row(crm.activity()), strict=True))
    at = to_micros(crm.now)
    rows = [
        tuple(
            (
                row
                | {
                    "id": f"act_{n:06}",
                    "integration_id": n % 3 + 1,
                    "key": f"k{n}",
                    "what_id": f"r{n % 997}",
                    "state": "done" if n < 39_000 else "sending" if n < 39_300 else "waiting",
                    "batch_id": f"b{n // 200}" if n < 39_300 else None,
                    "work_id": f"w{n // 3}",
                    "created_at": at + n,
                }
            ).values()
        )
        for n in range(40_000)
    ]
    crm.raw("activities", names, rows)
    with crm.database.writing() as conn:
        conn.exec_driver_sql("ANALYZE")

    def everything() -> None:
        crm.noted()
        taken = crm.claimed("new")
        assert len(taken) == 200
        assert len(crm.activities.batches(1)) == 3
        crm.activities.release(taken[:50], batch_id="new")
        crm.activities.done(dict.fromkeys(taken[50:100], "00T"), at=crm.now)
        crm.activities.failed(dict.fromkeys(taken[100:], "No."), at=crm.now)
        crm.activities.of_work("w9")
        page = crm.activities.page
        assert page()
        assert page(integration_id=1)
        assert page(integration_id=1, state=S.WAITING)
        assert page(state=S.SENDING)
        assert page(what_id="r9")
        assert page(before="act_020000")

    walked = [
        plan
        for plan in crm.plans(everything)
        if "Seq Scan on activities" in plan
        or ("SCAN activities" in plan and "USING" not in plan.split("SCAN activities", 1)[1])
    ]
    assert not walked, walked


class TestApiUsages:
    def test_the_newest_stays(self, crm: Crm):
        """An answer that was overtaken says nothing; no counter moves."""
        crm.connection("crm")
        crm.connection("other")
        usages = crm.store.api_usages
        assert usages.get("crm") is None
        one = ApiUsage(connection_id="crm", used=5, most=15_000, at=crm.now)
        assert crm.moved(lambda: usages.note(one)) == set()
        assert usages.get("crm") == one
        usages.note(replace(one, used=3, at=crm.after(-1)))
        assert usages.get("crm") == one
        later = replace(one, used=0, most=100_000, at=crm.after(1))
        usages.note(later)
        assert usages.get("crm") == later
        assert usages.get("other") is None
        assert usages.get("\x00") is None

    def test_a_connection_that_is_gone(self, crm: Crm):
        """A call that ended late leaves nothing for the next connection of that id."""
        crm.connection("crm")
        usage = ApiUsage(connection_id="crm", used=5, most=15_000, at=crm.now)
        crm.store.api_usages.note(usage)
        crm.store.connections.delete("crm", audit=crm.hub.audit())
        crm.store.api_usages.note(usage)
        crm.connection("crm")
        assert crm.store.api_usages.get("crm") is None

    def test_other_credentials(self, crm: Crm):
        """They may be another organisation's; with the token its numbers stay."""
        one = crm.connection("crm")
        usage = ApiUsage(connection_id="crm", used=5, most=15_000, at=crm.now)
        crm.store.api_usages.note(usage)
        for keep_token, left in ((True, usage), (False, None)):
            crm.store.connections.update(
                one, [], keep_token=keep_token, expected=one.updated_at, audit=crm.hub.audit()
            )
            assert crm.store.api_usages.get("crm") == left
