"""What may befall a Bulk job of Tasks: whatever it is, each Task is made once (DESIGN §6)."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from inkwire.errors import Transient
from inkwire.integrations.box_salesforce import tasks_bulk
from inkwire.model.crm import BulkJobState
from inkwire.model.work import WorkState
from inkwire.providers.salesforce.client.rest import RestSalesforceClient
from integrations.crm_bulk_kit import (
    BATCHES,
    JOBS,
    LEAST,
    ONE,
    RESULTS,
    Dies,
    carry,
    client,
    delete,
    dies,
    dying,
    job,
    noted,
    on,
    once,
    pace,
    states,
    worked,
)
from integrations.crm_kit import Crm, world

#: `make crash` plays them all; else those where Salesforce did it, and where an upload got lost.
LONG = "INKWIRE_CRASH_KILLS" in os.environ


LOST = [
    pytest.param(method, path, kind, id=f"{method} {path.split('/')[-1]} {kind}")
    for method, path in (("POST", JOBS), ("PUT", BATCHES), ("PATCH", ONE), ("GET", ONE),
                         ("GET", RESULTS))
    for kind in ("reset_after_commit", "reset_before_commit", "status")
    if LONG or kind == "reset_after_commit" or method == "PUT"
]  # fmt: skip
CALLS = ("create_job", "fill_job", "close_job", "job", "job_made", "job_refused")
DEATHS = [
    pytest.param(name, before, id=f"{name} {'before' if before else 'after'}")
    for name in CALLS
    for before in (False, True)
    if LONG or not before or name == "fill_job"
]


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    """One sandbox for all."""
    one = Crm(tmp_path_factory.mktemp("crm") / "sandbox")
    yield one
    one.close()


@pytest.fixture
def place(tmp_path, crm):
    """A hub of its own at this sandbox; whatever befalls a test ends with it."""
    with world(tmp_path / "hub", crm, bulk_from=LEAST) as made:
        yield made
    crm.clear_faults()
    pace(crm, 0)
    crm.process.call("POST", "/salesforce/limit", {"most": 100_000, "used": 0})


@pytest.fixture
def deal(crm):
    """An account and its opportunity."""
    account = crm.account()
    return account, crm.opportunity(account)


@pytest.mark.parametrize(("method", "path", "kind"), LOST)
def test_a_lost_answer_makes_nothing_twice(place, crm, deal, method, path, kind):
    """Whichever call it befalls: the job of the kept id is asked about, and goes on."""
    rows = noted(place, deal[1], 30)
    more = {"status": 503} if kind == "status" else {}
    crm.process.fault(method=method, path=path, kind=kind, **more)
    carry(place)
    once(crm, rows)
    assert states(place) == {"done": 30}
    assert [one.state for one in place.store.bulk_jobs.newest(1)] == [BulkJobState.ENDED]


def test_a_job_whose_id_was_lost_is_left_open_and_empty(place, crm, deal):
    """Another one takes the rows; nobody uploads to the first."""
    rows = noted(place, deal[1])
    crm.process.fault(method="POST", path=JOBS, kind="reset_after_commit")
    with pytest.raises(Transient):
        place.send_tasks()
    assert (job(place).state, job(place).job_id) == (BulkJobState.GATHERING, "")
    noted(place, deal[1], 3, start=100)
    place.send_tasks()
    assert job(place).size == LEAST + 3, "what waited since goes along"
    carry(place)
    assert len(crm.tasks(deal[1])) == len(rows) + 3


@pytest.mark.parametrize(("name", "before"), DEATHS)
def test_a_worker_that_dies_leaves_a_job_that_another_carries_on(
    place, crm, deal, monkeypatch, name, before
):
    """At every call of its way; the kill -9 of a real worker is in tests/crash."""
    gone = crm.opportunity(deal[0])
    rows, lost = noted(place, deal[1], 25), noted(place, gone, 1)
    crm.delete("Opportunity", gone)
    dying(monkeypatch, name, before=before)
    with pytest.raises(Dies):
        for _ in range(5):
            place.send_tasks()
            on(place, 301)
    monkeypatch.undo()
    carry(place)
    once(crm, rows)
    assert states(place) == {"done": 25, "failed": 1}
    assert len(lost) == 1


@pytest.mark.parametrize("at", ["noted", "ended", "opened"])
def test_a_worker_that_dies_before_it_notes_it(place, crm, deal, monkeypatch, at):
    """What Salesforce did and nobody kept is asked of it again."""
    rows = noted(place, deal[1], 25)

    def dies(*_, **__):
        raise Dies

    monkeypatch.setattr(type(place.store.bulk_jobs), at, dies)
    with pytest.raises(Dies):
        for _ in range(5):
            place.send_tasks()
            on(place, 301)
    monkeypatch.undo()
    carry(place)
    once(crm, rows)


def test_a_store_that_fails_amid_the_results_reads_them_again(place, crm, deal, monkeypatch):
    """Some rows are kept: the others follow, and none is sent."""
    rows = noted(place, deal[1], 25)
    place.send_tasks()
    worked(place, 301)
    kind, true = type(place.store.activities), type(place.store.activities).done

    def some(self, given, *, at):
        true(self, dict(list(given.items())[:7]), at=at)
        raise Dies

    monkeypatch.setattr(kind, "done", some)
    with pytest.raises(Dies):
        place.send_tasks()
    monkeypatch.undo()
    assert states(place) == {"done": 7, "sending": 18}
    carry(place)
    once(crm, rows)


def test_a_job_that_is_gone_is_looked_for_by_its_marks(place, crm, deal):
    """Deleted after it was done, or older than seven days: what is there is adopted."""
    rows = noted(place, deal[1], 25)
    place.send_tasks()
    worked(place, 21)
    delete(place, crm)
    assert place.send_tasks().ending.note == "25 Tasks were made, 0 were refused."
    assert job(place).note.startswith("Salesforce knows the job no more")
    once(crm, rows)
    assert states(place) == {"done": 25}


@pytest.mark.parametrize("times", [1, 2])
def test_results_that_lack_rows_are_read_again_and_then_looked_for(
    place, crm, deal, monkeypatch, times
):
    """A cut between two rows looks whole; nothing that they do not name is sent again."""
    rows = noted(place, deal[1], 25)
    true, cut = RestSalesforceClient.job_made, []

    def lacking(self, job_id):
        cut.append(job_id)
        found = true(self, job_id)
        return found[:9] if len(cut) <= times else found

    monkeypatch.setattr(RestSalesforceClient, "job_made", lacking)
    place.send_tasks()
    worked(place, 21)
    place.send_tasks()
    assert states(place) == {"done": 9, "sending": 16}
    assert job(place).state is BulkJobState.QUEUED
    on(place, 61)
    place.send_tasks()
    assert states(place) == {"done": 25}
    assert ("looked for by their marks" in job(place).note) is (times == 2)
    once(crm, rows)


def test_a_job_that_vanished_before_its_upload_gives_its_rows_back(place, crm, deal, monkeypatch):
    """The ledger knows that nothing was sent, so nobody has to look for it."""
    rows = noted(place, deal[1], 25)
    dying(monkeypatch, "job_usage", before=True)
    with pytest.raises(Dies):
        place.send_tasks()
    monkeypatch.undo()
    monkeypatch.setattr(tasks_bulk, "_upload", dies)
    with pytest.raises(Dies):
        place.send_tasks()
    monkeypatch.undo()
    assert (job(place).state, job(place).size) == (BulkJobState.OPEN, 25)
    client(place).abort_job(job(place).job_id)
    delete(place, crm)
    place.settings(bulk_from=1_000)
    assert place.send_tasks().ending.note == "25 Tasks were made, 0 were refused."
    assert job(place).note.endswith("Nothing had been uploaded.")
    once(crm, rows)


def test_a_job_whose_upload_nobody_finds_is_sent_again_after_the_looks(place, crm, deal):
    """Its upload was noted and never came: after eleven minutes of looking it goes in batches."""
    rows = noted(place, deal[1], 25)
    crm.process.fault(method="PUT", path=BATCHES, kind="reset_before_commit")
    with pytest.raises(Transient):
        place.send_tasks()
    client(place).abort_job(job(place).job_id)
    delete(place, crm)
    place.settings(bulk_from=1_000)
    ending = place.send_tasks().ending
    assert (ending.state, states(place)) == (WorkState.NEW, {"sending": 25})
    on(place, 121)
    place.send_tasks()
    assert crm.tasks(deal[1]) == []
    carry(place)
    once(crm, rows)


def test_two_workers_at_one_job_upload_once(place, crm, deal, monkeypatch):
    """One was given up and comes back: its own job is aborted, the kept one takes one upload."""
    rows = noted(place, deal[1], 25)
    true, came = RestSalesforceClient.create_job, []

    def meanwhile(self, name):
        made = true(self, name)
        if not came:
            came.append(made)
            with ThreadPoolExecutor(1) as other:
                other.submit(place.send_tasks).result()
        return made

    monkeypatch.setattr(RestSalesforceClient, "create_job", meanwhile)
    carry(place)
    once(crm, rows)
    assert [one.job_id for one in place.store.bulk_jobs.newest(1)] != came
    assert client(place).job(came[0]).state == "Aborted"


def test_a_worker_that_dies_as_it_gives_a_job_up_loses_nothing(place, crm, deal, monkeypatch):
    """Salesforce refused the job, and its Tasks were not given back yet: another does."""
    rows = noted(place, deal[1], 25)
    crm.process.fault(method="POST", path=JOBS, kind="status", status=400, code="NO")
    monkeypatch.setattr(tasks_bulk, "release", dies)
    with pytest.raises(Dies):
        place.send_tasks()
    monkeypatch.undo()
    assert (job(place).state, states(place)) == (BulkJobState.ENDED, {"sending": 25})
    carry(place)
    once(crm, rows)


def test_a_job_given_up_while_another_worker_opens_it_is_not_uploaded(
    place, crm, deal, monkeypatch
):
    """The one that comes too late aborts what it opened."""
    rows = noted(place, deal[1], 25)
    true, came = RestSalesforceClient.create_job, []

    def meanwhile(self, name):
        made = true(self, name)
        if not came:
            came.append(made)
            jobs = place.store.bulk_jobs
            assert jobs.ended(job(place).batch_id, note="No.", at=place.clock.now())
        return made

    monkeypatch.setattr(RestSalesforceClient, "create_job", meanwhile)
    carry(place)
    once(crm, rows)
    assert client(place).job(came[0]).state == "Aborted"
