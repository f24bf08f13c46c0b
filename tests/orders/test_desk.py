"""Orders as people and workflows change them: what is kept, told, proven and begun."""

import json
from dataclasses import replace

import pytest

from fakes.subscriber import subscriber
from inkwire.access.gate import CLI
from inkwire.delivery.catalogue import builtin_topics
from inkwire.delivery.schemas import findings
from inkwire.errors import Conflict, Forbidden, InvalidInput, NotFound, Permanent
from inkwire.model.access import Caller
from inkwire.model.document import SignRequest, SignState
from inkwire.model.evidence import first_broken
from inkwire.model.order import LineKind
from inkwire.model.work import Integration, IntegrationState, Work
from inkwire.store.ordering import OrderChange, OrderQuery
from inkwire.store.sending import MessageQuery

ALL = OrderQuery()
NOBODY = Caller(actor="key:0", scopes=frozenset())


def heard(office, *topics):
    """Makes an application that hears the topics; gives a way to read what it was sent."""
    ours = subscriber(office.rooms)
    office.rooms.applications.set_grants(CLI, ours.id, list(topics))

    def messages():
        outbox = office.rooms.store.outbox
        found = outbox.messages(MessageQuery(application_id=ours.id))
        return [json.loads(outbox.open_body(one.id)) for one in found][::-1]

    return messages


def integration(office) -> Integration:
    """An integration to hang work and sign requests on."""
    now = office.rooms.clock.now()
    return office.rooms.store.integrations.add(
        Integration(
            id=0,
            kind="box_sign_orders",
            name="Sign",
            state=IntegrationState.ACTIVE,
            settings={},
            connection_id=None,
            created_at=now,
            updated_at=now,
        ),
        audit=office.entry(),
    )


def test_an_order_is_kept_told_and_proven(office):
    """One transaction: the order, its line, its evidence, the audit entry, the message."""
    messages = heard(office, "order.created")
    order = office.add("2026/7 😀")
    assert office.orders.get(CLI, order.id) == order
    assert office.orders.get(CLI, "2026/7 😀") == order
    assert office.orders.page(CLI, ALL) == [order]
    (line,) = office.lines(order.id)
    assert (line.kind, line.actor) == (LineKind.CREATED, "cli")
    (link,) = office.rooms.store.evidence.chain(order.id)
    assert link.item.facts["number"] == "2026/7 😀"
    assert "order.create" in {entry.action for entry in office.rooms.store.access.audit()}
    (body,) = messages()
    assert body["data"] == {"order_id": order.id, "number": "2026/7 😀", "status": "new"}
    assert office.planned == [("new", line.id)]


def test_no_two_orders_share_a_number(office):
    """Also when it is changed; the number of a deleted order is free again."""
    office.add()
    with pytest.raises(Conflict, match="1042"):
        office.add()
    other = office.add("2")
    with pytest.raises(Conflict, match="1042"):
        office.orders.change(CLI, other.id, {"number": "1042"})
    office.orders.delete(CLI, "1042")
    assert office.orders.change(CLI, other.id, {"number": "1042"}).number == "1042"


def test_a_change_says_what_changed_and_not_to_what(office):
    """Names of members stand in line, audit and evidence; what they hold does not."""
    order = office.add()
    new = office.orders.change(CLI, order.id, {"customer": {"email": "secret@example.com"}})
    assert (new.version, new.customer.name) == (2, "Jane")
    assert office.orders.get(CLI, order.id) == new
    line = office.lines(order.id)[-1]
    assert (line.kind, line.text) == (LineKind.EDITED, "Changed: customer.email.")
    kept = repr((office.rooms.store.evidence.chain(order.id), office.rooms.store.access.audit()))
    assert "customer.email" in kept
    assert "secret@" not in kept
    assert office.planned == [("new", office.lines(order.id)[0].id)]


def test_a_change_that_changes_nothing_leaves_no_trace(office):
    """The same values again: same version, no line."""
    order = office.add()
    assert office.orders.change(CLI, order.id, {"number": "1042"}) == order
    assert len(office.lines(order.id)) == 1


def test_nobody_overwrites_what_they_have_not_seen(office):
    """A named version that is not the present one is a Conflict; so is a race in the store."""
    order = office.add()
    office.orders.change(CLI, order.id, {"version": 1, "currency": "USD"})
    with pytest.raises(Conflict) as caught:
        office.orders.change(CLI, order.id, {"version": 1, "currency": "GBP"})
    assert caught.value.code == "order_changed"
    late = office.orders.moved(order, "signed", by="int_1", refs={})
    with pytest.raises(Conflict):
        office.orders.apply(late)
    assert office.orders.get(CLI, order.id).currency == "USD"
    for bad in ({"version": "1"}, {"version": True}, {"status": "signed"}):
        with pytest.raises(InvalidInput) as wrong:
            office.orders.change(CLI, order.id, bad)
        assert set(wrong.value.fields) == set(bad)


def test_a_move_begins_what_integrations_do_of_it(office):
    """The work is kept with the status: neither without the other (R1)."""
    order, now = office.add(), office.rooms.clock.now()
    office.work = [
        Work(
            id="wrk_1",
            integration_id=integration(office).id,
            key="change-1",
            workflow="request_signature",
            entity_key=f"order:{order.id}",
            subject={"order_id": order.id},
            due_at=now,
            created_at=now,
        )
    ]
    messages = heard(office, "order.status_changed")
    moved = office.orders.move(CLI, "1042", "request_signature")
    assert (moved.status, moved.version, moved.status_at) == ("request_signature", 2, now)
    line = office.lines(order.id)[-1]
    assert line.refs == {"from": "new", "to": "request_signature"}
    assert office.planned[-1] == ("request_signature", line.id)
    assert office.rooms.store.works.get("wrk_1").subject == {"order_id": order.id}
    (body,) = messages()
    assert body["data"]["previous_status"] == "new"
    assert body["data"]["integration"] is None
    kinds = [link.item.kind for link in office.rooms.store.evidence.chain(order.id)]
    assert kinds == ["note", "status"]


def test_an_event_moves_an_order_whatever_the_transitions(office):
    """They are for persons; what was signed is signed (R24)."""
    order = office.add()
    refs = {"sign_request": "sr-1", "event": "evt_1"}
    change = office.orders.moved(order, "signed", by="int_7", refs=refs)
    assert office.orders.apply(replace(change, once="sr-1/signed"))
    assert not office.orders.apply(replace(change, once="sr-1/signed"))
    assert office.orders.get(CLI, order.id).status == "signed"
    line = office.lines(order.id)[-1]
    assert line.refs == {**refs, "from": "new", "to": "signed"}
    assert line.actor == "int_7"
    assert office.planned[-1] == ("signed", line.id)


def test_no_event_leaves_a_terminal_status(office):
    """Signed then expired stays signed (R31); the same status again is no change (R30)."""
    for end in ("signed", "declined", "expired", "cancelled"):
        order = office.add(end, status=end)
        for late in ("signed", "declined", "expired", "new"):
            assert office.orders.moved(order, late, by="int_1", refs={}) is None
    order = office.add("new")
    assert office.orders.moved(order, "new", by="int_1", refs={}) is None


def test_an_event_into_a_status_that_is_gone_asks_a_person(office):
    """The sentence says what to mend; nothing is lost, for the run can be retried."""
    with pytest.raises(Permanent, match="no status paid any more"):
        office.orders.moved(office.add(), "paid", by="int_1", refs={})


def test_a_deleted_order_is_gone_but_proven(office):
    """No list, number or workflow finds it; open sign requests are named; evidence stays."""
    order, now, kind = office.add(), office.rooms.clock.now(), integration(office)
    request = SignRequest(
        id="sr-1",
        integration_id=kind.id,
        order_id=order.id,
        external_id=f"{order.id}:{kind.label}",
        state=SignState.OPEN,
        vendor_status="sent",
        created_at=now,
        updated_at=now,
    )
    office.orders.apply(OrderChange(order_id=order.id, sign_request=request))
    office.orders.delete(CLI, "1042")
    assert office.orders.page(CLI, ALL) == []
    for given in (order.id, "1042", "ord_nope", "nope"):
        with pytest.raises(NotFound):
            office.orders.get(CLI, given)
        with pytest.raises(NotFound):
            office.orders.move(CLI, given, "cancelled")
    assert office.orders.read(order.id) is None
    assert office.orders.read("ord_nope") is None
    (attention,) = [line for line in office.lines(order.id) if line.kind is LineKind.ATTENTION]
    assert "sr-1" in attention.text
    chain = office.rooms.store.evidence.chain(order.id)
    assert len(chain) == 2
    assert first_broken(chain) is None


def test_every_message_of_ours_fits_its_topic(office):
    """Schemas and examples of `order.*` agree, and data that does not fit is refused."""
    own = [topic for name, topic in builtin_topics().items() if name.startswith("order.")]
    assert len(own) == 5
    for topic in own:
        assert findings(topic.schema, topic.example) == {}
    with pytest.raises(InvalidInput):
        office.orders.messages("order.signed", {"order_id": "831488"})
    assert (
        office.orders.messages("order.created", builtin_topics()["order.created"].example["data"])
        == ()
    )


def test_who_hears_a_topic_gets_a_message_each(office):
    """One for each application with the grant, about the same documents; none without."""
    ours = [subscriber(office.rooms, name) for name in ("A", "B", "C")]
    for one in ours[:2]:
        office.rooms.applications.set_grants(CLI, one.id, ["order.signed"])
    data = {
        "order_id": "ord_1",
        "integration": "int_7",
        "status": "signed",
        "sign_request_id": "sr-1",
        "document_ids": ["doc_1"],
    }
    made = office.orders.messages("order.signed", data, document_ids=["doc_1"])
    assert {one.message.application_id for one in made} == {one.id for one in ours[:2]}
    assert {one.message.document_ids for one in made} == {("doc_1",)}
    assert json.loads(made[0].body)["data"] == data


def test_nothing_works_without_the_scope(office):
    """Every call of a person names the scope that it needs."""
    office.add()
    desk = office.orders
    for call, scope in (
        (lambda: desk.page(NOBODY, ALL), "orders:read"),
        (lambda: desk.get(NOBODY, "1042"), "orders:read"),
        (lambda: desk.timeline(NOBODY, "1042"), "orders:read"),
        (lambda: desk.add(NOBODY, {}), "orders:write"),
        (lambda: desk.change(NOBODY, "1042", {}), "orders:write"),
        (lambda: desk.move(NOBODY, "1042", "signed"), "orders:write"),
        (lambda: desk.delete(NOBODY, "1042"), "orders:write"),
    ):
        with pytest.raises(Forbidden, match=scope):
            call()
