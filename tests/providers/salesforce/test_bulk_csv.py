"""The CSV of Bulk API 2.0: whatever the text, another reader finds the same; results without trust."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import Permanent
from inkwire.providers.salesforce.client.bulk_csv import MOST_FIELD, read, size_of, written

COLUMNS = ("Subject", "Description", "WhatId")
texts = st.text(
    alphabet=st.one_of(
        st.characters(exclude_categories=("Cs",), exclude_characters="\x00"),
        st.sampled_from('",\n\r=@+-\t😀契ع'),
    ),
    max_size=200,
)
rows = st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, texts)), max_size=8)


def as_sent(text):
    """What is changed on purpose: one kind of line end, and what would empty the field."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "#N/A " if text == "#N/A" else text


def by_python(data):
    """The rows as the standard library's reader finds them."""
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


@given(rows)
def test_another_reader_finds_the_same(given_rows):
    """Quotes, commas, ends of lines, formulas, any script."""
    data = written(COLUMNS, given_rows)
    wanted = [{name: as_sent(text) for name, text in row.items()} for row in given_rows]
    assert by_python(data) == wanted
    assert b"\r" not in data
    assert list(read(data)) == wanted


@given(rows)
def test_its_size_is_known_before(given_rows):
    """As far as it matters: quotes are written twice, line ends become shorter."""
    header = written(COLUMNS, [])
    data = written(COLUMNS, given_rows)
    grown = sum(text.count('"') + 1 for row in given_rows for text in row.values())
    size = sum(size_of(row.values()) for row in given_rows)
    assert len(data) - len(header) <= size + grown


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    """A result that is none is a ValueError, never another error."""
    try:
        found = list(read(data))
    except ValueError:
        return
    assert all(isinstance(text, str) for row in found for text in row.values())


@given(rows, st.integers(min_value=1))
def test_a_cut_result_lacks_whole_rows_or_is_refused(given_rows, at):
    """What it gives is the beginning of what there was."""
    data = written(COLUMNS, given_rows)
    wanted = list(read(data))
    try:
        found = list(read(data[: at % len(data)]))
    except ValueError:
        return
    assert found == wanted[: len(found)]


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+49 30", "-5", "'quoted", "#N/A and more"])
def test_what_looks_like_a_formula_is_data(text):
    """Nothing is put before it."""
    assert written(("Subject",), [{"Subject": text}]) == f'"Subject"\n"{text}"\n'.encode()


def test_what_would_empty_the_field_keeps_a_blank():
    """`#N/A` alone means nothing to the API."""
    assert written(("Subject",), [{"Subject": "#N/A"}]) == b'"Subject"\n"#N/A "\n'


def test_a_field_has_32_000_characters():
    """One more is refused before anything is sent."""
    written(("Subject",), [{"Subject": "x" * MOST_FIELD}])
    with pytest.raises(Permanent, match="32,001 characters"):
        written(("Subject",), [{"Subject": "x" * (MOST_FIELD + 1)}])


def test_half_a_character_becomes_a_question_mark():
    """A lone surrogate has no bytes in UTF-8."""
    assert written(("Subject",), [{"Subject": "a\ud800"}]) == b'"Subject"\n"a?"\n'


@pytest.mark.parametrize(
    "data",
    [
        b'"a","b"\n"1"\n',
        b'"a","b"\n"1","2","3"\n',
        b'"a"\n"1',
        b'"a"\n"1"',
        b'"a"\n"1"x\n',
        b'"a"\n"\xff"\n',
        b'"a"\n"' + b"x" * 200_000 + b'"\n',
    ],
)
def test_what_is_no_whole_csv_is_refused(data):
    """Cut, garbled, or larger than any field is."""
    with pytest.raises(ValueError, match=r".+"):
        list(read(data))


def test_an_empty_result_has_no_rows():
    """With or without a header, with a mark of its encoding, with an empty line at the end."""
    for data in (b"", b'"a"\n', b'\xef\xbb\xbf"a"\n', b'"a"\n\n'):
        assert list(read(data)) == []
