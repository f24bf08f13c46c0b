"""Bulk jobs: what is gathered into one, its id kept once, and what Salesforce said of it."""

from dataclasses import replace

import pytest

from contract.acting_kit import race
from contract.crm_store_kit import Crm
from contract.store_kit import Hub
from inkwire.errors import NotFound, StoreError
from inkwire.model.crm import ActivityState, BulkJob, BulkJobState

S = BulkJobState


@pytest.fixture
def crm(hub: Hub) -> Crm:
    """A fresh store with one integration."""
    made = Crm(hub)
    made.integration()
    return made


def job(crm: Crm, batch_id: str = "blk_1", **fields) -> BulkJob:
    """One that is not kept yet."""
    values = {"integration_id": 1, "created_at": crm.now, "look_at": crm.now, **fields}
    return BulkJob(batch_id=batch_id, **values)


def begun(crm: Crm, batch_id: str = "blk_1", **fields) -> BulkJob:
    """A kept one."""
    return crm.store.bulk_jobs.begin(job(crm, batch_id, **fields))


def opened(crm: Crm, batch_id: str = "blk_1", job_id: str = "750A") -> BulkJob:
    """One that Salesforce knows."""
    begun(crm, batch_id)
    return crm.store.bulk_jobs.opened(batch_id, job_id=job_id, look_at=crm.now)


def noted(crm: Crm, batch_id: str = "blk_1", **fields) -> None:
    """What Salesforce says of it."""
    given = {"state": S.QUEUED, "said": "InProgress", "processed": 2, "failed": 1, **fields}
    crm.store.bulk_jobs.noted(batch_id, **({"look_at": crm.after(30)} | given))


def ids(found) -> list[str]:
    """Their ids."""
    return [one.id for one in found]


class TestGathering:
    def test_one_at_a_time(self, crm: Crm):
        """Who begins another gets the one that still gathers; other integrations have their own."""
        jobs = crm.store.bulk_jobs
        kept = []
        assert crm.moved(lambda: kept.append(begun(crm, note="é\x00"))) == {"work"}
        assert kept == [job(crm, note="é?")]
        assert crm.moved(lambda: kept.append(begun(crm, "blk_2"))) == set()
        assert kept[1] == kept[0]
        assert begun(crm, "blk_3", integration_id=2).batch_id == "blk_3"
        jobs.opened("blk_1", job_id="750A", look_at=crm.now)
        assert begun(crm, "blk_2").batch_id == "blk_2"
        with pytest.raises(StoreError):
            begun(crm, "\x00", integration_id=3)

    def test_the_oldest_come_into_it(self, crm: Crm):
        """In pieces, beside those that are in it; they are in no batch that is sent by rows."""
        made = ids(crm.noted(5))
        crm.noted(integration_id=2)
        begun(crm)
        gather = crm.store.bulk_jobs.gather
        assert crm.moved(lambda: gather("blk_1", limit=2)) == {"work"}
        taken = gather("blk_1", limit=2)
        assert ids(taken) == made[2:4]
        assert {(one.state, one.batch_id) for one in taken} == {(ActivityState.SENDING, "blk_1")}
        assert ids(crm.activities.sending(1, "blk_1")) == made[:4]
        assert crm.activities.batches(1) == []
        assert crm.claimed("bat_1") == made[4:]
        assert crm.activities.batches(1) == ["bat_1"]
        assert crm.moved(lambda: gather("blk_1", limit=2)) == set()
        assert gather("blk_x", limit=2) == gather("\x00", limit=2) == []

    def test_at_most_200_at_once(self, crm: Crm):
        """A long transaction would keep webhooks waiting."""
        crm.noted(205)
        begun(crm)
        gather = crm.store.bulk_jobs.gather
        assert len(gather("blk_1", limit=1_000)) == 200
        assert gather("blk_1", limit=-1) == []
        assert len(gather("blk_1", limit=1_000)) == 5

    def test_what_has_an_id_takes_no_more(self, crm: Crm):
        """What is uploaded is what was in it then."""
        crm.noted(3)
        begun(crm)
        jobs = crm.store.bulk_jobs
        jobs.gather("blk_1", limit=2)
        assert jobs.opened("blk_1", job_id="750A", look_at=crm.now).size == 2
        assert jobs.gather("blk_1", limit=2) == []
        assert crm.activities.waiting(1, most=10) == 1

    def test_several_gather_at_the_same_moment(self, crm: Crm):
        """No activity in two of them, none lost."""
        made = ids(crm.noted(30))
        begun(crm)
        with crm.stores(3) as others:
            found = race(
                [lambda s=s: s.bulk_jobs.gather("blk_1", limit=5) for s in [crm.store, *others]]
                + [lambda: crm.claimed("bat_1", 5)]
            )
        taken = [*(one for part in found[:4] for one in ids(part)), *found[4]]
        assert sorted(taken) == made[:25]


class TestItsWay:
    def test_the_first_id_stays(self, crm: Crm):
        """Two workers that both opened a job go on with one."""
        crm.noted(1)
        begun(crm)
        jobs = crm.store.bulk_jobs
        jobs.gather("blk_1", limit=9)
        with crm.stores(1) as [other]:
            one, two = race(
                [
                    lambda: jobs.opened("blk_1", job_id="750A", look_at=crm.after(20)),
                    lambda: other.bulk_jobs.opened("blk_1", job_id="750B", look_at=crm.after(20)),
                ]
            )
        assert one == two
        assert one == job(crm, state=S.OPEN, job_id=one.job_id, size=1, look_at=crm.after(20))
        assert one.job_id in ("750A", "750B")
        with pytest.raises(NotFound):
            jobs.opened("blk_x", job_id="750A", look_at=crm.now)
        with pytest.raises(StoreError):
            jobs.opened("blk_1", job_id="\ud800", look_at=crm.now)

    def test_what_salesforce_says(self, crm: Crm):
        """Of one that it knows, until its end."""
        begun(crm)
        assert crm.moved(lambda: noted(crm)) == set(), "nobody told it of that one"
        before = opened(crm)
        assert crm.moved(lambda: noted(crm, said="In\x00")) == {"work"}
        said = {"state": S.QUEUED, "said": "In?", "processed": 2, "failed": 1}
        now = replace(before, **said, look_at=crm.after(30))
        jobs = crm.store.bulk_jobs
        assert jobs.under_way(1) == [now]
        assert crm.moved(lambda: jobs.ended("blk_1", note="Read.\x00", at=crm.now)) == {"work"}
        end = replace(now, state=S.ENDED, note="Read.?", ended_at=crm.now)
        assert jobs.of(["blk_1", "bat_x", "\x00"]) == {"blk_1": end}
        noted(crm)
        jobs.ended("blk_1", note="Other.", at=crm.after(9))
        assert crm.moved(lambda: jobs.ended("blk_1", note="Other.", at=crm.now)) == set()
        assert jobs.opened("blk_1", job_id="750B", look_at=crm.now) == end
        assert jobs.under_way(1) == []
        assert jobs.newest(1) == [end]

    def test_given_up_before_it_is_opened(self, crm: Crm):
        """Who gives it up and who opens it at that moment agree on what became of it."""
        jobs = crm.store.bulk_jobs
        begun(crm)
        assert jobs.ended("blk_1", note="No.", at=crm.now, only=S.GATHERING) is True
        late = jobs.opened("blk_1", job_id="750A", look_at=crm.now)
        assert (late.state, late.job_id) == (S.ENDED, "")
        opened(crm, "blk_2")
        assert jobs.ended("blk_2", note="No.", at=crm.now, only=S.GATHERING) is False
        assert jobs.of(["blk_2"])["blk_2"].state is S.OPEN
        assert jobs.ended("blk_x", note="", at=crm.now) is False

    def test_what_it_left_is_a_batch_like_others(self, crm: Crm):
        """Once it has ended, what is still SENDING is looked for as all others are."""
        made = ids(crm.noted(3))
        begun(crm)
        jobs = crm.store.bulk_jobs
        jobs.gather("blk_1", limit=9)
        crm.activities.done({made[0]: "00TA"}, at=crm.now)
        assert ids(crm.activities.sending(1, "blk_1")) == made[1:]
        assert crm.activities.sending(2, "blk_1") == crm.activities.sending(1, "\x00") == []
        jobs.ended("blk_1", note="", at=crm.now)
        assert crm.activities.batches(1) == ["blk_1"]
        crm.activities.release(made[1:], batch_id="blk_1")
        assert crm.activities.batches(1) == []

    def test_lists(self, crm: Crm):
        """Under way the oldest first, of all the newest first."""
        jobs = crm.store.bulk_jobs
        for batch in ("blk_1", "blk_2", "blk_3"):
            opened(crm, batch)
        begun(crm, "blk_4", integration_id=2)
        jobs.ended("blk_2", note="", at=crm.now)
        assert [one.batch_id for one in jobs.under_way(1)] == ["blk_1", "blk_3"]
        assert [one.batch_id for one in jobs.newest(1)] == ["blk_3", "blk_2", "blk_1"]
        assert [one.batch_id for one in jobs.newest(1, limit=1)] == ["blk_3"]
        assert jobs.newest(1, limit=-1) == jobs.newest(2**70) == jobs.under_way(-1) == []
        assert jobs.of([]) == {}

    def test_what_ended_long_ago_is_forgotten_in_small_steps(self, crm: Crm):
        """The oldest end first; what is under way stays, however old it is."""
        jobs = crm.store.bulk_jobs
        for number, batch in enumerate(("blk_1", "blk_2", "blk_3", "blk_4")):
            opened(crm, batch)
            if batch != "blk_3":
                jobs.ended(batch, note="", at=crm.after(-number))
        begun(crm, "blk_5")
        assert jobs.forget(before=crm.after(-3), limit=9) == 0
        assert crm.moved(lambda: jobs.forget(before=crm.now, limit=1)) == set()
        assert [one.batch_id for one in jobs.newest(1)] == ["blk_5", "blk_3", "blk_2", "blk_1"]
        assert jobs.forget(before=crm.now, limit=0) == 0
        assert jobs.forget(before=crm.after(1), limit=9) == 2
        assert jobs.forget(before=crm.after(1), limit=9) == 0
        assert [one.batch_id for one in jobs.newest(1)] == ["blk_5", "blk_3"]

    def test_a_job_whose_rows_are_not_settled_is_not_forgotten(self, crm: Crm):
        """Else they would look like those of a batch that nobody has sent."""
        jobs = crm.store.bulk_jobs
        made = ids(crm.noted(2))
        begun(crm)
        jobs.gather("blk_1", limit=9)
        jobs.ended("blk_1", note="", at=crm.now)
        crm.activities.done({made[0]: "00TA"}, at=crm.now)
        assert jobs.forget(before=crm.after(1), limit=9) == 0
        crm.activities.done({made[1]: "00TB"}, at=crm.now)
        assert jobs.forget(before=crm.after(1), limit=9) == 1
        kept = crm.activities.page(integration_id=1, limit=9)
        assert [one.task_id for one in kept] == ["00TB", "00TA"]


def test_waiting_is_counted_so_far(crm: Crm):
    """Up to a number: whether enough wait is all that is asked."""
    crm.noted(3)
    crm.noted(integration_id=2)
    waiting = crm.activities.waiting
    assert [waiting(1, most=most) for most in (0, 2, 9, -1)] == [0, 2, 3, 0]
    assert waiting(3, most=9) == 0
    crm.claimed()
    assert waiting(1, most=9) == 0
