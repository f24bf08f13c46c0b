"""BoxC: the details that the contract suite cannot know."""

import json

import pytest

from contract.provider_kit import NOW, samples_of
from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, TermKind
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, Reason, Refused
from inkwire.providers.boxc import PROVIDER
from inkwire.sources.checks import generate_secret, secret_problem

BOXC = PROVIDER.receive
KEYS = [Secret(id="sec_1", role="key", value=b"9FkaaYZILF9pWHqJzXDD")]
ROOTS = {
    "fulfillments_complete": "fulfillment",
    "fulfillments_update": "fulfillment",
    "orders_status": "order",
    "shipments_label": "shipment",
    "shipments_status": "shipment",
    "manifests_complete": "manifest",
}


def signed(body, topic):
    """Our own delivery of `body` on `topic`."""
    return BOXC.sign(
        body, KEYS, {}, NOW, event_type=f"boxc.{topic}", delivery_id="dlv_1"
    ).as_inbound()


def verdict_on(body, topic):
    """What we say of a rightly signed body on a topic."""
    return BOXC.verify(signed(body, topic), KEYS, {}, NOW)


def parsed(payload, topic):
    """The event of a payload given as a value."""
    body = json.dumps(payload).encode()
    (event,) = BOXC.parse(signed(body, topic), body, {})
    return event


def test_all_six_topics_are_known():
    """The five topics of seed 004 (R142) and manifests_complete (C22) have a sentence."""
    assert set(BOXC.event_types) == {f"boxc.{topic}" for topic in ROOTS}


@pytest.mark.parametrize("topic", ROOTS)
@pytest.mark.parametrize("root", sorted(set(ROOTS.values())))
def test_topic_must_fit_the_signed_body(topic, root):
    """A signed body replayed under a topic of another kind is refused (R138)."""
    verdict = verdict_on(json.dumps({root: {"id": 1}}).encode(), topic)
    if ROOTS[topic] == root:
        assert isinstance(verdict, Accepted)
    else:
        assert isinstance(verdict, Refused)
        assert verdict.reason is Reason.MISMATCH
        assert topic in verdict.detail


def test_unknown_topic_passes_with_any_body():
    """A topic that comes tomorrow is accepted, kept and passed on under its name."""
    body = b'{"return":{"id":7}}'
    assert isinstance(verdict_on(body, "returns_status"), Accepted)
    event = parsed({"return": {"id": 7}}, "returns_status")
    assert (event.type, event.entity_key) == ("boxc.returns_status", "boxc:return:7")
    assert parsed({"a": 1, "b": 2}, "odd").entity_key is None


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"shipment":'])
def test_signed_but_unreadable_is_accepted_and_unparsable(body):
    """A body that BoxC signed and nobody can read is kept, not refused."""
    assert isinstance(verdict_on(body, "shipments_status"), Accepted)
    with pytest.raises(Unparsable):
        BOXC.parse(signed(body, "shipments_status"), body, {})


def test_key_is_derived_from_topic_and_body():
    """No id exists: the same body on another topic is another event, on the same it is a repeat."""
    payload = {"shipment": {"id": 1}}
    label, status = parsed(payload, "shipments_label"), parsed(payload, "shipments_status")
    assert label.dedupe_kind is status.dedupe_kind is DedupeKind.DERIVED
    assert label.dedupe_key != status.dedupe_key
    assert label.dedupe_key == parsed(payload, "shipments_label").dedupe_key
    assert label.dedupe_key != parsed({"shipment": {"id": 2}}, "shipments_label").dedupe_key


def test_time_of_a_scan_is_not_taken_for_utc():
    """A scan's time is local to its place, so the event does not claim to know the moment."""
    scan = {"shipment": {"id": 1, "event": {"time": "2019-10-10 12:12:12"}}}
    assert parsed(scan, "shipments_status").occurred_at is None
    order = {"order": {"id": 1, "created": "2020-02-27 12:12:12"}}
    assert parsed(order, "orders_status").occurred_at is None


@pytest.mark.parametrize("created", [None, "", "2026-08-18", "2026-08-18T09:30:00Z", 1, []])
def test_manifest_with_an_odd_time_has_none(created):
    """Only BoxC's own form of a time is read; anything else is no time, and no error."""
    assert parsed({"manifest": {"created": created}}, "manifests_complete").occurred_at is None


def test_account_and_numbers_are_search_terms():
    """An event is found by account, tracking number, and the shop's order number."""
    sample = next(one for one in samples_of(PROVIDER) if one.case.name == "fulfillments-update")
    (event,) = BOXC.parse(sample.sign().as_inbound(), sample.case.body, {})
    found = {(term.kind, term.value) for term in BOXC.terms(event)}
    assert {
        (TermKind.ID, "9512"),
        (TermKind.NUMBER, "9261290185965500000103"),
        (TermKind.NUMBER, "#1002"),
        (TermKind.ENTITY, "boxc:shipment:1521231"),
    } <= found


def test_test_shipment_is_marked():
    """A shipment made with `test: true` is a test event, and nothing else counts as yes."""
    assert parsed({"shipment": {"id": 1, "test": True}}, "shipments_status").test
    assert not parsed({"shipment": {"id": 1, "test": "true"}}, "shipments_status").test


@pytest.mark.parametrize(("length", "fits"), [(15, False), (16, True), (40, True), (41, False)])
def test_length_of_the_key(length, fits):
    """A key has 16 to 40 characters (R139, C22)."""
    (field,) = BOXC.secrets
    assert (secret_problem(field, "k" * length) is None) is fits
    assert field.generate
    assert secret_problem(field, generate_secret(field)) is None


def test_fresh_leaves_the_rest_of_the_body():
    """Making a sample new touches one text: escapes and numbers stay as BoxC wrote them."""
    body = rb'{"fulfillment":{"id":1,"u":"https:\/\/x","w":0.40,"tracking_number":null}}'
    fresh = BOXC.fresh(body, "token")
    assert fresh == body.replace(b"null", b'"token"')
    assert BOXC.fresh(b'{"order":{"shop":{"order_id":"1"}}}', "t") == (
        b'{"order":{"shop":{"order_id":"t"}}}'
    )


def test_retry_plan_is_the_seeds():
    """Eleven repeats over 34.1 hours, five seconds to answer (R145, R147)."""
    assert len(BOXC.retries.delays_s) == 11
    assert sum(BOXC.retries.delays_s) == 122_820
    assert BOXC.retries.timeout_s == 5
