"""A contract is executed: stage, completion Task, and the PDF on the account (R62, R63)."""

import pytest

from fakes.sandbox import until
from inkwire.errors import Permanent, Transient
from inkwire.model.work import ParkCause, WorkState
from integrations.crm_kit import Crm, world
from sandbox.kit import pdf


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    """A sandbox whose pages are made at once."""
    one = Crm(tmp_path_factory.mktemp("crm") / "sandbox")
    one.process.pace(convert_s=0.0, finalize_s=0.0, ready_after_s=0)
    yield one
    one.close()


@pytest.fixture
def place(tmp_path, crm):
    """A hub at this sandbox."""
    with world(tmp_path / "hub", crm) as made:
        yield made


@pytest.fixture
def deal(crm):
    """An account, its opportunity, and that one's folder."""
    account = crm.account()
    opportunity = crm.opportunity(account)
    return account, opportunity, crm.deal(opportunity_id=opportunity)


def executed(place, file_id, **more):
    """The work of a completed sign request, or of a lock."""
    return place.keep(
        place.work("contract_executed", file_id=file_id, trigger="SIGN_REQUEST.COMPLETED", **more)
    )


def signed(crm, folder):
    """A sign request whose document lies in the folder, signed by its customer; (request, file)."""
    template = crm.upload(folder, "Contract.pdf", PDF)
    body = {
        "signers": [{"email": "jane@example.com", "role": "signer"}],
        "source_files": [{"id": template["id"], "type": "file"}],
        "parent_folder": {"id": folder, "type": "folder"},
    }
    made = crm.call("POST", "/sign_requests", json=body)
    until(lambda: status(crm, made["id"])["status"] == "sent")
    crm.process.sign(made["id"])
    until(lambda: status(crm, made["id"])["sign_files"]["is_ready_for_download"])
    done = status(crm, made["id"])
    return made["id"], done["sign_files"]["files"][0]["id"]


def status(crm, sign_id):
    """The sign request as Box tells of it."""
    return crm.call("GET", f"/sign_requests/{sign_id}")


PDF = pdf()


def carried_out(place):
    """Runs the files that a run asked for."""
    for work in place.asked("sync_file"):
        if work.key.startswith("signed/"):
            place.run(work)
    place.settle()
    place.send_tasks()


def test_a_completed_sign_request_wins_the_deal(place, crm, deal):
    """Stage, Task, and the signed PDF on opportunity and account, though links are off."""
    account, opportunity, folder = deal
    sign_id, file_id = signed(crm, folder)
    work = executed(place, file_id, sign_request_id=sign_id)
    note = place.note(work)
    assert note.endswith("was executed: the stage went from Prospecting to Closed Won.")
    assert crm.one("Opportunity", opportunity)["StageName"] == "Closed Won"
    carried_out(place)
    (here,), (there,) = crm.files(opportunity), crm.files(account)
    assert here["Id"] == there["Id"]
    subjects = sorted(task["Subject"] for task in crm.tasks(opportunity))
    assert len(subjects) == 2
    assert subjects[0].startswith("Box Sign uploaded ")
    assert subjects[1].startswith("Contract executed: ")
    assert place.note(work).endswith("the stage is Closed Won.")
    carried_out(place)
    assert len(crm.tasks(opportunity)) == 2
    assert len(crm.files(account)) == 1


def test_a_request_that_was_not_signed_moves_nothing(place, crm, deal):
    """Box is asked: what an event says is not taken for granted."""
    _, opportunity, folder = deal
    template = crm.upload(folder, "Contract.pdf", PDF)
    body = {
        "signers": [{"email": "jane@example.com", "role": "signer"}],
        "source_files": [{"id": template["id"], "type": "file"}],
        "parent_folder": {"id": folder, "type": "folder"},
    }
    made = crm.call("POST", "/sign_requests", json=body)
    until(lambda: status(crm, made["id"])["status"] == "sent")
    work = executed(place, template["id"], sign_request_id=made["id"])
    with pytest.raises(Transient, match="still finishing"):
        place.run(work)
    crm.process.sign(made["id"], "decline", reason="no")
    until(lambda: status(crm, made["id"])["status"] == "declined")
    assert "is declined; the stage stays" in place.note(work)
    assert crm.one("Opportunity", opportunity)["StageName"] == "Prospecting"


def test_a_request_that_a_person_sent_is_taken_at_its_webhooks_word(place, crm, deal):
    """Box shows a request to its sender only: signed by hand in Box, it moves the stage, too."""
    _, opportunity, folder = deal
    signed = crm.upload(folder, "Contract.pdf", PDF)
    work = executed(place, signed["id"], sign_request_id="0" * 8)
    assert "was executed" in place.note(work)
    assert crm.one("Opportunity", opportunity)["StageName"] == "Closed Won"


@pytest.mark.parametrize(
    ("now", "wanted", "says", "after"),
    [
        ("Closed Lost", "Closed Won", "is closed as Closed Lost", "Closed Lost"),
        ("Negotiation/Review", "Qualification", "is not before Qualification", None),
        ("Prospecting", "", "the stage stays, as the settings say", None),
        ("Prospecting", "negotiation/review", "to Negotiation/Review", "Negotiation/Review"),
        ("A stage of old", "Closed Won", "from A stage of old to Closed Won", "Closed Won"),
    ],
)
def test_the_stage_never_goes_back_and_never_out_of_closed(
    place, crm, deal, now, wanted, says, after
):
    """Its order is the organisation's own; one that is not in the list is before all."""
    _, opportunity, folder = deal
    crm.change("Opportunity", opportunity, StageName=now)
    place.settings(executed_stage=wanted)
    made = crm.upload(folder, "MSA.pdf", PDF)
    assert says in place.note(executed(place, made["id"]))
    assert crm.one("Opportunity", opportunity)["StageName"] == (after or now)


def test_a_stage_that_the_organisation_does_not_know_is_named(place, crm, deal):
    """Salesforce would keep any text; files are attached all the same."""
    _, opportunity, folder = deal
    place.settings(executed_stage="Closed Wno")
    made = crm.upload(folder, "MSA.pdf", PDF)
    work = executed(place, made["id"], version_id=made["file_version"]["id"])
    with pytest.raises(Permanent, match="no active stage “Closed Wno”; choose one of: Prospecting"):
        place.run(work)
    carried_out(place)
    assert len(crm.files(opportunity)) == 1
    place.settings(executed_stage="Closed Won")
    place.run(work)
    assert crm.one("Opportunity", opportunity)["StageName"] == "Closed Won"


def test_the_organisations_own_rule_is_told(place, crm, deal):
    """Its words are the person's who wrote it."""
    _, opportunity, folder = deal
    made = crm.upload(folder, "MSA.pdf", PDF)
    crm.process.fault(
        kind="status", method="PATCH", path="/sobjects/Opportunity/", status=400,
        code="FIELD_CUSTOM_VALIDATION_EXCEPTION",
    )  # fmt: skip
    with pytest.raises(Permanent, match="A rule of the organisation refuses this"):
        place.run(executed(place, made["id"]))
    assert crm.one("Opportunity", opportunity)["StageName"] == "Prospecting"


def test_an_account_has_no_stage(place, crm):
    """The Task is noted there."""
    account = crm.account()
    folder = crm.deal(account_id=account)
    made = crm.upload(folder, "MSA.pdf", PDF)
    work = executed(place, made["id"], version_id=made["file_version"]["id"])
    assert "the object Account has no stage" in place.note(work)
    carried_out(place)
    assert any(task["Subject"] == "Contract executed: MSA.pdf" for task in crm.tasks(account))


def test_an_executed_contract_of_no_record_waits(place, crm):
    """As a file would."""
    made = crm.upload(crm.deal(), "MSA.pdf", PDF)
    ending = place.run(executed(place, made["id"])).ending
    assert (ending.state, ending.park_cause) == (WorkState.PARKED, ParkCause.MAPPING)


@pytest.mark.parametrize("fault", ["reset_before_commit", "reset_after_commit"])
def test_an_answer_that_was_lost_is_looked_for(place, crm, deal, fault):
    """The same stage again is no second change."""
    _, opportunity, folder = deal
    made = crm.upload(folder, "MSA.pdf", PDF)
    crm.process.fault(kind=fault, method="PATCH", path="/sobjects/Opportunity/")
    work = executed(place, made["id"])
    with pytest.raises(Transient):
        place.run(work)
    assert "Closed Won" in place.note(work)
    assert crm.one("Opportunity", opportunity)["StageName"] == "Closed Won"


def test_a_change_that_comes_late_does_not_overrule_a_colleague(place, crm, deal):
    """The connection broke, a colleague closed the deal, and then Salesforce took up our change."""
    _, opportunity, folder = deal
    made = crm.upload(folder, "MSA.pdf", PDF)
    crm.process.fault(kind="late_commit", delay_s=60, method="PATCH", path="/sobjects/Opportunity/")
    work = executed(place, made["id"])
    with pytest.raises(Transient):
        place.run(work)
    crm.advance(2)
    crm.change("Opportunity", opportunity, StageName="Closed Lost")
    assert "closed as Closed Lost, so its stage stays" in place.note(work)
    crm.advance(60)
    assert crm.one("Opportunity", opportunity)["StageName"] == "Closed Lost"


def test_a_lock_below_contracts_executes_if_that_is_wanted(place, crm, deal):
    """Elsewhere, or unlocked meanwhile, or not wanted: it is a lock."""
    _, opportunity, folder = deal
    contracts = crm.folder("Contracts", folder)
    inside, outside = (crm.upload(where, "MSA.pdf", PDF) for where in (contracts, folder))
    for made in (inside, outside):
        lock = {"lock": {"type": "lock"}}
        crm.call("PUT", f"/files/{made['id']}?fields=lock", json=lock)
    place.run(place.uploaded(inside, trigger="FILE.LOCKED"))
    assert place.asked("contract_executed") == []
    place.settings(executed_by_lock=True)
    place.run(place.uploaded(outside, trigger="FILE.LOCKED"))
    place.run(place.uploaded(inside, trigger="FILE.UPLOADED"))
    assert place.asked("contract_executed") == []
    place.run(place.uploaded(inside, trigger="FILE.LOCKED"))
    (work,) = place.asked("contract_executed")
    place.run(work)
    assert crm.one("Opportunity", opportunity)["StageName"] == "Closed Won"
