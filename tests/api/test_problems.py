"""Whatever is wrong with a request, the answer is problem+json and says what to do."""

import json

import pytest
from fastapi import Request

from api.conftest import Client, build, new_api
from inkwire.api.limits import MAX_BODY_BYTES
from inkwire.errors import (
    CipherError,
    ConfigError,
    InkwireError,
    RateLimited,
    StoreBusy,
    StoreFull,
)

SOURCE = {"id": "a", "provider": "acme", "name": "A", "secrets": {"primary": "primary-key-1"}}


def is_problem(answer, status):
    """Checks the shape of RFC 9457, and returns it."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["type"].startswith("urn:inkwire:error:")
    assert problem["title"]
    assert problem["detail"]
    assert set(problem) <= {"type", "title", "status", "detail", "errors"}
    return problem


def test_an_unknown_address_and_method(idle):
    """404 and 405 under /v1 have the same shape; 405 says what is allowed."""
    assert "/v1/openapi.json" in is_problem(idle.get("/v1/nope"), 404)["detail"]
    answer = idle.call("DELETE", "/v1/events")
    is_problem(answer, 405)
    assert answer.headers["allow"] == "GET"
    assert idle.get("/elsewhere").headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b'{"id": NaN}',
        b"[" * 100_000,
        b'{"id": ' + b"9" * 5000 + b"}",
        b'{"id": "\\ud800", "provider": "acme", "name": "A"}',
        b'{"\\ud800": 1}',
        b'{"id": "a\\u0000", "provider": "acme", "name": "A"}',
    ],
)
def test_a_body_that_cannot_be_read(idle, body):
    """Bytes of any kind give 400 or 422, never 500, and nothing is made."""
    answer = idle.call("POST", "/v1/sources", chunks=[body])
    is_problem(answer, 400 if answer.status == 400 else 422)
    assert idle.get("/v1/sources").json()["items"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"name": "\ud800"},
        {"settings": {"header": "\ud800"}},
        {"settings": {"header": "a\x00"}},
        {"settings": {"\ud800": "x"}},
        {"settings": {"tolerance_s": 10**30}},
        {"settings": {"tolerance_s": 1.5}},
        {"settings": {"tolerance_s": [1]}},
        {"settings": {f"k{number}": 1 for number in range(51)}},
        {"secrets": {"primary": "\ud800" * 10}},
        {"secrets": {"primary": "abcdefgh\x00"}},
        {"secrets": {"\x00": "abcdefgh"}},
        {"event_types": ["acme.\ud800"]},
        {"event_types": ["acme.x"] * 101},
        {"document_ids": ["\x00"]},
        {"max_body_bytes": 10**30},
        {"max_body_bytes": 1},
        {"name": "x" * 101},
        {"extra": 1},
    ],
)
def test_characters_and_sizes_that_no_store_takes(idle, change):
    """Lone surrogates, NUL and huge numbers are refused at the door, wherever they stand."""
    problem = is_problem(idle.post("/v1/sources", {**SOURCE, **change}), 422)
    assert problem["errors"]
    assert idle.get("/v1/sources").json()["items"] == []


@pytest.mark.parametrize(
    "target",
    [
        "/v1/events?text=%00",
        "/v1/events?source=a%00b",
        "/v1/events?text=" + "x" * 201,
        "/v1/events?state=odd",
        "/v1/events?before=%00",
        "/v1/events?after=" + "x" * 101,
        "/v1/rejected?source=%00",
        "/v1/audit?before=%00",
        "/v1/events/%00",
        "/v1/sources/" + "x" * 101,
        "/v1/receipts/a%00",
        "/v1/users/%00",
    ],
)
def test_wrong_parameters_are_named(idle, target):
    """422, with the parameter's name."""
    problem = is_problem(idle.get(target), 422)
    (error,) = problem["errors"]
    assert error["field"] in target or error["field"].endswith(("_id", "name"))


@pytest.mark.parametrize("target", ["/v1/events?text=%ff%fe", "/v1/events?source=%ed%a0%80"])
def test_bytes_that_are_no_text_just_find_nothing(idle, target):
    """A query that is not UTF-8 is read with replacements, as HTTP servers do."""
    assert idle.get(target).json()["items"] == []


@pytest.mark.parametrize(
    "path", ["/v1/events/%ff", "/v1/sources/%ed%a0%80", "/v1/users/%F0%9F%98%80"]
)
def test_a_path_that_is_no_id_is_not_found(idle, path):
    """404, as for any other id that is not there."""
    is_problem(idle.get(path), 404)


def test_a_filter_that_is_given_twice_is_named(idle, admin):
    """Which of the two counts nobody could say; one that is given once, however empty, counts."""
    problem = is_problem(idle.get("/v1/crm/attachments?name=a&name=b&state=failed"), 422)
    assert problem["errors"] == [
        {"field": "name", "detail": "is given more than once; give it once"}
    ]
    assert admin.get("/v1/crm/attachments?name=a&state=failed").status == 200


def test_two_authorization_headers_are_refused(idle):
    """It is not for us to choose which one is meant."""
    again = [("authorization", f"Bearer {idle.key}")]
    is_problem(idle.call("GET", "/v1/events", more=again), 401)


def test_a_body_of_another_type_is_refused(idle):
    """A form that another site posts is not read as JSON."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = idle.call(
            "POST",
            "/v1/sources",
            chunks=[json.dumps(SOURCE).encode()],
            headers={"content-type": kind},
        )
        is_problem(answer, 422)
    assert idle.get("/v1/sources").json()["items"] == []


class TestTooLarge:
    """A body over 1 MiB is answered 413 before anything is done."""

    def test_announced(self, idle):
        """Content-Length alone is enough to refuse: no byte is read."""
        answer = idle.call(
            "POST", "/v1/sources", chunks=[b""], headers={"content-length": str(MAX_BODY_BYTES + 1)}
        )
        assert "1048576 bytes" in is_problem(answer, 413)["detail"]

    @pytest.mark.parametrize("length", ["9" * 5000, "9" * 20])
    def test_absurd_lengths(self, idle, length):
        """A length that no machine has is too large, not an error."""
        answer = idle.call("POST", "/v1/sources", chunks=[b""], headers={"content-length": length})
        is_problem(answer, 413)

    def test_in_pieces(self, idle):
        """Without a length the pieces are counted."""
        piece = b" " * 65_536
        is_problem(idle.call("POST", "/v1/sources", chunks=[piece] * 17), 413)

    def test_at_the_limit(self, admin):
        """Exactly 1 MiB still passes."""
        body = json.dumps(SOURCE).encode().ljust(MAX_BODY_BYTES)
        half = len(body) // 2
        answer = admin.call("POST", "/v1/sources", chunks=[body[:half], body[half:]])
        assert answer.status == 201

    def test_elsewhere(self, idle):
        """The console's pages are behind the same limit; their answer is plain text."""
        answer = idle.call(
            "POST", "/console/x", chunks=[b""], headers={"content-length": str(2 * MAX_BODY_BYTES)}
        )
        assert answer.status == 413
        assert answer.headers["content-type"].startswith("text/plain")

    def test_without_a_key(self, admin):
        """The limit comes before the key is looked at."""
        admin.key = None
        headers = {"content-length": str(MAX_BODY_BYTES + 1)}
        is_problem(admin.call("POST", "/v1/sources", chunks=[b""], headers=headers), 413)


def test_a_sender_who_hangs_up_makes_nothing(idle):
    """A client that goes away in the middle of its body is no error, and leaves no source."""
    sent = []
    idle.call(
        "POST", "/v1/sources", chunks=[], headers={"content-type": "application/json"}, sent=sent
    )
    assert all(message.get("status", 400) == 400 for message in sent)
    assert idle.get("/v1/sources").json()["items"] == []


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (StoreBusy(), 503, {"retry-after": "2"}),
        (StoreFull(), 503, {"retry-after": "2"}),
        (CipherError(), 503, {"retry-after": "2"}),
        (RateLimited(retry_after_s=30), 429, {"retry-after": "30"}),
        (ConfigError("The registry is broken."), 500, {}),
        (InkwireError(), 500, {}),
    ],
)
def test_each_of_our_errors_has_its_answer(rooms, admin, error, status, headers):
    """Status, kind and sentence come from the error; waiting is told in a header."""
    api = new_api()

    @api.get("/v1/broken")
    def broken(request: Request):
        raise error

    admin = Client(build(rooms, api), admin.key)
    answer = admin.get("/v1/broken")
    problem = is_problem(answer, status)
    assert problem["type"].endswith(f":{error.code}")
    assert problem["detail"] == error.message
    assert headers.items() <= answer.headers.items()


def test_a_bug_is_a_problem_too_and_tells_nothing(rooms, admin):
    """500 without a traceback; the server sees the error again and logs it."""
    api = new_api()

    @api.get("/v1/bug")
    def bug():
        raise ZeroDivisionError("s3cret")

    admin = Client(build(rooms, api), admin.key)
    sent = []
    with pytest.raises(ZeroDivisionError):
        admin.call("GET", "/v1/bug", sent=sent)
    assert sent[0]["status"] == 500
    assert (b"content-type", b"application/problem+json") in sent[0]["headers"]
    assert b"s3cret" not in sent[1]["body"]
