"""The field map tried on real records: what would be written where, and nothing is."""

import contextlib

import pytest

from fakes.at_work import at_work
from fakes.run import StraightRun
from fakes.sandbox import until
from inkwire.access.gate import CLI
from inkwire.errors import Conflict, Forbidden, InvalidInput, LimitReached, NotFound
from inkwire.integrations.box_salesforce import INTEGRATION as KIND
from inkwire.integrations.box_salesforce.field_checks import NOTHING
from inkwire.integrations.box_salesforce.field_trying import DESCRIBE, TRY
from inkwire.model.access import Caller, Scope
from inkwire.model.crm import ApiUsage
from inkwire.model.work import CommandState, IntegrationState
from integrations.crm_kit import Crm, world
from integrations.test_crm_fields import FIELDS, MAP, TEMPLATE, Deal

LINES = MAP.split("\n")


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    """A sandbox whose Box has a template with fields of every type."""
    with contextlib.closing(Crm(tmp_path_factory.mktemp("sandbox"))) as one:
        body = {
            "scope": "enterprise",
            "templateKey": TEMPLATE,
            "displayName": "Deal",
            "fields": [{**field, "displayName": field["key"]} for field in FIELDS],
        }
        one.call("POST", "/metadata_templates/schema", json=body)
        yield one


@pytest.fixture
def place(tmp_path, crm):
    """An integration with a field map."""
    with world(tmp_path / "hub", crm, mapping_template=TEMPLATE, field_map=MAP) as one:
        yield one
    crm.clear_faults()


def ask(place, question, **asks):
    """The answer of the kind, as a worker would have it."""
    work = place.work(question)
    run = StraightRun(
        work=work, integration=place.integration, services=place.hub.services, dry=True
    )
    return KIND.questions[question](run, asks)


def tried(place, *lines, records=10):
    """What a trial says of the fields, by folder and field."""
    answer = ask(place, TRY, lines=list(lines or LINES), records=records)
    rows = {
        one["folder_id"]: {field["field"]: field for field in one["fields"]}
        for one in answer["records"]
    }
    return answer, rows


def writes(place):
    """Calls at either sandbox that changed, or could have changed, anything."""
    return [
        (call["method"], call["path"])
        for call in place.crm.process.calls()
        if call["method"] != "GET" and "token" not in call["path"]
    ]


def test_a_trial_tells_what_would_be_written_where_and_writes_nothing(place, crm):
    """Both sides' values, the value as it would arrive, conflicts, errors; journals stay."""
    agreed = Deal(place, box={"amount": 5, "next_step": "Same"}, Amount=5, NextStep="Same")
    other = Deal(
        place,
        box={"amount": 100, "next_step": "Call Jane", "lead": "Fair"},
        Amount=250,
        NextStep="Call Kim",
    )
    states = place.store.field_states.page(integration_id=place.integration.id)
    crm.process.call("DELETE", "/journal")
    answer, rows = tried(place)
    assert writes(place) == []
    assert place.store.field_states.page(integration_id=place.integration.id) == states
    assert answer["lines"] == LINES and answer["problems"] == []
    found = rows[other.folder]
    assert {name: one["verdict"] for name, one in found.items()} == {
        "amount": "to_box",
        "close_date": "to_box",
        "next_step": "conflict",
        "lead": "failed",
        "won": "agreed",
    }
    assert (found["amount"]["box"], found["amount"]["salesforce"]) == ("100", "250")
    assert found["amount"]["value"] == "250"
    assert found["close_date"]["value"] == "2027-01-31T00:00:00.000Z"  # as Box would get it
    assert "never had the same" in found["next_step"]["note"]
    assert "no active value “Fair”" in found["lead"]["note"]
    assert found["next_step"]["value"] is None
    assert rows[agreed.folder]["amount"]["verdict"] == "agreed"
    named = next(one for one in answer["records"] if one["folder_id"] == other.folder)
    assert (named["record_id"], named["problem"]) == (other.id, "")
    # What was told is what a run does then.
    other.heard()
    assert other.box()["amount"] == 250
    assert {name: row.state.value for name, row in other.states().items()} == {
        "amount": "in_step",
        "close_date": "in_step",
        "next_step": "conflict",
        "lead": "failed",
        "won": "in_step",
    }


def test_a_changed_map_is_tried_instead_of_the_kept_one(place, crm):
    """Other fields, other winners; a field that was mapped to something else counts as new."""
    deal = Deal(place, box={"amount": 100}, Amount=250)
    deal.heard()
    _, rows = tried(place, "amount = Opportunity.Amount number both box", records=1)
    assert rows[deal.folder]["amount"]["verdict"] == "agreed"
    deal.change(Amount=300)
    _, rows = tried(place, "amount = Opportunity.Amount number to_salesforce", records=1)
    assert rows[deal.folder]["amount"]["verdict"] == "to_salesforce"
    assert rows[deal.folder]["amount"]["value"] == "250"
    assert list(rows[deal.folder]) == ["amount"]
    answer, rows = tried(
        place, "employees = Opportunity.Nothing__c text both", "oops", "lead = Account.X text both"
    )
    assert [one["line"] for one in answer["problems"]] == [1, 2, 3]
    assert "has no field Nothing__c" in rows[deal.folder]["employees"]["note"]


def test_a_trial_costs_few_calls_of_the_day(place, crm):
    """Many records are one query: four deals cost what one does."""
    for _ in range(4):
        Deal(place, Amount=1)
    tried(place, records=4)  # describe is cached from here on
    before = crm.calls()
    _, rows = tried(place, records=4)
    assert len(rows) == 4
    assert crm.calls(since=before) == 1


def test_newest_records_first_as_many_as_were_asked_for(place, crm):
    """A record that is gone says so, and the others are tried all the same."""
    deals = [Deal(place, Amount=number) for number in range(3)]
    _, rows = tried(place, records=2)
    assert set(rows) == {deals[1].folder, deals[2].folder}
    crm.delete("Opportunity", deals[2].id)
    answer, rows = tried(place, records=2)
    gone = next(one for one in answer["records"] if one["folder_id"] == deals[2].folder)
    assert "no longer shows this record" in gone["problem"] and gone["fields"] == []
    assert rows[deals[1].folder]["amount"]["value"] == "1"


def test_while_the_day_s_calls_are_for_files_nothing_is_tried(place, crm):
    """No call is made for it."""
    connection = place.integration.second_connection_id
    usage = ApiUsage(connection_id=connection, used=95, most=100, at=place.clock.now())
    place.store.api_usages.note(usage)
    with pytest.raises(LimitReached):
        tried(place)


def test_both_vendors_describe_their_fields_and_say_why_if_not(place, crm):
    """The template's types and options, the object's, whether they may be changed."""
    facts = ask(place, DESCRIBE, objects=["Contact", "Nonsense__c"])
    assert {one["key"]: one["type"] for one in facts["box"]}["won"] == "enum"
    names = {one["name"]: one for one in facts["objects"]["Opportunity"]}
    assert names["Amount"]["updateable"] and not names["IsWon"]["updateable"]
    assert "Account" in facts["objects"] and "Contact" in facts["objects"]
    assert "no object Nonsense__c" in facts["object_problems"]["Nonsense__c"]
    place.settings(mapping_template="none_such")
    assert "no metadata template with the key none_such" in ask(place, DESCRIBE)["box_problem"]
    place.settings(mapping_template=TEMPLATE)
    crm.process.call("POST", "/salesforce/limit", {"most": 1, "used": 1})
    try:
        facts = ask(place, DESCRIBE, objects=["Lead"])
    finally:
        crm.process.call("POST", "/salesforce/limit", {"most": 100_000, "used": 0})
    assert "Salesforce could not be asked" in facts["object_problems"][""]
    assert facts["box"] is not None


# --- the desk, and a worker that answers


def test_the_desk_asks_and_a_worker_answers(place, crm):
    """Fields of both vendors, then a trial of other lines; the journals show reads only."""
    deal = Deal(place, Amount=7)
    desk, number = place.hub.field_maps, place.integration.id
    before = desk.shown(CLI, number)
    assert before.stale and before.facts is NOTHING and before.findings == ()
    asked = desk.look(CLI, number)
    assert desk.look(CLI, number) == asked  # one that waits is enough
    assert not desk.shown(CLI, number).stale
    # Paused: what the clock does for it would write.
    place.hub.integrations.move(CLI, number, IntegrationState.PAUSED)
    crm.process.call("DELETE", "/journal")
    with at_work(place.hub):
        until(lambda: place.store.commands.get(asked.id).state is not CommandState.NEW)
        shown = desk.shown(CLI, number, [*LINES, "lost = Opportunity.Amount2 number both"])
        assert shown.facts.box is not None
        assert [number for number, _ in shown.findings] == [6, 6]
        trial = desk.try_out(
            CLI, number, lines=["amount = Opportunity.Amount number both"], records=1
        )
        until(lambda: place.store.commands.get(trial.id).state is not CommandState.NEW)
    done = desk.trial(CLI, number, trial.id)
    assert done.state is CommandState.DONE, done.error
    (record,) = done.result["records"]
    assert record["record_id"] == deal.id
    assert record["fields"][0]["value"] == "7"
    assert writes(place) == []
    calls = place.store.run_log.calls(connection_id=place.integration.connection_id)
    assert calls[0].work_id is None  # nobody's work
    actions = [one.action for one in place.store.access.audit()]
    assert {"fields.try", "fields.describe"} <= set(actions)
    place.clock.advance(seconds=660)
    assert desk.shown(CLI, number).stale


def test_the_desk_refuses_what_cannot_be_tried(place):
    """Numbers out of bounds, a map of nothing, strangers, another integration's answer."""
    desk, number = place.hub.field_maps, place.integration.id
    for records in (0, 51):
        with pytest.raises(InvalidInput) as wrong:
            desk.try_out(CLI, number, records=records)
        assert "records" in wrong.value.fields
    with pytest.raises(InvalidInput):
        desk.try_out(CLI, number, lines=["x" * 5_000])
    with pytest.raises(Conflict):
        desk.try_out(CLI, number, lines=["", "nonsense"])
    look = desk.look(CLI, number)
    with pytest.raises(NotFound):
        desk.trial(CLI, number, look.id)
    with pytest.raises(NotFound):
        desk.shown(CLI, 99)
    reader = Caller(actor="user:vera", scopes=frozenset({Scope.INTEGRATIONS_READ}))
    assert desk.shown(reader, number).lines == tuple(LINES)
    for forbidden in (
        lambda: desk.try_out(reader, number),
        lambda: desk.look(reader, number),
        lambda: desk.trial(reader, number, look.id),
    ):
        with pytest.raises(Forbidden):
            forbidden()
