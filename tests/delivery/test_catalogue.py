"""The catalogue: topics with their schemas and examples, and who may hear them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.kit import NOW, WEBHOOK, Subscribers
from inkwire.delivery.catalogue import MAX_PAYLOAD, Catalogue, builtin_topics, check_topic_name
from inkwire.delivery.notices import Notices
from inkwire.delivery.schemas import check_schema, findings
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.ids import CountingIds
from inkwire.model.webhook import Topic
from inkwire.providers.boxc.events import TOPICS as BOXC_TOPICS
from inkwire.providers.registry import cases, registry
from inkwire.store.sending import WebhookChange

PARCEL = Topic(
    name="parcel.weighed",
    schema={"type": "object", "required": ["grams"], "properties": {"grams": {"type": "integer"}}},
    example={"grams": 12},
)
BOXC = {case.name: case for case in cases(registry().get("boxc"))}
#: Samples whose topic is one of ours.
SAMPLES = [case for name, case in BOXC.items() if name != "unknown-topic"]


def catalogue(**more):
    """A catalogue over subscribers in memory."""
    return Catalogue(Subscribers(**more), registry())


@pytest.mark.parametrize("topic", builtin_topics().values(), ids=lambda topic: topic.name)
def test_builtin_topics_are_whole(topic):
    """Each has a sentence, a valid schema, and an example that fits; the name is its file's."""
    assert topic.builtin
    assert topic.description.endswith(".")
    assert check_topic_name(topic.name) is None
    check_schema(topic.schema)
    assert findings(topic.schema, topic.example) == {}
    assert findings(topic.schema, {}) != {}
    catalogue().check_payload(topic.name, json.dumps(topic.example).encode())


def test_who_hears_builtin_topics():
    """BoxC's and webhook.* are granted to all; orders and documents to none at first."""
    for name, topic in builtin_topics().items():
        assert topic.granted_to_all is not name.startswith(("order.", "document."))
    assert builtin_topics().keys() >= BOXC_TOPICS.keys()
    news = {"webhook.failing", "webhook.recovered", "webhook.disabled", "webhook.deleted"}
    assert {name for name in builtin_topics() if name.startswith("webhook.")} == news


@pytest.mark.parametrize("case", SAMPLES, ids=lambda case: case.name)
def test_boxcs_samples_fit_their_schemas(case):
    r"""Every sample of BoxC, old and today's, passes byte for byte (`\/` escapes, nulls; R159)."""
    topic = case.event_type.removeprefix("boxc.")
    assert catalogue().check_payload(topic, case.body) == json.loads(case.body)


@pytest.mark.parametrize("name", BOXC_TOPICS)
def test_boxcs_examples_are_its_samples(name):
    """The example of a BoxC topic is the first sample of that topic, so the two do not part."""
    first = next(case for case in SAMPLES if case.event_type == f"boxc.{name}")
    assert builtin_topics()[name].example == json.loads(first.body)


@pytest.mark.parametrize(
    ("topic", "change", "pointer"),
    [
        ("fulfillments_complete", {"id": "619231"}, "payload/fulfillment/id"),
        ("fulfillments_complete", {"line_items": [{"quantity": 0}]}, None),
        ("fulfillments_update", {"tracking_number": None}, "payload/fulfillment/tracking_number"),
        ("orders_status", {"created": "2020-02-27T12:12:12Z"}, "payload/order/created"),
        ("shipments_label", {"content_type": "image/png"}, "payload/shipment/content_type"),
        ("shipments_status", {"event": None}, "payload/shipment/event"),
    ],
)
def test_other_payloads_are_refused(topic, change, pointer):
    """R153: what does not match the topic's schema is refused, the place named (R159, R162)."""
    example = json.loads(json.dumps(builtin_topics()[topic].example))
    next(iter(example.values())).update(change)
    with pytest.raises(InvalidInput) as caught:
        catalogue().check_payload(topic, json.dumps(example).encode())
    assert pointer is None or set(caught.value.fields) == {pointer}


def test_unknown_members_pass():
    """Real APIs add fields: schemas are open."""
    example = json.loads(json.dumps(builtin_topics()["shipments_status"].example))
    example["shipment"]["new"] = 1
    catalogue().check_payload("shipments_status", json.dumps({**example, "more": 1}).encode())


def test_findings_are_bounded_and_show_no_values():
    """At most ten places, each named by pointer; the payload's values stay out of the answer."""
    schema = {"additionalProperties": {"type": "integer"}}
    payload = {f"m/{n}~": f"secret-{n}" for n in range(50)}
    found = findings(schema, payload)
    assert len(found) == 10
    assert all(pointer.startswith("/m~1") and pointer.endswith("~0") for pointer in found)
    assert "secret" not in str(found.values())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b"{'a':1}",
        b"\xff",
        b'{"a":1}x',
        b'{"a":1e999}',
        b"[" * 100_000,
        b"[" * 200 + b"]" * 200,
        b'"\\ud800"',
        b'{"a":"' + b"x" * MAX_PAYLOAD + b'"}',
    ],
)
def test_bad_bodies_are_refused(body):
    """No JSON, too deep or too large: one clear error, never a crash of the process."""
    with pytest.raises(InvalidInput) as caught:
        catalogue(topics=[PARCEL]).check_payload("parcel.weighed", body)
    assert set(caught.value.fields) == {"payload"}


def test_the_largest_body_passes():
    """The limit of 1 MiB is inclusive."""
    start, end = b'{"grams":1,"x":"', b'"}'
    body = start + b"x" * (MAX_PAYLOAD - len(start) - len(end)) + end
    assert catalogue(topics=[PARCEL]).check_payload("parcel.weighed", body)["grams"] == 1


@given(st.binary(max_size=40) | st.text().map(lambda text: json.dumps({"grams": text}).encode()))
def test_any_body_gives_a_value_or_a_clear_error(body):
    """Nothing but InvalidInput escapes."""
    try:
        catalogue(topics=[PARCEL]).check_payload("parcel.weighed", body)
    except InvalidInput as error:
        assert all(path.startswith("payload") for path in error.fields)


def test_news_about_webhooks_fit_their_topics():
    """What we send as webhook.* is what the catalogue promises."""
    for kind in ("failing", "recovered", "disabled", "deleted"):
        change = WebhookChange(kind=kind, webhook=WEBHOOK, reason="Because.", failures=3, at=NOW)
        made = Notices(CountingIds())(change)
        catalogue().check_payload(made.message.topic, made.body)


def test_an_unknown_topic_names_similar_ones():
    """A typing error is answered with what may have been meant."""
    with pytest.raises(InvalidInput) as caught:
        catalogue().get("shipment_status")
    assert "shipments_status" in caught.value.fields["topic"]
    for odd in ("", "zzzzzzzzzzzz", "x" * 100_000, "\x00", "box."):
        with pytest.raises(InvalidInput):
            catalogue().get(odd)


def test_similar_names_are_told_only_to_those_who_may_hear():
    """An application does not learn the names of topics that it has no grant of."""
    held = catalogue(topics=[PARCEL], grants={"app_1": {"parcel.weighed"}, "app_2": ()})
    assert "parcel.weighed" in held.problem("app_1", "parcel.weighd")
    assert "parcel.weighed" not in held.problem("app_2", "parcel.weighd")


def test_grants_decide_who_may_hear():
    """A topic needs a grant unless it is granted to all; an unknown application is NotFound."""
    held = catalogue(
        topics=[PARCEL, Topic(name="open", granted_to_all=True)],
        grants={"app_1": {"parcel.weighed", "box.FILE.UPLOADED"}, "app_2": ()},
    )
    for topic in ("parcel.weighed", "box.FILE.UPLOADED"):
        assert held.may_hear("app_1", topic)
        assert not held.may_hear("app_2", topic)
        assert "granted" in held.problem("app_2", topic)
        assert held.hearing(topic) == ["app_1"]
    for topic in ("open", "shipments_status", "webhook.deleted"):
        assert held.may_hear("app_2", topic)
    assert not held.may_hear("app_1", "order.signed")
    with pytest.raises(NotFound):
        held.may_hear("app_3", "open")


def test_all_applications_are_found_page_by_page():
    """A topic for all reaches every application, however many pages there are."""
    names = {f"app_{n}" for n in range(7)}
    held = catalogue(grants=dict.fromkeys(names, ()))
    found = held.hearing("shipments_status")
    assert sorted(found) == sorted(names)
    with pytest.raises(InvalidInput):
        held.hearing("nothing")


def test_the_list_shows_an_application_only_its_own():
    """An operator sees all, sorted; an application what it may hear, unlisted inbound types too."""
    held = catalogue(topics=[PARCEL], grants={"app_1": {"box.BRAND.NEW"}, "app_2": ()})
    names = [topic.name for topic in held.all()]
    assert names == sorted(names)
    assert {"parcel.weighed", "order.signed", "box.FILE.UPLOADED", "box.BRAND.NEW"} <= set(names)
    mine = {topic.name for topic in held.all(application_id="app_1")}
    assert "box.BRAND.NEW" in mine
    assert mine.isdisjoint({"parcel.weighed", "order.signed", "box.FILE.UPLOADED"})
    everyones = {name for name, topic in builtin_topics().items() if topic.granted_to_all}
    assert {topic.name for topic in held.all(application_id="app_2")} == everyones


def test_inbound_types_are_topics():
    """A forwarded event's topic is its type: open schema, the provider's sentence, its sample."""
    held = catalogue()
    known = held.get("box.FILE.UPLOADED")
    sentence = registry().receiver("box").event_types["box.FILE.UPLOADED"]
    assert (known.schema, known.description) == (None, sentence)
    assert known.example["trigger"] == "FILE.UPLOADED"
    assert not known.granted_to_all
    assert held.get("boxc.brand_new").description == "An event of BoxC, as it was received."
    assert held.check_payload("bolosign.new_template_response", b"[1]") == [1]
    for name in ("nobody.x", "boxc.", "box.a\nb", "box." + "x" * 300):
        with pytest.raises(InvalidInput):
            held.get(name)


def test_topics_of_bolosign_have_a_sample():
    """The test button of a BoloSign webhook sends an element such as its own (seed 003)."""
    for name in registry().receiver("bolosign").event_types:
        assert isinstance(catalogue().get(name).example, dict)


@pytest.mark.parametrize(
    ("topic", "paths"),
    [
        (Topic(name="Order"), {"name"}),
        (Topic(name=""), {"name"}),
        (Topic(name="a b"), {"name"}),
        (Topic(name="a."), {"name"}),
        (Topic(name="x" * 101), {"name"}),
        (Topic(name="webhook.mine"), {"name"}),
        (Topic(name="box.FILE.MINE"), {"name"}),
        (Topic(name="t", description="x" * 501), {"description"}),
        (Topic(name="t", description="\x00"), {"description"}),
        (Topic(name="t", schema={"type": "nope"}), {"schema"}),
        (Topic(name="t", schema={"type": "object"}, example=[1]), {"example"}),
        (Topic(name="t", example="x" * (MAX_PAYLOAD + 1)), {"example"}),
        (Topic(name="t", example=object()), {"example"}),
        (
            Topic(name="A", description="\x00", schema={"$ref": "#/x"}),
            {"name", "description", "schema"},
        ),
    ],
)
def test_operators_topics_are_checked(topic, paths):
    """Every wrong field is named at once; a provider's and our own prefixes are reserved."""
    with pytest.raises(InvalidInput) as caught:
        catalogue().check(topic)
    assert set(caught.value.fields) == paths


def test_builtin_topics_stay():
    """An operator cannot put a topic in the place of ours, and one in the store does not win."""
    with pytest.raises(Conflict):
        catalogue().check(Topic(name="shipments_status"))
    assert catalogue().is_builtin("order.signed")
    shadow = catalogue(topics=[Topic(name="order.signed", granted_to_all=True)], grants={"a": ()})
    assert not shadow.may_hear("a", "order.signed")
    assert [t.builtin for t in shadow.all() if t.name == "order.signed"] == [True]
    catalogue().check(PARCEL)
