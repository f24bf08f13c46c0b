"""The request run: PDFs, folder, upload, one sign request, the order field; and every way out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from inkwire.access.gate import CLI
from inkwire.errors import Ambiguous, Held, NeedsAttention, Permanent, Transient
from inkwire.model.document import DocumentKind, SignState
from inkwire.model.order import LineKind
from inkwire.model.work import LedgerState, WorkState
from integrations.kit import World, world

LOST = Ambiguous("The connection broke.")


@pytest.fixture
def made(tmp_path):
    """A world with one active integration."""
    with world(tmp_path / "hub") as one:
        yield one


def entry(made: World, work):
    """The ledger's word on the work's sign request."""
    (one,) = made.store.ledger.of_work(work.id)
    return one


def test_an_order_in_the_trigger_status_is_sent_for_signature(made):
    """R1–R12: templates → PDFs → folder → upload → one request, its id in the order field."""
    order = made.order()
    outcome, _run = made.run(made.request(order))
    assert outcome.ending.state is WorkState.DONE
    (draft,) = made.box.drafts
    assert draft.external_id == f"{order.id}:int_{made.integration.id}"
    assert [(one.email, one.role) for one in draft.signers] == [("jane@example.com", "signer")]
    assert len(draft.file_ids) == 2
    assert {made.box.files[one][0].name for one in draft.file_ids} == {
        "1042 tpl_a.pdf",
        "1042 tpl_b.pdf",
    }
    (sign_id,) = made.box.signs
    after = made.store.orders.get(order.id)
    assert after.fields["sign_request_id"] == sign_id
    (kept,) = made.store.sign_requests.of_order(order.id)
    assert (kept.id, kept.state) == (sign_id, SignState.OPEN)
    documents = made.store.documents.of_order(order.id)
    assert [one.kind for one in documents] == [DocumentKind.PREPARED] * 2
    assert any("Sent to jane@example.com" in text for text in made.lines(order))


def test_the_final_copy_and_prefilled_fields_go_along(made):
    """R8, R9: recipient of the final copy and prefilled tags."""
    made.settings(final_copy_email="legal@example.com", prefill="full_name = customer.name")
    made.run(made.request(made.order()))
    (draft,) = made.box.drafts
    assert [(one.email, one.role) for one in draft.signers] == [
        ("jane@example.com", "signer"),
        ("legal@example.com", "final_copy_reader"),
    ]
    assert dict(draft.prefill) == {"full_name": "Jane Doe"}


def test_without_templates_nothing_is_sent_and_the_timeline_says_so(made):
    """R4: no request, no error, nothing uploaded, and a line."""
    made.settings(templates="")
    order = made.order()
    outcome, _ = made.run(made.request(order))
    assert outcome.ending.state is WorkState.DONE
    assert made.box.calls == []
    assert any("No template is chosen" in text for text in made.lines(order))


def test_the_webhook_is_there_before_the_first_request_is_sent(made):
    """A customer who signs within seconds is heard of by webhook, not a quarter of an hour later."""
    create = made.box.create_sign_request

    def watched(draft):
        assert [hook.target_id for hook in made.box.hooks.values()] == [draft.folder_id]
        return create(draft)

    made.box.create_sign_request = watched
    made.run(made.request(made.order()))
    calls = made.box.calls.count("create_webhook")
    made.run(made.request(made.order(number="1043")))
    assert (calls, made.box.calls.count("create_webhook")) == (1, 1)


def test_a_folder_with_a_strangers_webhook_delays_no_order(made):
    """Set-up tells of it; the order is sent, and its outcome found by asking Box."""
    folder = made.box.create_folder("Inkwire orders")
    made.box.create_webhook(
        folder_id=folder.id, address="https://elsewhere.example.com/hook", triggers=("X",)
    )
    outcome, _ = made.run(made.request(made.order()))
    assert outcome.ending.state is WorkState.DONE
    assert len(made.box.drafts) == 1


def test_two_runs_use_one_folder(made):
    """R6: the folder is made once and reused, also when another made it."""
    made.box.create_folder("Inkwire orders")
    made.run(made.request(made.order()))
    made.run(made.request(made.order(number="1043")))
    assert len(made.box.folders) == 1


def test_a_run_that_is_repeated_sends_nothing_twice(made):
    """R36: the whole run again after its end finds everything there."""
    order = made.order()
    work = made.request(order)
    made.run(work)
    before = len(made.lines(order))
    outcome, _ = made.run(work)
    assert outcome.ending.state is WorkState.DONE
    assert len(made.box.drafts) == 1
    assert len(made.box.files) == 2
    assert len(made.lines(order)) == before


def test_an_uploaded_file_is_adopted_and_a_strangers_is_not(made):
    """The same content under our name is ours; other content gets a name of its own."""
    folder = made.box.create_folder("Inkwire orders")
    made.box.put("1042 tpl_a.pdf", b"%PDF tpl_a 1042 jane@example.com", folder.id)
    stranger = made.box.put("1042 tpl_b.pdf", b"something else", folder.id)
    made.run(made.request(made.order()))
    (draft,) = made.box.drafts
    assert stranger.id not in draft.file_ids
    assert sorted(one[0].name for one in made.box.files.values()) == [
        "1042 tpl_a.pdf",
        "1042 tpl_b (2).pdf",
        "1042 tpl_b.pdf",
    ]


def test_an_answer_that_was_lost_is_found_at_once(made):
    """The connection breaks after Box committed: the request is adopted, nobody waits."""
    made.box.faults["create_sign_request"] = [(LOST, True)]
    order = made.order()
    work = made.request(order)
    outcome, _ = made.run(work)
    assert outcome.ending.state is WorkState.DONE
    assert len(made.box.drafts) == 1
    assert entry(made, work).state is LedgerState.DONE


def test_a_late_commit_is_found_by_a_probe_and_never_repeated(made):
    """The worst fault: the connection breaks and Box commits after we looked."""
    made.box.faults["create_sign_request"] = [(LOST, False)]
    order = made.order()
    work = made.request(order)
    first, _ = made.run(work)
    assert first.ending.state is WorkState.NEW
    assert first.ending.due_at == made.clock.now() + timedelta(seconds=120)
    draft = made.box.drafts  # nothing was committed yet
    assert draft == []
    made.box.late(_draft_of(made, order))
    made.clock.advance(seconds=120)
    second, _ = made.run(work)
    assert second.ending.state is WorkState.DONE
    assert len(made.box.signs) == 1


def test_in_doubt_a_person_is_asked_after_three_empty_probes(made):
    """R36, DESIGN §6: 2, 10 and 60 minutes; then the question stands on the order."""
    made.box.faults["create_sign_request"] = [(LOST, False)]
    order = made.order()
    work = made.request(order)
    due = []
    outcome, _ = made.run(work)
    for _ in range(2):
        due.append(outcome.ending.due_at)
        made.to(outcome.ending.due_at)
        outcome, _ = made.run(work)
    made.to(outcome.ending.due_at)
    with pytest.raises(Held):
        made.run(work)
    assert entry(made, work).state is LedgerState.DOUBT
    assert made.box.drafts == []
    assert any("Look into Box Sign" in text for text in made.lines(order))
    with pytest.raises(Held):  # asked again, it still sends nothing
        made.run(work)
    assert made.box.drafts == []


@pytest.mark.parametrize(
    ("state", "remote", "sends"),
    [(LedgerState.REPEAT, None, 1), (LedgerState.ABANDONED, None, 0), (LedgerState.DONE, "s", 0)],
)
def test_a_person_decides_a_doubt(made, state, remote, sends):
    """Repeat sends once more, abandon and adopt send nothing."""
    made.box.faults["create_sign_request"] = [(LOST, False)]
    order = made.order()
    work = made.request(order)
    outcome, _ = made.run(work)
    for _ in range(3):
        made.to(outcome.ending.due_at)
        try:
            outcome, _ = made.run(work)
        except Held:
            break
    if remote:
        remote = made.box.late(_draft_of(made, order)).id
        made.box.drafts.clear()
    made.store.ledger.decide(
        entry(made, work).key,
        state=state,
        remote_id=remote,
        at=made.clock.now(),
        audit=made.audit(),
    )
    outcome, _ = made.run(work)
    assert outcome.ending.state is WorkState.DONE
    assert len(made.box.drafts) == sends


@pytest.mark.parametrize("named", ["nonsense", "another order's", "somebody's"])
def test_a_wrong_id_gives_the_doubt_back(made, named):
    """Another's contract never becomes this order's, and whoever mistyped is asked again."""
    made.run(made.request(made.order(number="1")))
    (theirs,) = made.box.signs
    made.box.signs["s7"] = replace(made.box.signs[theirs], id="s7", external_id="ord_z:int_9")
    wrong = {"nonsense": "nonsense", "another order's": theirs, "somebody's": "s7"}[named]
    made.box.faults["create_sign_request"] = [(LOST, False)]
    order = made.order(number="2")
    work = made.request(order)
    outcome, _ = made.run(work)
    for _ in range(2):
        made.to(outcome.ending.due_at)
        outcome, _ = made.run(work)
    made.to(outcome.ending.due_at)
    with pytest.raises(Held):
        made.run(work)
    right = made.box.late(_draft_of(made, order)).id
    for remote in (wrong, right):
        assert entry(made, work).state is LedgerState.DOUBT
        made.store.ledger.decide(
            entry(made, work).key,
            state=LedgerState.DONE,
            remote_id=remote,
            at=made.clock.now(),
            audit=made.audit(),
        )
        if remote == wrong:
            with pytest.raises(Held, match=f"sign request {wrong}|Sign request {wrong}"):
                made.run(work)
            assert made.store.sign_requests.of_order(order.id) == []
    outcome, _ = made.run(work)
    assert outcome.ending.state is WorkState.DONE
    assert [one.id for one in made.store.sign_requests.of_order(order.id)] == [right]


def test_what_box_refuses_was_not_sent(made):
    """A refusal leaves the ledger open, so that the next run may send."""
    made.box.faults["create_sign_request"] = [(NeedsAttention("scope missing"), False)]
    work = made.request(made.order())
    with pytest.raises(NeedsAttention):
        made.run(work)
    assert entry(made, work).state is LedgerState.INTENDED
    made.run(work)
    assert len(made.box.drafts) == 1


def test_a_transient_upload_leaves_nothing_half_done(made):
    """A run that failed half way is repeated whole: one request, no second file (R36)."""
    made.box.faults["upload"] = [(Transient("slow"), True)]
    work = made.request(made.order())
    with pytest.raises(Transient):
        made.run(work)
    made.run(work)
    assert len(made.box.drafts) == 1
    assert len(made.box.files) == 2


def test_a_customer_without_e_mail_is_a_clear_question(made):
    """Nothing is sent; the order says what to do; with the e-mail it goes on."""
    order = made.order(customer={"name": "Jane Doe"})
    work = made.request(order)
    with pytest.raises(Permanent, match="no customer e-mail"):
        made.run(work)
    assert made.box.calls == []
    kinds = {line.kind for line in made.store.orders.timeline(order.id)}
    assert LineKind.ATTENTION in kinds
    made.services.orders.change(CLI, order.id, {"customer": {"email": "jane@example.com"}})
    made.run(work)
    assert len(made.box.drafts) == 1


def test_an_order_that_moved_on_or_is_gone_is_not_sent(made):
    """Changed or deleted meanwhile: nothing is sent, and the work says why."""
    moved, gone = made.order(), made.order(number="1043")
    first, second = made.request(moved), made.request(gone)
    made.services.orders.move(CLI, moved.id, "cancelled")
    made.services.orders.delete(CLI, gone.id)
    for work in (first, second):
        outcome, _ = made.run(work)
        assert "nothing was sent" in outcome.ending.note
    assert made.box.calls == []


def test_an_edit_between_the_pdf_and_the_sending_starts_anew(made):
    """The customer signs what the order says, not what it said a minute ago."""
    order = made.order()
    work = made.request(order)
    upload = made.box.upload

    def edited_meanwhile(folder_id, name, content):
        stored = upload(folder_id, name, content)
        if name.startswith("1042 tpl_b"):
            made.services.orders.change(CLI, order.id, {"currency": "USD"})
            made.box.upload = upload
        return stored

    made.box.upload = edited_meanwhile
    outcome, _ = made.run(work)
    assert outcome.ending.state is WorkState.NEW
    assert made.box.drafts == []
    outcome, _ = made.run(work)
    assert outcome.ending.state is WorkState.DONE
    assert len(made.box.drafts) == 1


def test_a_second_trigger_while_a_request_is_out_sends_nothing(made):
    """One mail: the order that waits for its signature is not asked again."""
    order = made.order()
    made.run(made.request(order))
    made.services.orders.move(CLI, order.id, "new")
    again = made.request(order)
    outcome, _ = made.run(again)
    assert "is out for this order already" in outcome.ending.note
    assert len(made.box.drafts) == 1


def test_a_dry_run_shows_its_calls_and_sends_none(made):
    """Planned calls are listed; neither Box nor the order is touched."""
    order = made.order()
    work = made.request(order)
    before = made.lines(order)
    _, run = made.run(work, dry=True)
    assert made.box.calls == []
    assert made.lines(order) == before
    assert any("POST /sign_requests" in plan for plan in run.plans)
    assert sum("POST /files/content" in plan for plan in run.plans) == 2


def _draft_of(made: World, order):
    from inkwire.providers.box.objects import SignDraft, SignSigner

    return SignDraft(
        signers=(SignSigner(email=order.customer.email),),
        file_ids=("1",),
        folder_id="1",
        external_id=f"{order.id}:int_{made.integration.id}",
        name="late",
    )
