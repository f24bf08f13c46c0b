"""Connections, integrations and runs in the console: what is read, done and refused."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from fakes.acted import SETTINGS, Acted, fill_acting
from fakes.pages import PASSWORD, Pages
from fakes.rsa_keys import PASSPHRASE, ec_pem, pem
from fakes.visitor import Visitor
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.console import acting_words, run_rows, setup_words
from inkwire.model.connection import ConnectionHealth
from inkwire.model.work import (
    CommandKind,
    ErrorKind,
    IntegrationState,
    LedgerState,
    ParkCause,
    StepResult,
    WorkState,
)
from inkwire.orders.templates import default_source

SECRET = "a-client-secret-of-box-that-nobody-sees"


@pytest.fixture
def day(pages: Pages, clock: ManualClock) -> Acted:
    """A hub with a connection and an active integration; tests add the work."""
    day = Acted(pages, lambda seconds: clock.advance(seconds=seconds))
    pages.source("box-contracts", "box", "Box – contracts")
    day.connection("box-main", "Box – main", health=ConnectionHealth.OK)
    day.integration = day.integrate(
        "Contracts",
        IntegrationState.ACTIVE,
        connection_id="box-main",
        settings={"order_field": "sign_request_id"},
    )
    return day


@pytest.fixture
def admin(as_: Any, day: Acted) -> Iterator[Visitor]:
    """An administrator with a form token at hand."""
    visitor = as_("admin")
    visitor.get("/settings")
    yield visitor


def actions(html: str) -> set[str]:
    """The last parts of the addresses that a page's forms go to."""
    return {one.rpartition("/")[2] for one in re.findall(r'action="([^"]+)"', html)}


# --- connections


def test_a_connection_is_made_from_the_consoles_file_and_tried(pages, admin):
    """The whole JSON file stands for the parts; a worker is asked; no secret comes back."""
    file = json.dumps(
        {
            "boxAppSettings": {
                "clientID": "abc",
                "clientSecret": SECRET,
                "appAuth": {"publicKeyID": "k1", "privateKey": ec_pem(), "passphrase": ""},
            },
            "enterpriseID": "1234567",
        }
    )
    wanted = {"name": "Box", "id": "box-two", "settings.algorithm": "RS256"}
    wrong = admin.post("/new-connection/box/jwt", wanted | {"secrets.config_file": file})
    assert wrong.status == 422, "the key is no RSA key"
    field = re.search(r'id="f-secrets\.private_key-error">([^<]+)<', wrong.text)
    assert field is not None
    assert "RSA" in field[1]
    assert SECRET not in wrong.text
    assert pages.hub.connections.all(CLI)[-1].id == "box-main"
    given = {"settings.client_id": "abc", "settings.enterprise_id": "77", "name": "Box"}
    made = admin.post(
        "/new-connection/box/ccg", given | {"id": "box-two", "secrets.client_secret": SECRET}
    )
    page = admin.follow(made)
    assert "A worker tries it now" in page.words
    assert 'hx-trigger="every 1s"' in page.text
    assert SECRET not in page.text
    asked = pages.hub.store.commands.latest(CommandKind.CHECK_CONNECTION, "box-two")
    assert asked is not None
    assert "Client secret set on 2026-11-20" in page.words


def test_a_salesforce_connection_by_a_key(pages, admin):
    """Key and passphrase have fields of their own; what is wrong with a key stands beside it."""
    form = admin.get("/new-connection/salesforce/jwt_bearer").text
    assert '<textarea id="f-secrets.private_key"' in form
    assert re.search(r'<input[^>]*type="password"[^>]*name="secrets\.passphrase"', form) or (
        re.search(r'name="secrets\.passphrase"[^>]*type="password"', form)
    )
    given = {
        "name": "Salesforce",
        "id": "crm",
        "settings.my_domain": "acme.lightning.force.com",
        "settings.client_id": "3MVG9",
        "settings.as_user": "inkwire@acme.com",
        "secrets.passphrase": PASSPHRASE,
    }
    path = "/new-connection/salesforce/jwt_bearer"
    wrong = admin.post(path, given | {"secrets.private_key": ec_pem()})
    assert wrong.status == 422 and "no RSA key" in wrong.text and PASSPHRASE not in wrong.text
    made = admin.post(path, given | {"secrets.private_key": pem().replace("\n", "\r\n")})
    page = admin.follow(made)
    assert "https://acme.my.salesforce.com" in page.words and "Private key (PEM) set" in page.words
    assert "PRIVATE KEY--" not in page.text and PASSPHRASE not in page.text
    kept = pages.hub.store.connections.open_secrets("crm")
    assert kept == {"private_key": pem(), "passphrase": PASSPHRASE}


def test_what_is_wrong_is_told_beside_each_field(admin):
    """Every missing credential is named; what was typed stays, secrets do not."""
    answer = admin.post(
        "/new-connection/box/ccg",
        {"name": "Box", "id": "Not An Id", "settings.client_id": "typed-by-hand"},
    )
    assert answer.status == 422
    for name in ("id", "settings.enterprise_id", "secrets.client_secret"):
        assert f'id="f-{name}-error"' in answer.text, name
    assert 'value="typed-by-hand"' in answer.text
    taken = {"name": "B", "id": "box-main", "secrets.client_secret": SECRET}
    taken |= {f"settings.{key}": value for key, value in SETTINGS.items()}
    answer = admin.post("/new-connection/box/ccg", taken)
    assert answer.status == 409
    assert SECRET not in answer.text


def test_a_change_keeps_the_secrets_that_are_left_empty(pages, admin):
    """Only what was entered is replaced; the other way to authenticate asks for its own."""
    before = pages.hub.store.connections.open_secrets("box-main")
    given = {f"settings.{key}": value for key, value in SETTINGS.items()} | {"name": "Renamed"}
    answer = admin.post("/connections/box-main/edit", given)
    assert answer.status == 303
    assert pages.hub.store.connections.open_secrets("box-main") == before
    assert pages.hub.connections.get(CLI, "box-main").name == "Renamed"
    other = admin.get("/connections/box-main/edit?method=jwt")
    assert "Configuration file" in other.words
    assert admin.get("/connections/box-main/edit?method=magic").status == 404


def test_a_check_shows_each_finding_and_what_to_do(pages, admin, clock):
    """While it is under way the page asks again; then ✓ and ✗; late, it says where to look."""
    page = admin.follow(admin.post("/connections/box-main/check"))
    assert 'hx-trigger="every 1s"' in page.text
    clock.advance(seconds=60)
    late = admin.get("/connections/box-main")
    assert "No worker has answered yet" in late.words
    assert "every 1s" not in late.text
    asked = pages.hub.store.commands.latest(CommandKind.CHECK_CONNECTION, "box-main")
    found = [
        {"name": "user", "title": "Connected as", "ok": True, "detail": "Jane's app"},
        {"name": "sign", "title": "Sign requests", "ok": False, "detail": "Tick the box."},
    ]
    pages.hub.store.commands.done(asked.id, at=clock.now(), result=found)
    done = admin.get("/connections/box-main")
    assert "Connected as works Jane's app" in done.words
    assert "Sign requests does not work Tick the box." in done.words
    assert "every 1s" not in done.text


def test_a_connection_in_trouble_is_told_wherever_it_matters(pages, admin, day, clock):
    """The overview, the integration, the lists and the run that waits: one banner, one button."""
    why = "Box refuses the client secret `x`."
    pages.hub.store.connections.set_health(
        "box-main", ConnectionHealth.NEEDS_ATTENTION, why, at=clock.now()
    )
    clock.advance(seconds=1)
    work = day.add("k", "bring_home", "box:sign_request:1")
    label = day.integration.label
    for path in ("/", "/integrations", f"/integrations/{label}", "/runs"):
        page = admin.get(path)
        assert "Box refuses the client secret" in page.words, path
        assert 'href="/console/connections/box-main"' in page.text, path
    assert "Mend the connection" not in admin.get(f"/runs/{work.id}").words, "it waits for its turn"
    own = admin.get("/connections/box-main")
    assert "Box refuses the client secret" in own.words
    assert "check" in actions(own.text)


def test_a_connection_is_deleted_only_if_nobody_calls_by_it(pages, admin, day):
    """Used: no form, and who uses it. Free: with its id typed again."""
    assert "choose another connection there first" in admin.get("/connections/box-main").words
    assert admin.post("/connections/box-main/delete", {"confirm": "box-main"}).status == 409
    day.connection("box-free", "Free", health=ConnectionHealth.UNCHECKED)
    assert admin.post("/connections/box-free/delete", {"confirm": "box"}).status == 422
    gone = admin.follow(admin.post("/connections/box-free/delete", {"confirm": "box-free"}))
    assert "Deleted, with its secrets." in gone.words
    assert [one.id for one in pages.hub.connections.all(CLI)] == ["box-main"]


# --- integrations


def test_an_integration_is_made_of_what_there_is_to_choose(pages, admin):
    """Statuses are selects, templates and sources ticks; switches and numbers as described."""
    template = pages.hub.templates.add(CLI, name="Confirmation", source=default_source())
    form = admin.get("/new-integration/box_sign_orders").text
    assert '<option value="signed" selected>Signed (signed)</option>' in form
    assert f'name="settings.templates" value="{template.id}"' in form
    assert 'name="source_ids" value="box-contracts" checked' in form
    assert '<option value="box-main" selected>' in form
    fields = [
        ("name", "Contracts, two"),
        ("connection_id", "box-main"),
        ("source_ids", "box-contracts"),
        ("settings.templates", template.id),
        ("settings.order_field", "sign_request_id"),
        ("settings.days_valid", "14"),
        ("settings.stopped_status", ""),
    ]
    wrong = admin.post(
        "/new-integration/box_sign_orders", [*fields, ("settings.days_valid", "9999")]
    )
    assert wrong.status == 422
    assert 'id="f-settings.days_valid-error"' in wrong.text
    assert f'value="{template.id}" checked' in wrong.text, "what was ticked stays"
    page = admin.follow(admin.post("/new-integration/box_sign_orders", fields))
    assert "Made, inactive." in page.words
    made = pages.hub.store.integrations.all()[-1]
    assert made.settings["templates"] == template.id
    assert made.settings["reminders"] is False, "a switch that is off is not sent"
    assert made.source_ids == ("box-contracts",)
    assert "Templates Confirmation" in page.words


def test_what_blocks_keeps_an_integration_from_acting(pages, admin, day):
    """Each problem has its way out; there is no button, and a form sent anyway changes nothing."""
    idle = day.integrate("Idle", IntegrationState.INACTIVE)
    page = admin.get(f"/integrations/{idle.label}")
    assert "Blocks Choose the connection to Box that it calls by." in page.words
    assert f"/integrations/{idle.label}/edit#f-connection_id" in page.text
    assert "activate" not in actions(page.text)
    refused = admin.post(f"/integrations/{idle.label}/activate")
    assert refused.status == 422
    assert "It is not active" in refused.words
    assert pages.hub.store.integrations.get(idle.id).state is IntegrationState.INACTIVE
    assert "to mend" in admin.get("/integrations").words


def test_an_integration_is_paused_resumed_and_deactivated(pages, admin, day):
    """Each button stands beside the sentence that says what it means."""
    label, number = day.integration.label, day.integration.id
    page = admin.get(f"/integrations/{label}")
    assert "nothing is started and nothing is lost" in page.words
    assert {"pause", "deactivate"} <= actions(page.text)
    paused = admin.follow(admin.post(f"/integrations/{label}/pause"))
    assert pages.hub.store.integrations.get(number).state is IntegrationState.PAUSED
    assert "Paused. New work is kept and waits" in paused.words
    admin.post(f"/integrations/{label}/deactivate")
    assert pages.hub.store.integrations.get(number).state is IntegrationState.INACTIVE
    assert admin.get("/integrations/int_999").status == 404
    assert admin.get("/integrations/what").status == 404


def test_a_form_that_is_out_of_date_changes_nothing(pages, admin, day):
    """Two people change one integration: the second is told, and the first one's change stays."""
    label = day.integration.label
    page = admin.get(f"/integrations/{label}/edit")
    version = re.search(r'name="version" value="([^"]+)"', page.text)[1]
    before = pages.hub.store.integrations.get(day.integration.id)
    fields = {"name": "Other", "version": version, "settings.order_field": "f"}
    answer = admin.post(f"/integrations/{label}/edit", fields | {"version": "2020-01-01"})
    assert answer.status == 409
    assert pages.hub.store.integrations.get(day.integration.id) == before


# --- runs


def test_dead_letters_are_retried_by_their_cause(pages, admin, day, clock):
    """Counted in the rail and by cause; a retry starts those that failed alike, and no other."""
    for number in range(3):
        day.dead(f"p{number}", note="The address is wrong.")
    day.dead("t0", ErrorKind.TRANSIENT)
    clock.advance(seconds=11)
    page = admin.get("/runs?state=dead")
    assert '<span class="badge"' in page.text
    assert "It does not work as it stands" in page.words
    assert "The newest says: The address is wrong." in page.words
    assert "Retry these 3" in page.words
    done = admin.post("/runs/retry", {"integration": day.integration.label, "failed": "permanent"})
    after = admin.follow(done)
    assert "Started 3 dead letters again." in after.words
    left = pages.hub.store.works.dead()
    assert [(one.error_kind, one.count) for one in left] == [(ErrorKind.TRANSIENT, 1)]
    assert admin.post("/runs/retry", {"integration": "int_9"}).status == 404
    assert admin.post("/runs/retry", {"integration": "1", "failed": "odd"}).status == 422


def test_runs_are_filtered_by_the_address(admin, day):
    """Chips name what is on; upkeep is left out until it is asked for; a bad filter is told."""
    day.dead("d1")
    swept = day.run("reconcile/1", "reconcile", f"integration:{day.integration.id}:reconcile")
    day.end(swept, WorkState.DONE, "All is known.")
    assert "Read open sign requests again" not in admin.get("/runs").words
    assert "Read open sign requests again" in admin.get("/runs?upkeep=only").words
    page = admin.get(f"/runs?integration={day.integration.label}&entity=order:d1")
    assert "Integration Contracts" in page.words
    assert page.text.count("data-row") == 1
    assert admin.get("/runs?state=&parked=").location == "/console/runs"
    for bad in ("state=odd", "integration=x", "parked=odd", "upkeep=odd"):
        assert admin.get(f"/runs?{bad}").status == 422, bad


@pytest.mark.parametrize(
    ("decision", "state"),
    [
        ("adopt", LedgerState.DONE),
        ("repeat", LedgerState.REPEAT),
        ("abandon", LedgerState.ABANDONED),
    ],
)
def test_a_person_decides_a_create_in_doubt(pages, admin, day, as_, decision, state):
    """Three ways, each with what it means; the work goes on. Who may not, sees no buttons."""
    work, key = day.doubt("chg", "ord_1")
    page = admin.get(f"/runs/{work.id}")
    assert "waits for your decision" in page.words
    assert "the customer gets two mails" in page.words
    assert "decide" not in actions(as_("vera").get(f"/runs/{work.id}").text)
    fields = {"key": key, "decision": decision}
    if decision == "adopt":
        wrong = admin.post(f"/runs/{work.id}/decide", fields | {"remote_id": "two words"})
        assert wrong.status == 422
        assert 'value="two words"' in wrong.text
        assert pages.hub.store.ledger.get(key).state is LedgerState.DOUBT
        fields["remote_id"] = "5f0c1d2e"
    assert "Noted." in admin.follow(admin.post(f"/runs/{work.id}/decide", fields)).words
    entry = pages.hub.store.ledger.get(key)
    assert entry.state is state
    assert entry.remote_id == ("5f0c1d2e" if decision == "adopt" else None)
    assert pages.hub.store.works.get(work.id).state is WorkState.NEW
    assert admin.post(f"/runs/{work.id}/decide", fields | {"key": "other"}).status == 404


def test_each_state_offers_what_can_be_done(pages, admin, day):
    """Retry what failed, replay what is done, cancel what waits; nothing that would be refused."""
    dead = day.dead("d1", note="Correct it.")
    assert {"retry", "dry-run"} <= actions(admin.get(f"/runs/{dead.id}").text)
    again = admin.follow(admin.post(f"/runs/{dead.id}/retry"))
    assert "Started again." in again.words
    assert {"cancel", "dry-run"} <= actions(again.text)
    assert "retry" not in actions(again.text)
    gone = admin.follow(admin.post(f"/runs/{dead.id}/cancel"))
    assert "was cancelled" in gone.words
    done = day.run("k2", "bring_home", "box:sign_request:2")
    running = admin.get(f"/runs/{done.id}")
    assert 'hx-trigger="every 2s"' in running.text
    day.end(done, WorkState.DONE, "Signed.")
    assert "replay" in actions(admin.get(f"/runs/{done.id}").text)
    assert admin.follow(admin.post(f"/runs/{done.id}/replay")).words.count("Runs once more") == 1
    assert pages.hub.store.works.get(done.id).run_number == 2


def test_a_run_shows_steps_calls_and_creates(filled):
    """Tries of one step in one line, what failed in words, what was made with its id."""
    page = filled.admin.get(f"/runs/{filled.ids['run_done']}")
    assert "Send for signature, order 2042 – is done" in page.words
    assert re.search(r"Done Upload tpl_1 Box answered 503\. 2 tries 400 ms", page.words)
    assert "201 POST /2.0/sign_requests 420 ms" in page.words
    assert "Request for a signature made as 5f0c1d2e" in page.words
    planned = filled.admin.get(f"/runs/{filled.ids['run_dead']}")
    assert "Send POST /sign_requests for order 2042" in planned.words
    assert "Then: Sent for signature." in planned.words
    assert "jane@@example" in planned.words


def test_viewers_see_and_change_nothing(filled):
    """No form but the frame's own on any page, and every form sent anyway is refused."""
    vera = Visitor(filled.pages.app)
    vera.sign_in("vera", PASSWORD)
    label, work = filled.ids["integration"], filled.ids["run_dead"]
    for path in ("/connections/box-main", f"/integrations/{label}", f"/runs/{work}", "/runs"):
        page = vera.get(path)
        assert page.status == 200, path
        assert actions(page.text) <= {"events", "theme", "sign-out", "runs"}, path
    posts = ("/connections/box-main/check", "/connections/box-main/delete", "/runs/retry")
    posts += (f"/integrations/{label}/pause", f"/runs/{work}/retry", f"/runs/{work}/decide")
    for path in posts:
        assert vera.post(path, {}).status == 403, path
    for path in ("/new-connection/box/jwt", f"/integrations/{label}/edit"):
        assert vera.get(path).status == 403, path


def test_workers_are_listed_with_what_they_have_in_hand(pages, as_, clock):
    """One that is silent is told; an orderly end is no fault."""
    admin = as_("admin")
    assert "No worker has been here yet" in admin.get("/settings/workers").words
    fill_acting(pages, lambda seconds: clock.advance(seconds=seconds))
    assert re.search(r"Working worker-1 .* 1 in hand", admin.get("/settings/workers").words)
    clock.advance(seconds=timedelta(hours=1).total_seconds())
    assert "Silent worker-1" in admin.get("/settings/workers").words
    pages.hub.store.executors.stop("exe_1", at=clock.now())
    assert "Stopped worker-1" in admin.get("/settings/workers").words


def test_every_value_of_acting_has_words():
    """A state that is added later must be said in words."""
    assert set(acting_words.WORK_MARKS) == set(acting_words.STATE_WORDS) == set(WorkState)
    assert set(acting_words.PARKED) == set(acting_words.PARKED_WORDS) == set(ParkCause)
    assert set(acting_words.CAUSES) == {*ErrorKind, None}
    assert set(acting_words.STEP_MARKS) == set(StepResult)
    assert set(acting_words.LEDGER_MARKS) == set(LedgerState)
    assert set(setup_words.HEALTH) == set(ConnectionHealth)
    assert set(setup_words.INTEGRATIONS) == set(IntegrationState)
    assert acting_words.every(300) == "every 5 minutes"
    assert acting_words.every(86_400) == "every day"
    assert acting_words.duration(90_000_000) == "2 min"
    assert run_rows.planned({"plans": [], "state": "permanent", "note": ""})["good"] is False
