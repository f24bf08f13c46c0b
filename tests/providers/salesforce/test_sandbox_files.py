"""The sandbox's Salesforce: files, their versions and links (rules 12 to 19)."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.crm import Org, error, fields_of
from fakes.sandbox import SandboxProcess, until

#: An API's name of what tells two uploads of one file apart.
MARKER = "Box file 7, version 9"


def links(org, document):
    """(record, share type) of a document's links."""
    soql = (
        "SELECT LinkedEntityId, ShareType, Visibility FROM ContentDocumentLink WHERE "
        f"ContentDocumentId = '{document}'"
    )
    return {(one["LinkedEntityId"], one["ShareType"]) for one in org.found(soql)}


def link(org, document, record, **more):
    """POST a link."""
    body = {"ContentDocumentId": document, "LinkedEntityId": record, "ShareType": "V"} | more
    return org.call("POST", "/sobjects/ContentDocumentLink", body)


def raw(org, body, kind="multipart/form-data; boundary=B"):
    """POST a body as it is."""
    url = f"{org.base}/sobjects/ContentVersion"
    return org.session.post(url, data=body, headers={"content-type": kind}, timeout=30)


def part(disposition, content, kind=b""):
    """One part of a multipart body."""
    head = b"--B\r\nContent-Disposition: form-data; " + disposition + b"\r\n"
    return (
        head + (b"Content-Type: " + kind + b"\r\n" if kind else b"") + b"\r\n" + content + b"\r\n"
    )


def entity(**fields):
    """The first part."""
    body = json.dumps({"PathOnClient": "a.bin"} | fields).encode()
    return part(b'name="entity_content";', body, b"application/json")


def binary(content=b"x", name=b"VersionData"):
    """The second part."""
    return part(b'name="' + name + b'"; filename="a.bin"', content, b"application/octet-stream")


END = b"--B--"


def test_a_version_brings_its_document_and_links(org):
    """Rules 12 and 13: document, the owner's link, the record's link, all at once."""
    account = org.account()
    deal = org.deal(account)
    content = b"%PDF-1.7 \x00\xff" * 1000
    version, document = org.file(
        content, path="MSA Acme.pdf", FirstPublishLocationId=deal, Description=MARKER
    )
    assert (version[:3], document[:3]) == ("068", "069")
    kept = org.get("ContentVersion", version)
    assert kept["Checksum"] == hashlib.md5(content).hexdigest()
    assert kept["ContentSize"] == len(content)
    assert (kept["FileExtension"], kept["FileType"]) == ("pdf", "PDF")
    assert (kept["Title"], kept["Description"]) == ("MSA Acme", MARKER)
    assert (kept["VersionNumber"], kept["IsLatest"], kept["ContentLocation"]) == ("1", True, "S")
    assert links(org, document) == {(org.app["user_id"], "I"), (deal, "V")}
    shown = org.call("GET", f"/sobjects/ContentVersion/{version}/VersionData")
    assert shown.content == content
    probe = org.found(
        "SELECT ContentDocumentId, ContentDocument.LatestPublishedVersion.Checksum, "
        "ContentDocument.LatestPublishedVersion.Description, ContentDocument.ContentSize "
        f"FROM ContentDocumentLink WHERE LinkedEntityId = '{deal}'"
    )
    inner = probe[0]["ContentDocument"]
    assert probe[0]["ContentDocumentId"] == document
    assert inner["LatestPublishedVersion"]["Description"] == MARKER
    assert inner["ContentSize"] == len(content)


def test_base64_does_the_same(org):
    """Rule 13, by JSON; without a record only the owner has it."""
    body = {"PathOnClient": "a.txt", "VersionData": base64.b64encode(b"hello").decode()}
    version = org.create("ContentVersion", **body)
    kept = org.get("ContentVersion", version)
    assert kept["Checksum"] == hashlib.md5(b"hello").hexdigest()
    assert kept["FirstPublishLocationId"] == org.app["user_id"]
    assert links(org, kept["ContentDocumentId"]) == {(org.app["user_id"], "I")}


@pytest.mark.parametrize("text", ["a", "a\nb=", "####", "aGVs\nbG8="])
def test_bad_base64_is_refused(org, text):
    """Rule 15: line breaks too."""
    answer = org.call(
        "POST", "/sobjects/ContentVersion", {"PathOnClient": "a.txt", "VersionData": text}
    )
    assert error(answer)[:2] == (400, "JSON_PARSER_ERROR")


def test_an_empty_file_is_a_file(org):
    """0 bytes, both ways."""
    version, _ = org.file(b"", path="empty.txt")
    assert org.get("ContentVersion", version)["ContentSize"] == 0
    assert org.call("GET", f"/sobjects/ContentVersion/{version}/VersionData").content == b""
    other = org.create("ContentVersion", PathOnClient="empty.txt", VersionData="")
    assert org.get("ContentVersion", other)["Checksum"] == hashlib.md5(b"").hexdigest()


def test_a_refused_file_leaves_nothing(org):
    """Rule 12: the record to publish to is deleted, absent or of no files: no orphan."""
    gone = org.account()
    org.sandbox.delete_record("Account", gone)
    before = org.sandbox.call("GET", "/salesforce/counts")["records"]
    task = org.create("Task", Subject="x")
    for place, code in (
        (gone, "ENTITY_IS_DELETED"),
        ("001Sb0000zzzzzz", "INVALID_CROSS_REFERENCE_KEY"),
        (task, "FIELD_INTEGRITY_EXCEPTION"),
        ("nonsense", "MALFORMED_ID"),
    ):
        assert error(org.upload(FirstPublishLocationId=place))[1] == code
    after = org.sandbox.call("GET", "/salesforce/counts")["records"]
    assert after | {"Task": 0} == before | {"Task": 0}


def test_a_new_version_of_a_document(org):
    """Rules 13 and 16: number, latest, the document's facts; no new links."""
    deal = org.deal()
    first, document = org.file(b"one", FirstPublishLocationId=deal, Title="Plan")
    second, same = org.file(b"three", ContentDocumentId=document, ReasonForChange="Box version 2")
    assert same == document
    rows = org.found(
        "SELECT Id, VersionNumber, IsLatest, Title FROM ContentVersion "
        f"WHERE ContentDocumentId = '{document}' ORDER BY VersionNumber DESC"
    )
    assert rows == [
        {"Id": second, "VersionNumber": "2", "IsLatest": True, "Title": "Plan"},
        {"Id": first, "VersionNumber": "1", "IsLatest": False, "Title": "Plan"},
    ]
    kept = org.get("ContentDocument", document)
    assert (kept["LatestPublishedVersionId"], kept["ContentSize"]) == (second, 5)
    assert len(links(org, document)) == 2


def test_versions_that_cannot_follow(org):
    """Rule 16: no such document, a deleted one, another publishing, somebody else's file."""
    _, document = org.file()
    both = org.upload(ContentDocumentId=document, FirstPublishLocationId=org.deal())
    assert error(both)[0] == 400
    absent = org.upload(ContentDocumentId="069Sb0000zzzzzz")
    assert error(absent)[:2] == (400, "INVALID_CROSS_REFERENCE_KEY")
    assert org.call("DELETE", f"/sobjects/ContentDocument/{document}").status_code == 204
    gone = org.upload(ContentDocumentId=document)
    assert error(gone) == (404, "ENTITY_IS_DELETED", "entity is deleted")


def test_a_link_is_unique(org):
    """Rule 17: a second one is refused in these very words, after FirstPublishLocationId too."""
    account = org.account()
    deal = org.deal(account)
    _, document = org.file(FirstPublishLocationId=deal)
    again = link(org, document, deal)
    assert error(again) == (
        400,
        "DUPLICATE_VALUE",
        f"Document with ID: {document} is already linked with the entity with ID: {deal}",
    )
    assert fields_of(again) == ["LinkedEntityId"]
    assert link(org, document, account).status_code == 201
    assert error(link(org, document, account))[1] == "DUPLICATE_VALUE"
    rows = [
        {
            "attributes": {"type": "ContentDocumentLink"},
            "ContentDocumentId": document,
            "LinkedEntityId": one,
            "ShareType": "V",
            "Visibility": "AllUsers",
        }
        for one in (deal, org.account())
    ]
    results = org.call("POST", "/composite/sobjects", {"records": rows}).json()
    assert [one["success"] for one in results] == [False, True]
    assert results[0]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"


def test_links_that_cannot_be(org):
    """Rule 18: share types, the owner's link, records without files."""
    deal = org.deal()
    _, document = org.file(FirstPublishLocationId=deal)
    wrong = link(org, document, org.account(), ShareType="X")
    assert error(wrong)[:2] == (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    assert fields_of(wrong) == ["ShareType"]
    task = org.create("Task", Subject="x")
    assert error(link(org, document, task))[1] == "FIELD_INTEGRITY_EXCEPTION"
    rows = org.found(
        f"SELECT Id, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'"
    )
    own = next(one["Id"] for one in rows if one["LinkedEntityId"] == org.app["user_id"])
    answer = org.call("DELETE", f"/sobjects/ContentDocumentLink/{own}")
    assert error(answer) == (400, "FIELD_INTEGRITY_EXCEPTION", "field integrity exception")
    other = next(one["Id"] for one in rows if one["LinkedEntityId"] == deal)
    changed = {"ShareType": "C", "Visibility": "InternalUsers"}
    path = f"/sobjects/ContentDocumentLink/{other}"
    assert org.call("PATCH", path, changed).status_code == 204
    assert org.call("DELETE", path).status_code == 204
    assert links(org, document) == {(org.app["user_id"], "I")}
    assert link(org, document, deal).status_code == 201


def test_any_object_with_files_takes_them(org):
    """Custom objects too."""
    made = org.sandbox.call(
        "POST", "/salesforce/objects", {"name": "Project__c", "label": "Project"}
    )
    project = org.create("Project__c", Name="P")
    assert project.startswith(made["prefix"])
    _, document = org.file(FirstPublishLocationId=project)
    assert (project, "V") in links(org, document)
    assert org.create("Task", Subject="x", WhatId=project)


def test_links_are_found_by_an_id_only(org):
    """Rule 19: the implementation restriction, in its own words."""
    for where in (
        "",
        " WHERE ShareType = 'V'",
        " WHERE ContentDocumentId != null",
        " WHERE ContentDocumentId = '069Sb0000000001' OR ShareType = 'V'",
    ):
        status, code, message = error(org.query(f"SELECT Id FROM ContentDocumentLink{where}"))
        assert (status, code) == (400, "MALFORMED_QUERY")
        assert message == (
            "Implementation restriction: ContentDocumentLink requires a filter by a single Id on "
            "ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using "
            "the IN operator."
        )


def test_files_reached_through_records_only_are_not_found(org):
    """Rule 19: somebody else's file shows up by its id, and by the record's links, only."""
    deal = org.deal()
    sam = org.app["users"][1]["id"]
    made = org.sandbox.call(
        "POST",
        "/salesforce/records/ContentVersion",
        {
            "fields": {
                "PathOnClient": "sams.txt",
                "VersionData": "YQ==",
                "FirstPublishLocationId": deal,
            },
            "user_id": sam,
        },
    )
    mine, _ = org.file(FirstPublishLocationId=deal, path="mine.txt")
    listed = [one["Id"] for one in org.found("SELECT Id FROM ContentVersion")]
    assert mine in listed
    assert made["Id"] not in listed
    by_name = "SELECT Id FROM ContentVersion WHERE PathOnClient = 'sams.txt'"
    assert org.found(by_name) == []
    by_id = f"SELECT Id FROM ContentVersion WHERE Id = '{made['Id']}'"
    assert org.found(by_id) == [{"Id": made["Id"]}]
    through = f"SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = '{deal}'"
    assert len(org.found(through)) == 2
    document = org.get("ContentVersion", made["Id"])["ContentDocumentId"]
    assert error(org.upload(ContentDocumentId=document))[1] == "INSUFFICIENT_ACCESS_OR_READONLY"


def test_sizes_that_are_too_large(org):
    """Rule 14: JSON above 50 MB, base64 above 37.5 MB, multipart above the limit."""
    org.sandbox.call("POST", "/salesforce/limit", {"largest_file": 100_000})
    assert org.upload(b"x" * 100_000).status_code == 201
    assert error(org.upload(b"x" * 100_001))[:2] == (400, "MAXIMUM_SIZE_OF_ATTACHMENT")
    files = len(org.sandbox.crm_files())
    text = "A" * (4 * 12_500_001)
    body = json.dumps({"PathOnClient": "a.bin", "VersionData": text}).encode()
    assert error(raw(org, body, "application/json"))[:2] == (400, "MAXIMUM_SIZE_OF_ATTACHMENT")
    assert error(raw(org, body + b" " * 3_000_000, "application/json"))[0] == 413
    assert len(org.sandbox.crm_files()) == files


@pytest.mark.parametrize(
    "body",
    [
        b"",
        entity() + END,
        binary() + entity() + END,
        entity() + binary(),
        entity() + binary() + binary() + END,
        entity() + entity() + binary() + END,
        entity() + binary(name=b"Body") + END,
        entity(VersionData="YQ==") + binary() + END,
        part(b'name="entity_content"', b"{", b"application/json") + binary() + END,
        part(b'name="entity_content"', b"{}", b"text/xml") + binary() + END,
        (entity() + binary() + END).replace(b"\r\n", b"\n"),
        b"--B\r\nContent-Type: application/json\r\n\r\n{}\r\n" + binary() + END,
        entity() + b"--B\r\n" + b"X: " + b"y" * 20_000 + b"\r\n\r\n\r\n" + END,
    ],
)
def test_broken_multipart_is_refused(org, body):
    """Rule 14: two parts in order, framed by CRLF, to the last boundary; nothing is kept."""
    before = len(org.sandbox.crm_files())
    answer = raw(org, body)
    assert answer.status_code in (400, 415), answer.text
    assert isinstance(error(answer)[1], str)
    assert len(org.sandbox.crm_files()) == before


def test_multipart_needs_a_boundary_and_its_object(org):
    """Only ContentVersion takes a file here."""
    assert error(raw(org, entity() + binary() + END, "multipart/form-data"))[0] == 400
    url = f"{org.base}/sobjects/Account"
    headers = {"content-type": "multipart/form-data; boundary=B"}
    body = part(b'name="entity"', b'{"Name": "x"}') + binary() + END
    assert error(org.session.post(url, data=body, headers=headers, timeout=60))[0] == 400


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=300)
    | st.sampled_from([b"--B", b"\r\n--B", b"\r\n--B--\r", b"\r\n--", b"\r\n\r\n--C\r\n"]),
    cut=st.integers(min_value=1, max_value=64),
)
def test_any_bytes_arrive_as_they_are(org, content, cut):
    """However the body is cut into pieces; a boundary in the content ends it, by the rules."""
    body = entity() + binary(content) + END
    pieces = (body[at : at + cut] for at in range(0, len(body), cut))
    answer = raw(org, pieces)
    if b"\r\n--B" in b"\r\n" + content:
        return
    assert answer.status_code == 201, answer.text
    version = answer.json()["id"]
    shown = org.call("GET", f"/sobjects/ContentVersion/{version}/VersionData")
    assert shown.content == content


def test_a_body_that_breaks_off_makes_nothing(org):
    """The connection ends in the middle of the file."""
    before, seen = len(org.sandbox.crm_files()), sum(org.sandbox.counts().values())

    def pieces():
        yield entity() + binary(b"x" * 200_000)[:-100_000]
        raise ConnectionAbortedError

    with pytest.raises((ConnectionAbortedError, requests.ConnectionError)):
        raw(org, pieces())
    until(lambda: sum(org.sandbox.counts().values()) > seen)
    assert org.sandbox.calls()[0]["status"] == 400
    assert len(org.sandbox.crm_files()) == before


def test_a_large_file_costs_no_memory(tmp_path):
    """200 MB through a fresh sandbox: it grows by a little only."""
    with SandboxProcess(tmp_path) as process:
        _large_file(Org(process))


def _large_file(org):
    status = Path(f"/proc/{org.sandbox.process.pid}/status")

    def peak():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024

    org.file()
    before, block, count = peak(), bytes(range(256)) * 4096, 200
    head, tail = entity(), b"\r\n" + END
    start = binary(b"")[:-2]

    def pieces():
        yield head + start
        for _ in range(count):
            yield block
        yield tail

    answer = raw(org, pieces())
    assert answer.status_code == 201, answer.text
    kept = org.get("ContentVersion", answer.json()["id"])
    digest = hashlib.md5()
    for _ in range(count):
        digest.update(block)
    assert (kept["ContentSize"], kept["Checksum"]) == (len(block) * count, digest.hexdigest())
    assert peak() - before < 60, f"{before:.0f} MB before, {peak():.0f} MB at the peak"
