"""No key of an application reaches anything of another one, on any route (R151).

The routes are the app's own: one that is not known here fails the test, so none is forgotten.
"""

import json
import re
from datetime import timedelta

import pytest
from fastapi.routing import iter_route_contexts

from fakes.subscriber import ADDRESS, KEY, LABEL, TOPIC, answer_all, subscriber
from inkwire.access.gate import CLI
from inkwire.model.access import APPLICATION_SCOPES, Scope
from inkwire.model.job import JobKind
from inkwire.model.webhook import FIRST_WEBHOOK

#: About the first webhook that there is: the other application's.
JOB = {"kind": "recover", "webhook_id": FIRST_WEBHOOK, "since": "2020-01-01T00:00:00Z"}
#: Bodies that would be right, by route; for all others none is needed.
BODIES = {
    "POST /webhooks": {"webhook": {"address": f"{ADDRESS}/x", "key": KEY, "topic": TOPIC}},
    "PUT /webhooks/{webhook_id}": {"webhook": {"address": f"{ADDRESS}/x"}},
    "POST /webhooks/{webhook_id}/queue": json.loads(LABEL),
    "POST /v1/messages": {"topic": TOPIC, "payload": json.loads(LABEL)},
    "POST /v1/applications/{application_id}/webhooks": {
        "topic": TOPIC,
        "address": f"{ADDRESS}/x",
        "profile": "boxc",
        "key": KEY,
    },
    "PATCH /v1/applications/{application_id}/webhooks/{webhook_id}": {"description": "mine now"},
    "POST /v1/applications/{application_id}/webhooks/{webhook_id}/rotate": {"key": KEY},
    "POST /v1/applications/{application_id}/webhooks/{webhook_id}/test": {},
    "POST /v1/jobs": JOB,
    "POST /v1/jobs/count": JOB,
}
#: Routes without an id, which show or make the caller's own things.
OWN_THINGS = {
    "GET /webhooks",
    "POST /webhooks",
    "GET /v1/applications",
    "GET /v1/topics",
    "GET /v1/topics/{topic_name}",
    "GET /v1/messages",
    "GET /v1/deliveries",
    "GET /v1/jobs",
}
#: Publishing is an operator's, whatever scopes a key holds.
OPERATORS = {"POST /v1/messages"}
PUBLIC = {"/v1/openapi.json"}


def routes(app):
    """Every route of the API, BoxC's once."""
    found = {
        f"{method} {route.path.replace('/v1/webhooks', '/webhooks')}"
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
        if route.path.startswith(("/v1/", "/webhooks")) and route.path not in PUBLIC
    }
    return sorted(found)


def scopes_of(app):
    """The scopes that each route of the document takes."""
    return {
        f"{method.upper()} {path.replace('/v1/webhooks', '/webhooks')}": {
            scope for one in operation["security"] for scope in one.get("ApiKey", [])
        }
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    }


class Pair:
    """One application with everything, and the client of another."""

    def __init__(self, rooms, client):
        self.rooms = rooms
        self.theirs = subscriber(rooms, "Theirs")
        self.webhook = self.theirs.webhook("https://theirs.example.com/private")
        operator = client()
        rooms.publisher.publish(CLI, topic=TOPIC, payload=LABEL, application_id=self.theirs.id)
        (attempt,) = answer_all(rooms)
        (message,) = operator.get("/v1/messages").json()["items"]
        (delivery,) = operator.get("/v1/deliveries").json()["items"]
        key, _ = rooms.gate.add_api_key(
            CLI,
            name="theirs",
            scopes=frozenset({Scope.WEBHOOKS_READ}),
            application_id=self.theirs.id,
        )
        since = rooms.clock.now() - timedelta(days=1)
        job = rooms.hub.jobs.start(CLI, JobKind.REPLAY_MISSING, self.webhook.id, since=since)
        self.ids = {
            "application_id": self.theirs.id,
            "webhook_id": str(self.webhook.id),
            "message_id": message["id"],
            "delivery_id": delivery["id"],
            "attempt_id": attempt,
            "key_id": key.id,
            "job_id": job.id,
            "topic_name": TOPIC,
        }
        self.own = subscriber(rooms, "Own")
        self.thief = client()
        self.thief.key = self.own.key()
        self.operator = operator

    def state(self):
        """Everything of theirs, as an operator sees it."""
        base = f"/v1/applications/{self.theirs.id}"
        return [
            self.operator.get(target).body
            for target in (
                base,
                f"{base}/keys",
                f"{base}/grants",
                f"{base}/webhooks",
                f"/v1/messages?application={self.theirs.id}",
                f"/v1/deliveries?application={self.theirs.id}",
            )
        ]

    def call(self, route, ids):
        """The route called by the thief with these ids."""
        method, path = route.split(" ")
        target = re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], "thing"), path)
        body = BODIES.get(route)
        if body is None and method in ("POST", "PUT", "PATCH"):
            body = {}
        return self.thief.call(method, target, body)


@pytest.fixture
def pair(rooms, client):
    """An application that has everything, and another that wants it."""
    return Pair(rooms, client)


def test_every_route_keeps_applications_apart(app, pair):
    """403 without a scope that applications have, else exactly what a missing id gets."""
    scopes, before, tried = scopes_of(app), pair.state(), set()
    nobody = {
        "application_id": "app_" + "0" * 24,
        "webhook_id": "999999",
        **{
            name: f"{name[:3]}_{'0' * 24}"
            for name in ("message_id", "delivery_id", "attempt_id", "key_id", "job_id")
        },
    }
    for route in routes(app):
        theirs, missing = pair.call(route, pair.ids), pair.call(route, nobody)
        if not scopes[route] & APPLICATION_SCOPES or route in OPERATORS:
            assert theirs.status == 403, (route, theirs.body)
        elif route in OWN_THINGS:
            ids = [pair.ids[name] for name in ("application_id", "message_id", "delivery_id")]
            for secret in (*ids, "theirs.example.com"):
                assert secret.encode() not in theirs.body, route
        else:
            assert theirs.status == missing.status == 404, (route, theirs.body, missing.body)
            same = [
                re.sub(r"(app|mes|del|att|key|job|msg|dlv)_\w+|\d{6}", "ID", answer.body.decode())
                for answer in (theirs, missing)
            ]
            assert same[0] == same[1], route
            tried.add(route)
    assert pair.state() == before
    assert len(tried) >= 22


def test_the_same_calls_do_reach_one_s_own(app, pair):
    """The test above is not passed by a key that reaches nothing at all."""
    pair.thief.key = pair.theirs.key()
    for route in ("GET /webhooks/{webhook_id}", "GET /v1/messages/{message_id}/payload"):
        assert pair.call(route, pair.ids).status == 200
    base = f"/v1/applications/{pair.theirs.id}"
    assert pair.thief.get(f"{base}/webhooks/{pair.webhook.id}").status == 200
    assert pair.thief.get(f"/v1/attempts/{pair.ids['attempt_id']}").status == 200
    assert pair.thief.post(f"/v1/deliveries/{pair.ids['delivery_id']}/resend").status == 202
    assert pair.thief.post(f"{base}/portal-link").status == 201


def test_filters_widen_nothing(pair):
    """An application that asks for another's things by a filter gets an empty page."""
    for target in (
        f"/v1/messages?application={pair.theirs.id}",
        f"/v1/deliveries?application={pair.theirs.id}",
        f"/v1/deliveries?webhook={pair.webhook.id}",
        f"/v1/deliveries?message={pair.ids['message_id']}",
        "/v1/messages",
    ):
        answer = pair.thief.get(target)
        assert (answer.status, answer.json()["items"]) == (200, []), target


def test_a_webhook_is_found_under_its_own_application_only(pair):
    """An operator, too, does not find it under another one."""
    base = f"/v1/applications/{pair.own.id}/webhooks/{pair.webhook.id}"
    before = pair.state()
    assert pair.operator.get(base).status == 404
    assert pair.operator.call("PATCH", base, {"description": "x"}).status == 404
    assert pair.operator.call("DELETE", base).status == 404
    for act in ("pause", "disable", "activate", "restore"):
        assert pair.operator.post(f"{base}/{act}").status == 404
    key = f"/v1/applications/{pair.own.id}/keys/{pair.ids['key_id']}"
    assert pair.operator.call("DELETE", key).status == 404
    assert pair.state() == before


def test_a_deleted_webhook_is_there_for_an_operator_only(pair):
    """Its application reads it as missing; an operator restores it."""
    base = f"/v1/applications/{pair.theirs.id}/webhooks/{pair.webhook.id}"
    pair.thief.key = pair.theirs.key()
    assert pair.operator.post(f"{base}/restore").status == 409
    assert pair.thief.call("DELETE", base).status == 204
    assert pair.thief.get(base).status == 404
    assert pair.thief.post(f"{base}/restore").status == 404
    assert pair.operator.get(base).json()["state"] == "deleted"
    assert pair.operator.post(f"{base}/activate").status == 409
    assert pair.operator.post(f"{base}/restore").json()["state"] == "active"
    assert pair.thief.get(base).status == 200
