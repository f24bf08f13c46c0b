"""Found on rereading Box and Salesforce in step: a wrong record, and work that stood for ever."""

import json
from types import SimpleNamespace

import pytest

from inkwire.engine.contract import Outcome
from inkwire.errors import CallFailed
from inkwire.integrations.box_salesforce import filling, finding
from inkwire.integrations.box_salesforce.keeping import triggers_of
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import Attachment
from inkwire.model.work import ParkCause, WorkState
from integrations.crm_kit import Crm, world

#: A ContentVersion that Salesforce does not have.
GONE = "068Sb000000zzzzIAA"


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


def park(place, work, ending):
    """Ends the row in the store as the engine would."""
    now = place.clock.now()
    rows = place.store.works.claim(executor_id="x", now=now, limit=10)
    (taken,) = [row for row in rows if row.id == work.id]
    assert place.store.works.end(work.id, run_number=taken.run_number, ending=ending, at=now)


# --- the rule on names


def test_a_name_that_many_have_is_narrowed_down_by_the_account_before_it_is_counted(place, crm):
    """The sixth of that name was read and no further, so the account's own was not seen."""
    place.settings(path_rule="name")
    name, acme = crm.named("Renewal"), crm.account(crm.named("Acme"))
    for _ in range(7):
        crm.opportunity(crm.account(), name)
    mine = crm.opportunity(acme, name)
    above = crm.deal(crm.one("Account", acme)["Name"])
    place.run(place.uploaded(crm.upload(crm.folder(name, above), "a.txt", b"a")))
    assert len(crm.files(mine)) == 1


def test_two_of_one_account_are_a_conflict_however_many_others_there_are(place, crm):
    """One of them stood behind the sixth, so the other looked like the only one."""
    place.settings(path_rule="name")
    name, acme = crm.named("Renewal"), crm.account(crm.named("Acme"))
    one = crm.opportunity(acme, name)
    for _ in range(6):
        crm.opportunity(crm.account(), name)
    two = crm.opportunity(acme, name)
    above = crm.deal(crm.one("Account", acme)["Name"])
    ending = place.run(place.uploaded(crm.upload(crm.folder(name, above), "a.txt", b"a"))).ending
    assert ending.park_cause is ParkCause.MAPPING
    assert one in ending.note
    assert two in ending.note


@pytest.mark.parametrize("by", ["name", "metadata"])
def test_a_folder_below_one_account_is_never_another_accounts_opportunity(place, crm, by):
    """Acme's files went to Globex because only Globex had an opportunity of that name."""
    place.settings(path_rule="name")
    name, acme, globex = crm.named("Renewal"), crm.account(crm.named("Acme")), crm.account()
    theirs = crm.opportunity(globex, name)
    if by == "name":
        above = crm.deal(crm.one("Account", acme)["Name"])
    else:
        above = crm.deal("", account_id=acme)
        place.run(place.uploaded(crm.upload(above, "first.txt", b"1")))
    place.run(place.uploaded(crm.upload(crm.folder(name, above), "a.txt", b"a")))
    assert crm.files(theirs) == []
    assert "a" in {row["Title"] for row in crm.files(acme)}


# --- what a file costs


@pytest.mark.parametrize("rule", ["off", "name"])
def test_a_subfolder_of_a_record_s_folder_is_asked_for_once_not_for_each_file(place, crm, rule):
    """Each file cost a look at its metadata, and by the rule on names two queries."""
    place.settings(path_rule=rule)
    opportunity = crm.opportunity(crm.account())
    year = crm.folder("2026", crm.deal("", opportunity_id=opportunity))
    place.run(place.uploaded(crm.upload(year, "a.txt", b"a")))
    before, looked = crm.calls(), looks(crm)
    place.run(place.uploaded(crm.upload(year, "b.txt", b"b")))
    assert crm.calls(since=before) == 1
    assert looks(crm) == looked
    assert len(crm.files(opportunity)) == 2


def test_a_subfolder_is_asked_anew_after_an_hour(place, crm):
    """Box may not have told that it got metadata of its own."""
    account = crm.account()
    opportunity = crm.opportunity(account)
    own = crm.folder("Own", crm.deal("", opportunity_id=opportunity))
    place.run(place.uploaded(crm.upload(own, "a.txt", b"a")))
    crm.metadata(own, account_id=account)
    place.clock.advance(seconds=finding.PASSED_S + 1)
    place.run(place.uploaded(crm.upload(own, "b.txt", b"b")))
    assert [row["Title"] for row in crm.files(account)] == ["b"]


def looks(crm) -> int:
    """How often the metadata of a folder was read."""
    return sum("/metadata/" in call["path"] for call in crm.process.calls())


# --- what waits


def test_a_file_right_in_the_root_folder_is_told_what_helps(place, crm):
    """Metadata on the root folder helps nobody: it is never asked."""
    ending = place.run(place.uploaded(crm.upload(crm.root, crm.named("a"), b"a"))).ending
    assert ending.park_cause is ParkCause.MAPPING
    assert "lies right in Clients, which is no record's: move it" in ending.note


def test_what_waited_starts_when_the_walk_finds_it_below_a_record(place, crm):
    """Its folder was moved there, of which Box tells nobody here."""
    opportunity = crm.opportunity(crm.account())
    known, stray = crm.deal("", opportunity_id=opportunity), crm.deal()
    place.run(place.uploaded(crm.upload(known, "known.txt", b"k")))
    work = place.uploaded(crm.upload(stray, "stray.txt", b"s"))
    park(place, work, place.run(work).ending)
    crm.call("PUT", f"/folders/{stray}", json={"parent": {"id": known}})
    place.run(place.work("fill_gaps"))
    assert place.store.works.get(work.id).state is WorkState.NEW
    place.run(work)
    assert len(crm.files(opportunity)) == 2


# --- the walk


def test_a_folder_that_is_gone_does_not_stop_the_walk_for_ever(place, crm):
    """The walk remembers folders for its next run; meanwhile one was deleted."""
    opportunity = crm.opportunity(crm.account())
    folder = crm.deal("", opportunity_id=opportunity)
    place.run(place.uploaded(crm.upload(folder, "first.txt", b"1")))
    missed, gone = crm.folder("Missed", folder), crm.folder("Gone", folder)
    made = crm.upload(missed, "missed.txt", b"m")
    crm.call("DELETE", f"/folders/{gone}?recursive=true")
    left = json.dumps({"offset": 1, "left": [missed, gone]})
    place.store.integrations.set_remote(place.integration.id, {filling.WALK: left})
    place.run(place.work("fill_gaps"))
    assert made["id"] in [row.subject["file_id"] for row in place.asked("sync_file")]


def test_a_walk_that_is_broken_off_goes_on_where_it_was(place, crm):
    """It began anew, and where one call in a hundred fails it never came to its end."""
    opportunity = crm.opportunity(crm.account())
    folder = crm.deal("", opportunity_id=opportunity)
    place.run(place.uploaded(crm.upload(folder, "first.txt", b"1")))
    one, two = crm.folder("One", folder), crm.folder("Two", folder)
    left = json.dumps({"offset": 1, "left": [one, two]})
    place.store.integrations.set_remote(place.integration.id, {filling.WALK: left})
    place.run(place.work("fill_gaps"))  # learns where the stream is
    place.store.integrations.set_remote(place.integration.id, {filling.WALK: left})
    crm.process.fault(kind="status", path=f"/2.0/folders/{one}/items", status=503, times=1)
    with pytest.raises(CallFailed):
        place.run(place.work("fill_gaps"))
    crm.clear_faults()
    kept = json.loads(place.store.integrations.get(place.integration.id).remote[filling.WALK])
    assert kept["left"] == [one]


# --- what is heard, and what is kept


def test_signatures_are_heard_although_the_stage_stays(place):
    """The Task and the file on the account have nothing to do with the stage."""
    place.settings(executed_stage="")
    assert "SIGN_REQUEST.COMPLETED" in triggers_of(chosen(place.integration))


@pytest.fixture
def kept(monkeypatch):
    """What steps return, as the engine's journal keeps it."""
    found: list[str] = []

    def dumps(value):
        found.append(json.dumps(value))
        return found[-1]

    monkeypatch.setattr("fakes.run.json", SimpleNamespace(dumps=dumps, loads=json.loads))
    return found


def test_steps_keep_no_names_of_people(place, crm, kept):
    """The journal of the engine is for ids; the texts stand in the work's row."""
    opportunity = crm.opportunity(crm.account())
    folder = crm.deal("", opportunity_id=opportunity)
    place.run(
        place.work(
            "note_activity",
            folder_id=folder,
            trigger="COLLABORATION.CREATED",
            actor="Jane Doe",
            actor_email="jane@example.com",
            collaborator="lawyer@example.net",
            role="viewer",
        )
    )
    assert kept
    assert not [text for text in kept if "Jane" in text or "lawyer" in text]
    (activity,) = place.activities()
    assert "lawyer@example.net" in activity.subject


def test_a_version_that_no_event_told_of_has_its_author_in_the_task(place, crm):
    """It said Somebody, though Box knows who."""
    opportunity = crm.opportunity(crm.account())
    made = crm.upload(crm.deal("", opportunity_id=opportunity), "a.txt", b"a")
    version = str(made["file_version"]["id"])
    place.run(place.work("sync_file", file_id=str(made["id"]), version_id=version))
    (activity,) = place.activities()
    assert activity.subject == f"{made['modified_by']['name']} uploaded a.txt, version 1"


def test_the_present_version_is_attached_whatever_number_an_older_one_had(place, crm):
    """The newer one was deleted in Box, and what Box shows instead was never attached."""
    opportunity = crm.opportunity(crm.account())
    made = crm.upload(crm.deal("", opportunity_id=opportunity), "a.txt", b"a")
    work = place.uploaded(made)
    now = place.clock.now()
    place.store.attachments.plan(
        [
            Attachment(
                id=place.hub.ids.new("att"),
                integration_id=place.integration.id,
                file_id=str(made["id"]),
                version_id="99999",
                version_number=2,
                name="a.txt",
                sha1="",
                size=2,
                record_id=opportunity,
                object="Opportunity",
                first=True,
                work_id=work.id,
                created_at=now,
            )
        ]
    )
    (row,) = place.store.attachments.of_version(place.integration.id, str(made["id"]), "99999")
    place.store.attachments.stored(row.id, content_version_id=GONE, md5="", size=2, at=now)
    assert "is on Opportunity" in place.note(work)
    assert [one["Title"] for one in crm.files(opportunity)] == ["a"]


def test_provisioning_keeps_no_address_in_its_steps(place, crm, kept):
    """Whom it gave access stands in the folder's row."""
    place.settings(provision=True)
    opportunity = crm.opportunity(crm.account(crm.named("Acme")))
    place.run(place.work("provision", object="Opportunity", record_id=opportunity))
    row = place.store.record_folders.of_record(place.integration.id, opportunity)
    assert row.owner_email
    assert not [text for text in kept if row.owner_email in text]


def test_access_to_the_root_folder_itself_is_no_record_s(place, crm):
    """It waited for ever for a record that the root folder never has."""
    ending = place.run(
        place.work(
            "note_activity",
            folder_id=crm.root,
            trigger="COLLABORATION.CREATED",
            collaborator="new@example.com",
        )
    ).ending
    assert ending.state is WorkState.DONE
    assert ending.note == "Clients is the root folder, which is no record's."


def test_a_version_that_waited_for_a_record_comes_before_its_successor(place, crm):
    """The next version came between the mapping and the waking, and the first was left out."""
    opportunity, folder = crm.opportunity(crm.account()), crm.deal()
    made = crm.upload(folder, "a.txt", b"1")
    first = place.uploaded(made)
    park(place, first, place.run(first).ending)
    crm.metadata(folder, opportunity_id=opportunity)
    second = place.uploaded(crm.new_version(str(made["id"]), b"22"))
    ending = place.run(second).ending
    assert (ending.state, crm.files(opportunity)) == (WorkState.NEW, [])
    assert "An older version of a.txt is attached first" in ending.note
    assert place.store.works.get(first.id).state is WorkState.NEW
    place.run(first)
    park(place, first, Outcome.done("It is there.").ending)
    place.run(second)
    assert [row["ContentSize"] for row in crm.files(opportunity)] == [1, 2]
