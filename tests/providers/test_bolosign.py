"""BoloSign: the rules of seed 003 that the contract suite cannot know."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import InvalidInput, Unparsable
from inkwire.model.event import DedupeKind, TermKind
from inkwire.model.request import InboundRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, MatchedOn, Reason, Refused
from inkwire.providers.bolosign import PROVIDER
from inkwire.providers.bolosign.receive import MAX_ELEMENTS
from inkwire.providers.bolosign.stringify import MAX_BYTES, stringify
from inkwire.providers.registry import case
from inkwire.providers.settings import check_settings

RECEIVER = PROVIDER.receive
SETTINGS = check_settings(RECEIVER.settings, {})
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = Secret(id="sec_1", role="secret", value=b"customer-specific-secret")
SIGNED = case(PROVIDER, "pdf-signed").body


def signature_of(stamp, text, secret=SECRET.value):
    """The formula of the vendor's sample, with nothing of ours."""
    return hmac.new(secret, stamp.encode() + b"." + text, hashlib.sha256).hexdigest()


def request_of(body, stamp, signature):
    """A request with the two headers that BoloSign sends."""
    headers = ((b"x-timestamp", stamp.encode()), (b"x-signature", signature.encode()))
    return InboundRequest(method="POST", path="/in/x", headers=headers, body=body)


def verdict_of(body, *, signed=None, stamp=None, now=NOW, secrets=(SECRET,), signature=None):
    """What `verify` says of `body` when BoloSign signed `signed` (or the body itself)."""
    stamp = stamp or str(int(now.timestamp() * 1000))
    signature = signature or signature_of(stamp, body if signed is None else signed)
    return RECEIVER.verify(request_of(body, stamp, signature), list(secrets), SETTINGS, now)


def parsed(body, **settings):
    """The events in a proven body."""
    request = InboundRequest(method="POST", path="/in/x", body=body)
    return RECEIVER.parse(request, body, check_settings(RECEIVER.settings, settings))


# --- proving ---------------------------------------------------------------------------------


def test_raw_body_first():
    """A signature over the bytes as they came needs no second form, whatever the bytes are."""
    for body in (SIGNED, b"not json", b"\xef\xbb\xbf{}", b'{"a": 1.0}', b"\xff"):
        verdict = verdict_of(body)
        assert verdict == Accepted(secret_id="sec_1", matched_on=MatchedOn.RAW, signed_at=NOW)


def test_reserialized_body_second():
    """A body laid out anew is proven by JSON.stringify of it, and that text is handed on (C18)."""
    pretty = case(PROVIDER, "pdf-signed-pretty").body
    compact = json.dumps(json.loads(pretty), separators=(",", ":"), ensure_ascii=False).encode()
    verdict = verdict_of(pretty, signed=compact)
    assert verdict.matched_on is MatchedOn.RESERIALIZED
    assert verdict.canonical == compact
    assert parsed(verdict.canonical) == parsed(pretty)


def test_the_signed_text_counts_not_the_sent_one():
    """With a name sent twice, what was signed is what gets read."""
    body = b'{"webhookEvent": "a", "documentId": "1", "webhookEvent": "b"}'
    verdict = verdict_of(body, signed=b'{"webhookEvent":"b","documentId":"1"}')
    assert verdict.canonical == b'{"webhookEvent":"b","documentId":"1"}'
    assert parsed(verdict.canonical)[0].type == "bolosign.b"


@given(st.binary(min_size=1, max_size=60), st.integers(0, 2**32))
def test_a_changed_body_is_refused_in_both_forms(junk, seed):
    """Nothing but the signed text, or another way to write it, passes."""
    at = seed % len(SIGNED)
    body = SIGNED[:at] + junk + SIGNED[at + 1 :]
    verdict = verdict_of(body, signed=SIGNED)
    if isinstance(verdict, Accepted):
        assert SIGNED in (verdict.canonical, body)
    else:
        assert verdict.reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    "body",
    [b'\xef\xbb\xbf{"a":1}', b'{"a":"\xff"}', b'{"a":1,}', b"[" * 100_000, b""],
    ids=["BOM", "not UTF-8", "comma", "deep", "empty"],
)
def test_what_node_would_read_as_something_else_is_refused(body):
    """No repaired reading of a body is tried: Express would strip a BOM and replace bad bytes."""
    for text in (b'{"a":1}', '{"a":"\ufffd"}'.encode(), b"{}", b"null"):
        assert verdict_of(body, signed=text).reason is Reason.BAD_SIGNATURE


def test_the_second_form_has_a_bound():
    """A body over the bound is judged by its raw bytes alone, and the refusal says why."""
    large = b'{"a": "' + b"x" * MAX_BYTES + b'"}'
    refused = verdict_of(large, signed=large.replace(b": ", b":"))
    assert refused.reason is Reason.BAD_SIGNATURE
    assert "too large" in refused.detail
    assert isinstance(verdict_of(large), Accepted)


@pytest.mark.parametrize(
    ("stamp", "signed_at"),
    [
        ("1795348800", NOW),
        ("1795348800123", NOW + timedelta(milliseconds=123)),
        ("1795348800123456", NOW + timedelta(microseconds=123456)),
        ("2026-11-22T12:00:00.250Z", NOW + timedelta(milliseconds=250)),
        ("2026-11-22T13:00:00+01:00", NOW),
    ],
)
def test_every_unit_of_time(stamp, signed_at):
    """The unit is not published (C19): it is found by size, and the text is signed as it came."""
    assert verdict_of(SIGNED, stamp=stamp).signed_at == signed_at


@pytest.mark.parametrize("stamp", ["yesterday", "-1", "1.5", "2026-11-22", "9" * 18, "٣"])
def test_a_time_that_is_none_is_refused(stamp):
    """Without a time that can be read there is no protection from replays (R120)."""
    request = request_of(SIGNED, stamp, signature_of(stamp, SIGNED))
    verdict = RECEIVER.verify(request, [SECRET], SETTINGS, NOW)
    assert verdict.reason is Reason.MALFORMED
    assert verdict.proof is None


def test_the_time_cannot_be_moved_to_the_body():
    """Timestamp and body are one signed text: moving the point between them proves nothing."""
    stamp = "1795348800"
    signature = signature_of(stamp, b"5." + SIGNED)
    request = request_of(SIGNED, f"{stamp}.5", signature)
    assert isinstance(RECEIVER.verify(request, [SECRET], SETTINGS, NOW), Refused)


def test_old_is_held_and_early_is_refused():
    """A right signature with a past time keeps its proof, so that a person may let it in."""
    stale = verdict_of(SIGNED, stamp="1795348499")
    assert (stale.reason, stale.proof.secret_id) == (Reason.STALE, "sec_1")
    early = verdict_of(SIGNED, stamp="1795349101")
    assert (early.reason, early.proof) == (Reason.FUTURE, None)
    reserialized = verdict_of(b" " + SIGNED, signed=SIGNED, stamp="1795348499")
    assert reserialized.proof.canonical == SIGNED


@pytest.mark.parametrize(
    "signature", ["0" * 64, "0" * 32, "0" * 128, "zz" * 32, "sha256=" + "0" * 57]
)
def test_signatures_of_other_forms_are_refused(signature):
    """Only 64 hex digits can be right; upper case is the same number."""
    assert isinstance(verdict_of(SIGNED, signature=signature), Refused)
    stamp = str(int(NOW.timestamp()))
    upper = signature_of(stamp, SIGNED).upper()
    assert isinstance(verdict_of(SIGNED, stamp=stamp, signature=upper), Accepted)


def test_second_secret_also_for_the_second_form():
    """Rotation: the old secret still proves a body that was laid out anew."""
    new = Secret(id="sec_2", role="secret", value=b"the-new-secret")
    verdict = verdict_of(b" " + SIGNED, signed=SIGNED, secrets=(new, SECRET))
    assert (verdict.secret_id, verdict.matched_on) == ("sec_1", MatchedOn.RESERIALIZED)


def test_signing_needs_a_secret():
    """A source without a secret says so instead of signing with nothing."""
    with pytest.raises(InvalidInput):
        RECEIVER.sign(SIGNED, [], SETTINGS, NOW, event_type="bolosign.x", delivery_id="d")


# --- reading ---------------------------------------------------------------------------------


def test_the_seven_events_are_known():
    """R107: all by name, each with a sample of its own."""
    names = {
        "new_form_response",
        "new_signature_pdf_individual_viewed",
        "new_signature_pdf_individual_signed",
        "new_signature_pdf_completed",
        "new_template_response_individual_viewed",
        "new_template_response_individual_signed",
        "new_template_response",
    }
    assert set(RECEIVER.event_types) == {f"bolosign.{name}" for name in names}
    for name in names:
        assert json.loads(case(PROVIDER, f"bolosign.{name}").body)["webhookEvent"] == name


@pytest.mark.parametrize(
    "sample",
    [
        "form-response",
        "pdf-viewed",
        "pdf-signed",
        "pdf-completed",
        "template-viewed",
        "template-signed",
        "template-response",
    ],
)
def test_each_event_is_recognised_without_its_name(sample):
    """R111: where `webhookEvent` is missing, the members tell which of the seven it is."""
    payload = json.loads(case(PROVIDER, sample).body)
    name = payload.pop("webhookEvent")
    assert parsed(json.dumps(payload).encode())[0].type == f"bolosign.{name}"


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"documentId": "1"},
        {"documentId": "1", "finishedPdfUrl": "https://x.example"},
        {"documentId": "1", "signers": [{"signerIp": "::1"}]},
        {"documentId": "1", "signers": [{"signerIp": "::1", "roleTitle": "M"}], "viewedBy": {}},
        {"documentId": "1", "signers": [{"roleTitle": "M"}], "viewedBy": {}, "signedBy": {}},
        {"signers": [{"signerIp": "::1"}], "finishedPdfUrl": "https://x.example"},
        {"webhookEvent": "", "formResponseId": "1"},
        {"webhookEvent": 5, "formResponseId": "1"},
        {"webhookEvent": ["new_form_response"]},
        "text",
        None,
        7,
    ],
)
def test_what_is_not_certain_is_unknown(payload):
    """Nothing is guessed, and nothing is lost: it stays an event under the name `unknown`."""
    (event,) = parsed(json.dumps([payload]).encode())
    assert event.type == "bolosign.unknown"
    assert event.payload == payload


def test_unknown_events_and_members_are_passed_on():
    """R99's rule for BoloSign: new names and members are kept as they are (R124, R126)."""
    payload = {"webhookEvent": "brand_new", "documentId": "d", "contact_field(page1)[Manager]": "x"}
    (event,) = parsed(json.dumps(payload).encode())
    assert (event.type, event.payload) == ("bolosign.brand_new", payload)


def test_an_array_is_as_many_events():
    """R108, R110: one for each element, in order; one object alone is one (R109)."""
    bodies = [case(PROVIDER, name).body for name in ("pdf-viewed", "pdf-signed", "form-response")]
    events = parsed(b"[" + b",".join(bodies) + b"]")
    assert events == tuple(parsed(body)[0] for body in bodies)


@pytest.mark.parametrize("body", [b"[]", b" [ ] ", b"", b"{", b"[1,]", b"\xff"])
def test_unparsable(body):
    """A proven body that holds no event says so, and nothing else escapes."""
    with pytest.raises(Unparsable):
        parsed(body)


def test_too_many_elements():
    """The number of events of one body is bounded."""
    assert len(parsed(b"[" + b",".join([b"1"] * MAX_ELEMENTS) + b"]")) == MAX_ELEMENTS
    with pytest.raises(Unparsable, match="elements"):
        parsed(b"[" + b",".join([b"1"] * (MAX_ELEMENTS + 1)) + b"]")


def test_repeats_have_one_key_however_they_are_written():
    """The key is the element's canonical text (R130), alone or in an array, raw or canonical."""
    body = b'{"documentId":"d","2":1.0,"1":1e2,"big":9007199254740993}'
    key = stringify(body)
    assert key == b'{"1":100,"2":1,"documentId":"d","big":9007199254740992}'
    written = [body, b" " + body, b"[" + body + b"]", key, body.replace(b'"d"', b'"\\u0064"')]
    for one in written:
        (event,) = parsed(one)
        assert (event.dedupe_key, event.dedupe_kind) == (key, DedupeKind.DERIVED)
    assert parsed(body.replace(b'"d"', b'"e"'))[0].dedupe_key != key


def test_text_that_only_node_reads():
    """Half an emoji or an enormous number is legal there, so the event is read here, too."""
    body = b'[{"webhookEvent":"x","documentName":"cut \\ud83d","n":1e400,"p":"\\\\ud83d"},{"b":1}]'
    first, second = parsed(body)
    assert first.payload == {
        "webhookEvent": "x",
        "documentName": "cut �",
        "n": None,
        "p": "\\ud83d",
    }
    assert first.dedupe_key == stringify(body[1 : body.index(b",{")])
    assert second.payload == {"b": 1}
    assert "cut �" in {term.value for term in RECEIVER.terms(first)}


def test_an_element_too_large_to_reserialize_still_has_a_key():
    """Beyond the bounds of the exact text the key is still made of the content."""
    body = b'{"n":1.5,"a":"' + b"x" * MAX_BYTES + b'"}'
    assert parsed(body)[0].dedupe_key == msgspec.json.encode(msgspec.json.decode(body))


@pytest.mark.parametrize("depth", [900, 960, 990, 1_000, 1_100, 4_000, 100_000])
def test_deep_bodies_are_read_or_unparsable(depth):
    """No depth breaks the reader, also just where Python's own stack ends."""
    for body in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        try:
            assert parsed(body)
        except Unparsable as error:
            assert error.message


def test_what_a_source_can_be_limited_to():
    """R131: documents by their id, forms by the form's."""
    assert parsed(SIGNED)[0].document_ids == ("256ad6c8-2fd1-4b1f-ad88-140e617ed450",)
    assert parsed(case(PROVIDER, "form-response").body)[0].document_ids == (
        "5a5b7b2b-8932-4cf7-a854-89e52e2552e1",
        "3e7d9b4a-08c5-4f7e-b5e6-23a1b5190e68",
    )


def test_tests_are_marked_by_setting_alone():
    """R112: an array is no proof of a test, since real data may come as one."""
    body = case(PROVIDER, "test-two-forms").body
    assert [event.test for event in parsed(body)] == [False, False]
    assert [event.test for event in parsed(body, mark_as_test=True)] == [True, True]
    assert [event.test for event in parsed(SIGNED, mark_as_test=True)] == [True]


def test_addresses_are_opaque():
    """R132: the placeholder of the vendor's samples is an address like any other."""
    terms = RECEIVER.terms(parsed(SIGNED)[0])
    assert [term.value for term in terms if term.kind is TermKind.EMAIL] == ["[email protected]"]


def test_the_reply_is_the_documented_one():
    """R123: status, type and body, to the byte."""
    reply = RECEIVER.reply(parsed(SIGNED))
    assert (reply.status, reply.content_type) == (200, "application/json")
    assert reply.body == b'{"status": "Webhook received successfully"}'


def test_fresh_keeps_the_layout():
    """A fresh sample stays a sample of what it was: only the ids change."""
    pretty = case(PROVIDER, "pdf-signed-pretty").body
    fresh = RECEIVER.fresh(pretty, "abc")
    assert fresh.replace(b"-abc", b"") == pretty != fresh
    two = RECEIVER.parse(
        InboundRequest(method="POST", path="/in/x"),
        RECEIVER.fresh(case(PROVIDER, "test-two-forms").body, "abc"),
        SETTINGS,
    )
    assert all(event.entity_key.endswith("-abc") for event in two)
