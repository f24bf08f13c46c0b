"""What Box itself refuses, met by the real engine: each ends in a clear state with the way out.

One sandbox and one hub at work for all of them; each test has orders, and often a folder, of its
own, and mends what it broke.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from fakes.at_work import at_work
from fakes.sandbox import SandboxProcess, until
from inkwire.access.gate import CLI
from inkwire.auditing import Auditor
from inkwire.config import load_settings
from inkwire.engine.schedule import is_upkeep
from inkwire.errors import InvalidInput
from inkwire.hub import Hub, open_hub
from inkwire.integrations.desk import IntegrationChange, IntegrationDraft
from inkwire.model.connection import ConnectionHealth
from inkwire.model.order import LineKind, Order, Template
from inkwire.model.work import (
    CommandState,
    ErrorKind,
    IntegrationState,
    ParkCause,
    Work,
    WorkState,
)
from inkwire.orders.templates import default_source
from inkwire.sources.desk import SourceDraft
from inkwire.store.acting import WorkQuery
from inkwire.store.open import migrate

ALL_SCOPES = ("root_readwrite", "manage_webhook", "sign_requests.readwrite")
ENDED = frozenset({WorkState.DONE, WorkState.DEAD, WorkState.PARKED, WorkState.CANCELLED})
_numbers = itertools.count(1)


@dataclass
class Office:
    """A hub whose engine works, and the Box that it calls."""

    hub: Hub
    box: SandboxProcess
    template: str

    def order(self, number: str = "", **more: Any) -> Order:
        """An order with a customer of its own."""
        one = next(_numbers)
        customer = {"name": "Jane Doe", "email": f"jane{one}@example.com"}
        draft = {"number": number or f"F-{one}", "customer": customer, **more}
        return self.hub.orders.add(CLI, draft)

    def send(self, order: Order, *, number: int = 1) -> Work:
        """The order comes into the trigger status; the work of that integration."""
        self.hub.orders.move(CLI, order.id, "request_signature")
        return self.work(order, number=number)

    def work(self, order: Order, *, number: int = 1) -> Work:
        query = WorkQuery(entity_key=f"order:{order.id}", integration_id=number)
        return self.hub.store.works.page(query)[0]

    def upkeep(self) -> set[WorkState]:
        """How far what the clock makes is: `set_up`, `reconcile`, `find_orphans`."""
        rows = [
            row for row in self.hub.store.works.page(WorkQuery(integration_id=1)) if is_upkeep(row)
        ]
        return {row.state for row in rows} if len(rows) >= 3 else set()

    def settled(self, work: Work, *, runs: int = 0) -> Work:
        """The row once it waits for somebody or has ended; after more than so many `runs`."""

        def found() -> Work | None:
            row = self.hub.store.works.get(work.id)
            return row if row.state in ENDED and row.run_number > runs else None

        return until(found)

    def checked(self) -> dict[str, Any]:
        """“Request authentication”, as a person asks for it: what each scope gave."""
        asked = self.hub.work.check_connection(CLI, "box")
        done = until(lambda: self._done(asked.id))
        return {row["name"]: row for row in done.result}

    def _done(self, command_id: str) -> Any:
        found = self.hub.work.command(CLI, command_id)
        return found if found.state is CommandState.DONE else None

    def health(self) -> tuple[ConnectionHealth, str]:
        connection = self.hub.store.connections.get("box")
        return connection.health, connection.health_note

    def change(self, number: int = 1, **settings: Any) -> None:
        """Settings of the integration."""
        change = IntegrationChange(settings=settings)
        self.hub.integrations.change(CLI, number, change)

    def requests(self, order: Order) -> list[dict[str, Any]]:
        """The order's sign requests at Box."""
        wanted = f"{order.id}:"
        return [one for one in self.box.sign_requests() if one["external_id"].startswith(wanted)]

    def mails(self, order: Order) -> int:
        """Mails that asked its customer to sign."""
        sent = self.box.mails(order.customer.email)
        return sum("signature" in mail["subject"] for mail in sent)

    def lines(self, order: Order, kind: LineKind) -> list[str]:
        found = self.hub.store.orders.timeline(order.id, limit=100)
        return [line.text for line in found if line.kind is kind]

    def call(self, method: str, path: str, **more: Any) -> Any:
        """A call at Box by the application itself, as an administrator might make it."""
        app = self.box.box
        form = {
            "client_id": app["client_id"],
            "client_secret": app["client_secret"],
            "grant_type": "client_credentials",
            "box_subject_type": "enterprise",
            "box_subject_id": app["enterprise_id"],
        }
        base = app["base_url"]
        token = requests.post(f"{base}/oauth2/token", data=form, timeout=60).json()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        answer = requests.request(method, f"{base}/2.0{path}", headers=headers, timeout=60, **more)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def folder(self) -> str:
        """The folder that the integration knows."""
        return self.hub.store.integrations.get(1).remote["folder_id"]


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    """A connection, a source, a template and an active integration, at work."""
    folder = tmp_path_factory.mktemp("faults")
    with SandboxProcess(folder / "box") as box:
        box.pace(convert_s=0.02, finalize_s=0.02, ready_after_s=0)
        settings = load_settings(
            data_dir=folder / "hub", outbound_allow="127.0.0.1/32", disk_reserve_bytes=0
        )
        migrate(settings)
        with open_hub(settings) as hub:
            template = _set_up(hub, box)
            with at_work(hub):
                office = Office(hub, box, template)
                # Upkeep that met a test's fault first would hold the connection before its order.
                until(lambda: office.upkeep() == {WorkState.DONE})
                yield office


def _set_up(hub: Hub, box: SandboxProcess) -> str:
    app = box.box
    hub.connections.add(
        CLI,
        connection_id="box",
        provider="box",
        name="Box",
        method="ccg",
        settings={
            "client_id": app["client_id"],
            "enterprise_id": app["enterprise_id"],
            "api_url": app["base_url"],
            "upload_url": app["upload_url"],
            "token_url": f"{app['base_url']}/oauth2/token",
        },
        secrets={"client_secret": app["client_secret"]},
    )
    keys = {"primary": app["primary_key"], "secondary": app["secondary_key"]}
    hub.desk.create(CLI, SourceDraft(id="box", provider="box", name="Box", secrets=keys))
    template = hub.templates.add(CLI, name="Confirmation 📝/1", source=default_source())
    made = hub.integrations.add(CLI, draft(template.id))
    hub.integrations.move(CLI, made.integration.id, IntegrationState.ACTIVE)
    return template.id


def draft(template: str, **settings: Any) -> IntegrationDraft:
    """An integration that lacks nothing."""
    return IntegrationDraft(
        kind="box_sign_orders",
        name="Box Sign orders",
        settings={"templates": template, "order_field": "sign_request_id", **settings},
        connection_id="box",
        source_ids=("box",),
    )


@pytest.fixture(autouse=True)
def whole(office):
    """Every test begins with a connection that works."""
    office.box.change_app(scopes=list(ALL_SCOPES), authorized=True)
    office.hub.connections.change(CLI, "box", settings={"as_user": ""})
    assert all(row["ok"] for row in office.checked().values())
    assert office.health() == (ConnectionHealth.OK, "")


def test_a_missing_scope_parks_the_work_until_it_is_ticked(office):
    """The box to tick is named; nothing is sent; once it is ticked and checked, all goes on."""
    office.box.change_app(scopes=["root_readwrite", "manage_webhook"])
    order = office.order()
    parked = office.settled(office.send(order))
    assert (parked.state, parked.park_cause) == (WorkState.PARKED, ParkCause.CONNECTION)
    assert parked.error_kind is ErrorKind.AUTH
    assert "Tick “Manage signature requests”" in parked.note
    health, note = office.health()
    assert health is ConnectionHealth.NEEDS_ATTENTION
    assert "Manage signature requests" in note
    second = office.order()
    waiting = office.send(second)
    refused = office.checked()
    assert [name for name, row in refused.items() if not row["ok"]] == ["sign_requests.readwrite"]
    assert office.requests(order) == [] == office.requests(second)
    office.box.change_app(scopes=list(ALL_SCOPES))
    assert all(row["ok"] for row in office.checked().values())
    for one, work in ((order, parked), (second, waiting)):
        until(lambda work=work: office.hub.store.works.get(work.id).state is WorkState.DONE)
        assert len(office.requests(one)) == 1
        until(lambda one=one: office.mails(one))
        assert office.mails(one) == 1


def test_a_revoked_app_parks_the_work_until_it_is_authorised(office):
    """Every call is refused: an admin is told where to authorise, then nothing is lost."""
    order = office.order()
    office.box.change_app(authorized=False)
    parked = office.settled(office.send(order))
    assert (parked.state, parked.park_cause) == (WorkState.PARKED, ParkCause.CONNECTION)
    assert "authorise" in parked.note
    assert "Admin Console" in parked.note
    assert office.health()[0] is ConnectionHealth.NEEDS_ATTENTION
    checks = office.checked()
    assert not checks["token"]["ok"]
    assert checks["user"]["detail"] == "Not tried: there is no token."
    office.box.change_app(authorized=True)
    assert all(row["ok"] for row in office.checked().values())
    until(lambda: office.hub.store.works.get(parked.id).state is WorkState.DONE)
    assert len(office.requests(order)) == 1


def test_a_user_without_access_is_named(office):
    """`as user` of somebody who may not: who it is, what to change; then it goes on."""
    assert office.settled(office.send(office.order())).state is WorkState.DONE
    office.hub.connections.change(CLI, "box", settings={"as_user": "4711"})
    order = office.order()
    dead = office.settled(office.send(order))
    assert (dead.state, dead.error_kind) == (WorkState.DEAD, ErrorKind.PERMANENT)
    assert f"on folder {office.folder()}: user 4711, whom calls act as" in dead.note
    assert "Invite user 4711 as editor of the folder in Box, then retry" in dead.note
    checks = office.checked()
    assert checks["token"]["ok"]
    assert "empty “as user” of the connection" in checks["user"]["detail"]
    assert "as-user header" in checks["user"]["detail"]
    assert office.health()[0] is ConnectionHealth.NEEDS_ATTENTION
    office.hub.connections.change(CLI, "box", settings={"as_user": ""})
    assert all(row["ok"] for row in office.checked().values())
    office.hub.work.retry(CLI, dead.id)
    assert office.settled(dead, runs=1).state is WorkState.DONE
    assert len(office.requests(order)) == 1


def test_a_folder_that_was_renamed_stays_and_a_deleted_one_is_made_anew(office):
    """By its id, whatever it is called; in Box's trash it is as good as gone."""
    assert office.settled(office.send(office.order())).state is WorkState.DONE
    first = office.folder()
    office.call("PUT", f"/folders/{first}", json={"name": "Somebody's own name"})
    assert office.settled(office.send(office.order())).state is WorkState.DONE
    assert office.folder() == first
    office.call("DELETE", f"/folders/{first}?recursive=true")
    order = office.order()
    assert office.settled(office.send(order)).state is WorkState.DONE
    assert office.folder() != first
    assert len(office.requests(order)) == 1
    assert office.requests(order)[0]["folder"] == office.folder()


def test_a_strangers_file_of_our_name_is_left_alone(office):
    """Names with emoji and slashes reach Box, and what stands there already is not touched."""
    assert office.settled(office.send(office.order())).state is WorkState.DONE
    number = "A/1: 😀 “Ж” " + "9" * 40
    name = f"A-1- 😀 “Ж” {'9' * 40} Confirmation 📝-1.pdf"
    attributes = f'{{"name": "{name}", "parent": {{"id": "{office.folder()}"}}}}'
    parts = {"attributes": (None, attributes.encode()), "file": ("file", b"a stranger's")}
    theirs = office.call("POST", "/files/content", files=parts)["entries"][0]
    order = office.order(number)
    assert office.settled(office.send(order)).state is WorkState.DONE
    (request,) = office.requests(order)
    (file,) = request["source_files"]
    assert file != theirs["id"]
    at_box = office.call("GET", f"/files/{file}")
    assert at_box["name"] == name.replace(".pdf", " (2).pdf")
    assert office.call("GET", f"/files/{theirs['id']}")["sha1"] == theirs["sha1"]


def test_an_unusable_template_names_line_and_column_until_it_is_mended(office):
    """It compiles with the sample and not with this order: nothing half done, then retried."""
    source = '#let o = json(bytes(sys.inputs.order))\n#if o.customer.city == "Oslo" { nowhere }'
    bad = office.hub.templates.add(CLI, name="Odd", source=source)
    office.change(templates=bad.id)
    order = office.order(customer={"name": "Kari", "email": "kari@example.com", "city": "Oslo"})
    dead = office.settled(office.send(order))
    assert (dead.state, dead.error_kind) == (WorkState.DEAD, ErrorKind.PERMANENT)
    assert "The template Odd" in dead.note
    assert "line 2, column " in dead.note
    assert "then retry" in dead.note
    assert office.requests(order) == []
    office.hub.templates.change(CLI, bad.id, name=None, source="= Mended", expected=1)
    office.hub.work.retry(CLI, dead.id)
    assert office.settled(dead, runs=1).state is WorkState.DONE
    assert len(office.requests(order)) == 1
    office.change(templates=office.template)


def test_more_files_than_box_takes_are_refused_before_anything_is_sent(office):
    """Eleven templates: the form says so, and keeps what it had."""
    kept = [office.hub.ids.new("tpl") for _ in range(11)]
    for number, template_id in enumerate(kept):
        now = office.hub.clock.now()
        made = Template(
            id=template_id, name=f"T{number}", version=1, created_at=now, updated_at=now
        )
        audit = Auditor(office.hub.clock, office.hub.ids).entry(CLI, "template.create", made.id)
        office.hub.store.templates.save(made, "= T", by="cli", audit=audit)
    with pytest.raises(InvalidInput) as caught:
        office.change(templates=",".join(kept))
    assert "at most 10 files" in caught.value.fields["settings.templates"]
    assert office.hub.store.integrations.get(1).settings["templates"] == office.template


def test_a_customer_without_an_address_waits_for_one(office):
    """A question on the order, and a retry that goes on with what was added."""
    order = office.order(customer={"name": "Nobody yet"})
    dead = office.settled(office.send(order))
    assert (dead.state, dead.error_kind) == (WorkState.DEAD, ErrorKind.PERMANENT)
    assert "add it to the order, then retry" in dead.note
    assert office.lines(order, LineKind.ATTENTION) == [dead.note]
    office.hub.orders.change(CLI, order.id, {"customer": {"email": "late@example.com"}})
    office.hub.work.retry(CLI, dead.id)
    assert office.settled(dead, runs=1).state is WorkState.DONE
    (request,) = office.requests(order)
    assert "late@example.com" in [signer["email"] for signer in request["signers"]]


def test_two_integrations_on_one_status_send_one_request_each(office):
    """Warned of, and kept apart by their external ids."""
    made = office.hub.integrations.add(CLI, draft(office.template, order_field="second_id"))
    label, number = made.integration.label, made.integration.id
    warned = office.hub.integrations.move(CLI, number, IntegrationState.ACTIVE)
    assert any("a mail from each" in problem.text for problem in warned.problems)
    order = office.order()
    first = office.send(order)
    second = office.work(order, number=number)
    for work in (first, second):
        assert office.settled(work).state is WorkState.DONE
    ids = {one["external_id"] for one in office.requests(order)}
    assert ids == {f"{order.id}:int_1", f"{order.id}:{label}"}
    fields = office.hub.store.orders.get(order.id).fields
    assert fields["sign_request_id"] != fields["second_id"]
    office.hub.integrations.move(CLI, number, IntegrationState.INACTIVE)


def test_an_order_that_changes_while_its_work_waits_is_sent_as_it_is(office):
    """Edited, and another deleted, while the connection was down: no old address gets a mail."""
    office.box.change_app(authorized=False)
    edited, deleted = office.order(), office.order()
    works = [office.send(order) for order in (edited, deleted)]
    until(lambda: office.health()[0] is ConnectionHealth.NEEDS_ATTENTION)
    office.hub.orders.change(CLI, edited.id, {"customer": {"email": "new@example.com"}})
    office.hub.orders.delete(CLI, deleted.id)
    office.box.change_app(authorized=True)
    assert all(row["ok"] for row in office.checked().values())
    for work in works:
        until(lambda work=work: office.hub.store.works.get(work.id).state is WorkState.DONE)
    (request,) = office.requests(edited)
    assert "new@example.com" in [signer["email"] for signer in request["signers"]]
    assert office.mails(edited) == 0
    assert office.requests(deleted) == []
    assert "deleted" in office.hub.store.works.get(works[1].id).note


def test_nothing_that_was_kept_holds_a_secret(office):
    """After all that: no file of the hub holds the client's secret, a token or a signature key."""
    app = office.box.box
    office.settled(office.send(office.order()))
    token = office.hub.store.connections.token("box").token
    secrets = [app["client_secret"], app["primary_key"], app["secondary_key"], token.access]
    looked = 0
    for path in office.hub.settings.data_dir.rglob("*"):
        if path.is_file():
            content, looked = path.read_bytes(), looked + 1
            assert not [secret for secret in secrets if secret.encode() in content], path
            assert path.stat().st_mode & 0o077 == 0, f"{path} may be read by others"
    assert looked > 5
    told = "".join(
        f"{one.detail}{one.value}"
        for work in office.hub.store.works.page(WorkQuery(limit=100))
        for one in office.hub.store.run_log.steps(work.id)
    )
    assert "jane" in told
    assert not [secret for secret in secrets if secret in told]
