"""Fields that say the same in Box and Salesforce, on the real sandbox."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fakes.run import StraightRun
from inkwire.access.gate import CLI
from inkwire.errors import Conflict, LimitReached, Transient
from inkwire.integrations.box_salesforce import INTEGRATION as KIND
from inkwire.integrations.box_salesforce.field_map import Verdict
from inkwire.integrations.box_salesforce.field_sides import Sides
from inkwire.integrations.box_salesforce.field_writing import Writer
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import ApiUsage, FieldAgreement, FieldSide, FieldState
from inkwire.model.work import Work
from integrations.crm_kit import Crm, World, world

TEMPLATE = "deal_fields"
MAP = """
amount = Opportunity.Amount number both salesforce
close_date = Opportunity.CloseDate date both box
next_step = Opportunity.NextStep text both nobody
lead = Opportunity.LeadSource text both nobody
won = Opportunity.IsWon flag to_box
""".strip()
FIELDS = [
    {"type": "string", "key": "opportunity_id"},
    {"type": "string", "key": "account_id"},
    {"type": "float", "key": "amount"},
    {"type": "date", "key": "close_date"},
    {"type": "string", "key": "next_step"},
    {"type": "string", "key": "lead"},
    {"type": "enum", "key": "won", "options": [{"key": "Yes"}, {"key": "No"}]},
    {"type": "string", "key": "employees"},
]
A, S = FieldAgreement, FieldSide


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


class Deal:
    """An opportunity, and its folder that names it."""

    def __init__(self, place: World, *, box: dict[str, Any] | None = None, **fields: Any) -> None:
        self.place = place
        self.crm = place.crm
        self.id = self.crm.opportunity(None, **fields)
        self.folder = self.crm.deal()
        self.path = f"/folders/{self.folder}/metadata/enterprise/{TEMPLATE}"
        self.crm.call("POST", self.path, json={"opportunity_id": self.id, **(box or {})})
        self.event("CREATED")

    def event(self, what: str = "UPDATED", actor: str = "Ada") -> list[Work]:
        """What Box tells of the metadata is heard; the rows that compare fields, not run yet."""
        before = {row.id for row in self.place.asked("sync_fields")}
        self.place.run(
            self.place.keep(
                self.place.work(
                    "refresh_mapping",
                    entity=f"box:folder:{self.folder}",
                    folder_id=self.folder,
                    trigger=f"METADATA_INSTANCE.{what}",
                    actor=actor,
                )
            )
        )
        return [row for row in self.place.asked("sync_fields") if row.id not in before]

    def heard(self, actor: str = "Ada") -> str:
        """An event, and the run that it leads to; its note."""
        (row,) = self.event(actor=actor)
        return self.place.note(row)

    def sync(self, **subject: str) -> str:
        """A run as a poll starts it; its note."""
        row = self.place.work("sync_fields", folder_id=self.folder, **subject)
        return self.place.note(row)

    def box(self) -> dict[str, Any]:
        found = self.crm.call("GET", self.path)
        return {key: value for key, value in found.items() if key[0] != "$" and "_id" not in key}

    def edit(self, *operations: dict[str, Any]) -> None:
        """Somebody changes the metadata in Box."""
        headers = {"Content-Type": "application/json-patch+json"}
        body = json.dumps(operations)
        self.crm.call("PUT", self.path, data=body, headers=headers)

    def set(self, field: str, value: Any) -> None:
        self.edit({"op": "add", "path": f"/{field}", "value": value})

    def salesforce(self) -> dict[str, Any]:
        return self.crm.one("Opportunity", self.id)

    def change(self, **fields: Any) -> None:
        """Somebody changes the record in Salesforce."""
        self.crm.change("Opportunity", self.id, **fields)

    def states(self) -> dict[str, FieldState]:
        number = self.place.integration.id
        found = self.place.store.field_states.of_folder(number, self.folder)
        return {row.field: row for row in found}

    def writes(self) -> int:
        """Calls so far that wrote this folder's metadata or this record."""
        return sum(
            call["method"] in ("PUT", "PATCH", "POST")
            and (self.path in call["path"] or self.id in call["path"])
            for call in self.crm.process.calls()
        )


def test_at_first_sight_empty_sides_are_filled(place):
    """Each value goes to where there is none, in that side's own form."""
    deal = Deal(place, box={"next_step": "Call Jane"}, Amount=1250.5, LeadSource="Web")
    note = deal.heard()
    assert deal.box() == {
        "amount": 1250.5,
        "close_date": "2027-01-31T00:00:00.000Z",
        "next_step": "Call Jane",
        "lead": "Web",
    }
    assert deal.salesforce()["NextStep"] == "Call Jane"
    assert {row.state for row in deal.states().values()} == {A.IN_STEP}
    assert deal.states()["amount"].source is S.SALESFORCE
    assert "5 mapped fields" in note and "next_step" in note


@pytest.fixture
def deal(place):
    """A deal whose fields are in step."""
    made = Deal(place, box={"next_step": "Call Jane"}, Amount=100, LeadSource="Web")
    made.heard()
    return made


def test_what_one_side_changes_reaches_the_other(place, deal):
    """Both ways, and only the fields that changed."""
    deal.change(Amount=200)
    deal.sync()
    assert deal.box()["amount"] == 200
    deal.set("close_date", "2027-03-01T00:00:00.000Z")
    assert "written: close_date" in deal.heard("Ada")
    assert deal.salesforce()["CloseDate"] == "2027-03-01"
    state = deal.states()["close_date"]
    assert (state.source, state.author, state.state) == (S.BOX, "Ada", A.IN_STEP)
    assert deal.states()["amount"].author  # as Salesforce names who changed it
    deal.edit({"op": "remove", "path": "/next_step"})
    deal.heard()
    assert deal.salesforce()["NextStep"] is None
    deal.change(LeadSource=None)
    deal.sync()
    assert "lead" not in deal.box()


def test_a_flag_is_written_as_the_template_has_it(place, deal):
    """Of one direction: what is changed by hand where it goes is set back."""
    deal.change(StageName="Closed Won")
    deal.sync()
    assert deal.box()["won"] == "Yes"
    deal.set("won", "No")
    deal.heard()
    assert deal.box()["won"] == "Yes"


def test_after_one_change_nothing_is_written_again(place, deal):
    """Fifty rounds of polls and of events, our own among them: no write, and few calls."""
    deal.change(Amount=777)
    deal.sync()
    place.run(place.work("poll_records"))
    before, states, asked = deal.writes(), deal.states(), len(place.asked("sync_fields"))
    for _ in range(50):
        (row,) = deal.event(actor="Inkwire")
        used = place.crm.calls()
        place.note(row)
        assert place.crm.calls() == used  # what Box has tells that Salesforce need not be asked
        place.run(place.work("poll_records"))
    assert len(place.asked("sync_fields")) == asked + 50
    for _ in range(50):
        deal.sync()
    assert (deal.writes(), deal.states()) == (before, states)


def test_a_poll_asks_once_for_each_change_of_a_record(place, deal):
    """Also while making folders is off; a record without a folder is nobody's."""
    asked = len(place.asked("sync_fields"))
    other = place.crm.opportunity(None)
    deal.change(Amount=300)
    for _ in range(3):
        place.run(place.work("poll_records"))
    rows = place.asked("sync_fields")[: -asked or None]
    assert [row.subject["folder_id"] for row in rows] == [deal.folder]
    assert other not in rows[0].key
    place.note(rows[0])
    assert deal.box()["amount"] == 300
    assert place.asked("provision") == []


@pytest.mark.parametrize("side", [S.BOX, S.SALESFORCE])
def test_nobody_wins_and_a_person_decides(place, deal, side):
    """A conflict is kept, told and left alone; what a person takes is written."""
    deal.set("next_step", "Box's")
    deal.change(NextStep="Salesforce's")
    before = deal.writes()
    assert "conflicts: next_step" in deal.heard()
    state = deal.states()["next_step"]
    assert state.state is A.CONFLICT and "Both were changed" in state.note
    deal.sync()
    assert (deal.writes(), deal.states()["next_step"]) == (before, state)
    desk, number = place.hub.fields, place.integration.id
    assert desk.counts(CLI, number)[A.CONFLICT] == 1
    work = desk.take(CLI, number, deal.folder, "next_step", side)
    place.note(work)
    wanted = "Box's" if side is S.BOX else "Salesforce's"
    assert (deal.box()["next_step"], deal.salesforce()["NextStep"]) == (wanted, wanted)
    assert deal.states()["next_step"].state is A.IN_STEP
    assert place.store.access.audit()[0].action == "field.take"
    with pytest.raises(Conflict):
        desk.take(CLI, number, deal.folder, "next_step", side)


def test_who_wins_counts_only_when_both_changed(place, deal):
    """Salesforce for the amount, Box for the date."""
    deal.set("amount", 1)
    deal.set("close_date", "2028-01-01T00:00:00.000Z")
    deal.change(Amount=2, CloseDate="2029-01-01")
    deal.heard()
    assert deal.box()["amount"] == 2
    assert deal.salesforce()["CloseDate"] == "2028-01-01"


def test_the_same_on_both_sides_is_agreed_without_a_write(place, deal):
    """Numbers compare as numbers, dates as days, line ends and outer blanks do not count."""
    before = deal.writes()
    deal.set("amount", 250.0)
    deal.set("close_date", "2027-05-05T12:30:00+02:00")
    deal.set("next_step", "  a\r\nb ")
    deal.change(Amount=250, CloseDate="2027-05-05", NextStep="a\nb")
    changed = deal.writes() - before
    deal.heard()
    assert deal.writes() - before == changed
    assert {row.state for row in deal.states().values()} == {A.IN_STEP}


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("next_step", "x" * 300, "takes 255; shorten it in Box"),
        ("lead", "Nonsense", "take one of these in Box: Web, Phone Inquiry"),
    ],
)
def test_what_does_not_fit_fails_with_a_sentence(place, deal, field, value, told):
    """Nothing is cut off, the other fields go on, and a value that fits mends it."""
    deal.set(field, value)
    deal.set("close_date", "2030-01-01T00:00:00.000Z")
    assert f"failed: {field}" in deal.heard()
    assert deal.states()[field].state is A.FAILED
    assert told in deal.states()[field].note
    assert deal.salesforce()["CloseDate"] == "2030-01-01"
    deal.set(field, "Partner Referral")
    deal.heard()
    assert deal.states()[field].state is A.IN_STEP
    assert deal.states()[field].note == ""


def test_a_map_that_cannot_be_is_told_for_each_field(place):
    """Unknown fields, read-only fields, types that differ: the good line goes on."""
    place.settings(
        field_map="amount = Opportunity.Amount number both box\n"
        "won = Opportunity.IsWon flag both box\n"
        "lead = Opportunity.Nonsense__c text both box\n"
        "next_step = Opportunity.CloseDate text both box\n"
        "nowhere = Opportunity.NextStep text both box\n"
        "employees = Opportunity.Probability number both box"
    )
    box = {"amount": 5, "won": "Yes", "next_step": "tomorrow", "employees": "many"}
    deal = Deal(place, box=box, NextStep="x", StageName="Prospecting")
    deal.heard()
    notes = {field: row.note for field, row in deal.states().items() if row.state is A.FAILED}
    assert deal.states()["amount"].state is A.IN_STEP
    assert "cannot be changed by the connected user" in notes["won"]
    assert "has no field Nonsense__c" in notes["lead"]
    assert "is of the type date" in notes["next_step"]
    assert "template has no field nowhere" in notes["nowhere"]
    assert "“many”, which is no number" in notes["employees"]
    place.settings(field_map="amount = Opportunity.Amount number both box")
    deal.sync()
    assert set(deal.states()) == {"amount"}


def test_somebody_else_is_quicker(place, deal):
    """A change in Box between the look and the patch is seen, and the rule decides anew."""
    deal.change(Amount=500)
    run, sides = _sides(place, deal)
    sides.pairs()
    deal.set("amount", 600)
    Writer(run, sides.folder, sides).write()
    # Salesforce wins when both changed: its value stands in Box now, not by luck but by a new look.
    assert deal.box()["amount"] == 500
    deal.change(NextStep="S")
    run, sides = _sides(place, deal)
    sides.pairs()
    deal.set("next_step", "B")
    Writer(run, sides.folder, sides).write()
    assert (deal.box()["next_step"], deal.salesforce()["NextStep"]) == ("B", "S")
    assert deal.states()["next_step"].state is A.CONFLICT


def test_somebody_else_is_quicker_in_salesforce(place, deal):
    """The write holds only for what was read; the next try looks again, and both are shown."""
    deal.set("next_step", "B")
    run, sides = _sides(place, deal)
    assert Verdict.TO_SALESFORCE in {pair.verdict for pair in sides.pairs()}
    place.crm.advance(3)
    deal.change(NextStep="S")
    writer = Writer(run, sides.folder, sides)
    with pytest.raises(Transient, match="Somebody changed the record"):
        writer.write()
    assert deal.salesforce()["NextStep"] == "S"
    writer.write()
    assert (deal.box()["next_step"], deal.salesforce()["NextStep"]) == ("B", "S")
    assert deal.states()["next_step"].state is A.CONFLICT


@pytest.mark.parametrize("kind", ["reset_after_commit", "reset_before_commit", "status"])
@pytest.mark.parametrize("to", ["box", "salesforce"])
def test_an_answer_that_is_lost_is_looked_for(place, deal, kind, to):
    """The next run finds both alike, or writes it; never twice the other way."""
    more = {"status": 503} if kind == "status" else {}
    if to == "box":
        deal.change(Amount=900)
        place.crm.process.fault(kind=kind, method="PUT", path="/metadata/", **more)
    else:
        deal.set("close_date", "2031-01-01T00:00:00.000Z")
        path = f"/sobjects/Opportunity/{deal.id}"
        place.crm.process.fault(kind=kind, method="PATCH", path=path, **more)
    with pytest.raises(Transient):
        deal.sync()
    deal.sync()
    assert deal.box()["amount"] == deal.salesforce()["Amount"]
    assert deal.box()["close_date"][:10] == deal.salesforce()["CloseDate"]
    assert {row.state for row in deal.states().values()} == {A.IN_STEP}
    before = deal.writes()
    deal.sync()
    assert deal.writes() == before


@pytest.fixture
def refused(place):
    """A rule of the organisation by which no opportunity has the next step Bad."""
    rule = {"when": "NextStep = 'Bad'", "message": "Not that.", "field": "NextStep"}
    place.crm.process.call("POST", "/salesforce/rules", {"object": "Opportunity", **rule})
    yield
    place.crm.process.call("DELETE", "/salesforce/rules")


def test_one_field_that_salesforce_refuses_spoils_none(deal, refused):
    """A rule of the organisation refuses one value; the others still go."""
    deal.set("next_step", "Bad")
    deal.set("close_date", "2032-01-01T00:00:00.000Z")
    deal.set("lead", "Other")
    deal.heard()
    assert deal.salesforce()["CloseDate"] == "2032-01-01"
    assert deal.salesforce()["LeadSource"] == "Other"
    assert "“Not that”" in deal.states()["next_step"].note


def test_a_second_write_overrules_nobody_either(place, deal, refused):
    """After our own first field the record is newer; a colleague's change after it still counts."""
    deal.set("close_date", "2032-01-01T00:00:00.000Z")
    deal.set("next_step", "Bad")
    deal.set("lead", "Other")
    run, sides = _sides(place, deal)
    keep = place.store.field_states.put
    theirs = iter([lambda: (place.crm.advance(3), deal.change(LeadSource="Partner Referral"))])

    def meanwhile(rows):
        keep(rows)
        if any(row.field == "close_date" for row in rows):
            next(theirs, lambda: None)()

    writer = Writer(_watched(run, meanwhile), sides.folder, sides)
    with pytest.raises(Transient, match="Somebody changed the record"):
        writer.write()
    assert deal.salesforce()["CloseDate"] == "2032-01-01"
    assert deal.salesforce()["LeadSource"] == "Partner Referral"
    writer.write()
    assert deal.salesforce()["LeadSource"] == "Partner Referral"
    assert deal.states()["lead"].state is A.CONFLICT
    assert deal.states()["next_step"].state is A.FAILED


def test_a_second_write_goes_on_though_another_field_was_changed(place, deal, refused):
    """What a colleague, or a flow of the organisation, did elsewhere stops no field."""
    deal.set("close_date", "2032-01-01T00:00:00.000Z")
    deal.set("next_step", "Bad")
    deal.set("lead", "Other")
    run, sides = _sides(place, deal)
    keep = place.store.field_states.put

    def meanwhile(rows):
        keep(rows)
        if any(row.field == "close_date" for row in rows):
            place.crm.advance(3)
            deal.change(Description="Ours")

    Writer(_watched(run, meanwhile), sides.folder, sides).write()
    assert deal.salesforce()["LeadSource"] == "Other"
    assert deal.salesforce()["Description"] == "Ours"


def test_only_the_oldest_folder_of_a_record_counts(place, deal):
    """A second one is told which one does."""
    place.clock.advance(seconds=5)
    second = Deal.__new__(Deal)
    second.__dict__ |= {**deal.__dict__, "folder": place.crm.deal()}
    second.path = f"/folders/{second.folder}/metadata/enterprise/{TEMPLATE}"
    place.crm.call("POST", second.path, json={"opportunity_id": deal.id, "amount": 5})
    second.event("CREATED")
    assert "counts" in second.sync()
    assert second.states() == {}


def test_a_folder_without_instance_gets_one(place):
    """Mapped by a person: the first value makes it."""
    record = place.crm.opportunity(None, Amount=42)
    folder = place.crm.deal()
    place.hub.crm.map_folder(CLI, place.integration.id, folder, record_id=record)
    (row,) = place.asked("sync_fields")
    place.note(row)
    path = f"/folders/{folder}/metadata/enterprise/{TEMPLATE}"
    assert place.crm.call("GET", path)["amount"] == 42


def test_a_run_that_died_before_its_note_finds_both_alike(place, deal):
    """A continued run reads anew; what was written is agreed, not written again."""
    deal.change(Amount=31)
    deal.set("amount", 31)  # the write that came through before the crash
    before = deal.writes()
    run, sides = _sides(place, deal)
    did = Writer(run, sides.folder, sides).write()
    assert (did["written"], deal.writes()) == ([], before)
    state = deal.states()["amount"]
    assert (state.state, state.source, state.author) == (A.IN_STEP, None, "")


def test_somebody_changes_box_all_the_time(place, deal):
    """Three looks, then the run is tried again later; nothing of theirs is lost."""
    deal.change(Amount=1)
    run, sides = _sides(place, deal)
    read, count = sides.pairs, iter(range(500, 600))

    def busy():
        found = read()
        deal.set("amount", next(count))
        return found

    sides.pairs = busy
    with pytest.raises(Transient, match="changes all the time"):
        Writer(run, sides.folder, sides).write()
    assert deal.box()["amount"] == 502
    deal.sync()
    assert deal.box()["amount"] == 1


def test_a_deleted_record_leaves_the_fields_alone(place, deal):
    """The folder keeps what it has."""
    before = deal.box()
    place.crm.delete("Opportunity", deal.id)
    assert "no longer shows the record" in deal.sync()
    assert deal.box() == before


def test_a_dry_run_shows_both_values_and_writes_nothing(place, deal):
    """What the console's “Compare now” asks for."""
    deal.change(Amount=12, NextStep="S")
    deal.set("next_step", "B")
    before, states = deal.writes(), deal.states()
    work = place.hub.fields.last_work(CLI, place.integration.id, deal.folder)
    run = StraightRun(
        work=work, integration=place.integration, services=place.hub.services, dry=True
    )
    asyncio.run(KIND.workflows["sync_fields"](run))
    assert (deal.writes(), deal.states()) == (before, states)
    plans = " ".join(run.plans)
    assert "amount = Opportunity.Amount: Box has “100”, Salesforce has “12”" in plans
    assert "Box has “B”, Salesforce has “S”; a person decides" in plans


def test_fields_wait_while_calls_are_for_files(place, deal):
    """From the share of the day's calls on that the settings name."""
    now = place.clock.now()
    place.store.api_usages.note(ApiUsage(connection_id="salesforce", used=95, most=100, at=now))
    deal.change(Amount=1)
    with pytest.raises(LimitReached):
        deal.sync()
    assert deal.box()["amount"] == 100


def test_a_new_map_and_a_lost_webhook_are_noticed(place, deal):
    """Every folder is compared once for a new map, later only one whose metadata has changed."""
    sweep = place.run(place.work("sweep_fields"))
    assert "1 folders were looked at, 1 are compared" in sweep.ending.note
    assert "0 are compared" in place.note(place.work("sweep_fields"))
    deal.set("amount", 4242)
    used = place.crm.calls()
    assert "1 are compared" in place.note(place.work("sweep_fields"))
    assert place.crm.calls() == used
    deal.set("next_step", "B")
    deal.change(NextStep="S")
    deal.sync()
    assert deal.states()["next_step"].state is A.CONFLICT
    assert "0 are compared" in place.note(place.work("sweep_fields"))
    place.settings(field_map="amount = Opportunity.Amount number both salesforce")
    assert "1 are compared" in place.note(place.work("sweep_fields"))
    place.settings(field_map="")
    assert place.note(place.work("sweep_fields")) == "No field is mapped."


def test_doctor_says_which_lines_of_the_map_do_not_work(place):
    """Both fields are looked for; what is written must be editable."""

    def told() -> tuple[bool, str]:
        found = KIND.live_checks(place.integration, place.hub.services)
        return next((one.ok, one.detail) for one in found if one.name == "field_map")

    assert told() == (True, "5 fields are there on both sides")
    place.settings(
        field_map="won = Opportunity.IsWon flag both box\nno = Opportunity.No__c text both"
    )
    ok, detail = told()
    assert not ok
    assert "Opportunity.IsWon cannot be changed by the connected user" in detail
    assert "template has no field no:" in detail and "Opportunity has no field No__c" in detail


def _sides(place: World, deal: Deal) -> tuple[StraightRun, Sides]:
    """Both sides as a run has them."""
    place.integration = place.store.integrations.get(place.integration.id)
    run = StraightRun(
        work=place.work("sync_fields", folder_id=deal.folder),
        integration=place.integration,
        services=place.hub.services,
    )
    folder = place.known(deal.folder)
    rules = chosen(place.integration).mapped.of("Opportunity")
    return run, Sides(run, folder, rules, choices={})


def _watched(run: StraightRun, put: Callable[[Any], None]) -> StraightRun:
    """That run, whose store keeps the states of fields by `put`."""

    class States:
        def __getattr__(self, name):
            return getattr(run.services.store.field_states, name)

    class Store:
        field_states = States()

        def __getattr__(self, name):
            return getattr(run.services.store, name)

    States.put = staticmethod(put)
    return replace(run, services=replace(run.services, store=Store()))
