"""Reading bodies that may hold anything."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.errors import Unparsable
from inkwire.model.event import Term, TermKind
from inkwire.providers.payload import (
    MAX_TERM,
    MAX_TERMS,
    MAX_TYPE,
    Terms,
    decode_json,
    entity_key,
    event_type,
    fold,
    members_of,
    objects_at,
    text_at,
    with_member,
)

NOT_JSON = [
    b"",
    b"NaN",
    b"{} {}",
    b"\xef\xbb\xbf{}",
    b'"\xff"',
    b'"\\ud800"',
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b"1" * 5_000,
    b"1e999",
    b"{'a':1}",
    '{"a":1}'.encode("utf-16"),
]


@pytest.mark.parametrize("body", NOT_JSON, ids=lambda body: f"{body[:8]!r}x{len(body)}")
def test_what_is_no_strict_json_is_unparsable(body):
    """Whatever is not JSON in UTF-8, or cannot be held, gives one kind of error with a reason."""
    with pytest.raises(Unparsable) as error:
        decode_json(body)
    assert error.value.message.endswith(".")
    assert members_of(body) is None


@given(st.binary(max_size=60))
def test_decode_raises_nothing_else(body):
    """Random bytes are a value or Unparsable."""
    with contextlib.suppress(Unparsable):
        decode_json(body)


def test_text_at_takes_texts_and_whole_numbers():
    """An id may come as text or number; a truth value, a fraction or an object is no id."""
    value = {"a": {"b": "x", "n": 7, "t": True, "f": 1.5, "e": "", "o": {}, "z": 0}}
    assert [text_at(value, "a", key) for key in "bntfeoz?"] == [
        "x", "7", None, None, None, None, "0", None
    ]  # fmt: skip
    assert text_at([], "a") is text_at(None, "a") is text_at({"a": []}, "a", "b") is None


def test_objects_at_reads_lists_and_single_objects():
    """Box's lists may hold anything, or be no list at all."""
    assert list(objects_at({"a": [{"i": 1}, 2, None, {"i": 3}]}, "a")) == [{"i": 1}, {"i": 3}]
    assert list(objects_at({"a": {"i": 1}}, "a")) == [{"i": 1}]
    assert list(objects_at({"a": "text"}, "a")) == []


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_folded_terms_can_be_stored(text):
    """A term is bounded, valid text without NUL, and folding it again changes nothing."""
    folded = fold(text)
    assert len(folded) <= MAX_TERM
    assert "\x00" not in folded
    assert folded.encode().decode() == folded
    assert fold(folded) == folded


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_types_and_entity_keys_can_be_stored(text):
    """A vendor's name, whatever it holds, gives a bounded, printable type and key."""
    for made in (event_type("box", text), entity_key("box", "file", text) or "box:"):
        assert made.startswith("box")
        assert len(made) <= MAX_TYPE
        assert made.isprintable()


def test_entity_key_needs_all_its_parts():
    """Without a kind or an id there is no entity."""
    assert entity_key("box", "file", "7") == "box:file:7"
    assert entity_key("box", None, "7") is entity_key("box", "file", "") is None


def test_terms_are_bounded_and_without_repeats():
    """However much a body holds, at most 64 different terms are kept, in order."""
    terms = Terms().add(TermKind.NAME, "Ann  LEE", "ann lee", None, " ")
    assert terms.all() == (Term(kind=TermKind.NAME, value="ann lee"),)
    assert len(terms.add(TermKind.ID, *(str(n) for n in range(200))).all()) == MAX_TERMS


def test_with_member_leaves_all_other_bytes():
    """Escapes and numbers of the other members stay as the vendor wrote them."""
    body = rb'{"u":"http:\/\/x","n":1.00,"a":{"e":"\u00e9","id":null}}'
    assert with_member(body, ("a", "id"), "t") == body.replace(b"null", b'"t"')
    assert with_member(body, ("id",), "t") == body[:-1] + b',"id":"t"}'
    assert json.loads(with_member(b' { "a" : 1 } ', ("a",), "\u00e9")) == {"a": "\u00e9"}


@pytest.mark.parametrize("body", [*NOT_JSON, b"[]", b"null", b'{"a":1}', b'{"b":{}}'])
def test_with_member_leaves_what_it_cannot_change(body):
    """No object where the path leads: the body comes back as it is."""
    assert with_member(body, ("a", "b"), "t") is body
