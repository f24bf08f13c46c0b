"""`/v1/sources` and `/v1/providers`."""

import pytest

from fakes.hub import BASE_URL, LARGEST
from inkwire.api.providers import ProviderOut
from inkwire.model.access import Scope
from inkwire.model.source import ManagedBy
from inkwire.providers.registry import registry
from inkwire.sources.desk import FILE, SourceDraft

NEW = {
    "id": "acme-main",
    "provider": "acme",
    "name": "Acme",
    "secrets": {"primary": "primary-key-1"},
}


@pytest.fixture
def made(admin):
    """An admin client, and one source."""
    assert admin.post("/v1/sources", NEW).status == 201
    return admin


def opened(rooms):
    """Valid secrets of the source as (role, value)."""
    secrets = rooms.store.sources.open_secrets(rooms.clock.now()).get("acme-main", ())
    return [(secret.role, secret.value.decode()) for secret in secrets]


def test_a_source_is_made_and_read(admin, rooms):
    """The answer holds the URL and the made-up secret, once; later reads hold no secret."""
    answer = admin.post(
        "/v1/sources", {**NEW, "settings": {"tolerance_s": 60}, "event_types": ["acme.made"]}
    )
    assert answer.status == 201
    assert answer.headers["location"] == "/v1/sources/acme-main"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["generated_secrets"].keys() == {"token"}
    assert ("token", body["generated_secrets"]["token"]) in opened(rooms)
    source = body["source"]
    assert source["url"] == f"{BASE_URL}/in/acme-main"
    assert source["settings"]["tolerance_s"] == 60
    assert source["max_body_bytes"] == LARGEST
    assert source["created_at"] == "2026-11-03T09:30:00Z"
    assert {secret["role"] for secret in source["secrets"]} == {"primary", "token"}
    read = admin.get("/v1/sources/acme-main")
    assert read.json() == source
    assert admin.get("/v1/sources").json() == {"items": [source]}
    for secret in ("primary-key-1", body["generated_secrets"]["token"]):
        assert secret.encode() not in read.body
    assert b"primary-key-1" not in answer.body


def test_every_wrong_field_is_in_errors(admin):
    """Fields that only the rooms can judge come back with their paths."""
    answer = admin.post(
        "/v1/sources",
        {
            **NEW,
            "id": "Not-Good",
            "settings": {"tolerance_s": 0, "colour": 1},
            "secrets": {"primary": " pasted-key\n"},
            "event_types": ["made"],
        },
    )
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:inkwire:error:invalid_input"
    assert problem["status"] == 422
    assert {error["field"] for error in problem["errors"]} == {
        "id",
        "settings.tolerance_s",
        "settings.colour",
        "secrets.primary",
        "event_types",
    }
    assert b"pasted-key" not in answer.body


def test_a_wrong_secret_is_not_repeated(admin):
    """A secret that is too long for us comes back in no error."""
    answer = admin.post("/v1/sources", {**NEW, "secrets": {"primary": "s3cret" * 1000}})
    assert answer.status == 422
    assert b"s3cret" not in answer.body
    answer = admin.post("/v1/sources", {**NEW, "secrets": {"primary": ["s3cret"]}})
    assert answer.status == 422
    assert b"s3cret" not in answer.body


def test_an_id_that_is_taken_is_a_conflict(made):
    """409, and what to do."""
    answer = made.post("/v1/sources", NEW)
    assert answer.status == 409
    assert answer.json()["type"] == "urn:inkwire:error:conflict"


def test_a_source_is_changed(made):
    """Given fields change, absent and null ones stay; a setting with null gets its default."""
    made.call("PATCH", "/v1/sources/acme-main", {"settings": {"tolerance_s": 60, "strict": True}})
    answer = made.call(
        "PATCH",
        "/v1/sources/acme-main",
        {"name": "Acme 2", "settings": {"tolerance_s": None}, "document_ids": None},
    )
    assert answer.status == 200
    source = answer.json()
    assert source["name"] == "Acme 2"
    assert source["settings"] == {
        "tolerance_s": 300,
        "strict": True,
        "header": "X-Acme",
        "encoding": "hex",
    }
    assert made.get("/v1/sources/acme-main").json() == source


def test_a_source_is_paused_resumed_and_removed(made):
    """The life of a source, by the API alone."""
    assert made.post("/v1/sources/acme-main/pause").json()["paused"] is True
    assert made.post("/v1/sources/acme-main/resume").json()["paused"] is False
    answer = made.call("DELETE", "/v1/sources/acme-main")
    assert (answer.status, answer.body) == (204, b"")
    assert made.get("/v1/sources/acme-main").status == 404
    assert made.call("DELETE", "/v1/sources/acme-main").status == 404


def test_a_secret_is_rotated_and_removed(made, rooms):
    """With an overlap of a day unless told otherwise; the value never comes back."""
    answer = made.post(
        "/v1/sources/acme-main/secrets", {"role": "primary", "value": "primary-key-2"}
    )
    assert answer.status == 201
    assert answer.json()["generated"] is None
    assert b"primary-key-2" not in answer.body
    assert ("primary", "primary-key-1") in opened(rooms)
    secrets = made.get("/v1/sources/acme-main").json()["secrets"]
    (old,) = [s for s in secrets if s["expires_at"]]
    assert old["expires_at"] == "2026-11-04T09:30:00Z"
    assert made.call("DELETE", f"/v1/sources/acme-main/secrets/{old['id']}").status == 204
    assert ("primary", "primary-key-1") not in opened(rooms)
    last = answer.json()["secret"]["id"]
    assert made.call("DELETE", f"/v1/sources/acme-main/secrets/{last}").status == 409


def test_a_made_up_secret_is_told_once(made, rooms):
    """Null asks for one, where the provider allows it."""
    answer = made.post(
        "/v1/sources/acme-main/secrets", {"role": "token", "value": None, "overlap_s": 0}
    )
    assert ("token", answer.json()["generated"]) in opened(rooms)
    refused = made.post("/v1/sources/acme-main/secrets", {"role": "primary"})
    assert refused.json()["errors"][0]["field"] == "value"


def test_a_declared_source_is_read_only(admin, rooms):
    """What inkwire.toml declares is shown, and refused to be changed, by name."""
    draft = SourceDraft(
        id="declared",
        provider="acme",
        name="D",
        secrets={"primary": "primary-key-1", "token": "t"},
        managed_by=ManagedBy.FILE,
    )
    rooms.desk.create(FILE, draft)
    assert admin.get("/v1/sources/declared").json()["managed_by"] == "file"
    answer = admin.call("PATCH", "/v1/sources/declared", {"name": "X"})
    assert answer.status == 409
    assert "inkwire.toml" in answer.json()["detail"]


def test_a_writer_who_may_not_read_still_writes(client):
    """A key for writing alone gets its answer, without the activity that it may not see."""
    writer = client(Scope.SOURCES_WRITE)
    answer = writer.post("/v1/sources", NEW)
    assert answer.status == 201
    assert answer.json()["source"]["activity"] is None


def test_activity_is_told(made, rooms):
    """When something came in stands with the source."""
    rooms.receive()
    activity = made.get("/v1/sources/acme-main").json()["activity"]
    assert activity["last_receipt_at"] == "2026-11-03T09:30:00Z"
    assert activity["receipts_24h"] == 1


def test_the_manual_is_filled_in(made):
    """Markdown with the real address."""
    answer = made.get("/v1/sources/acme-main/manual").json()
    assert answer["url"] == f"{BASE_URL}/in/acme-main"
    assert answer["url"] in answer["markdown"]


def test_providers_describe_themselves(admin):
    """A form can be built from the answer: settings, secrets, types, retries."""
    items = {item["name"]: item for item in admin.get("/v1/providers").json()["items"]}
    assert items["silent"]["receive"] is None
    receive = items["acme"]["receive"]
    assert [field["key"] for field in receive["settings"]] == [
        "tolerance_s",
        "strict",
        "header",
        "encoding",
    ]
    assert receive["settings"][0]["default"] == 300
    assert receive["settings"][1]["default"] is False
    assert [field["generate"] for field in receive["secrets"]] == [False, False, True]
    assert receive["event_types"]["acme.made"] == "Something was made."
    assert receive["retries"]["delays_s"] == [60.0, 120.0]
    assert items["acme"]["recipes"] == [
        {
            "name": "old",
            "title": "Old Acme",
            "note": "Until 2020.",
            "settings": {"encoding": "base64"},
        }
    ]


def test_the_real_providers_can_be_shown(rooms):
    """Whatever our own providers describe fits the answer's model."""
    shown = [ProviderOut.of(provider) for provider in registry()]
    assert {provider.name for provider in shown} >= {"box", "bolosign", "boxc"}
