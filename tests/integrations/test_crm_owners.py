"""Who has access to a record's folder, and the folder's address on the record (R66–R69)."""

from dataclasses import replace

import pytest

from inkwire.model.crm import FolderState
from inkwire.providers.box.client.sdk import SdkBoxClient
from integrations.folder_kit import owner, town


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A sandbox and a hub for all tests here; each has an integration of its own."""
    with town(tmp_path_factory.mktemp("owners")) as one:
        yield one


# --- owners


def test_the_owner_has_access_and_loses_it_with_the_record(place):
    """R68: by e-mail; a person's own invitation of somebody else stays."""
    office = place.office()
    ann, ann_mail = owner(place, office, "ann")
    bob, bob_mail = owner(place, office, "bob", in_box=False)
    deal = office.deal("Shared", office.account("Share Inc"), OwnerId=ann)
    office.provision("Opportunity", deal)
    folder = office.folder(deal).folder_id
    assert office.people(folder) == {ann_mail: "editor"}
    place.sandbox.call("POST", "/users", {"name": "Eve", "login": "eve@example.com"})
    body = {
        "item": {"type": "folder", "id": folder},
        "accessible_by": {"type": "user", "login": "eve@example.com"},
        "role": "viewer",
    }
    place.box("POST", "/collaborations", json=body)
    office.change("Opportunity", deal, OwnerId=bob)
    assert "Its owner has access." in office.provision("Opportunity", deal)
    assert office.people(folder) == {"eve@example.com": "viewer", bob_mail: "editor"}
    assert office.folder(deal).owner_email == bob_mail


def test_access_that_is_given_undoes_nothing_that_came_meanwhile(place, monkeypatch):
    """Between its calls to Box the record is found deleted: that stays."""
    office = place.office()
    fay, fay_mail = owner(place, office, "fay")
    account = office.account("Quick", OwnerId=fay)
    office.settings(owner_role="none")
    office.provision("Account", account)
    folder, collaborate = office.folder(account), SdkBoxClient.collaborate

    def meanwhile(client, *given):
        gone = replace(folder, state=FolderState.GONE, name="Renamed", note="Deleted.")
        office.store.record_folders.put(gone)
        return collaborate(client, *given)

    monkeypatch.setattr(SdkBoxClient, "collaborate", meanwhile)
    office.settings(owner_role="viewer")
    office.provision("Account", account)
    row = office.store.record_folders.get(office.number, folder.folder_id)
    assert (row.state, row.name, row.note) == (FolderState.GONE, "Renamed", "Deleted.")
    assert row.owner_email == fay_mail and row.collaboration_id


def test_access_that_somebody_else_gave_is_not_taken(place):
    """The owner had it before; when the record goes to another, it stays."""
    office = place.office(owner_role="viewer")
    cat, cat_mail = owner(place, office, "cat")
    dan, dan_mail = owner(place, office, "dan")
    account = office.account("Own", OwnerId=cat)
    office.settings(owner_role="none")
    office.provision("Account", account)
    folder = office.folder(account).folder_id
    assert office.people(folder) == {}
    body = {
        "item": {"type": "folder", "id": folder},
        "accessible_by": {"type": "user", "login": cat_mail},
        "role": "co-owner",
    }
    place.box("POST", "/collaborations", json=body)
    office.settings(owner_role="viewer")
    office.provision("Account", account)
    office.change("Account", account, OwnerId=dan)
    office.provision("Account", account)
    assert office.people(folder) == {cat_mail: "co-owner", dan_mail: "viewer"}


def test_a_refusal_of_the_owner_s_access_is_told_and_fails_nothing(place):
    """A policy of the enterprise forbids it: the folder is there all the same."""
    office = place.office()
    account = office.account("Closed")
    place.sandbox.fault(
        kind="status", status=403, code="forbidden_by_policy", method="POST", path="/collaborations"
    )
    note = office.provision("Account", account)
    assert "not given access" in note
    assert office.folder(account).owner_email == ""
    assert office.people(office.folder(account).folder_id) == {}


# --- link


def test_the_folder_s_address_is_written_to_the_record_once(place):
    """And the change that this makes brings nothing more."""
    office = place.office(link_field="Box_Folder__c")
    office.control("POST", "/fields", {"object": "Account", "name": "Box_Folder__c", "type": "url"})
    account = office.account("Linked")
    office.provision("Account", account)
    address = f"https://app.box.com/folder/{office.folder(account).folder_id}"
    assert office.record("Account", account)["Box_Folder__c"] == address
    stamp = office.record("Account", account)["SystemModstamp"]
    office.provision("Account", account)
    assert office.record("Account", account)["SystemModstamp"] == stamp


def test_a_field_that_is_not_there_is_told_and_fails_nothing(place):
    """The folder is made; the note names the field."""
    office = place.office(link_field="Nowhere__c")
    account = office.account("Unlinked")
    assert "has no field Nowhere__c" in office.provision("Account", account)
    assert office.folder(account).state is FolderState.MAPPED


def test_a_rule_of_the_organisation_that_refuses_the_link_is_told(place):
    """Its own text stands in the note."""
    office = place.office(link_field="Description")
    account = office.account("Ruled")
    rule = {"object": "Account", "when": "Name = 'Ruled'", "message": "Nobody edits Ruled"}
    office.control("POST", "/rules", rule)
    try:
        assert "Nobody edits Ruled" in office.provision("Account", account)
    finally:
        office.control("DELETE", "/rules")
