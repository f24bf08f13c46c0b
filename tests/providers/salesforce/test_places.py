"""At most eight calls at once, and one upload below an Account (DESIGN §6)."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from inkwire.errors import Transient
from inkwire.providers.salesforce.client.places import MOST_AT_ONCE, Places

PATIENCE_S = 60.0


def test_no_more_calls_at_once_than_there_are_places():
    """The ninth waits until one of the eight has ended."""
    places, lock = Places(), threading.Lock()
    full, go = threading.Barrier(MOST_AT_ONCE + 1), threading.Event()
    inside, most = 0, 0

    def call(number):
        nonlocal inside, most
        with places.one("GET /query"):
            with lock:
                inside += 1
                most = max(most, inside)
            if number < MOST_AT_ONCE:
                full.wait(PATIENCE_S)
                go.wait(PATIENCE_S)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(3 * MOST_AT_ONCE) as threads:
        first = [threads.submit(call, number) for number in range(MOST_AT_ONCE)]
        full.wait(PATIENCE_S)
        rest = [threads.submit(call, MOST_AT_ONCE) for _ in range(2 * MOST_AT_ONCE)]
        go.set()
        for one in (*first, *rest):
            one.result(PATIENCE_S)
    assert most == MOST_AT_ONCE


def test_a_call_that_finds_no_place_in_time_is_tried_again():
    """Nothing was sent; the place that comes free is another's."""
    places = Places(most=1, place_s=0.01)
    with (
        places.one("GET /query"),
        pytest.raises(Transient, match="was not sent"),
        places.one("POST /x"),
    ):
        pytest.fail("there was no place")
    with places.one("POST /x"):
        pass


def test_below_one_record_uploads_take_turns_and_others_do_not_wait():
    """Who waits for too long is told so; nothing is kept of a record that nobody wants."""
    places = Places(turn_s=0.01)
    with places.turn("001A") as first, places.turn("001B") as other, places.turn("001A") as second:
        assert (first, other, second) == (True, True, False)
    with places.turn("001A") as again:
        assert again
    assert not places._turns


def test_a_turn_goes_to_who_waits_for_it():
    """One after another, none of them lost."""
    places, inside, order = Places(), [], []

    def upload(number):
        with places.turn("001A") as mine:
            assert mine
            assert not inside
            inside.append(number)
            order.append(number)
            inside.remove(number)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(upload, range(200)))
    assert sorted(order) == list(range(200))
