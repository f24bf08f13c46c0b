"""Ids of records: 15 characters, or 18 that say which of them are capitals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.providers.salesforce.ids import has_shape, is_id, long_id, prefix, same

SHORT = st.text("0123456789ABCXYZabcxyz", min_size=15, max_size=15)


@pytest.mark.parametrize(
    ("short", "whole"),
    [("00D5e000000KQ2e", "00D5e000000KQ2eEAG"), ("0062800000DnL7a", "0062800000DnL7aAAF"),
     ("006000000000001", "006000000000001AAA"), ("ABCDEFGHIJKLMNO", "ABCDEFGHIJKLMNO555")],
)  # fmt: skip
def test_the_suffix_says_which_are_capitals(short, whole):
    """Known pairs; an id of 18 characters stays as it is."""
    assert long_id(short) == long_id(whole) == whole
    assert same(short, whole) and is_id(short) and is_id(whole) and prefix(whole) == short[:3]


@given(SHORT)
def test_both_spellings_are_one_record(short):
    """And another case is another record, though its letters are the same."""
    whole = long_id(short)
    assert same(short, whole) and same(whole, short) and long_id(whole) == whole
    other = short.swapcase()
    assert same(short, other) == (short == other)


@given(st.text(max_size=20))
def test_what_is_no_id_is_none(text):
    """Nothing but ASCII letters and digits, 15 or 18 of them, gets into an address."""
    if has_shape(text):
        assert len(text) in (15, 18) and text.isascii() and text.isalnum()
        return
    assert not is_id(text) and not same(text, text)
    with pytest.raises(ValueError, match="no id"):
        long_id(text)


def test_a_suffix_that_does_not_fit_is_refused():
    """A letter was mistyped, or its case was changed on the way."""
    assert not is_id("00D5e000000KQ2eEAA")
    assert not same("00D5e000000KQ2e", "00d5e000000kq2eEAG")
    assert not is_id("00D5e000000KQ2e\n")
