"""Connections are made, changed and checked; what is wrong with them is said in words."""

from dataclasses import replace

import pytest

from connections.kit import ADMIN, TOKEN, Stage
from fakes.box_server import Reply
from fakes.rsa_keys import pem
from inkwire.connections.desk import ConnectionDesk
from inkwire.errors import Conflict, Forbidden, InvalidInput, NeedsAttention, NotFound
from inkwire.model.access import Caller, Scope
from inkwire.model.connection import ConnectionHealth

READER = Caller(actor="user:rita", scopes=frozenset({Scope.INTEGRATIONS_READ}))
USER = {"id": "5", "name": "Service", "login": "s@boxdevedition.com"}


def healthy(stage: Stage) -> None:
    """A Box at which everything is allowed."""
    stage.gives_tokens()
    stage.knows("/2.0/users/me", USER)
    stage.knows("/2.0/folders/0", {"id": "0", "name": "All Files"})
    stage.knows("/api/2.0/files/content", {"upload_url": "https://x"}, method="OPTIONS")
    stage.knows("/2.0/files/content", {"upload_url": "https://x"}, method="OPTIONS")
    stage.knows("/2.0/webhooks", {"entries": []})
    stage.knows("/2.0/sign_requests", {"entries": []})


def test_what_is_kept_is_mended_and_sealed(stage: Stage):
    """No call is made; secrets are named, never shown; the audit log tells who did it."""
    made = stage.add()
    assert made.health is ConnectionHealth.UNCHECKED
    assert made.secrets_set.keys() == {
        "client_secret",
        "public_key_id",
        "private_key",
        "passphrase",
    }
    assert stage.box.seen == []
    assert stage.store.connections.open_secrets("box-main")["private_key"] == pem()
    entry = stage.store.access.audit()[0]
    assert (entry.actor, entry.action, entry.target) == (
        "user:anna",
        "connection.create",
        "box-main",
    )
    assert stage.desk.all(READER) == [made] and stage.desk.get(READER, "box-main") == made


def test_every_wrong_field_is_named_at_once(stage: Stage):
    """The desk's own and the vendor's."""
    with pytest.raises(InvalidInput) as raised:
        stage.desk.add(
            ADMIN,
            connection_id="Box!",
            provider="box",
            name="",
            method="jwt",
            settings={},
            secrets={},
        )
    assert {"id", "name", "settings.client_id", "secrets.private_key"} <= raised.value.fields.keys()
    with pytest.raises(InvalidInput) as raised:
        stage.desk.add(
            ADMIN,
            connection_id="b",
            provider="boxc",
            name="b",
            method="jwt",
            settings={},
            secrets={},
        )
    assert raised.value.fields.keys() == {"provider"}
    assert stage.store.connections.all() == []


def test_a_reader_changes_nothing(stage: Stage):
    """Scopes are asked for before anything is looked at."""
    stage.add()
    for act in (
        lambda: stage.desk.change(READER, "box-main", name="x"),
        lambda: stage.desk.delete(READER, "box-main"),
        lambda: stage.desk.all(Caller(actor="key:1", scopes=frozenset())),
    ):
        with pytest.raises(Forbidden):
            act()


def test_an_id_is_taken_once(stage: Stage):
    """A second one of that id is a conflict, an unknown one is not found."""
    stage.add()
    with pytest.raises(Conflict):
        stage.add()
    for unknown in ("nope", "../x", "A b"):
        with pytest.raises(NotFound):
            stage.desk.box(unknown)


def test_a_change_keeps_what_is_not_given(stage: Stage):
    """Secrets stay, the token goes, health is unknown again; the audit names fields, not values."""
    healthy(stage)
    stage.add()
    stage.desk.check("box-main")
    stage.clock.advance(seconds=1)
    changed = stage.desk.change(
        ADMIN, "box-main", settings={"as_user": "55"}, secrets={"client_secret": "n3w"}
    )
    assert changed.settings["as_user"] == "55" and changed.settings["api_url"] == stage.box.url
    assert changed.health is ConnectionHealth.UNCHECKED
    assert stage.store.connections.token("box-main").token is None
    opened = stage.store.connections.open_secrets("box-main")
    assert opened["client_secret"] == "n3w" and opened["private_key"] == pem()
    entry = stage.store.access.audit()[0]
    assert entry.detail["changed"] == "settings.as_user, secrets.client_secret"


def test_a_change_to_what_it_is_already_is_none(stage: Stage):
    """No audit entry, and the token stays."""
    made = stage.add()
    before = len(stage.store.access.audit())
    assert (
        stage.desk.change(ADMIN, "box-main", name="Box", secrets={"client_secret": "s3cret"})
        == made
    )
    assert len(stage.store.access.audit()) == before


def test_another_method_drops_what_it_does_not_know(stage: Stage):
    """From JWT to client credentials: the key goes, the client secret stays."""
    stage.add()
    stage.clock.advance(seconds=1)
    changed = stage.desk.change(ADMIN, "box-main", method="ccg")
    assert changed.method == "ccg" and changed.secrets_set.keys() == {"client_secret"}
    assert "algorithm" not in changed.settings


def test_a_change_that_does_not_fit_changes_nothing(stage: Stage):
    """A new key that the old passphrase does not open is refused whole."""
    stage.add()
    with pytest.raises(InvalidInput):
        stage.desk.change(ADMIN, "box-main", name="New", secrets={"passphrase": "wrong"})
    assert stage.desk.get(ADMIN, "box-main").name == "Box"


def test_all_is_well(stage: Stage):
    """A token, who we are, and every scope; the connection is healthy afterwards."""
    healthy(stage)
    stage.add()
    checks = stage.desk.check("box-main")
    assert [(one.name, one.ok) for one in checks] == [
        ("token", True), ("user", True), ("root_readonly", True), ("root_readwrite", True),
        ("manage_webhook", True), ("sign_requests.readwrite", True),
    ]  # fmt: skip
    assert "s@boxdevedition.com" in checks[1].detail
    now = stage.desk.get(ADMIN, "box-main")
    assert now.health is ConnectionHealth.OK and now.token_expires_at is not None
    assert {one.method for one in stage.box.seen} == {"POST", "GET", "OPTIONS"}, "nothing is made"


def test_client_credentials_are_checked_as_well(stage: Stage):
    """The other way of server authentication, with the form that Box asks for."""
    healthy(stage)
    stage.add(method="ccg")
    assert all(one.ok for one in stage.desk.check("box-main"))
    assert b"grant_type=client_credentials" in stage.box.sent("POST", TOKEN)[0].body


@pytest.mark.parametrize(
    ("method", "path", "name", "box"),
    [("GET", "/2.0/folders/0", "root_readonly", "Read and write all files"),
     ("OPTIONS", "/2.0/files/content", "root_readwrite", "Read and write all files"),
     ("GET", "/2.0/webhooks", "manage_webhook", "Manage webhooks"),
     ("GET", "/2.0/sign_requests", "sign_requests.readwrite", "Manage signature requests")],
)  # fmt: skip
def test_a_scope_that_lacks_is_named(stage: Stage, method, path, name, box):
    """With the box to tick and what an admin does then; the others are still tried (R39)."""
    stage.box.on(method, path, Reply(403, json={"code": "insufficient_scope"}))
    healthy_but(stage, method, path)
    stage.add()
    checks = {one.name: one for one in stage.desk.check("box-main")}
    assert [one.name for one in checks.values() if not one.ok] == [name]
    assert box in checks[name].detail and "re-authorise" in checks[name].detail
    now = stage.desk.get(ADMIN, "box-main")
    assert now.health is ConnectionHealth.NEEDS_ATTENTION and box in now.health_note


def healthy_but(stage: Stage, method: str, path: str) -> None:
    """Everything is allowed but that; its reply is queued already."""
    kept = stage.box._replies[method, path]
    healthy(stage)
    reply = kept[0]
    kept.clear()
    kept.append(reply)


def test_as_user_must_be_the_user(stage: Stage):
    """A wrong set-up shows as 403, and a user that Box does not switch to is noticed."""
    healthy(stage)
    stage.add(as_user="77")
    found = {one.name: one for one in stage.desk.check("box-main")}
    assert not found["user"].ok and "as-user header" in found["user"].detail
    assert all(one.headers["as-user"] == "77" for one in stage.box.seen if one.method != "POST")


def test_without_a_token_nothing_else_is_tried(stage: Stage):
    """One cause, one sentence."""
    healthy(stage)
    stage.box._replies["POST", TOKEN].clear()
    stage.box.on("POST", TOKEN, Reply(401, json={"error": "invalid_client"}))
    stage.add()
    checks = stage.desk.check("box-main")
    assert not any(one.ok for one in checks) and "client secret" in checks[0].detail
    assert len(stage.box.seen) == 1
    assert "client secret" in stage.desk.get(ADMIN, "box-main").health_note


def test_a_bad_minute_is_no_verdict(stage: Stage):
    """If Box cannot be reached, the health stays what it was."""
    healthy(stage)
    stage.add()
    stage.desk.check("box-main")
    stage.box._replies["GET", "/2.0/webhooks"].clear()
    stage.box.on("GET", "/2.0/webhooks", Reply(503))
    checks = {one.name: one.ok for one in stage.desk.check("box-main")}
    assert checks["manage_webhook"] is False
    assert stage.desk.get(ADMIN, "box-main").health is ConnectionHealth.OK


def test_an_address_that_is_not_boxs_gets_no_secret(stage: Stage):
    """The token address of a connection cannot carry the client secret to a foreign host."""
    guarded = stage.add(token_url="http://93.184.216.34/oauth2/token")
    with pytest.raises(NeedsAttention) as raised:
        stage.desk.box(guarded.id).me()
    assert "INKWIRE_OUTBOUND_ALLOW" in raised.value.message


def test_settings_of_an_older_release_are_completed(stage: Stage):
    """A setting that came with an upgrade has its default when calls are made."""
    healthy(stage)
    made = stage.add()
    older = {key: value for key, value in made.settings.items() if key != "algorithm"}
    audit = replace(stage.store.access.audit()[0], id="aud_older")
    stage.store.connections.update(
        replace(made, settings=older), [], expected=made.updated_at, audit=audit
    )
    assert stage.desk.box("box-main").me().id == "5"


def test_a_deleted_connection_is_gone(stage: Stage):
    """With its secrets; deleting is in the audit log."""
    stage.add()
    stage.desk.delete(ADMIN, "box-main")
    with pytest.raises(NotFound):
        stage.desk.get(ADMIN, "box-main")
    assert stage.store.access.audit()[0].action == "connection.delete"


def test_nothing_heavy_is_loaded_with_the_desk():
    """A worker without integrations stays small: the SDK and requests wait for the first call."""
    import subprocess
    import sys

    code = (
        "import sys; import inkwire.connections.desk; "
        "print([m for m in ('box_sdk_gen', 'requests', 'jwt') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert ConnectionDesk.__module__ == "inkwire.connections.desk"
