"""Guessing gets slower and slower."""

import threading

import pytest

from fakes.hub import START
from inkwire.access import throttle
from inkwire.access.throttle import FREE, MAX_KEYS, WAITS_S, Throttle
from inkwire.clock import ManualClock
from inkwire.errors import RateLimited

HOME = "192.0.2.1"


@pytest.fixture
def clock():
    """A clock that stands still."""
    return ManualClock(START)


@pytest.fixture
def gate(clock):
    """A fresh throttle."""
    return Throttle(clock)


def fail(gate, times, name="ada", remote=HOME):
    """Makes tries that fail."""
    for number in range(times):
        gate.attempt(name, remote.format(number))


def wait_of(gate, name="ada", remote=HOME):
    """Seconds that a try has to wait; it is counted as failed if it need not."""
    try:
        gate.attempt(name, remote)
    except RateLimited as error:
        return error.retry_after_s
    return 0


def test_waits_grow_to_a_quarter_of_an_hour(gate, clock):
    """After five failures each further one costs more, up to 900 s and no more."""
    fail(gate, FREE["name"], remote="192.0.2.{}")
    waits = []
    for number in range(len(WAITS_S) + 2):
        waits.append(wait := wait_of(gate, remote=f"198.51.100.{number}"))
        clock.advance(seconds=wait)
        assert wait_of(gate, remote=f"203.0.113.{number}") == 0
    assert waits == [*WAITS_S, 900, 900]


def test_a_try_during_the_wait_costs_nothing_more(gate, clock):
    """Asking again does not lengthen the wait, and the rest of it is told in whole seconds."""
    fail(gate, FREE["name"])
    assert wait_of(gate) == WAITS_S[0]
    clock.advance(seconds=WAITS_S[0] - 0.5)
    assert wait_of(gate) == 1
    clock.advance(seconds=0.5)
    assert wait_of(gate) == 0


def test_names_are_counted_apart(gate):
    """One name's failures do not lock out another."""
    fail(gate, FREE["name"])
    assert wait_of(gate, name="bob", remote="198.51.100.1") == 0


def test_an_address_that_tries_many_names_is_slowed(gate):
    """Spraying one password over many names is throttled by address."""
    for number in range(FREE["remote"]):
        gate.attempt(f"name{number}", HOME)
    assert wait_of(gate, name="fresh") == WAITS_S[0]
    assert wait_of(gate, name="fresh", remote="198.51.100.1") == 0


def test_a_whole_ipv6_network_is_one_address(gate):
    """A customer holds a /64: changing the last half does not help."""
    for number in range(FREE["remote"]):
        gate.attempt(f"name{number}", f"2001:db8:1:2::{number:x}")
    assert wait_of(gate, name="fresh", remote="2001:db8:1:2:ffff::1") == WAITS_S[0]
    assert wait_of(gate, name="fresh", remote="2001:db8:1:3::1") == 0
    assert wait_of(gate, name="fresh", remote="not an address") == 0


def test_an_address_is_the_same_in_both_spellings(gate):
    """IPv4 that arrives on an IPv6 socket counts as the IPv4 address."""
    for number in range(FREE["remote"]):
        gate.attempt(f"name{number}", f"::ffff:{HOME}")
    assert wait_of(gate, name="fresh") == WAITS_S[0]


def test_success_starts_the_name_anew_but_not_the_address(gate):
    """Signing in with one's own account does not wash the address clean for guessing others'."""
    for number in range(FREE["remote"] - 1):
        gate.attempt(f"name{number}", HOME)
    gate.attempt("ada", HOME)
    gate.succeeded("ada", HOME)
    assert wait_of(gate, name="x") == 0
    assert wait_of(gate, name="x") == WAITS_S[0]


def test_a_stranger_cannot_lock_the_owner_out(gate):
    """A name under attack is still open to an address that signed in with it before."""
    gate.attempt("ada", HOME)
    gate.succeeded("ada", HOME)
    fail(gate, FREE["name"], remote="198.51.100.{}")
    assert wait_of(gate, remote="203.0.113.1") > 0
    assert wait_of(gate) == 0


def test_failures_are_forgotten_after_an_hour(gate, clock):
    """A name is not slow for ever."""
    fail(gate, FREE["name"])
    clock.advance(seconds=throttle.FORGET.total_seconds())
    fail(gate, FREE["name"])
    assert wait_of(gate) == WAITS_S[0]


def test_tries_at_one_moment_cannot_all_pass(gate):
    """A try counts before it is judged, so many at once get no more guesses than one by one."""
    passed, start = [], threading.Barrier(16)

    def guess(number):
        start.wait()
        try:
            gate.attempt("ada", f"198.51.100.{number}")
            passed.append(number)
        except RateLimited:
            pass

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == FREE["name"]


def test_memory_is_bounded(gate):
    """A flood of names cannot fill the memory."""
    for number in range(MAX_KEYS + 500):
        gate.attempt(f"name{number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(gate._counts) <= MAX_KEYS
