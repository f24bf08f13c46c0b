"""What a hostile look at orders, connections and the sandbox found: each can come back no more."""

import os
import stat
import threading

import pytest
import requests

from api.conftest import Client, build  # the API as the hub mounts it
from documents.pdfs import NOW, Signer, blank
from fakes.box_server import Reply
from fakes.hub import open_rooms
from fakes.sandbox import SandboxProcess
from inkwire.access.gate import CLI
from inkwire.documents.verdict_apart import look
from inkwire.engine.runtime import Runtime
from inkwire.errors import AddressRefused, RateLimited, Transient
from inkwire.model.access import APPLICATION_SCOPES, Scope
from inkwire.outbound.guard import Guard
from inkwire.outbound.requests_adapter import Places
from inkwire.providers.box.client import reading
from providers.test_box_client import kit, make_kit, sessions  # noqa: F401 - fixtures

ACTING = (
    "orders",
    "order-statuses",
    "documents",
    "templates",
    "connections",
    "connection-methods",
    "integrations",
    "integration-kinds",
    "work",
    "ledger",
    "commands",
    "executors",
)


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """Rooms and a client that may do everything."""
    with open_rooms(tmp_path_factory.mktemp("hub") / "data") as rooms:
        _, key = rooms.gate.add_api_key(CLI, name="all", scopes=frozenset(Scope))
        yield rooms, Client(build(rooms), key)


def test_an_applications_key_reaches_nothing_of_what_the_hub_does(busy):
    """Orders, documents, connections, runs: 403 at every address, whatever the key may."""
    rooms, client = busy
    application = rooms.applications.create(CLI, name="Acme")
    _, key = rooms.gate.add_api_key(
        CLI, name="own", scopes=APPLICATION_SCOPES, application_id=application.id
    )
    own = Client(client.app, key)
    paths = {
        path: operations
        for path, operations in client.app.openapi()["paths"].items()
        if path.split("/")[2] in ACTING
    }
    assert {path.split("/")[2] for path in paths} == set(ACTING)
    answers = {
        (method, path): own.call(method.upper(), path.replace("{", "").replace("}", "")).status
        for path, operations in paths.items()
        for method in operations
    }
    assert set(answers.values()) == {403}, answers


@pytest.mark.parametrize("odd", ["\ud800", "a\udfffb", "\x00"])
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/ledger/decide", {"key": "odd", "decision": "abandon"}, "key"),
        ("/v1/templates", {"name": "odd"}, "name"),
        ("/v1/templates/preview", {"source": "hi", "order_id": "odd"}, "order_id"),
        ("/v1/integrations", {"kind": "odd", "name": "a"}, "kind"),
        ("/v1/integrations", {"kind": "toy_copy", "name": "a", "source_ids": ["odd"]}, "source_"),
        ("/v1/orders", {"number": "1", "customer": {"name": "odd"}}, "customer.name"),
    ],
)
def test_half_a_character_is_refused_by_the_field_that_holds_it(busy, path, body, field, odd):
    """Text with limits of its own let lone surrogates through, and the ledger answered 503."""

    def filled(value):
        if isinstance(value, dict):
            return {key: filled(one) for key, one in value.items()}
        return [odd] if isinstance(value, list) else odd if value == "odd" else value

    answer = busy[1].post(path, filled(body))
    assert answer.status == 422, answer.body
    assert answer.json()["errors"][0]["field"].startswith(field)


@pytest.mark.parametrize("label", ["xn--box-", "xn--ni7c0a1a"])
def test_a_name_that_folds_to_boxs_gets_no_token(label):
    """Punycode was decoded and folded before it was compared: another's domain passed for Box's."""
    places = Places(Guard((), lambda host, port: ["8.8.8.8"]), ("box.com",))
    assert places.addresses("api.BOX.com.", 443)
    for host in (f"{label}.com", f"api.{label}.com"):
        with pytest.raises(AddressRefused, match="credentials are not sent"):
            places.addresses(host, 443)


def test_names_in_a_signed_file_stay_short():
    """A field's name of two million characters went into the verdict, and so into every list."""
    signed = Signer("Jane Doe").sign(blank(), field="A" * 2_000_000)
    _, _, (one,) = look(signed, trust=b"", now=NOW)
    assert one["field"] == "A" * 200
    assert one["signer"] == "Jane Doe"


def test_what_a_signer_wrote_can_be_kept():
    """Half a character in a reason stopped its run at each try; a long one was too much for it."""
    decision = {"type": "declined", "additional_info": "no \ud83d" + "x" * 100_000}
    sign = reading.sign({"id": "1", "status": "declined", "signers": [
        {"email": "jane\udc00@example.com", "signer_decision": decision}
    ]})  # fmt: skip
    assert sign.reason.startswith("no ?x")
    assert len(sign.reason) == reading.MAX_REASON
    assert sign.signer_emails == ("jane?@example.com",)


def test_the_engines_file_is_for_nobody_else(tmp_path):
    """It holds signers' addresses; a folder that others may read must not give them away."""
    before = os.umask(0)
    try:
        Runtime(f"sqlite:///{tmp_path}/inkwire.db", threads=1)._place()
    finally:
        os.umask(before)
    assert {_mode(path) for path in tmp_path.iterdir()} == {0o600}


def test_previews_leave_threads_to_others(busy):
    """Each waited half a minute on a thread of the API: forty of them stopped it altogether."""
    desk = busy[0].hub.templates
    for _ in range(2):
        assert desk._turns.acquire(blocking=False)
    refused, made = threading.Event(), []

    def ask():
        try:
            made.append(desk.preview("hi")[:5])
        except RateLimited:
            refused.set()

    threads = [threading.Thread(target=ask) for _ in range(9)]
    for thread in threads:
        thread.start()
    soon = refused.wait(10)
    for _ in range(2):
        desk._turns.release()
    for thread in threads:
        thread.join(60)
    assert soon, "the ninth waits as well"
    assert made == [b"%PDF-"] * 8


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """The real process in a folder that it makes, where everybody may make files readable."""
    before = os.umask(0)
    try:
        with SandboxProcess(tmp_path_factory.mktemp("box") / "state") as process:
            yield process
    finally:
        os.umask(before)


def test_the_sandboxs_keys_are_for_nobody_else(sandbox):
    """Its state holds secrets, keys and tokens; somebody may have entered real ones."""
    assert _mode(sandbox.folder) == 0o700
    assert {_mode(path) for path in sandbox.folder.iterdir()} == {0o600}


@pytest.mark.parametrize("name", ["evil.example", "evil.example:{port}", "[", ""])
def test_the_sandbox_answers_to_this_machines_names_only(sandbox, name):
    """A page whose name was rebound to 127.0.0.1 could read keys and register webhooks."""
    host = name.format(port=sandbox.port)
    answer = requests.get(f"{sandbox.url}/box", headers={"host": host}, timeout=60)
    assert answer.status_code in (400, 403)
    assert sandbox.box["client_secret"] not in answer.text
    local = requests.get(f"{sandbox.url}/box", headers={"host": "localhost:1"}, timeout=60)
    assert sandbox.box["client_secret"] in local.text


def test_a_download_that_leads_to_no_address_is_tried_again(kit):  # noqa: F811 - a fixture
    """It was no error of ours, and so the defect of a run that nobody could retry with sense."""
    to_nowhere = Reply(302, headers={"Location": "https://[x"})
    kit.server.on("GET", "/2.0/files/9/content", to_nowhere)
    with pytest.raises(Transient, match="no address"):
        kit.box.download("9")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"blocks": [{"lines": [{"description": "x"}] * 10_000}]}, "blocks.0.lines"),
        ({"blocks": [{"lines": [{"description": "x"}] * 251}] * 2}, "blocks"),
        ({"blocks": [{}] * 51}, "blocks"),
        ({"fields": {f"f{number}": "" for number in range(101)}}, "fields"),
        ({"fields": {"f": "x" * 2001}}, "fields.f"),
        ({"blocks": [{"lines": [{"description": "x", "quantity": "1e9"}]}]}, "blocks.0.lines.0"),
        ({"blocks": [{"lines": [{"description": "x", "unit_price": "٣"}]}]}, "blocks.0.lines.0"),
    ],
)
def test_an_order_has_its_measure(busy, body, field):
    """Ten thousand lines, numbers of other scripts and powers: refused by name, nothing kept."""
    whole = {"number": "big", "customer": {"name": "Jane"}, **body}
    answer = busy[1].post("/v1/orders", whole)
    assert answer.status == 422
    assert answer.json()["errors"][0]["field"].startswith(field)
    assert busy[1].get("/v1/orders/big").status == 404


@pytest.mark.parametrize("what", ["", "/timeline", "/documents", "/evidence"])
def test_an_orders_number_opens_all_of_it(busy, what):
    """Documents and evidence knew ids only, and denied an order that its own address showed."""
    client = busy[1]
    client.post("/v1/orders", {"number": "2026-9", "customer": {"name": "Jane"}})
    order_id = client.get("/v1/orders/2026-9").json()["id"]
    assert client.get(f"/v1/orders/2026-9{what}").status == 200
    assert client.get(f"/v1/orders/{order_id}{what}").status == 200
    assert client.get(f"/v1/orders/2026-90{what}").status == 404


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)
