"""The small steps that every scheme is made of."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import InvalidInput
from inkwire.model.request import InboundRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Reason, Refused
from inkwire.providers.signing import (
    MAX_HEADER,
    by_role,
    first_of,
    from_base64,
    from_hex,
    hmac_sha256,
    matching,
    one_header,
    parse_rfc3339,
    timeliness,
    to_base64,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def secret(name, role="key"):
    """A secret whose value is its name."""
    return Secret(id=name, role=role, value=name.encode())


@given(st.binary(max_size=80), st.lists(st.binary(max_size=40), max_size=4))
def test_hmac_is_the_standard_librarys(key, parts):
    """The parts are signed as one text, with the key as it is."""
    expected = hmac.new(key, b"".join(parts), hashlib.sha256).digest()
    assert hmac_sha256(key, *parts) == expected


@given(st.binary(max_size=80))
def test_base64_there_and_back(raw):
    """What we encode we decode, and a digest has no second spelling."""
    text = to_base64(raw).encode()
    assert from_base64(text) == raw
    for other in (text + b"=", text + b"\n", b" " + text, text[:-1] if text else b"!"):
        assert from_base64(other) != raw or other == text


@pytest.mark.parametrize(
    "text", [b"a", b"ab", b"ab=", b"ab==cd==", b"a-_=", b"ab==\n", b"QQ==QQ==", b"QR==", b"\xff"]
)
def test_loose_base64_is_none(text):
    """Missing padding, another alphabet, blanks and unused bits are no base64 here."""
    assert from_base64(text) is None


def test_hex_takes_either_case():
    """Hex is read in both cases, and only whole and unbroken."""
    assert from_hex(b"00fF") == b"\x00\xff"
    assert from_hex(b"0") is from_hex(b"00 ff") is from_hex(b"zz") is from_hex(b"\xff\xff") is None


def request(*headers):
    """A request with these headers."""
    return InboundRequest(method="POST", path="/in/x", headers=headers)


def test_one_header_takes_the_first_name_that_is_there():
    """An alias counts only where the real name is missing."""
    both = request((b"x-real", b" a "), (b"x-alias", b"b"))
    assert one_header(both, b"x-real", b"x-alias") == b"a"
    assert one_header(request((b"x-alias", b"b")), b"x-real", b"x-alias") == b"b"
    missing = one_header(request(), b"x-real", b"x-alias")
    assert isinstance(missing, Refused)
    assert missing.reason is Reason.MISSING_HEADER
    assert "x-real" in missing.detail


@pytest.mark.parametrize(
    "values", [(b"a", b"a"), (b"",), (b"  ",), (b"\xe9",), (b"a" * (MAX_HEADER + 1),)]
)
def test_one_header_refuses_other_forms(values):
    """Twice, empty, not ASCII or far too long: refused as malformed."""
    found = one_header(request(*((b"x-real", value) for value in values)), b"x-real")
    assert isinstance(found, Refused)
    assert found.reason is Reason.MALFORMED


def test_matching_names_the_secret():
    """Every secret is tried with every digest; the first that fits is named."""
    keys = [secret("old"), secret("new")]
    digest = hmac_sha256(b"new", b"body")
    assert matching(keys, [b"", b"x" * 32, digest], b"bo", b"dy") is keys[1]
    assert matching(keys, [digest[:-1]], b"body") is None
    assert matching(keys, [], b"body") is None
    assert matching([], [digest], b"body") is None


def test_secret_to_sign_with():
    """The first of a role signs; without one the error says which is missing."""
    keys = [secret("a", "primary"), secret("b", "secondary"), secret("c", "primary")]
    assert by_role(keys, "primary") == [keys[0], keys[2]]
    assert first_of(keys, "secondary") is keys[1]
    with pytest.raises(InvalidInput, match="'other'"):
        first_of(keys, "other")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2016-07-11T10:10:33-07:00", datetime(2016, 7, 11, 17, 10, 33, tzinfo=UTC)),
        ("2016-07-11t17:10:33z", datetime(2016, 7, 11, 17, 10, 33, tzinfo=UTC)),
        ("2026-01-01T00:00:00.25Z", datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-01T00:00:00", None),
        ("2026-01-01", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
        ("\x00", None),
    ],
)
def test_rfc3339(text, moment):
    """A time counts only with its offset, and comes out in UTC."""
    assert parse_rfc3339(text) == moment


@given(st.text(max_size=40))
def test_rfc3339_never_raises(text):
    """Any text is a time in UTC or none."""
    moment = parse_rfc3339(text)
    assert moment is None or moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("age", "reason"),
    [(600, None), (601, Reason.STALE), (-60, None), (-61, Reason.FUTURE), (0, None)],
)
def test_timeliness_includes_both_edges(age, reason):
    """Exactly as old, or as far ahead, as allowed is in time; a second more is not."""
    late = timeliness(NOW - timedelta(seconds=age), NOW, past_s=600, future_s=60)
    assert (late and late[0]) is reason
    assert late is None or str(abs(age)) in late[1]
