"""`/v1/api-keys`, `/v1/users` and `/v1/audit`."""

import pytest

from inkwire.access.gate import CLI
from inkwire.model.access import Role, Scope

PASSWORD = "correct horse battery"


def test_a_key_is_made_used_listed_and_revoked(admin):
    """The key is told once, works with its scopes alone, and not after it was revoked."""
    answer = admin.post("/v1/api-keys", {"name": "Export", "scopes": ["events:read"]})
    assert answer.status == 201
    key, facts = answer.json()["key"], answer.json()["api_key"]
    assert key.startswith(facts["hint"])
    assert facts["scopes"] == ["events:read"]
    export = type(admin)(admin.app, key)
    assert export.get("/v1/events").status == 200
    assert export.get("/v1/sources").status == 403
    listed = admin.get("/v1/api-keys")
    assert key.encode() not in listed.body
    assert listed.json()["items"][0]["last_used_at"] == "2026-11-03T09:30:00Z"
    assert admin.call("DELETE", f"/v1/api-keys/{facts['id']}").status == 204
    assert export.get("/v1/events").status == 401
    assert admin.call("DELETE", "/v1/api-keys/key_nope").status == 404


def test_a_key_gives_only_what_it_holds(client):
    """A key for access alone cannot make one that reads bodies."""
    keeper = client(Scope.ACCESS)
    answer = keeper.post("/v1/api-keys", {"name": "x", "scopes": ["events:body"]})
    assert answer.status == 403
    assert "events:body" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["everything"]}, "scopes.0"),
        ({"name": "", "scopes": ["access"]}, "name"),
        ({"name": "x\u0000", "scopes": ["access"]}, "name"),
        ({"scopes": ["access"]}, "name"),
        ({"name": "x", "scopes": ["access"], "admin": True}, "admin"),
    ],
)
def test_a_wrong_key_request_names_the_field(idle, body, field):
    """422 with the field's path, unknown fields included."""
    answer = idle.post("/v1/api-keys", body)
    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_users_are_added_changed_and_given_passwords(admin, rooms):
    """The life of a user; no answer holds a password or its hash."""
    answer = admin.post("/v1/users", {"name": "Ada", "password": PASSWORD, "role": "admin"})
    assert answer.status == 201
    assert answer.json()["name"] == "ada"
    assert answer.headers["location"] == "/v1/users/ada"
    assert PASSWORD.encode() not in answer.body
    assert (
        admin.post("/v1/users", {"name": "ada", "password": PASSWORD, "role": "viewer"}).status
        == 409
    )
    admin.post("/v1/users", {"name": "bob", "password": PASSWORD, "role": "viewer"})
    changed = admin.call("PATCH", "/v1/users/bob", {"role": "operator", "disabled": True})
    assert (changed.json()["role"], changed.json()["disabled"]) == ("operator", True)
    assert admin.get("/v1/users/bob").json() == changed.json()
    listed = admin.get("/v1/users")
    assert [user["name"] for user in listed.json()["items"]] == ["ada", "bob"]
    assert b"argon2" not in listed.body
    token, _ = rooms.gate.sign_in("ada", PASSWORD, remote="192.0.2.1")
    reset = admin.call("PUT", "/v1/users/ada/password", {"password": "another password"})
    assert reset.status == 204
    assert rooms.gate.signed_in(token) is None
    rooms.gate.sign_in("ada", "another password", remote="192.0.2.1")


def test_the_last_administrator_stays(admin):
    """409, and what to do first."""
    admin.post("/v1/users", {"name": "ada", "password": PASSWORD, "role": "admin"})
    for change in ({"role": "viewer"}, {"disabled": True}):
        answer = admin.call("PATCH", "/v1/users/ada", change)
        assert answer.status == 409
        assert "another user administrator first" in answer.json()["detail"]


def test_a_wrong_password_is_not_repeated(idle):
    """Too short or not encodable: the field is named, the password is not."""
    for password in ("s3cret", "s3cret" * 100):
        answer = idle.post("/v1/users", {"name": "x", "password": password, "role": "viewer"})
        assert answer.status == 422
        assert answer.json()["errors"][0]["field"] == "password"
        assert b"s3cret" not in answer.body


def test_the_audit_log_is_read_a_page_at_a_time(admin, rooms):
    """Newest first; who did what to which object."""
    for name in ("ada", "bob", "cyd"):
        rooms.gate.add_user(CLI, name=name, password=PASSWORD, role=Role.VIEWER)
    page = admin.get("/v1/audit?limit=2").json()
    assert [entry["detail"]["name"] for entry in page["items"]] == ["cyd", "bob"]
    assert page["items"][0]["actor"] == "cli"
    assert page["items"][0]["action"] == "user.add"
    rest = admin.get(f"/v1/audit?before={page['next']}").json()
    assert [entry["action"] for entry in rest["items"]] == ["user.add", "api_key.add"]
    assert rest["next"] is None
