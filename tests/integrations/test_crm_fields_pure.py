"""The field map's lines, what follows from two values, and the forms of values. No I/O."""

import math
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from inkwire.integrations.box_salesforce import field_values as values
from inkwire.integrations.box_salesforce.field_map import (
    Direction,
    Mapped,
    Side,
    ValueType,
    Verdict,
    decide,
    parse,
)
from inkwire.integrations.box_salesforce.field_values import Unfit
from inkwire.integrations.field_desk import takes
from inkwire.model.crm import FieldSide
from inkwire.providers.box.objects import BoxTemplateField
from inkwire.providers.salesforce.objects import Field

GOOD = "amount = Opportunity.Amount number both salesforce"
S, V = FieldSide, Verdict


def rule(type_=ValueType.TEXT, direction=Direction.BOTH, winner=None) -> Mapped:
    """A line of the map."""
    return Mapped(
        field="f", object="Opportunity", name="F", type=type_, direction=direction, winner=winner
    )


def crm_field(type_="string", **more) -> Field:
    """A field as describe tells of it."""
    given = {"name": "F", "label": "F", "length": 0, "createable": True, "updateable": True}
    return Field(type=type_, **(given | more))


class TestLines:
    def test_a_line_says_all(self):
        """Names, type, direction, who wins."""
        (one,) = parse([GOOD]).lines
        assert one.target == "Opportunity.Amount"
        assert (one.field, one.type, one.direction, one.winner) == (
            "amount", ValueType.NUMBER, Direction.BOTH, S.SALESFORCE,
        )  # fmt: skip

    def test_who_wins_may_be_left_out(self):
        """Of one direction the value comes from one side; of both nobody wins."""
        lines = ("a = X.A text to_box", "b = X.B text to_salesforce", "c = X.C text both")
        assert [one.winner for one in parse(lines).lines] == [S.SALESFORCE, S.BOX, None]
        assert parse(["a = X.A text to_box nobody"]).lines[0].winner is None

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("amount", "write it as"),
            ("amount = Opportunity.Amount", "write it as"),
            ("a = X.A text both box please", "write it as"),
            ("my amount = Opportunity.Amount number both", "is no field's key"),
            ("= Opportunity.Amount number both", "is no field's key"),
            ("amount = Amount number both", "write Object.Field"),
            ("amount = Opportunity.Account.Name text both", "write Object.Field"),
            ("amount = Opportunity.Amount money both", "none of text, number, date, flag"),
            ("amount = Opportunity.Amount number sideways", "none of to_box, to_salesforce, both"),
            ("amount = Opportunity.Amount number both me", "one of box, salesforce, nobody"),
            ("amount = Opportunity.Amount number to_box box", "one of salesforce, nobody"),
            ("record_id = Opportunity.Id text to_box", "names the record itself"),
        ],
    )
    def test_a_wrong_line_is_named(self, line, says):
        """By its number; the good lines stay."""
        found = parse([GOOD, line], reserved=["record_id"])
        assert len(found.lines) == 1
        (problem,) = found.problems
        assert problem.startswith("Line 2: ") and says in problem

    def test_a_field_stands_once_for_each_object(self):
        """The same field of the template may be another object's, too."""
        found = parse([GOOD, "amount = Account.AnnualRevenue number to_box"])
        assert not found.problems and found.objects == ("Opportunity", "Account")
        assert [one.object for one in found.of("Account")] == ["Account"]
        twice = parse([GOOD, "amount = Opportunity.NextStep text both"])
        assert "earlier line" in twice.problems[0]
        same = parse([GOOD, "other = Opportunity.AMOUNT number both"])
        assert "earlier line" in same.problems[0]

    def test_there_are_not_too_many(self):
        """All fields of a folder are compared together."""
        lines = [f"f{number} = X.F{number} text both" for number in range(51)]
        assert "50 are the most" in parse(lines).problems[0]

    @given(st.lists(st.text(max_size=60), max_size=5))
    def test_no_text_breaks_it(self, lines):
        """Each line is a rule or a problem."""
        found = parse(lines)
        assert len(found.lines) + len(found.problems) == len(lines)

    @given(
        st.from_regex(r"\A[a-z_][a-z0-9_-]{0,20}\Z"),
        st.from_regex(r"\A[A-Z][A-Za-z0-9_]{0,20}\.[A-Z][A-Za-z0-9_]{0,20}\Z"),
        st.sampled_from(ValueType),
        st.sampled_from(Direction),
    )
    def test_what_is_written_is_read(self, field, target, type_, direction):
        """Whatever blanks stand between."""
        (one,) = parse([f"  {field}=  {target}   {type_} {direction} nobody "]).lines
        assert (one.field, one.target, one.type, one.direction) == (field, target, type_, direction)


WINNERS = st.sampled_from([None, S.BOX, S.SALESFORCE])


def _rules():
    """Every rule that a line can say."""
    sources = {Direction.TO_BOX: S.SALESFORCE, Direction.TO_SALESFORCE: S.BOX}
    return st.builds(rule, direction=st.sampled_from(Direction), winner=WINNERS).filter(
        lambda one: one.winner in (None, sources.get(one.direction, one.winner))
    )


VALUES = st.sampled_from(["", "a", "b", "c"])


def side(value: str) -> Side:
    """A text as it is compared."""
    return values.side(rule(), value)


class TestDeciding:
    @pytest.mark.parametrize(
        ("agreed", "box", "crm", "found"),
        [
            ("a", "a", "a", V.AGREED),
            ("a", "b", "b", V.AGREED),
            ("a", "b", "a", V.TO_SALESFORCE),
            ("a", "a", "b", V.TO_BOX),
            ("a", "", "a", V.TO_SALESFORCE),
            ("a", "b", "c", V.CONFLICT),
            (None, "b", "b", V.AGREED),
            (None, "", "b", V.TO_BOX),
            (None, "b", "", V.TO_SALESFORCE),
            (None, "b", "c", V.CONFLICT),
        ],
    )
    def test_both_ways_and_nobody_wins(self, agreed, box, crm, found):
        """The one that changed counts; both that changed are a conflict."""
        mark = "" if agreed is None else side(agreed).mark
        assert decide(mark, side(box), side(crm), rule()) is found

    def test_of_one_direction_the_other_side_is_never_written(self):
        """What was changed there is set back, or shown; what is there alone is shown."""
        mark = side("a").mark
        by_rule = rule(direction=Direction.TO_BOX, winner=S.SALESFORCE)
        shown = rule(direction=Direction.TO_BOX)
        assert decide(mark, side("b"), side("a"), by_rule) is V.TO_BOX
        assert decide(mark, side("b"), side("a"), shown) is V.CONFLICT
        assert decide(mark, side("a"), side("b"), shown) is V.TO_BOX
        assert decide("", side("b"), side(""), by_rule) is V.CONFLICT
        assert decide("", side("b"), side("c"), by_rule) is V.TO_BOX

    @given(_rules(), st.none() | VALUES, VALUES, VALUES)
    def test_it_comes_to_rest_after_one_write(self, one, agreed, box, crm):
        """What is decided, done and looked at again is agreed, or stays the same conflict."""
        mark = "" if agreed is None else side(agreed).mark
        found = decide(mark, side(box), side(crm), one)
        if found is V.TO_BOX:
            assert one.writes(S.BOX)
            mark, box = side(crm).mark, crm
        elif found is V.TO_SALESFORCE:
            assert one.writes(S.SALESFORCE)
            mark, crm = side(box).mark, box
        again = decide(mark, side(box), side(crm), one)
        assert again is (V.CONFLICT if found is V.CONFLICT else V.AGREED)
        if found is V.AGREED:
            assert box == crm

    @given(_rules(), VALUES, VALUES)
    def test_a_crash_before_the_note_is_agreed_too(self, one, before, after):
        """The write arrived, what was agreed on is still the old value."""
        assume(before != after)
        assert decide(side(before).mark, side(after), side(after), one) is V.AGREED

    @given(_rules(), VALUES, st.lists(st.tuples(st.booleans(), VALUES), max_size=8))
    def test_any_changes_come_to_rest(self, one, start, changes):
        """After any changes a few looks end in both alike, or in a conflict with no more writes."""
        mark, box, crm = side(start).mark, start, start
        for in_box, value in changes:
            box, crm = (value, crm) if in_box else (box, value)
            found = decide(mark, side(box), side(crm), one)
            box = crm if found is V.TO_BOX else box
            crm = box if found is V.TO_SALESFORCE else crm
            if found is not V.CONFLICT:
                assert box == crm
                mark = side(box).mark
        last = decide(mark, side(box), side(crm), one)
        assert last is V.CONFLICT or box == crm

    @given(_rules())
    def test_a_person_takes_only_what_may_be_written(self, one):
        """The other side of the one that is taken."""
        assert {S.BOX: S.SALESFORCE, S.SALESFORCE: S.BOX}[takes(one)[0]] is not None
        assert (S.SALESFORCE in takes(one)) == one.writes(S.BOX)
        assert (S.BOX in takes(one)) == one.writes(S.SALESFORCE)


def read(type_, value):
    """The common form of a value."""
    return values.read(type_, value, where="here")


class TestReading:
    @pytest.mark.parametrize(
        ("type_", "values_", "kept"),
        [
            (ValueType.NUMBER, [1, 1.0, "1", "1.00", "+1", "1e0"], "1"),
            (ValueType.NUMBER, [-0.0, 0, "0.000"], "0"),
            (ValueType.NUMBER, [1250.5, "1250.50"], "1250.5"),
            (ValueType.NUMBER, [1e22, "1e22"], "1" + "0" * 22),
            (ValueType.DATE, ["2027-01-31", "2027-01-31T00:00:00.000Z",
                              "2027-01-31T23:00:00+02:00"], "2027-01-31"),
            (ValueType.FLAG, [True, "true", "Yes", "1", " TRUE "], "true"),
            (ValueType.FLAG, [False, "no", "0"], "false"),
            (ValueType.TEXT, ["a\r\nb", " a\nb\n", "a\rb"], "a\nb"),
            (ValueType.TEXT, [12, 12.0, "12"], "12"),
            (ValueType.TEXT, ["\ud800x"], "?x"),
            *((type_, [None, "", "  "], "") for type_ in ValueType),
        ],
    )  # fmt: skip
    def test_the_same_in_any_form(self, type_, values_, kept):
        """One form for both sides."""
        assert {read(type_, value) for value in values_} == {kept}

    @pytest.mark.parametrize(
        ("type_", "value"),
        [
            (ValueType.NUMBER, "1,250"),
            (ValueType.NUMBER, "NaN"),
            (ValueType.NUMBER, math.inf),
            (ValueType.NUMBER, True),
            (ValueType.NUMBER, "1e999"),
            (ValueType.NUMBER, "١"),
            (ValueType.DATE, "31.1.2027"),
            (ValueType.DATE, "2027-02-30"),
            (ValueType.DATE, 20270131),
            (ValueType.FLAG, "perhaps"),
            (ValueType.TEXT, ["a", "b"]),
            (ValueType.TEXT, {"street": "x"}),
        ],
    )
    def test_what_is_none_is_told(self, type_, value):
        """With the place where it is to be corrected."""
        with pytest.raises(Unfit, match="here"):
            read(type_, value)

    @given(st.sampled_from(ValueType), st.none() | st.booleans() | st.floats() | st.text())
    def test_a_value_in_the_common_form_stays(self, type_, value):
        """Reading twice is reading once, whatever it was."""
        try:
            once = read(type_, value)
        except Unfit:
            return
        assert read(type_, once) == once

    def test_a_flag_that_is_not_set_is_false(self):
        """Salesforce has no third state."""
        flag = rule(ValueType.FLAG)
        assert values.side(flag, "").mark == values.side(flag, "false").mark
        assert values.side(flag, "").empty and not values.side(flag, "false").empty
        assert values.side(rule(), "").mark != values.side(rule(), "false").mark


class TestWriting:
    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_a_number_comes_back_as_it_went(self, number):
        """Over both sides, whichever form they keep."""
        one, kept = rule(ValueType.NUMBER), read(ValueType.NUMBER, number)
        there = values.for_salesforce(one, kept, crm_field("double"))
        assert read(ValueType.NUMBER, there) == kept
        for type_ in ("float", "string"):
            field = BoxTemplateField(key="f", type=type_)
            assert read(ValueType.NUMBER, values.for_box(one, kept, field)) == kept

    @given(st.dates(min_value=date(1700, 1, 1)))
    def test_a_day_comes_back_as_it_went(self, day):
        """Box's dates have a time."""
        one, kept = rule(ValueType.DATE), day.isoformat()
        for type_ in ("date", "string"):
            field = BoxTemplateField(key="f", type=type_)
            assert read(ValueType.DATE, values.for_box(one, kept, field)) == kept
        assert values.for_salesforce(one, kept, crm_field("date")) == kept

    @pytest.mark.parametrize(
        ("one", "value", "field", "says"),
        [
            (rule(), "x", crm_field(updateable=False), "field-level security"),
            (rule(), "x", crm_field("double"), "type double"),
            (rule(), "x" * 256, crm_field(length=255), "takes 255; shorten it in Box"),
            (rule(), "x", crm_field("picklist", values=("a", "b")), "a, b"),
            (rule(ValueType.NUMBER), "1.5", crm_field("int"), "whole numbers"),
            (rule(ValueType.DATE), "2027-01-31", crm_field("datetime"), "type datetime"),
        ],
    )
    def test_what_salesforce_would_not_keep_is_told(self, one, value, field, says):
        """Before it is sent: nothing is cut off."""
        with pytest.raises(Unfit, match=says):
            values.for_salesforce(one, value, field)

    def test_nothing_clears(self):
        """A flag is false then."""
        assert values.for_salesforce(rule(), "", crm_field("picklist")) is None
        assert values.for_salesforce(rule(ValueType.FLAG), "", crm_field("boolean")) is False

    def test_options_of_a_template(self):
        """A flag finds the option that means it; what is no option is told."""
        field = BoxTemplateField(key="f", type="enum", options=("Yes", "No"))
        assert values.for_box(rule(ValueType.FLAG), "false", field) == "No"
        with pytest.raises(Unfit, match="Yes, No"):
            values.for_box(rule(), "Maybe", field)
        with pytest.raises(Unfit, match="type multiSelect"):
            values.for_box(rule(), "x", BoxTemplateField(key="f", type="multiSelect"))
