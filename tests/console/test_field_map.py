"""The field map's page: rows, checks, a dry run and saving, each without script."""

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest

from fakes.acted import Acted
from fakes.crm_rows import DESCRIBED, CrmRows, crm_connections, crm_integration, tried_record
from fakes.pages import Pages
from fakes.visitor import Visitor
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.console import crm_words, field_row
from inkwire.integrations.box_salesforce.field_checks import NOTHING, Facts
from inkwire.integrations.box_salesforce.field_map import Direction, ValueType, Verdict
from inkwire.integrations.desk import IntegrationChange
from inkwire.model.work import CommandKind, CommandState, IntegrationState

AMOUNT = "amount = Opportunity.Amount number both nobody"
STEP = "next_step = Opportunity.NextStep text both box"
PATH = "/records/field-map/int_1"


@pytest.fixture
def day(pages: Pages, clock: ManualClock) -> Acted:
    """A hub with an active integration between Box and Salesforce."""
    pages.source("box-contracts", "box", "Box – contracts")
    crm_connections(pages.hub)
    integration = crm_integration(pages.hub, IntegrationState.INACTIVE)
    return Acted(pages, lambda seconds: clock.advance(seconds=seconds), integration)


@pytest.fixture
def crm(pages: Pages, day: Acted) -> CrmRows:
    """Puts the map, and what vendors said, into it."""
    assert day.integration is not None
    rows = CrmRows(pages.hub, day.integration)
    rows.map_fields(AMOUNT, STEP)
    return rows


@pytest.fixture
def admin(as_: Any, day: Acted) -> Iterator[Visitor]:
    """An administrator with a form token at hand."""
    visitor = as_("admin")
    visitor.get("/settings")
    yield visitor


def sent(visitor: Visitor, given: dict[str, Any]) -> Any:
    """The answer to the form; a list is a field that stands there several times."""
    pairs = [
        (name, one)
        for name, value in given.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    return visitor.post(PATH, pairs)


def version(page: Any) -> str:
    """What the form began from."""
    (found,) = re.findall(r'name="version" value="([^"]+)"', page.text)
    return found.replace("&#43;", "+")


def lines(page: Any) -> list[str]:
    """The draft that the form holds."""
    return re.findall(r'name="line" value="([^"]+)"', page.text)


def kept(pages: Pages) -> list[str]:
    """The map of the settings."""
    return str(pages.hub.store.integrations.get(1).settings["field_map"]).split("\n")


def test_the_map_is_found_from_where_one_looks_for_it(admin, crm, as_):
    """A tab, the integration's page, and what mends a line that cannot be read."""
    for path in ("/records", "/integrations/int_1"):
        assert "/console/records/field-map" in admin.get(path).text, path
    assert "Opportunity.Amount" in admin.follow(admin.get("/records/field-map")).words
    crm.map_fields("nonsense")
    assert f'href="/console{PATH}"' in admin.get("/integrations/int_1").text
    assert admin.get("/records/field-map/int_9").status == 404
    assert "Nobody" not in as_("vera").get(PATH).words
    assert "nonsense" in as_("vera").get(PATH).words


def test_an_empty_hub_leads_to_an_integration(as_):
    """The tab is there before there is anything to map."""
    assert "Make the integration" in as_("admin").get("/records/field-map").words
    assert "Make the integration" not in as_("vera").get("/records/field-map").words


def test_opening_the_page_asks_both_vendors_once(admin, as_, pages, crm, clock):
    """The fields are plain text until a worker has answered; a reader asks nobody."""
    commands = pages.hub.store.commands
    assert "Add a field" not in as_("vera").get(PATH).words
    assert commands.latest(CommandKind.ASK, "int_1/describe_fields") is None
    page = admin.get(PATH)
    assert "A worker asks Box and Salesforce for their fields" in page.words
    assert 'hx-trigger="load delay:1s"' in page.text
    asked = commands.latest(CommandKind.ASK, "int_1/describe_fields")
    admin.get(PATH)
    assert commands.latest(CommandKind.ASK, "int_1/describe_fields").id == asked.id
    opened = sent(admin, {"version": version(page), "line": [AMOUNT, STEP], "do": "change:0"})
    assert '<input id="f-target" name="target"' in opened.text
    crm.described()
    shown = sent(
        admin,
        {"version": version(page), "line": [AMOUNT, STEP], "do": "show", "at": "0",
         "box": "amount", "target": "Opportunity.NextStep"},
    )  # fmt: skip
    # What was typed meanwhile stands in the selects.
    assert re.search(r'<option value="Opportunity.NextStep" selected', shown.text)
    assert '<option value="amount" selected>amount (number)' in shown.text
    assert 'value="opportunity_id"' not in shown.text  # it names the record
    assert "load delay" not in shown.text
    clock.advance(seconds=660)
    admin.get(PATH)
    again = commands.latest(CommandKind.ASK, "int_1/describe_fields")
    assert again.state is CommandState.NEW


def test_a_vendor_that_cannot_be_asked_is_named_and_fields_are_typed(admin, crm, pages, clock):
    """Half of the facts are enough for half of the selects; a silent worker is told, too."""
    half = Facts(
        template="salesforce_mapping",
        box=DESCRIBED.box,
        object_problems={"": "Salesforce could not be asked: its calls of the day are used up."},
    )
    crm.described(half)
    page = sent(admin, {"version": "", "line": [AMOUNT], "do": "change:0"})
    assert "its calls of the day are used up. Names of its fields are typed in" in page.words
    assert '<input id="f-target" name="target"' in page.text
    assert '<select id="f-box" name="box"' in page.text
    crm.described(error="The integration has no connection to Box; choose one, then retry.")
    assert "no connection to Box" in admin.get(PATH).words
    sent(admin, {"version": "", "line": [AMOUNT], "do": "ask"})
    clock.advance(seconds=30)
    assert "No worker has asked Box and Salesforce" in admin.get(PATH).words


def test_rows_are_added_changed_and_removed_in_the_form_alone(admin, pages, crm):
    """Nothing is kept until it is saved; the type follows the field if none is chosen."""
    crm.described()
    page = admin.get(PATH)
    form = {"version": version(page), "line": lines(page)}
    assert form["line"] == [AMOUNT, STEP]
    opened = sent(admin, form | {"do": "add"})
    assert "A new field" in opened.words and 'name="at" value="2"' in opened.text
    added = sent(
        admin,
        form
        | {"do": "keep", "at": "2", "box": "close_date", "target": "Opportunity.CloseDate",
           "type": "", "direction": "to_box", "winner": "nobody"},
    )  # fmt: skip
    assert lines(added)[2] == "close_date = Opportunity.CloseDate date to_box nobody"
    assert "Not saved yet" in added.words
    changed = sent(
        admin,
        form | {"line": lines(added), "do": "keep", "at": "0", "box": "amount", "type": "number",
                "target": "Opportunity.Amount", "direction": "to_box", "winner": "box"},
    )  # fmt: skip
    # Of one direction the written side cannot win.
    assert lines(changed)[0] == "amount = Opportunity.Amount number to_box"
    removed = sent(admin, form | {"line": lines(changed), "do": "remove:1"})
    assert [one.split(" ")[0] for one in lines(removed)] == ["amount", "close_date"]
    for odd in ("remove:9", "change:x", "change:", "nothing", f"remove:{'9' * 5_000}"):
        assert lines(sent(admin, form | {"do": odd})) == [AMOUNT, STEP], odd
    assert lines(sent(admin, form | {"do": "change:0", "at": "1" * 5_000})) == [AMOUNT, STEP]
    cancelled = sent(
        admin, form | {"do": "cancel", "at": "0", "box": "lead", "target": "Account.Industry"}
    )
    assert lines(cancelled) == [AMOUNT, STEP] and "Change the field" not in cancelled.words
    assert kept(pages) == [AMOUNT, STEP]


def test_each_problem_stands_at_its_row(admin, pages, crm):
    """Unknown, not to be changed, another type, values that do not meet, the same target twice."""
    crm.described()
    wrong = [
        AMOUNT,
        "lost = Opportunity.Amount2 number both",
        "won = Opportunity.IsWon flag to_salesforce",
        "close_date = Opportunity.NextStep date both",
        "lead = Opportunity.LeadSource text both box",
        "probability = Opportunity.amount number both",
        "what is this",
    ]
    page = sent(admin, {"version": "", "line": wrong, "do": "show"})
    table = page.text.split("<tbody>")[1].split("</tbody>")[0]
    rows = re.split(r'<tr(?: class="has-findings")?>', table)[1:]
    words = [html.unescape(re.sub(r"<[^>]+>", " ", one)) for one in rows]
    assert len(rows) == len(wrong)
    for number, text in (
        (1, "no field lost"),
        (1, "Opportunity has no field Amount2"),
        (2, "Opportunity.IsWon cannot be changed"),
        (3, "is of the type string, and the map writes a date"),
        (4, "has no option for “Phone”, “Partner”"),
        (4, "no active value for “Fair”"),
        (5, "stands on an earlier line"),
        (6, "write it as"),
    ):
        assert text in words[number], (number, words[number])
    assert "finding" not in rows[0]


def test_saving_is_the_change_of_a_setting(admin, pages, crm, as_):
    """The same audit entry; what cannot be kept is told, and nothing of the draft is lost."""
    page = admin.get(PATH)
    form = {"version": version(page), "line": [STEP], "do": "save"}
    said = admin.follow(sent(admin, form))
    assert "Saved." in said.words and lines(said) == [STEP]
    assert kept(pages) == [STEP]
    entry = pages.hub.store.access.audit()[0]
    assert (entry.actor, entry.action, entry.target) == (
        "user:admin", "integration.update", "int_1",
    )  # fmt: skip
    assert entry.detail["changed"] == "settings.field_map"
    long = [f"f{number} = Opportunity.{'X' * 75}{number} text both nobody" for number in range(50)]
    wrong = sent(admin, form | {"version": version(said), "line": long})
    assert wrong.status == 422 and "at most 4,000 characters" in wrong.words
    assert len(lines(wrong)) == 50 and kept(pages) == [STEP]
    assert sent(as_("vera"), form).status == 403
    # What stands in an open row is saved along.
    opened = form | {"version": version(said), "at": "1", "box": "amount", "type": "number",
                     "target": "Opportunity.Amount", "direction": "both", "winner": "nobody"}  # fmt: skip
    sent(admin, opened)
    assert kept(pages) == [STEP, AMOUNT]


def test_whoever_comes_late_is_told_and_may_insist(admin, pages, crm, clock):
    """A change since the page was opened: nothing is kept, both maps are shown."""
    page = admin.get(PATH)
    clock.advance(seconds=5)
    pages.hub.integrations.change(
        CLI, 1, IntegrationChange(settings={"field_map": "lead = Opportunity.LeadSource text both"})
    )
    form = {"version": version(page), "line": [AMOUNT], "do": "save"}
    late = sent(admin, form)
    assert late.status == 409
    assert "Somebody changed int_1 meanwhile, so nothing was kept" in late.words
    assert "lead = Opportunity.LeadSource text both" in late.words
    assert lines(late) == [AMOUNT]
    assert kept(pages) == ["lead = Opportunity.LeadSource text both"]
    admin.follow(sent(admin, form | {"version": version(late)}))
    assert kept(pages) == [AMOUNT]


def test_a_draft_is_tried_before_it_is_saved(admin, as_, pages, crm, clock):
    """The address holds the dry run, and the draft with it; nothing is saved."""
    page = admin.get(PATH)
    form = {"version": version(page), "line": [AMOUNT], "do": "try", "records": "3"}
    asked = sent(admin, form)
    command = pages.hub.store.commands.latest(CommandKind.ASK, "int_1/try_fields")
    assert command.asks == {"lines": [AMOUNT], "records": 3}
    tried = admin.follow(asked)
    assert "A worker reads both sides" in tried.words and lines(tried) == [AMOUNT]
    assert version(tried) == version(page)
    result = {
        "lines": [AMOUNT],
        "problems": [],
        "records": [
            tried_record(
                "501", "Renewal",
                ("amount", "Amount", "100", "", "to_salesforce", "100", ""),
                ("next_step", "NextStep", "", "x", "to_box", None, ""),
                ("lead", "LeadSource", "a", "b", "conflict", None, "Both were changed."),
                ("close_date", "CloseDate", "", "", "agreed", None, ""),
                ("won", "IsWon", "maybe", "true", "failed", None, "Box holds “maybe”."),
            ),
            tried_record("502", "Gone") | {"problem": "Salesforce no longer shows this record."},
        ],
    }  # fmt: skip
    pages.hub.store.commands.done(command.id, at=clock.now(), result=result)
    url = f"{PATH}?try={command.id}"
    words = admin.get(url).words
    assert "2 records read, nothing written" in words
    for text in (
        "Salesforce gets “100”.",
        "Box’s value is taken away.",
        "Both were changed.",
        "1 field is in step",
        "Box holds “maybe”.",
        "Salesforce no longer shows this record.",
    ):
        assert text in words, text
    assert kept(pages) == [AMOUNT, STEP]
    changed = sent(admin, form | {"do": "remove:0", "trial": command.id})
    assert "The map was changed since" in changed.words
    for records in ("0", "51", "x", "²"):
        wrong = sent(admin, form | {"records": records})
        assert wrong.status == 422 and "whole number from 1 to 50" in wrong.words, records
    nothing = sent(admin, form | {"line": ["what"]})
    assert nothing.status == 409 and "nothing to try" in nothing.words
    for number in range(1, 20):  # beside the look at the vendors, which waits too
        assert sent(admin, form | {"records": f"{number}"}).status == 303
    busy = sent(admin, form | {"records": "21", "line": [STEP]})
    assert busy.status == 429 and "wait until a worker has answered some" in busy.words
    assert [html.unescape(one) for one in lines(busy)] == [STEP], "the draft is not lost"
    assert admin.get(f"{PATH}?try=cmd_none").status == 404
    # A viewer reads what runs do, but asks for nothing.
    assert "Salesforce gets “100”." in as_("vera").get(url).words
    assert sent(as_("vera"), form).status == 403


def test_whoever_sees_the_page_may_look_again(admin, as_, pages, crm):
    """The page itself does, while a worker is asked; an operator tries maps and changes none."""
    assert "A worker asks Box and Salesforce" in admin.get(PATH).words
    form = {"version": "", "line": [AMOUNT], "do": "show"}
    vera, olga = as_("vera"), as_("olga")
    for one in (vera, olga):
        assert one.get(PATH).status == 200
        shown = sent(one, form)
        assert shown.status == 200 and "A worker asks Box and Salesforce" in shown.words
        for verb in ("ask", "keep", "add", "remove:0", "save"):
            refused = sent(one, form | {"do": verb})
            assert refused.status == 403 and "integrations:write" in refused.words, verb
    refused = sent(vera, form | {"do": "try"})
    assert refused.status == 403 and "runs:write" in refused.words
    assert pages.hub.store.commands.latest(CommandKind.ASK, "int_1/try_fields") is None
    tried = admin.follow(sent(admin, form | {"do": "try"}))
    assert "A worker reads both sides" in tried.words
    trial = pages.hub.store.commands.latest(CommandKind.ASK, "int_1/try_fields")
    again = sent(olga, form | {"trial": trial.id})
    assert again.status == 200 and "A worker reads both sides" in again.words


def test_a_dry_run_that_fails_says_why(admin, pages, crm, clock):
    """The vendor's sentence; or that no worker is there."""
    form = {"version": "", "line": [AMOUNT], "do": "try"}
    sent(admin, form)
    command = pages.hub.store.commands.latest(CommandKind.ASK, "int_1/try_fields")
    clock.advance(seconds=30)
    assert "No worker has answered yet" in admin.get(f"{PATH}?try={command.id}").words
    pages.hub.store.commands.done(command.id, at=clock.now(), error="Box is away; try again.")
    assert "Box is away; try again." in admin.get(f"{PATH}?try={command.id}").words


def test_a_line_survives_its_row():
    """Parts of a line become the same line again; odd ones are shown as they are."""
    for line in (AMOUNT, STEP, "won = Opportunity.IsWon flag to_box salesforce"):
        assert field_row.line_of(field_row.parts_of(line), NOTHING) == line
    assert field_row.parts_of("what is this")["box"] == "what is this"
    typed = dict.fromkeys(field_row.NAMES, "") | {
        "box": "x", "box_typed": "a b", "target": "A.B", "target_typed": "Deal__c.Y",
    }  # fmt: skip
    assert field_row.line_of(typed, NOTHING) == "ab = Deal__c.Y text both"


def test_every_word_of_the_map_is_told_in_words():
    """Nothing that can be stored shows as a bare code."""
    assert set(crm_words.DIRECTIONS) == set(Direction)
    assert set(crm_words.TYPES) == set(ValueType)
    assert set(crm_words.VERDICTS) == {*Verdict, "failed"}
