"""The sandbox's Salesforce: faults in its own shapes, on its own routes (rules 4 and 5)."""

import hashlib
import time

import pytest
import requests

from fakes.crm import error
from fakes.sandbox import until

UPLOAD = r"/sobjects/ContentVersion$"
#: More than is read before it is given on.
LARGE = bytes(range(256)) * 12_000


def count(org):
    """Versions that are there."""
    return len(org.sandbox.crm_files())


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"status": 403}, (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")),
        (
            {"status": 403, "code": "TotalRequests"},
            (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        ),
        (
            {"status": 403, "code": "ConcurrentRequests"},
            (
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
            ),
        ),
        (
            {"status": 503},
            (503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable"),
        ),
        ({"status": 401}, (401, "INVALID_SESSION_ID", "Session expired or invalid")),
        (
            {"status": 403, "code": "API_DISABLED_FOR_ORG"},
            (403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner"),
        ),
    ],
)
def test_faults_have_salesforces_shape(org, rule, expected):
    """An array; nothing is done; the next call works."""
    org.sandbox.fault(kind="status", path="/sobjects/Account", **rule)
    before = org.sandbox.call("GET", "/salesforce/counts")["records"]["Account"]
    assert error(org.call("POST", "/sobjects/Account", {"Name": "x"})) == expected
    assert org.sandbox.call("GET", "/salesforce/counts")["records"]["Account"] == before
    assert org.call("POST", "/sobjects/Account", {"Name": "x"}).status_code == 201


def test_a_lock_by_fault(org):
    """UNABLE_TO_LOCK_ROW as a record's error, with its empty list of fields."""
    org.sandbox.fault(kind="status", path="/sobjects/", status=400, code="UNABLE_TO_LOCK_ROW")
    answer = org.call("POST", "/sobjects/Account", {"Name": "x"})
    assert answer.json()[0]["fields"] == []
    assert error(answer)[2].startswith("unable to obtain exclusive access to this record")


def test_servers_that_answer_no_json(org):
    """A page, and nothing at all; with Retry-After if it is set."""
    org.sandbox.fault(kind="status", path="/limits", status=503, code="html", retry_after_s=7)
    page = org.call("GET", "/limits")
    assert page.status_code == 503
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["retry-after"] == "7"
    assert page.text.startswith("<!doctype html>")
    org.sandbox.fault(kind="status", path="/limits", status=502, code="empty")
    empty = org.call("GET", "/limits")
    assert (empty.status_code, empty.content) == (502, b"")


def test_the_token_endpoint_fails_in_its_own_shape(org):
    """An object there; Box's faults keep the room's shape."""
    org.sandbox.fault(kind="status", path="/services/oauth2/token", status=503)
    body = org.token(grant_type="client_credentials").json()
    assert body["error"] == "server_error"
    org.sandbox.fault(kind="status", path="/2.0/users", status=503)
    box = requests.get(f"{org.sandbox.url}/2.0/users/me", timeout=60).json()
    assert box["type"] == "error"


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_a_reset_before_commit_makes_nothing(org, content):
    """The whole body came, the connection drops."""
    before = count(org)
    org.sandbox.fault(kind="reset_before_commit", method="POST", path=UPLOAD)
    with pytest.raises(requests.ConnectionError):
        org.upload(content)
    assert count(org) == before
    assert org.sandbox.calls()[0]["status"] is None
    assert org.upload(content).status_code == 201


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_a_reset_after_commit_makes_it(org, content):
    """The maker of duplicates: it is there, and nobody was told."""
    deal = org.deal()
    org.sandbox.fault(kind="reset_after_commit", method="POST", path=UPLOAD)
    with pytest.raises(requests.ConnectionError):
        org.upload(content, FirstPublishLocationId=deal)
    newest = org.sandbox.calls()[0]
    assert (newest["status"], newest["fault"]) == (201, "reset_after_commit")
    (made,) = [one for one in org.sandbox.crm_files() if deal in one["LinkedEntityIds"]]
    assert made["Checksum"] == hashlib.md5(content).hexdigest()


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_a_late_commit_comes_after_the_probe(org, content):
    """A probe in between finds nothing; minutes later it is there, whole."""
    deal = org.deal()
    org.sandbox.fault(kind="late_commit", method="POST", path=UPLOAD, delay_s=300)
    with pytest.raises(requests.ConnectionError):
        org.upload(content, FirstPublishLocationId=deal)
    probe = f"SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = '{deal}'"
    assert org.found(probe) == []
    org.sandbox.advance(301)
    until(lambda: org.found(probe))
    (made,) = [one for one in org.sandbox.crm_files() if deal in one["LinkedEntityIds"]]
    assert made["Checksum"] == hashlib.md5(content).hexdigest()


def test_a_late_row_of_collections(org):
    """Other creates too: 200 Tasks whose answer was lost."""
    deal = org.deal()
    rows = [
        {"attributes": {"type": "Task"}, "Subject": f"t{at}", "WhatId": deal} for at in range(20)
    ]
    org.sandbox.fault(kind="late_commit", path="/composite/sobjects", delay_s=60)
    with pytest.raises(requests.ConnectionError):
        org.call("POST", "/composite/sobjects", {"records": rows})
    soql = f"SELECT COUNT() FROM Task WHERE WhatId = '{deal}'"
    assert org.query(soql).json()["totalSize"] == 0
    org.sandbox.advance(61)
    until(lambda: org.query(soql).json()["totalSize"] == 20)


def test_a_slow_call_and_a_refused_upload(org):
    """A large body waits, and is thrown away where it is not needed."""
    org.sandbox.fault(kind="slow", path=UPLOAD, delay_s=0.2)
    before = time.monotonic()
    assert org.upload(LARGE).status_code == 201
    assert time.monotonic() - before >= 0.2
    org.sandbox.fault(kind="status", path=UPLOAD, status=503)
    assert org.upload(LARGE).status_code == 503
    org.session.headers["authorization"] = "Bearer none"
    assert org.upload(LARGE).status_code == 401
    assert org.call("GET", "/limits").status_code == 401


def test_the_journal_counts_by_object(org):
    """Calls of one object under one name; small JSON bodies are kept, files are not."""
    org.sandbox.call("DELETE", "/journal")
    account = org.account("Journal")
    org.file(FirstPublishLocationId=account)
    org.call("POST", "/sobjects/Nothing", {})
    counts = org.sandbox.counts()
    assert counts["POST /services/data/v{version}/sobjects/Account"] == 1
    assert counts["POST /services/data/v{version}/sobjects/ContentVersion"] == 1
    assert counts["GET /services/data/v{version}/sobjects/ContentVersion/{id}"] == 1
    assert counts["POST /services/data/v{version}/sobjects/Nothing"] == 1
    calls = {(one["method"], one["path"].rpartition("/")[2]): one for one in org.sandbox.calls()}
    assert calls["POST", "Account"]["body"] == {"Name": "Journal"}
    assert calls["POST", "ContentVersion"]["body"] is None
