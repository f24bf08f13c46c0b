"""The sandbox's Salesforce: Bulk API 2.0 (rule 27), also as simple-salesforce uses it."""

import csv
import io

import pytest
import requests

from fakes.crm import error
from fakes.sandbox import until

HEADER = "Subject,WhatId,Status\n"


def opened(org, **changed):
    """A new job."""
    body = {"object": "Task", "operation": "insert", "contentType": "CSV", "lineEnding": "LF"}
    return org.call("POST", "/jobs/ingest", body | changed)


def put(org, job, text):
    """Its CSV."""
    url = f"{org.sandbox.url}/{job['contentUrl']}"
    headers = {"content-type": "text/csv"}
    return org.session.put(url, data=text.encode(), headers=headers, timeout=30)


def state(org, job, wanted=None):
    """Asks for the job, or sets its state."""
    path = f"/jobs/ingest/{job['id']}"
    return org.call("PATCH", path, {"state": wanted}) if wanted else org.call("GET", path)


def ended(org, job):
    """The job once it is at an end."""
    final = ("JobComplete", "Failed", "Aborted")
    return until(lambda: (one := state(org, job).json())["state"] in final and one)


def results(org, job, kind):
    """Rows of a result."""
    answer = org.call("GET", f"/jobs/ingest/{job['id']}/{kind}/")
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


def done(org, text, **changed):
    """A job from beginning to end."""
    job = opened(org, **changed).json()
    assert put(org, job, text).status_code == 201
    assert state(org, job, "UploadComplete").json()["state"] == "UploadComplete"
    return ended(org, job)


def test_a_job_takes_tasks(org):
    """Rows that succeed and rows that fail, each with what it was; not in their order."""
    deal = org.deal(org.account())
    lines = [f'"Task {at}, with a ""comma""",{deal},Completed' for at in range(450)]
    lines[7] = f"Bad,{org.create('Contact', LastName='x')},Completed"
    job = opened(org).json()
    assert (job["state"], job["id"][:3]) == ("Open", "750")
    assert job["contentUrl"] == f"services/data/v66.0/jobs/ingest/{job['id']}/batches"
    assert put(org, job, HEADER + "\n".join(lines) + "\n").content == b""
    state(org, job, "UploadComplete")
    end = ended(org, job)
    assert (end["state"], end["numberRecordsProcessed"], end["numberRecordsFailed"]) == (
        "JobComplete",
        450,
        1,
    )
    fine, failed = results(org, job, "successfulResults"), results(org, job, "failedResults")
    assert len(fine) == 449
    assert {one["sf__Created"] for one in fine} == {"true"}
    assert fine[0]["Subject"] != 'Task 0, with a "comma"'
    assert org.get("Task", fine[0]["sf__Id"])["Subject"] == fine[0]["Subject"]
    assert len(failed) == 1
    assert failed[0]["sf__Error"].startswith("FIELD_INTEGRITY_EXCEPTION:Related To ID")
    assert failed[0]["sf__Error"].endswith(":WhatId --")
    assert results(org, job, "unprocessedrecords") == []
    assert org.query(f"SELECT COUNT() FROM Task WHERE WhatId = '{deal}'").json()["totalSize"] == 449
    assert org.call("DELETE", f"/jobs/ingest/{job['id']}").status_code == 204
    assert state(org, job).status_code == 404


def test_the_states_of_a_job(org):
    """One upload, while it is open; results after the end only."""
    job = opened(org).json()
    wrong = (400, "INVALIDJOBSTATE")
    assert error(state(org, job, "UploadComplete"))[:2] == wrong
    assert error(org.call("GET", f"/jobs/ingest/{job['id']}/successfulResults"))[:2] == wrong
    assert put(org, job, HEADER + "a,,\n").status_code == 201
    assert error(put(org, job, HEADER + "b,,\n"))[:2] == wrong
    assert error(org.call("DELETE", f"/jobs/ingest/{job['id']}"))[:2] == wrong
    org.sandbox.call("POST", "/salesforce/pace", {"bulk_s": 60})
    try:
        state(org, job, "UploadComplete")
        assert state(org, job).json()["state"] == "UploadComplete"
        assert error(put(org, job, HEADER))[:2] == wrong
        org.sandbox.advance(61)
        assert ended(org, job)["state"] == "JobComplete"
    finally:
        org.sandbox.call("POST", "/salesforce/pace", {"bulk_s": 0})
    assert error(state(org, job, "Aborted"))[:2] == wrong
    other = opened(org).json()
    put(org, other, HEADER + "a,,\n")
    assert state(org, other, "Aborted").json()["state"] == "Aborted"
    assert len(results(org, other, "unprocessedrecords")) == 1
    listed = org.call("GET", "/jobs/ingest").json()["records"]
    assert {job["id"], other["id"]} <= {one["id"] for one in listed}


@pytest.mark.parametrize(
    ("text", "changed", "message"),
    [
        (HEADER.replace("\n", "\r\n") + "a,,\r\n", {}, "LineEnding is invalid on user data"),
        (HEADER + "a,,\n", {"lineEnding": "CRLF"}, "LineEnding is invalid on user data"),
        ("Subject,Nope\na,b\n", {}, "InvalidBatch : Field name not found : Nope"),
        ("Subject\n" + "x" * 32_001 + "\n", {}, "InvalidBatch : A field is longer than 32000"),
        ("Subject,Status\na\n", {}, "InvalidBatch : The number of columns"),
        ('Subject\n"open\n', {}, "InvalidBatch : Unable to find any header"),
        (
            "PathOnClient,VersionData\na.txt,YQ==\n",
            {"object": "ContentVersion"},
            "FeatureNotEnabled : Binary field not supported",
        ),
    ],
)
def test_a_job_fails_whole(org, text, changed, message):
    """Nothing is done, the job says why."""
    end = done(org, text, **changed)
    assert end["state"] == "Failed"
    assert message in end["errorMessage"]
    assert end["numberRecordsProcessed"] == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"object": "Nope"},
        {"operation": "explode"},
        {"contentType": "XML"},
        {"lineEnding": "CR"},
        {"operation": "upsert", "externalIdFieldName": "Subject"},
    ],
)
def test_a_job_that_cannot_be(org, changed):
    """Refused when it is opened."""
    assert error(opened(org, **changed))[:2] == (400, "INVALIDJOB")


def test_the_first_bulk_api_is_refused(org):
    """Another shape: an object with exceptionCode."""
    url = f"{org.sandbox.url}/services/async/66.0/job"
    body = {"exceptionCode": "InvalidSessionId", "exceptionMessage": "Invalid session id"}
    assert requests.post(url, timeout=60).json() == body


def test_simple_salesforce_loads_in_bulk(org, sf):
    """insert, update, upsert and delete by a client that others wrote; results by its own reader."""
    deal = org.deal()
    rows = [{"Subject": f"Bulk {at}", "WhatId": deal, "Status": "Completed"} for at in range(30)]
    (told,) = sf.bulk2.Task.insert(records=rows, wait=0.05)
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (30, 0)
    fine = sf.bulk2.Task.get_successful_records(told["job_id"])
    made = [one["sf__Id"] for one in csv.DictReader(io.StringIO(fine))]
    assert len(set(made)) == 30
    changes = [{"Id": one, "Subject": "Changed"} for one in made[:3]] + [
        {"Id": deal, "Subject": "x"}
    ]
    (told,) = sf.bulk2.Task.update(records=changes, wait=0.05)
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (4, 1)
    assert org.get("Task", made[0])["Subject"] == "Changed"
    (told,) = sf.bulk2.Task.delete(records=[{"Id": one} for one in made[:2]], wait=0.05)
    assert told["numberRecordsFailed"] == 0
    field = {"object": "Account", "name": "Bulk__c", "external": True}
    org.sandbox.call("POST", "/salesforce/fields", field)
    for created in ("true", "false"):
        (told,) = sf.bulk2.Account.upsert(
            records=[{"Name": "U", "Bulk__c": "u1"}], external_id_field="Bulk__c", wait=0.05
        )
        (row,) = csv.DictReader(
            io.StringIO(sf.bulk2.Account.get_successful_records(told["job_id"]))
        )
        assert row["sf__Created"] == created
