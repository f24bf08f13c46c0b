"""Passwords: the rule, and hashes."""

import pytest
from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from fakes.hub import CHEAP
from inkwire.access.passwords import Passwords, check_password
from inkwire.errors import InvalidInput, RateLimited

GOOD = "correct horse battery"


def test_a_password_fits_its_own_hash_alone():
    """The hash is salted argon2id, and only the right password opens it."""
    first, second = CHEAP.hash(GOOD), CHEAP.hash(GOOD)
    assert first.startswith("$argon2id$")
    assert first != second
    assert GOOD not in first
    assert CHEAP.verify(first, GOOD)
    assert not CHEAP.verify(first, GOOD + "x")
    assert not CHEAP.verify(first, "")


@pytest.mark.parametrize("good", ["x" * 12, "x" * 256, " spaces count ", "Пароль из слов 密碼"])
def test_length_is_the_only_rule(good):
    """No rules of composition: length alone, in characters of any script."""
    check_password(good)


@pytest.mark.parametrize("bad", ["", "x" * 11, "x" * 257, "x" * 1_000_000, "\ud800" + "x" * 12])
def test_a_wrong_password_is_refused_without_repeating_it(bad):
    """Too short, too long (hashing costs), or not encodable: the field and the rule are named."""
    with pytest.raises(InvalidInput) as caught:
        CHEAP.hash(bad)
    assert caught.value.fields.keys() == {"password"}
    assert len(caught.value.message) < 100


@pytest.mark.parametrize("odd", ["x" * 1_000_000, "\ud800", "\x00"])
def test_odd_input_to_a_check_is_just_wrong(odd):
    """Nothing that is typed at the door raises."""
    assert not CHEAP.verify(CHEAP.hash(GOOD), odd)


def test_a_broken_hash_is_just_wrong():
    """A hash that was damaged lets nobody in and raises nothing."""
    assert not CHEAP.verify("not a hash", GOOD)


def test_nobody_costs_as_much_as_somebody():
    """Unknown names are verified against a hash of the same costs, so timing tells nothing."""
    real = Passwords()
    assert extract_parameters(real._nobody) == RFC_9106_LOW_MEMORY
    assert extract_parameters(real.hash(GOOD)) == RFC_9106_LOW_MEMORY
    for guess in ("", GOOD):
        assert not real.verify(None, guess)


def test_a_flood_is_told_to_come_back():
    """Only a few hashes run at a time (64 MiB each); others wait a moment, then are refused."""
    busy = Passwords(at_once=1, wait_s=0.01)
    with busy._slot(), pytest.raises(RateLimited):
        busy.verify(None, GOOD)
    assert not busy.verify(None, GOOD)
