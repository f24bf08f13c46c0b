"""`inkwire connections|integrations|runs …` on a real store."""

import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fakes.rsa_keys import PASSPHRASE, pem
from inkwire.access.gate import CLI
from inkwire.auditing import Auditor
from inkwire.config import load_settings
from inkwire.hub import open_hub
from inkwire.integrations.registry import kinds
from inkwire.model.connection import Connection
from inkwire.model.work import (
    ErrorKind,
    Integration,
    IntegrationState,
    LedgerEntry,
    LedgerState,
    Work,
    WorkState,
)
from inkwire.store.acting import Ending

KEY = "sign_request/ord_1:int_1/change-1"
SECRET = "very-secret-text"


@pytest.fixture
def hub(cli):
    """The hub that the command line works on."""
    with open_hub(load_settings(data_dir=cli.folder)) as hub:
        yield hub


@pytest.fixture
def kind():
    """A kind that is installed."""
    return kinds()["box_sign_orders"]


@pytest.fixture
def dead(hub, kind):
    """An active integration and a dead letter of it."""
    now = datetime.now(UTC)
    integration = Integration(
        id=0, kind=kind.name, name="Contracts", state=IntegrationState.ACTIVE, settings={},
        connection_id=None, created_at=now, updated_at=now,
    )  # fmt: skip
    audit = Auditor(hub.clock, hub.ids).entry(CLI, "integration.create", "")
    made = hub.store.integrations.add(integration, audit=audit)
    work = Work(
        id=hub.ids.new("wrk"), integration_id=made.id, key="change-1", workflow="sign",
        entity_key="order:ord_1", due_at=now, created_at=now,
    )  # fmt: skip
    hub.store.works.add([work])
    (run,) = hub.store.works.claim(executor_id="exe_1", now=now, limit=1)
    ending = Ending(
        state=WorkState.DEAD, note="The folder is gone.", error_kind=ErrorKind.PERMANENT
    )
    assert hub.store.works.end(run.id, run_number=1, ending=ending, at=now)
    return hub.store.works.get(work.id)


def test_runs_are_listed_shown_and_retried(cli, dead):
    """The dead letter with its sentence; retried by itself or with the others."""
    listed = cli("runs", "list", "--state", "dead").stdout
    assert dead.id in listed
    assert "The folder is gone." in listed
    assert cli.json("runs", "list", "--integration", "int_1")[0]["run_id"] == "int_1/change-1/1"
    assert "permanent" in cli("runs", "show", dead.id).stdout
    assert cli.json("runs", "show", dead.id)["work"]["integration_id"] == "int_1"
    some = cli("runs", "retry", "--integration", "1", "--failed", "limit").stdout
    assert some.startswith("0 dead letters")
    assert "int_1/change-1/2" in cli("runs", "retry", dead.id).stdout
    assert "is new" in cli("runs", "retry", dead.id, code=1).stderr
    assert "is cancelled" in cli("runs", "cancel", dead.id).stdout
    assert "not done" in cli("runs", "replay", dead.id, code=1).stderr


def test_retry_needs_one_or_the_other(cli, dead):
    """Neither nothing nor both: it says what to name."""
    for wrong in ([], [dead.id, "--integration", "1"], [dead.id, "--failed", "auth"]):
        assert "Name either" in cli("runs", "retry", *wrong, code=2).stderr
    assert "no integration" in cli("runs", "retry", "--integration", "x", code=2).stderr


def test_a_create_in_doubt_is_decided(cli, hub, dead):
    """It is listed, decided once, and its work goes on."""
    now = datetime.now(UTC)
    hub.store.ledger.intend(
        LedgerEntry(
            key=KEY, kind="sign_request", integration_id=1, work_id=dead.id,
            entity_key="order:ord_1", state=LedgerState.INTENDED, fence=0, updated_at=now,
        )
    )  # fmt: skip
    hub.store.ledger.send(KEY, fence=0, run_id=dead.run_id, at=now)
    hub.store.ledger.probed(KEY, fence=1, at=now, doubt=True)
    assert KEY in cli("runs", "ledger", "--state", "doubt").stdout
    assert "remote_id" in cli("runs", "decide", KEY, "adopt", code=2).stderr
    assert "no decision" in cli("runs", "decide", KEY, "perhaps", code=2).stderr
    decided = cli.json("runs", "decide", KEY, "adopt", "--remote-id", "sr-77")
    assert (decided["state"], decided["remote_id"]) == ("done", "sr-77")
    assert cli.json("runs", "show", dead.id)["work"]["state"] == "new"
    assert "waits for no decision" in cli("runs", "decide", KEY, "repeat", code=1).stderr


def test_a_dry_run_shows_the_plan(cli, hub, dead):
    """Asked for without waiting; the answer of a worker is shown as a list."""
    asked = cli.json("runs", "dry-run", dead.id, "--no-wait")
    assert asked["state"] == "new"
    assert asked["id"] in cli("runs", "dry-run", dead.id, "--no-wait").stdout
    hub.store.commands.take(now=hub.clock.now(), lease_s=30)
    plans = [{"step": "send", "plan": "POST /sign_requests for order 1042"}]
    result = {"plans": plans, "state": "done", "note": "Sent."}
    hub.store.commands.done(asked["id"], at=hub.clock.now(), result=result)
    assert hub.work.command(CLI, asked["id"]).result == result


def test_integrations_are_made_changed_and_stopped(cli, kind, tmp_path):
    """Inactive at first; what hinders it is said; activation names each field."""
    assert cli.json("integrations", "kinds", kind.name)["name"] == kind.name
    assert kind.name in cli("integrations", "kinds").stdout
    made = cli.json("integrations", "add", kind.name, "--name", "Contracts")
    assert (made["integration"]["id"], made["integration"]["state"]) == ("int_1", "inactive")
    assert [one for one in made["problems"] if one["blocks"]]
    shown = cli("integrations", "show", "int_1")
    assert "To be mended" in shown.stderr
    refused = cli("integrations", "activate", "1", code=2)
    assert "connection_id" in refused.stderr
    (tmp_path / "lines.txt").write_text("full_name = customer.name\nphone = customer.phone\n")
    changed = cli.json(
        "integrations", "set", "int_1", "--setting", f"prefill=@{tmp_path}/lines.txt"
    )
    assert changed["integration"]["settings"]["prefill"].splitlines()[1].startswith("phone")
    assert "cannot become paused" in cli("integrations", "pause", "1", code=1).stderr
    assert "int_1 is inactive" in cli("integrations", "deactivate", "1").stdout
    assert "int_1" in cli("integrations", "list").stdout
    assert "settings.hue" in cli("integrations", "set", "1", "--setting", "hue=1", code=2).stderr


def test_connections_never_take_a_secret_from_the_command_line(cli):
    """A shell keeps what is typed: files, variables and prompts only."""
    refused = cli(
        "connections", "add", "b", "--provider", "box", "--method", "ccg",
        "--secret", f"client_secret={SECRET}", code=2,
    )  # fmt: skip
    assert "file:PATH or env:NAME" in refused.stderr
    assert SECRET not in refused.output
    unasked = cli("connections", "set-secret", "b", "client_secret", code=1)
    assert "no connection" in unasked.stderr.lower()


def test_connections_are_shown_without_secrets(cli, hub):
    """List, show and delete; a secret's name and age are all that is told."""
    now = datetime.now(UTC)
    connection = Connection(
        id="box-main", provider="box", name="Box", method="ccg", settings={}, created_at=now,
        updated_at=now,
    )  # fmt: skip
    from inkwire.store.acting import SecretText

    audit = Auditor(hub.clock, hub.ids).entry(CLI, "connection.create", "box-main")
    secret = SecretText(name="client_secret", value=SECRET)
    hub.store.connections.add(connection, [secret], audit=audit)
    assert "box-main" in cli("connections", "list").stdout
    shown = cli("connections", "show", "box-main")
    assert "client_secret" in shown.stdout
    assert SECRET not in shown.output + json.dumps(cli.json("connections", "show", "box-main"))
    assert "Nobody is there" in cli("connections", "set-secret", "box-main", "x", code=2).stderr
    assert "Say --yes" in cli("connections", "delete", "box-main", code=2).stderr
    cli("connections", "delete", "box-main", "--yes")
    assert cli.json("connections", "list") == []


@pytest.fixture(scope="module")
def box_config():
    """The file of Box's console, with a key of our own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"pass phrase"),
    ).decode()
    auth = {"publicKeyID": "abcd1234", "privateKey": pem, "passphrase": "pass phrase"}
    app = {"clientID": "client-id-1", "clientSecret": SECRET, "appAuth": auth}
    return {"boxAppSettings": app, "enterpriseID": "1234567"}


def test_boxs_file_makes_a_connection_that_is_checked(cli, tmp_path, box_config):
    """All six fields out of the one file; the check names what fails, and none of the secrets."""
    (tmp_path / "box_config.json").write_text(json.dumps(box_config))
    made = cli.json(
        "connections", "add", "box-main", "--provider", "box", "--method", "jwt",
        "--file", f"{tmp_path}/box_config.json",
        "--setting", "token_url=http://127.0.0.1:9/token",
    )  # fmt: skip
    assert made["settings"]["client_id"] == "client-id-1"
    assert made["settings"]["enterprise_id"] == "1234567"
    assert set(made["secrets_set"]) == {
        "client_secret", "public_key_id", "private_key", "passphrase",
    }  # fmt: skip
    checked = cli("connections", "check", "box-main", code=1)
    assert "✗" in checked.stdout
    assert "127.0.0.1" in checked.stdout
    assert not cli.json("connections", "check", "box-main", code=1)[0]["ok"]
    (tmp_path / "secret.txt").write_text("another-client-secret-00000000\n")
    given = f"file:{tmp_path}/secret.txt"
    cli("connections", "set-secret", "box-main", "client_secret", "--from", given)
    shown = cli("connections", "show", "box-main").output
    assert SECRET not in shown + json.dumps(made) + checked.output


def test_a_sign_in_begins_in_the_console(cli, hub):
    """The command names the page: a sign-in is bound to the browser that begins it."""
    made = cli(
        "connections", "add", "crm", "--provider", "salesforce", "--method", "web_server",
        "--setting", "client_id=3MVG9",
    )  # fmt: skip
    assert "inkwire connections authorize crm" in made.stdout
    told = cli("connections", "authorize", "crm").stdout
    assert f"{hub.settings.base_url}/console/connections/crm" in told
    assert "Connect" in told
    assert hub.store.access.audit()[0].action == "connection.create", "nothing was begun"
    cli(
        "connections", "add", "crm-two", "--provider", "salesforce", "--method",
        "web_server", "--setting", "client_id=3MVG9", "--json",
    )  # fmt: skip
    checked = cli.json("connections", "check", "crm-two", code=1)
    assert "Sign in" in checked[0]["detail"]
    assert [one["ok"] for one in checked] == [False] * 8


def test_nobody_signs_in_for_an_app_of_its_own(cli, monkeypatch):
    """Client credentials authenticate by themselves."""
    monkeypatch.setenv("CRM_SECRET", SECRET)
    cli(
        "connections", "add", "crm", "--provider", "salesforce", "--method",
        "client_credentials", "--setting", "client_id=3MVG9",
        "--setting", "my_domain=acme.lightning.force.com", "--secret", "client_secret=env:CRM_SECRET",
    )  # fmt: skip
    assert "https://acme.my.salesforce.com" in cli("connections", "show", "crm").stdout
    refused = cli("connections", "authorize", "crm", code=2)
    assert "inkwire connections check crm" in refused.stderr


def test_salesforce_by_a_key_in_a_file(cli, hub, monkeypatch, tmp_path):
    """A key with CRLF is mended, a wrong passphrase told; neither is ever shown."""
    (tmp_path / "inkwire.key").write_bytes(pem().replace("\n", "\r\n").encode())
    given = (
        "connections", "add", "crm", "--provider", "salesforce", "--method", "jwt_bearer",
        "--setting", "client_id=3MVG9", "--setting", "my_domain=https://acme.my.salesforce.com",
        "--setting", "as_user=inkwire@acme.com",
        "--secret", f"private_key=file:{tmp_path}/inkwire.key", "--secret", "passphrase=env:PHRASE",
    )  # fmt: skip
    monkeypatch.setenv("PHRASE", "another")
    assert "does not open this private key" in cli(*given, code=2).stderr
    monkeypatch.setenv("PHRASE", PASSPHRASE)
    made = cli(*given)
    assert "inkwire connections check crm" in made.stdout
    shown = cli("connections", "show", "crm").output
    assert "PRIVATE KEY-" not in made.output + shown and PASSPHRASE not in made.output + shown
    assert hub.store.connections.open_secrets("crm")["private_key"] == pem()


def test_methods_are_listed(no_store):
    """Without a store: each provider's ways, with settings and secrets."""
    found = {(one["provider"], one["name"]) for one in no_store.json("connections", "methods")}
    assert {("box", "jwt"), ("box", "ccg"), ("box", "oauth"), ("salesforce", "web_server"),
            ("salesforce", "jwt_bearer")} <= found  # fmt: skip
    assert "--provider box --method jwt" in no_store("connections", "methods").stdout
