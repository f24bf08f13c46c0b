"""The sandbox's Salesforce: ids, fields, records and their rules (6 to 11, 21 to 25)."""

import threading
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.crm import error, fields_of
from fakes.sandbox import until
from inkwire.providers.salesforce.sandbox import ids, values

READ_ONLY = (
    "Please check the security settings of this field and verify that it is read/write for your "
    "profile or permission set."
)


@given(number=st.integers(min_value=1, max_value=62**9 - 1))
def test_an_id_has_two_forms(number):
    """15 characters and 18 read as the same; a wrong ending is none."""
    whole = ids.make("006", number)
    assert len(whole) == 18
    assert ids.read(whole) == ids.read(whole[:15]) == whole
    wrong = whole[:17] + ("A" if whole[17] != "A" else "B")
    assert ids.read(wrong) is None


@given(text=st.text(max_size=20))
def test_what_is_no_id_is_refused(text):
    """Nothing but letters and digits of 15 or 18."""
    found = ids.read(text)
    assert found is None or (len(found) == 18 and found.startswith(text[:15]))


@given(
    text=st.text(max_size=40)
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", fullmatch=True)
)
def test_any_text_is_a_moment_or_none(text):
    """In UTC; 13th months, 25th hours and years of none are no moments."""
    found = values.moment(text)
    assert found is None or found.utcoffset() == timedelta(0)


def test_ids_of_both_lengths_are_taken(org):
    """Rule 6: replies have 18, requests may have 15."""
    account = org.account()
    assert len(account) == 18
    deal = org.deal(account[:15])
    assert org.get("Opportunity", deal[:15])["AccountId"] == account
    assert org.found(f"SELECT Id FROM Opportunity WHERE AccountId = '{account[:15]}'") == [
        {"Id": deal}
    ]


def test_ids_of_the_wrong_kind_are_refused(org):
    """Rule 6: malformed, of another object, of nothing, of what was deleted."""
    contact, gone = org.create("Contact", LastName="Buyer"), org.account()
    org.sandbox.delete_record("Account", gone)
    for value, expected in (
        ("006B", (400, "MALFORMED_ID", "Related To ID: id value of incorrect type: 006B")),
        (
            contact,
            (
                400,
                "FIELD_INTEGRITY_EXCEPTION",
                f"Related To ID: id value of incorrect type: {contact}",
            ),
        ),
        (
            ids.make("006", 99_999),
            (400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
        ),
        (gone, (404, "ENTITY_IS_DELETED", "entity is deleted")),
    ):
        answer = org.call("POST", "/sobjects/Task", {"Subject": "x", "WhatId": value})
        assert error(answer) == expected
        if "incorrect type" in expected[2]:
            assert fields_of(answer) == ["WhatId"]


@pytest.mark.parametrize(
    ("name", "fields", "lacking"),
    [
        ("Account", {}, ["Name"]),
        ("Account", {"Name": ""}, ["Name"]),
        ("Contact", {"FirstName": "Ann"}, ["LastName"]),
        ("Opportunity", {}, ["Name", "StageName", "CloseDate"]),
        ("ContentVersion", {"Title": "x"}, ["PathOnClient", "VersionData"]),
        (
            "ContentDocumentLink",
            {},
            ["ContentDocumentId", "LinkedEntityId", "ShareType"],
        ),
    ],
)
def test_required_fields(org, name, fields, lacking):
    """Rule 7."""
    answer = org.call("POST", f"/sobjects/{name}", fields)
    message = f"Required fields are missing: [{', '.join(lacking)}]"
    assert error(answer) == (400, "REQUIRED_FIELD_MISSING", message)
    assert fields_of(answer) == lacking


def test_unknown_and_closed_fields(org):
    """Rule 8: each with its own code; an unknown one names no fields."""
    unknown = org.call("POST", "/sobjects/ContentVersion", {"type": "x"})
    assert error(unknown) == (
        400,
        "INVALID_FIELD",
        "No such column 'type' on sobject of type ContentVersion",
    )
    assert fields_of(unknown) is None
    body = {"PathOnClient": "a.txt", "VersionData": "YQ==", "Checksum": "x", "ContentSize": 1}
    closed = org.call("POST", "/sobjects/ContentVersion", body)
    assert error(closed) == (
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        f"Unable to create/update fields: Checksum, ContentSize. {READ_ONLY}",
    )
    assert fields_of(closed) == ["Checksum", "ContentSize"]
    task = org.create("Task", Subject="x", WhatId=org.account())
    derived = org.call("PATCH", f"/sobjects/Task/{task}", {"AccountId": org.account()})
    assert error(derived)[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_bad_bodies_types_methods_and_paths(org):
    """Rule 9."""
    send = org.session.request
    url = f"{org.base}/sobjects/Account"
    for raw in (b"{", b"", b'["a"]', b"\xff", b"[" * 100_000):
        answer = send("POST", url, data=raw, headers={"content-type": "application/json"})
        assert error(answer)[:2] == (400, "JSON_PARSER_ERROR")
    for fields in ({"Name": {"a": 1}}, {"Name": "x", "AnnualRevenue": "much"}, {"Name": 5}):
        assert error(org.call("POST", "/sobjects/Account", fields))[1] == "JSON_PARSER_ERROR"
    xml = send("POST", url, data=b"<a/>", headers={"content-type": "application/xml"})
    assert error(xml)[:2] == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert error(org.call("DELETE", "/sobjects/Account"))[:2] == (405, "METHOD_NOT_ALLOWED")
    none = (404, "NOT_FOUND", "The requested resource does not exist")
    for path in ("/sobjects/Nothing", "/nothing", "/sobjects/Account/describe/more/again"):
        assert error(org.call("GET", path)) == none
    assert error(org.call("POST", "/sobjects/Nothing", {})) == none
    assert error(org.call("GET", "/query?q=" + "a" * 20_000))[0] == 414


def test_successes_have_salesforces_shape(org):
    """Rule 10: 201 with a place, 204 without a body."""
    made = org.call("POST", "/sobjects/Account/", {"Name": "Acme"})
    account = made.json()["id"]
    assert made.status_code == 201
    assert made.json() == {"id": account, "success": True, "errors": []}
    assert made.headers["location"] == f"/services/data/v66.0/sobjects/Account/{account}"
    changed = org.call("PATCH", f"/sobjects/Account/{account}", {"Name": "Acme 2"})
    assert (changed.status_code, changed.content) == (204, b"")
    record = org.get("Account", account)
    assert record["attributes"]["url"] == f"/services/data/v66.0/sobjects/Account/{account}"
    assert (record["Name"], record["IsDeleted"]) == ("Acme 2", False)
    assert set(org.get("Account", account, "name")) == {"attributes", "Id", "Name"}
    wrong = org.call("GET", f"/sobjects/Account/{account}?fields=Nope")
    assert error(wrong)[1] == "INVALID_FIELD"
    gone = org.call("DELETE", f"/sobjects/Account/{account}")
    assert (gone.status_code, gone.content) == (204, b"")


def test_a_document_cannot_be_made(org):
    """Rule 11."""
    answer = org.call("POST", "/sobjects/ContentDocument", {"Title": "x"})
    assert error(answer)[:2] == (400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")


def test_long_texts_and_wrong_values(org):
    """The organisation's own words, with the field."""
    for body, code, message in (
        (
            {"Name": "n" * 256},
            "STRING_TOO_LONG",
            f"Account Name: data value too large: {'n' * 256} (max length=255)",
        ),
        ({"Name": "x", "AnnualRevenue": 1e20}, "NUMBER_OUTSIDE_VALID_RANGE", None),
    ):
        answer = org.call("POST", "/sobjects/Account", body)
        assert error(answer)[1] == code
        assert message in (None, error(answer)[2])
    mail = org.call("POST", "/sobjects/Contact", {"LastName": "x", "Email": "nobody"})
    assert error(mail)[1:] == ("INVALID_EMAIL_ADDRESS", "Email: invalid email address: nobody")
    emoji = org.account("契約 👍 " + "é" * 240)
    assert org.get("Account", emoji)["Name"].startswith("契約 👍 é")


def test_a_deleted_record_is_gone_but_not_forgotten(org):
    """Rule 21."""
    account = org.account("Gone")
    deal = org.deal(account)
    link = org.file(FirstPublishLocationId=deal)[1]
    assert org.call("DELETE", f"/sobjects/Account/{account}").status_code == 204
    deleted = (404, "ENTITY_IS_DELETED", "entity is deleted")
    for method, body in (("GET", None), ("PATCH", {"Name": "x"}), ("DELETE", None)):
        answer = org.call(method, f"/sobjects/Account/{account}", body)
        assert error(answer) == deleted
        assert fields_of(answer) == []
    assert error(org.call("GET", f"/sobjects/Opportunity/{deal}")) == deleted
    assert error(org.call("GET", f"/sobjects/Account/{ids.make('001', 99_999)}"))[:2] == (
        404,
        "NOT_FOUND",
    )
    soql = f"SELECT Id, IsDeleted FROM Account WHERE Id = '{account}'"
    assert org.found(soql) == []
    assert org.found(soql, "/queryAll") == [{"Id": account, "IsDeleted": True}]
    links = f"SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{link}'"
    assert [one["LinkedEntityId"] for one in org.found(links)] == [org.app["user_id"]]
    org.sandbox.call("POST", f"/salesforce/records/Account/{account}/undelete")
    assert org.get("Account", account)["Name"] == "Gone"


def test_a_merged_account_names_the_other(org):
    """Children move, and the loser is deleted."""
    master, loser = org.account("Master"), org.account("Loser")
    deal = org.deal(loser)
    org.sandbox.call("POST", "/salesforce/merge", {"master": master, "loser": loser})
    assert org.get("Opportunity", deal)["AccountId"] == master
    soql = f"SELECT MasterRecordId FROM Account WHERE Id = '{loser}'"
    assert org.found(soql, "/queryAll") == [{"MasterRecordId": master}]


def add_field(org, target, name, **more):
    """A custom field."""
    body = {"object": target, "name": name} | more
    return org.sandbox.call("POST", "/salesforce/fields", body)


def test_external_ids(org):
    """Rule 22: upsert makes, changes, finds several, or knows no such field."""
    add_field(org, "Account", "Key__c", external=True, unique=True)
    add_field(org, "Account", "Loose__c", external=True)
    made = org.call("PATCH", "/sobjects/Account/Key__c/a%20b%2Fc", {"Name": "Keyed"})
    account = made.json()["id"]
    assert (made.status_code, made.json()["created"]) == (201, True)
    again = org.call("PATCH", "/sobjects/Account/Key__c/A%20B%2FC", {"Name": "Again"})
    assert again.status_code == 200
    assert again.json() == {"id": account, "success": True, "errors": [], "created": False}
    assert org.get("Account", account)["Key__c"] == "a b/c"
    clash = org.call("POST", "/sobjects/Account", {"Name": "Other", "Key__c": "a b/c"})
    assert error(clash) == (
        400,
        "DUPLICATE_VALUE",
        f"duplicate value found: Key__c duplicates value on record with id: {account[:15]}",
    )
    twins = [org.create("Account", Name="Twin", Loose__c="same") for _ in range(2)]
    several = org.call("PATCH", "/sobjects/Account/Loose__c/same", {"Name": "x"})
    base = "/services/data/v66.0/sobjects/Account"
    assert (several.status_code, several.json()) == (300, [f"{base}/{one}" for one in twins])
    unknown = org.call("PATCH", "/sobjects/Account/Nope__c/1", {"Name": "x"})
    message = "Provided external ID field does not exist or is not accessible: Nope__c"
    assert error(unknown) == (404, "NOT_FOUND", message)
    assert org.call("GET", "/sobjects/Account/Key__c/a%20b%2Fc").json()["Id"] == account
    assert org.call("DELETE", "/sobjects/Account/Key__c/a%20b%2Fc").status_code == 204


def test_one_account_has_one_writer(org):
    """Rule 23: a child's write waits for its Account, and gives up as Salesforce does."""
    account = org.account()
    deal = org.deal(account)
    org.sandbox.call("POST", "/salesforce/pace", {"wait_s": 0.05})
    org.sandbox.call("POST", "/salesforce/locks", {"account_id": account})
    for method, path, body in (
        ("PATCH", f"/sobjects/Opportunity/{deal}", {"Name": "x"}),
        ("POST", "/sobjects/Task", {"Subject": "x", "WhatId": deal}),
        ("PATCH", f"/sobjects/Account/{account}", {"Name": "x"}),
    ):
        answer = org.call(method, path, body)
        assert error(answer) == (
            400,
            "UNABLE_TO_LOCK_ROW",
            f"unable to obtain exclusive access to this record or 1 records: {account}",
        )
    assert org.upload(FirstPublishLocationId=deal).status_code == 400
    rows = [
        {"attributes": {"type": "Task"}, "Subject": "x", "WhatId": deal},
        {"attributes": {"type": "Account"}, "Name": "Free"},
    ]
    some = org.call("POST", "/composite/sobjects", {"records": rows}).json()
    assert [one["success"] for one in some] == [False, True]
    assert some[0]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    org.sandbox.call("POST", "/salesforce/pace", {"wait_s": 10})
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(org.call("POST", "/sobjects/Task", rows[0]))
    )
    waiting.start()
    org.sandbox.call("POST", "/salesforce/locks", {"account_id": account, "held": False})
    waiting.join(15)
    assert answers[0].status_code == 201


def test_writers_of_one_account_take_turns(org):
    """A real lock: each write holds the Account for a while."""
    account, other = org.account(), org.account()
    org.sandbox.call("POST", "/salesforce/pace", {"write_s": 0.3, "wait_s": 0.1})
    answers = []

    def write(of):
        body = {"Subject": "x", "WhatId": of}
        answers.append((of, org.call("POST", "/sobjects/Task", body).status_code))

    threads = [threading.Thread(target=write, args=(of,)) for of in (account, account, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert sorted(status for of, status in answers if of == account) == [201, 400]
    assert (other, 201) in answers


def test_tasks_know_whom_and_what(org):
    """Rule 24: types checked, the Account derived, a date without a time."""
    account = org.account()
    deal = org.deal(account)
    contact = org.create("Contact", LastName="Buyer", AccountId=account)
    lead = org.create("Lead", LastName="Lead", Company="L")
    task = org.create(
        "Task",
        Subject="Box",
        WhatId=deal,
        WhoId=contact,
        Status="Completed",
        ActivityDate="2026-11-22",
        Description="one\nInkwire: act_1",
    )
    kept = org.get("Task", task)
    assert (kept["AccountId"], kept["IsClosed"]) == (account, True)
    assert (kept["ActivityDate"], kept["Description"]) == ("2026-11-22", "one\nInkwire: act_1")
    by_contact = org.get("Task", org.create("Task", Subject="x", WhoId=contact))
    assert (by_contact["AccountId"], by_contact["Status"]) == (account, "Not Started")
    assert not by_contact["IsClosed"]
    both = org.call("POST", "/sobjects/Task", {"Subject": "x", "WhoId": lead, "WhatId": deal})
    assert error(both)[:2] == (400, "FIELD_INTEGRITY_EXCEPTION")
    assert org.create("Task", Subject="x", WhoId=lead)
    swapped = org.call("POST", "/sobjects/Task", {"Subject": "x", "WhoId": deal})
    assert error(swapped)[1] == "FIELD_INTEGRITY_EXCEPTION"
    late = org.call("POST", "/sobjects/Task", {"Subject": "x", "ActivityDate": "tomorrow"})
    assert error(late)[1] == "JSON_PARSER_ERROR"
    kind = org.call("POST", "/sobjects/Task", {"Subject": "x", "TaskSubtype": "Dance"})
    assert error(kind)[1] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    fixed = org.call("PATCH", f"/sobjects/Task/{task}", {"TaskSubtype": "Email"})
    assert error(fixed)[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"


def test_a_stage_decides_what_follows(org):
    """Rule 24: closed, won and probability are derived; a typo is stored as it is."""
    deal = org.deal(org.account())
    before = org.get("Opportunity", deal)
    assert (before["IsClosed"], before["IsWon"], before["Probability"]) == (False, False, 10)
    org.sandbox.advance(2)
    org.call("PATCH", f"/sobjects/Opportunity/{deal}", {"StageName": "Closed Won"})
    after = org.get("Opportunity", deal)
    assert (after["IsClosed"], after["IsWon"], after["Probability"]) == (True, True, 100)
    assert after["ForecastCategoryName"] == "Closed"
    assert after["SystemModstamp"] > before["SystemModstamp"]
    assert after["CreatedDate"] == before["CreatedDate"]
    org.call("PATCH", f"/sobjects/Opportunity/{deal}", {"StageName": "Closed Wno"})
    assert org.get("Opportunity", deal)["StageName"] == "Closed Wno"
    assert not org.get("Opportunity", deal)["IsClosed"]
    stages = org.found(
        "SELECT MasterLabel,SortOrder,IsActive,IsClosed,IsWon FROM OpportunityStage ORDER BY SortOrder"
    )
    assert [one["MasterLabel"] for one in stages][-2:] == ["Closed Won", "Closed Lost"]
    assert {"MasterLabel": "Completed"} in org.found(
        "SELECT MasterLabel FROM TaskStatus WHERE IsClosed = true"
    )


def test_an_organisations_own_rules(org):
    """Rule 24: the administrator's text, on the field that they chose."""
    rule = {
        "object": "Opportunity",
        "when": "StageName = 'Closed Won' AND Amount = null",
        "message": "An amount is needed to win: fill it in.",
        "field": "Amount",
    }
    org.sandbox.call("POST", "/salesforce/rules", rule)
    deal = org.deal(org.account())
    won = {"StageName": "Closed Won"}
    answer = org.call("PATCH", f"/sobjects/Opportunity/{deal}", won)
    assert error(answer) == (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"])
    assert fields_of(answer) == ["Amount"]
    assert org.get("Opportunity", deal)["StageName"] == "Prospecting"
    assert (
        org.call("PATCH", f"/sobjects/Opportunity/{deal}", won | {"Amount": 5}).status_code == 204
    )


def moments(org):
    """(an hour ago, in ten minutes, now) by the sandbox's clock."""
    now = datetime.fromisoformat(org.sandbox.call("GET", "/clock")["now"])
    shape = "%Y-%m-%dT%H:%M:%S%z"
    return (
        (now - timedelta(hours=1)).strftime(shape),
        (now + timedelta(minutes=10)).strftime(shape),
        now,
    )


def span(org, path, start, end):
    """A call for a span of time."""
    return org.call("GET", path, params={"start": start, "end": end})


def test_what_changed_and_what_was_deleted(org):
    """Rule 25: by minutes, thirty days back at most."""
    kept, gone = org.account(), org.account()
    org.sandbox.delete_record("Account", gone)
    org.sandbox.advance(120)
    start, end, now = moments(org)
    changed = span(org, "/sobjects/Account/updated/", start, end).json()
    assert kept in changed["ids"]
    assert gone not in changed["ids"]
    assert changed["latestDateCovered"] <= now.strftime("%Y-%m-%dT%H:%M:00.000+0000")
    deleted = span(org, "/sobjects/Account/deleted/", start, end).json()
    assert gone in [one["id"] for one in deleted["deletedRecords"]]
    assert deleted["earliestDateAvailable"] < start
    for first, last in ((end, start), (start, start), ("2020-01-01T00:00:00Z", end), ("x", end)):
        answer = span(org, "/sobjects/Account/updated/", first, last)
        assert error(answer)[:2] == (400, "INVALID_REPLICATION_DATE")


def test_a_late_row_is_stamped_before_it_is_seen(org):
    """Rule 25: what a poll by SystemModstamp without an overlap would miss for good."""
    late = org.sandbox.add_record("Account", Name="Late", late_s=300)
    early = org.account("Early")
    assert error(org.call("GET", f"/sobjects/Account/{late['Id']}"))[1] == "NOT_FOUND"
    start, end, _ = moments(org)
    covered = span(org, "/sobjects/Account/updated/", start, end).json()["latestDateCovered"]
    assert covered <= late["SystemModstamp"]
    org.sandbox.advance(301)
    seen = until(lambda: org.found(f"SELECT SystemModstamp FROM Account WHERE Id = '{late['Id']}'"))
    assert seen[0]["SystemModstamp"] == late["SystemModstamp"]
    assert late["Id"] != early


def test_a_late_change_shows_the_old_value_until_then(org):
    """The row itself stays as it was."""
    deal = org.deal(org.account())
    org.sandbox.change_record("Opportunity", deal, late_s=60, StageName="Qualification")
    assert org.get("Opportunity", deal)["StageName"] == "Prospecting"
    org.sandbox.advance(61)
    until(lambda: org.get("Opportunity", deal)["StageName"] == "Qualification")
    assert org.get("Opportunity", deal)["LastModifiedById"] == org.app["users"][1]["id"]


def test_the_state_survives_a_kill(org, tmp_path):
    """Records, tokens, files and custom fields are there again."""
    from fakes.crm import Org
    from fakes.sandbox import SandboxProcess

    with SandboxProcess(tmp_path) as process:
        add_field(org := Org(process), "Account", "Kept__c", external=True)
        account = org.create("Account", Name="Kept", Kept__c="k")
        version, document = org.file(b"kept", FirstPublishLocationId=account)
        used = org.call("GET", "/limits").headers["sforce-limit-info"]
        process.kill()
        process.start()
        assert org.call("GET", "/sobjects/Account/Kept__c/k").json()["Id"] == account
        assert org.call("GET", f"/sobjects/ContentVersion/{version}/VersionData").content == b"kept"
        links = (
            "SELECT Id FROM ContentDocumentLink WHERE "
            f"LinkedEntityId = '{account}' AND ContentDocumentId = '{document}'"
        )
        assert len(org.found(links)) == 1
        number = int(used.partition("=")[2].partition("/")[0])
        assert f"={number + 4}/" in org.call("GET", "/limits").headers["sforce-limit-info"]
        assert org.account() > account
