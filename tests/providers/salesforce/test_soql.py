"""Queries that no input can break."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import Permanent
from inkwire.providers.salesforce import soql

_UNESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\"}


def read_literal(text: str) -> tuple[str, str]:
    """Our own reader of Salesforce's rules: the literal's value, and what follows it."""
    assert text[0] == "'"
    value, at = "", 1
    while text[at] != "'":
        if text[at] != "\\":
            value += text[at]
            at += 1
        elif text[at + 1] == "u":
            value += chr(int(text[at + 2 : at + 6], 16))
            at += 6
        else:
            value += _UNESCAPED[text[at + 1]]
            at += 2
    return value, text[at + 1 :]


def test_a_query_is_written():
    """All parts, in Salesforce's order."""
    moment = datetime(2026, 11, 22, 13, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    found = soql.select(
        "Opportunity",
        ["Id", "Account.Name"],
        soql.at_least("SystemModstamp", moment),
        soql.equals("Name", 'Bob\'s \\ "BBQ"\n'),
        soql.equals("IsWon", True),
        soql.equals("Amount", 7),
        soql.equals("ContactId", None),
        soql.one_of("Id", ["a", "b"]),
        order=["SystemModstamp", "Id DESC"],
        limit=10,
    )
    assert found.text == (
        "SELECT Id,Account.Name FROM Opportunity WHERE SystemModstamp >= 2026-11-22T12:00:00.123Z "
        "AND Name = 'Bob\\'s \\\\ \\\"BBQ\\\"\\n' AND IsWon = true AND Amount = 7 "
        "AND ContactId = null AND Id IN ('a','b') ORDER BY SystemModstamp,Id DESC LIMIT 10"
    )


@given(st.text())
def test_no_text_ends_its_literal(text):
    """Read by the rules, the literal is the text and nothing is left of it."""
    condition = soql.equals("Name", text)
    value, rest = read_literal(condition.text.removeprefix("Name = "))
    assert (value, rest) == (text, "")
    assert not re.search(r"[\x00-\x1f\x7f]", condition.text)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_no_text_ends_a_list(values):
    """Each value of a list stays one value."""
    rest = soql.one_of("Id", values).text.removeprefix("Id IN (")
    found = []
    while rest != ")":
        value, rest = read_literal(rest.removeprefix(","))
        found.append(value)
    assert found == values


def test_half_a_character_can_be_sent():
    """A lone surrogate of a vendor's JSON would break the address otherwise."""
    assert soql.literal("a\ud800b") == "'a?b'"


@pytest.mark.parametrize(
    "wrong",
    ["", "1a", "Na me", "Name'", "Name;", "Id FROM User--", "Ärger", "a.", ".a", "a..b", "Id\n",
     "a.b.c.d.e.f.g", "x" * 81, "COUNT()"],
)  # fmt: skip
def test_what_is_no_name_is_refused(wrong):
    """In every place where a name stands."""
    for build in (
        lambda: soql.select(wrong, ["Id"]),
        lambda: soql.select("Task", [wrong]),
        lambda: soql.select("Task", ["Id"], order=[wrong]),
        lambda: soql.equals(wrong, "x"),
        lambda: soql.one_of(wrong, ["x"]),
        lambda: soql.at_least(wrong, datetime.now(UTC)),
    ):
        with pytest.raises(Permanent):
            build()


def test_what_cannot_be_asked_is_refused():
    """No field, no value, no zone, no sensible limit, or more text than Salesforce reads."""
    for build in (
        lambda: soql.select("Task", []),
        lambda: soql.one_of("Id", []),
        lambda: soql.at_least("Id", datetime(2026, 1, 1)),  # noqa: DTZ001 - on purpose
        lambda: soql.select("Task", ["Id"], limit=0),
        lambda: soql.select("Task", ["Id"], limit=50_001),
        lambda: soql.select("Task", ["Id"], order=["Id DESC, Name"]),
        lambda: soql.select("Task", ["Id"], soql.equals("Subject", "x" * 100_000)),
    ):
        with pytest.raises(Permanent):
            build()
