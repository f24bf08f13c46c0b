"""What happens becomes Tasks on contact and record, each once (R64, R65)."""

import pytest

from inkwire.errors import LimitReached, Permanent
from inkwire.ingest.metrics import Metrics
from inkwire.integrations.box_salesforce.texts import marked
from inkwire.metrics import metrics_registry
from inkwire.model.crm import Activity, ActivityState, ApiUsage, AttachmentState
from inkwire.model.work import ParkCause, WorkState
from integrations.crm_kit import Crm, world


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    """One sandbox for all."""
    one = Crm(tmp_path_factory.mktemp("crm") / "sandbox")
    yield one
    one.close()


@pytest.fixture
def place(tmp_path, crm):
    """A hub of its own at this sandbox."""
    with world(tmp_path / "hub", crm) as made:
        yield made


@pytest.fixture
def deal(crm):
    """An account, its opportunity, and that one's folder."""
    account = crm.account()
    opportunity = crm.opportunity(account)
    return account, opportunity, crm.deal(opportunity_id=opportunity)


def noted(place, trigger, **subject):
    """A row of what is not attached."""
    given = {
        "trigger": trigger,
        "actor": "Jane Doe",
        "actor_email": "jane@example.com",
        "actor_id": "4711",
        "at": place.clock.now().isoformat(),
    }
    return place.keep(place.work("note_activity", **(given | subject)))


def test_an_upload_is_a_task_on_the_contact_of_who_did_it(place, crm, deal):
    """Actor and version number in the subject; the contact is found by e-mail, in this account."""
    account, opportunity, folder = deal
    elsewhere = crm.contact(crm.account(), "jane@example.com")
    contact = crm.contact(account, "Jane@Example.com")
    made = crm.upload(folder, "MSA.pdf", b"1")
    place.run(place.uploaded(made))
    place.run(place.uploaded(crm.new_version(made["id"], b"2")))
    assert place.send_tasks().ending.note == "2 Tasks were made, 0 were refused."
    first, second = sorted(crm.tasks(opportunity), key=lambda task: task["Subject"])
    assert first["Subject"] == "Jane Doe uploaded MSA.pdf, version 1"
    assert second["Subject"] == "Jane Doe uploaded MSA.pdf, version 2"
    assert (first["Status"], first["WhatId"], first["WhoId"]) == ("Completed", opportunity, contact)
    assert first["ActivityDate"] == place.clock.now().date().isoformat()
    assert f"https://app.box.com/file/{made['id']}" in first["Description"]
    assert "By: jane@example.com" in first["Description"]
    row, _ = place.activities()
    assert (row.state, row.task_id) == (ActivityState.DONE, first["Id"])
    assert crm.tasks(elsewhere) == []


def test_without_a_contact_of_that_address_the_roles_say_who_it_is(place, crm, deal):
    """The primary role first; a Lead of that address is none; nobody is nobody."""
    account, opportunity, folder = deal
    email = f"{opportunity}@example.com".lower()
    crm.add("Lead", LastName="Doe", Company="Acme", Email=email)
    other, primary = crm.contact(account, "a@example.com"), crm.contact(account, "b@example.com")
    crm.add("OpportunityContactRole", OpportunityId=opportunity, ContactId=other)
    crm.add("OpportunityContactRole", OpportunityId=opportunity, ContactId=primary, IsPrimary=True)
    lonely = crm.opportunity(account)
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a"), actor_email=email))
    alone = crm.deal(opportunity_id=lonely)
    place.run(place.uploaded(crm.upload(alone, "b.txt", b"b"), actor_email=email))
    place.send_tasks()
    assert [task["WhoId"] for task in crm.tasks(opportunity)] == [primary]
    assert [task["WhoId"] for task in crm.tasks(lonely)] == [None]


def test_a_collaboration_is_a_task_on_who_got_access(place, crm, deal):
    """Also of the one that accepts; the owner whom Inkwire let in is not told of."""
    account, opportunity, folder = deal
    prospect = crm.contact(account, "tom.prospect@example.com")
    given = {"folder_id": folder, "collaborator": "tom.prospect@example.com", "role": "viewer"}
    name = crm.call("GET", f"/folders/{folder}")["name"]
    note = place.note(noted(place, "COLLABORATION.CREATED", **given))
    subject = f"Jane Doe gave tom.prospect@example.com access to {name} as viewer"
    assert note == f"Noted for a Task: {subject}."
    place.note(noted(place, "COLLABORATION.ACCEPTED", **given))
    place.send_tasks()
    tasks = sorted(crm.tasks(opportunity), key=lambda task: task["Subject"])
    assert [task["WhoId"] for task in tasks] == [prospect, prospect]
    assert tasks[0]["Subject"] == subject
    assert tasks[1]["Subject"] == f"tom.prospect@example.com accepted access to {name} as viewer"


def test_a_view_is_noted_once_for_each_viewer_and_day(place, crm, deal):
    """Preview and download are one; Inkwire's own reading is none."""
    _, opportunity, folder = deal
    made = crm.upload(folder, "MSA.pdf", b"1")
    for trigger in ("FILE.PREVIEWED", "FILE.DOWNLOADED", "FILE.PREVIEWED"):
        place.run(noted(place, trigger, file_id=made["id"]))
    place.run(noted(place, "FILE.PREVIEWED", file_id=made["id"], actor_email="tom@example.com"))
    place.clock.advance(seconds=86_400)
    place.run(noted(place, "FILE.PREVIEWED", file_id=made["id"]))
    own = crm.box["service_account_id"]
    note = place.note(noted(place, "FILE.DOWNLOADED", file_id=made["id"], actor_id=own))
    assert note == "Inkwire did this itself, so nothing is noted."
    place.send_tasks()
    assert len(crm.tasks(opportunity)) == 3


def test_activity_of_no_record_waits_for_one(place, crm):
    """As a file does."""
    folder = crm.deal()
    ending = place.run(
        noted(place, "COLLABORATION.CREATED", folder_id=folder, collaborator="a@example.com")
    ).ending
    assert (ending.state, ending.park_cause) == (WorkState.PARKED, ParkCause.MAPPING)
    assert place.activities() == []


def test_without_a_log_there_are_no_tasks(place, crm, deal):
    """Files go on."""
    _, opportunity, folder = deal
    place.settings(log_activity=False)
    place.run(place.uploaded(crm.upload(folder, "MSA.pdf", b"1")))
    assert place.activities() == []
    assert place.asked("send_tasks") == []
    assert len(crm.files(opportunity)) == 1


def test_a_file_of_a_person_is_a_task_about_that_person(place, crm):
    """A lead takes no WhatId beside it."""
    lead = crm.add("Lead", LastName="Doe", Company="Acme")
    folder = crm.deal(record_id=lead)
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    place.send_tasks()
    (task,) = crm.tasks(lead)
    assert (task["WhoId"], task["WhatId"]) == (lead, None)


def test_long_texts_are_cut_and_their_mark_is_kept(place, crm, deal):
    """255 characters of a subject, and the whole name in the description."""
    _, opportunity, folder = deal
    name = "契" * 250 + ".pdf"
    place.run(place.uploaded(crm.upload(folder, name, b"a"), actor="J" * 200))
    place.send_tasks()
    (task,) = crm.tasks(opportunity)
    assert len(task["Subject"]) == 255
    assert task["Subject"].endswith("…")
    assert task["Description"].endswith(f"Inkwire: {place.activities()[0].id}")


def test_a_status_that_the_organisation_does_not_know_is_named(place, crm, deal):
    """Tasks wait until the setting is right; its spelling is the organisation's."""
    _, opportunity, folder = deal
    place.settings(task_status="Finished")
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    with pytest.raises(Permanent, match="no Task status “Finished”; choose one of: Not Started"):
        place.send_tasks()
    place.settings(task_status="completed")
    place.send_tasks()
    assert [task["Status"] for task in crm.tasks(opportunity)] == ["Completed"]


def test_a_thousand_tasks_are_at_most_ten_calls(place, crm, deal):
    """Five calls of two hundred, one look for contacts and one for roles."""
    _, opportunity, folder = deal
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    place.send_tasks()
    _add(place, opportunity, 1_000)
    before = crm.calls()
    assert place.send_tasks().ending.note == "1000 Tasks were made, 0 were refused."
    assert crm.calls(since=before) <= 10
    assert len(crm.tasks(opportunity)) == 1_001


def _add(place, opportunity, number):
    rows = []
    for index in range(number):
        one = place.hub.ids.new("act")
        rows.append(
            Activity(
                id=one, integration_id=1, key=f"k/{index}", subject=f"Task {index}",
                description=marked("text", one), who_id=None, what_id=opportunity,
                activity_date=place.clock.now().date(), work_id="wrk_x",
                created_at=place.clock.now(),
            )
        )  # fmt: skip
    assert place.store.activities.add(rows) == number


def test_rows_fail_alone(place, crm, deal):
    """A record that is gone refuses its Task in its own words; the others are made."""
    account, opportunity, folder = deal
    gone = crm.opportunity(account)
    other = crm.deal(opportunity_id=gone)
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    place.run(place.uploaded(crm.upload(other, "b.txt", b"b")))
    crm.delete("Opportunity", gone)
    assert place.send_tasks().ending.note == "1 Tasks were made, 1 were refused."
    states = {row.what_id: row for row in place.activities()}
    assert states[opportunity].state is ActivityState.DONE
    assert states[gone].state is ActivityState.FAILED
    assert states[gone].note.startswith("Salesforce refuses the Task: ")


def test_locked_rows_are_sent_again_later(place, crm, deal):
    """The lock is the other writer's; nothing is lost and nothing twice."""
    account, opportunity, folder = deal
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    crm.process.call("POST", "/salesforce/locks", {"account_id": account, "held": True})
    ending = place.send_tasks().ending
    assert ending.state is WorkState.NEW
    assert [row.state for row in place.activities()] == [ActivityState.WAITING]
    crm.process.call("POST", "/salesforce/locks", {"account_id": account, "held": False})
    place.clock.advance(seconds=61)
    place.send_tasks()
    assert [row.state for row in place.activities()] == [ActivityState.DONE]
    assert len(crm.tasks(opportunity)) == 1


# --- the day's calls


def test_from_its_share_of_the_day_only_files_are_sent(place, crm, deal):
    """Tasks and comparing wait five minutes; then the limit is looked at anew."""
    _, opportunity, folder = deal
    made = crm.upload(folder, "a.txt", b"a")
    work = place.uploaded(made)
    _used(place, 9_000)
    place.run(work)
    assert len(crm.files(opportunity)) == 1
    _used(place, 9_000)
    for call in (place.send_tasks, place.settle):
        with pytest.raises(LimitReached, match="9000 of the organisation's 10000 API calls") as no:
            call()
        assert no.value.retry_after_s >= 300
    assert crm.tasks(opportunity) == []
    place.clock.advance(seconds=301)
    place.send_tasks()  # asks for the limits, and they are well again
    place.settle()
    assert len(crm.tasks(opportunity)) == 1
    (row,) = place.rows(made)
    assert row.state is AttachmentState.VERIFIED


def test_below_its_share_all_is_sent(place, crm, deal):
    """One call below it is below it."""
    _, opportunity, folder = deal
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    _used(place, 8_999)
    place.send_tasks()
    assert len(crm.tasks(opportunity)) == 1


def _used(place, used):
    place.store.api_usages.note(
        ApiUsage(connection_id="salesforce", used=used, most=10_000, at=place.clock.now())
    )


@pytest.mark.parametrize(("used", "gathers_s"), [(6_999, 30), (7_000, 300)])
def test_from_seventy_per_cent_on_tasks_are_gathered_for_five_minutes(
    place, crm, deal, used, gathers_s
):
    """So that a call has more of them; files go on as they come."""
    _, opportunity, folder = deal
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    _used(place, used)
    place.run(place.uploaded(crm.upload(folder, "b.txt", b"b")))
    due = max(row.due_at for row in place.asked("send_tasks"))
    assert due.timestamp() % gathers_s == 0
    assert 0 < (due - place.clock.now()).total_seconds() <= gathers_s
    assert len(crm.files(opportunity)) == 2


def test_what_is_used_and_what_waits_is_in_the_metrics(place, crm, deal):
    """For an alarm before the day's calls are used up."""
    _, _, folder = deal
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    _used(place, 9_000)
    shown = metrics_registry(Metrics, place.store, place.clock).get_sample_value
    assert shown("inkwire_api_calls_used", {"connection": "salesforce"}) == 9_000
    assert shown("inkwire_api_calls_most", {"connection": "salesforce"}) == 10_000
    assert shown("inkwire_attachments", {"state": "stored"}) == 1
    assert shown("inkwire_attachments", {"state": "failed"}) == 0
    assert shown("inkwire_activities", {"state": "waiting"}) == 1


def test_when_all_calls_are_used_files_wait_without_asking(place, crm, deal):
    """Each call would be refused; one is tried in five minutes."""
    _, opportunity, folder = deal
    place.run(place.uploaded(crm.upload(folder, "first.txt", b"a")))
    work = place.uploaded(crm.upload(folder, "a.txt", b"a"))
    _used(place, 10_000)
    before = crm.process.counts()
    with pytest.raises(LimitReached, match="All 10000 API calls"):
        place.run(work)
    after = crm.process.counts()
    assert [one for one in after if "ContentVersion" in one and after[one] != before.get(one)] == []
    place.clock.advance(seconds=301)
    place.run(work)
    assert len(crm.files(opportunity)) == 2
