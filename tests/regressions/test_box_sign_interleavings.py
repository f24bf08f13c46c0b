"""Box Sign orders under races, crashes and second tries: never two mails, nothing hangs unseen."""

import contextlib

import pytest

from inkwire.errors import Ambiguous, Held, Transient
from inkwire.integrations.box_sign_orders.sending import PROBES_S
from inkwire.model.work import LedgerState, ParkCause, Work, WorkState
from inkwire.providers.box.objects import SignDraft, SignSigner
from inkwire.store.acting import Ending, WorkQuery
from integrations.kit import World, world

LOST = Ambiguous("The connection broke.")


@pytest.fixture
def made(tmp_path):
    """A world with one active integration."""
    with world(tmp_path / "hub") as one:
        yield one


def entry(made: World, work: Work):
    """The ledger's word on the work's sign request."""
    (one,) = made.store.ledger.of_work(work.id)
    return one


def in_doubt(made: World, order) -> Work:
    """The order's request was sent, the answer lost, and three probes found nothing."""
    made.box.faults["create_sign_request"] = [(LOST, False)]
    work = made.request(order)
    outcome, _ = made.run(work)
    with contextlib.suppress(Held):
        for _ in PROBES_S:
            made.to(outcome.ending.due_at)
            outcome, _ = made.run(work)
    assert entry(made, work).state is LedgerState.DOUBT
    return work


def decide(made: World, work: Work, state: LedgerState, remote_id: str | None = None) -> None:
    """A person's word, without anything after it."""
    made.store.ledger.decide(
        entry(made, work).key,
        state=state,
        remote_id=remote_id,
        at=made.clock.now(),
        audit=made.audit(),
    )


def late(made: World, order):
    """What a create commits after its connection broke."""
    draft = SignDraft(
        signers=(SignSigner(email="jane@example.com"),),
        file_ids=("1",),
        folder_id="2",
        external_id=f"{order.id}:int_{made.integration.id}",
        name="Order",
    )
    found = made.box.late(draft)
    made.box.drafts.pop()
    return found


def state(made: World, work: Work, to: WorkState, cause: ParkCause | None = None) -> Work:
    """The row as a run of the engine would have left it."""
    works = made.store.works
    claimed = works.claim(executor_id="exe", now=made.clock.now(), limit=100)
    assert work.id in [one.id for one in claimed]
    if to is not WorkState.RUNNING:
        ending = Ending(state=to, note="as a test says", park_cause=cause)
        for one in claimed:
            works.end(one.id, run_number=one.run_number, ending=ending, at=made.clock.now())
    return works.get(work.id)


def retrigger(made: World, order) -> Work:
    """A person moves the order out of the trigger status and into it again."""
    for status in ("new", "request_signature"):
        old = made.store.orders.get(order.id)
        change = made.services.orders.moved(old, status, by="test", refs={})
        assert change is not None
        made.services.orders.apply(change)
        made.clock.advance(seconds=1)
    return made.store.works.page(WorkQuery(entity_key=f"order:{order.id}"))[0]


def test_repeat_looks_once_more_before_it_sends(made):
    """The late request appeared between the last probe and the decision: no second mail."""
    order = made.order()
    work = in_doubt(made, order)
    sign = late(made, order)
    decide(made, work, LedgerState.REPEAT)
    outcome, _ = made.run(work)
    assert outcome.ending.state is WorkState.DONE
    assert made.box.drafts == []
    assert made.store.orders.get(order.id).fields["sign_request_id"] == sign.id


def test_repeat_sends_when_what_is_there_has_ended(made):
    """A late request that was cancelled at Box is no reason not to send as a person asked."""
    order = made.order()
    work = in_doubt(made, order)
    sign = late(made, order)
    made.box.ends(sign.id, "cancelled")
    decide(made, work, LedgerState.REPEAT)
    made.run(work)
    assert len(made.box.drafts) == 1
    assert made.store.orders.get(order.id).fields["sign_request_id"] != sign.id


def test_an_order_in_doubt_that_is_triggered_again_sends_nothing(made):
    """A second trigger is no decision on the doubt: it waits until that is settled."""
    order = made.order()
    in_doubt(made, order)
    second = retrigger(made, order)
    outcome, _ = made.run(second)
    assert made.box.drafts == []
    assert outcome.ending.state is WorkState.DONE
    (line,) = [text for text in made.lines(order) if "decide that doubt" in text]
    assert line == outcome.ending.note


def test_a_replay_beside_a_request_whose_answer_is_awaited_sends_nothing(made):
    """An older row that is run again while a newer one waits to look at Box."""
    order = made.order()
    first = made.request(order)
    made.services.orders.apply(
        made.services.orders.moved(made.store.orders.get(order.id), "new", by="t", refs={})
    )
    made.run(first)  # it has moved on: nothing is sent
    made.clock.advance(seconds=1)
    second = made.request(made.store.orders.get(order.id))
    made.box.faults["create_sign_request"] = [(LOST, False)]
    made.run(second)
    outcome, _ = made.run(first)
    assert made.box.drafts == []
    assert second.id in outcome.ending.note


def test_a_request_that_was_sent_and_not_noted_is_not_sent_again(made):
    """Cancelled between the sending and the order's field; then the order is triggered anew."""
    order = made.order()
    work = made.request(order)
    made.box.faults["sign_request"] = [(Transient("busy"), False)]
    with pytest.raises(Transient):
        made.run(work)
    made.store.works.cancel(work.id, at=made.clock.now(), audit=made.audit())
    outcome, _ = made.run(retrigger(made, order))
    assert len(made.box.drafts) == 1
    assert "out for this order already" in outcome.ending.note


@pytest.mark.parametrize("decided", [LedgerState.REPEAT, LedgerState.ABANDONED])
def test_a_decision_whose_writer_was_killed_is_carried_out(made, decided):
    """The ledger has the word and the work still waits for a person: upkeep starts it."""
    order = made.order()
    work = in_doubt(made, order)
    state(made, work, WorkState.PARKED, ParkCause.PERSON)
    made.run(made.upkeep("reconcile"))
    assert made.store.works.get(work.id).state is WorkState.PARKED  # not before there is a word
    decide(made, work, decided)
    made.run(made.upkeep("reconcile"))
    assert made.store.works.get(work.id).state is WorkState.NEW


def test_an_orphan_of_work_that_runs_just_now_settles_its_doubt(made):
    """A person pressed retry a moment before upkeep found the request."""
    order = made.order()
    work = in_doubt(made, order)
    state(made, work, WorkState.RUNNING)
    sign = late(made, order)
    made.run(made.upkeep("find_orphans"))
    assert entry(made, work).remote_id == sign.id


@pytest.mark.parametrize("ended", [WorkState.DEAD, WorkState.CANCELLED])
def test_an_orphan_of_work_that_ended_while_sending_is_adopted(made, ended):
    """The row died or was cancelled between two probes: reconciliation still finds the request."""
    made.box.faults["create_sign_request"] = [(LOST, False)]
    order = made.order()
    work = made.request(order)
    made.run(work)
    sign = late(made, order)
    made.run(made.upkeep("find_orphans"))
    assert made.store.sign_requests.get(sign.id) is None  # its own run looks
    if ended is WorkState.DEAD:
        state(made, work, ended)
    else:
        made.store.works.cancel(work.id, at=made.clock.now(), audit=made.audit())
    made.run(made.upkeep("find_orphans"))
    assert made.store.sign_requests.get(sign.id).order_id == order.id
    assert made.store.orders.get(order.id).fields["sign_request_id"] == sign.id
    assert entry(made, work).remote_id == sign.id


def test_an_orphan_that_its_run_is_about_to_note_is_left_to_it(made):
    """Upkeep between sending and noting: the order's field and the evidence are not lost."""
    order = made.order()
    work = made.request(order)
    made.box.faults["sign_request"] = [(Transient("busy"), False)]
    with pytest.raises(Transient):
        made.run(work)
    made.run(made.upkeep("find_orphans"))
    made.run(work)
    assert made.store.orders.get(order.id).fields["sign_request_id"] in made.box.signs
    assert not any("did not know" in text for text in made.lines(order))


def test_an_older_orphan_does_not_settle_a_younger_doubt(made):
    """What lay at Box before the sending cannot be what was sent."""
    order = made.order()
    sign = late(made, order)
    made.clock.advance(seconds=3600)
    work = in_doubt(made, order)
    made.run(made.upkeep("find_orphans"))
    assert entry(made, work).state is LedgerState.DOUBT
    assert made.store.sign_requests.get(sign.id).order_id == order.id
