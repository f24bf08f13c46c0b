"""The sandbox's Salesforce: several calls or rows as one (rule 26)."""

import base64

from fakes.crm import error


def accounts(*names):
    """Rows of Accounts."""
    return [{"attributes": {"type": "Account"}, "Name": name} for name in names]


def rows(org, method, records, every=False):
    """A Collections call."""
    body = {"allOrNone": every, "records": records}
    return org.call(method, "/composite/sobjects", body)


def test_each_row_stands_alone(org):
    """200 whatever happened; `statusCode`, not `errorCode`, in the order of the request."""
    answer = rows(
        org, "POST", [*accounts("A"), {"attributes": {"type": "Account"}}, *accounts("C")]
    )
    assert answer.status_code == 200
    first, second, third = answer.json()
    assert (first["success"], first["errors"]) == (True, [])
    assert third["success"]
    assert second == {
        "success": False,
        "errors": [
            {
                "statusCode": "REQUIRED_FIELD_MISSING",
                "message": "Required fields are missing: [Name]",
                "fields": ["Name"],
            }
        ],
    }
    assert org.get("Account", third["id"])["Name"] == "C"


def test_all_or_none(org):
    """One that fails takes the others back."""
    before = org.sandbox.call("GET", "/salesforce/counts")["records"]["Account"]
    answer = rows(org, "POST", [*accounts("A", ""), *accounts("C")], every=True).json()
    codes = [one["errors"][0]["statusCode"] for one in answer]
    rolled = "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert codes == [rolled, "REQUIRED_FIELD_MISSING", rolled]
    assert org.sandbox.call("GET", "/salesforce/counts")["records"]["Account"] == before
    again = rows(org, "POST", accounts("A"), every=True).json()
    assert again[0]["success"]


def test_changes_deletes_and_reads_of_rows(org):
    """PATCH by Id, DELETE by ids, POST on the object reads."""
    first, second = (one["id"] for one in rows(org, "POST", accounts("A", "B")).json())
    changed = rows(
        org,
        "PATCH",
        [
            {"attributes": {"type": "Account"}, "id": first, "Name": "A2"},
            {"attributes": {"type": "Account"}, "Id": second[:15], "Name": "B2"},
            {"attributes": {"type": "Account"}, "Name": "nobody"},
            {"attributes": {"type": "Nope"}, "Id": first},
        ],
    ).json()
    assert [one["success"] for one in changed] == [True, True, False, False]
    assert [one.get("id") for one in changed[:2]] == [first, second]
    read = org.call(
        "POST",
        "/composite/sobjects/Account",
        {"ids": [second, "001Sb0000zzzzzz", first], "fields": ["Name"]},
    ).json()
    assert [one and one["Name"] for one in read] == ["B2", None, "A2"]
    gone = org.call("DELETE", f"/composite/sobjects?ids={first},{first}&allOrNone=false").json()
    assert [one["success"] for one in gone] == [True, False]
    assert gone[1]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"


def test_rows_by_external_id(org):
    """Upsert of many."""
    org.sandbox.call(
        "POST", "/salesforce/fields", {"object": "Account", "name": "Many__c", "external": True}
    )
    records = [row | {"Many__c": row["Name"]} for row in accounts("m1", "m2")]
    for created in (True, False):
        answer = org.call("PATCH", "/composite/sobjects/Account/Many__c", {"records": records})
        assert [one["created"] for one in answer.json()] == [created, created]


def test_too_many_rows(org):
    """Above 200 none is done; 200 are fine."""
    many = rows(org, "POST", accounts(*(["A"] * 201)))
    assert error(many)[:2] == (400, "EXCEEDED_ID_LIMIT")
    assert len(rows(org, "POST", accounts(*(["A"] * 200))).json()) == 200
    ids = ",".join(["001Sb0000000001"] * 201)
    assert error(org.call("DELETE", f"/composite/sobjects?ids={ids}"))[1] == "EXCEEDED_ID_LIMIT"
    for body in ({"records": "x"}, {"records": ["x"]}, {}):
        assert error(org.call("POST", "/composite/sobjects", body))[1] == "JSON_PARSER_ERROR"


def step(method, path, name, body=None):
    """A subrequest."""
    found = {"method": method, "url": f"/services/data/v66.0{path}", "referenceId": name}
    return found | ({"body": body} if body is not None else {})


def composite(org, *steps, every=True):
    """A Composite call."""
    body = {"allOrNone": every, "compositeRequest": list(steps)}
    return org.call("POST", "/composite", body)


def test_a_file_and_its_links_in_one_call(org):
    """References to what earlier ones answered; the whole counts as one call."""
    account = org.account()
    deal = org.deal(account)
    before = org.sandbox.call("GET", "/salesforce/counts")["used"]
    content = base64.b64encode(b"hello").decode()
    version = {"PathOnClient": "a.txt", "VersionData": content, "FirstPublishLocationId": deal}
    link = {
        "ContentDocumentId": "@{get.ContentDocumentId}",
        "LinkedEntityId": account,
        "ShareType": "V",
    }
    answers = composite(
        org,
        step("POST", "/sobjects/ContentVersion", "cv", version),
        step("GET", "/sobjects/ContentVersion/@{cv.id}?fields=ContentDocumentId", "get"),
        step("POST", "/sobjects/ContentDocumentLink", "link", link),
        step(
            "GET",
            "/query?q=SELECT+Id+FROM+ContentDocumentLink+WHERE+LinkedEntityId='" + account + "'",
            "rows",
        ),
    ).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in answers] == [201, 200, 201, 200]
    assert [one["referenceId"] for one in answers] == ["cv", "get", "link", "rows"]
    assert answers[0]["httpHeaders"]["Location"].endswith(answers[0]["body"]["id"])
    assert answers[3]["body"]["records"][0]["Id"] == answers[2]["body"]["id"]
    assert org.sandbox.call("GET", "/salesforce/counts")["used"] == before + 1


def test_a_failed_step_halts_what_depends_on_it(org):
    """Without allOrNone the others stand."""
    answers = composite(
        org,
        step("POST", "/sobjects/Account", "a", {}),
        step("POST", "/sobjects/Contact", "b", {"LastName": "x", "AccountId": "@{a.id}"}),
        step("POST", "/sobjects/Account", "c", {"Name": "Stands"}),
        every=False,
    ).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in answers] == [400, 400, 201]
    assert answers[0]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert answers[1]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert org.get("Account", answers[2]["body"]["id"])["Name"] == "Stands"


def test_all_or_none_takes_every_step_back(org):
    """The first that failed keeps its words, the others were halted."""
    before = org.sandbox.call("GET", "/salesforce/counts")["records"]
    answers = composite(
        org,
        step("POST", "/sobjects/Account", "a", {"Name": "Gone"}),
        step("POST", "/sobjects/Account", "b", {}),
    ).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in answers] == [400, 400]
    assert answers[0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert answers[1]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert org.sandbox.call("GET", "/salesforce/counts")["records"] == before


def test_what_composite_does_not_take(org):
    """Too many steps, none, a content, another composite, a path of nothing."""
    steps = [step("GET", "/limits", f"r{at}") for at in range(26)]
    assert error(composite(org, *steps))[:2] == (400, "LIMIT_EXCEEDED")
    assert error(composite(org))[0] == 400
    version = org.file()[0]
    answers = composite(
        org,
        step("GET", f"/sobjects/ContentVersion/{version}/VersionData", "blob"),
        step("POST", "/composite", "inner", {"compositeRequest": []}),
        step("GET", "/nothing", "none"),
        {"method": "GET", "url": "http://elsewhere/", "referenceId": "far"},
        step("GET", "/sobjects/Account/@{unknown.id}", "ref"),
        every=False,
    ).json()["compositeResponse"]
    assert [one["httpStatusCode"] for one in answers] == [400, 400, 404, 404, 400]


def test_a_batch_counts_each(org):
    """Calls that know nothing of each other."""
    before = org.sandbox.call("GET", "/salesforce/counts")["used"]
    calls = [
        {"method": "POST", "url": "v66.0/sobjects/Account", "richInput": {"Name": "Batch"}},
        {"method": "GET", "url": "v66.0/sobjects/Account/nonsense"},
        {"method": "GET", "url": "v66.0/limits"},
    ]
    body = org.call("POST", "/composite/batch", {"batchRequests": calls}).json()
    assert body["hasErrors"]
    assert [one["statusCode"] for one in body["results"]] == [201, 400, 200]
    assert org.sandbox.call("GET", "/salesforce/counts")["used"] == before + 3
    halted = {"batchRequests": calls[1:], "haltOnError": True}
    body = org.call("POST", "/composite/batch", halted).json()
    assert [one["statusCode"] for one in body["results"]] == [400, 412]
