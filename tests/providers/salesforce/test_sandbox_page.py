"""The operator's page of the sandbox's Salesforce, and its controls."""

import html
import re

import pytest
import requests


@pytest.fixture
def page(org):
    """(GET, POST of a form) of the page."""
    url = f"{org.sandbox.url}/salesforce"

    def show():
        return requests.get(url, timeout=60).text

    def send(**form):
        return requests.post(url, data=form, timeout=60)

    return show, send


def test_a_person_makes_and_changes_records(org, page):
    """New account, new opportunity, another stage, owner and name: all by Sam, without a script."""
    show, send = page
    name = "Paged <b>&</b> Söhne"
    assert send(action="new-account", Name=name).status_code == 200
    account = org.found("SELECT Id, Name, CreatedBy.Name FROM Account ORDER BY Id DESC LIMIT 1")[0]
    assert account["Name"] == name
    assert account["CreatedBy"]["Name"] == "Sam Sales"
    form = {"Name": "Paged deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
    done = send(action="new-opportunity", AccountId=account["Id"], Amount="25000", **form)
    deal = re.search(r"#(006\w+)", done.url)[1]
    kept = org.get("Opportunity", deal)
    assert (kept["AccountId"], kept["Amount"]) == (account["Id"], 25000)
    ada = org.app["users"][0]["id"]
    send(action="change-opportunity", id=deal, StageName="Closed Won", OwnerId=ada, Name="Won")
    kept = org.get("Opportunity", deal)
    assert (kept["StageName"], kept["OwnerId"], kept["Name"]) == ("Closed Won", ada, "Won")
    send(action="change-account", id=account["Id"], Name="Renamed", OwnerId=ada)
    assert org.get("Account", account["Id"])["Name"] == "Renamed"
    shown = show()
    assert "<script" not in shown
    assert '<span class="pill won">Closed Won</span>' in shown
    assert html.escape(name) not in shown


def test_files_and_tasks_are_shown(org, page):
    """Name, version, checksum; what was done, with whom."""
    account = org.account("Shown")
    deal = org.deal(account)
    _, document = org.file(b"one", Title="Shown <i>file</i>", FirstPublishLocationId=deal)
    version, _ = org.file(b"two", ContentDocumentId=document)
    contact = org.create("Contact", LastName="Watcher", AccountId=account)
    org.create("Task", Subject="Box: shown & done", WhatId=deal, WhoId=contact, Description="a\nb")
    shown = page[0]()
    assert html.escape("Shown <i>file</i>") in shown
    assert org.get("ContentVersion", version)["Checksum"] in shown
    assert "Version 2" in shown
    assert html.escape("Box: shown & done") in shown
    assert "Watcher" in shown


def test_a_refusal_is_shown(org, page):
    """With Salesforce's own words; nothing is made."""
    before = org.sandbox.call("GET", "/salesforce/counts")["records"]
    answer = page[1](action="new-opportunity", Name="x", StageName="Prospecting", CloseDate="soon")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert page[1](action="change-opportunity", id="nonsense").status_code == 422
    assert page[1](action="new-account", Name="").status_code == 422
    assert org.sandbox.call("GET", "/salesforce/counts")["records"] == before


def test_no_other_site_may_post(org):
    """Neither the page nor the authorize form."""
    for path in ("/salesforce", "/services/oauth2/authorize"):
        answer = requests.post(
            org.sandbox.url + path, headers={"origin": "http://evil.example"}, timeout=60
        )
        assert answer.status_code == 403


def test_keys_for_a_shell(org):
    """What a quickstart evals."""
    env = requests.get(f"{org.sandbox.url}/salesforce/env", timeout=60).text
    assert f"export SALESFORCE_CLIENT_ID={org.app['client_id']}" in env
    assert f"export SALESFORCE_URL={org.sandbox.url}" in env


def test_controls_refuse_what_they_do_not_know(org):
    """A sentence for each, with the field."""
    for method, path, body, status in (
        ("POST", "/salesforce/records/Nope", {"fields": {}}, 404),
        ("POST", "/salesforce/records/Account", {"fields": "x"}, 422),
        ("POST", "/salesforce/records/Account", {"fields": {}, "more": 1}, 422),
        ("POST", "/salesforce/records/Account", {"fields": {"Name": "x"}, "late_s": -1}, 422),
        ("POST", "/salesforce/records/Account", {"fields": {"Name": "x"}, "user_id": "x"}, 404),
        ("POST", "/salesforce/limit", {"most": -1}, 422),
        ("POST", "/salesforce/pace", {"write_s": "slow"}, 422),
        ("POST", "/salesforce/locks", {"account_id": "x"}, 422),
        ("POST", "/salesforce/fields", {"object": "Account", "name": "plain"}, 422),
        ("POST", "/salesforce/fields", {"object": "Account", "name": "x__c", "type": "y"}, 422),
        ("POST", "/salesforce/objects", {"name": "plain"}, 422),
        ("POST", "/salesforce/rules", {"object": "Account", "when": "Nope = 1"}, 422),
        ("POST", "/salesforce/rules", {"object": "Account", "when": "("}, 422),
        ("PATCH", "/salesforce/app", {"rotate": "yes"}, 422),
        ("PATCH", "/salesforce/records/Account/nonsense", {"fields": {"Name": "x"}}, 422),
    ):
        answer = requests.request(
            method, f"{org.sandbox.url}/_sandbox{path}", json=body, timeout=60
        )
        assert answer.status_code == status, (path, answer.text)
        assert answer.json()["message"]


def test_a_new_colleague_and_a_new_stage(org):
    """Lists and people are an administrator's."""
    made = org.sandbox.add_record(
        "User",
        LastName="New",
        FirstName="Nora",
        Email="nora@example.com",
        Username="nora@x.example",
    )
    deal = org.deal(OwnerId=made["Id"])
    rows = org.found(f"SELECT Owner.Email FROM Opportunity WHERE Id = '{deal}'")
    assert rows[0]["Owner"]["Email"] == "nora@example.com"
    org.sandbox.add_record(
        "OpportunityStage", MasterLabel="Signed", IsClosed=True, IsWon=True, DefaultProbability=100
    )
    org.call("PATCH", f"/sobjects/Opportunity/{deal}", {"StageName": "Signed"})
    assert org.get("Opportunity", deal)["IsWon"]
