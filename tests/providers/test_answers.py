"""Parts of vendors' answers, whatever they hold."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.providers.answers import one_line, root_cause, rows_of, table_of, wait_s

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
DATED = {"retry-after": "Sun, 22 Nov 2026 12:01:30 GMT"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": " 7 "}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "99999"}, 3600),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "\u0664"}, None),
        ({"retry-after": "9" * 10}, None),
        ({"retry-after": "soon"}, None),
        (DATED, 90),
        ({**DATED, "date": "Sun, 22 Nov 2026 12:01:00 GMT"}, 30),
        ({**DATED, "date": "Sun, 22 Nov 2026 12:02:00 GMT"}, 0),
        ({**DATED, "date": "today"}, 90),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:30 +0000"}, None),
    ],
)
def test_a_vendor_says_how_long_to_wait(headers, seconds):
    """In seconds or as a date, which counts by the vendor's clock; an hour at most."""
    assert wait_s(headers, NOW) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=80)))
def test_a_wait_is_bounded_whatever_is_said(headers):
    """Nothing, or up to an hour; never an error."""
    found = wait_s(headers, NOW)
    assert found is None or 0 <= found <= 3600


@given(st.text(max_size=200), st.integers(1, 50))
def test_a_text_becomes_one_printable_line(text, most):
    """Short, without line breaks, control characters or a stop of its own."""
    found = one_line(text, most)
    assert len(found) <= most and found.isprintable()
    assert not found.endswith((".", " ")) and "  " not in found


def test_what_is_of_another_type_is_absent():
    """A vendor's JSON may hold anything anywhere."""
    assert one_line("  Not\nfound. ", 80) == "Not found"
    assert one_line(None, 80) == one_line(["text"], 80) == ""
    assert table_of({"a": 1}) == {"a": 1} and table_of([1]) == table_of(None) == {}
    assert list(rows_of([{"a": 1}, 2, None, {}])) == [{"a": 1}, {}]
    assert list(rows_of({"a": 1})) == list(rows_of("text")) == []


def test_the_root_of_an_error_is_told():
    """The libraries wrap what the machine said."""
    machine, library = OSError("no route"), ValueError("pool failed")
    library.__cause__ = machine
    assert root_cause(library) == "no route" == root_cause(machine)
