"""simple-salesforce, a client that others wrote, judges the sandbox's Salesforce."""

import base64
import hashlib
from datetime import datetime, timedelta

import pytest
from simple_salesforce import Salesforce
from simple_salesforce import exceptions as refusals
from simple_salesforce.exceptions import SalesforceAuthenticationFailed


def test_it_logs_in(org, judged, sf):
    """By client credentials, and by a session id on the instance's address."""
    assert sf.sf_instance == org.sandbox.url.removeprefix("http://")
    token = org.log_in()["access_token"]
    other = Salesforce(
        session_id=token, instance_url=org.sandbox.url, version="66.0", session=judged
    )
    assert other.query("SELECT Id FROM User")["totalSize"] >= 3


def test_it_is_refused(org, judged):
    """A wrong secret: the endpoint's own words."""
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid client credentials"):
        Salesforce(
            consumer_key=org.app["client_id"],
            consumer_secret="wrong",
            domain="example.my",
            session=judged,
        )


def test_records(sf):
    """Create, read, change, delete; the error classes of what was deleted."""
    made = sf.Account.create({"Name": "Judged"})
    assert made == {"id": made["id"], "success": True, "errors": []}
    assert sf.Account.get(made["id"])["Name"] == "Judged"
    assert sf.Account.update(made["id"], {"Name": "Again"}) == 204
    assert sf.Account.delete(made["id"]) == 204
    with pytest.raises(refusals.SalesforceResourceNotFound) as gone:
        sf.Account.get(made["id"])
    assert gone.value.content[0]["errorCode"] == "ENTITY_IS_DELETED"


def test_error_classes(org, sf):
    """Each status becomes the client's class."""
    with pytest.raises(refusals.SalesforceMalformedRequest) as lacking:
        sf.Contact.create({"FirstName": "Ann"})
    assert lacking.value.content[0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    with pytest.raises(refusals.SalesforceMalformedRequest):
        sf.query("SELECT FROM nowhere")
    with pytest.raises(refusals.SalesforceResourceNotFound):
        sf.Nothing.describe()
    org.sandbox.fault(kind="status", status=403, code="TotalRequests", path="/limits")
    with pytest.raises(refusals.SalesforceRefusedRequest):
        sf.limits()
    org.sandbox.fault(kind="status", status=503, code="html", path="/limits")
    with pytest.raises(refusals.SalesforceGeneralError):
        sf.limits()


def test_an_expired_session_is_renewed(org, sf):
    """A query after the tokens ended: the client logs in again by itself."""
    org.sandbox.call("POST", "/salesforce/expire-tokens")
    assert sf.query("SELECT Id FROM User")["totalSize"] >= 3


def test_an_expired_session_without_a_way_back(org, judged):
    """With a session id alone it can only say so."""
    fixed = Salesforce(
        session_id="expired", instance_url=org.sandbox.url, version="66.0", session=judged
    )
    with pytest.raises((refusals.SalesforceExpiredSession, RuntimeError)):
        fixed.query("SELECT Id FROM User")


def test_queries_and_their_pages(org, sf):
    """query, query_more, query_all, count, deleted ones."""
    rows = [{"attributes": {"type": "Account"}, "Name": f"Judge {at:04d}"} for at in range(200)]
    for _ in range(11):
        assert org.call("POST", "/composite/sobjects", {"records": rows}).ok
    where = "FROM Account WHERE Name LIKE 'Judge %'"
    first = sf.query(f"SELECT Id, Name, Owner.Name {where}")
    assert (len(first["records"]), first["done"]) == (2000, False)
    rest = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
    assert (len(rest["records"]), rest["done"]) == (200, True)
    everything = sf.query_all(f"SELECT Id {where}")
    assert everything["totalSize"] == len(everything["records"]) == 2200
    assert sf.query(f"SELECT COUNT() {where}")["totalSize"] == 2200
    victim = first["records"][0]["Id"]
    sf.Account.delete(victim)
    assert sf.query(f"SELECT COUNT() {where}")["totalSize"] == 2199
    assert sf.query(f"SELECT COUNT() {where}", include_deleted=True)["totalSize"] == 2200


def test_upsert(org, sf):
    """By an external id: made, then changed."""
    org.sandbox.call(
        "POST",
        "/salesforce/fields",
        {"object": "Account", "name": "Judge__c", "external": True, "unique": True},
    )
    assert sf.Account.upsert("Judge__c/k%2F1", {"Name": "U"}) == 201
    assert sf.Account.upsert("Judge__c/k%2F1", {"Name": "U2"}) == 200
    assert sf.Account.get_by_custom_id("Judge__c", "k/1")["Name"] == "U2"


def test_describe(sf):
    """Objects and fields."""
    names = {one["name"] for one in sf.describe()["sobjects"]}
    assert {"Account", "Opportunity", "Task", "ContentVersion", "ContentDocumentLink"} <= names
    fields = {one["name"]: one for one in sf.Opportunity.describe()["fields"]}
    assert fields["StageName"]["type"] == "picklist"
    assert "Closed Won" in [one["value"] for one in fields["StageName"]["picklistValues"]]
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert not fields["IsWon"]["createable"]
    assert sf.Opportunity.metadata()["objectDescribe"]["keyPrefix"] == "006"


def test_files_by_base64(sf):
    """Stored, described by its checksum, downloaded again."""
    content = b"%PDF-judged" * 100
    made = sf.ContentVersion.create(
        {"PathOnClient": "judged.pdf", "VersionData": base64.b64encode(content).decode()}
    )
    kept = sf.ContentVersion.get(made["id"])
    assert kept["Checksum"] == hashlib.md5(content).hexdigest()
    assert kept["VersionData"].endswith(f"/sobjects/ContentVersion/{made['id']}/VersionData")
    assert sf.ContentVersion.get_base64(made["id"], "VersionData") == content
    deal = sf.Opportunity.create(
        {"Name": "Judged", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
    )["id"]
    link = {"LinkedEntityId": deal, "ShareType": "V"}
    link["ContentDocumentId"] = kept["ContentDocumentId"]
    assert sf.ContentDocumentLink.create(link)["success"]
    with pytest.raises(refusals.SalesforceMalformedRequest) as twice:
        sf.ContentDocumentLink.create(link)
    assert twice.value.content[0]["errorCode"] == "DUPLICATE_VALUE"


def test_what_changed(org, sf):
    """updated and deleted, with moments as the client writes them."""
    kept, gone = sf.Account.create({"Name": "K"})["id"], sf.Account.create({"Name": "G"})["id"]
    sf.Account.delete(gone)
    now = datetime.fromisoformat(org.sandbox.call("GET", "/clock")["now"])
    start, end = now - timedelta(hours=1), now + timedelta(minutes=5)
    assert kept in sf.Account.updated(start, end)["ids"]
    assert gone in [one["id"] for one in sf.Account.deleted(start, end)["deletedRecords"]]


def test_the_days_calls(sf):
    """The client reads Sforce-Limit-Info itself."""
    left = sf.limits()["DailyApiRequests"]
    sf.query("SELECT Id FROM User")
    usage = sf.api_usage["api-usage"]
    assert (usage.used, usage.total) == (left["Max"] - left["Remaining"] + 1, left["Max"])
