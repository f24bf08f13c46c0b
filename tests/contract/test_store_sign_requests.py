"""Sign requests: found by whoever asks about them, and read again in time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contract.order_kit import Office
from contract.store_kit import Hub
from inkwire.model.document import SignState
from inkwire.store.contract import ORDER


@pytest.fixture
def office(hub: Hub) -> Office:
    """Keeps orders in a fresh store."""
    return Office(hub)


def test_it_is_kept_and_replaced(office: Office):
    """A later word takes the place of the earlier; when it was made stays."""
    requests = office.hub.store.sign_requests
    first = office.keep(office.request(office.add().id))
    assert requests.get(first.id) == first
    later = replace(
        first,
        state=SignState.SIGNED,
        vendor_status="signed 🙂",
        work_id=None,
        next_check_at=None,
        expires_at=None,
        checks=3,
        updated_at=first.updated_at + timedelta(days=1),
    )
    office.keep(replace(later, created_at=first.created_at + timedelta(days=1), integration_id=8))
    assert requests.get(first.id) == later
    assert requests.get("sr_x") is None
    assert requests.get("\x00") is None


def test_what_is_known(office: Office):
    """Of many ids those that are kept here, in one question."""
    order = office.add()
    kept = {office.keep(office.request(order.id)).id for _ in range(3)}
    many = [f"sr_{n}" for n in range(996)]
    assert office.hub.store.sign_requests.known([*many, *kept, "\x00"]) == kept
    assert office.hub.store.sign_requests.known([]) == frozenset()


def test_the_newest_of_many_orders(office: Office):
    """One question for a page of a list; orders without a request are left out."""
    first, second, without = office.add(), office.add(), office.add()
    office.keep(office.request(first.id))
    theirs = office.keep(office.request(second.id))
    office.hub.clock.advance(seconds=1)
    newest = office.keep(office.request(first.id, state=SignState.DECLINED))
    latest = office.hub.store.sign_requests.latest
    assert latest([first.id, second.id, without.id, "\x00"]) == {
        first.id: newest,
        second.id: theirs,
    }
    assert latest([]) == {}


def test_an_orders_requests(office: Office):
    """Newest first; by integration and state for whoever must not ask twice."""
    order, other = office.add(), office.add()
    made = []
    for state in (SignState.OPEN, SignState.DECLINED, SignState.OPEN):
        office.hub.clock.advance(seconds=1)
        made.append(office.keep(office.request(order.id, state=state)))
    theirs = office.keep(office.request(order.id, integration_id=8))
    office.keep(office.request(other.id))
    requests = office.hub.store.sign_requests
    assert requests.of_order(order.id) == [theirs, *reversed(made)]
    assert requests.open_since(7, order.id, [SignState.OPEN]) == [made[2], made[0]]
    assert requests.open_since(7, order.id, [SignState.DECLINED]) == [made[1]]
    assert requests.open_since(7, order.id, []) == []
    assert requests.open_since(9, order.id, list(SignState)) == []


def test_they_come_due(office: Office):
    """One integration's, oldest first, as many as asked for; one whose outcome is done never."""
    order, now = office.add(), office.hub.clock.now()
    late, later, _, _, _ = (
        office.keep(office.request(order.id, next_check_at=at, integration_id=integration))
        for at, integration in (
            (now - timedelta(hours=2), 7),
            (now, 7),
            (now + timedelta(microseconds=1), 7),
            (now, 8),
            (None, 7),
        )
    )
    due = office.hub.store.sign_requests.due
    assert due(7, now=now, limit=10) == [late, later]
    assert due(7, now=now, limit=1) == [late]
    assert due(9, now=now, limit=10) == []


def test_it_was_read_again(office: Office):
    """Counted and put off; who watches the order is woken only by news."""
    requests, counters = office.hub.store.sign_requests, office.hub.store.counters
    kept = office.keep(office.request(office.add().id))
    before, now = counters()[ORDER], office.hub.clock.now() + timedelta(hours=1)
    following = now + timedelta(hours=2)
    requests.checked(kept.id, vendor_status="sent", next_at=following, at=now)
    assert requests.get(kept.id) == replace(kept, checks=1, next_check_at=following, updated_at=now)
    assert counters()[ORDER] == before
    requests.checked(kept.id, vendor_status="viewed", next_at=None, at=now)
    assert counters()[ORDER] == before + 1
    found = requests.get(kept.id)
    assert (found.checks, found.next_check_at, found.vendor_status) == (2, None, "viewed")
    requests.checked("sr_x", vendor_status="viewed", next_at=None, at=now)
    assert requests.get("sr_x") is None
