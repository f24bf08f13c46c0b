"""Generic HMAC: vendors' documented formulas against our settings, and places in events."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import InvalidInput, Unparsable
from inkwire.model.event import DedupeKind
from inkwire.model.request import InboundRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, MatchedOn, Reason, Refused
from inkwire.providers.contract import SettingKind
from inkwire.providers.generic import PROVIDER
from inkwire.providers.generic.events import MAX_ELEMENTS
from inkwire.providers.registry import cases, manual
from inkwire.providers.settings import check_settings

RECEIVER = PROVIDER.receive
RECIPES = {recipe.name: recipe for recipe in PROVIDER.recipes}
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
KEY = b"whsec_0123456789"
SECRET = Secret(id="sec_1", role="key", value=KEY)
BODY = b'{"id":"1"}'


def settings_of(recipe="", **changes):
    """The settings of a recipe (or the defaults) with some changed."""
    start = RECIPES[recipe].settings if recipe else {}
    return check_settings(RECEIVER.settings, {**start, **changes})


def verdict_of(settings, headers=(), query="", body=BODY, secrets=(SECRET,), now=NOW):
    """What `verify` says of a request put together by hand."""
    lower = tuple((name.lower().encode(), value.encode()) for name, value in headers)
    request = InboundRequest(
        method="POST", path="/in/x", query=query.encode(), headers=lower, body=body
    )
    return RECEIVER.verify(request, list(secrets), settings, now)


def hex_of(content, key=KEY):
    """Hex HMAC-SHA256, with nothing of ours."""
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def base64_of(content, key=KEY):
    """Base64 HMAC-SHA256, with nothing of ours."""
    return base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


# --- the vendors' formulas -------------------------------------------------------------------


def test_githubs_own_example():
    """The secret, payload and signature that GitHub's documentation gives to test with."""
    secret = Secret(id="sec_1", role="key", value=b"It's a Secret to Everybody")
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = [("X-Hub-Signature-256", signature)]
    right = {"headers": headers, "secrets": [secret]}
    assert isinstance(verdict_of(settings_of("github"), body=b"Hello, World!", **right), Accepted)
    assert isinstance(verdict_of(settings_of("github"), body=b"Hello, World?", **right), Refused)


def test_github_needs_its_prefix():
    """The bare digest, or one that says to be SHA-1, is not GitHub's signature."""
    for value in (hex_of(BODY), f"sha1={hex_of(BODY)}", f"SHA256={hex_of(BODY)}"):
        refused = verdict_of(settings_of("github"), [("X-Hub-Signature-256", value)])
        assert refused.reason is Reason.MALFORMED
    refused = verdict_of(settings_of("github"), [("X-Hub-Signature", f"sha1={hex_of(BODY)}")])
    assert refused.reason is Reason.MISSING_HEADER


def stripe(*parts):
    """Stripe's header, from its parts."""
    return [("Stripe-Signature", ",".join(parts))]


def test_stripe():
    """HMAC of `t.body`; any of several v1 counts, v0 and unknown schemes do not."""
    settings = settings_of("stripe")
    right = f"v1={hex_of(STAMP.encode() + b'.' + BODY)}"
    accepted = Accepted(secret_id="sec_1", matched_on=MatchedOn.RAW, signed_at=NOW)
    for parts in (
        (f"t={STAMP}", right),
        (f"t={STAMP}", f"v1={'0' * 64}", right, f"v0={'1' * 64}"),
        (right, f"t={STAMP}"),
        (f"t={STAMP} ", f" {right}"),
    ):
        assert verdict_of(settings, stripe(*parts)) == accepted
    for parts, reason in (
        ((f"t={STAMP}", right.replace("v1", "v0")), Reason.MALFORMED),
        ((right,), Reason.MISSING_HEADER),
        ((f"t={STAMP}", f"t={STAMP}", right), Reason.MALFORMED),
        ((f"t={int(STAMP) + 1}", right), Reason.BAD_SIGNATURE),
        ((f"t={STAMP}", f"v1={hex_of(BODY)}"), Reason.BAD_SIGNATURE),
        (("t=", f"v1={hex_of(b'.' + BODY)}"), Reason.MALFORMED),
        (("t=soon", f"v1={hex_of(b'soon.' + BODY)}"), Reason.MALFORMED),
    ):
        assert verdict_of(settings, stripe(*parts)).reason is reason, parts


def test_stripes_tolerance():
    """300 s each way; what is late keeps its proof, what is early does not."""
    settings = settings_of("stripe")
    headers = stripe(f"t={STAMP}", f"v1={hex_of(STAMP.encode() + b'.' + BODY)}")
    edge = timedelta(seconds=300)
    for now in (NOW - edge, NOW + edge):
        assert isinstance(verdict_of(settings, headers, now=now), Accepted)
    late = verdict_of(settings, headers, now=NOW + edge + timedelta(seconds=1))
    early = verdict_of(settings, headers, now=NOW - edge - timedelta(seconds=1))
    assert (late.reason, late.proof.secret_id) == (Reason.STALE, "sec_1")
    assert (early.reason, early.proof) == (Reason.FUTURE, None)


def test_shopify():
    """Base64 of the HMAC of the body, with the client secret as it is."""
    settings = settings_of("shopify")
    assert verdict_of(settings, [("X-Shopify-Hmac-SHA256", base64_of(BODY))]) == Accepted(
        secret_id="sec_1"
    )
    refused = verdict_of(settings, [("X-Shopify-Hmac-SHA256", hex_of(BODY))])
    assert refused.reason is Reason.MALFORMED


def test_docusign():
    """One header for each key of the account; any that fits is enough, whatever its number."""
    settings = settings_of("docusign")
    wrong = base64_of(BODY, b"another key of the account")
    for number in (1, 2, 7, 100):
        headers = [(f"X-DocuSign-Signature-{n}", wrong) for n in range(1, 5) if n != number]
        right = (f"X-DocuSign-Signature-{number}", base64_of(BODY))
        assert isinstance(verdict_of(settings, [*headers, right]), Accepted)
        assert verdict_of(settings, headers).reason is Reason.BAD_SIGNATURE
    for name in ("X-DocuSign-Signature", "X-DocuSign-Signature-", "X-DocuSign-Signature-1a"):
        refused = verdict_of(settings, [(name, base64_of(BODY))])
        assert refused.reason is Reason.MISSING_HEADER
    twice = [("X-DocuSign-Signature-1", base64_of(BODY))] * 2
    assert verdict_of(settings, twice).reason is Reason.MALFORMED


def test_pandadoc():
    """Hex in the URL, beside whatever else stands there."""
    settings = settings_of("pandadoc")
    for query in (f"signature={hex_of(BODY)}", f"a=1&signature={hex_of(BODY)}&b", "x=%ff&" * 3):
        verdict = verdict_of(settings, query=query)
        assert isinstance(verdict, Accepted) is ("signature" in query)
    twice = verdict_of(settings, query=f"signature={hex_of(BODY)}&signature={'0' * 64}")
    assert twice.reason is Reason.MALFORMED
    assert verdict_of(settings, [("signature", hex_of(BODY))]).reason is Reason.MISSING_HEADER


def test_base64_in_the_url():
    """Percent-escaped or as it is: a plus stays a plus, as senders mean it."""
    settings = settings_of(signature_in="query", signature_name="sig", encoding="base64")
    bodies = (b'{"n":%d}' % n for n in range(1_000))
    body = next(body for body in bodies if {"+", "/"} <= set(base64_of(body)))
    for value in (base64_of(body), quote(base64_of(body)), quote(base64_of(body), safe="")):
        assert isinstance(verdict_of(settings, query=f"sig={value}", body=body), Accepted)


@pytest.mark.parametrize("content", ["timestamp-body", "body-timestamp"])
@pytest.mark.parametrize("where", ["header", "query"])
def test_time_beside_the_signature(content, where):
    """Slack, Zoom and Box put the time in a header of its own; it is required and signed."""
    settings = settings_of(
        content=content, content_separator=":", timestamp_in=where, timestamp_name="ts"
    )
    text = (
        STAMP.encode() + b":" + BODY if content == "timestamp-body" else BODY + f":{STAMP}".encode()
    )
    headers = [("X-Signature", hex_of(text))]
    query = f"ts={STAMP}" if where == "query" else ""
    timed = [*headers, ("ts", STAMP)] if where == "header" else headers
    assert verdict_of(settings, timed, query).signed_at == NOW
    assert verdict_of(settings, headers).reason is Reason.MISSING_HEADER
    untimed = [("X-Signature", hex_of(BODY)), *timed[1:]]
    assert verdict_of(settings, untimed, query).reason is Reason.BAD_SIGNATURE


# --- recipes ---------------------------------------------------------------------------------


def test_recipes_are_whole():
    """Each of the five is described, fits the settings, and is proven by a sample."""
    assert set(RECIPES) == {"github", "stripe", "shopify", "docusign", "pandadoc"}
    sampled = {case.recipe for case in cases(PROVIDER)}
    defaults = settings_of()
    for name, recipe in RECIPES.items():
        assert name in sampled
        assert f"| `{name}` |" in manual(PROVIDER)
        assert recipe.title
        assert recipe.note.endswith(".")
        assert all(defaults[key] != value for key, value in recipe.settings.items())
        settings_of(name)


# --- nothing gets through --------------------------------------------------------------------

texts = st.text("aZ09 =,.:*-_#&%+é€", max_size=6)
odd_texts = st.sampled_from(["", "*", "=", ",", ".", "t=", "x", "ts", "header:", "header:x"])


def values_of(field):
    """Whatever a form would let an operator enter."""
    if field.kind is SettingKind.CHOICE:
        return st.sampled_from(field.choices)
    if field.kind is SettingKind.SWITCH:
        return st.booleans()
    if field.kind is SettingKind.SECONDS:
        return st.integers(field.minimum, field.maximum)
    return st.just(field.default) | odd_texts | texts


any_settings = st.fixed_dictionaries(
    {field.key: values_of(field) for field in RECEIVER.settings}
).map(lambda given: check_settings(RECEIVER.settings, given))


def signed(settings, key):
    """A request signed under these settings; None if they cannot make one."""
    secret = Secret(id="sec_x", role="key", value=key)
    try:
        made = RECEIVER.sign(
            BODY, [secret], settings, NOW, event_type="generic.x", delivery_id="dlv_1"
        )
    except InvalidInput:
        return None
    return made.as_inbound()


@given(any_settings, any_settings)
def test_no_settings_let_a_wrong_signature_pass(settings, others):
    """Unsigned, signed with another key or over another body: refused under all settings."""
    for request in (signed(settings, b"another key"), signed(others, b"another key")):
        if request:
            assert isinstance(RECEIVER.verify(request, [SECRET], settings, NOW), Refused)
    bare = InboundRequest(method="POST", path="/in/x", body=BODY)
    assert isinstance(RECEIVER.verify(bare, [SECRET], settings, NOW), Refused)
    request = signed(others, KEY)
    if request:
        changed = InboundRequest(
            method="POST",
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=BODY.replace(b"1", b"2"),
        )
        assert isinstance(RECEIVER.verify(changed, [SECRET], settings, NOW), Refused)


@given(any_settings, st.binary(max_size=40) | st.just(BODY))
def test_no_settings_break_the_reader(settings, body):
    """Whatever is entered, a body gives events or is unparsable."""
    request = InboundRequest(method="POST", path="/in/x", headers=((b"x", b"1"),), body=body)
    try:
        events = RECEIVER.parse(request, body, settings)
    except Unparsable:
        return
    for event in events:
        assert event.type.startswith("generic.")
        RECEIVER.terms(event)


def test_settings_that_fit_no_request_say_so():
    """A header without a name, or one that is not ASCII, cannot be sent."""
    for changes in ({"signature_name": ""}, {"signature_prefix": "é"}, {"type_at": "header:"}):
        assert signed(settings_of(**changes), KEY) is None


# --- reading ---------------------------------------------------------------------------------


def events_of(body, headers=(), **settings):
    """The events in a proven body."""
    lower = tuple((name.lower().encode(), value.encode()) for name, value in headers)
    request = InboundRequest(method="POST", path="/in/x", headers=lower)
    return RECEIVER.parse(request, json.dumps(body).encode(), settings_of(**settings))


def test_type_joins_its_places():
    """The places of a type are joined by points, and one that is not there is left out."""
    place = {"type_at": "header:X-Event action"}
    (opened,) = events_of({"action": "opened"}, [("X-Event", "issues")], **place)
    (push,) = events_of({"ref": "main"}, [("X-Event", "push")], **place)
    (none,) = events_of({"ref": "main"}, **place)
    assert [event.type for event in (opened, push, none)] == [
        "generic.issues.opened",
        "generic.push",
        "generic.unknown",
    ]


def test_hard_and_derived_ids():
    """An id is as hard as the sender makes it; without one the content tells a repeat."""
    body = {"type": "a", "id": 7, "try": 1}
    (hard,) = events_of(body, id_at="id", dedupe="hard")
    (derived,) = events_of(body, id_at="id")
    assert (hard.dedupe_key, hard.dedupe_kind) == (b"7", DedupeKind.HARD)
    assert (derived.dedupe_key, derived.dedupe_kind) == (b"7", DedupeKind.DERIVED)
    (again,) = events_of(body | {"try": 2}, id_at="id", dedupe="hard")
    assert again.dedupe_key == hard.dedupe_key
    (missing,) = events_of({"type": "a", "try": 1}, id_at="id", dedupe="hard")
    (other,) = events_of({"type": "a", "try": 2}, id_at="id", dedupe="hard")
    assert missing.dedupe_kind is DedupeKind.DERIVED
    assert missing.dedupe_key != other.dedupe_key


def test_the_type_in_a_header_is_part_of_the_content():
    """Two topics with one body are two events."""
    first, second = (
        events_of({"a": 1}, [("X-Topic", topic)], type_at="header:X-Topic")[0]
        for topic in ("orders/create", "orders/paid")
    )
    assert first.dedupe_key != second.dedupe_key


def test_an_id_in_a_header_does_not_merge_a_list():
    """One call with several events has one delivery id; each event keeps a key of its own."""
    items = [{"type": "a"}, {"type": "a"}, {"type": "b"}]
    place = {"id_at": "header:X-Id", "dedupe": "hard"}
    events = events_of(items, [("X-Id", "dlv")], **place)
    assert len({event.dedupe_key for event in events}) == 3
    assert {event.dedupe_kind for event in events} == {DedupeKind.HARD}
    again = events_of(items, [("X-Id", "dlv")], **place)
    assert [event.dedupe_key for event in again] == [event.dedupe_key for event in events]


def test_shopifys_topics_share_an_event_id():
    """orders/create and orders/paid of one act: two events, each known again when repeated."""

    def delivery(topic):
        headers = [("X-Shopify-Topic", topic), ("X-Shopify-Event-Id", "98880550-7158")]
        request = InboundRequest(
            method="POST",
            path="/in/x",
            headers=tuple((name.lower().encode(), value.encode()) for name, value in headers),
        )
        return RECEIVER.parse(request, b'{"id":1}', settings_of("shopify"))[0].dedupe_key

    assert delivery("orders/create") == delivery("orders/create") != delivery("orders/paid")


def test_docusigns_repeat_differs_in_its_count():
    """retryCount and the time of sending change; the event does not."""
    sample = next(one for one in cases(PROVIDER) if one.name == "docusign-envelope-completed")
    again = sample.body.replace(b'"retryCount":0', b'"retryCount":3')
    again = again.replace(b"18:03:50.4233752Z", b"18:09:12.1Z")
    request = InboundRequest(method="POST", path="/in/x")
    keys = [
        RECEIVER.parse(request, body, settings_of("docusign"))[0].dedupe_key
        for body in (sample.body, again, again.replace(b"envelope-completed", b"envelope-voided"))
    ]
    assert keys[0] == keys[1] != keys[2]


def test_entity_and_time_take_the_first_place_that_is_there():
    """Older and newer payloads of one sender may name them differently."""
    place = {"entity_at": "order.id id", "entity_kind": "order", "time_at": "paid_at created"}
    (event,) = events_of({"id": 5, "created": 1_795_348_800}, **place)
    assert (event.entity_key, event.document_ids) == ("generic:order:5", ("5",))
    assert event.occurred_at == NOW
    (event,) = events_of({"order": {"id": "A"}, "paid_at": "2026-11-22T12:00:00Z"}, **place)
    assert (event.entity_key, event.occurred_at) == ("generic:order:A", NOW)
    (event,) = events_of({"paid_at": "yesterday"}, **place)
    assert (event.entity_key, event.document_ids, event.occurred_at) == (None, (), None)


def test_lists():
    """A list is split wherever it stands; an empty, missing or endless one is unparsable."""
    assert [event.payload for event in events_of([1, {"a": 2}])] == [1, {"a": 2}]
    assert len(events_of({"x": {"items": [{}, {}]}}, events_at="x.items")) == 2
    assert events_of({"x": {"a": 1}}, events_at="x")[0].payload == {"a": 1}
    for body in ([], {"x": []}, {"y": 1}, [1] * (MAX_ELEMENTS + 1)):
        with pytest.raises(Unparsable):
            events_of(body, events_at="x" if isinstance(body, dict) else "")


def test_terms_say_where_they_are_from():
    """Names of members tell ids, addresses, names and numbers apart, as deep as they stand."""
    (event,) = events_of(
        {
            "order_id": 7,
            "customer": {"email": "Jane@Example.com", "fullName": "Jane  Doe", "note": "secret"},
            "lines": [{"skuNumber": "X1"}, {"paid": True, "idle": "no"}],
        },
        [("X-Id", "DLV")],
        id_at="header:X-Id",
    )
    found = {(term.kind.value, term.value) for term in RECEIVER.terms(event)}
    assert found == {
        ("id", "dlv"),
        ("id", "7"),
        ("email", "jane@example.com"),
        ("name", "jane doe"),
        ("number", "x1"),
    }


def test_terms_of_an_enormous_event_take_little():
    """The search for terms ends, however large or deep an event is."""
    (event,) = events_of({"rows": [[{"id": f"r{n}"}] for n in range(50_000)], "id": "top"})
    values = [term.value for term in RECEIVER.terms(event)]
    assert values[0] == "top"
    assert len(values) == 51


def test_fresh_changes_ids_and_keeps_the_layout():
    """A fresh sample stays as it was written."""
    sample = next(one for one in cases(PROVIDER) if one.recipe == "stripe")
    fresh = RECEIVER.fresh(sample.body, "abc")
    assert json.loads(fresh)["id"] == json.loads(sample.body)["id"] + "-abc"
    assert fresh.replace(b"-abc", b"") == sample.body
    for body in (b"", b"null", b"[1]", b"not json", b'{"id":5}'):
        assert RECEIVER.fresh(body, "abc") == body
