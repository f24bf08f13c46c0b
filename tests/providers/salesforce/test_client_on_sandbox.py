"""Every call of the client against the real sandbox process, which refuses what Salesforce does."""

import csv
import hashlib
import io
from datetime import UTC, datetime, timedelta

import pytest

from fakes.sandbox import SandboxProcess, until
from inkwire.errors import Ambiguous, LimitReached, NeedsAttention, Permanent, Transient
from inkwire.providers.salesforce.auth import SalesforceConnector
from inkwire.providers.salesforce.client import SalesforceCalling, bulk_csv, open_client
from inkwire.providers.salesforce.ids import is_id, same
from inkwire.providers.salesforce.objects import Duplicate, FileDraft, moment_of
from inkwire.providers.salesforce.soql import at_least, equals, one_of, select

MIB = 1024 * 1024


class Tokens:
    """Tokens of the sandbox's application, by client credentials."""

    def __init__(self, sandbox) -> None:
        self._sandbox = sandbox
        self._held = None
        self.fetched = 0

    def token(self, *, refused=None):
        if self._held is None or refused == self._held.access:
            facts = self._sandbox.salesforce
            request = SalesforceConnector().token_request(
                "client_credentials",
                {"my_domain": facts["base_url"], "client_id": facts["client_id"]},
                {"client_secret": facts["client_secret"]},
                now=datetime.now(UTC),
                jti="j",
                refresh=None,
            )
            answer = self._sandbox.session.post(request.url, data=dict(request.form), timeout=30)
            self._held = SalesforceConnector().read_token(
                answer.status_code, answer.content, now=datetime.now(UTC)
            )
            self.fetched += 1
        return self._held


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """The real process, on an empty state."""
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def told():
    """What the client told: usages and calls."""
    return {"usages": [], "calls": [], "attention": []}


@pytest.fixture
def tokens(sandbox):
    """Tokens that are fetched when needed."""
    return Tokens(sandbox)


@pytest.fixture
def crm(sandbox, guarded, told, tokens):
    """A client; no fault of a test before."""
    sandbox.clear_faults()
    return open_client(
        SalesforceCalling(
            api_version="66.0",
            tokens=tokens,
            session=guarded,
            journal=lambda **call: told["calls"].append(call),
            now=lambda: datetime.now(UTC),
            attention=told["attention"].append,
            usage=told["usages"].append,
        )
    )


@pytest.fixture
def deal(crm):
    """A new Opportunity's id."""
    return crm.create(
        "Opportunity", {"Name": "Acme", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
    )


def test_who_and_how_much(crm, sandbox, told):
    """The user costs no call; each other call tells of the day."""
    user = crm.me()
    assert user.username == sandbox.salesforce["username"]
    assert same(user.organization_id, sandbox.salesforce["organization_id"]) and is_id(user.id)
    first = crm.limits()
    assert crm.limits().used == first.used + 1 and first.most == 100_000
    assert told["usages"][-1] == crm.limits().__class__(used=first.used + 1, most=first.most)


def test_a_record_from_its_making_to_its_end(crm, sandbox, deal):
    """Create, read, change, find, delete by another's hand."""
    account = crm.create("Account", {"Name": 'Bob\'s \\ "BBQ" Söhne 📄'})
    assert is_id(account) and is_id(deal)
    assert crm.update("Opportunity", deal, {"StageName": "Closed Won", "AccountId": account})
    found = crm.record("Opportunity", deal, ["Id", "StageName", "IsWon", "Account.Name"])
    assert found["StageName"] == "Closed Won" and found["IsWon"] is True
    assert found["Account"]["Name"] == 'Bob\'s \\ "BBQ" Söhne 📄'
    name = equals("Name", 'Bob\'s \\ "BBQ" Söhne 📄')
    assert [one["Id"] for one in crm.query(select("Account", ["Id"], name))] == [account]
    start = datetime.now(UTC) - timedelta(minutes=5)
    sandbox.call("DELETE", f"/salesforce/records/Opportunity/{deal}")
    assert crm.record("Opportunity", deal, ["Id"]) is None
    assert crm.update("Opportunity", deal, {"Name": "x"}) is False
    later = datetime.now(UTC) + timedelta(minutes=5)
    assert deal in crm.deleted("Opportunity", start, later)


def test_a_change_that_somebody_was_faster_than_is_not_carried_out(crm, sandbox, deal):
    """What was read is the condition; whole seconds count, and the one after them."""

    def modified_at():
        return moment_of(crm.record("Opportunity", deal, ["LastModifiedDate"])["LastModifiedDate"])

    read_at = modified_at()
    assert crm.update("Opportunity", deal, {"NextStep": "a"}, unmodified_since=read_at)
    sandbox.advance(3)
    theirs = {"fields": {"NextStep": "theirs"}}
    sandbox.call("PATCH", f"/salesforce/records/Opportunity/{deal}", theirs)
    with pytest.raises(Transient, match="Somebody changed the record after it was read"):
        crm.update("Opportunity", deal, {"NextStep": "ours"}, unmodified_since=read_at)
    assert crm.record("Opportunity", deal, ["NextStep"])["NextStep"] == "theirs"
    assert crm.update("Opportunity", deal, {"NextStep": "b"}, unmodified_since=modified_at())
    assert crm.record("Opportunity", deal, ["NextStep"])["NextStep"] == "b"


def test_changes_are_found_by_their_time(crm, deal):
    """The moment is a moment, not a text, and pages follow."""
    stamp = datetime.fromisoformat(
        str(crm.record("Opportunity", deal, ["SystemModstamp"])["SystemModstamp"])
    )
    soql = select(
        "Opportunity",
        ["Id", "SystemModstamp"],
        at_least("SystemModstamp", stamp - timedelta(minutes=1)),
        order=["SystemModstamp", "Id"],
    )
    assert deal in [one["Id"] for one in crm.query(soql)]
    none = select("Opportunity", ["Id"], at_least("SystemModstamp", stamp + timedelta(days=1)))
    assert list(crm.query(none)) == []


def test_what_is_refused_says_why(crm, sandbox, deal, told):
    """The organisation's own text, and what to do."""
    for ask, words in (
        (lambda: crm.create("Opportunity", {"Name": "x"}), "CloseDate"),
        (lambda: crm.create("Opportunity", {"Nam": "x"}), "Nam"),
        (lambda: crm.create("No_such__c", {}), "does not exist"),
        (lambda: crm.update("Opportunity", deal, {"AccountId": "006"}), "AccountId"),
        (lambda: crm.create("Task", {"Subject": "x", "WhoId": deal}), "id"),
        (lambda: list(crm.query(select("Opportunity", ["Nope__c"]))), "Nope__c"),
        (lambda: list(crm.query(select("ContentDocumentLink", ["Id"]))), "filter"),
        (lambda: crm.create("ContentDocument", {"Title": "x"}), "Salesforce answered"),
    ):
        with pytest.raises(Permanent) as raised:
            ask()
        assert words in raised.value.message
    sandbox.call("POST", "/salesforce/rules", {"object": "Opportunity", "when": "Name = 'bad'", "message": "Never so", "field": "Name"})  # fmt: skip
    with pytest.raises(Permanent, match=r"Never so.*validation rule"):
        crm.update("Opportunity", deal, {"Name": "bad"})
    sandbox.call("DELETE", "/salesforce/rules")
    assert told["attention"] == []


def test_a_file_is_stored_linked_and_renewed(crm, deal):
    """Its first record by the upload itself; further ones by links, which are there once."""
    account = crm.create("Account", {"Name": "Files"})
    content = bytes(range(256)) * 40
    draft = FileDraft(
        title="Vertrag Müller 契約",
        path_on_client='Vertrag "Müller" 契約.pdf',
        size=len(content),
        description="Box file 7, version 8",
        publish_to=deal,
    )
    version = crm.upload(draft, [content])
    fields = ["ContentDocumentId", "Checksum", "ContentSize", "VersionNumber", "PathOnClient", "Description"]  # fmt: skip
    found = crm.record("ContentVersion", version, fields)
    assert found["Checksum"] == hashlib.md5(content).hexdigest()
    assert found["ContentSize"] == len(content) and found["PathOnClient"] == draft.path_on_client
    document = found["ContentDocumentId"]
    assert crm.link(document, deal, share_type="V", visibility="AllUsers") is None
    assert crm.link(document, account, share_type="V", visibility="AllUsers") is not None
    assert crm.link(document, account, share_type="V", visibility="AllUsers") is None
    where = equals("LinkedEntityId", deal)
    soql = select("ContentDocumentLink", ["ContentDocumentId", "ContentDocument.Title"], where)
    assert [one["ContentDocument"]["Title"] for one in crm.query(soql)] == [draft.title]
    second = crm.upload(
        FileDraft(
            title="v2", path_on_client="v2.pdf", size=0, document_id=document, reason="again"
        ),
        iter(()),
    )
    found = crm.record("ContentVersion", second, ["ContentDocumentId", "VersionNumber", "ContentSize"])  # fmt: skip
    assert (found["ContentDocumentId"], found["ContentSize"]) == (document, 0)
    assert found["VersionNumber"] == "2"


def test_a_file_that_may_not_be_is_refused(crm, deal, told):
    """R78 and R79, in the sandbox's words and ours."""
    for draft, words in (
        (FileDraft(title="x", path_on_client="", size=1, publish_to=deal), "PathOnClient"),
        (FileDraft(title="x", path_on_client="x.pdf", size=1, publish_to="006000000000000AAA"), "Salesforce answered"),
        (FileDraft(title="x", path_on_client="x.pdf", size=1, fields={"Nope__c": "x"}), "Nope__c"),
    ):  # fmt: skip
        with pytest.raises(Permanent) as raised:
            crm.upload(draft, [b"x"])
        assert words in raised.value.message
    assert told["attention"] == []


def versions(sandbox) -> int:
    """Files that are there."""
    return len(sandbox.call("GET", "/salesforce/files"))


def test_a_large_file_is_streamed_or_is_not_there(crm, sandbox, deal):
    """30 MB from a generator; and one that breaks off in the middle leaves nothing behind."""
    size = 30 * MIB
    draft = FileDraft(title="big", path_on_client="big.bin", size=size, publish_to=deal)
    version = crm.upload(draft, (b"x" * MIB for _ in range(30)))
    found = crm.record("ContentVersion", version, ["Checksum", "ContentSize"])
    assert found["ContentSize"] == size
    assert found["Checksum"] == hashlib.md5(b"x" * size).hexdigest()
    before = versions(sandbox)
    for count in (29, 31):
        with pytest.raises(Transient, match="Nothing was stored"):
            crm.upload(draft, (b"x" * MIB for _ in range(count)))
    assert versions(sandbox) == before


@pytest.mark.parametrize(
    ("kind", "more", "made"),
    [("reset_before_commit", {}, 0), ("reset_after_commit", {}, 1), ("status", {"status": 503}, 0),
     ("status", {"status": 500, "code": "html"}, 0), ("status", {"status": 502, "code": "empty"}, 0)],
)  # fmt: skip
def test_a_lost_upload_is_ambiguous_whatever_happened(crm, sandbox, deal, kind, more, made):
    """The client cannot know; the probe of the ledger does. It is sent once."""
    sandbox.fault(kind=kind, method="POST", path="sobjects/ContentVersion", **more)
    before = versions(sandbox)
    draft = FileDraft(title="x", path_on_client="x.pdf", size=3, publish_to=deal)
    with pytest.raises(Ambiguous):
        crm.upload(draft, [b"abc"])
    assert versions(sandbox) == before + made


def test_rows_are_made_and_changed_in_one_call(crm, told, deal):
    """200 at once; one that fails says why, in its place."""
    rows = [{"Subject": f"Box: {n}", "WhatId": deal, "Status": "Completed"} for n in range(199)]
    count = crm.limits().used
    results = crm.create_rows("Task", [*rows, {"Subject": "x", "WhatId": "006000000000000AAA"}])
    assert crm.limits().used == count + 2
    assert all(one.ok and is_id(one.id) for one in results[:199]) and not results[199].ok
    assert results[199].code and results[199].message
    changed = crm.update_rows("Task", [{"Id": one.id, "Status": "Open"} for one in results[:3]])
    assert [one.id for one in changed] == [one.id for one in results[:3]]
    asked = select("Task", ["Id", "Status"], one_of("Id", [one.id for one in results[:199]]))
    assert sum(one["Status"] == "Open" for one in crm.query(asked)) == 3
    assert told["attention"] == []


def test_a_query_has_as_many_pages_as_it_needs(crm, sandbox):
    """More than 2,000 records, and a query that is longer than an address may be."""
    ids = []
    for at in range(11):
        rows = [{"Subject": f"page {at}-{n}", "Status": "Open"} for n in range(200)]
        ids += [one.id for one in crm.create_rows("Task", rows)]
    wanted = set(ids)
    found = [one["Id"] for one in crm.query(select("Task", ["Id"], order=["Id"]))]
    assert wanted <= set(found) and len(found) == len(set(found)) > 2_000
    assert len(list(crm.query(select("Task", ["Id"]), most=2_001))) == 2_001
    long = select("Task", ["Id"], one_of("Id", ids[:700]))
    assert {one["Id"] for one in crm.query(long)} == set(ids[:700])
    with pytest.raises(Permanent, match="Nope__c"):
        list(crm.query(select("Task", ["Nope__c"], one_of("Id", ids[:700]))))


def test_an_external_key_makes_a_record_once(crm, sandbox):
    """Upsert by a key with odd characters; a second record of that key is a duplicate."""
    sandbox.call("POST", "/salesforce/fields", {"object": "Account", "name": "Box_Folder__c", "type": "string", "unique": True, "external": True})  # fmt: skip
    key = "a/b ü&x=1"
    first = crm.upsert("Account", "Box_Folder__c", key, {"Name": "Keyed"})
    again = crm.upsert("Account", "Box_Folder__c", key, {"Name": "Keyed anew"})
    assert first.created and not again.created and again.id == first.id
    twin = crm.create("Account", {"Name": "Twin", "Box_Folder__c": key})
    assert isinstance(twin, Duplicate) and twin.record_id and same(twin.record_id, first.id)
    with pytest.raises(Permanent):
        crm.upsert("Account", "No_such__c", key, {"Name": "x"})


def test_a_composite_goes_together(crm, deal):
    """References between its requests; all or none."""
    base = "/services/data/v66.0/sobjects"
    good = [
        {"method": "POST", "url": f"{base}/Account", "referenceId": "one", "body": {"Name": "Ref"}},
        {"method": "PATCH", "url": f"{base}/Opportunity/{deal}", "referenceId": "two", "body": {"AccountId": "@{one.id}"}},
    ]  # fmt: skip
    answers = crm.composite(good)
    assert [one["httpStatusCode"] for one in answers] == [201, 204]
    made = crm.record("Opportunity", deal, ["AccountId"])["AccountId"]
    assert same(made, answers[0]["body"]["id"])


def test_objects_are_described(crm):
    """Fields with what may be done; an object that is not there is None."""
    found = crm.describe("Opportunity")
    assert found.key_prefix == "006" and found.fields["StageName"].updateable
    assert "Prospecting" in found.fields["StageName"].values
    assert found.fields["AccountId"].references == ("Account",)
    assert not crm.describe("ContentVersion").fields["Checksum"].createable
    assert crm.describe("No_such__c") is None


def test_a_session_that_ended_is_renewed(crm, sandbox, tokens, deal):
    """In the middle of work, also for a file of any size that can be read again."""
    sandbox.call("POST", "/salesforce/expire-tokens")
    assert crm.record("Opportunity", deal, ["Id"])["Id"] == deal
    assert tokens.fetched == 2
    sandbox.call("POST", "/salesforce/expire-tokens")
    draft = FileDraft(title="x", path_on_client="x.bin", size=6 * MIB, publish_to=deal)
    assert is_id(crm.upload(draft, [b"x" * MIB] * 6)) and tokens.fetched == 3
    sandbox.call("POST", "/salesforce/expire-tokens")
    with pytest.raises(Transient, match="refreshed"):
        crm.upload(draft, (b"x" * MIB for _ in range(6)))
    assert is_id(crm.upload(draft, (b"x" * MIB for _ in range(6)))) and tokens.fetched == 4
    sandbox.call("POST", "/salesforce/expire-tokens")
    assert crm.me().username == sandbox.salesforce["username"] and tokens.fetched == 5


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "TotalRequests", LimitReached), (403, "ConcurrentRequests", Transient),
     (403, "API_DISABLED_FOR_ORG", NeedsAttention), (403, "INSUFFICIENT_ACCESS_OR_READONLY", Permanent),
     (400, "UNABLE_TO_LOCK_ROW", Transient), (400, "FIELD_INTEGRITY_EXCEPTION", Permanent),
     (400, "STORAGE_LIMIT_EXCEEDED", LimitReached), (429, "", LimitReached), (503, "", Ambiguous),
     (500, "UNKNOWN_EXCEPTION", Ambiguous), (503, "html", Ambiguous), (500, "empty", Ambiguous),
     (401, "INVALID_SESSION_ID", NeedsAttention)],
)  # fmt: skip
def test_each_fault_has_its_kind(crm, sandbox, told, status, code, kind):
    """As the sandbox shapes them; NeedsAttention is told, and nothing else is."""
    sandbox.fault(kind="status", method="POST", path="sobjects/Account", status=status, code=code, count=2)  # fmt: skip
    with pytest.raises(kind):
        crm.create("Account", {"Name": "x"})
    assert bool(told["attention"]) == (kind is NeedsAttention)


def test_the_days_calls_end(crm, sandbox):
    """Nothing but the identity service answers then."""
    used = crm.limits().used
    sandbox.call("POST", "/salesforce/limit", {"most": used})
    try:
        with pytest.raises(LimitReached) as raised:
            crm.create("Account", {"Name": "x"})
        assert raised.value.retry_after_s == 300 and crm.me().id
    finally:
        sandbox.call("POST", "/salesforce/limit", {"most": 100_000})


def test_a_locked_account_is_tried_again(crm, sandbox):
    """Somebody else's transaction holds it."""
    account = crm.create("Account", {"Name": "Locked"})
    sandbox.call("POST", "/salesforce/pace", {"wait_s": 0.05})
    sandbox.call("POST", "/salesforce/locks", {"account_id": account})
    try:
        with pytest.raises(Transient, match="exclusive"):
            crm.update("Account", account, {"Name": "x"})
    finally:
        sandbox.call("POST", "/salesforce/locks", {"account_id": account, "held": False})
    assert crm.update("Account", account, {"Name": "x"})


# --- Bulk API 2.0

COLUMNS = ("Subject", "Description", "WhatId")


def test_a_job_from_beginning_to_end(crm, sandbox):
    """One upload in its life; results by row, with the organisation's own words."""
    deal = crm.create("Opportunity", {"Name": "Bulk", "StageName": "Prospecting",
                                      "CloseDate": "2027-01-31"})  # fmt: skip
    text = 'one, "two"\nthree 😀 =1+1'
    rows = [{"Subject": f"T {at}", "Description": text, "WhatId": deal} for at in range(7)]
    rows[3]["WhatId"] = "003" + deal[3:]
    job = crm.create_job("Task")
    assert job.startswith("750")
    assert crm.job(job).state == "Open"
    assert crm.close_job(job) is False, "nothing was uploaded"
    assert crm.fill_job(job, bulk_csv.written(COLUMNS, rows)) is True
    assert crm.fill_job(job, bulk_csv.written(COLUMNS, rows)) is False
    assert crm.close_job(job) is True
    assert crm.close_job(job) is False
    assert crm.fill_job(job, b"") is False
    said = until(lambda: (one := crm.job(job)).ended and one)
    assert (said.state, said.processed, said.failed, said.message) == ("JobComplete", 7, 1, "")
    made, [refused] = crm.job_made(job), crm.job_refused(job)
    assert sorted(one.fields["Subject"] for one in made) == [f"T {at}" for at in (0, 1, 2, 4, 5, 6)]
    assert {one.fields["Description"] for one in made} == {text}
    found = crm.record("Task", made[0].result.id, ["Subject", "Description", "WhatId"])
    assert found == {"Id": made[0].result.id} | made[0].fields
    assert refused.fields["Subject"] == "T 3"
    assert (refused.result.ok, refused.result.fields) == (False, ("WhatId",))
    assert refused.result.code == "FIELD_INTEGRITY_EXCEPTION"
    assert refused.result.message.startswith("Related To ID: id value of incorrect type")
    assert crm.job_left(job) == []
    assert crm.abort_job(job) is False


def test_another_client_reads_the_results_of_our_job(crm, sf):
    """simple-salesforce and the standard library's reader find every row as it was written."""
    given = [
        {"Subject": f"=T {at}", "Description": 'a "b",\n,c 契\nInkwire: act_1'} for at in range(9)
    ]
    job = crm.create_job("Task")
    crm.fill_job(job, bulk_csv.written(("Subject", "Description"), given))
    crm.close_job(job)
    until(lambda: crm.job(job).ended)
    text = sf.bulk2.Task.get_successful_records(job)
    found = list(csv.DictReader(io.StringIO(text, newline="")))
    kept = [{name: one[name] for name in ("Subject", "Description")} for one in found]
    assert sorted(kept, key=lambda one: one["Subject"]) == given
    assert {one.result.id for one in crm.job_made(job)} == {one["sf__Id"] for one in found}
    assert sf.Task.get(found[0]["sf__Id"])["Subject"] == found[0]["Subject"]
    assert list(csv.DictReader(io.StringIO(sf.bulk2.Task.get_failed_records(job)))) == []


def test_a_job_that_is_aborted_or_fails(crm, sandbox):
    """What was left is told of, and why."""
    job = crm.create_job("Task")
    crm.fill_job(job, bulk_csv.written(("Subject",), [{"Subject": "a"}]))
    assert crm.abort_job(job) is True
    assert (crm.job(job).state, crm.job(job).ended) == ("Aborted", True)
    assert [one.fields for one in crm.job_left(job)] == [{"Subject": "a"}]
    assert crm.job_left(job)[0].result is None
    assert crm.job_made(job) == crm.job_refused(job) == []
    job = crm.create_job("Task")
    crm.fill_job(job, b'"Nope__c"\n"a"\n')
    crm.close_job(job)
    said = until(lambda: (one := crm.job(job)).ended and one)
    assert (said.state, said.message) == (
        "Failed", "InvalidBatch : Field name not found : Nope__c"
    )  # fmt: skip


def test_a_job_that_is_not_there(crm):
    """Purged after seven days, or deleted: None, and False for what it was to do."""
    job = "750000000000001AAA"
    assert crm.job(job) is None
    assert crm.job_made(job) is crm.job_refused(job) is crm.job_left(job) is None
    assert (crm.fill_job(job, b""), crm.close_job(job), crm.abort_job(job)) == (False,) * 3
    with pytest.raises(Permanent, match="no id"):
        crm.job("../limits")


def test_results_before_the_end_and_an_object_that_is_none(crm):
    """Refused in the API's own words."""
    job = crm.create_job("Task")
    with pytest.raises(Permanent, match="INVALIDJOBSTATE"):
        crm.job_made(job)
    with pytest.raises(Permanent, match="INVALIDJOB"):
        crm.create_job("Nope__c")


@pytest.mark.parametrize("kind", ["reset_before_commit", "reset_after_commit"])
def test_no_call_of_a_job_is_in_doubt(crm, sandbox, kind):
    """A repeat makes nothing twice, so a lost answer is Transient and not Ambiguous."""
    job = crm.create_job("Task")
    data = bulk_csv.written(("Subject",), [{"Subject": "a"}])
    for method, call in (
        ("POST", lambda: crm.create_job("Task")),
        ("PUT", lambda: crm.fill_job(job, data)),
        ("PATCH", lambda: crm.close_job(job)),
    ):
        sandbox.fault(method=method, path="/jobs/ingest", kind=kind)
        with pytest.raises(Transient):
            call()
        call()


def test_batches_of_the_day(crm, sandbox):
    """As /limits says; None to whom it says nothing."""
    assert (crm.job_usage().used, crm.job_usage().most) == (0, 15_000)
    sandbox.fault(kind="status", status=403, code="INSUFFICIENT_ACCESS_OR_READONLY", path="/limits")
    assert crm.job_usage() is None
