"""Connections over the API: secrets go in, and nothing ever gives them back."""

import json

import pytest

from fakes.acting import add_integration

TOKEN = "very-secret-token"
CONNECTION = {
    "id": "silent-main",
    "provider": "silent",
    "name": "Silent",
    "method": "token",
    "settings": {"account": "acme"},
    "secrets": {"token": TOKEN},
}


@pytest.fixture
def made(admin):
    """A connection to Silent."""
    answer = admin.post("/v1/connections", CONNECTION)
    assert answer.status == 201, answer.body
    return answer


def test_methods_say_what_they_need(admin):
    """Each way of each provider that is called, with its settings and secrets."""
    (way,) = admin.get("/v1/connection-methods").json()["items"]
    assert (way["provider"], way["name"]) == ("silent", "token")
    assert [one["key"] for one in way["settings"]] == ["account"]
    assert [one["role"] for one in way["secrets"]] == ["token", "spare"]
    assert way["authorizes"] is False


def test_make_read_change_delete(admin, made):
    """What is given is kept; a change leaves the other secrets; deleted is gone."""
    one = made.json()
    assert made.headers["location"] == "/v1/connections/silent-main"
    assert (one["settings"], list(one["secrets_set"])) == ({"account": "acme"}, ["token"])
    assert one["health"] == "unchecked"
    assert admin.get("/v1/connections/silent-main").json() == one
    assert admin.get("/v1/connections").json()["items"] == [one]
    change = {"name": "Other", "secrets": {"spare": "another"}}
    changed = admin.call("PATCH", "/v1/connections/silent-main", change).json()
    assert (changed["name"], sorted(changed["secrets_set"])) == ("Other", ["spare", "token"])
    assert changed["settings"] == {"account": "acme"}
    assert admin.post("/v1/connections", CONNECTION).status == 409
    assert admin.call("DELETE", "/v1/connections/silent-main").status == 204
    assert admin.get("/v1/connections/silent-main").status == 404


def test_wrong_fields_are_named(admin):
    """By path, before anything is kept; an unknown provider or method too."""
    for wrong, field in (
        ({"secrets": {}}, "secrets.token"),
        ({"method": "magic"}, "method"),
        ({"id": "No Id"}, "id"),
        ({"settings": {"hue": 1}}, "settings.hue"),
    ):
        answer = admin.post("/v1/connections", CONNECTION | wrong)
        assert answer.status == 422, wrong
        assert field in {one["field"] for one in answer.json()["errors"]}
    assert admin.post("/v1/connections", CONNECTION | {"provider": "nobody"}).status in (404, 422)
    assert admin.get("/v1/connections").json()["items"] == []


def test_no_answer_holds_a_secret(rooms, admin, made):
    """Neither lists nor details, errors or the audit log."""
    admin.call("PATCH", "/v1/connections/silent-main", {"secrets": {"spare": TOKEN}})
    answers = [
        made,
        admin.get("/v1/connections"),
        admin.get("/v1/connections/silent-main"),
        admin.post("/v1/connections", CONNECTION),
        admin.post("/v1/connections", CONNECTION | {"id": "x", "method": "magic"}),
        admin.post("/v1/connections", CONNECTION | {"secrets": {"token": [TOKEN]}}),
        admin.post("/v1/connections/silent-main/check"),
    ]
    assert TOKEN not in "".join(one.body.decode() for one in answers)
    assert TOKEN not in json.dumps([dict(one.detail) for one in rooms.store.access.audit()])


def test_what_is_used_stays(rooms, admin, made):
    """A connection that an integration calls by cannot be deleted."""
    add_integration(rooms, connection_id="silent-main")
    refused = admin.call("DELETE", "/v1/connections/silent-main")
    assert refused.status == 409
    assert "int_1" in refused.json()["detail"]


def test_a_check_is_a_command(rooms, admin, made):
    """202 and where to look; the worker's answer stands there."""
    asked = admin.post("/v1/connections/silent-main/check")
    assert asked.status == 202
    where = asked.headers["location"]
    rooms.store.commands.take(now=rooms.clock.now(), lease_s=30)
    checks = [{"name": "token", "title": "Token", "ok": False, "detail": "Mend the key."}]
    rooms.store.commands.done(asked.json()["id"], at=rooms.clock.now(), result=checks)
    answered = admin.get(where).json()
    assert (answered["target"], answered["result"]) == ("silent-main", checks)
    assert admin.post("/v1/connections/none/check").status == 404
