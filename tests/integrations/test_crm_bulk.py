"""Thousands of Tasks go as one Bulk job, and what becomes of it (DESIGN §6)."""

import pytest

from inkwire.errors import LimitReached
from inkwire.integrations.box_salesforce import tasks_bulk
from inkwire.integrations.box_salesforce.texts import activity_in, marked
from inkwire.model.crm import Activity, ActivityState, BulkJobState
from inkwire.model.work import LedgerState, WorkState
from inkwire.providers.salesforce.client.rest import RestSalesforceClient
from inkwire.providers.salesforce.objects import Usage
from integrations.crm_bulk_kit import (
    BATCHES,
    JOBS,
    LEAST,
    carry,
    client,
    job,
    noted,
    on,
    once,
    pace,
    states,
    used,
    worked,
)
from integrations.crm_kit import Crm, world


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


def test_enough_go_as_one_job(place, crm, deal):
    """It is opened, uploaded and closed in one run; another reads its results."""
    rows = noted(place, deal[1], 25)
    pace(crm, 60)
    note = place.send_tasks().ending.note
    assert (
        note == "0 Tasks were made, 0 were refused. 25 are in a Bulk job, which is looked at again."
    )
    one = job(place)
    assert (one.state, one.size, one.said) == (BulkJobState.QUEUED, 25, "UploadComplete")
    assert one.job_id.startswith("750")
    assert states(place) == {"sending": 25}
    [asked] = place.asked("send_tasks")
    assert asked.due_at == one.look_at
    before = crm.calls()
    place.send_tasks()
    assert crm.calls(since=before) == 0, "it is not time to look"
    assert len(place.asked("send_tasks")) == 1
    on(place, 21)
    place.send_tasks()
    assert job(place).said == "UploadComplete"
    assert len(place.asked("send_tasks")) == 2
    worked(place, 60)
    assert place.send_tasks().ending.note == "25 Tasks were made, 0 were refused."
    once(crm, rows)
    by_mark = {activity_in(task["Description"]): task for task in crm.tasks(deal[1])}
    for row in place.activities():
        assert (row.state, row.task_id) == (ActivityState.DONE, by_mark[row.id]["Id"])
        assert (row.done_at, row.batch_id) == (place.clock.now(), one.batch_id)
        assert by_mark[row.id]["Status"] == "Completed"
        assert by_mark[row.id]["ActivityDate"] == row.activity_date.isoformat()
    done = job(place)
    assert (done.state, done.processed, done.failed) == (BulkJobState.ENDED, 25, 0)
    assert done.note == "25 Tasks were made, 0 were refused."
    entry = place.store.ledger.get(f"tasks/1/{done.batch_id}")
    assert (entry.state, entry.remote_id, entry.sends) == (LedgerState.DONE, done.job_id, 1)


def test_fewer_go_in_batches(place, crm, deal):
    """One less than the setting says; of many, what is left over."""
    noted(place, deal[1], LEAST - 1)
    assert place.send_tasks().ending.note == f"{LEAST - 1} Tasks were made, 0 were refused."
    assert place.store.bulk_jobs.newest(1) == []
    assert len(crm.tasks(deal[1])) == LEAST - 1


def test_more_than_a_job_takes_are_several_jobs(place, crm, deal, monkeypatch):
    """As many as wait; what is then too few for one goes in a batch."""
    monkeypatch.setattr(tasks_bulk, "MOST_BULK_ROWS", 30)
    rows = noted(place, deal[1], 65)
    note = place.send_tasks().ending.note
    assert note.startswith("5 Tasks were made, 0 were refused. 60 are in a Bulk job")
    assert [one.size for one in place.store.bulk_jobs.newest(1)] == [30, 30]
    carry(place)
    once(crm, rows)


def test_a_job_is_no_larger_than_salesforce_takes(place, crm, deal, monkeypatch):
    """Bytes count, too: it takes no more once it has so many."""
    monkeypatch.setattr(tasks_bulk, "MOST_BYTES", 30_000)
    monkeypatch.setattr(tasks_bulk, "MOST_ROWS", 10)
    rows = noted(place, deal[1], 65, text="x" * 1_000)
    place.send_tasks()
    assert [one.size for one in place.store.bulk_jobs.newest(1)] == [30, 30]
    carry(place)
    once(crm, rows)


def test_contacts_are_looked_up_for_all_of_them(place, crm, deal):
    """As in a batch: by the e-mail address of who did it."""
    account, opportunity = deal
    jane = crm.contact(account, "jane@example.com")
    work = place.keep(place.work("note_activity", actor_email="Jane@example.com"))
    now = place.clock.now()
    rows = [
        Activity(
            id=(one := place.hub.ids.new("act")), integration_id=1, key=f"c/{index}", subject="Seen",
            description=marked("text", one), who_id=None, what_id=opportunity,
            activity_date=now.date(), work_id=work.id, created_at=now,
        )
        for index in range(LEAST)
    ]  # fmt: skip
    place.store.activities.add(rows)
    carry(place)
    assert {one["WhoId"] for one in crm.tasks(opportunity)} == {jane}


@pytest.mark.parametrize(
    "text",
    [
        'say "MSA", twice: ""',
        "one\ntwo\r\nthree\rfour",
        '=HYPERLINK("http://x")',
        "#N/A",
        "契約書 – Vertrag – عقد – договор 😀",
        "\ttabs, and ' ends with a blank ",
        "x" * 40_000,
    ],
)
def test_any_text_arrives_as_it_was_noted(place, crm, deal, text):
    """What a row of Collections would say; only ends of lines become one kind."""
    rows = noted(place, deal[1], text=text, subject=text.replace("\n", " ")[:200])
    carry(place)
    once(crm, rows)
    by_mark = {activity_in(task["Description"]): task for task in crm.tasks(deal[1])}
    for row in rows:
        expected = row.description.replace("\r\n", "\n").replace("\r", "\n")
        assert by_mark[row.id]["Description"] == expected


def test_rows_fail_alone(place, crm, deal):
    """In the organisation's own words, as in a batch; the others are made."""
    gone = crm.opportunity(deal[0])
    rows, lost = noted(place, deal[1], 15), noted(place, gone, 10)
    crm.delete("Opportunity", gone)
    carry(place)
    once(crm, rows)
    found = {row.id: row for row in place.activities()}
    for row in lost:
        assert found[row.id].state is ActivityState.FAILED
        assert found[row.id].note == "Salesforce refuses the Task: entity is deleted"
    assert job(place).note == "15 Tasks were made, 10 were refused."


def test_locked_rows_are_sent_again_later(place, crm, deal):
    """The others are done; these go with the next batch or job."""
    free = crm.opportunity(crm.account())
    rows, locked = noted(place, free, 15), noted(place, deal[1], 10)
    crm.process.call("POST", "/salesforce/locks", {"account_id": deal[0], "held": True})
    try:
        place.send_tasks()
        worked(place, 21)
        ending = place.send_tasks().ending
    finally:
        crm.process.call("POST", "/salesforce/locks", {"account_id": deal[0], "held": False})
    assert (ending.state, ending.note[:18]) == (WorkState.NEW, "15 Tasks were made")
    assert states(place) == {"done": 15, "waiting": 10}
    carry(place)
    once(crm, rows)
    once(crm, locked)


def test_from_its_share_of_the_day_no_job_is_sent_or_looked_at(place, crm, deal):
    """Nothing but files is; what waits goes on when the window frees."""
    rows = noted(place, deal[1], 25)
    used(place, 9_000)
    with pytest.raises(LimitReached, match="9000 of the organisation's 10000 API calls"):
        place.send_tasks()
    assert place.store.bulk_jobs.newest(1) == []
    used(place, 10)
    place.send_tasks()
    on(place, 21)
    used(place, 9_000)
    before = crm.calls()
    with pytest.raises(LimitReached):
        place.send_tasks()
    assert crm.calls(since=before) == 0
    carry(place)
    once(crm, rows)


@pytest.mark.parametrize(("number", "as_job"), [(13_499, True), (13_500, False)])
def test_from_its_share_of_the_days_batches_rows_go_as_before(
    place, crm, deal, monkeypatch, number, as_job
):
    """Salesforce takes 15,000 batches a day, and others use them, too."""
    rows = noted(place, deal[1], 25)
    says = Usage(used=number, most=15_000)
    monkeypatch.setattr(RestSalesforceClient, "job_usage", lambda _: says)
    place.send_tasks()
    assert bool(place.store.bulk_jobs.newest(1)) is as_job
    carry(place)
    once(crm, rows)


def test_a_job_that_fails_whole_does_not_fail_for_ever(place, crm, deal, monkeypatch):
    """Its sentence is kept; that day Tasks go in batches, the next day it is tried again."""
    monkeypatch.setattr(tasks_bulk, "COLUMNS", (*tasks_bulk.COLUMNS, "Nope__c"))
    rows = noted(place, deal[1], 25)
    carry(place)
    once(crm, rows)
    [one] = place.store.bulk_jobs.newest(1)
    assert "It ended as Failed: “InvalidBatch : Field name not found : Nope__c”." in one.note
    monkeypatch.undo()
    more = noted(place, deal[1], 25, start=100)
    assert place.send_tasks().ending.note == "25 Tasks were made, 0 were refused."
    place.clock.advance(seconds=86_400)
    third = noted(place, deal[1], 25, start=200)
    assert "25 are in a Bulk job" in place.send_tasks().ending.note
    carry(place)
    once(crm, [*rows, *more, *third])


@pytest.mark.parametrize(("method", "path"), [("POST", JOBS), ("PUT", BATCHES)])
def test_who_gets_no_job_sends_batches(place, crm, deal, method, path):
    """A refusal is no reason to wait: the sentence stands on the job."""
    rows = noted(place, deal[1], 25)
    crm.process.fault(method=method, path=path, kind="status", status=400, code="FEATURENOTENABLED")
    carry(place)
    once(crm, rows)
    assert len(place.store.bulk_jobs.newest(1)) == 1


def test_an_aborted_job_gives_back_what_it_did_not_do(place, crm, deal):
    """An admin ended it: what is made stays, the rest goes in batches."""
    rows = noted(place, deal[1], 25)
    pace(crm, 3600)
    place.send_tasks()
    client(place).abort_job(job(place).job_id)
    on(place, 301)
    place.send_tasks()
    assert states(place) == {"waiting": 25} or states(place) == {"done": 25}
    pace(crm, 0)
    carry(place)
    once(crm, rows)
    assert len(place.store.bulk_jobs.newest(1)) == 1, "batches for the rest of the day"
    assert "It ended as Aborted." in job(place).note
