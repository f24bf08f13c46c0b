"""Which work events and orders make."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.acting import Toy
from inkwire.clock import ManualClock
from inkwire.engine.contract import EventHandler, OrderWork
from inkwire.engine.planning import Hearing, order_plans
from inkwire.ids import CountingIds
from inkwire.model.event import DedupeKind, Event, EventState, Origin, ParsedEvent
from inkwire.model.order import Order, Party
from inkwire.model.work import Integration, IntegrationState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLOCK = ManualClock(NOW)
PARSED = ParsedEvent(type="toy.made", dedupe_key=b"1", dedupe_kind=DedupeKind.HARD, entity_key="e")
EVENT = Event(
    id="evt_1", receipt_id="rcp_1", source_id="one", provider="toy", position=0, type="toy.made",
    state=EventState.NEW, origin=Origin.WEBHOOK, received_at=NOW, occurred_at=None,
    entity_key="e", dedupe_kind=DedupeKind.HARD, duplicate_of=None, conflict=False, test=False,
    dispatched_at=None, dispatch_error=None,
)  # fmt: skip
ORDER = Order(
    id="ord_1", number="1", status="sign", customer=Party(), created_at=NOW, updated_at=NOW,
    status_at=NOW,
)  # fmt: skip


def handler(**more):
    """Hears `toy.made`."""
    given = {
        "types": frozenset({"toy.made"}),
        "workflow": "make",
        "key": lambda event, parsed: f"{event.id}/made",
        "entity": lambda event, parsed: parsed.entity_key,
        "subject": lambda integration, parsed: {"of": integration.label},
    }
    return EventHandler(**{**given, **more})


def gathering(**more):
    """Hears what only wakes: one row for five seconds."""
    return handler(gather_s=5, **more)


def integration(number, *sources, state=IntegrationState.ACTIVE, kind="toy"):
    """One that hears these sources."""
    return Integration(
        id=number, kind=kind, name="x", state=state, settings={}, connection_id=None,
        source_ids=sources, created_at=NOW, updated_at=NOW,
    )  # fmt: skip


def made(event, *integrations, handlers=None):
    """What that event makes: (integration, key) pairs, and the rows."""
    kind = Toy(events=handlers or (handler(),))
    rows = Hearing({"toy": kind}, integrations, CLOCK, CountingIds()).work(event, PARSED)
    return [(row.integration_id, row.key) for row in rows], rows


def test_every_integration_that_hears_source_and_type_gets_its_own_row():
    """In any state: an outcome must be acted on; unknown kinds and other sources hear nothing."""
    pairs, rows = made(
        EVENT,
        integration(1, "one"),
        integration(2, "two"),
        integration(3, "two", "one", state=IntegrationState.PAUSED),
        integration(4, "one", state=IntegrationState.INACTIVE),
        integration(5, "one", kind="gone"),
    )
    assert pairs == [(1, "evt_1/made"), (3, "evt_1/made"), (4, "evt_1/made")]
    row = rows[0]
    assert (row.workflow, row.entity_key, row.event_id) == ("make", "e", "evt_1")
    assert (row.subject, row.due_at, row.origin) == ({"of": "int_1"}, NOW, Origin.WEBHOOK)
    assert made(replace(EVENT, type="toy.other"), integration(1, "one"))[0] == []


@pytest.mark.parametrize(
    ("change", "idempotent", "heard"),
    [
        ({"test": True}, True, False),
        ({"state": EventState.PROBABLE_DUPLICATE}, False, False),
        ({"state": EventState.PROBABLE_DUPLICATE}, True, True),
        ({"state": EventState.DUPLICATE}, True, False),
        ({"state": EventState.FILTERED}, True, False),
    ],
)
def test_what_is_no_sure_news_makes_work_only_where_that_is_harmless(change, idempotent, heard):
    """Test clicks and sure duplicates never do."""
    rows, _ = made(
        replace(EVENT, **change),
        integration(1, "one"),
        handlers=(handler(state_idempotent=idempotent),),
    )
    assert bool(rows) == heard


def test_an_event_that_is_not_an_integrations_business_makes_no_row():
    """Of another folder, say; its neighbour hears it."""
    mine = handler(subject=lambda one, parsed: {} if one.id == 2 else None)
    pairs, _ = made(EVENT, integration(1, "one"), integration(2, "one"), handlers=(mine,))
    assert pairs == [(2, "evt_1/made")]


class Asking(Toy):
    """Wants every order; number 13 is its bane."""

    def on_order(self, integration, order, *, change_id):
        """One row a change."""
        if integration.id == 13:
            raise KeyError
        if integration.id == 3:
            return None
        return OrderWork(key=change_id, workflow="sign", subject={"order": order.id})


class Those:
    """A fake of the integrations' store."""

    def __init__(self, *integrations):
        self._all = list(integrations)

    def all(self):
        """All of them."""
        return self._all


def test_an_order_asks_the_active_and_the_paused_and_a_defect_stops_nobody():
    """INACTIVE ones make no new work; what one kind raises does not reach the person."""
    plans = order_plans(
        Those(
            integration(1),
            integration(2, state=IntegrationState.PAUSED),
            integration(3),
            integration(4, state=IntegrationState.INACTIVE),
            integration(5, kind="gone"),
            integration(13),
        ),
        {"toy": Asking()},
        CLOCK,
        CountingIds(),
    )
    rows = plans(ORDER, "chg_1")
    assert [row.integration_id for row in rows] == [1, 2]
    assert rows[0].key == "chg_1"
    assert rows[0].entity_key == "order:ord_1"
    assert rows[0].subject == {"order": "ord_1"}


def test_what_only_wakes_makes_one_row_for_a_slot():
    """However many events: the same key, the integration's own lane, due at the slot's end."""
    clock = ManualClock(NOW)
    kind = Toy(events=(gathering(),))

    def heard(event_id):
        hearing = Hearing({"toy": kind}, [integration(3, "one")], clock, CountingIds())
        (row,) = hearing.work(replace(EVENT, id=event_id), PARSED)
        return row

    first = heard("evt_1")
    assert (first.workflow, first.entity_key) == ("make", "integration:3:make")
    assert (first.event_id, first.origin) == ("evt_1", Origin.WEBHOOK)
    assert first.due_at == NOW + timedelta(seconds=5), "what came with the slot is over by then"
    clock.advance(seconds=4.9)
    assert (heard("evt_2").key, heard("evt_2").due_at) == (first.key, first.due_at)
    clock.advance(seconds=0.1)
    assert heard("evt_3").key != first.key


def test_what_is_no_business_of_its_wakes_nobody():
    """And test clicks do not, nor probable duplicates."""
    none = gathering(subject=lambda integration, parsed: None)
    assert made(EVENT, integration(3, "one"), handlers=(none,))[0] == []
    for changed in ({"test": True}, {"state": EventState.PROBABLE_DUPLICATE}):
        event = replace(EVENT, **changed)
        assert made(event, integration(3, "one"), handlers=(gathering(),))[0] == []
