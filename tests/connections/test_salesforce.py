"""Salesforce connections: the client they open, “Request authentication”, and what is noted."""

from datetime import timedelta

import pytest

from connections.kit import START, Stage
from connections.signing_kit import SALESFORCE_TOKEN, salesforce
from fakes.box_server import Reply, Seen
from inkwire.errors import InvalidInput, NeedsAttention
from inkwire.model.connection import ConnectionHealth
from inkwire.model.crm import ApiUsage

DATA = "/services/data/v66.0"
NAMES = ["token", "user", "api", "accounts", "opportunities", "files", "tasks", "stages"]


def described(name: str, field: str, **more: bool) -> dict:
    """What describe says of an object with one field."""
    found = {
        "name": field, "label": field, "type": "string", "length": 255, "createable": True,
        "updateable": True, "referenceTo": [], "picklistValues": [], "restrictedPicklist": False,
    } | more  # fmt: skip
    return {"name": name, "label": name, "keyPrefix": "00X", "fields": [found]}


def query(seen: Seen) -> Reply:
    """Records for any query: a stage, or an id."""
    kind = "OpportunityStage" if "OpportunityStage" in seen.path else "Account"
    row = {"attributes": {"type": kind}, "Id": "001xx000003DGb2AAG", "MasterLabel": "Closed Won",
           "IsActive": True}  # fmt: skip
    return Reply(
        json={"totalSize": 1, "done": True, "records": [row]},
        headers={"Sforce-Limit-Info": "api-usage=19/5000"},
    )


@pytest.fixture
def crm(stage: Stage) -> Stage:
    """A Salesforce at which everything is allowed, by client credentials."""
    salesforce(stage)
    answer = {"access_token": "00D!x", "instance_url": stage.box.url, "issued_at": "1"}
    stage.box.on("POST", SALESFORCE_TOKEN, Reply(json=answer))
    user = {"user_id": "005xx000001SwiUAAS", "organization_id": "00Dxx0000001gPLEAY",
            "preferred_username": "inkwire@acme.example", "name": "Inkwire"}  # fmt: skip
    stage.knows("/services/oauth2/userinfo", user)
    stage.box.on(
        "GET",
        f"{DATA}/limits",
        Reply(
            json={"DailyApiRequests": {"Max": 5000, "Remaining": 4982}},
            headers={"Sforce-Limit-Info": "api-usage=18/5000"},
        ),
    )
    stage.box.on("GET", f"{DATA}/query", query)
    for name, field in (
        ("Opportunity", "StageName"), ("ContentVersion", "PathOnClient"), ("Task", "Subject"),
    ):  # fmt: skip
        stage.knows(f"{DATA}/sobjects/{name}/describe", described(name, field))
    return stage


def instead(stage: Stage, path: str, reply: Reply, method: str = "GET") -> None:
    """Another answer than the one that all is well."""
    stage.box._replies[method, path].clear()
    stage.box.on(method, path, reply)


def test_all_is_well(crm: Stage):
    """Who we are, the day's calls, each right; nothing is made at Salesforce."""
    checks = crm.desk.check("crm")
    assert [(one.name, one.ok) for one in checks] == [(name, True) for name in NAMES]
    details = {one.name: one.detail for one in checks}
    assert "inkwire@acme.example" in details["user"] and "18 of 5,000" in details["api"]
    assert "Closed Won" in details["stages"]
    assert crm.store.connections.get("crm").health is ConnectionHealth.OK
    asked = {(one.method, one.path.partition("?")[0]) for one in crm.box.seen}
    assert {method for method, _ in asked} == {"GET", "POST"}
    assert [path for method, path in asked if method == "POST"] == [SALESFORCE_TOKEN]


@pytest.mark.parametrize(
    ("name", "path", "reply", "says"),
    [
        ("user", "/services/oauth2/userinfo", Reply(403, body=b"Bad_OAuth_Token"), "identity URL"),
        ("api", f"{DATA}/limits",
         Reply(403, json=[{"message": "The REST API is not enabled for this Organization.",
                           "errorCode": "API_DISABLED_FOR_ORG"}]), "API"),
        ("opportunities", f"{DATA}/sobjects/Opportunity/describe",
         Reply(json=described("Opportunity", "StageName", updateable=False)), "“Read and Edit” for Opportunities"),
        ("files", f"{DATA}/sobjects/ContentVersion/describe",
         Reply(json=described("ContentVersion", "PathOnClient", createable=False)), "Salesforce Files"),
        ("files", f"{DATA}/sobjects/ContentVersion/describe",
         Reply(404, json=[{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]),
         "does not see the object ContentVersion"),
        ("tasks", f"{DATA}/sobjects/Task/describe",
         Reply(json=described("Task", "Subject", createable=False)), "Edit Tasks"),
    ],
)  # fmt: skip
def test_a_right_that_lacks_is_named(crm: Stage, name, path, reply, says):
    """With what to tick in Salesforce; the others are still tried; health says it, too."""
    instead(crm, path, reply)
    checks = {one.name: one for one in crm.desk.check("crm")}
    assert [one.name for one in checks.values() if not one.ok] == [name]
    assert says in checks[name].detail
    now = crm.store.connections.get("crm")
    assert now.health is ConnectionHealth.NEEDS_ATTENTION and says in now.health_note


def test_an_object_that_is_not_seen_is_named(crm: Stage):
    """A query of it is refused by the organisation: the box to tick follows its own words."""
    refused = [{"message": "sObject type 'Account' is not supported.", "errorCode": "INVALID_TYPE"}]
    crm.box._replies["GET", f"{DATA}/query"].clear()
    crm.box.on(
        "GET",
        f"{DATA}/query",
        lambda seen: Reply(400, json=refused) if "FROM+Account" in seen.path else query(seen),
    )
    checks = {one.name: one for one in crm.desk.check("crm")}
    assert [one.name for one in checks.values() if not one.ok] == ["accounts"]
    assert "“Read” for Accounts" in checks["accounts"].detail


def test_a_check_sees_what_was_ticked_since(crm: Stage):
    """What describe said before is not believed: an admin has just changed it."""
    path = f"{DATA}/sobjects/Task/describe"
    instead(crm, path, Reply(json=described("Task", "Subject", createable=False)))
    assert not all(one.ok for one in crm.desk.check("crm"))
    instead(crm, path, Reply(json=described("Task", "Subject")))
    assert all(one.ok for one in crm.desk.check("crm"))


def test_refused_credentials_are_told_in_salesforces_terms(crm: Stage):
    """One cause, one sentence, and nothing else is tried."""
    wrong = {"error": "invalid_client", "error_description": "invalid client credentials"}
    instead(crm, SALESFORCE_TOKEN, Reply(400, json=wrong), method="POST")
    checks = crm.desk.check("crm")
    assert not any(one.ok for one in checks) and "consumer secret" in checks[0].detail
    assert len(crm.box.seen) == 1


def test_calls_are_kept_with_their_run(crm: Stage):
    """The client that a run gets records what it does, and notes what a person must mend."""
    crm.desk.salesforce("crm", run_id="int_1/k/1").me()
    calls = crm.store.run_log.calls(connection_id="crm")
    assert {one.run_id for one in calls} == {"int_1/k/1"} and len(calls) == 2
    assert "00D!x" not in repr(calls) and "s3cret" not in repr(calls)
    refused = [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    instead(crm, "/services/oauth2/userinfo", Reply(401, json=refused))
    with pytest.raises(NeedsAttention):
        crm.desk.salesforce("crm").me()
    now = crm.store.connections.get("crm")
    assert now.health is ConnectionHealth.NEEDS_ATTENTION and now.health_note


def test_the_days_calls_are_noted_now_and_then(crm: Stage):
    """Each answer says them; every ten seconds one is kept."""
    client = crm.desk.salesforce("crm")
    client.limits()
    noted = ApiUsage(connection_id="crm", used=18, most=5000, at=START)
    assert crm.store.api_usages.get("crm") == noted
    for seconds, used in ((9, 18), (1, 19)):
        crm.clock.advance(seconds=seconds)
        instead(
            crm,
            f"{DATA}/limits",
            Reply(
                json={"DailyApiRequests": {"Max": 5000, "Remaining": 4981}},
                headers={"Sforce-Limit-Info": "api-usage=19/5000"},
            ),
        )
        crm.desk.salesforce("crm").limits()
        found = crm.store.api_usages.get("crm")
        assert found and found.used == used
    assert found.at == START + timedelta(seconds=10)


def test_a_connection_is_for_its_provider(crm: Stage):
    """An integration that names the wrong one hears it in words."""
    with pytest.raises(InvalidInput, match="choose one for Box"):
        crm.desk.box("crm")
    crm.add()
    with pytest.raises(InvalidInput, match="choose one for Salesforce"):
        crm.desk.salesforce("box-main")
