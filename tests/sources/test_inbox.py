"""What a person does with what came in."""

import pytest

from fakes.hub import START
from inkwire.errors import Conflict, Forbidden, NotFound
from inkwire.model.access import Caller, Scope
from inkwire.model.event import EventState
from inkwire.model.receipt import ReceiptState
from inkwire.model.verdict import Reason
from inkwire.store.contract import Dispatched

OPERATOR = Caller(actor="user:ada", scopes=frozenset({Scope.EVENTS_WRITE}))
READER = Caller(actor="user:bob", scopes=frozenset({Scope.EVENTS_READ, Scope.EVENTS_BODY}))


def test_a_quarantined_receipt_is_released_once(rooms):
    """Its events become new, it says who let it in and when, and twice is a conflict."""
    intake = rooms.receive(quarantine=Reason.STALE)
    receipt = rooms.inbox.release(OPERATOR, intake.receipt_id)
    assert receipt.state is ReceiptState.RELEASED
    assert (receipt.released_by, receipt.released_at) == ("user:ada", START)
    assert rooms.store.events.get(intake.events[0].id).state is EventState.NEW
    entry = rooms.store.access.audit()[0]
    assert (entry.actor, entry.action, entry.target) == (
        "user:ada",
        "receipt.release",
        intake.receipt_id,
    )
    with pytest.raises(Conflict):
        rooms.inbox.release(OPERATOR, intake.receipt_id)
    assert len(rooms.store.access.audit()) == 1


def test_an_event_is_dispatched_again(rooms):
    """A dispatched event waits again, with an audit entry."""
    intake = rooms.receive()
    event_id = intake.events[0].id
    rooms.store.dispatch.take(
        10, lambda batch: [Dispatched(event_id=waiting.event.id) for waiting in batch]
    )
    assert rooms.store.dispatch.backlog() == 0
    rooms.inbox.dispatch_again(OPERATOR, event_id)
    assert rooms.store.dispatch.backlog() == 1
    entry = rooms.store.access.audit()[0]
    assert (entry.action, entry.target) == ("event.dispatch", event_id)


def test_both_need_the_scope(rooms):
    """Reading is not enough to act."""
    intake = rooms.receive(quarantine=Reason.STALE)
    with pytest.raises(Forbidden, match="events:write"):
        rooms.inbox.release(READER, intake.receipt_id)
    with pytest.raises(Forbidden, match="events:write"):
        rooms.inbox.dispatch_again(READER, intake.events[0].id)
    assert rooms.store.events.receipt(intake.receipt_id).state is ReceiptState.QUARANTINED


@pytest.mark.parametrize("wrong", ["rcp_nope", "", "\x00", "x" * 300])
def test_an_unknown_id_is_not_found(rooms, wrong):
    """Nothing is written for an id that does not exist."""
    with pytest.raises(NotFound):
        rooms.inbox.release(OPERATOR, wrong)
    with pytest.raises(NotFound):
        rooms.inbox.dispatch_again(OPERATOR, wrong)
    assert rooms.store.access.audit() == []
