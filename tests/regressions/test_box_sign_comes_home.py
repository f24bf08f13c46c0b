"""Outcomes come home whatever an earlier row of theirs came to, and what ended stays ended."""

from dataclasses import replace
from datetime import timedelta

import pytest

from inkwire.errors import Conflict, Permanent, Transient
from inkwire.integrations.box_sign_orders.telling import apply_anew
from inkwire.model.document import SignState
from inkwire.model.order import Template
from inkwire.model.work import WorkState
from inkwire.orders.templates import Rendered
from inkwire.store.acting import Ending, WorkQuery
from inkwire.store.ordering import OrderChange
from integrations.kit import START, World, world


@pytest.fixture
def made(tmp_path):
    """A world with one active integration."""
    with world(tmp_path / "hub") as one:
        yield one


def outcomes(made: World):
    """The outcome rows that reconciliation made."""
    return made.store.works.page(WorkQuery(workflow="bring_home"))


def ended(made: World, state: WorkState) -> None:
    """Every row that waits is run to that end."""
    ending = Ending(state=state, note="as a test says")
    for one in made.store.works.claim(executor_id="exe", now=made.clock.now(), limit=100):
        made.store.works.end(one.id, run_number=one.run_number, ending=ending, at=made.clock.now())


def test_an_outcome_row_that_ended_too_early_is_run_again(made):
    """A webhook that came before the order knew its request ended as “linked to nothing”."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed")
    made.clock.advance(seconds=1200)
    made.run(made.upkeep("reconcile"))
    ended(made, WorkState.DONE)  # without any effect
    made.clock.advance(seconds=1200)
    made.run(made.upkeep("reconcile"))
    (work,) = outcomes(made)
    assert (work.state, work.run_number) == (WorkState.NEW, 2)
    made.run(work)
    assert made.status(order) == "signed"


@pytest.mark.parametrize("state", [WorkState.DEAD, WorkState.CANCELLED])
def test_what_is_a_persons_to_start_is_left_to_them(made, state):
    """A dead letter stays one: it was told of, and says what to do."""
    _, sign_id = made.sent()
    made.box.ends(sign_id, "signed")
    for _ in range(2):
        made.clock.advance(seconds=1200)
        made.run(made.upkeep("reconcile"))
        ended(made, state)
    assert [one.state for one in outcomes(made)] == [state]


@pytest.mark.parametrize("error", [Permanent("403"), Transient("500")])
def test_one_request_that_cannot_be_read_does_not_hide_the_others(made, error):
    """The first of them fails each time that it is read; the second is brought home."""
    made.sent("1")
    _, sign_id = made.sent("2")
    made.box.ends(sign_id, "signed")
    made.clock.advance(seconds=1200)
    made.box.faults["sign_request"] = [(error, False)]
    outcome, _ = made.run(made.upkeep("reconcile"))
    assert [work.subject["sign_request_id"] for work in outcomes(made)] == [sign_id]
    assert error.message in outcome.ending.note


def test_when_box_shows_nothing_the_run_fails(made):
    """An outage is no oddity of single requests: the run is tried again, nothing moves on."""
    for number in "12345":
        made.sent(number)
    made.clock.advance(seconds=1200)
    made.box.faults["sign_request"] = [(Transient("500"), False)] * 5
    with pytest.raises(Transient):
        made.run(made.upkeep("reconcile"))


def test_an_integration_without_a_connection_has_no_dead_letters_by_the_clock(made):
    """A draft that waits for its connection is no failure, twelve times an hour."""
    made.integration = made.store.integrations.update(
        replace(made.integration, connection_id=None, updated_at=made.clock.now()),
        expected=made.integration.updated_at,
        audit=made.audit(),
    )
    for workflow in ("reconcile", "find_orphans"):
        outcome, _ = made.run(made.upkeep(workflow))
        assert outcome.ending.state is WorkState.DONE


def test_a_note_that_is_late_does_not_open_what_ended(made):
    """Our note of the sending was made before the customer's answer and is kept after it."""
    order, sign_id = made.sent()
    stale = made.store.sign_requests.get(sign_id)
    made.box.ends(sign_id, "declined")
    made.run(made.outcome(sign_id))
    made.services.orders.apply(
        OrderChange(order_id=order.id, once="late", sign_request=replace(stale, checks=0))
    )
    assert made.store.sign_requests.get(sign_id).state is SignState.DECLINED


def test_a_reading_that_is_late_does_not_go_on_reading(made):
    """Reconciliation read the request before its outcome came home, and notes it after."""
    _, sign_id = made.sent()
    made.box.ends(sign_id, "declined")
    made.run(made.outcome(sign_id))
    now = made.clock.now()
    made.store.sign_requests.checked(
        sign_id, vendor_status="declined", next_at=now + timedelta(hours=1), at=now
    )
    assert made.store.sign_requests.get(sign_id).next_check_at is None


def test_a_signed_request_that_box_forgot_stays_signed(made):
    """R31: Box deletes what is old, or another user asks; neither undoes a signature."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed")
    made.run(made.outcome(sign_id))
    before = made.lines(order)
    del made.box.signs[sign_id]
    made.run(made.outcome(sign_id, run=2))
    assert made.store.sign_requests.get(sign_id).state is SignState.SIGNED
    assert made.lines(order) == before


def test_documents_that_can_no_longer_be_fetched_are_told_of(made):
    """Signed, not yet finished, then gone: a person is told, and Box is not asked for ever."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed", ready=False)
    made.run(made.outcome(sign_id))
    del made.box.signs[sign_id]
    made.clock.advance(seconds=2 * 3600)
    made.run(made.upkeep("reconcile"))
    assert made.store.sign_requests.get(sign_id).next_check_at is None
    assert any("cannot be fetched" in text for text in made.lines(order))


def test_documents_that_are_never_ready_are_told_of(made):
    """The runs go on, and the order says once that it waits."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed", ready=False)
    work = made.outcome(sign_id)
    for number in range(1, 40):
        outcome, _ = made.run(replace(work, run_number=number))
        assert outcome.ending.state is WorkState.NEW
    assert sum("has not finished" in text for text in made.lines(order)) == 1


def test_an_outcome_that_is_none_ends_and_is_left_to_reconciliation(made):
    """Told of something that Box does not confirm: not asked every quarter of an hour for ever."""
    _, sign_id = made.sent()
    outcome, _ = made.run(made.outcome(sign_id, run=1))
    assert outcome.ending.state is WorkState.NEW
    outcome, _ = made.run(made.outcome(sign_id, run=30))
    assert outcome.ending.state is WorkState.DONE
    assert made.store.sign_requests.get(sign_id).next_check_at is not None


def test_another_orders_sign_request_is_a_clear_error(made):
    """A wrong id that a person adopted is no edit that passes by itself."""
    _, sign_id = made.sent("1")
    other = made.order(number="2")
    row = replace(made.store.sign_requests.get(sign_id), order_id=other.id)
    _, run = made.run(made.upkeep("reconcile"))
    with pytest.raises(Conflict, match="belongs to order"):
        apply_anew(run, lambda: OrderChange(order_id=other.id, sign_request=row))


def test_a_corrected_template_makes_another_document(made):
    """What a person corrected is what goes out at the retry, not the PDF from before."""
    made.settings(templates="tpl_a")
    order = made.order()
    work = made.request(order)
    made.box.faults["upload"] = [(Permanent("no"), False)]
    with pytest.raises(Permanent):
        made.run(work)
    template = Template(id="tpl_a", name="tpl_a", version=2, created_at=START, updated_at=START)
    second = Rendered(template=template, version=2, pdf=b"%PDF corrected")
    made.services.templates.render = lambda _id, _order: second
    made.run(work)
    assert [content for _, content in made.box.files.values()] == [b"%PDF corrected"]


def test_a_request_that_box_does_not_show_once_is_no_failed_one(made):
    """404 may be a user that may not see it for a while: an order is not given up at once."""
    order, sign_id = made.sent()
    hidden = made.box.signs.pop(sign_id)
    outcome, _ = made.run(made.outcome(sign_id))
    assert outcome.ending.state is WorkState.NEW
    made.clock.advance(seconds=1200)
    made.run(made.upkeep("reconcile"))
    assert (outcomes(made), made.store.sign_requests.get(sign_id).state) == ([], SignState.OPEN)
    made.box.signs[sign_id] = hidden
    made.clock.advance(seconds=1200)
    made.run(made.upkeep("reconcile"))
    del made.box.signs[sign_id]
    for _ in range(2):  # twice on end: it is gone
        made.clock.advance(seconds=3600)
        made.run(made.upkeep("reconcile"))
    (work,) = outcomes(made)
    made.run(work)
    assert made.store.sign_requests.get(sign_id).state is SignState.FAILED
    assert any("no longer knows it" in text for text in made.lines(order))
