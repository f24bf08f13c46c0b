"""The site's own statuses: what they must look like, and where an order may go."""

import pytest

from inkwire.access.gate import CLI
from inkwire.errors import Conflict, Forbidden, InvalidInput
from inkwire.model.access import Caller, Scope
from inkwire.model.order import OrderStatus
from inkwire.model.work import Integration, IntegrationState
from inkwire.orders.statuses import DEFAULTS, checked, read_statuses


def status(code, *to, **more) -> OrderStatus:
    """A status called as its code."""
    return OrderStatus(code=code, name=more.pop("name", code), transitions=to, **more)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ([], "items"),
        ([status(str(n)) for n in range(101)], "items"),
        ([status("a b")], "items.0.code"),
        ([status("", name="x")], "items.0.code"),
        ([status("x" * 41)], "items.0.code"),
        ([status("a"), status("a", name="b")], "items.1.code"),
        ([status("a", name="New"), status("b", name="NEW")], "items.1.name"),
        ([status("a", name="")], "items.0.name"),
        ([status("a", "b")], "items.0.transitions"),
        ([status("a", "b", "b"), status("b")], "items.0.transitions"),
        ([status("a", terminal=True), status("b")], "items.0.terminal"),
    ],
)
def test_what_is_wrong_is_named(given, path):
    """Unknown targets, duplicates, none left, a first one that ends at once."""
    with pytest.raises(InvalidInput) as caught:
        checked(given)
    assert set(caught.value.fields) == {path}


def test_their_place_is_their_position():
    """They are sorted by the given position and numbered anew."""
    made = checked([status("b", position=9), status("a", position=3)])
    assert [(one.code, one.position) for one in made] == [("a", 0), ("b", 1)]


def test_a_fresh_hub_has_statuses_without_a_write(office):
    """They are there at once, fit our own rules, and reading them keeps nothing."""
    assert office.orders.statuses() == list(DEFAULTS) == checked(DEFAULTS)
    assert office.rooms.store.orders.statuses() == []
    assert office.add().status == "new"
    assert {"request_signature", "signed", "declined", "expired", "cancelled"} <= {
        one.code for one in DEFAULTS
    }


def test_the_sites_own_take_their_place(office):
    """What was set is what counts, and it stands in the audit log."""
    office.orders.set_statuses(CLI, [status("10", "30"), status("30", terminal=True)])
    assert [one.code for one in office.orders.statuses()] == ["10", "30"]
    assert office.add().status == "10"
    assert office.orders.move(CLI, "1042", "30").status == "30"
    assert "statuses.set" in {entry.action for entry in office.rooms.store.access.audit()}


def test_a_status_that_is_in_use_stays(office):
    """Neither an order nor an integration is left with a status that is no more."""
    office.add()
    with pytest.raises(Conflict):
        office.orders.set_statuses(CLI, [status("10")])
    now = office.rooms.clock.now()
    office.rooms.store.integrations.add(
        Integration(
            id=0,
            kind="box_sign_orders",
            name="Sign",
            state=IntegrationState.INACTIVE,
            settings={"signed_status": "signed"},
            connection_id=None,
            created_at=now,
            updated_at=now,
        ),
        audit=office.entry(),
    )
    with pytest.raises(Conflict, match=r"int_1.*signed_status"):
        office.orders.set_statuses(CLI, [status("new")])
    assert office.rooms.store.orders.statuses() == []
    office.orders.set_statuses(CLI, [status("new"), status("signed")])


def test_who_takes_orders_does_not_set_statuses(office):
    """Statuses decide what integrations do: they need `integrations:write`."""
    clerk = Caller(actor="key:1", scopes=frozenset({Scope.ORDERS_WRITE, Scope.ORDERS_READ}))
    with pytest.raises(Forbidden, match="integrations:write"):
        office.orders.set_statuses(clerk, [status("a")])


@pytest.mark.parametrize(
    "given", [{}, {"items": 1}, {"items": [{"code": 1}]}, {"items": [{"code": "a", "x": 1}]}]
)
def test_a_file_of_another_shape_is_invalid_input(given):
    """The command line reads files that people write."""
    with pytest.raises(InvalidInput):
        read_statuses(given)


@pytest.mark.parametrize(
    ("current", "target", "says"),
    [
        ("new", "signed", "cannot go to Signed; from there it can go to: Request signature"),
        ("new", "new", "already"),
        ("signed", "new", "no other status follows"),
    ],
)
def test_a_person_moves_as_the_transitions_say(office, current, target, says):
    """What is not allowed is a Conflict that names the ways there are, and changes nothing."""
    order = office.add(status=current)
    with pytest.raises(Conflict, match=says):
        office.orders.move(CLI, order.id, target)
    assert office.orders.get(CLI, order.id) == order
    assert len(office.lines(order.id)) == 1


def test_an_unknown_status_is_invalid_input(office):
    """The answer names those there are."""
    office.add()
    for call in (
        lambda: office.orders.move(CLI, "1042", "sined"),
        lambda: office.add("2", status="sined"),
        lambda: office.add("2", status=7),
    ):
        with pytest.raises(InvalidInput) as caught:
            call()
        assert set(caught.value.fields) == {"status"}
