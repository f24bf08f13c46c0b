"""Requests that anybody can send cost tens of milliseconds on the thread that answers everybody."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from inkwire.model.request import InboundRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, MatchedOn, Reason
from inkwire.providers.bolosign import PROVIDER as BOLOSIGN
from inkwire.providers.bolosign.receive import FALLBACK_BYTES, FALLBACK_TOKENS
from inkwire.providers.bolosign.stringify import stringify
from inkwire.providers.generic import PROVIDER as GENERIC
from inkwire.providers.settings import check_settings
from inkwire.providers.signing import MAX_PARAMETERS, MAX_QUERY

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
VALUE = b"customer-specific-secret"


def bolosign(body, signed):
    """The verdict on `body` when BoloSign signed the text `signed`."""
    signature = hmac.new(VALUE, STAMP.encode() + b"." + signed, hashlib.sha256).hexdigest()
    headers = ((b"x-timestamp", STAMP.encode()), (b"x-signature", signature.encode()))
    request = InboundRequest(method="POST", path="/in/x", headers=headers, body=body)
    settings = check_settings(BOLOSIGN.receive.settings, {})
    secret = Secret(id="s", role="secret", value=VALUE)
    return BOLOSIGN.receive.verify(request, [secret], settings, NOW)


def numbers(count, blank):
    """An array of so many numbers: twice as many tokens and one."""
    return b"[" + b",".join([b"1"] * count) + blank + b"]"


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (numbers(FALLBACK_TOKENS // 2 - 1, b" "), True),
        (numbers(FALLBACK_TOKENS // 2, b" "), False),
        (b'["' + b"x" * (FALLBACK_BYTES - 5) + b'" ]', True),
        (b'["' + b"x" * (FALLBACK_BYTES - 4) + b'" ]', False),
    ],
)
def test_only_small_bodies_are_serialised_anew_for_strangers(body, fits):
    """Beyond the bound a reformatted body is refused unread; as it was signed it is accepted."""
    verdict = bolosign(body, stringify(body))
    if fits:
        assert verdict.matched_on is MatchedOn.RESERIALIZED
    else:
        assert verdict.reason is Reason.BAD_SIGNATURE
        assert "too" in verdict.detail
    assert isinstance(bolosign(body, body), Accepted)


def test_the_bound_leaves_room_for_real_bodies_and_costs_little():
    """Ten documents of BoloSign fit, and nobody makes us read over 1,000 tokens or 32 KiB."""
    assert 870 <= FALLBACK_TOKENS <= 1_000  # a document has 87
    assert 7_120 <= FALLBACK_BYTES <= 32 * 1024


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (b"&" * (MAX_PARAMETERS - 1), Reason.MISSING_HEADER),
        (b"&" * MAX_PARAMETERS, Reason.MALFORMED),
        (b"a" * MAX_QUERY, Reason.MISSING_HEADER),
        (b"a" * (MAX_QUERY + 1), Reason.MALFORMED),
    ],
)
def test_long_queries_are_not_taken_apart(query, reason):
    """A signature in the URL is looked for in short queries only."""
    request = InboundRequest(method="POST", path="/in/x", query=query, body=b"{}")
    given = {"signature_in": "query", "signature_name": "signature"}
    settings = check_settings(GENERIC.receive.settings, given)
    secret = Secret(id="s", role="key", value=VALUE)
    assert GENERIC.receive.verify(request, [secret], settings, NOW).reason is reason
