"""BoxC's webhook API: its shapes, statuses, codes and pages."""

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.subscriber import ADDRESS, KEY, LABEL, TOPIC, subscriber, waiting
from inkwire.access.gate import CLI
from inkwire.model.access import APPLICATION_SCOPES, Scope
from inkwire.model.webhook import ProfileName

PREFIXES = ("/webhooks", "/v1/webhooks")
NEW = {"address": ADDRESS, "key": KEY, "topic": TOPIC}


@pytest.fixture
def acme(rooms):
    """An application."""
    return subscriber(rooms)


@pytest.fixture
def own(client, acme):
    """A client with the application's own key."""
    made = client()
    made.key = acme.key()
    return made


def refused(answer, status, code):
    """The sentences of an error, which must have BoxC's shape."""
    told = answer.json()
    assert list(told) == ["status", "code", "message", "errors"]
    assert (answer.status, told["status"], told["code"]) == (status, "error", code), told
    assert answer.headers["content-type"] == "application/json"
    assert told["errors"]
    return told["errors"]


def made(own, **changed):
    """A new webhook's number."""
    answer = own.post("/webhooks", {"webhook": NEW | changed})
    assert answer.status == 201, answer.body
    return answer.json()["webhook"]["id"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_life_of_a_webhook(own, rooms, prefix):
    """Each shape as BoxC's page shows it: wrapped, dates without a zone, never the key."""
    answer = own.post(prefix, {"webhook": NEW})
    assert answer.status == 201
    shown = answer.json()["webhook"]
    assert shown == {
        "id": 100001,
        "active": True,
        "address": ADDRESS,
        "created": "2026-11-03 09:30:00",
        "topic": TOPIC,
        "updated": "2026-11-03 09:30:00",
    }
    rooms.clock.advance(seconds=61)
    changed = own.call("PUT", f"{prefix}/100001", {"webhook": {"address": f"{ADDRESS}/2"}})
    assert changed.status == 200
    moved = {"address": f"{ADDRESS}/2", "updated": "2026-11-03 09:31:01"}
    assert changed.json()["webhook"] == shown | moved
    assert own.get(f"{prefix}/100001").json() == changed.json()
    listed = own.get(prefix)
    assert listed.json() == {"webhooks": [shown | moved], "next_page": None}
    gone = own.call("DELETE", f"{prefix}/100001")
    assert (gone.status, gone.body) == (200, b"")
    assert refused(own.get(f"{prefix}/100001"), 404, 1400) == ["Webhook not found"]
    assert refused(own.call("DELETE", f"{prefix}/100001"), 404, 1400)
    assert own.get(prefix).json()["webhooks"] == []
    for answer in (changed, listed, gone):
        assert KEY.encode() not in answer.body


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ftp://www.example.com/path", ["must begin with http"]),
        ("https://www.example.com", ["must include a path"]),
        ("https://93.184.216.34/", ["must include a path"]),
        ("https://localhost/path", ["can't include localhost"]),
        ("https:///path", ["must include a valid hostname"]),
        ("https://www.example.com/" + "x" * 128, ["must be at most 128 characters"]),
        ("nonsense", ["http://", "valid hostname"]),
        ("ftp://localhost", ["must begin with http", "must include a path", "localhost"]),
        ("https://inside.example.com/path", ["resolves to a private address"]),
        ("https://127.0.0.1/path", ["loopback"]),
        ("http://169.254.169.254/latest", ["metadata"]),
    ],
)
def test_every_broken_rule_of_an_address_is_an_error_of_its_own(own, rooms, address, said):
    """`errors` has one entry for each rule (R133, R134); the guard's refusal is one, too."""
    webhook_id = made(own)
    before = own.get(f"/webhooks/{webhook_id}").json()
    for method, target in (("POST", "/webhooks"), ("PUT", f"/webhooks/{webhook_id}")):
        given = NEW | {"address": address}
        if method == "PUT":
            del given["key"]
        errors = refused(own.call(method, target, {"webhook": given}), 400, 1000)
        assert all(error.startswith("/webhook/address: ") for error in errors)
        for text in said:
            assert sum(text in error for error in errors) >= 1, errors
        assert len(errors) >= len(said)
    assert own.get(f"/webhooks/{webhook_id}").json() == before


@pytest.mark.parametrize(
    ("changed", "paths"),
    [
        ({"key": "x" * 15}, ["key"]),
        ({"key": "x" * 33}, ["key"]),
        ({"key": 17}, ["key"]),
        ({"key": None}, ["key"]),
        ({"topic": "nothing_known"}, ["topic"]),
        ({"topic": "box.FILE.UPLOADED"}, ["topic"]),
        ({"topic": "\x00"}, ["topic"]),
        ({"topic": ["a"]}, ["topic"]),
        ({"adress": "https://x.example/y"}, ["adress"]),
        ({"address": "x", "key": "x", "topic": "x"}, ["address", "key", "topic"]),
    ],
)
def test_a_wrong_member_is_named(own, acme, rooms, changed, paths):
    """1000, the member's path, and never the key's text; nothing is made."""
    answer = own.post("/webhooks", {"webhook": NEW | changed})
    errors = refused(answer, 400, 1000)
    assert sorted({error.split(":")[0] for error in errors}) == [f"/webhook/{p}" for p in paths]
    assert b"xxxxx" not in answer.body
    assert own.get("/webhooks").json()["webhooks"] == []


@pytest.mark.parametrize("missing", ["address", "key", "topic"])
def test_all_three_members_are_required(own, missing):
    """1000 that names what is not there."""
    given = {name: value for name, value in NEW.items() if name != missing}
    errors = refused(own.post("/webhooks", {"webhook": given}), 400, 1000)
    assert errors == [f"/webhook/{missing}: is required"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"webhook"',
        b"{}",
        b'{"webhook":[]}',
        b'{"webhook":null}',
        b'{"webhook":{"address":"\\ud800"}}',
        b'{"webhook":\xff}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_webhook_is_refused(own, body):
    """1000, whatever is sent; for PUT as for POST."""
    webhook_id = made(own)
    refused(own.call("POST", "/webhooks", chunks=[body]), 400, 1000)
    refused(own.call("PUT", f"/webhooks/{webhook_id}", chunks=[body]), 400, 1000)


def test_what_an_answer_holds_may_be_sent_back(own):
    """Read, changed and put back whole: what only the system sets is left alone (R157)."""
    webhook_id = made(own)
    whole = own.get(f"/webhooks/{webhook_id}").json()
    whole["webhook"] |= {"address": f"{ADDRESS}/2", "id": 7, "created": "2001-01-01 00:00:00"}
    answer = own.call("PUT", f"/webhooks/{webhook_id}", whole)
    assert answer.status == 200
    assert answer.json()["webhook"]["id"] == webhook_id
    assert answer.json()["webhook"]["created"] == "2026-11-03 09:30:00"


def test_the_topic_is_immutable(own):
    """PUT with another topic is refused (R143), with the same one it is not."""
    webhook_id = made(own)
    target = f"/webhooks/{webhook_id}"
    errors = refused(own.call("PUT", target, {"webhook": {"topic": "orders_status"}}), 400, 1000)
    assert errors[0].startswith("/webhook/topic: cannot be changed")
    assert own.call("PUT", target, {"webhook": {"topic": TOPIC}}).status == 200


def test_an_address_is_taken_once_a_topic(own):
    """1401 for the same topic, for PUT too; another topic may have it."""
    made(own)
    refused(own.post("/webhooks", {"webhook": NEW}), 400, 1401)
    other = made(own, address=f"{ADDRESS}/2")
    refused(own.call("PUT", f"/webhooks/{other}", {"webhook": {"address": ADDRESS}}), 400, 1401)
    made(own, topic="orders_status")


def test_an_application_has_so_many_webhooks(hub_with):
    """1402 says how many; one deleted makes room."""
    _, own = hub_with(webhooks_per_application=2)
    first = made(own)
    made(own, address=f"{ADDRESS}/2")
    given = {"webhook": NEW | {"address": f"{ADDRESS}/3"}}
    (error,) = refused(own.post("/webhooks", given), 400, 1402)
    assert "2" in error
    own.call("DELETE", f"/webhooks/{first}")
    assert own.post("/webhooks", given).status == 201


# --- keys and scopes


def test_a_key_that_is_unknown_or_revoked_is_told_apart(own, acme, rooms):
    """1005 with 401; 1008 with 403."""
    newest = rooms.gate.api_keys(CLI)[0]
    for key in (None, "ink_" + "A" * 40, "nonsense"):
        own.key, kept = key, own.key
        answer = own.get("/webhooks")
        refused(answer, 401, 1005)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        own.key = kept
    rooms.gate.revoke_api_key(CLI, newest.id)
    refused(own.get("/webhooks"), 403, 1008)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "", Scope.WEBHOOKS_READ),
        ("POST", "", Scope.WEBHOOKS_WRITE),
        ("GET", "/100001", Scope.WEBHOOKS_READ),
        ("PUT", "/100001", Scope.WEBHOOKS_WRITE),
        ("DELETE", "/100001", Scope.WEBHOOKS_WRITE),
        ("POST", "/100001/queue", Scope.MESSAGES_WRITE),
    ],
)
def test_a_missing_scope_is_1009(own, acme, client, method, path, scope):
    """403, naming the scope; an operator's key, which is no application's, is told where to go."""
    made(own)
    lacking = client()
    lacking.key = acme.key(APPLICATION_SCOPES - {scope})
    (error,) = refused(lacking.call(method, f"/webhooks{path}", {}), 403, 1009)
    assert scope in error
    (error,) = refused(client().call(method, f"/webhooks{path}", {}), 403, 1009)
    assert "application's key" in error
    assert "/v1/applications/{id}/webhooks" in error


@pytest.mark.parametrize("bad", ["0", "00", "-1", "1.0", "abc", "9" * 30, "%00", "100002", "²"])
def test_an_id_that_is_none_reads_like_one_that_is_not_there(own, bad):
    """404 and 1400, the same bytes for each."""
    made(own)
    bodies = set()
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/queue")):
        target = f"/webhooks/{bad.encode('utf-8').decode('latin-1')}{path}"
        answer = own.call(method, target, {"webhook": {}})
        refused(answer, 404, 1400)
        bodies.add(answer.body)
    assert len(bodies) == 1


# --- what never reaches a handler


@pytest.mark.parametrize("prefix", PREFIXES)
def test_other_errors_have_the_shape_too(own, prefix):
    """405, 413, 415 and unknown addresses: BoxC's shape, with the status as the code."""
    refused(own.call("PATCH", prefix, {}), 405, 405)
    refused(own.call("DELETE", prefix), 405, 405)
    refused(own.get(f"{prefix}/1/unknown"), 404, 404)
    refused(own.call("POST", prefix, chunks=[b"x" * 2_000_000]), 413, 413)
    form = {"content-type": "application/x-www-form-urlencoded"}
    refused(own.call("POST", prefix, chunks=[b"a=b"], headers=form), 415, 415)
    refused(own.call("POST", f"{prefix}/1/queue", chunks=[b"a=b"], headers=form), 415, 415)
    own.key, key = None, own.key
    refused(own.call("POST", prefix, chunks=[b"a=b"], headers=form), 401, 1005)
    own.key = key
    # Next to it nothing has that shape.
    assert "code" not in own.get("/v1/webhooksy").json()


# --- the queue


def test_an_event_is_queued_byte_for_byte(own, rooms):
    """201 with an empty body; what is sent are the bytes that came (R152, R154, R165)."""
    webhook_id = made(own)
    body = b"  " + LABEL + b"\n"
    answer = own.call("POST", f"/webhooks/{webhook_id}/queue", chunks=[body[:9], body[9:]])
    assert (answer.status, answer.body) == (201, b"")
    (claim,) = waiting(rooms)
    assert claim.body == body
    assert claim.target.webhook_id == webhook_id


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "JSON"),
        (b"", "JSON"),
        (b"[]", ""),
        (b'{"order":{}}', "shipment"),
        (LABEL.replace(b"1521231", b'"1521231"'), "/shipment/id"),
    ],
)
def test_what_does_not_match_the_schema_is_refused(own, rooms, body, said):
    """1000 that says where (R153); nothing is sent."""
    webhook_id = made(own)
    answer = own.call("POST", f"/webhooks/{webhook_id}/queue", chunks=[body])
    assert said in " ".join(refused(answer, 400, 1000))
    assert waiting(rooms) == []


def test_a_disabled_webhook_takes_no_event(own, acme, rooms):
    """1405; a PUT makes it active again, as at BoxC today (C22)."""
    webhook_id = made(own)
    rooms.webhooks.disable(CLI, webhook_id)
    assert own.get(f"/webhooks/{webhook_id}").json()["webhook"]["active"] is False
    target = f"/webhooks/{webhook_id}/queue"
    (error,) = refused(own.call("POST", target, chunks=[LABEL]), 400, 1405)
    assert "disabled" in error
    answer = own.call("PUT", f"/webhooks/{webhook_id}", {"webhook": {}})
    assert answer.json()["webhook"]["active"] is True
    assert own.call("POST", target, chunks=[LABEL]).status == 201


def test_a_paused_webhook_stays_paused(own, rooms):
    """It is active for BoxC: its events are queued; a change does not resume it."""
    webhook_id = made(own)
    rooms.webhooks.pause(CLI, webhook_id)
    assert own.get(f"/webhooks/{webhook_id}").json()["webhook"]["active"] is True
    own.call("PUT", f"/webhooks/{webhook_id}", {"webhook": {"address": f"{ADDRESS}/2"}})
    assert rooms.webhooks.get(CLI, webhook_id).state == "paused"


def test_a_refused_change_enables_nothing(own, rooms):
    """All of a PUT or nothing: with a wrong key the webhook stays as it is."""
    webhook_id = made(own)
    rooms.webhooks.disable(CLI, webhook_id)
    given = {"webhook": {"address": f"{ADDRESS}/2", "key": "short"}}
    refused(own.call("PUT", f"/webhooks/{webhook_id}", given), 400, 1000)
    shown = own.get(f"/webhooks/{webhook_id}").json()["webhook"]
    assert (shown["active"], shown["address"]) == (False, ADDRESS)


def test_a_new_key_signs_the_next_event(own, rooms):
    """The key is changed by PUT (R140) and is never shown."""
    webhook_id = made(own)
    given = {"webhook": {"key": "another-key-of-it"}}
    answer = own.call("PUT", f"/webhooks/{webhook_id}", given)
    assert b"another-key" not in answer.body
    own.call("POST", f"/webhooks/{webhook_id}/queue", chunks=[LABEL])
    (claim,) = waiting(rooms)
    assert claim.target.keys[0].value == b"another-key-of-it"


# --- pages


def numbers(answer):
    """The ids of a page."""
    assert answer.status == 200, answer.body
    return [webhook["id"] for webhook in answer.json()["webhooks"]]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_go_on_with_their_own_query(own, acme, order):
    """Every webhook once, in order; parameters beside a token count for nothing."""
    ids = [acme.webhook(f"{ADDRESS}/{number}").id for number in range(7)]
    answer = own.get(f"/webhooks?limit=3&order={order}")
    seen = numbers(answer)
    while token := answer.json()["next_page"]:
        answer = own.get(f"/webhooks?page_token={token}&limit=1&order=nonsense")
        seen += numbers(answer)
    assert seen == (ids if order == "asc" else ids[::-1])


def test_a_page_is_fifty_newest_first(own, acme):
    """The defaults; a full last page names no other."""
    ids = [acme.webhook(f"{ADDRESS}/{number}").id for number in range(51)]
    assert numbers(own.get("/webhooks")) == ids[:0:-1]
    assert own.get("/webhooks?limit=51").json()["next_page"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=", "order=up"])
def test_a_wrong_query_is_1031(own, query):
    """BoxC's code for that, naming the parameter."""
    (error,) = refused(own.get(f"/webhooks?{query}"), 400, 1031)
    assert f"'{query.partition('=')[0]}'" in error


def token(text):
    """A made-up token."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "x",
        "%00",
        "a" * 1000,
        token("desc.50"),
        token("desc.101.100001"),
        token("desc.0.100001"),
        token("down.50.100001"),
        token("desc.50.-1"),
        token("desc.50." + "9" * 19),
        token("desc.50.1 OR 1=1"),
    ],
)
def test_a_malformed_token_is_1025(own, bad):
    """400; nothing of it is taken."""
    refused(own.get(f"/webhooks?page_token={bad}"), 400, 1025)


def test_a_token_of_another_application_shows_one_s_own(own, acme, rooms, client):
    """A token is no right: whoever has it sees their own webhooks."""
    for number in range(3):
        acme.webhook(f"{ADDRESS}/{number}")
    page = own.get("/webhooks?limit=1&order=asc").json()["next_page"]
    stranger = client()
    stranger.key = subscriber(rooms, "Other").key()
    assert numbers(stranger.get(f"/webhooks?page_token={page}")) == []


# --- limits


def test_the_bucket_is_told_and_kept(hub_with):
    """Headers on every answer, errors too; 1015 when it is full; two more a second later."""
    rooms, own = hub_with(api_burst=3, api_per_second=2)
    for used in (1, 2, 3):
        answer = own.get("/webhooks/1" if used == 2 else "/webhooks")
        shown = (answer.headers["x-rate-limit"], answer.headers["x-rate-requests"])
        assert shown == ("3", str(used))
    full = own.get("/webhooks")
    refused(full, 429, 1015)
    assert full.headers["retry-after"] == "1"
    assert full.headers["x-rate-requests"] == "3"
    # The rest of the API takes from the same bucket, and says so in its own shape.
    elsewhere = own.get("/v1/topics")
    assert elsewhere.status == 429
    assert elsewhere.json()["type"] == "urn:inkwire:error:rate_limited"
    # Other applications have nothing to do with it.
    other = type(own)(own.app, subscriber(rooms, "Other").key())
    assert other.get("/webhooks").status == 200
    rooms.clock.advance(seconds=1)
    assert [own.get("/webhooks").status for _ in range(3)] == [200, 200, 429]


def test_webhooks_of_other_profiles_are_shown_too(own, acme):
    """An application sees all that it has, however it was made."""
    webhook = acme.webhook(profile=ProfileName.STANDARD, key=None)
    assert numbers(own.get("/webhooks")) == [webhook.id]


def test_odd_names_come_back_in_json(own):
    """A member's name that is no plain text is told, and breaks nothing."""
    body = json.dumps({"webhook": {**NEW, "\u2028": 1}}).encode()
    refused(own.call("POST", "/webhooks", chunks=[body]), 400, 1000)


# --- at the same time


def test_changes_at_the_same_time_leave_one_whole_state(own, rooms):
    """PUTs and a DELETE race: each answers as if alone, none fails, and the deletion stays."""
    webhook_id = made(own)
    target = f"/webhooks/{webhook_id}"
    begin = threading.Barrier(5)

    def change(number):
        begin.wait()
        given = {"webhook": {"address": f"{ADDRESS}/{number}"}}
        return own.call("PUT", target, given)

    def delete():
        begin.wait()
        return own.call("DELETE", target)

    with ThreadPoolExecutor(5) as threads:
        changes = [threads.submit(change, number) for number in range(4)]
        deleted = threads.submit(delete).result()
        answers = [change.result() for change in changes]
    assert (deleted.status, deleted.body) == (200, b"")
    for answer in answers:
        if answer.status != 200:
            refused(answer, 404, 1400)
    refused(own.get(target), 404, 1400)
    refused(own.call("PUT", target, {"webhook": {}}), 404, 1400)
    actions = [entry.action for entry in rooms.store.access.audit()]
    assert actions.count("webhook.delete") == 1
    assert actions.count("webhook.update") == sum(answer.status == 200 for answer in answers)


def test_one_address_is_made_once_at_the_same_time(own):
    """Of equal POSTs one wins; the others are told 1401."""
    begin = threading.Barrier(4)

    def make():
        begin.wait()
        return own.post("/webhooks", {"webhook": NEW})

    with ThreadPoolExecutor(4) as threads:
        answers = [one.result() for one in [threads.submit(make) for _ in range(4)]]
    assert sorted(answer.status for answer in answers) == [201, 400, 400, 400]
    for answer in answers:
        if answer.status == 400:
            refused(answer, 400, 1401)
