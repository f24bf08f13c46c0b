"""What a source's fields must look like."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkwire.model.source import SOURCE_ID
from inkwire.providers.contract import SecretField
from inkwire.providers.registry import registry
from inkwire.sources import checks

KEY = SecretField(
    role="key",
    label="Key",
    help="Acme's console.",
    min_length=8,
    max_length=16,
    pattern="[a-z0-9]+",
    pattern_help="must be lower-case letters and digits",
)


@pytest.mark.parametrize("good", ["a", "7", "box-main", "a" * 64, "a--b"])
def test_an_id_that_can_stand_in_a_url_is_taken(good):
    """Every id of the documented form is accepted."""
    assert checks.id_problem(good) is None


@pytest.mark.parametrize(
    "bad", ["", "-a", "a-", "Box", "a_b", "a b", "a/b", "a" * 65, "ä", "a\n", "a\x00", "../a", "٣"]
)
def test_an_id_of_another_form_is_refused_with_the_form(bad):
    """Anything else is refused, and the sentence says what an id looks like."""
    assert "lower-case letters, digits and hyphens" in checks.id_problem(bad)


@pytest.mark.parametrize("bad", ["", " Box", "Box ", "B\nx", "B\x00x", "x" * 101, "\ud800"])
def test_a_name_that_cannot_be_shown_is_refused(bad):
    """Blanks at the ends, control characters and over-long names are refused."""
    assert "1 to 100 printable" in checks.name_problem(bad)


def test_event_types_must_carry_the_providers_prefix():
    """A type without the prefix would never match: the sentence names the wrong one."""
    assert checks.event_types_problem("box", ["box.FILE.UPLOADED", "box.NEW.IN.2030"]) is None
    assert "'FILE.UPLOADED'" in checks.event_types_problem("box", ["FILE.UPLOADED"])
    assert checks.event_types_problem("box", ["box."]) is not None


def test_the_lists_that_limit_a_source_are_bounded():
    """At most 100 types and 1,000 document ids, each at most 200 characters (R131)."""
    assert checks.event_types_problem("a", [f"a.{i}" for i in range(100)]) is None
    assert "at most 100" in checks.event_types_problem("a", [f"a.{i}" for i in range(101)])
    assert checks.event_types_problem("a", ["a." + "x" * 199]) is not None
    assert checks.document_ids_problem([str(i) for i in range(1000)]) is None
    assert "at most 1000" in checks.document_ids_problem([str(i) for i in range(1001)])
    for bad in ("", " 1", "x" * 201, "a\x00"):
        assert checks.document_ids_problem([bad]) is not None


def test_a_pasted_blank_is_named_as_such():
    """The classic paste error gets its own sentence, not a signature that never matches."""
    for bad in (" abcdefgh", "abcdefgh\n", "abcdefgh\u00a0"):
        assert "blank or a line break at an end" in checks.secret_problem(KEY, bad)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("", "is needed: Key. Acme's console."),
        ("short", "8 to 16 characters; this has 5"),
        ("x" * 17, "8 to 16 characters; this has 17"),
        ("abc\x00defgh", "cannot be printed"),
        ("abc\ud800efgh", "cannot be printed"),
        ("ABCDEFGH", "must be lower-case letters and digits"),
    ],
)
def test_a_wrong_secret_is_explained(bad, said):
    """Each way to be wrong has a sentence of its own."""
    assert said in checks.secret_problem(KEY, bad)


@given(st.text(min_size=1, max_size=40))
def test_no_sentence_repeats_a_secret(text):
    """Whatever is wrong with a secret, the message does not hold it."""
    marked = f"\u2603{text}\u2603"
    problem = checks.secret_problem(KEY, marked)
    assert problem is not None
    assert "\u2603" not in problem


@given(st.text(max_size=70))
def test_ids_are_judged_alike_everywhere(text):
    """The check and the pattern of the URL never disagree."""
    assert (checks.id_problem(text) is None) == (SOURCE_ID.fullmatch(text) is not None)


def test_every_provider_takes_the_secrets_that_are_made_up_for_it():
    """A generated secret passes the provider's own rules."""
    roles = [f for p in registry().receiving() for f in p.receive.secrets if f.generate]
    loose = SecretField(role="k", label="", help="", min_length=40, max_length=60, generate=True)
    for field in [*roles, loose]:
        assert checks.secret_problem(field, checks.generate_secret(field)) is None


def test_generated_secrets_differ_and_keep_the_lengths():
    """Made-up secrets are random, as long as allowed, and base64 to those who read it so."""
    field = SecretField(role="k", label="", help="", generate=True)
    made = {checks.generate_secret(field) for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch("[A-Za-z0-9]{32}", text) for text in made)
    assert len(checks.generate_secret(KEY)) == 16
