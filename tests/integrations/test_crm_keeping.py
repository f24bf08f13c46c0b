"""The webhook on the root folder: made, shared, repaired, and missed when it is silent."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest

from inkwire.access.gate import CLI
from inkwire.engine.contract import EventHandler
from inkwire.errors import Ambiguous, NeedsAttention, Permanent, Transient
from inkwire.integrations.box_salesforce import INTEGRATION
from inkwire.integrations.box_salesforce.keeping import (
    GAP_AT,
    WARNING,
    last_heard,
    triggers_of,
)
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_sign_orders import INTEGRATION as SIGN_ORDERS
from inkwire.integrations.box_sign_orders.folder import ensure_webhook as ensure_for_orders
from inkwire.integrations.box_webhooks import TRIGGERS, valid_triggers
from inkwire.integrations.checks import source_problems
from inkwire.model.connection import ConnectionHealth
from inkwire.model.event import DedupeKind, ParsedEvent
from inkwire.sources.desk import SourceDraft
from integrations.folder_kit import Office, town


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A sandbox and a hub for all tests here."""
    with town(tmp_path_factory.mktemp("keeping")) as one:
        yield one


def hooks(office: Office) -> list[dict]:
    """The webhooks on the root folder, as Box has them."""
    folder = office.integration.remote["folder_id"]
    minis = office.town.box("GET", "/webhooks?limit=200")["entries"]
    mine = [one["id"] for one in minis if one["target"]["id"] == folder]
    return [office.town.box("GET", f"/webhooks/{one}") for one in mine]


def test_it_is_made_once_with_what_the_settings_need(place):
    """Files, metadata, collaborations and signatures; views only if they are wanted."""
    office = place.office()
    assert "made" in office.upkeep("keep_webhook")
    (hook,) = hooks(office)
    assert hook["address"] == f"{office.services.base_url}/in/box"
    wanted = set(triggers_of(chosen(office.integration)))
    assert set(hook["triggers"]) == wanted
    assert {"FILE.UPLOADED", "COLLABORATION.CREATED", "METADATA_INSTANCE.CREATED"} <= wanted
    assert "SIGN_REQUEST.COMPLETED" in wanted
    assert not {"FILE.PREVIEWED", "FILE.DOWNLOADED", "FILE.VERSION.RESTORED"} & wanted
    assert "found as it should be" in office.upkeep("keep_webhook")
    assert len(hooks(office)) == 1


def test_all_that_it_hears_is_handled(place):
    """Nothing comes that no workflow is for, and whatever has a workflow is asked for."""
    office = place.office(log_views=True)
    handled = {kind for handler in INTEGRATION.events for kind in handler.types}
    handled = {kind for kind in handled if kind.startswith("box.")}
    asked = {f"box.{trigger}" for trigger in triggers_of(chosen(office.integration))}
    assert asked <= handled
    assert handled - asked <= {"box.NO_ACTIVE_SESSION", "box.FILE.VERSION.RESTORED"}


def test_settings_add_triggers_and_take_back_only_their_own(place):
    """What somebody else added stays."""
    office = place.office()
    office.upkeep("keep_webhook")
    (hook,) = hooks(office)
    body = {"triggers": [*hook["triggers"], "COMMENT.CREATED"]}
    place.box("PUT", f"/webhooks/{hook['id']}", json=body)
    office.settings(log_views=True)
    assert "repaired" in office.upkeep("keep_webhook")
    (hook,) = hooks(office)
    assert {"FILE.PREVIEWED", "FILE.DOWNLOADED", "COMMENT.CREATED"} <= set(hook["triggers"])
    office.settings(log_views=False)
    assert "repaired" in office.upkeep("keep_webhook")
    (hook,) = hooks(office)
    assert "FILE.PREVIEWED" not in hook["triggers"]
    assert "COMMENT.CREATED" in hook["triggers"]


def test_what_drifted_is_repaired_and_what_is_gone_is_made_again(place):
    """R81: address, triggers, and the webhook itself."""
    office = place.office()
    office.upkeep("keep_webhook")
    (hook,) = hooks(office)
    body = {"address": "https://old.example.com/in/box", "triggers": ["FILE.UPLOADED"]}
    place.box("PUT", f"/webhooks/{hook['id']}", json=body)
    assert "repaired" in office.upkeep("keep_webhook")
    (again,) = hooks(office)
    assert again["id"] == hook["id"]
    assert again["address"].endswith("/in/box")
    assert set(again["triggers"]) == set(triggers_of(chosen(office.integration)))
    place.box("DELETE", f"/webhooks/{hook['id']}")
    assert "made" in office.upkeep("keep_webhook")
    (third,) = hooks(office)
    assert third["id"] != hook["id"]


def test_a_webhook_that_was_forgotten_is_adopted(place):
    """409: Box has one for each folder, application and user."""
    office = place.office()
    office.upkeep("keep_webhook")
    office.store.integrations.set_remote(office.number, {"webhook_id": ""})
    assert "adopted" in office.upkeep("keep_webhook")
    assert len(hooks(office)) == 1


def test_a_stranger_s_webhook_is_never_touched(place):
    """The message says what to do."""
    office = place.office()
    folder = place.box("POST", "/folders", json={"name": office.root, "parent": {"id": "0"}})
    body = {
        "target": {"id": folder["id"], "type": "folder"},
        "address": "https://elsewhere.example.com/hook",
        "triggers": ["FILE.UPLOADED"],
    }
    stranger = place.box("POST", "/webhooks", json=body)
    with pytest.raises(Permanent, match="which is not this hub"):
        office.upkeep("keep_webhook")
    there = place.box("GET", f"/webhooks/{stranger['id']}")
    assert there["address"] == "https://elsewhere.example.com/hook"


def test_two_integrations_share_the_one_webhook_of_a_folder(place):
    """Orders and records in one folder: the triggers of both, whoever comes first or last."""
    office = place.office(executed_stage="")
    office.upkeep("keep_webhook")
    now = office.services.clock.now()
    orders = office.store.integrations.add(
        replace(
            office.integration,
            kind=SIGN_ORDERS.name,
            name="Orders",
            settings={"folder_name": office.root},
            remote={},
            created_at=now,
            updated_at=now,
        ),
        audit=place.audit(),
    )
    folder = office.integration.remote["folder_id"]
    run = office.run(office.work("keep_webhook"))[1]
    run.integration = orders
    assert ensure_for_orders(run, folder)["did"] == "repaired"
    (hook,) = hooks(office)
    wanted = set(triggers_of(chosen(office.integration)))
    signs = {"SIGN_REQUEST.COMPLETED", "SIGN_REQUEST.DECLINED", "SIGN_REQUEST.EXPIRED"}
    assert set(hook["triggers"]) == wanted | signs
    office.settings(executed_stage="Closed Won")
    office.upkeep("keep_webhook")
    office.settings(executed_stage="")
    office.upkeep("keep_webhook")
    (hook,) = hooks(office)
    assert "SIGN_REQUEST.COMPLETED" in hook["triggers"]


def test_a_trigger_that_box_does_not_have_is_refused_with_those_that_it_has():
    """C28 and the seed: FILE.VERSION.RESTORED stands in guides only."""
    with pytest.raises(Permanent) as caught:
        valid_triggers(["FILE.UPLOADED", "FILE.VERSION.RESTORED"])
    text = caught.value.message
    assert "no trigger FILE.VERSION.RESTORED, use FILE.UPLOADED" in text
    assert all(trigger in text for trigger in TRIGGERS)
    with pytest.raises(Permanent, match="at least one trigger"):
        valid_triggers([])
    assert valid_triggers(["FILE.MOVED", "FILE.MOVED"]) == ("FILE.MOVED",)


# --- alarms


def _handler(trigger: str) -> EventHandler:
    (found,) = [one for one in INTEGRATION.events if f"box.{trigger}" in one.types]
    return found


@pytest.mark.parametrize("trigger", ["NO_ACTIVE_SESSION", "WEBHOOK.DELETED"])
def test_box_s_own_alarms_bring_a_look_at_once(place, trigger):
    """Each is one row, whatever the number of deliveries."""
    office = place.office()
    handler = _handler(trigger)
    payload = {"id": "e1", "trigger": trigger, "webhook": {"id": "77", "type": "webhook"}}
    parsed = ParsedEvent(
        type=f"box.{trigger}", dedupe_key=b"e1", dedupe_kind=DedupeKind.HARD, payload=payload
    )
    assert handler.workflow == "keep_webhook"
    assert handler.subject(office.integration, parsed) == {"trigger": trigger, "webhook_id": "77"}
    assert handler.entity(None, parsed) == "box:webhook:77"


def test_a_webhook_that_box_removed_is_made_again_and_told(place):
    """`auto_cleanup` after 30 days without a success."""
    office = place.office()
    office.upkeep("keep_webhook")
    (hook,) = hooks(office)
    place.sandbox.call("DELETE", f"/webhooks/{hook['id']}")
    note = office.upkeep("keep_webhook", trigger="WEBHOOK.DELETED", webhook_id=hook["id"])
    assert "made" in note
    assert "Box had removed the webhook" in note
    assert len(hooks(office)) == 1


def test_a_dead_session_puts_the_connection_before_a_person(place):
    """NO_ACTIVE_SESSION: what calls by the connection waits until it is authorised again."""
    office = place.office()
    office.upkeep("keep_webhook")
    place.sandbox.change_app(authorized=False)
    place.sandbox.call("POST", f"/apps/{place.sandbox.box['client_id']}/expire-tokens")
    try:
        with pytest.raises(NeedsAttention):
            office.upkeep("keep_webhook", trigger="NO_ACTIVE_SESSION", webhook_id="1")
        health = office.store.connections.get("box").health
        assert health is ConnectionHealth.NEEDS_ATTENTION
    finally:
        place.sandbox.change_app(authorized=True)
    office.store.connections.set_health(
        "box", ConnectionHealth.OK, "", at=office.services.clock.now()
    )
    note = office.upkeep("keep_webhook", trigger="NO_ACTIVE_SESSION", webhook_id="1")
    assert "repaired" in note
    assert "session which made the webhook is dead" in note
    assert len(hooks(office)) == 1


# --- silence


def _gap(office: Office, *, days_ago: float) -> None:
    at = office.services.clock.now() - timedelta(days=days_ago)
    office.store.integrations.set_remote(office.number, {GAP_AT: at.isoformat()})


def test_silence_is_told_when_files_changed_meanwhile(place):
    """20 days without a delivery, and changes that had to be looked for."""
    office = place.office()
    office.upkeep("keep_webhook")
    place.clock.ahead += timedelta(days=21)
    try:
        assert "Nothing was delivered" not in office.upkeep("keep_webhook")
        _gap(office, days_ago=1)
        assert "Nothing was delivered at all, although files changed" in office.upkeep(
            "keep_webhook"
        )
        assert office.integration.remote[WARNING]
        _gap(office, days_ago=25)
        assert "Nothing was delivered" not in office.upkeep("keep_webhook")
        assert WARNING not in office.integration.remote
    finally:
        place.clock.ahead -= timedelta(days=21)


def test_a_young_integration_is_not_called_silent(place):
    """What the walk finds on the first day proves nothing."""
    office = place.office()
    _gap(office, days_ago=0)
    assert "Nothing was delivered" not in office.upkeep("keep_webhook")


# --- faults


@pytest.mark.parametrize("kind", ["reset_before_commit", "reset_after_commit", "late_commit"])
def test_an_answer_that_is_lost_makes_no_second_webhook(place, kind):
    """409 tells that it is there."""
    office = place.office()
    office.upkeep("keep_webhook")
    (hook,) = hooks(office)
    place.box("DELETE", f"/webhooks/{hook['id']}")
    place.sandbox.fault(kind=kind, method="POST", path="/webhooks$", delay_s=60)
    try:
        with pytest.raises((Ambiguous, Transient)):
            office.upkeep("keep_webhook")
        office.upkeep("keep_webhook")
        place.advance(100)
    finally:
        place.sandbox.clear_faults()
    office.upkeep("keep_webhook")
    assert len(hooks(office)) == 1


def test_a_salesforce_source_beside_boxs_is_no_address_for_box(place):
    """Whatever the order: Box delivers to its own source, and only Box can be silent."""
    office, desk = place.office(), place.hub.desk
    for name, provider, role in (
        ("box-own", "box", "primary"),
        ("crm-own", "salesforce", "secret"),
    ):
        secrets = {role: "0123456789abcdefghijklmnop"}
        desk.create(CLI, SourceDraft(id=name, provider=provider, name=name, secrets=secrets))
    both = replace(office.integration, source_ids=("crm-own", "box-own"))
    place.hub.store.integrations.update(
        both, expected=office.integration.updated_at, audit=place.audit()
    )
    told = office.upkeep("keep_webhook")
    assert "/in/box-own: made" in told
    assert [hook["address"].rpartition("/")[2] for hook in hooks(office)] == ["box-own"]
    run = SimpleNamespace(integration=both, services=place.hub.services)
    assert last_heard(run) is None
    assert source_problems(both, place.hub.services, also=("salesforce",)) == []
    for ids, says in (
        (("crm-own",), "Choose the one Box source"),
        (("box-own", "box-two"), "no source box-two"),
        ((), "Choose the one Box source"),
    ):
        (problem,) = source_problems(
            replace(both, source_ids=ids), place.hub.services, also=("salesforce",)
        )
        assert says in problem.text
    (problem,) = source_problems(both, place.hub.services)
    assert "is no Box source" in problem.text, "other integrations hear Box alone"
