"""What may go wrong at Salesforce, for every create: nothing twice, nothing lost (DESIGN §6).

The clocks of hub and sandbox go on together; what is judged is the sandbox's own records.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import pytest

from inkwire.engine import retry
from inkwire.errors import (
    Ambiguous,
    CallFailed,
    Fenced,
    LimitReached,
    NeedsAttention,
    StoreBusy,
    Transient,
)
from inkwire.integrations.box_salesforce import attaching, tasks
from inkwire.integrations.box_salesforce.passing import Passing
from inkwire.model.crm import ActivityState, AttachmentState
from inkwire.model.work import LedgerState, WorkState
from inkwire.providers.salesforce.client.rest import RestSalesforceClient
from integrations.crm_kit import Crm, bytes_of, world

UPLOAD, ROWS = "/sobjects/ContentVersion$", "/composite/sobjects$"


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    """One sandbox for all."""
    one = Crm(tmp_path_factory.mktemp("crm") / "sandbox")
    yield one
    one.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory, crm):
    """One hub for all: each test has a deal of its own."""
    with world(tmp_path_factory.mktemp("hub") / "hub", crm) as made:
        yield made


@pytest.fixture
def place(hub, crm):
    """The hub; whatever befalls a test ends with it."""
    yield hub
    crm.clear_faults()
    hub.settings(attach_to_account=False)


@dataclass(frozen=True)
class Fault:
    """What befalls one call, or the first so many."""

    name: str
    rule: dict
    #: Whether nobody can tell at first whether it was done.
    doubtful: bool = False


RESETS = [
    Fault("reset before commit", {"kind": "reset_before_commit"}, doubtful=True),
    Fault("reset after commit", {"kind": "reset_after_commit"}, doubtful=True),
    Fault("commit before the look", {"kind": "late_commit", "delay_s": 60}, doubtful=True),
    Fault("commit after the look", {"kind": "late_commit", "delay_s": 400}, doubtful=True),
    Fault("503", {"kind": "status", "status": 503}, doubtful=True),
    Fault("500 html", {"kind": "status", "status": 500, "code": "html"}, doubtful=True),
]
REFUSALS = [
    Fault("lock", {"kind": "status", "status": 400, "code": "UNABLE_TO_LOCK_ROW"}),
    Fault("the day", {"kind": "status", "status": 403, "code": "TotalRequests"}),
    Fault("at once", {"kind": "status", "status": 403, "code": "ConcurrentRequests"}),
    Fault("token", {"kind": "status", "status": 401, "code": "INVALID_SESSION_ID"}),
    Fault("429", {"kind": "status", "status": 429, "retry_after_s": 30}),
]
#: Where every fault befalls every create, and where some stand for the others.
LONG = "INKWIRE_CRASH_KILLS" in os.environ
SAMPLE = {"reset after commit", "commit after the look", "503", "lock"}
ALL = [pytest.param(fault, id=fault.name) for fault in (*RESETS, *REFUSALS)]
FAULTS = [one for one in ALL if LONG or one.id in SAMPLE]


def carry(place, work, *, runs=12):
    """Runs a row as the engine would, the clocks going on, until it is done; how often."""
    for number in range(1, runs + 1):
        now = place.clock.now()
        try:
            ending = place.run(work).ending
        except CallFailed as error:
            failed = retry.tried(error)
            ending = retry.ending(
                failed, failures=number, now=now, jitter=0.0, settle_s=120, most_s=60
            )
            assert ending.state is not WorkState.DEAD, ending.note
        if ending.state is WorkState.DONE:
            return number
        pause = (ending.due_at or now + timedelta(seconds=60)) - now
        place.clock.advance(seconds=max(0.0, pause.total_seconds()))
        place.crm.advance(max(0.0, pause.total_seconds()))
    raise AssertionError("it never ended")


def fault(crm, given, path, **more):
    """Sets it for a POST to that path."""
    crm.process.fault(method="POST", path=path, **given.rule, **more)


def deal(crm):
    """An opportunity with an account, and its folder."""
    account = crm.account()
    opportunity = crm.opportunity(account)
    return account, opportunity, crm.deal(opportunity_id=opportunity)


def entry_of(place, made):
    """The ledger's word on a version."""
    version = made["file_version"]["id"]
    return place.store.ledger.get(f"attachment/1/{made['id']}/{version}")


@pytest.mark.parametrize("given", ALL)
def test_a_first_version_is_attached_once(place, crm, given):
    """Found again by its mark; else sent once more when Salesforce must have given up."""
    _, opportunity, folder = deal(crm)
    place.run(place.uploaded(crm.upload(folder, "other.pdf", b"other")))
    made = crm.upload(folder, "MSA.pdf", bytes_of(1000))
    fault(crm, given, UPLOAD)
    carry(place, place.uploaded(made))
    carry(place, place.work("settle"))
    found = [one for one in crm.files(opportunity) if one["Title"] == "MSA"]
    assert len(found) == 1
    (row,) = place.rows(made)
    assert (row.state, row.content_version_id) == (AttachmentState.VERIFIED, found[0]["Id"])
    assert row.md5 == found[0]["Checksum"]
    assert entry_of(place, made).state is LedgerState.DONE


@pytest.mark.parametrize("given", FAULTS)
def test_a_new_version_is_attached_once(place, crm, given):
    """Looked for in its document, which the mark of the first version is in, too."""
    _, opportunity, folder = deal(crm)
    first = crm.upload(folder, "MSA.pdf", bytes_of(1000))
    place.run(place.uploaded(first))
    second = crm.new_version(first["id"], bytes_of(1000))
    fault(crm, given, UPLOAD)
    carry(place, place.uploaded(second))
    carry(place, place.work("settle"))
    found = crm.files(opportunity)
    assert [one["VersionNumber"] for one in found] == ["1", "2"]
    (row,) = place.rows(second)
    assert (row.state, row.content_version_id) == (AttachmentState.VERIFIED, found[1]["Id"])


@pytest.fixture
def asked(monkeypatch):
    """The queries that are sent, from now on."""
    texts, query = [], RestSalesforceClient.query

    def noted(client, soql, **more):
        texts.append(soql.text)
        return query(client, soql, **more)

    monkeypatch.setattr(RestSalesforceClient, "query", noted)
    return texts


def test_a_look_for_a_first_version_reads_the_records_new_files_only(place, crm, asked):
    """A record may have a hundred thousand: those of the days before cost no page."""
    _, opportunity, folder = deal(crm)
    place.run(place.uploaded(crm.upload(folder, "old.pdf", b"old")))
    (old,) = crm.files(opportunity)
    place.clock.advance(seconds=2 * 86_400)
    crm.advance(2 * 86_400)
    made = crm.upload(folder, "MSA.pdf", bytes_of(1000))
    fault(crm, RESETS[1], UPLOAD)
    assert place.note(place.uploaded(made)).endswith("It found again after a lost answer.")
    links = [text for text in asked if "FROM ContentDocumentLink" in text]
    assert len(links) == 1 and "ContentDocument.CreatedDate >= " in links[0]
    assert not any(old["ContentDocumentId"] in text for text in asked)
    assert len(crm.files(opportunity)) == 2


def test_a_look_for_a_new_version_reads_its_document_only(place, crm, asked):
    """No file of the record but that one."""
    _, opportunity, folder = deal(crm)
    first = crm.upload(folder, "MSA.pdf", bytes_of(1000))
    place.run(place.uploaded(first))
    second = crm.new_version(first["id"], bytes_of(1000))
    fault(crm, RESETS[1], UPLOAD)
    assert place.note(place.uploaded(second)).endswith("It found again after a lost answer.")
    assert not any("FROM ContentDocumentLink" in text for text in asked)
    assert len(crm.files(opportunity)) == 2


def test_a_version_whose_document_was_deleted_is_found_in_its_new_one(place, crm, monkeypatch):
    """It was begun anew, on the record, and that answer was lost."""
    _, opportunity, folder = deal(crm)
    first = crm.upload(folder, "MSA.pdf", bytes_of(1000))
    place.run(place.uploaded(first))
    place.settle()
    crm.delete("ContentDocument", crm.files(opportunity)[0]["ContentDocumentId"])
    second, upload = crm.new_version(first["id"], bytes_of(1000)), RestSalesforceClient.upload

    def breaks_anew(client, draft, content):
        if draft.publish_to:
            fault(crm, RESETS[1], UPLOAD)
        return upload(client, draft, content)

    monkeypatch.setattr(RestSalesforceClient, "upload", breaks_anew)
    assert place.note(place.uploaded(second)).endswith("It found again after a lost answer.")
    assert [one["VersionNumber"] for one in crm.files(opportunity)] == ["1"]


@pytest.mark.parametrize("given", FAULTS)
def test_a_link_is_made_once(place, crm, given):
    """A second one is refused by Salesforce, and that is success."""
    account, opportunity, folder = deal(crm)
    place.settings(attach_to_account=True)
    made = crm.upload(folder, "MSA.pdf", bytes_of(100))
    place.run(place.uploaded(made))
    fault(crm, given, ROWS)
    carry(place, place.work("settle"))
    assert [row.state for row in place.rows(made)] == [AttachmentState.VERIFIED] * 2
    links = [
        one
        for one in crm.all("ContentDocumentLink")
        if one["LinkedEntityId"] in (account, opportunity)
    ]
    assert len(links) == 2


@pytest.mark.parametrize("given", ALL)
def test_tasks_are_made_once(place, crm, given):
    """Of a batch whose answer was lost."""
    _, opportunity, folder = deal(crm)
    for name in ("a.txt", "b.txt", "c.txt"):
        place.run(place.uploaded(crm.upload(folder, name, name.encode())))
    fault(crm, given, ROWS)
    carry(place, place.work("send_tasks"))
    carry(place, place.work("send_tasks"))
    found = crm.tasks(opportunity)
    assert sorted(task["Subject"][-16:] for task in found) == [
        f"{name}, version 1"[-16:] for name in ("a.txt", "b.txt", "c.txt")
    ]
    rows = [row for row in place.activities() if row.what_id == opportunity]
    assert {row.state for row in rows} == {ActivityState.DONE}
    assert {row.task_id for row in rows} == {task["Id"] for task in found}


@pytest.mark.parametrize("given", FAULTS[:3])
def test_a_run_that_dies_with_its_answer_is_carried_on_by_another(place, crm, given, monkeypatch):
    """As after kill -9: nothing is left of it but the ledger; the MD5 is read from Box again."""
    _, opportunity, folder = deal(crm)
    content = bytes_of(1000)
    made = crm.upload(folder, "MSA.pdf", content)
    fault(crm, given, UPLOAD)
    work = place.uploaded(made)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(attaching, "find", _dies)
        place.run(work)
    assert entry_of(place, made).state is LedgerState.SENDING
    carry(place, work)
    carry(place, place.work("settle"))
    (found,) = crm.files(opportunity)
    (row,) = place.rows(made)
    assert (row.state, row.content_version_id) == (AttachmentState.VERIFIED, found["Id"])


def _dies(*_, **__):
    raise KeyboardInterrupt


def test_before_the_look_is_over_nothing_is_sent_again(place, crm):
    """Eleven minutes; every run until then looks, and sends nothing."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(100))
    crm.process.fault(method="POST", path=UPLOAD, kind="reset_before_commit")
    work, start = place.uploaded(made), place.clock.now()
    before = uploads(crm)
    ending = place.run(work).ending
    while ending.state is not WorkState.DONE:
        assert uploads(crm) == before + 1
        assert "Salesforce did not say" in ending.note
        ending = place.run(work).ending  # a person is impatient
        assert ending.state is WorkState.NEW
        place.to(ending.due_at)
        ending = place.run(work).ending
    assert place.clock.now() - start >= timedelta(seconds=660)
    assert uploads(crm) == before + 2
    assert "sent again, since Salesforce showed nothing" in ending.note
    assert entry_of(place, made).sends == 2
    assert len(crm.files(opportunity)) == 1


def uploads(crm):
    """How many the sandbox saw."""
    counts = crm.process.counts().items()
    ends = "/sobjects/ContentVersion"
    return sum(number for call, number in counts if call[:4] == "POST" and call.endswith(ends))


def test_a_token_that_is_revoked_parks_and_loses_nothing(place, crm):
    """One replay with a new token goes on by itself; without one the connection is mended."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(100))
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    crm.process.call("POST", "/salesforce/revoke-tokens", {})
    crm.process.call("PATCH", "/salesforce/app", {"client_credentials": False})
    work = place.uploaded(made)
    with pytest.raises(NeedsAttention):
        place.run(work)
    crm.process.call("PATCH", "/salesforce/app", {"client_credentials": True})
    place.run(work)
    assert len(crm.files(opportunity)) == 2


def test_the_limit_of_the_day_parks_for_five_minutes(place, crm):
    """Nothing was sent, so the ledger says so."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(100))
    fault(crm, REFUSALS[1], UPLOAD)
    work = place.uploaded(made)
    with pytest.raises(LimitReached) as reached:
        place.run(work)
    assert reached.value.retry_after_s >= 300
    assert entry_of(place, made).state is LedgerState.INTENDED
    place.run(work)
    assert len(crm.files(opportunity)) == 1


@pytest.mark.parametrize("kind", ["reset_before_commit", "reset_after_commit"])
def test_a_download_that_breaks_makes_nothing(place, crm, kind):
    """Box's fault, told as such; Salesforce never sees a whole body."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(3_000_000))
    crm.process.fault(kind=kind, method="GET", path=r"/(dl/|files/\d+/content)")
    work = place.uploaded(made)
    with pytest.raises(Transient):
        place.run(work)
    assert crm.files(opportunity) == []
    place.run(work)
    assert len(crm.files(opportunity)) == 1


def test_other_bytes_than_box_says_never_arrive(place, crm, monkeypatch):
    """The last piece is held back until the SHA-1 is right."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(300_000))
    work = place.uploaded(made)
    with monkeypatch.context() as patched:
        patched.setattr(attaching, "Passing", _misread)
        with pytest.raises(Transient, match="other content than Box says"):
            place.run(work)
    assert crm.files(opportunity) == []
    assert entry_of(place, made).state is LedgerState.INTENDED
    place.run(work)
    assert len(crm.files(opportunity)) == 1


def _misread(pieces, *, size, sha1):
    """As `Passing`, of bytes that changed on their way."""
    changed = (bytes([piece[0] ^ 1]) + piece[1:] for piece in pieces)
    return Passing(changed, size=size, sha1=sha1)


# --- without looking


def test_a_file_is_there_twice_if_nobody_looks(place, crm, monkeypatch):
    """The negative control: the same fault, the look switched off, and the judge sees it."""
    monkeypatch.setattr(attaching, "probe", lambda *_: None)
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(1000))
    fault(crm, RESETS[1], UPLOAD)
    carry(place, place.uploaded(made))
    assert len(crm.files(opportunity)) == 2


def test_tasks_are_there_twice_if_nobody_looks(place, crm, monkeypatch):
    """As above."""
    monkeypatch.setattr(tasks, "probe", lambda *_: {})
    _, opportunity, folder = deal(crm)
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    fault(crm, RESETS[1], ROWS)
    carry(place, place.work("send_tasks"))
    carry(place, place.work("send_tasks"))
    assert len(crm.tasks(opportunity)) == 2


def test_an_ambiguous_answer_is_what_the_matrix_is_about(place, crm):
    """The faults that are called doubtful are so for the client, too."""
    _, opportunity, _ = deal(crm)
    client = place.hub.connections.salesforce("salesforce")
    for given in RESETS:
        fault(crm, given, ROWS)
        with pytest.raises(Ambiguous):
            client.create_rows("Task", [{"Subject": "x", "WhatId": opportunity}])


def test_a_store_that_is_busy_before_the_call_costs_no_look(place, crm, monkeypatch):
    """The token could not be read, so nothing was sent: the next run sends at once."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(1000))
    work, upload = place.uploaded(made), RestSalesforceClient.upload

    def without_a_token(client, draft, content):
        def busy(*_, **__):
            raise StoreBusy

        with monkeypatch.context() as patched:
            patched.setattr(client._calling.tokens, "token", busy, raising=False)
            return upload(client, draft, content)

    with monkeypatch.context() as patched:
        patched.setattr(RestSalesforceClient, "upload", without_a_token)
        with pytest.raises(StoreBusy):
            place.run(work)
    assert entry_of(place, made).state is LedgerState.INTENDED
    assert "is on Opportunity" in place.note(work)
    assert len(crm.files(opportunity)) == 1


def test_a_store_that_is_busy_before_a_batch_of_tasks_costs_no_look(place, crm, monkeypatch):
    """The same for Tasks: the next run sends them at once."""
    _, opportunity, folder = deal(crm)
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    send = RestSalesforceClient.create_rows

    def without_a_token(client, object_name, rows):
        def busy(*_, **__):
            raise StoreBusy

        with monkeypatch.context() as patched:
            patched.setattr(client._calling.tokens, "token", busy, raising=False)
            return send(client, object_name, rows)

    with monkeypatch.context() as patched:
        patched.setattr(RestSalesforceClient, "create_rows", without_a_token)
        with pytest.raises(StoreBusy):
            place.run(place.work("send_tasks"))
    place.run(place.work("send_tasks"))
    assert len(crm.tasks(opportunity)) == 1


def test_a_worker_that_was_given_up_and_one_that_took_over_send_once(place, crm, monkeypatch):
    """The second finds the sending noted and looks; the first comes back and ends it."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(1000))
    work, upload, others = place.uploaded(made), RestSalesforceClient.upload, []

    def slowly(client, draft, content):
        if not others:
            with ThreadPoolExecutor(1) as another:
                others.append(another.submit(place.run, work).result().ending)
        return upload(client, draft, content)

    monkeypatch.setattr(RestSalesforceClient, "upload", slowly)
    assert place.run(work).ending.state is WorkState.DONE
    (other,) = others
    assert other.state is WorkState.NEW
    place.to(other.due_at)
    assert place.note(work).endswith("It was there already.")
    assert len(crm.files(opportunity)) == 1
    assert entry_of(place, made).sends == 1


def test_a_worker_whose_claim_is_gone_sends_nothing(place, crm, monkeypatch):
    """Between its look at the ledger and its claim another one sent."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(1000))
    work, draft_of, others = place.uploaded(made), attaching._draft, []

    def overtaken(*given):
        if not others:
            others.append(None)
            place.store.ledger.send(
                f"attachment/1/{made['id']}/{made['file_version']['id']}",
                fence=0, run_id="another", at=place.clock.now(),
            )  # fmt: skip
        return draft_of(*given)

    monkeypatch.setattr(attaching, "_draft", overtaken)
    with pytest.raises(Fenced):
        place.run(work)
    assert crm.files(opportunity) == []
    carry(place, work)
    assert len(crm.files(opportunity)) == 1
