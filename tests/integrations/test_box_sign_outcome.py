"""The outcome run, reconciliation, orphans and the webhook on the folder."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from inkwire.access.gate import CLI
from inkwire.errors import Permanent, Transient
from inkwire.integrations.box_sign_orders.folder import TRIGGERS
from inkwire.model.document import DocumentKind, SignState
from inkwire.model.event import Origin
from inkwire.model.evidence import first_broken
from inkwire.model.work import WorkState
from inkwire.providers.box.objects import BoxWebhook
from inkwire.store.acting import WorkQuery
from integrations.kit import World, world


@pytest.fixture
def made(tmp_path):
    """A world with one active integration."""
    with world(tmp_path / "hub") as one:
        yield one


def run_apart(made: World, sign_id: str):
    """An outcome run on another thread, while a run of this one waits for it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(made.run, made.outcome(sign_id)).result()


def kinds(made: World, order) -> list[DocumentKind]:
    """What came back from Box."""
    return [
        one.kind
        for one in made.store.documents.of_order(order.id)
        if one.kind is not DocumentKind.PREPARED
    ]


def test_a_signed_order_has_its_status_documents_and_log(made):
    """R24, R26–R28: status, signed PDF and signing log; the evidence chain holds."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed")
    outcome, _ = made.run(made.outcome(sign_id))
    assert outcome.ending.state is WorkState.DONE
    assert made.status(order) == "signed"
    assert kinds(made, order) == [DocumentKind.SIGNED, DocumentKind.SIGNING_LOG]
    chain = made.store.evidence.chain(order.id)
    assert first_broken(chain) is None
    assert sum(link.item.kind == "document" for link in chain) == 4
    kept = made.store.sign_requests.get(sign_id)
    assert (kept.state, kept.next_check_at) == (SignState.SIGNED, None)


@pytest.mark.parametrize(("status", "target"), [("declined", "declined"), ("expired", "expired")])
def test_declined_and_expired_change_the_status_only(made, status, target):
    """R24, R29: no signed document is stored."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, status, reason="Too expensive")
    made.run(made.outcome(sign_id))
    assert made.status(order) == target
    assert kinds(made, order) == []


@pytest.mark.parametrize("status", ["cancelled", "error_converting", "error_sending"])
def test_what_has_no_webhook_asks_for_attention(made, status):
    """Cancelled and error states: the order stays, its timeline says what to do."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, status)
    made.run(made.outcome(sign_id))
    assert made.status(order) == "request_signature"
    assert any("set the trigger status again" in text for text in made.lines(order))


def test_the_same_outcome_thirteen_times_is_one_outcome(made):
    """R30: documents once, status once, one line each."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed")
    made.run(made.outcome(sign_id))
    before = made.lines(order)
    for number in range(2, 14):
        made.run(made.outcome(sign_id, run=number))
    assert made.lines(order) == before
    assert len(kinds(made, order)) == 2


def test_a_late_event_never_moves_a_finished_order(made):
    """R31: signed then expired stays signed, whatever the event says."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed")
    made.run(made.outcome(sign_id))
    made.box.ends(sign_id, "expired")
    made.run(made.outcome(sign_id, run=2))
    assert made.status(order) == "signed"


def test_a_customer_who_is_faster_than_our_note_of_the_request(made):
    """Signed and brought home between the sending and the order field: it stays signed."""
    order = made.order()
    work, ids = made.request(order), []
    create = made.box.create_sign_request

    def signed_at_once(draft):
        sign = create(draft)
        made.box.ends(sign.id, "signed")
        ids.append(sign.id)
        return sign

    made.box.create_sign_request = signed_at_once
    read = made.box.sign_request

    def home_first(sign_id):
        made.box.sign_request = read
        run_apart(made, sign_id)
        return read(sign_id)

    made.box.sign_request = home_first
    made.run(work)
    assert made.store.sign_requests.get(ids[0]).state is SignState.SIGNED
    assert made.store.orders.get(order.id).fields["sign_request_id"] == ids[0]
    assert made.status(order) == "signed"


def test_documents_that_are_not_ready_are_waited_for(made):
    """C29: signed at once, documents in a later run, and never a part of them."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed", ready=False)
    outcome, _ = made.run(made.outcome(sign_id))
    assert outcome.ending.state is WorkState.NEW
    assert made.status(order) == "signed"
    assert kinds(made, order) == []
    made.box.ends(sign_id, "signed")
    made.run(made.outcome(sign_id, run=2))
    assert len(kinds(made, order)) == 2


def test_a_download_that_fails_is_fetched_again(made):
    """A broken download leaves no document; the next run stores it once."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed")
    made.box.faults["download"] = [(Transient("slow"), False)]
    with pytest.raises(Transient):
        made.run(made.outcome(sign_id))
    made.run(made.outcome(sign_id, run=2))
    assert len(kinds(made, order)) == 2


def test_an_unknown_request_joins_by_its_external_id(made):
    """A request whose answer was lost for good is joined by R11's form."""
    order = made.order()
    sign = made.box.late(_draft(f"{order.id}:int_{made.integration.id}"))
    made.box.ends(sign.id, "signed")
    made.run(made.outcome(sign.id))
    assert made.status(order) == "signed"


@pytest.mark.parametrize("external", ["other", "ord_nobody:int_1", "ORDER:int_9", None])
def test_what_names_no_order_links_to_nothing(made, external):
    """R11: recorded, unlinked, no error."""
    order = made.order()
    text = external.replace("ORDER", order.id) if external else None
    sign = made.box.late(_draft(text))
    made.box.ends(sign.id, "signed")
    outcome, _ = made.run(made.outcome(sign.id))
    assert outcome.ending.state is WorkState.DONE
    assert "linked to nothing" in outcome.ending.note
    assert made.status(order) == "new"


def test_a_lost_webhook_only_costs_time(made):
    """Reconciliation reads open requests again and marks what it found."""
    order, sign_id = made.sent()
    made.box.ends(sign_id, "signed")
    made.run(made.upkeep("reconcile"))
    assert made.store.works.page(WorkQuery(workflow="bring_home")) == []  # not its time yet
    made.clock.advance(seconds=20 * 60)
    made.run(made.upkeep("reconcile"))
    (work,) = made.store.works.page(WorkQuery(workflow="bring_home"))
    assert work.origin is Origin.RECONCILED
    assert work.key == f"{sign_id}/SIGN_REQUEST.COMPLETED"
    made.run(work)
    assert made.status(order) == "signed"
    assert any("reconciled" in text for text in made.lines(order))


def test_reading_again_gets_slower_and_stops(made):
    """1,000 open requests must not use up Box's limit; a finished one is read no more."""
    _, sign_id = made.sent()
    gaps = []
    for _ in range(6):
        due = made.store.sign_requests.get(sign_id).next_check_at
        made.to(due)
        made.run(made.upkeep("reconcile"))
        gaps.append((made.store.sign_requests.get(sign_id).next_check_at - due).total_seconds())
    assert gaps == sorted(gaps)
    assert 800 <= gaps[0] <= 1000
    assert 3200 <= gaps[-1] <= 4000
    made.box.ends(sign_id, "signed")
    made.run(made.outcome(sign_id))
    made.clock.advance(seconds=30 * 86400)
    calls = made.box.calls.count("sign_request")
    made.run(made.upkeep("reconcile"))
    assert made.box.calls.count("sign_request") == calls


def test_orphans_are_adopted(made):
    """A request of ours that no order knows is given to its order, and read like the others."""
    order = made.order()
    sign = made.box.late(_draft(f"{order.id}:int_{made.integration.id}"))
    made.box.late(_draft("somebody else's"))
    outcome, _ = made.run(made.upkeep("find_orphans"))
    assert sign.id in outcome.ending.note
    assert made.store.sign_requests.get(sign.id).order_id == order.id
    outcome, _ = made.run(made.upkeep("find_orphans"))
    assert "no orphans" in outcome.ending.note


def test_the_webhook_is_made_once_with_exactly_its_triggers(made):
    """R20–R22: on the folder, three triggers; twice leaves one."""
    made.run(made.upkeep("set_up"))
    made.run(made.upkeep("set_up"))
    (hook,) = made.box.hooks.values()
    assert hook.triggers == TRIGGERS
    assert hook.address == "https://hub.example.com/in/box"
    assert hook.target_id in made.box.folders


@pytest.mark.parametrize(
    ("knock", "said"),
    [
        (lambda _: "it does not answer (Timeout)", "cannot deliver"),
        (lambda _: "", "does not arrive"),
    ],
)
def test_an_address_that_is_not_this_hub_is_explained(made, knock, said):
    """R34: the webhook is made all the same, and the operator hears what Box would meet."""
    made.services = replace(made.services, knock=knock)
    with pytest.raises(Permanent, match=said):
        made.run(made.upkeep("set_up"))
    assert len(made.box.hooks) == 1


def test_the_public_address_is_tried_once(made):
    """An address that was reached is not knocked at every hour."""
    made.run(made.upkeep("set_up"))
    made.services = replace(made.services, knock=lambda _: "must not be asked")
    made.run(made.upkeep("set_up"))


def test_a_webhook_that_drifted_is_repaired_and_a_lost_one_made_again(made):
    """R81: address and triggers are put right; what somebody added stays."""
    made.run(made.upkeep("set_up"))
    (hook,) = made.box.hooks.values()
    made.box.update_webhook(hook.id, address="https://old.example.com/in/box", triggers=("X",))
    made.run(made.upkeep("set_up"))
    (hook,) = made.box.hooks.values()
    assert hook.address == "https://hub.example.com/in/box"
    assert set(hook.triggers) == {*TRIGGERS, "X"}
    made.box.hooks.clear()
    made.run(made.upkeep("set_up"))
    assert len(made.box.hooks) == 1


def test_our_forgotten_webhook_is_adopted_and_a_strangers_never_touched(made):
    """409: ours by its address is adopted; another's is explained to the operator."""
    folder = made.box.create_folder("Inkwire orders")
    ours = made.box.create_webhook(
        folder_id=folder.id, address="https://hub.example.com/in/box", triggers=TRIGGERS
    )
    made.run(made.upkeep("set_up"))
    assert list(made.box.hooks) == [ours.id]
    made.store.integrations.set_remote(made.integration.id, {"webhook_id": ""})
    stranger = BoxWebhook(
        id=ours.id,
        target_id=folder.id,
        target_type="folder",
        address="https://elsewhere.example.com/hook",
        triggers=("FILE.UPLOADED",),
    )
    made.box.hooks[ours.id] = stranger
    with pytest.raises(Permanent, match="is not this hub"):
        made.run(made.upkeep("set_up"))
    assert made.box.hooks == {ours.id: stranger}


def test_a_deleted_folder_is_made_anew_and_a_renamed_one_kept(made):
    """Folder renamed or deleted at Box: renamed stays ours by its id."""
    _, _ = made.sent()
    (folder_id,) = made.box.folders
    made.box.folders[folder_id] = replace(made.box.folders[folder_id], name="Renamed by hand")
    made.sent("1043")
    assert len(made.box.folders) == 1
    made.box.folders[folder_id] = replace(made.box.folders[folder_id], status="trashed")
    made.sent("1044")
    assert len(made.box.folders) == 2


def test_an_order_that_was_deleted_keeps_its_evidence(made):
    """The customer signed what was deleted here: documents and chain are kept, no status moves."""
    order, sign_id = made.sent()
    made.services.orders.delete(CLI, order.id)
    made.box.ends(sign_id, "signed")
    outcome, _ = made.run(made.outcome(sign_id))
    assert outcome.ending.state is WorkState.DONE
    assert len(kinds(made, order)) == 2


def _draft(external):
    from inkwire.providers.box.objects import SignDraft, SignSigner

    return SignDraft(
        signers=(SignSigner(email="jane@example.com"),),
        file_ids=("1",),
        folder_id="1",
        external_id=external,
        name="late",
    )
