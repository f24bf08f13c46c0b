"""Profiles: schedules, headers and signatures as receivers will see them."""

import base64
import hashlib
import hmac
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Judge

from delivery.kit import MESSAGE, NOW, claim
from inkwire import __version__
from inkwire.delivery.profiles import (
    MAX_HEADERS,
    PROFILES,
    check_headers,
    check_key,
    generate_key,
    signed,
)
from inkwire.errors import InvalidInput
from inkwire.model.request import SignedRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted
from inkwire.model.webhook import ProfileName, WebhookState
from inkwire.providers.bolosign.stringify import stringify
from inkwire.providers.registry import registry
from inkwire.providers.settings import check_settings

BOXC_KEY = "9FkaaYZILF9pWHqJzXDD"
NEW, OLD = (generate_key(ProfileName.STANDARD, os.urandom) for _ in range(2))
KEYS = {
    ProfileName.STANDARD: ("secret", NEW),
    ProfileName.BOXC: ("key", BOXC_KEY),
    ProfileName.BOX: ("primary", "SamplePrimaryKey00000000000000"),
    ProfileName.BOLOSIGN: ("secret", "customer-specific-secret"),
}
BODY = b'{"shipment":{"id":1521231,"url":"https:\\/\\/x"}}'


def headers_of(request):
    """Lower-case names to values; fails if one is there twice."""
    names = [name.lower() for name, _ in request.headers]
    assert len(names) == len(set(names))
    return {name.lower(): value for name, value in request.headers}


def test_there_is_a_profile_for_every_name():
    """A webhook of any profile can be delivered."""
    assert set(PROFILES) == set(ProfileName)
    assert all(name is profile.name for name, profile in PROFILES.items())


def test_boxc_tries_twelve_times_over_34_hours():
    """R147 and part D: 11 repeats, 60 s doubled each time, 5 s to answer, then deletion (R148)."""
    boxc = PROFILES[ProfileName.BOXC]
    assert boxc.attempts == 12
    assert boxc.delays_s == tuple(60 * 2**n for n in range(11))
    assert sum(boxc.delays_s) == 122_820
    assert (boxc.timeout_s, boxc.at_end, boxc.overlap_s) == (5, WebhookState.DELETED, 0)
    assert boxc.max_address == 128


def test_standard_keeps_the_example_schedule():
    """The specification's example: 75 h 35 min, 15 s, disabled and never deleted."""
    standard = PROFILES[ProfileName.STANDARD]
    assert standard.delays_s == (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert (standard.timeout_s, standard.at_end) == (15, WebhookState.DISABLED)
    assert (standard.overlap_s, standard.max_overlap_s) == (86_400, 7 * 86_400)


@pytest.mark.parametrize("name", ProfileName)
def test_providers_accept_what_their_profile_signs(name):
    """There is one way to sign: the provider of a profile proves its requests."""
    role, key = KEYS[name]
    profile = PROFILES[name]
    receiver = registry().receiver(profile.provider)
    request = signed(claim(name, [key], body=BODY), NOW)
    # BoloSign's receivers check the text that JSON.stringify gives (R115).
    sent = stringify(BODY) if name is ProfileName.BOLOSIGN else BODY
    assert request.body == sent
    assert request.url == "https://www.example.com/path"
    verdict = receiver.verify(
        SignedRequest(headers=request.headers, body=request.body).as_inbound(),
        [Secret(id="sec_1", role=role, value=key.encode())],
        check_settings(receiver.settings, {}),
        NOW,
    )
    assert isinstance(verdict, Accepted)


def test_what_node_cannot_read_goes_out_as_bolosign_all_the_same():
    """Signed as it is: the attempt must not fail for its sake."""
    body = b"{not json"
    assert (
        signed(claim(ProfileName.BOLOSIGN, [KEYS[ProfileName.BOLOSIGN][1]], body=body), NOW).body
        == body
    )


def test_boxc_headers():
    """R136, R137: signature, topic and account; an honest name that holds BoxC's."""
    headers = headers_of(signed(claim(ProfileName.BOXC, [BOXC_KEY], body=BODY), NOW))
    digest = hmac.new(BOXC_KEY.encode(), BODY, hashlib.sha256).digest()
    assert headers["x-boxc-hmac-sha256"] == base64.b64encode(digest).decode()
    assert headers["x-boxc-topic"] == "shipments_status"
    assert headers["x-boxc-account"] == "9512"
    assert headers["user-agent"] == f"Inkwire/{__version__} (BoxC/1.0 Webhook)"
    assert headers["content-type"] == "application/json"


def test_boxc_names_no_account_without_one():
    """A message of no account must not name the sample's."""
    request = signed(claim(ProfileName.BOXC, [BOXC_KEY], account=""), NOW)
    assert "x-boxc-account" not in headers_of(request)


def test_boxc_signs_with_the_newest_key_only():
    """After a change of key the next attempt uses the new one."""
    one = signed(claim(ProfileName.BOXC, [BOXC_KEY]), NOW)
    both = signed(claim(ProfileName.BOXC, [BOXC_KEY, "another key of BoxC"]), NOW)
    assert one == both


def test_standard_signs_with_every_valid_key():
    """While a key is rotated, a receiver that holds either one accepts (overlap)."""
    request = signed(claim(ProfileName.STANDARD, [NEW, OLD], body=BODY), NOW)
    headers = headers_of(request)
    signatures = headers["webhook-signature"].split(" ")
    expected = [Judge(key).sign(MESSAGE.id, NOW, BODY.decode()) for key in (NEW, OLD)]
    assert signatures == expected
    assert headers["user-agent"] == f"Inkwire/{__version__}"


def test_standard_repeats_the_id_and_renews_the_time():
    """webhook-id is the message's on every attempt; the timestamp is the attempt's."""
    first = headers_of(signed(claim(ProfileName.STANDARD, [NEW]), NOW))
    again = headers_of(
        signed(claim(ProfileName.STANDARD, [NEW], attempts=3), NOW.replace(minute=35))
    )
    assert first["webhook-id"] == again["webhook-id"] == MESSAGE.id
    assert first["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert int(again["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 300


def test_box_changes_its_delivery_id():
    """R89: Box's delivery id is another on each attempt; two keys give two signatures."""
    made = [
        headers_of(signed(claim(ProfileName.BOX, ["a" * 16, "b" * 16], attempts=n), NOW))
        for n in range(2)
    ]
    assert made[0]["box-delivery-id"] != made[1]["box-delivery-id"]
    assert made[0]["box-signature-primary"] != made[0]["box-signature-secondary"]
    assert made[0]["user-agent"] == "Box-WH-Client/0.1"


@pytest.mark.parametrize("name", ProfileName)
def test_own_headers_are_added_but_replace_nothing(name):
    """A webhook's own header never takes the place of one that signs or frames the request."""
    key = KEYS[name][1]
    plain = signed(claim(name, [key], body=BODY), NOW)
    evil = [(header.swapcase(), "evil") for header, _ in plain.headers]
    evil += [("Host", "evil"), ("content-LENGTH", "0"), ("Transfer-Encoding", "chunked")]
    evil += [("Connection", "close")]
    request = signed(claim(name, [key], body=BODY, headers=[*evil, ("X-Auth", "t0ken")]), NOW)
    assert request.headers == (*plain.headers, ("X-Auth", "t0ken"))


def test_no_key_is_said_so():
    """A webhook whose keys all ended gives a clear error, not an unsigned request."""
    with pytest.raises(InvalidInput, match="no valid signing key"):
        signed(claim(ProfileName.BOXC, []), NOW)


def test_secrets_stay_out_of_repr():
    """Neither a signature nor a webhook's own credentials show up in a log of the value."""
    request = signed(claim(ProfileName.BOXC, [BOXC_KEY], headers=[("X-Auth", "t0ken")]), NOW)
    assert "t0ken" not in repr(request)
    assert "X-BoxC" not in repr(request)


@pytest.mark.parametrize(
    ("name", "text", "good"),
    [
        (ProfileName.BOXC, "k" * 15, False),
        (ProfileName.BOXC, "k" * 16, True),
        (ProfileName.BOXC, "k" * 32, True),
        (ProfileName.BOXC, "k" * 33, False),
        (ProfileName.BOXC, "k" * 16 + "\n", False),
        (ProfileName.STANDARD, "whsec_" + base64.b64encode(b"k" * 23).decode(), False),
        (ProfileName.STANDARD, "whsec_" + base64.b64encode(b"k" * 24).decode(), True),
        (ProfileName.STANDARD, "whsec_" + base64.b64encode(b"k" * 64).decode(), True),
        (ProfileName.STANDARD, "whsec_" + base64.b64encode(b"k" * 65).decode(), False),
        (ProfileName.STANDARD, base64.b64encode(b"k" * 24).decode(), False),
        (ProfileName.STANDARD, "whsec_" + "é" * 32, False),
        (ProfileName.STANDARD, "whsec_" + base64.b64encode(b"k" * 25).decode().rstrip("="), False),
        (ProfileName.BOX, "", False),
        (ProfileName.BOLOSIGN, "customer-specific-secret", True),
    ],
)
def test_keys_are_checked(name, text, good):
    """R139 for BoxC, the specification's 24 to 64 bytes for Standard Webhooks."""
    problem = check_key(name, text)
    assert (problem is None) is good
    assert not text or text not in (problem or "")


@pytest.mark.parametrize("name", ProfileName)
def test_keys_are_made_up_where_that_is_allowed(name):
    """BoxC's key is the application's to choose; every other generated key is a valid one."""
    made = generate_key(name, os.urandom)
    if name is ProfileName.BOXC:
        assert made is None
    else:
        assert check_key(name, made) is None
        assert made != generate_key(name, os.urandom)


@pytest.mark.parametrize(
    "header",
    [
        ("Host", "x"),
        ("content-length", "1"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Webhook-Signature", "v1,x"),
        ("webhook-id", "x"),
        ("X-BoxC-Account", "1"),
        ("BOX-SIGNATURE-PRIMARY", "x"),
        ("x-signature", "x"),
        ("Proxy-Authorization", "x"),
        ("", "x"),
        ("a b", "x"),
        ("a:", "x"),
        ("é", "x"),
        ("a\r\nb", "x"),
        ("X-A", ""),
        ("X-A", "a\r\nb: c"),
        ("X-A", "a\nb"),
        ("X-A", "a\x00"),
        ("X-A", " a"),
        ("X-A", "é"),
        ("X-A", "a" * 4097),
        ("X" * 101, "a"),
    ],
)
def test_bad_headers_are_named(header):
    """Reserved names, no tokens, line breaks and oversize are refused by name, without the value."""
    (path,) = check_headers([("X-Good", "fine"), header])
    assert path.startswith("headers.")
    assert "\n" not in path
    assert "\r" not in path


def test_headers_are_counted_and_unique():
    """At most 20 headers, and none twice in another case."""
    most = [(f"X-{n}", "v") for n in range(MAX_HEADERS)]
    assert check_headers(most) == {}
    assert set(check_headers([*most, ("X-more", "v")])) == {"headers"}
    assert set(check_headers([("X-A", "1"), ("x-a", "2")])) == {"headers.x-a"}


@given(st.text(max_size=20), st.text(max_size=20))
def test_headers_that_pass_can_be_sent(name, value):
    """Whatever passes fits on one header line; nothing raises."""
    if not check_headers([(name, value)]):
        line = f"{name}: {value}".encode("ascii")
        assert not set(line) & {0, 10, 13}
        assert name.lower() not in {"host", "content-length"}
