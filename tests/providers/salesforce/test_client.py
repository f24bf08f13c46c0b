"""The client against a real server that answers, refuses, resets, drips and breaks off."""

import gzip
import hashlib
import json
import threading
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.salesforce_server import BASE, NOW, Kit, Reply
from inkwire.errors import (
    Ambiguous,
    CallFailed,
    LimitReached,
    NeedsAttention,
    Permanent,
    Transient,
)
from inkwire.model.connection import Token
from inkwire.providers.salesforce.client import open_client
from inkwire.providers.salesforce.client.wire import MAX_ANSWER, Patience
from inkwire.providers.salesforce.objects import Duplicate, RowResult, Usage
from inkwire.providers.salesforce.soql import equals, one_of, select

OPP, TASK = "/sobjects/Opportunity", "/sobjects/Task"
ID, DOC = "0065e00000AbCdEAAV", "0695e00000AbCdEAAV"
MADE = {"id": ID, "success": True, "errors": []}
ALL = select("Opportunity", ["Id"])


def refusal(code, message="no", status=400, **more) -> Reply:
    """An error as Salesforce writes it."""
    return Reply(status, json=[{"errorCode": code, "message": message, **more}])


#: Each call that makes something, and each that does not: method, path, how it is called.
MAKES = [
    ("POST", OPP, lambda crm: crm.create("Opportunity", {"Name": "x"})),
    ("POST", "/composite/sobjects", lambda crm: crm.create_rows("Task", [{"Subject": "x"}])),
    ("POST", "/composite", lambda crm: crm.composite([{"method": "POST", "url": "/x", "referenceId": "a"}])),
]  # fmt: skip
READS = [
    ("GET", "/query", lambda crm: list(crm.query(ALL))),
    ("GET", f"{OPP}/{ID}", lambda crm: crm.record("Opportunity", ID, ["Name"])),
    ("PATCH", f"{OPP}/{ID}", lambda crm: crm.update("Opportunity", ID, {"Name": "x"})),
    ("PATCH", f"{OPP}/Box__c/k", lambda crm: crm.upsert("Opportunity", "Box__c", "k", {})),
    ("PATCH", "/composite/sobjects", lambda crm: crm.update_rows("Task", [{"Id": ID}])),
    ("POST", "/composite", lambda crm: crm.composite([{"method": "GET", "url": "/x", "referenceId": "a"}])),
    ("POST", "/sobjects/ContentDocumentLink", lambda crm: crm.link(DOC, ID, share_type="V", visibility="AllUsers")),
    ("GET", f"{OPP}/describe", lambda crm: crm.describe("Opportunity")),
    ("GET", f"{OPP}/deleted/", lambda crm: crm.deleted("Opportunity", NOW - timedelta(days=1), NOW)),
    ("GET", "/limits", lambda crm: crm.limits()),
]  # fmt: skip
LOST = [
    Reply(fault="before"), Reply(fault="after"), Reply(200, json=MADE, fault="half"),
    Reply(500, json=[{"errorCode": "UNKNOWN_EXCEPTION", "message": "oops"}]),
    Reply(502, body=b"<html>bad gateway</html>"), Reply(503), Reply(200, body=b"{cut"),
    Reply(200), Reply(201, json={"success": True}), Reply(raw=b"HTTP/1.1 200 OK\r\n\r\n"),
    Reply(raw=b"rubbish\r\n\r\n"), Reply(raw=b""),
]  # fmt: skip
_LOST_IDS = ["before", "after", "half", "500", "502", "503", "cut", "empty", "no id", "no length",
             "rubbish", "silence"]  # fmt: skip


@pytest.mark.parametrize("reply", LOST, ids=_LOST_IDS)
@pytest.mark.parametrize(("method", "path", "ask"), MAKES, ids=["create", "rows", "composite"])
def test_a_create_without_an_answer_is_doubted_and_sent_once(kit, method, path, ask, reply):
    """Whatever was lost, it is for the ledger to look; nothing is sent again here."""
    kit.on(method, path, reply)
    with pytest.raises(Ambiguous):
        ask(kit.crm)
    assert len(kit.server.seen) == 1 and len(kit.calls) == 1
    assert kit.calls[0]["path"] == BASE + path and kit.attention == []


@pytest.mark.parametrize("reply", LOST[:6], ids=_LOST_IDS[:6])
@pytest.mark.parametrize(
    ("method", "path", "ask"),
    READS,
    ids=lambda one: one if isinstance(one, str) and "/" in one else "",
)
def test_what_makes_nothing_twice_is_tried_again(kit, method, path, ask, reply):
    """Reads, changes, and a link, of which there is one whatever is sent."""
    kit.on(method, path, reply)
    with pytest.raises(Transient) as raised:
        ask(kit.crm)
    assert len(kit.server.seen) == 1 and "tried again" in raised.value.message


def test_what_never_left_is_no_doubt(make_kit):
    """Nothing listens on the port."""
    kit = make_kit()
    kit.tokens.url = "http://127.0.0.1:1"
    with pytest.raises(Transient) as raised:
        kit.crm.create("Task", {"Subject": "x"})
    assert "no connection" in raised.value.message
    assert [call["status"] for call in kit.calls] == [None]


@pytest.mark.parametrize("url", ["", "ftp://x", "https://8.8.8.8", "http://169.254.169.254",
                                 "https://a b.salesforce.com", "http://login.salesforce.com"])  # fmt: skip
def test_an_address_that_is_not_the_organisations_gets_no_token(kit, url):
    """The guard refuses it, or it is no address: a person mends the connection."""
    kit.tokens.url = url
    with pytest.raises(NeedsAttention) as raised:
        kit.crm.create("Task", {"Subject": "x"})
    assert kit.attention == [raised.value.message] and kit.server.seen == []


def test_a_token_that_is_none_is_not_sent(kit):
    """A line break would be a header of its own."""
    kit.tokens.token = lambda **_: Token(
        access="a\r\nX: y", expires_at=NOW, base_url=kit.server.url
    )
    with pytest.raises(NeedsAttention):
        kit.crm.limits()
    assert kit.server.seen == []


def test_a_refused_token_is_exchanged_once(kit):
    """A 401 costs no event (R71): one other token, one more request."""
    kit.on("POST", OPP, refusal("INVALID_SESSION_ID", status=401), Reply(201, json=MADE))
    assert kit.crm.create("Opportunity", {"Name": "x"}) == ID
    assert kit.tokens.refused == [None, "t1"]
    assert [one.headers["authorization"] for one in kit.server.seen] == ["Bearer t1", "Bearer t2"]
    assert kit.attention == [] and [call["status"] for call in kit.calls] == [401, 201]


def test_a_second_401_needs_attention(kit):
    """Exactly one refresh, then a person; simple-salesforce asks 544 times here."""
    kit.on("GET", "/limits", refusal("INVALID_SESSION_ID", status=401))
    with pytest.raises(NeedsAttention) as raised:
        kit.crm.limits()
    assert len(kit.server.seen) == 2 and kit.attention == [raised.value.message]


def test_a_lacking_scope_is_not_refreshed(kit):
    """No refresh gives a scope: a person, at once, with its name."""
    text = "One of the following scopes is required: [api, full]"
    kit.on("GET", "/limits", refusal("INVALID_SESSION_ID", text, status=401))
    with pytest.raises(NeedsAttention) as raised:
        kit.crm.limits()
    assert len(kit.server.seen) == 1 and kit.tokens.refused == [None]
    assert "“api, full”" in raised.value.message


def test_the_identity_service_says_401_in_its_own_way(kit):
    """403 and one word; the same one refresh."""
    path = "/services/oauth2/userinfo"
    who = {"user_id": "0055e", "organization_id": "00D5e", "preferred_username": "u@x", "name": "U"}
    kit.server.on("GET", path, Reply(403, body=b"Bad_OAuth_Token"), Reply(json=who))
    found = kit.crm.me()
    assert (found.id, found.organization_id, found.username) == ("0055e", "00D5e", "u@x")
    assert kit.tokens.refused == [None, "t1"] and kit.calls[0]["error"] == "Bad_OAuth_Token"


def test_a_create_says_what_it_made(kit):
    """Body, headers, record of the call, and what the answer tells of the day's calls."""
    headers = {"X-SFDC-Request-Id": "abc123", "Sforce-Limit-Info": "api-usage=4000/5000"}
    kit.on("POST", OPP, Reply(201, json=MADE, headers=headers))
    assert kit.crm.create("Opportunity", {"Name": "Ünïcode 📄", "Amount": 1.5}) == ID
    seen, call = kit.server.seen[0], kit.calls[0]
    assert seen.json == {"Name": "Ünïcode 📄", "Amount": 1.5}
    assert seen.headers["content-type"] == "application/json"
    assert call["body_sha256"] == hashlib.sha256(seen.body).hexdigest()
    assert (call["status"], call["vendor_id"], call["error"]) == (201, "abc123", "")
    assert call["started_at"] == NOW and call["duration_us"] > 0
    assert kit.usages == [Usage(used=4000, most=5000)]


def test_a_duplicate_is_no_error(kit):
    """It is there already, and the message names it."""
    text = f"duplicate value found: Box__c duplicates value on record with id: {ID}"
    kit.on("POST", OPP, refusal("DUPLICATE_VALUE", text, fields=[]))
    assert kit.crm.create("Opportunity", {}) == Duplicate(record_id=ID, message=text)
    assert kit.calls[0]["error"] == "DUPLICATE_VALUE"


def test_a_link_that_is_there_is_success(kit):
    """Also after FirstPublishLocationId, which makes it by itself."""
    text = f"Document with ID: {DOC} is already linked with the entity with ID: {ID}"
    path = "/sobjects/ContentDocumentLink"
    kit.on("POST", path, Reply(201, json={**MADE, "id": "06A1"}),
           refusal("DUPLICATE_VALUE", text, fields=["LinkedEntityId"]))  # fmt: skip
    assert kit.crm.link(DOC, ID, share_type="V", visibility="AllUsers") == "06A1"
    assert kit.crm.link(DOC, ID, share_type="V", visibility="AllUsers") is None
    assert kit.server.seen[0].json == {
        "ContentDocumentId": DOC, "LinkedEntityId": ID, "ShareType": "V", "Visibility": "AllUsers",
    }  # fmt: skip


def test_a_link_to_an_object_without_files_says_so(kit):
    """R78."""
    kit.on("POST", "/sobjects/ContentDocumentLink", refusal("FIELD_INTEGRITY_EXCEPTION"))
    with pytest.raises(Permanent) as raised:
        kit.crm.link(DOC, ID, share_type="V", visibility="AllUsers")
    assert "does not support Files" in raised.value.message and "layout" in raised.value.message


@pytest.mark.parametrize("reply", [refusal("ENTITY_IS_DELETED", status=404), refusal("NOT_FOUND", status=404)])  # fmt: skip
def test_what_is_deleted_is_none(kit, reply):
    """A record, a change of it, and an object that is not to be seen."""
    kit.on("GET", f"{OPP}/{ID}", reply)
    kit.on("PATCH", f"{OPP}/{ID}", reply)
    kit.on("GET", "/sobjects/Gone__c/describe", reply)
    assert kit.crm.record("Opportunity", ID, ["Id"]) is None
    assert kit.crm.update("Opportunity", ID, {"Name": "x"}) is False
    assert kit.crm.describe("Gone__c") is None
    assert kit.attention == []


@pytest.mark.parametrize("body", [b"<html>URL No Longer Exists", b"", b"[]"])
def test_a_404_that_is_not_the_apis_says_nothing_of_a_record(kit, body):
    """A proxy's, or that of a host that was renamed: every mapping would be taken for deleted."""
    kit.on("GET", f"{OPP}/{ID}", Reply(404, body=body))
    kit.on("PATCH", f"{OPP}/{ID}", Reply(404, body=body))
    kit.on("GET", f"{OPP}/describe", Reply(404, body=body))
    for ask in (
        lambda: kit.crm.record("Opportunity", ID, ["Id"]),
        lambda: kit.crm.update("Opportunity", ID, {"Name": "x"}),
        lambda: kit.crm.describe("Opportunity"),
    ):
        with pytest.raises(NeedsAttention, match="not from its API"):
            ask()


def test_a_change_that_points_to_nothing_is_not_taken_for_a_deleted_record(kit):
    """INVALID_CROSS_REFERENCE_KEY is the record itself only when it names no field."""
    code = "INVALID_CROSS_REFERENCE_KEY"
    kit.on("PATCH", f"{OPP}/{ID}", refusal(code, fields=["OwnerId"]), refusal(code, fields=[]))
    with pytest.raises(Permanent):
        kit.crm.update("Opportunity", ID, {"OwnerId": "x"})
    assert kit.crm.update("Opportunity", ID, {}) is False


def test_a_record_and_a_change(kit):
    """Fields are asked for by name; 204 has no body."""
    row = {"attributes": {"type": "Opportunity", "url": "/x"}, "Id": ID, "Name": "Acme"}
    kit.on("GET", f"{OPP}/{ID}", Reply(json=row))
    kit.on("PATCH", f"{OPP}/{ID}", Reply(204))
    assert kit.crm.record("Opportunity", ID, ["Id", "Name"]) == {"Id": ID, "Name": "Acme"}
    assert kit.server.seen[0].query == {"fields": "Id,Name"}
    assert kit.calls[0]["path"] == f"{BASE}{OPP}/{ID}?fields"
    assert kit.crm.update("Opportunity", ID, {"StageName": "Closed Won"}) is True
    assert kit.server.seen[1].json == {"StageName": "Closed Won"}


def test_a_field_of_another_object_is_asked_for_by_a_query(kit):
    """`fields` of a record's address takes no paths."""
    row = {"attributes": {}, "Account": {"attributes": {}, "Name": "Acme"}}
    kit.on("GET", "/query", Reply(json={"done": True, "records": [row]}),
           Reply(json={"done": True, "records": []}))  # fmt: skip
    found = kit.crm.record("Opportunity", ID, ["Account.Name"])
    assert found == {"Account": {"Name": "Acme"}}
    asked = f"SELECT Account.Name FROM Opportunity WHERE Id = '{ID}' LIMIT 1"
    assert kit.server.seen[0].query == {"q": asked}
    assert kit.crm.record("Opportunity", ID, ["Account.Name"]) is None


@pytest.mark.parametrize(
    ("reply", "created"),
    [(Reply(201, json={**MADE, "created": True}), True), (Reply(200, json={**MADE, "created": False}), False),
     (Reply(204), False)],
)  # fmt: skip
def test_an_upsert_tells_what_it_did(kit, reply, created):
    """Its key is escaped, whatever is in it, and is recorded nowhere."""
    key = "a/b?ü&x=../ü"
    path = f"{OPP}/Box__c/a%2Fb%3F%C3%BC%26x%3D..%2F%C3%BC"
    kit.on("PATCH", path, reply)
    kit.on("GET", path, Reply(json={"Id": ID}))
    found = kit.crm.upsert("Opportunity", "Box__c", key, {"Name": "x"})
    assert (found.id, found.created) == (ID, created)
    assert {call["path"].partition("?")[0] for call in kit.calls} == {f"{BASE}{OPP}/Box__c/…"}


def test_an_upsert_on_several_is_permanent(kit):
    """300 is an array of addresses."""
    kit.on("PATCH", f"{OPP}/Box__c/k", Reply(300, json=["/services/data/a", "/services/data/b"]))
    with pytest.raises(Permanent) as raised:
        kit.crm.upsert("Opportunity", "Box__c", "k", {})
    assert "unique" in raised.value.message


def test_a_query_goes_on_page_by_page(kit):
    """Pages are asked for as they are needed, and no more than asked for is given."""
    rows = [{"attributes": {}, "Id": str(n)} for n in range(5)]
    more = f"{BASE}/query/01gRM0000-2000"
    first = {"totalSize": 5, "done": False, "nextRecordsUrl": more, "records": rows[:3]}
    kit.on("GET", "/query", Reply(json=first))
    kit.server.on("GET", more, Reply(json={"done": True, "records": rows[3:]}))
    soql = select("Opportunity", ["Id"], equals("Name", "Bob's & Söhne+%"))
    found = kit.crm.query(soql)
    assert [next(found)["Id"] for _ in range(3)] == ["0", "1", "2"] and len(kit.server.seen) == 1
    assert [one["Id"] for one in found] == ["3", "4"]
    assert kit.server.seen[0].query == {"q": soql.text}
    assert [call["path"] for call in kit.calls] == [f"{BASE}/query?q", more]
    assert [one["Id"] for one in kit.crm.query(soql, most=2)] == ["0", "1"]
    assert len(kit.server.seen) == 3


def test_a_query_ends_where_nothing_more_is(kit):
    """Who looks whether something was made must see all; and no page is read for ever."""
    rows = [{"Id": str(n)} for n in range(2_000)]
    *pages, circle = [f"{BASE}/query/01gRM0000-{n}" for n in range(1, 8)]
    on = {"done": False, "records": rows}
    kit.on("GET", "/query", Reply(json={**on, "nextRecordsUrl": pages[0]}),
           Reply(json={**on, "nextRecordsUrl": circle}))  # fmt: skip
    for here, after in pairwise(pages):
        kit.server.on("GET", here, Reply(json={**on, "nextRecordsUrl": after}))
    kit.server.on("GET", pages[-1], Reply(json={"done": True, "records": rows}))
    kit.server.on("GET", circle, Reply(json={**on, "records": [], "nextRecordsUrl": circle}))
    assert sum(1 for _ in kit.crm.query(ALL)) == 14_000
    with pytest.raises(Transient):
        list(kit.crm.query(ALL))


def test_a_query_that_leads_elsewhere_is_not_followed(kit):
    """The next page would get our token."""
    page = {"done": False, "nextRecordsUrl": "https://evil.test/services/data/v66.0/query/1", "records": []}  # fmt: skip
    kit.on("GET", "/query", Reply(json=page))
    with pytest.raises(Transient):
        list(kit.crm.query(ALL))
    assert len(kit.server.seen) == 1


def test_a_long_query_travels_in_a_composite(kit):
    """Address and headers may have 16,384 bytes together."""
    soql = select("ContentVersion", ["Id"], one_of("Id", [f"068{n:012}AAA" for n in range(400)]))
    inner = {"body": {"done": True, "records": [{"attributes": {}, "Id": "1"}]}, "httpStatusCode": 200, "referenceId": "query"}  # fmt: skip
    no = [{"errorCode": "MALFORMED_QUERY", "message": "unexpected token"}]
    wrong = {"body": no, "httpStatusCode": 400, "referenceId": "query"}
    kit.on("POST", "/composite", Reply(json={"compositeResponse": [inner]}),
           Reply(json={"compositeResponse": [wrong]}), Reply(503))  # fmt: skip
    assert [one["Id"] for one in kit.crm.query(soql)] == ["1"]
    asked = kit.server.seen[0].json["compositeRequest"][0]
    assert asked["method"] == "GET" and asked["url"].startswith(f"{BASE}/query?q=SELECT+Id+FROM")
    with pytest.raises(Permanent) as raised:
        list(kit.crm.query(soql))
    assert "unexpected token" in raised.value.message
    with pytest.raises(Transient):
        list(kit.crm.query(soql))


def test_several_queries_are_one_call_for_five(kit):
    """Each has its own records, and its own further pages; the one that is refused is told of."""

    def answer(*values):
        bodies = [{"done": True, "records": [{"attributes": {}, "Id": one}]} for one in values]
        return Reply(json={"compositeResponse": [
            {"body": body, "httpStatusCode": 200, "referenceId": "x"} for body in bodies
        ]})  # fmt: skip

    halted = [{"errorCode": "PROCESSING_HALTED", "message": "given up"}]
    wrong = [{"errorCode": "MALFORMED_QUERY", "message": "unexpected token"}]
    inner = [{"body": body, "httpStatusCode": 400, "referenceId": "x"} for body in (halted, wrong)]
    kit.on("POST", "/composite", answer("1", "2", "3", "4", "5"), answer("6", "7"),
           Reply(json={"compositeResponse": inner}))  # fmt: skip
    found = kit.crm.queries([ALL] * 7)
    assert [[row["Id"] for row in rows] for rows in found] == [[one] for one in "1234567"]
    assert len(kit.server.seen) == 2
    names = [one["referenceId"] for one in kit.server.seen[0].json["compositeRequest"]]
    assert len(set(names)) == 5
    assert kit.crm.queries([]) == []
    with pytest.raises(Permanent, match="unexpected token"):
        kit.crm.queries([ALL, ALL])


def test_rows_come_back_in_order(kit):
    """One call for 200; a row that failed has the organisation's own words."""
    answer = [{"id": ID, "success": True, "errors": []},
              {"success": False, "errors": [{"statusCode": "STRING_TOO_LONG", "message": "too long", "fields": ["Subject"]}]}]  # fmt: skip
    kit.on("POST", "/composite/sobjects", Reply(json=answer), Reply(json=answer[:1]))
    kit.on("PATCH", "/composite/sobjects", Reply(json=answer))
    rows = [{"Subject": "a"}, {"Subject": "b"}]
    failed = RowResult(ok=False, code="STRING_TOO_LONG", message="too long", fields=("Subject",))
    assert kit.crm.create_rows("Task", rows) == [RowResult(ok=True, id=ID), failed]
    assert kit.server.seen[0].json == {
        "allOrNone": False,
        "records": [{"attributes": {"type": "Task"}, **row} for row in rows],
    }
    assert kit.crm.update_rows("Task", [{"Id": ID}, {"Id": DOC}])[1] == failed
    with pytest.raises(Ambiguous):
        kit.crm.create_rows("Task", rows)
    assert kit.crm.create_rows("Task", []) == [] and len(kit.server.seen) == 3


@pytest.mark.parametrize(
    "row", [{}, None, {"id": ID}, {"success": True}, {"success": "true", "id": ID}]
)
def test_a_row_that_says_neither_is_doubted(kit, row):
    """It may have been made: taken as refused it would be sent again."""
    answer = [{"id": ID, "success": True, "errors": []}, row]
    kit.on("POST", "/composite/sobjects", Reply(json=answer))
    kit.on("PATCH", "/composite/sobjects", Reply(json=answer))
    with pytest.raises(Ambiguous):
        kit.crm.create_rows("Task", [{"Subject": "a"}, {"Subject": "b"}])
    with pytest.raises(Transient):
        kit.crm.update_rows("Task", [{"Id": ID}, {"Id": DOC}])


def test_what_cannot_be_sent_is_refused_here(kit):
    """No call is spent on it."""
    for ask in (
        lambda crm: crm.create_rows("Task", [{}] * 201),
        lambda crm: crm.update_rows("Task", [{"Subject": "x"}]),
        lambda crm: crm.composite([]),
        lambda crm: crm.composite([{}] * 26),
        lambda crm: crm.create("Task/../x", {}),
        lambda crm: crm.create("Task", {"Amount": float("nan")}),
        lambda crm: crm.create("Task", {"Amount": object()}),
        lambda crm: crm.record("Task", "../x", ["Id"]),
        lambda crm: crm.record("Task", ID, ["Id,Name&x"]),
        lambda crm: crm.upsert("Task", "Box__c", "..", {}),
        lambda crm: crm.upsert("Task", "Box__c", "", {}),
        lambda crm: crm.link("069", ID, share_type="V", visibility="AllUsers"),
        lambda crm: crm.deleted("Task", NOW.replace(tzinfo=None), NOW),
    ):
        with pytest.raises(Permanent):
            ask(kit.crm)
    assert kit.server.seen == []


def test_a_wrong_version_is_refused_here(make_kit):
    """It is a setting, and a part of each address."""
    with pytest.raises(Permanent):
        make_kit(api_version="66/../x").crm.limits()


def test_describe_is_kept_for_ten_minutes_a_connection(make_kit):
    """Clients come and go; what they share is the connection's."""
    answer = {"name": "Opportunity", "label": "Deal", "keyPrefix": "006", "fields": [
        {"name": "StageName", "label": "Stage", "type": "picklist", "length": 40, "createable": True,
         "updateable": True, "restrictedPicklist": True, "picklistValues": [
             {"active": True, "value": "Won"}, {"active": False, "value": "Old"}]},
        {"name": "AccountId", "type": "reference", "referenceTo": ["Account"], "length": 18}]}  # fmt: skip
    kit = make_kit()
    kit.on("GET", f"{OPP}/describe", Reply(json=answer))
    found = kit.crm.describe("Opportunity")
    stage, account = found.fields["StageName"], found.fields["AccountId"]
    assert (found.key_prefix, stage.values, stage.restricted) == ("006", ("Won",), True)
    assert account.references == ("Account",) and not account.createable
    assert open_client(kit.calling).describe("Opportunity") == found
    kit.now = NOW + timedelta(minutes=9)
    kit.crm.describe("opportunity")
    assert len(kit.server.seen) == 1
    kit.now = NOW + timedelta(minutes=11)
    kit.crm.describe("Opportunity")
    assert len(kit.server.seen) == 2


def test_deleted_and_limits(kit):
    """Times go with their zone; the day's calls come from the body."""
    rows = {"deletedRecords": [{"id": ID, "deletedDate": "2026-11-22T11:00:00.000+0000"}]}
    kit.on("GET", f"{OPP}/deleted/", Reply(json=rows))
    kit.on("GET", "/limits", Reply(json={"DailyApiRequests": {"Max": 5000, "Remaining": 4900}}))
    assert kit.crm.deleted("Opportunity", NOW - timedelta(hours=1), NOW) == [ID]
    assert kit.server.seen[0].query == {
        "start": "2026-11-22T11:00:00+00:00", "end": "2026-11-22T12:00:00+00:00",
    }  # fmt: skip
    assert kit.crm.limits() == Usage(used=100, most=5000)


def test_limits_are_in_each_answer(kit):
    """/limits needs a right of its own; who lacks it is told by the header."""
    no = refusal("INSUFFICIENT_ACCESS", status=403)
    bare = Reply(403, json=no.json, headers={"Sforce-Limit-Info": ""})
    kit.on("GET", "/limits", no, bare)
    assert kit.crm.limits() == Usage(used=18, most=5000)
    with pytest.raises(Permanent, match="View Setup"):
        kit.crm.limits()
    assert kit.attention == []


def test_the_days_limit_waits(kit):
    """Repeats would burn what frees."""
    kit.on("GET", "/limits", refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403))  # fmt: skip
    with pytest.raises(LimitReached) as raised:
        kit.crm.limits()
    assert raised.value.retry_after_s == 300 and len(kit.server.seen) == 1


def test_a_redirect_is_not_followed(kit):
    """It would take the token along."""
    kit.on("GET", "/limits", Reply(302, headers={"Location": f"{kit.server.url}/x"}))
    with pytest.raises(NeedsAttention):
        kit.crm.limits()
    assert len(kit.server.seen) == 1


def test_a_huge_answer_is_cut_off(kit):
    """Of a read and of a create; more than we take is as good as none."""
    kit.on("GET", "/limits", Reply(body=b" " * (MAX_ANSWER + 1)))
    kit.on("POST", TASK, Reply(201, body=b" " * (MAX_ANSWER + 1)))
    with pytest.raises(Transient, match="larger"):
        kit.crm.limits()
    with pytest.raises(Ambiguous, match="larger"):
        kit.crm.create("Task", {})


def test_a_dripping_answer_ends(make_kit):
    """A byte now and then keeps the connection from being silent; the whole has its own limit."""
    kit = make_kit(patience=Patience(whole_s=0.3))
    kit.on("GET", "/limits", Reply(body=b"x" * 400, pause_s=0.05))
    with pytest.raises(Transient, match="too long"):
        kit.crm.limits()


def test_silence_ends(make_kit):
    """No byte for as long as is allowed: a create is in doubt."""
    kit = make_kit(patience=Patience(silent_s=0.2))
    gone = threading.Event()

    def silent(_):
        gone.wait(5)
        return Reply(201, json=MADE)

    kit.on("POST", TASK, silent)
    with pytest.raises(Ambiguous, match="too long"):
        kit.crm.create("Task", {})
    gone.set()


def test_a_connection_is_used_again(kit):
    """Also after a refusal, and with bodies of any kind."""
    kit.on("GET", "/limits", Reply(json={"DailyApiRequests": {"Max": 1, "Remaining": 1}}))
    kit.on("GET", f"{OPP}/{ID}", refusal("INVALID_FIELD"))
    kit.on("PATCH", f"{OPP}/{ID}", Reply(204))
    with pytest.raises(Permanent):
        kit.crm.record("Opportunity", ID, ["Id"])
    for _ in range(3):
        kit.crm.limits()
        kit.crm.update("Opportunity", ID, {})
    assert kit.server.connections == 1


def test_answers_in_chunks_and_packed_are_read(kit):
    """As Salesforce sends them; packed ones though we ask for none."""
    body = {"DailyApiRequests": {"Max": 5000, "Remaining": 4900}}
    packed = gzip.compress(json.dumps(body).encode())
    gz = {"Content-Encoding": "gzip"}
    kit.on("GET", "/limits", Reply(json=body, chunked=True), Reply(body=packed, headers=gz),
           Reply(body=packed, headers=gz, chunked=True))  # fmt: skip
    assert [kit.crm.limits().used for _ in range(4)] == [100] * 4
    assert kit.server.connections == 1
    kit.on("POST", TASK, Reply(201, body=gzip.compress(bytes(MAX_ANSWER + 1)), headers=gz))
    with pytest.raises(Ambiguous, match="larger"):
        kit.crm.create("Task", {})


@settings(max_examples=60)
@given(raw=st.binary(max_size=120), head=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 201 C\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", b"HTTP/1.1 401 N\r\nContent-Length: 7\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"]))  # fmt: skip
def test_any_bytes_on_the_wire_are_one_of_our_errors(guarded, raw, head):
    """What is no HTTP, too: never another exception, and a create is never taken for refused."""
    kit = Kit(guarded)
    try:
        kit.on("POST", TASK, Reply(raw=head + raw))
        try:
            kit.crm.create("Task", {"Subject": json.dumps("x")})
        except CallFailed as error:
            assert isinstance(error, Ambiguous | NeedsAttention | Permanent | Transient | LimitReached)  # fmt: skip
        assert len(kit.calls) in (1, 2)
    finally:
        kit.close()
