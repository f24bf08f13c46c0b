"""Signed requests: made, shifted in time, tampered with, printed."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from inkwire.cli.captured import parse_http
from inkwire.cli.signed import as_curl, as_http, given_secrets, moment, tampered, with_query
from inkwire.errors import InvalidInput
from inkwire.model.request import SignedRequest
from inkwire.providers.registry import registry

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", 0),
        ("-11m", -660),
        ("+2h", 7200),
        ("-700", -700),
        ("+1.5d", 129_600),
        ("-5ms", -0.005),
    ],
)
def test_shifts(text, seconds):
    """`--at` and `--now` understand a shift in the units people use."""
    assert moment(text, NOW) == NOW + timedelta(seconds=seconds)


def test_a_full_time():
    """RFC 3339 with its offset."""
    assert moment("2026-03-04T13:00:00+02:00", NOW) == NOW - timedelta(hours=1)


@pytest.mark.parametrize("text", ["yesterday", "11m", "2026-03-04T13:00:00", "-9e9d", "+99999999d"])
def test_what_is_no_time(text):
    """Anything else, a time without a zone too, says what to write."""
    with pytest.raises(InvalidInput, match="is no time"):
        moment(text, NOW)


@pytest.mark.parametrize("body", [b'{"a":1}', b"{}", b"", b"\xff\xfe", b'{"a": true, "b": null}'])
def test_tampering_changes_one_byte_at_most(body):
    """A forged body is another body, of the same length if it has a letter to change."""
    request = SignedRequest(headers=(("A", "1"),), body=body)
    forged = tampered(request)
    assert forged.body != body
    assert forged.headers == request.headers
    assert sum(a != b for a, b in zip(body, forged.body, strict=False)) <= 1


@pytest.mark.parametrize(
    "body",
    [b'{"it\'s": "$(rm -rf) `x` \\n"}', b"line\nline", b"@file", b"\x00\xff", b"", "é".encode()],
)
def test_the_curl_command_sends_these_very_bytes(body, tmp_path):
    """Pasted into a shell, the command hands curl the same headers and the same bytes."""
    request = SignedRequest(headers=(("X-S", "a'b=="), ("X-T", "1")), body=body, query="s=1&t=2")
    script = f"""
        curl() {{
            printf '%s\\n' "$@" > {tmp_path}/args
            while [ $# -gt 1 ]; do shift; done
            if [ "$1" = @- ]; then cat > {tmp_path}/body; else printf %s "$1" > {tmp_path}/body; fi
        }}
        {as_curl("http://h/in/a?z=0", request)}
    """
    subprocess.run(["bash", "-c", script], check=True)
    arguments = (tmp_path / "args").read_text("utf-8", "replace")
    assert "http://h/in/a?z=0&s=1&t=2" in arguments
    assert "X-S: a'b==" in arguments
    assert (tmp_path / "body").read_bytes() == body


def test_raw_http_can_be_read_back():
    """What `send --dry-run --raw` prints is what `verify` reads."""
    request = SignedRequest(headers=(("X-S", "a=="),), body=b"\r\n{}\n", query="s=1")
    found = parse_http(as_http("http://h:1/in/a", request))
    assert found.notes == ()
    assert found.request.body == request.body
    assert found.request.query == b"s=1"
    assert found.request.values(b"x-s") == [b"a=="]


def test_query_is_appended():
    """A signature in the query stands beside what the address has already."""
    assert with_query("http://h/a", "") == "http://h/a"
    assert with_query("http://h/a", "s=1") == "http://h/a?s=1"
    assert with_query("http://h/a?b=2", "s=1") == "http://h/a?b=2&s=1"


def test_secrets_find_their_roles():
    """Without a role a secret is the provider's first; with one, that; a wrong one is named."""
    box = registry().receiver("box")
    assert [s.role for s in given_secrets(box, ["a", "b"], [])] == ["primary", "secondary"]
    assert [s.role for s in given_secrets(box, ["b"], ["secondary"])] == ["secondary"]
    with pytest.raises(InvalidInput, match="'third'; this provider has: primary, secondary"):
        given_secrets(box, ["a"], ["third"])
    with pytest.raises(InvalidInput, match="3 secrets given"):
        given_secrets(box, ["a", "b", "c"], [])
