"""What is wrong with a line of the field map by what both vendors say: each its own sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.integrations.box_salesforce.field_checks import (
    NOTHING,
    Facts,
    as_json,
    findings,
    from_json,
    judged,
    type_of,
)
from inkwire.integrations.box_salesforce.field_map import (
    NOBODY,
    Direction,
    Mapped,
    ValueType,
    parse,
)
from inkwire.model.crm import FieldSide
from inkwire.providers.box.objects import BoxTemplateField
from inkwire.providers.salesforce.objects import Field


def box(key: str, type_: str = "string", *options: str) -> BoxTemplateField:
    """A field of the template."""
    return BoxTemplateField(key=key, type=type_, options=options)


def crm(name: str, type_: str = "string", *values: str, updateable: bool = True) -> Field:
    """A field of the object."""
    return Field(
        name=name, label=name, type=type_, length=255, createable=True, updateable=updateable,
        values=values,
    )  # fmt: skip


TEMPLATE = [
    box("amount", "float"),
    box("note"),
    box("day", "date"),
    box("many", "multiSelect", "A", "B"),
    box("stage", "enum", "Won", "Lost", "Open"),
    box("flag", "enum", "Yes", "No"),
]
OBJECT = [
    crm("Amount", "currency"),
    crm("Note__c"),
    crm("CloseDate", "date"),
    crm("Tags__c", "multipicklist", "A"),
    crm("StageName", "picklist", "Won", "Lost", "Proposal"),
    crm("IsWon", "boolean", updateable=False),
    crm("Owner__c", "reference"),
]
FACTS = Facts(
    template="deal",
    box={one.key: one for one in TEMPLATE},
    objects={"Opportunity": {one.name.lower(): one for one in OBJECT}},
)


@pytest.mark.parametrize(
    "line",
    [
        "amount = Opportunity.Amount number both",
        "amount = Opportunity.amount number both",  # API names know no case
        "note = Opportunity.Amount number both",
        "note = Opportunity.StageName text to_box",
        "day = Opportunity.CloseDate date both",
        "flag = Opportunity.IsWon flag to_box",
        "note = Opportunity.Owner__c text to_box",
    ],
)
def test_lines_that_fit_say_nothing(line):
    """Types that read and write each other, in the directions that the line names."""
    (rule,) = parse([line]).lines
    assert findings(rule, FACTS) == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lost = Opportunity.Amount number both", "The metadata template has no field lost"),
        ("amount = Opportunity.Lost__c number both", "Opportunity has no field Lost__c"),
        ("flag = Opportunity.IsWon flag both", "cannot be changed by the connected user"),
        ("amount = Opportunity.Note__c number both", "is of the type string, and the map writes"),
        ("day = Opportunity.CloseDate number to_box", "of which no value is a number"),
        ("amount = Opportunity.CloseDate date to_box", "amount is of the type float"),
        ("many = Opportunity.Note__c text both", "many is of the type multiSelect"),
        ("note = Opportunity.Tags__c text to_box", "of the type multipicklist, of which no value"),
        ("note = Opportunity.Owner__c text both", "of the type reference, and the map writes a"),
    ],
)
def test_each_misfit_has_its_own_sentence(line, words):
    """Unknown on either side, not to be changed, a type that cannot be read or written."""
    (rule,) = parse([line]).lines
    found = findings(rule, FACTS)
    assert any(words in one.text for one in found), found
    assert all(one.fails for one in found)
    assert len({one.text for one in found}) == len(found)


def test_listed_values_that_do_not_meet_are_named_and_the_others_go_over():
    """By direction: what Box's drop-down lacks, and what Salesforce's picklist lacks."""
    (rule,) = parse(["stage = Opportunity.StageName text both nobody"]).lines
    lacks_box, lacks_crm = findings(rule, FACTS)
    assert "has no option for “Proposal” of Opportunity.StageName" in lacks_box.text
    assert "no active value for “Open” of the template's field stage" in lacks_crm.text
    assert not lacks_box.fails and not lacks_crm.fails
    (rule,) = parse(["stage = Opportunity.StageName text to_box"]).lines
    assert [one.text for one in findings(rule, FACTS)] == [lacks_box.text]
    many = Facts(
        box={"stage": box("stage", "enum", *(f"S{number}" for number in range(20)))},
        objects=FACTS.objects,
    )
    (rule,) = parse(["stage = Opportunity.StageName text to_salesforce"]).lines
    (told,) = findings(rule, many)
    assert "“S7” and 12 more" in told.text


def test_a_side_of_which_nothing_is_known_is_not_accused():
    """Box was not asked, or Salesforce; an object that could not be described says why."""
    (rule,) = parse(["lost = Opportunity.Lost__c number both"]).lines
    assert findings(rule, NOTHING) == ()
    half = Facts(template="deal", box=FACTS.box, object_problems={"": "Salesforce is away."})
    assert [one.text.split(":")[0] for one in findings(rule, half)] == [
        "The metadata template has no field lost"
    ]
    text = [one.text for _, one in judged(parse(["note = Deal__c.X text both"]), 1, half)]
    assert text == ["Salesforce is away."]


def test_findings_stand_at_their_lines():
    """Lines that cannot be read keep their number, and so do those after them."""
    lines = [
        "nonsense",
        "amount = Opportunity.Amount number both",
        "stage = Opportunity.amount text both",
        "lost = Opportunity.Note__c text both",
    ]
    found = judged(parse(lines), len(lines), FACTS)
    assert [number for number, _ in found] == [1, 3, 4]
    assert "stands on an earlier line" in found[1][1].text
    assert "has no field lost" in found[2][1].text


def test_facts_survive_their_journey_as_json():
    """What a worker says is what the page reads."""
    whole = Facts(
        template="deal",
        box=FACTS.box,
        objects=FACTS.objects,
        object_problems={"Deal__c": "Salesforce has no object Deal__c."},
    )
    again = from_json(json.loads(json.dumps(as_json(whole))))
    assert again.box == whole.box
    assert [one.text for one in findings(parse(["x = Opportunity.Y text both"]).lines[0], again)] \
        == [one.text for one in findings(parse(["x = Opportunity.Y text both"]).lines[0], whole)]  # fmt: skip
    assert again.objects["Opportunity"]["stagename"].values == ("Won", "Lost", "Proposal")
    assert again.problem_of("Deal__c") and not again.problem_of("Opportunity")
    assert from_json(as_json(NOTHING)) == NOTHING


def test_a_field_of_salesforce_suggests_the_type():
    """Text for everything that is neither number, date nor flag."""
    kinds = ("currency", "int", "date", "datetime", "boolean", "picklist", "reference")
    assert [type_of(one).value for one in kinds] == [
        "number", "number", "date", "date", "flag", "text", "text",
    ]  # fmt: skip


keys = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)


@given(keys, names, names, st.sampled_from(ValueType), st.sampled_from(Direction),
       st.sampled_from([*FieldSide, NOBODY, ""]))  # fmt: skip
def test_a_line_is_written_as_it_is_read(field, obj, name, type_, direction, winner):
    """`Mapped.line` is the line that gives the same again, whatever was left out."""
    found = parse([f"{field} = {obj}.{name} {type_} {direction} {winner}"])
    for one in found.lines:
        assert isinstance(one, Mapped)
        assert parse([one.line]).lines == (one,)
    assert len(found.lines) + len(found.faults) == 1
