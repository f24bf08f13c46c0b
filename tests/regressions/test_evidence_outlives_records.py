"""Evidence of an order holds although the records of its runs went by their age, or grew on."""

from datetime import timedelta

import pytest

from documents.kit import add_order, filled, keep
from fakes.hub import open_rooms
from inkwire.documents.proofs import run_item
from inkwire.documents.verifying import holds, verify
from inkwire.model.work import Call, Step, StepResult
from inkwire.store.ordering import OrderChange


@pytest.fixture
def rooms(tmp_path):
    """The rooms of an empty hub."""
    with open_rooms(tmp_path / "data") as rooms:
        yield rooms


def step(rooms, work_id, run):
    """A step of a run that went well."""
    run_id = f"int_1/k/{run}"
    rooms.store.run_log.add_step(
        Step(
            id=f"{run_id}#read#1",
            work_id=work_id,
            run_id=run_id,
            name="read",
            attempt=1,
            result=StepResult.OK,
            value=run,
            started_at=rooms.clock.now(),
            duration_us=1,
        )
    )


def call(rooms, work_id):
    """A call of a run, a second after the one before."""
    rooms.clock.advance(seconds=1)
    rooms.store.run_log.add_call(
        Call(
            id=rooms.ids.new("cal"),
            connection_id="box",
            work_id=work_id,
            run_id="int_1/k/1",
            method="GET",
            path="/2.0/sign_requests/1",
            status=200,
            started_at=rooms.clock.now(),
            duration_us=1,
        )
    )


def taken_down(rooms, order, work_id):
    """A link of the chain about what the work's runs did so far."""
    item = run_item(rooms.store, work_id, at=rooms.clock.now())
    rooms.store.orders.apply(OrderChange(order_id=order.id, evidence=(item,)))


def failing(rooms, order):
    """What does not hold in an export of now."""
    return [one for one in verify(rooms.hub.evidence.export(order.id)) if not one.ok]


def forget(rooms):
    """What retention does a month later."""
    rooms.clock.advance(seconds=31 * 86400)
    before = rooms.clock.now() - timedelta(days=30)
    while rooms.store.run_log.forget(before=before, limit=200):
        pass


def test_a_bundle_holds_after_its_runs_records_went_by_their_age(rooms):
    """A month later the chain has their hash; that they are gone is said, and no failure."""
    content = filled(rooms)
    forget(rooms)
    assert rooms.store.run_log.steps(content.work_id) == []
    findings = verify(rooms.hub.evidence.export("1042"))
    assert holds(findings)
    told = [one.text for one in findings if one.check == "runs"]
    assert len(told) == 2
    assert all("no longer kept" in text for text in told)


def test_a_replay_after_the_records_went_leaves_the_bundle_whole(rooms):
    """The first run's records are gone, the second's are there and taken down."""
    order, work_id = add_order(rooms), rooms.ids.new("wrk")
    step(rooms, work_id, 1)
    taken_down(rooms, order, work_id)
    forget(rooms)
    step(rooms, work_id, 2)
    taken_down(rooms, order, work_id)
    assert failing(rooms, order) == []


def test_what_a_later_link_does_not_bear_out_is_still_found(rooms):
    """Records that were changed after they were taken down stay a failure."""
    order, work_id = add_order(rooms), rooms.ids.new("wrk")
    step(rooms, work_id, 1)
    taken_down(rooms, order, work_id)
    forget(rooms)
    step(rooms, work_id, 2)
    assert [one.check for one in failing(rooms, order)] == ["runs"]


def test_more_calls_than_a_page_hold(rooms):
    """Hundreds of calls, and more after the link: what was taken down are the first ones."""
    order, work_id = add_order(rooms), rooms.ids.new("wrk")
    for _ in range(201):
        call(rooms, work_id)
    taken_down(rooms, order, work_id)
    call(rooms, work_id)
    assert failing(rooms, order) == []


def test_a_document_that_comes_while_a_bundle_is_made_does_not_break_it(rooms):
    """An export beside a run that stores the signed PDF: all or nothing of it is in the bundle."""
    order = add_order(rooms)
    keep(rooms, order, "one.pdf", b"%PDF 1")
    desk = rooms.hub.evidence
    documents = desk._documents

    class Meanwhile:
        """Documents that grow by one between the reading of the chain and theirs."""

        def __init__(self):
            self.grows = True

        def of_order(self, order_id):
            if self.grows:
                self.grows = False
                keep(rooms, order, "two.pdf", b"%PDF 2")
            return documents.of_order(order_id)

        def content(self, document_id):
            return documents.content(document_id)

    made = type(desk)(store=rooms.store, documents=Meanwhile(), clock=rooms.clock)
    findings = verify(made.export(order.id))
    assert holds(findings), [one for one in findings if not one.ok]
    assert sum(one.check == "documents" for one in findings) == 2
