"""Each refusal of Salesforce is one kind with one sentence, whatever its body is."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inkwire.errors import (
    Ambiguous,
    CallFailed,
    LimitReached,
    NeedsAttention,
    Permanent,
    Transient,
)
from inkwire.providers.salesforce.client import reading
from inkwire.providers.salesforce.client.answers import Answer
from inkwire.providers.salesforce.client.faults import (
    Call,
    SalesforceRefused,
    lacking_scope,
    refused,
    scope_missing,
)
from inkwire.providers.salesforce.objects import Usage

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
READ = Call(method="GET", path="/x", object_name="Opportunity")
MAKE = Call(method="POST", path="/x", object_name="Opportunity", makes=True)
EDIT = Call(method="PATCH", path="/x", object_name="Opportunity")
LINK = Call(method="POST", path="/x", object_name="ContentDocumentLink")
FILE = Call(method="POST", path="/x", object_name="ContentVersion", makes=True)
WHOLE = Call(method="GET", path="/limits")


def said(status, code="", message="", fields=None, **headers) -> Answer:
    """An answer with one error."""
    row = {"message": message, "errorCode": code}
    if fields is not None:
        row["fields"] = fields
    return Answer(status=status, headers=headers, body=json.dumps([row]).encode())


#: Of reference §1.5 and a few that stand beside: what was asked, what came, and its kind.
CASES = [
    (READ, said(401, "INVALID_SESSION_ID", "Session expired or invalid"), NeedsAttention, "anew"),
    (READ, said(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"), NeedsAttention, "anew"),
    (WHOLE, Answer(status=403, headers={}, body=b"Bad_OAuth_Token"), NeedsAttention, "anew"),
    (READ, said(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), LimitReached, "24 hours"),
    (MAKE, said(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."), Transient, "under way"),
    (MAKE, said(503, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), LimitReached, "24 hours"),
    (READ, said(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled"), NeedsAttention, "API Enabled"),
    (READ, said(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights"), Permanent, "permission set"),
    (LINK, said(400, "INSUFFICIENT_ACCESS_OR_READONLY", "Invalid sharing type I"), Permanent, "sharing type I"),
    (WHOLE, said(403, "SOMETHING_NEW", "no"), NeedsAttention, "permission sets"),
    (READ, Answer(status=403, headers={}, body=b"<html>blocked</html>"), NeedsAttention, "permission sets"),
    (MAKE, said(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name]", ["Name"]), Permanent, "(Name): “Required fields are missing: [Name]”. Fill"),
    (FILE, said(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [PathOnClient]", ["PathOnClient"]), Permanent, "with its extension"),
    (FILE, said(400, "UNHEARD_OF", "no"), Permanent, "Most likely it is PathOnClient"),
    (FILE, said(400, "INVALID_FIELD", "No such column 'x' on sobject of type ContentVersion"), Permanent, "No such column"),
    (MAKE, said(400, "MALFORMED_ID", "Related To ID: id value of incorrect type: 006B", ["WhatId"]), Permanent, "WhatId"),
    (MAKE, said(400, "FIELD_INTEGRITY_EXCEPTION", "id value of incorrect type", ["WhatId"]), Permanent, "another object's"),
    (LINK, said(400, "FIELD_INTEGRITY_EXCEPTION", "field integrity exception"), Permanent, "does not support Files"),
    (FILE, said(400, "FIELD_INTEGRITY_EXCEPTION", "field integrity exception"), Permanent, "does not support Files"),
    (MAKE, said(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", []), Transient, "exclusive access"),
    (READ, said(404, "ENTITY_IS_DELETED", "entity is deleted", []), Permanent, "restore"),
    (READ, said(404, "NOT_FOUND", "The requested resource does not exist"), Permanent, "does not exist"),
    (MAKE, said(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Close date must be in the future"), Permanent, "“Close date must be in the future”. A validation rule"),
    (MAKE, said(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger said no"), Permanent, "trigger said no"),
    (MAKE, said(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value"), Permanent, "picklist"),
    (MAKE, said(400, "INVALID_FIELD_FOR_INSERT_UPDATE", "Unable to create/update fields: X"), Permanent, "field-level"),
    (MAKE, said(400, "JSON_PARSER_ERROR", "Unexpected character"), Permanent, "mapping"),
    (READ, said(400, "MALFORMED_QUERY", "unexpected token"), Permanent, "unexpected token"),
    (MAKE, said(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"), Permanent, "check the ids"),
    (MAKE, said(400, "STRING_TOO_LONG", "Title: data value too large"), Permanent, "shorten"),
    (READ, Answer(status=300, headers={}, body=b'["/a","/b"]'), Permanent, "unique"),
    (READ, Answer(status=302, headers={}, body=b""), NeedsAttention, "address has changed"),
    (READ, Answer(status=405, headers={}, body=b"[]"), Permanent, "405"),
    (MAKE, Answer(status=409, headers={}, body=b"[]"), Transient, "409"),
    (READ, Answer(status=410, headers={}, body=b""), NeedsAttention, "version is retired"),
    (READ, Answer(status=412, headers={}, body=b""), Permanent, "412"),
    (EDIT, Answer(status=412, headers={}, body=b""), Transient, "Somebody changed the record"),
    (MAKE, Answer(status=413, headers={}, body=b""), Permanent, "more than Salesforce takes"),
    (READ, Answer(status=414, headers={}, body=b"<html>"), Permanent, "more than Salesforce takes"),
    (MAKE, Answer(status=415, headers={}, body=b""), Permanent, "415"),
    (MAKE, Answer(status=420, headers={}, body=b""), Transient, "420"),
    (MAKE, Answer(status=428, headers={}, body=b""), Permanent, "428"),
    (READ, Answer(status=431, headers={}, body=b""), Permanent, "more than Salesforce takes"),
    (MAKE, Answer(status=429, headers={"retry-after": "7"}, body=b""), LimitReached, "limit of calls"),
    (MAKE, said(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"), Ambiguous, "nobody knows"),
    (READ, said(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"), Transient, "tried again"),
    (MAKE, said(503, "SERVER_UNAVAILABLE", "busy"), Ambiguous, "nobody knows"),
    (READ, Answer(status=502, headers={}, body=b"<html><h1>Bad gateway"), Transient, "502"),
    (MAKE, Answer(status=502, headers={}, body=b""), Ambiguous, "nobody knows"),
    (LINK, Answer(status=503, headers={}, body=b""), Transient, "tried again"),
    (MAKE, Answer(status=408, headers={}, body=b""), Ambiguous, "nobody knows"),
    (MAKE, Answer(status=103, headers={}, body=b""), Ambiguous, "nobody knows"),
    (FILE, said(400, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"), LimitReached, "Storage Usage"),
    (READ, Answer(status=400, headers={}, body=b'{"error":"invalid_grant","error_description":"expired access/refresh token"}'), Permanent, "expired access/refresh token"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "answer", "kind", "words"), CASES)
def test_a_refusal_has_a_kind_and_says_what_to_do(call, answer, kind, words):
    """The organisation's own text stands in the sentence, and advice behind it (R78, R79)."""
    error = refused(call, answer, now=NOW)
    assert type(error) is kind or (kind is Permanent and type(error) is SalesforceRefused)
    assert words in error.message and error.message.endswith((".", ")."))


def test_limits_say_when_they_end():
    """The day's limit is asked for again in five minutes at the earliest; it burns calls else."""
    total = refused(READ, said(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit"), now=NOW)
    assert total.retry_after_s == 300
    many = refused(READ, said(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests"), now=NOW)
    assert many.retry_after_s == 5
    dated = {"retry-after": "Sun, 22 Nov 2026 12:01:30 GMT"}
    assert refused(READ, Answer(status=429, headers=dated, body=b""), now=NOW).retry_after_s == 90
    assert refused(READ, Answer(status=429, headers={}, body=b""), now=NOW).retry_after_s == 60


@pytest.mark.parametrize(
    ("message", "scope"),
    [("Session is not valid for use with the specified REST API endpoint. One of the following scopes is required: [chatter_api, api]", "chatter_api, api"),
     ("One of the following scopes is required: full, api.", "full, api"),
     ("This session is not valid for use with the REST API", "api"),
     ("Session expired or invalid", ""), ("", "")],
)  # fmt: skip
def test_a_lacking_scope_is_told_from_an_old_token(message, scope):
    """Both come as INVALID_SESSION_ID; only one is helped by a refresh."""
    answer = said(401, "INVALID_SESSION_ID", message)
    assert lacking_scope(answer) == scope
    if scope:
        assert f"“{scope}”" in scope_missing(READ, answer).message


def test_a_request_that_did_not_leave_whole_made_nothing():
    """503 before the body's end: no doubt."""
    answer = said(503, "SERVER_UNAVAILABLE", "busy")
    assert isinstance(refused(FILE, answer, now=NOW, whole=False), Transient)
    assert isinstance(refused(FILE, answer, now=NOW), Ambiguous)


@pytest.mark.parametrize(
    ("message", "record"),
    [("duplicate value found: X__c duplicates value on record with id: 00Q5e00000AbCdE", "00Q5e00000AbCdE"),
     ("duplicate value found: X__c duplicates value on record with id: 00Q5e00000AbCdEEAU.", "00Q5e00000AbCdEEAU"),
     ("duplicate value found: <unknown> duplicates value on record with id: <unknown>", None),
     ("Document with ID: 069 is already linked", None)],
)  # fmt: skip
def test_a_duplicate_names_its_record(message, record):
    """With 15 or 18 characters, or not at all."""
    error = refused(MAKE, said(400, "DUPLICATE_VALUE", message, []), now=NOW)
    assert isinstance(error, SalesforceRefused)
    assert error.reason == "DUPLICATE_VALUE" and error.record_id == record


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["errorCode", "message", "fields", "error", "id", "success", "records",
                         "done", "nextRecordsUrl", "name", "deletedRecords", "compositeResponse",
                         "DailyApiRequests", "Max", "Remaining", "errors", "statusCode",
                         "referenceTo", "picklistValues", "user_id", "attributes"]) | st.text(max_size=5),
        inner, max_size=6),
    max_leaves=20,
)  # fmt: skip
BODIES = st.binary(max_size=200) | _JSON.map(lambda value: json.dumps(value).encode())


@given(
    st.integers(100, 599).filter(lambda status: not 200 <= status < 300),
    BODIES,
    st.dictionaries(st.sampled_from(["retry-after", "date", "x-request-id"]), st.text(max_size=40)),
    st.sampled_from([READ, MAKE, LINK, FILE, WHOLE]),
    st.booleans(),
)
@example(400, b"[" * 100_000, {}, MAKE, True)
@example(400, b"9" * 5000, {}, MAKE, True)
@example(
    400, b'[{"errorCode":"\\ud800","message":"\\ud800","fields":["\\udfff",1]}]', {}, MAKE, True
)
def test_any_answer_is_one_of_our_errors(status, body, headers, call, whole):
    """Never another exception, and always a sentence that can be kept and shown."""
    error = refused(call, Answer(status=status, headers=headers, body=body), now=NOW, whole=whole)
    assert isinstance(error, CallFailed)
    error.message.encode("utf-8")
    assert "\n" not in error.message and len(error.message) < 2500
    if isinstance(error, Ambiguous):
        assert call.makes and whole


READERS = [
    reading.made,
    reading.upserted,
    reading.user,
    reading.page,
    reading.record,
    lambda value: reading.rows(value, 1),
    lambda value: reading.subanswers(value, 1),
    reading.described,
    reading.deleted,
    reading.limits,
]


@given(BODIES)
@example(b'{"records":' + b"[" * 500 + b"]" * 500 + b"}")
@example(b'{"id":"\\ud800","x":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}")
def test_any_success_is_read_or_is_a_value_error(body):
    """Whatever comes with 200: a value of ours that can be kept, or ValueError."""
    value = Answer(status=200, headers={}, body=body).value
    for read in READERS:
        try:
            found = read(value)
        except ValueError:
            continue
        repr(found).encode("utf-8")


@given(st.text(max_size=60))
@example("api-usage=18/5000")
@example("api-usage=1/2; per-app-api-usage=17/250(appName=x)")
def test_any_limit_header_is_read(header):
    """Of the organisation, never of one app."""
    found = reading.usage(header)
    assert found is None or f"api-usage={found.used:d}/"[:10] in header
    assert reading.usage("per-app-api-usage=17/250(appName=x)") is None
    assert reading.usage("per-app-api-usage=17/250(appName=x); api-usage=3/9") == Usage(
        used=3, most=9
    )


def test_a_page_leads_to_no_other_place():
    """An address in place of a path would take the token along."""
    page = {
        "records": [
            {"attributes": {"type": "Task"}, "Id": "1", "Who": {"attributes": {}, "Name": "\ud800"}}
        ],
        "done": False,
    }
    for wrong in ("https://evil.test/services/data/v66.0/query/01g", "//evil.test/x", "/services/data/v66.0/query/../x", "", None, 7, "/services/data/v66.0/query/01g\n"):  # fmt: skip
        with pytest.raises(ValueError, match="nextRecordsUrl"):
            reading.page({**page, "nextRecordsUrl": wrong})
    path = "/services/data/v66.0/query/01gRM000002-2000"
    assert reading.page({**page, "nextRecordsUrl": path}) == (
        [{"Id": "1", "Who": {"Name": "?"}}],
        path,
    )
