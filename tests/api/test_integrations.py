"""`/v1/integrations` and their kinds over the API."""

import pytest

from fakes.acting import add_connection

INTEGRATION = {"kind": "toy_copy", "name": "Copies", "settings": {"word": "go", "ids": "1"}}


@pytest.fixture
def made(rooms, admin):
    """An integration that lacks nothing."""
    add_connection(rooms)
    answer = admin.post("/v1/integrations", INTEGRATION | {"connection_id": "silent-main"})
    assert answer.status == 201
    return answer


def test_kinds_say_what_they_need(admin):
    """Every kind with its described settings: forms are made from it."""
    items = admin.get("/v1/integration-kinds").json()["items"]
    toy = next(one for one in items if one["name"] == "toy_copy")
    assert (toy["provider"], toy["event_types"]) == ("silent", ["acme.made"])
    assert {one["key"]: one["kind"] for one in toy["settings"]} == {
        "word": "text", "days": "integer", "ids": "list", "map": "mapping", "mail": "email",
        "page": "url",
    }  # fmt: skip


def test_make_read_list(admin, made):
    """It is inactive, complete, and found by int_1 as well as by 1."""
    one = made.json()["integration"]
    assert made.headers["location"] == "/v1/integrations/int_1"
    assert (one["id"], one["state"], one["settings"]["days"]) == ("int_1", "inactive", 30)
    assert admin.get("/v1/integrations/int_1").json() == one
    assert admin.get("/v1/integrations/1").json() == one
    assert admin.get("/v1/integrations").json()["items"] == [one]
    assert admin.get("/v1/integrations/int_9").status == 404
    assert admin.get("/v1/integrations/int_x").status == 422


def test_wrong_fields_are_named(admin):
    """All at once, by path; and nothing is kept."""
    wrong = INTEGRATION | {"name": "", "settings": {"days": 1000}, "connection_id": "gone"}
    fields = {one["field"] for one in admin.post("/v1/integrations", wrong).json()["errors"]}
    assert fields == {"name"}
    answer = admin.post("/v1/integrations", wrong | {"name": " x"})
    assert answer.status == 422
    fields = {one["field"] for one in answer.json()["errors"]}
    assert fields == {"name", "settings.days", "connection_id"}
    assert admin.get("/v1/integrations").json()["items"] == []


def test_states_and_what_hinders_them(admin, made):
    """Refused by field while something lacks; then active with a warning, paused, inactive."""
    state = "/v1/integrations/int_1/state"
    admin.call("PATCH", "/v1/integrations/1", {"settings": {"word": None, "ids": ""}})
    refused = admin.post(state, {"state": "active"})
    assert refused.status == 422
    assert refused.json()["errors"] == [{"field": "settings.word", "detail": "Say a word."}]
    problems = admin.get("/v1/integrations/1/problems").json()["items"]
    assert [(one["field"], one["blocks"]) for one in problems] == [("word", True), ("ids", False)]
    admin.call("PATCH", "/v1/integrations/1", {"settings": {"word": "go"}})
    active = admin.post(state, {"state": "active"}).json()
    assert active["integration"]["state"] == "active"
    assert [one["field"] for one in active["problems"]] == ["ids"]
    for to in ("paused", "inactive"):
        assert admin.post(state, {"state": to}).json()["integration"]["state"] == to
    assert admin.post(state, {"state": "paused"}).status == 409
    assert admin.post(state, {"state": "asleep"}).status == 422


def test_a_change_carries_what_was_read(admin, made):
    """`updated_at` as it was answered is taken back; an older one is refused."""
    read = made.json()["integration"]["updated_at"]
    changed = admin.call("PATCH", "/v1/integrations/1", {"name": "New", "updated_at": read})
    assert changed.json()["integration"]["name"] == "New"
    late = admin.call("PATCH", "/v1/integrations/1", {"name": "Late", "updated_at": read})
    assert late.status == 409
    assert admin.get("/v1/integrations/1").json()["name"] == "New"
    gone = admin.call("PATCH", "/v1/integrations/1", {"connection_id": ""})
    assert gone.json()["integration"]["connection_id"] is None
