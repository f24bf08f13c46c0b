"""Folders of records: made once, named, shared, followed (R66–R69), against the real sandbox."""

import json

import pytest

from inkwire.errors import CallFailed, LimitReached, Permanent
from inkwire.integrations.box_salesforce import INTEGRATION
from inkwire.model.crm import ApiUsage, FolderOrigin, FolderState
from inkwire.model.work import ParkCause, WorkState
from inkwire.store.acting import Ending
from integrations.folder_kit import owner, town


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A sandbox and a hub for all tests here; each has an integration of its own."""
    with town(tmp_path_factory.mktemp("provisioning")) as one:
        yield one


def test_an_opportunity_gets_the_tree_of_the_settings(place):
    """R66, R67: folders, metadata and the mapping, and a second run changes nothing."""
    office = place.office()
    account = office.account("Acme")
    deal = office.deal("Renewal 2026", account)
    note = office.provision("Opportunity", deal)
    assert "was made" in note
    assert office.tree() == {"Acme": {"Renewal 2026": {"Contracts": {}, "Proposals": {}}}}
    folder = office.folder(deal)
    assert (folder.state, folder.origin) == (FolderState.MAPPED, FolderOrigin.PROVISIONED)
    assert folder.path == f"/{office.root}/Acme/Renewal 2026"
    assert (folder.record_name, folder.account_id) == ("Renewal 2026", account)
    assert office.metadata(folder.folder_id) == {
        "opportunity_id": deal,
        "account_id": account,
        "record_id": deal,
        "object": "Opportunity",
    }
    above = office.folder(account)
    assert office.metadata(above.folder_id) == {
        "account_id": account,
        "record_id": account,
        "object": "Account",
    }
    assert "as it should be" in office.provision("Opportunity", deal)
    assert office.tree() == {"Acme": {"Renewal 2026": {"Contracts": {}, "Proposals": {}}}}


def test_an_account_alone_gets_its_own_folder_only(place):
    """Without an opportunity there are no contracts yet."""
    office = place.office(folder_tree="{Account.Name}/Master\n{Account.Name}/{Opportunity.Name}/X")
    account = office.account("Globex")
    office.provision("Account", account)
    assert office.tree() == {"Globex": {"Master": {}}}
    deal = office.deal("First", account)
    office.provision("Opportunity", deal)
    assert office.tree() == {"Globex": {"Master": {}, "First": {"X": {}}}}
    assert office.rows("provision") == []


def test_the_account_of_a_first_deal_is_looked_after_by_a_run_of_its_own(place):
    """Its owner and its link are not the opportunity's business."""
    office = place.office()
    account = office.account("Hooli")
    office.provision("Opportunity", office.deal("A", account))
    office.provision("Opportunity", office.deal("B", account))
    (row,) = office.rows("provision")
    assert row.subject == {"object": "Account", "record_id": account}
    office.run(row)
    owner = office.record("Account", account)["OwnerId"]
    email = next(one["email"] for one in office.users() if one["id"] == owner)
    assert office.people(office.folder(account).folder_id) == {email: "editor"}


def test_a_deal_without_an_account_has_a_place_too(place):
    """It moves to its account's folder once it has one."""
    office = place.office()
    deal = office.deal("Orphan")
    office.provision("Opportunity", deal)
    assert office.tree() == {"Without account": {"Orphan": {"Contracts": {}, "Proposals": {}}}}
    office.change("Opportunity", deal, AccountId=office.account("Found"))
    office.provision("Opportunity", deal)
    assert office.tree() == {
        "Without account": {},
        "Found": {"Orphan": {"Contracts": {}, "Proposals": {}}},
    }


def test_two_records_of_one_name_get_two_folders(place):
    """The second one's has the end of its id."""
    office = place.office(folder_tree="{Account.Name}/{Opportunity.Name}")
    one, two = office.account("Acme"), office.account("acme")
    deals = [office.deal("Renewal", one), office.deal("Renewal", one), office.deal("Renewal", two)]
    for deal in deals:
        office.provision("Opportunity", deal)
    assert office.tree() == {
        "Acme": {"Renewal": {}, f"Renewal ({deals[1][-6:]})": {}},
        f"acme ({two[-6:]})": {"Renewal": {}},
    }
    assert len({office.folder(deal).folder_id for deal in deals}) == 3


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("A/B \\ C", "A-B - C"),
        ("  株式会社アクメ  更新 ", "株式会社アクメ 更新"),
        ("شركة", "شركة"),
        ("Q4: <50 %> | why?", "Q4- -50 %- - why-"),
        ("end. . .", "end"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("n" * 120, "n" * 120),
    ],
)
def test_any_name_makes_a_folder(place, name, called):
    """R69: cleaned of what Box forbids, in any script."""
    office = place.office(folder_tree="{Account.Name}")
    office.provision("Account", office.account(name))
    assert office.tree() == {called: {}}


def test_a_name_of_which_nothing_is_left_becomes_the_id(place):
    """`..` is no name at Box."""
    office = place.office(folder_tree="{Account.Name}")
    account = office.account("..")
    office.provision("Account", account)
    assert office.tree() == {account: {}}


def test_a_folder_that_somebody_made_is_adopted_unless_it_is_another_record_s(place):
    """409: what it carries decides."""
    office = place.office(folder_tree="{Account.Name}/Signed")
    first = office.account("Initech")
    office.provision("Account", first)
    root = office.items("0")[office.root]
    mine = place.box("POST", "/folders", json={"name": "Umbrella", "parent": {"id": root}})
    theirs = place.box("POST", "/folders", json={"name": "Cyberdyne", "parent": {"id": root}})
    path = f"/folders/{theirs['id']}/metadata/enterprise/salesforce_mapping"
    place.box("POST", path, json={"account_id": first})
    second, third = office.account("Umbrella"), office.account("Cyberdyne")
    office.provision("Account", second)
    office.provision("Account", third)
    assert office.folder(second).folder_id == mine["id"]
    assert office.folder(third).folder_id != theirs["id"]
    assert office.metadata(theirs["id"]) == {"account_id": first}
    assert set(office.tree()) == {"Initech", "Umbrella", "Cyberdyne", f"Cyberdyne ({third[-6:]})"}


def test_a_file_that_has_the_name_is_no_folder(place):
    """A file stays, the folder has another name."""
    office = place.office(folder_tree="{Account.Name}")
    office.provision("Account", office.account("Stark"))
    office.put(office.items("0")[office.root], "Wayne")
    account = office.account("Wayne")
    office.provision("Account", account)
    assert set(office.tree()) == {"Stark", f"Wayne ({account[-6:]})"}


def test_metadata_that_a_person_began_is_completed(place):
    """The template stands on the folder, without a record."""
    office = place.office(folder_tree="{Account.Name}")
    office.provision("Account", office.account("Tyrell"))
    root = office.items("0")[office.root]
    made = place.box("POST", "/folders", json={"name": "Soylent", "parent": {"id": root}})
    path = f"/folders/{made['id']}/metadata/enterprise/salesforce_mapping"
    place.box("POST", path, json={"object": "?"})
    account = office.account("Soylent")
    office.provision("Account", account)
    assert office.folder(account).folder_id == made["id"]
    assert office.metadata(made["id"]) == {
        "account_id": account,
        "record_id": account,
        "object": "Account",
    }


# --- it follows the record


def test_the_folder_follows_a_rename_and_another_account(place):
    """What is in it stays in it, and the metadata names the new account."""
    office = place.office()
    one, two = office.account("Vehement"), office.account("Massive")
    deal = office.deal("Old name", one)
    office.provision("Opportunity", deal)
    before = office.folder(deal)
    office.change("Opportunity", deal, Name="New name", AccountId=two)
    office.provision("Opportunity", deal)
    after = office.folder(deal)
    assert after.folder_id == before.folder_id
    assert office.tree() == {
        "Vehement": {},
        "Massive": {"New name": {"Contracts": {}, "Proposals": {}}},
    }
    assert office.metadata(after.folder_id)["account_id"] == two
    assert (after.account_id, after.record_name) == (two, "New name")
    assert after.path == f"/{office.root}/Massive/New name"


def test_a_rename_to_a_name_that_is_taken_gets_the_id(place):
    """Two deals of one account, one renamed to the other's name."""
    office = place.office(folder_tree="{Account.Name}/{Opportunity.Name}")
    account = office.account("Ollivander")
    one, two = office.deal("Wand", account), office.deal("Broom", account)
    for deal in (one, two):
        office.provision("Opportunity", deal)
    office.change("Opportunity", two, Name="Wand")
    office.provision("Opportunity", two)
    assert set(office.tree()["Ollivander"]) == {"Wand", f"Wand ({two[-6:]})"}


def test_what_a_person_renamed_by_hand_stays_until_the_record_changes_its_name(place):
    """A change of something else leaves it."""
    office = place.office(folder_tree="{Account.Name}")
    account = office.account("Gringotts")
    office.provision("Account", account)
    folder = office.folder(account).folder_id
    place.box("PUT", f"/folders/{folder}", json={"name": "Goblins"})
    office.change("Account", account, Description="x")
    office.provision("Account", account)
    assert set(office.tree()) == {"Goblins"}
    office.change("Account", account, Name="Gringotts Bank")
    office.provision("Account", account)
    assert set(office.tree()) == {"Gringotts Bank"}


def test_a_folder_that_a_person_mapped_is_used_and_left_in_its_place(place):
    """Inkwire moves and renames only what it made."""
    office = place.office()
    account = office.account("Oscorp")
    office.provision("Account", account)
    top = office.folder(account).folder_id
    made = place.box("POST", "/folders", json={"name": "By hand", "parent": {"id": top}})
    deal = office.deal("Serum", account)
    path = f"/folders/{made['id']}/metadata/enterprise/salesforce_mapping"
    place.box("POST", path, json={"opportunity_id": deal})
    office.run(office.work("refresh_mapping", folder_id=made["id"]))
    office.provision("Opportunity", deal)
    office.change("Opportunity", deal, Name="Serum 2")
    office.provision("Opportunity", deal)
    assert office.tree() == {"Oscorp": {"By hand": {}}}


def test_our_own_metadata_changes_nothing_and_costs_no_call(place):
    """Box tells of it as of anybody's."""
    office = place.office()
    deal = office.deal("Echo", office.account("Cave"))
    office.provision("Opportunity", deal)
    before, used = office.folder(deal), office.used()
    office.run(office.work("refresh_mapping", folder_id=before.folder_id))
    after = office.folder(deal)
    assert office.used() == used
    assert (after.origin, after.record_name) == (FolderOrigin.PROVISIONED, "Echo")
    assert (after.owner_email, after.collaboration_id) == (
        before.owner_email,
        before.collaboration_id,
    )


def test_a_folder_that_was_heard_of_before_it_was_whole_is_completed(place):
    """The event of our own metadata comes while the run is broken off."""
    office = place.office()
    deal = office.deal("Half", office.account("Done"))
    place.sandbox.fault(
        kind="reset_before_commit", method="POST", path="/2.0/folders$", nth=4, count=1
    )
    with pytest.raises(CallFailed):
        office.provision("Opportunity", deal)
    half = office.items(office.folder(office.record("Opportunity", deal)["AccountId"]).folder_id)
    office.run(office.work("refresh_mapping", folder_id=half["Half"]))
    assert office.folder(deal).origin is FolderOrigin.METADATA
    office.provision("Opportunity", deal)
    assert office.tree() == {"Done": {"Half": {"Contracts": {}, "Proposals": {}}}}
    assert office.folder(deal).origin is FolderOrigin.PROVISIONED
    office.change("Opportunity", deal, Name="Whole")
    office.provision("Opportunity", deal)
    assert set(office.tree()["Done"]) == {"Whole"}


def test_a_deleted_record_s_folder_stays_and_is_noted(place):
    """Nothing is ever deleted in Box."""
    office = place.office()
    account = office.account("Aperture")
    deal = office.deal("Cake", account)
    office.provision("Opportunity", deal)
    folder = office.folder(deal)
    office.delete("Opportunity", deal)
    assert "was deleted" in office.provision("Opportunity", deal)
    row = office.store.record_folders.get(office.number, folder.folder_id)
    assert row.state is FolderState.GONE
    assert set(office.tree()["Aperture"]) == {"Cake"}
    office.control("POST", f"/records/Opportunity/{deal}/undelete")
    office.provision("Opportunity", deal)
    assert office.folder(deal).folder_id == folder.folder_id


def test_a_merged_account_s_deals_move_to_the_other_s_folder(place):
    """Salesforce moves the children and deletes one of the two."""
    office = place.office()
    master, loser = office.account("Master"), office.account("Loser")
    deal = office.deal("Moved", loser)
    for one in (master, loser):
        office.provision("Account", one)
    office.provision("Opportunity", deal)
    kept = office.folder(deal).folder_id
    office.control("POST", "/merge", {"master": master, "loser": loser})
    assert "was deleted" in office.provision("Account", loser)
    office.provision("Opportunity", deal)
    assert office.tree() == {"Loser": {}, "Master": {"Moved": {"Contracts": {}, "Proposals": {}}}}
    assert office.folder(deal).folder_id == kept


def test_a_folder_that_was_deleted_is_made_again(place):
    """A deal has a place as long as there is the deal."""
    office = place.office()
    deal = office.deal("Phoenix", office.account("Ash"))
    office.provision("Opportunity", deal)
    first = office.folder(deal).folder_id
    place.box("DELETE", f"/folders/{first}?recursive=true")
    office.provision("Opportunity", deal)
    again = office.folder(deal)
    assert again.folder_id != first
    assert office.tree()["Ash"] == {"Phoenix": {"Contracts": {}, "Proposals": {}}}


# --- what lacks


def test_without_the_template_it_is_made_or_a_person_is_told_who_makes_it(place):
    """Only an admin may make templates: before anything is made, the message says so."""
    office = place.office(mapping_template="crm_map")
    account = office.account("Templated")
    place.sandbox.change_app(rights=["as_user", "user_tokens"])
    try:
        with pytest.raises(Permanent, match="A Box admin makes it: Admin Console"):
            office.provision("Account", account)
        assert office.tree() == {}
    finally:
        place.sandbox.change_app(rights=["as_user", "user_tokens", "co_admin"])
    office.provision("Account", account)
    found = office.metadata(office.folder(account).folder_id, "crm_map")
    assert found == {"account_id": account, "record_id": account, "object": "Account"}


def test_a_template_without_our_fields_is_told(place):
    """Its admin is told which field lacks."""
    field = {"type": "string", "key": "colour", "displayName": "Colour"}
    template = {
        "scope": "enterprise", "displayName": "Other", "templateKey": "other", "fields": [field],
    }  # fmt: skip
    place.box("POST", "/metadata_templates/schema", json=template)
    office = place.office(mapping_template="other")
    with pytest.raises(Permanent, match="no text field that could name the record"):
        office.provision("Account", office.account("Colourful"))


def test_switched_off_it_makes_nothing(place):
    """And asks nobody."""
    office = place.office(provision=False)
    used = office.used()
    assert "switched off" in office.provision("Account", office.account("Off"))
    assert (office.used(), office.tree()) == (used, {})


def test_a_dry_run_tells_what_it_would_do_and_does_nothing(place):
    """Each effect has a plan."""
    office = place.office(link_field="Description")
    deal = office.deal("Dry", office.account("Desert"))
    work = office.work("provision", object="Opportunity", record_id=deal)
    _, run = office.run(work, dry=True)
    assert "Make the folder of Opportunity “Dry”" in run.plans
    assert "Make Contracts, Proposals in it" in run.plans
    assert office.tree() == {}
    assert office.store.record_folders.of_record(office.number, deal) is None


# --- what waits


def test_what_waited_for_the_record_starts(place):
    """An event that came before its folder was known runs again."""
    office = place.office()
    deal = office.deal("Waited for", office.account("Waiting"))
    work = office.work("sync_file", "box:file:1", file_id="1")
    office.store.works.add([work])
    now = office.services.clock.now()
    office.store.works.claim(executor_id="x", now=now, limit=100)
    ending = Ending(state=WorkState.PARKED, note="?", park_cause=ParkCause.MAPPING)
    assert office.store.works.end(work.id, run_number=1, ending=ending, at=now)
    office.provision("Opportunity", deal)
    assert office.store.works.get(work.id).state is WorkState.NEW


def test_what_looked_before_its_folder_was_known_and_parks_after_starts_too(place):
    """It still runs when what waits is started: the row of the minute's end starts it."""
    office = place.office()
    deal = office.deal("Looked for", office.account("Looking"))
    work = office.work("sync_file", "box:file:2", file_id="2")
    office.store.works.add([work])
    now = office.services.clock.now()
    office.store.works.claim(executor_id="x", now=now, limit=100)
    office.provision("Opportunity", deal)
    ending = Ending(state=WorkState.PARKED, note="?", park_cause=ParkCause.MAPPING)
    assert office.store.works.end(work.id, run_number=1, ending=ending, at=now)
    row = office.rows("wake_waiting")[-1]
    assert office.run(row)[0].ending.note == "1 that waited for a record were started."
    assert office.store.works.get(work.id).state is WorkState.NEW
    assert "wake_waiting" in {one.workflow for one in INTEGRATION.upkeep}, "the last net"


def test_a_thousand_new_folders_do_not_start_what_waits_a_thousand_times(place):
    """At once, and then once a minute by a row of its own."""
    office = place.office()
    account = office.account("Many deals")
    for number in range(3):
        office.provision("Opportunity", office.deal(f"Deal {number}", account))
    rows = office.rows("wake_waiting")
    assert len(rows) <= 2, "the minute may end meanwhile"
    row = rows[-1]
    assert row.due_at > office.services.clock.now()
    assert office.run(row)[0].ending.note == "0 that waited for a record were started."


def test_a_folder_whose_metadata_a_person_changed_is_theirs_to_decide(place):
    """It says another record now: nothing is moved, shared or written before that is settled."""
    office = place.office()
    one, two = office.account("From"), office.account("To")
    deal, other = office.deal("Contested", one), office.deal("Other", one)
    office.provision("Opportunity", deal)
    folder = office.folder(deal).folder_id
    path = f"/folders/{folder}/metadata/enterprise/salesforce_mapping"
    patch = [{"op": "replace", "path": "/opportunity_id", "value": other}]
    place.box(
        "PUT", path, data=json.dumps(patch), headers={"Content-Type": "application/json-patch+json"}
    )
    ann, mail = owner(place, office, "zoe")
    office.change("Opportunity", deal, AccountId=two, OwnerId=ann)
    assert "waits for a person" in office.provision("Opportunity", deal)
    row = office.store.record_folders.get(office.number, folder)
    assert row.state is FolderState.CONFLICT
    assert mail not in office.people(folder)
    assert "A person has to decide" in office.provision("Opportunity", deal)


def test_at_the_share_of_the_day_s_calls_it_waits(place):
    """R77: what is left is for files."""
    office = place.office(budget_percent=50)
    account = office.account("Budget")
    now = office.services.clock.now()
    office.store.api_usages.note(ApiUsage(connection_id="salesforce", used=500, most=1000, at=now))
    try:
        with pytest.raises(LimitReached):
            office.provision("Account", account)
    finally:
        office.store.api_usages.note(
            ApiUsage(connection_id="salesforce", used=1, most=1000, at=now)
        )
    assert office.tree() == {}


def test_the_journal_holds_ids_and_no_names(place):
    """What a step returns is kept: names and addresses of people are not."""
    office = place.office()
    deal = office.deal("Confidential deal", office.account("Secret customer"))
    kept = []

    def keep(value):
        kept.append(value)
        return value

    office.watch = keep
    office.provision("Opportunity", deal)
    assert kept
    assert "Secret customer" not in json.dumps(kept)
    assert "Confidential deal" not in json.dumps(kept)


def test_a_permanent_refusal_leaves_what_is_done(place):
    """Retried by a person, it goes on where it was."""
    office = place.office()
    account = office.account("Refused")
    place.sandbox.fault(kind="status", status=400, method="POST", path="/metadata/", count=1)
    with pytest.raises(CallFailed):
        office.provision("Account", account)
    office.provision("Account", account)
    assert office.tree() == {"Refused": {}}
