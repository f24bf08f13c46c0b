"""`/v1` of sending: applications, their keys, topics, webhooks, messages, deliveries."""

import json

import pytest

from fakes.subscriber import ADDRESS, KEY, LABEL, TOPIC, answer_all, subscriber, waiting
from inkwire.access.gate import CLI
from inkwire.model.access import APPLICATION_SCOPES, Scope

SECRET = "s3cret"


@pytest.fixture
def acme(rooms):
    """An application."""
    return subscriber(rooms)


def fields(answer):
    """The fields that a 422 names."""
    assert answer.status == 422, answer.body
    return [error["field"] for error in answer.json().get("errors", [])]


# --- applications, keys, grants, links


def test_an_application_is_made_changed_and_removed(admin):
    """Its life; what it had is gone with it."""
    answer = admin.post("/v1/applications", {"name": "Acme"})
    assert answer.status == 201
    where = answer.headers["location"]
    assert admin.get(where).json() == answer.json()
    origins = ["https://app.example.com"]
    assert admin.call("PATCH", where, {"frame_ancestors": origins}).json()["name"] == "Acme"
    assert admin.get("/v1/applications").json()["items"][0]["frame_ancestors"] == origins
    assert fields(admin.call("PATCH", where, {"frame_ancestors": ["*"]})) == ["frame_ancestors"]
    key = admin.post(f"{where}/keys", {"name": "k", "scopes": ["webhooks:read"]}).json()["key"]
    own = type(admin)(admin.app, key)
    assert own.get("/webhooks").status == 200
    assert admin.call("DELETE", where).status == 204
    assert admin.get(where).status == 404
    assert own.get("/v1/topics").status == 401


def test_a_key_of_an_application_holds_what_applications_may(admin, acme):
    """No operator's scope; told once; revoked under its own application."""
    base = f"/v1/applications/{acme.id}/keys"
    wrong = {"name": "k", "scopes": ["webhooks:read", "sources:read"]}
    assert fields(admin.post(base, wrong)) == ["scopes"]
    given = {"name": "k", "scopes": ["messages:read"]}
    answer = admin.post(base, given)
    assert answer.status == 201
    key, key_id = answer.json()["key"], answer.json()["api_key"]["id"]
    own = type(admin)(admin.app, key)
    assert own.get("/v1/messages").status == 200
    for target in ("/v1/sources", "/v1/events", "/v1/users", "/v1/audit", "/v1/api-keys"):
        assert own.get(target).status == 403
    listed = admin.get(base)
    assert [item["id"] for item in listed.json()["items"]] == [key_id]
    assert key.encode() not in listed.body
    assert admin.call("DELETE", f"{base}/{key_id}").status == 204
    assert own.get("/v1/messages").status == 401
    assert admin.post("/v1/applications/app_none/keys", given).status == 404


def test_a_key_gives_only_what_it_holds(client, acme):
    """Who may keep applications still gives no scope that they lack themselves."""
    keeper = client(Scope.APPLICATIONS, Scope.WEBHOOKS_READ)
    base = f"/v1/applications/{acme.id}/keys"
    assert keeper.post(base, {"name": "k", "scopes": ["webhooks:read"]}).status == 201
    assert keeper.post(base, {"name": "k", "scopes": ["messages:body"]}).status == 403


def test_grants_decide_what_may_be_subscribed_to(admin, acme):
    """Replaced as a whole; an unknown topic is named; one in use stays."""
    base = f"/v1/applications/{acme.id}"
    assert admin.call("PUT", "/v1/topics/shop.shipped", {"description": "It left."}).status == 200
    given = {"topic": "shop.shipped", "address": ADDRESS}
    assert fields(admin.post(f"{base}/webhooks", given)) == ["topic"]
    answer = admin.call("PUT", f"{base}/grants", {"topics": ["shop.shipped"]})
    assert answer.json() == {"topics": ["shop.shipped"]}
    assert admin.get(f"{base}/grants").json() == answer.json()
    assert admin.post(f"{base}/webhooks", given).status == 201
    assert fields(admin.call("PUT", f"{base}/grants", {"topics": ["no.such"]})) == ["topic"]
    assert admin.call("DELETE", "/v1/topics/shop.shipped").status == 409


def test_a_link_into_the_portal_opens_once(admin, acme, rooms):
    """The token stands in the fragment only, and is worth one session."""
    answer = admin.post(f"/v1/applications/{acme.id}/portal-link")
    assert answer.status == 201
    before, _, token = answer.json()["url"].partition("#")
    assert before == "https://hooks.example.com/portal/"
    assert answer.json()["expires_at"] == "2026-11-03T09:40:00Z"
    cookie, _, _ = rooms.portal.enter(token)
    assert rooms.portal.session(cookie).caller.application_id == acme.id
    assert token.encode() not in admin.get("/v1/audit").body


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        (APPLICATION_SCOPES, 201),
        (APPLICATION_SCOPES - {Scope.WEBHOOKS_WRITE}, 403),
        (APPLICATION_SCOPES - {Scope.MESSAGES_BODY}, 403),
    ],
)
def test_an_own_key_makes_a_link(admin, acme, scopes, status):
    """If it can do itself what a session can: a link widens nothing."""
    own = type(admin)(admin.app, acme.key(scopes))
    assert own.post(f"/v1/applications/{acme.id}/portal-link").status == status


# --- topics


def test_topics_are_listed_with_schema_and_example(admin):
    """Built-in ones stay; one's own is made, replaced and removed."""
    assert TOPIC in [topic["name"] for topic in admin.get("/v1/topics").json()["items"]]
    shown = admin.get(f"/v1/topics/{TOPIC}").json()
    assert shown["builtin"] is True
    assert shown["schema"]["type"] == "object"
    assert shown["example"]["shipment"]
    assert admin.call("PUT", f"/v1/topics/{TOPIC}", {}).status == 409
    assert admin.call("DELETE", f"/v1/topics/{TOPIC}").status == 409
    mine = {"description": "x", "schema": {"type": "object"}, "example": {"a": 1}}
    made = admin.call("PUT", "/v1/topics/shop.mine", mine)
    assert made.status == 200
    assert admin.get("/v1/topics/shop.mine").json() == made.json()
    assert fields(admin.call("PUT", "/v1/topics/shop.mine", {"schema": {"type": "nonsense"}}))
    assert admin.call("DELETE", "/v1/topics/shop.mine").status == 204
    assert admin.get("/v1/topics/shop.mine").status == 404


# --- webhooks


def test_every_field_of_a_webhook_is_kept_and_no_secret_shown(admin, acme):
    """Key and headers go in and never come out."""
    base = f"/v1/applications/{acme.id}/webhooks"
    shown_alike = {
        "topic": TOPIC,
        "address": ADDRESS,
        "profile": "standard",
        "description": "Labels",
        "document_ids": ["a", "b"],
        "filters": [{"path": "shipment.id", "op": "in", "value": [1, 2]}],
        "rate_per_minute": 60,
        "max_in_flight": 3,
    }
    answer = admin.post(base, shown_alike | {"headers": {"Authorization": f"Bearer {SECRET}"}})
    assert answer.status == 201, answer.body
    key, shown = answer.json()["generated_key"], answer.json()["webhook"]
    assert key.startswith("whsec_")
    assert {name: shown[name] for name in shown_alike} == shown_alike
    assert shown["header_names"] == ["Authorization"]
    where = answer.headers["location"]
    change = {"filters": [], "rate_per_minute": 0, "headers": {"X-Their": SECRET}}
    changed = admin.call("PATCH", where, change)
    assert (changed.json()["filters"], changed.json()["rate_per_minute"]) == ([], None)
    assert changed.json()["header_names"] == ["X-Their"]
    rotated = admin.post(f"{where}/rotate", {"overlap_s": 60}).json()
    assert rotated["generated_key"] != key
    assert len(rotated["webhook"]["keys"]) == 2
    for later in (changed, admin.get(where), admin.get(base), admin.get("/v1/audit")):
        assert b"whsec_" not in later.body
        assert SECRET.encode() not in later.body


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"profile": "boxc"}, "key"),
        ({"profile": "boxc", "key": "short-one"}, "key"),
        ({"key": "whsec_short-one"}, "key"),
        ({"address": "https://localhost/x"}, "address"),
        ({"headers": {"webhook-id": "x"}}, "headers.webhook-id"),
        ({"filters": [{"path": "", "op": "equals"}]}, "filters.0.path"),
        ({"max_in_flight": 0}, "max_in_flight"),
        ({"state": "deleted"}, "state"),
    ],
)
def test_a_wrong_webhook_names_the_field(admin, acme, changed, named):
    """422; what was sent as a secret is not repeated."""
    given = {"topic": TOPIC, "address": ADDRESS} | changed
    answer = admin.post(f"/v1/applications/{acme.id}/webhooks", given)
    assert named in fields(answer)
    assert b"short-one" not in answer.body


def test_a_webhook_is_paused_disabled_activated_and_deleted(admin, acme):
    """Each state; a disabled one cannot be paused."""
    base = f"/v1/applications/{acme.id}/webhooks/{acme.webhook().id}"
    for act, state in (("pause", "paused"), ("activate", "active"), ("disable", "disabled")):
        assert admin.post(f"{base}/{act}").json()["state"] == state
    assert admin.post(f"{base}/pause").status == 409
    assert admin.get(f"{base}/health").json()["failures"] == 0
    assert admin.call("DELETE", base).status == 204
    listed = f"/v1/applications/{acme.id}/webhooks"
    assert admin.get(listed).json()["items"] == []
    assert len(admin.get(f"{listed}?state=deleted").json()["items"]) == 1


def test_webhooks_come_in_pages(admin, acme):
    """By number, the newest first; `next` goes on."""
    ids = [acme.webhook(f"{ADDRESS}/{number}").id for number in range(5)]
    base = f"/v1/applications/{acme.id}/webhooks?limit=2"
    page = admin.get(base).json()
    seen = [item["id"] for item in page["items"]]
    while page["next"]:
        page = admin.get(f"{base}&after={page['next']}").json()
        seen += [item["id"] for item in page["items"]]
    assert seen == ids[::-1]


def test_the_test_button_sends_an_example_or_a_payload(admin, acme, rooms):
    """202 with both ids; what does not fit the schema is refused."""
    base = f"/v1/applications/{acme.id}/webhooks/{acme.webhook().id}/test"
    answer = admin.post(base, {})
    assert answer.status == 202
    detail = admin.get(f"/v1/deliveries/{answer.json()['delivery_id']}").json()
    assert detail["message"]["id"] == answer.json()["message_id"]
    given = json.loads(LABEL)
    assert admin.post(base, {"payload": given}).status == 202
    assert fields(admin.post(base, {"payload": {"order": {}}}))
    bodies = [json.loads(claim.body) for claim in waiting(rooms)]
    assert given in bodies
    assert len(bodies) == 2


# --- messages


def test_a_payload_is_published_byte_for_byte(admin, acme, rooms):
    """Not parsed and written anew: escapes, blanks and digits stay as they came (R165)."""
    payload = LABEL.replace(b'"id":1521231', b'"id" : 1521231, "x": 1.10e0')
    acme.webhook()
    body = b'{"topic": "%s", "payload":%s , "account": "9512"}' % (TOPIC.encode(), payload)
    answer = admin.call("POST", "/v1/messages", chunks=[body])
    assert answer.status == 202, answer.body
    assert answer.json()["new"] is True
    (message_id,) = answer.json()["ids"]
    read = admin.get(f"/v1/messages/{message_id}/payload")
    assert read.body == payload
    assert read.headers["x-content-type-options"] == "nosniff"
    (claim,) = waiting(rooms)
    assert claim.body == payload
    assert admin.get(f"/v1/messages/{message_id}").json()["account"] == "9512"


def test_an_idempotency_key_publishes_once(admin, acme):
    """By header or by field; another request under it is refused, and two keys are."""
    given = {"topic": TOPIC, "payload": json.loads(LABEL), "application": acme.id}
    header = {"idempotency-key": "k-1"}
    first = admin.post("/v1/messages", given, headers=header).json()
    again = admin.post("/v1/messages", given | {"idempotency_key": "k-1"}).json()
    assert (first["new"], again["new"], again["ids"]) == (True, False, first["ids"])
    other = admin.post("/v1/messages", given | {"account": "1"}, headers=header)
    assert other.status == 409
    assert other.json()["type"] == "urn:inkwire:error:idempotency_key_reused"
    both = admin.post("/v1/messages", given | {"idempotency_key": "k-2"}, headers=header)
    assert fields(both) == ["idempotency_key"]
    assert len(admin.get("/v1/messages").json()["items"]) == 1


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b"{", "body"),
        (b"[" * 100_000, "body"),
        (b'{"topic":"shipments_label"}', "payload"),
        (b'{"payload":{}}', "topic"),
        (b'{"topic":"shipments_label","payload":{}}', "payload"),
        (b'{"topic":"nothing","payload":{}}', "topic"),
        (b'{"topic":"shipments_label","payload":{},"odd":1}', "odd"),
        (b'{"topic":7,"payload":{}}', "topic"),
        (b'{"topic":"\\ud800","payload":{}}', "body"),
        (b'{"topic":"a\\u0000","payload":{}}', "topic"),
    ],
)
def test_a_wrong_message_names_the_field(admin, body, named):
    """422; nothing is kept."""
    found = fields(admin.call("POST", "/v1/messages", chunks=[body]))
    assert {field.split("/")[0] for field in found} == {named}
    assert admin.get("/v1/messages").json()["items"] == []


def test_a_key_of_an_application_publishes_nothing(admin, acme):
    """403: what it hears is not its own to say."""
    own = type(admin)(admin.app, acme.key())
    answer = own.post("/v1/messages", {"topic": TOPIC, "payload": json.loads(LABEL)})
    assert answer.status == 403
    assert "operator" in answer.json()["detail"]


def test_payloads_and_answers_need_a_scope_of_their_own(client, acme, rooms):
    """`messages:read` shows the log, `messages:body` what was in it."""
    acme.webhook()
    rooms.publisher.publish(CLI, topic=TOPIC, payload=LABEL, application_id=acme.id)
    (attempt_id,) = answer_all(rooms)
    reader, bodies = client(Scope.MESSAGES_READ), client(Scope.MESSAGES_BODY)
    (message,) = reader.get("/v1/messages").json()["items"]
    assert reader.get(f"/v1/messages/{message['id']}/payload").status == 403
    assert bodies.get(f"/v1/messages/{message['id']}/payload").body == LABEL
    assert reader.get(f"/v1/attempts/{attempt_id}").status == 403
    assert bodies.get(f"/v1/attempts/{attempt_id}").status == 200


# --- deliveries and attempts


def test_an_attempt_is_shown_without_credentials(admin, acme, rooms):
    """A webhook's own headers and the endpoint's cookies are redacted; ours are shown (R170)."""
    acme.webhook(headers={"X-Their-Word": SECRET})
    rooms.publisher.publish(CLI, topic=TOPIC, payload=LABEL, application_id=acme.id)
    (attempt_id,) = answer_all(rooms, 500, headers=(("X-Their-Word", SECRET),))
    answer = admin.get(f"/v1/attempts/{attempt_id}")
    assert SECRET.encode() not in answer.body
    shown = answer.json()
    assert {"name": "X-BoxC-Topic", "value": TOPIC} in shown["request_headers"]
    assert {"name": "X-Their-Word", "value": "«redacted»"} in shown["request_headers"]
    assert {"name": "Server", "value": "test"} in shown["response_headers"]
    assert {"name": "Set-Cookie", "value": "«redacted»"} in shown["response_headers"]
    assert (shown["response_body"], shown["attempt"]["status"]) == ("thanks", 500)


def test_deliveries_are_found_by_what_became_of_them(admin, acme, rooms):
    """Each filter alone; a delivery with its attempts; and sent again."""
    webhook = acme.webhook()
    for status in (200, 503):
        rooms.publisher.publish(CLI, topic=TOPIC, payload=LABEL, application_id=acme.id)
        answer_all(rooms, status)
        rooms.clock.advance(seconds=30)
    failed, delivered = admin.get("/v1/deliveries").json()["items"]
    for query, expected in (
        ("state=delivered", [delivered]),
        ("state=waiting", [failed]),
        ("result=status", [failed]),
        ("since=2026-11-03T09:30:30Z", [failed]),
        ("until=2026-11-03T09:30:30Z", [delivered]),
        (f"message={failed['message_id']}", [failed]),
        (f"webhook={webhook.id}&limit=1", [failed]),
        ("webhook=1", []),
        (f"before={failed['id']}", [delivered]),
    ):
        assert admin.get(f"/v1/deliveries?{query}").json()["items"] == expected, query
    detail = admin.get(f"/v1/deliveries/{failed['id']}").json()
    assert [attempt["status"] for attempt in detail["attempts"]] == [503]
    sooner = admin.post(f"/v1/deliveries/{failed['id']}/resend")
    assert (sooner.status, sooner.json()["id"]) == (202, failed["id"])
    again = admin.post(f"/v1/deliveries/{delivered['id']}/resend").json()
    assert again["id"] != delivered["id"]
    assert again["message_id"] == delivered["message_id"]
    assert {claim.delivery.id for claim in waiting(rooms)} == {failed["id"], again["id"]}


def test_messages_are_found_by_topic_origin_and_time(admin, acme, rooms):
    """The filters of the log, and its pages."""
    webhook = acme.webhook()
    rooms.publisher.publish(CLI, topic=TOPIC, payload=LABEL, application_id=acme.id)
    rooms.clock.advance(seconds=60)
    rooms.publisher.queue(CLI, webhook, LABEL)
    queued, published = admin.get("/v1/messages").json()["items"]
    for query, expected in (
        ("origin=queued", [queued]),
        (f"topic={TOPIC}", [queued, published]),
        ("topic=orders_status", []),
        (f"application={acme.id}&limit=1", [queued]),
        ("since=2026-11-03T09:31:00Z", [queued]),
        (f"before={queued['id']}", [published]),
    ):
        assert admin.get(f"/v1/messages?{query}").json()["items"] == expected, query
    assert KEY.encode() not in admin.get("/v1/messages").body
