"""Files, one way: every version reaches its records once, proven by its bytes (R54–R61)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from inkwire.errors import Permanent
from inkwire.integrations.box_salesforce.passing import Passing
from inkwire.model.crm import AttachmentState, FolderOrigin, FolderState
from inkwire.model.work import LedgerState, ParkCause, WorkState
from inkwire.providers.salesforce.client import MOST_ROWS
from inkwire.providers.salesforce.client.places import Places
from integrations.crm_kit import Crm, bytes_of, md5, world


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    """One sandbox for all."""
    one = Crm(tmp_path_factory.mktemp("crm") / "sandbox")
    yield one
    one.close()


@pytest.fixture
def place(tmp_path, crm):
    """A hub of its own at this sandbox."""
    with world(tmp_path / "hub", crm) as made:
        yield made


def deal(crm, **more):
    """An account, its opportunity, and the folder whose metadata names it."""
    account = crm.account()
    opportunity = crm.opportunity(account, **more)
    return account, opportunity, crm.deal(opportunity_id=opportunity)


def test_a_file_is_published_to_its_opportunity_and_then_verified(place, crm):
    """One call of the day's budget; MD5 and size are compared in a batch later."""
    _, opportunity, folder = deal(crm)
    content = bytes_of(70_000)
    made = crm.upload(folder, "MSA.pdf", content)
    place.run(place.uploaded(made))  # learns the folder's record
    made = crm.upload(folder, "NDA.pdf", content + b"!")
    before = crm.calls()
    note = place.note(place.uploaded(made))
    assert crm.calls(since=before) == 1
    assert note.startswith("NDA.pdf, version 1, is on Opportunity Opportunity ")
    (row,) = place.rows(made)
    assert (row.state, row.md5, row.size) == (AttachmentState.STORED, md5(content + b"!"), 70_001)
    assert place.settle().ending.note == "2 attachments were verified, 0 failed."
    (row,) = place.rows(made)
    assert row.state is AttachmentState.VERIFIED
    msa, nda = sorted(crm.files(opportunity), key=lambda one: one["Title"])
    assert (nda["Title"], nda["PathOnClient"], nda["Checksum"]) == ("NDA", "NDA.pdf", row.md5)
    assert nda["Description"] == f"Box file {made['id']}, version {made['file_version']['id']}"
    assert (nda["Id"], nda["ContentDocumentId"]) == (row.content_version_id, row.document_id)
    assert msa["ContentDocumentId"] != nda["ContentDocumentId"]
    assert place.known(folder).synced_at == place.clock.now()
    entry = place.store.ledger.get(f"attachment/1/{made['id']}/{made['file_version']['id']}")
    assert (entry.state, entry.remote_id, entry.sends) == (LedgerState.DONE, nda["Id"], 1)


def test_a_settle_is_asked_for_once_in_ten_seconds(place, crm):
    """Files that are stored together are compared together."""
    _, _, folder = deal(crm)
    for name in ("a.txt", "b.txt", "c.txt"):
        place.run(place.uploaded(crm.upload(folder, name, bytes_of(10))))
    assert len(place.asked("settle")) == 1
    place.clock.advance(seconds=11)
    place.run(place.uploaded(crm.upload(folder, "d.txt", bytes_of(10))))
    first, second = sorted(place.asked("settle"), key=lambda work: work.due_at)
    assert (second.due_at - first.due_at).total_seconds() >= 10
    assert first.entity_key == "integration:1:settle"


def test_a_new_version_is_one_of_the_same_document(place, crm):
    """Also before the first one was compared."""
    _, opportunity, folder = deal(crm)
    first = crm.upload(folder, "MSA.pdf", bytes_of(100))
    place.run(place.uploaded(first))
    second = crm.new_version(first["id"], bytes_of(200))
    assert "version 2," in place.note(place.uploaded(second))
    place.settle()
    third = crm.new_version(first["id"], bytes_of(300))
    place.run(place.uploaded(third))
    place.settle()
    found = crm.files(opportunity)
    assert [(one["VersionNumber"], one["ContentSize"]) for one in found] == [
        ("1", 100), ("2", 200), ("3", 300),
    ]  # fmt: skip
    assert len({one["ContentDocumentId"] for one in found}) == 1
    for made in (first, second, third):
        (row,) = place.rows(made)
        assert row.state is AttachmentState.VERIFIED


def test_versions_that_came_in_a_row_are_attached_in_that_order(place, crm):
    """The events of both are run when Box holds the second already."""
    _, opportunity, folder = deal(crm)
    first = crm.upload(folder, "MSA.pdf", bytes_of(100))
    old = place.uploaded(first)
    second = crm.new_version(first["id"], bytes_of(200))
    new = place.uploaded(second)
    place.run(old)
    place.run(new)
    assert [one["ContentSize"] for one in crm.files(opportunity)] == [100, 200]


def test_a_version_that_comes_after_a_newer_one_is_left_out(place, crm):
    """It would stand on top in Salesforce; its Task is noted all the same."""
    _, opportunity, folder = deal(crm)
    first = crm.upload(folder, "MSA.pdf", bytes_of(100))
    second = crm.new_version(first["id"], bytes_of(200))
    place.run(place.uploaded(second))
    why = (
        f"Left out: version 2 ({second['file_version']['id']}) is attached already, and "
        "Salesforce takes no older version after a newer one."
    )
    assert place.note(place.uploaded(first)) == why
    assert [one["ContentSize"] for one in crm.files(opportunity)] == [200]
    assert len(place.activities()) == 2
    # The ledger answers whoever asks whether it arrived.
    (row,) = place.rows(first)
    assert (row.state, row.record_id, row.note) == (AttachmentState.LEFT_OUT, opportunity, why)
    assert not row.first and not row.content_version_id


def test_the_same_event_again_changes_nothing(place, crm):
    """Nor does another event of the same version."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(100))
    work = place.uploaded(made)
    place.run(work)
    place.settle()
    before = crm.calls()
    assert place.note(work).endswith("It was there already.")
    place.run(place.uploaded(made, trigger="FILE.RESTORED"))
    assert crm.calls(since=before) == 0
    assert len(crm.files(opportunity)) == 1


def test_the_account_gets_a_link_if_it_is_wanted(place, crm):
    """And a link that somebody made already is as good."""
    account, opportunity, folder = deal(crm)
    place.settings(attach_to_account=True)
    made = crm.upload(folder, "MSA.pdf", bytes_of(100))
    place.run(place.uploaded(made))
    (file,) = crm.files(opportunity)
    crm.add(
        "ContentDocumentLink",
        ContentDocumentId=file["ContentDocumentId"], LinkedEntityId=account, ShareType="V",
    )  # fmt: skip
    other = crm.upload(folder, "NDA.pdf", bytes_of(100))
    place.run(place.uploaded(other))
    before = crm.calls()
    assert place.settle().ending.note == "4 attachments were verified, 0 failed."
    assert crm.calls(since=before) == 2
    assert len(crm.files(account)) == len(crm.files(opportunity)) == 2
    first, second = place.rows(other)
    assert (first.record_id, first.first) == (opportunity, True)
    assert (second.record_id, second.object, second.first) == (account, "Account", False)


def test_a_file_that_is_moved_to_another_record_is_linked_there(place, crm):
    """The version is one; a later one is seen by both."""
    _, here, folder = deal(crm)
    _, there, other = deal(crm)
    made = crm.upload(folder, "MSA.pdf", bytes_of(100))
    place.run(place.uploaded(made))
    crm.move(made["id"], other)
    place.run(place.uploaded(made, trigger="FILE.MOVED"))
    place.settle()
    (one,) = crm.files(here)
    assert crm.files(there) == [one]
    assert [row.state for row in place.rows(made)] == [AttachmentState.VERIFIED] * 2
    assert place.activities()[-1].subject == (
        f"Jane Doe moved MSA.pdf, version 1, to {crm.call('GET', f'/folders/{other}')['name']}"
    )


def test_a_subfolder_belongs_to_the_record_above_it(place, crm):
    """Metadata on a nearer folder would count first."""
    account, opportunity, folder = deal(crm)
    contracts = crm.folder("Contracts", folder)
    place.run(place.uploaded(crm.upload(contracts, "a.txt", b"a")))
    assert len(crm.files(opportunity)) == 1
    own = crm.folder("For the account", folder)
    crm.metadata(own, account_id=account[:15])
    place.run(place.uploaded(crm.upload(own, "b.txt", b"b")))
    assert len(crm.files(account)) == 1
    row = place.known(own)
    assert (row.object, row.record_id, row.account_id) == ("Account", account, account)
    assert row.origin is FolderOrigin.METADATA


def test_what_has_no_record_waits_until_it_has(place, crm):
    """Kept and listed; metadata brings it on its way."""
    opportunity = crm.opportunity(crm.account())
    folder = crm.deal()
    contracts = crm.folder("Contracts", folder)
    made = crm.upload(contracts, "MSA.pdf", bytes_of(100))
    work = place.uploaded(made)
    ending = place.run(work).ending
    assert (ending.state, ending.park_cause) == (WorkState.PARKED, ParkCause.MAPPING)
    assert "Set the metadata salesforce_mapping" in ending.note
    assert place.known(contracts).state is FolderState.UNMAPPED
    crm.metadata(folder, opportunity_id=opportunity)
    park(place, work, ending)
    note = place.note(place.work("refresh_mapping", folder_id=folder))
    assert note.endswith("1 events that waited start again.")
    assert place.store.works.get(work.id).state is WorkState.NEW
    place.run(work)
    assert len(crm.files(opportunity)) == 1
    passed = place.known(contracts)
    assert (passed.state, passed.record_id) == (FolderState.BELOW, None)
    assert "Its record is that of the folder above it" in passed.note


def test_many_changes_of_metadata_start_what_waits_once_a_minute(place, crm):
    """The first at once; what the others bring is started at the minute's end, by one row."""
    opportunity, folder = crm.opportunity(crm.account()), crm.deal()
    work = place.uploaded(crm.upload(folder, "MSA.pdf", bytes_of(100)))
    ending = place.run(work).ending
    crm.metadata(folder, opportunity_id=opportunity)
    place.note(place.work("refresh_mapping", folder_id=folder))
    park(place, work, ending)
    note = place.note(place.work("refresh_mapping", folder_id=folder))
    assert note.endswith("What waited starts within a minute.")
    assert place.store.works.get(work.id).state is WorkState.PARKED
    (row,) = place.asked("wake_waiting")
    assert place.note(row) == "1 that waited for a record were started."
    assert place.store.works.get(work.id).state is WorkState.NEW


def park(place, work, ending):
    """Ends the row in the store as the engine would."""
    now = place.clock.now()
    (taken,) = [
        row
        for row in place.store.works.claim(executor_id="x", now=now, limit=10)
        if row.id == work.id
    ]
    assert place.store.works.end(work.id, run_number=taken.run_number, ending=ending, at=now)


def test_metadata_that_names_nothing_real_is_a_conflict(place, crm):
    """A person corrects it; until then its files wait."""
    folder = crm.deal(opportunity_id="Renewal 2027")
    ending = place.run(place.uploaded(crm.upload(folder, "a.txt", b"a"))).ending
    assert (ending.state, ending.park_cause) == (WorkState.PARKED, ParkCause.MAPPING)
    assert "“Renewal 2027”, which is no record's id" in ending.note
    assert place.known(folder).state is FolderState.CONFLICT


def test_metadata_of_a_deleted_record_says_so(place, crm):
    """Merged, or hidden from the user, looks the same."""
    _, opportunity, folder = deal(crm)
    crm.delete("Opportunity", opportunity)
    ending = place.run(place.uploaded(crm.upload(folder, "a.txt", b"a"))).ending
    assert ending.park_cause is ParkCause.MAPPING
    assert f"Salesforce shows no Opportunity {opportunity}" in ending.note
    assert place.known(folder).state is FolderState.GONE


def test_a_record_that_is_deleted_later_unmaps_its_folder(place, crm):
    """What Salesforce refuses is looked into; another record in the metadata mends it."""
    account, opportunity, folder = deal(crm)
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    crm.delete("Opportunity", opportunity)
    made = crm.upload(folder, "b.txt", b"b")
    work = place.uploaded(made)
    ending = place.run(work).ending
    assert ending.park_cause is ParkCause.MAPPING
    assert "is no longer in Salesforce" in ending.note
    assert place.known(folder).state is FolderState.GONE
    (row,) = place.rows(made)
    assert row.state is AttachmentState.FAILED
    other = crm.opportunity(account)
    crm.call("DELETE", f"/folders/{folder}/metadata/enterprise/salesforce_mapping")
    crm.metadata(folder, opportunity_id=other)
    place.run(work)
    place.settle()
    assert len(crm.files(other)) == 1
    states = {row.record_id: row.state for row in place.rows(made)}
    assert states == {opportunity: AttachmentState.FAILED, other: AttachmentState.VERIFIED}


def test_a_document_that_was_deleted_in_salesforce_is_begun_anew(place, crm):
    """A new version has nowhere to go to, so it becomes a document of its own."""
    _, opportunity, folder = deal(crm)
    first = crm.upload(folder, "MSA.pdf", bytes_of(100))
    place.run(place.uploaded(first))
    place.settle()
    (file,) = crm.files(opportunity)
    crm.delete("ContentDocument", file["ContentDocumentId"])
    second = crm.new_version(first["id"], bytes_of(200))
    place.run(place.uploaded(second))
    place.settle()
    (new,) = crm.files(opportunity)
    assert (new["ContentSize"], new["VersionNumber"]) == (200, "1")
    (row,) = place.rows(second)
    assert row.state is AttachmentState.VERIFIED


def test_empty_and_large_files_stay_in_box_and_say_so(place, crm):
    """Their rows say why; another limit brings the large one on its way."""
    _, opportunity, folder = deal(crm)
    place.settings(most_megabytes=1)
    empty = crm.upload(folder, "empty.txt", b"")
    assert "is empty" in place.note(place.uploaded(empty))
    large = crm.upload(folder, "large.bin", bytes(1024 * 1024 + 1))
    assert "more than 1 MB: it stays in Box" in place.note(place.uploaded(large))
    assert crm.files(opportunity) == []
    for made in (empty, large):
        (row,) = place.rows(made)
        assert row.state is AttachmentState.FAILED
        assert row.note
    assert len(place.activities()) == 2
    place.settings(most_megabytes=2)
    place.run(place.uploaded(large))
    assert len(crm.files(opportunity)) == 1


@pytest.mark.parametrize("name", ["é" * 251 + ".pdf", "契約書" * 80 + ".docx", "😀" * 120, "noext"])
def test_names_of_any_script_arrive(place, crm, name):
    """Up to Box's 255 characters; the extension stays."""
    _, opportunity, folder = deal(crm)
    place.run(place.uploaded(crm.upload(folder, name, b"x")))
    (file,) = crm.files(opportunity)
    assert file["PathOnClient"] == name
    assert name.startswith(file["Title"].rstrip("…"))


def test_a_file_that_is_gone_needs_nothing(place, crm):
    """It was trashed before its event was worked on."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", b"x")
    crm.trash(made["id"])
    assert "no longer in Box" in place.note(place.uploaded(made))
    assert crm.files(opportunity) == []


def test_a_file_outside_the_root_folder_is_none_of_its_business(place, crm):
    """The source may hear of other webhooks, too."""
    other = crm.folder(crm.named("Elsewhere"))
    made = crm.upload(other, "MSA.pdf", b"x")
    assert place.note(place.uploaded(made)) == "MSA.pdf is not below Clients."


def test_other_bytes_in_salesforce_are_a_failure_with_a_sentence(place, crm, monkeypatch):
    """What is proven is what was read from Box, not what Salesforce says of itself."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", b"right")
    with monkeypatch.context() as patched:
        patched.setattr(Passing, "md5", property(lambda _: md5(b"wrong")))
        place.run(place.uploaded(made))
    assert place.settle().ending.note == "0 attachments were verified, 1 failed."
    (row,) = place.rows(made)
    assert row.state is AttachmentState.FAILED
    assert f"other bytes than Box (MD5 {md5(b'right')}, not {md5(b'wrong')})" in row.note
    assert len(crm.files(opportunity)) == 1


def test_a_file_that_was_deleted_in_salesforce_is_told_of(place, crm):
    """Somebody did that: it is not put back, and a retry says the same."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", b"x")
    work = place.uploaded(made)
    place.run(work)
    (file,) = crm.files(opportunity)
    crm.delete("ContentDocument", file["ContentDocumentId"])
    for _ in range(2):
        assert place.settle().ending.note == "0 attachments were verified, 1 failed."
        (row,) = place.rows(made)
        assert "it was deleted there" in row.note
        place.run(work)
    assert crm.files(opportunity) == []


def test_a_dry_run_writes_nothing(place, crm):
    """Neither at Salesforce nor in the store."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", b"x")
    work = place.work(
        "sync_file", file_id=made["id"], version_id=made["file_version"]["id"],
        trigger="FILE.UPLOADED",
    )  # fmt: skip
    place.run(work, dry=True)
    assert place.known(folder) is None
    assert place.rows(made) == [] == crm.files(opportunity) == place.activities()


def test_metadata_that_is_taken_off_unmaps_the_folder(place, crm):
    """What Inkwire did not make is known by its metadata only; a folder above may answer."""
    _, opportunity, folder = deal(crm)
    inner = crm.folder("Inner", folder)
    crm.metadata(inner, opportunity_id=opportunity)
    for one in (inner, folder):
        place.note(place.work("refresh_mapping", folder_id=one))
        assert place.known(one).record_id == opportunity
        crm.call("DELETE", f"/folders/{one}/metadata/enterprise/salesforce_mapping")
    note = place.note(place.work("refresh_mapping", folder_id=inner))
    assert "Set the metadata salesforce_mapping" in place.note(
        place.work("refresh_mapping", folder_id=folder)
    )
    assert place.known(folder).state is FolderState.UNMAPPED
    assert f"is Opportunity {crm.one('Opportunity', opportunity)['Name']}." in note
    assert (place.known(inner).state, place.known(inner).record_id) == (FolderState.BELOW, None)
    crm.call("DELETE", f"/folders/{folder}?recursive=true")
    assert "no longer in Box" in place.note(place.work("refresh_mapping", folder_id=folder))
    assert place.known(folder).state is FolderState.GONE


# --- the rule on the path


def test_a_folder_called_like_one_opportunity_is_that_one(place, crm):
    """The names of the tree itself are no records."""
    place.settings(path_rule="name")
    account = crm.account(crm.named("Acme"))
    name = crm.named("Renewal")
    opportunity = crm.opportunity(account, name)
    folder = crm.folder("Contracts", crm.deal(name))
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    assert len(crm.files(opportunity)) == 1


def test_two_opportunities_of_one_name_are_told_apart_by_the_folder_above(place, crm):
    """Else it is a conflict that names them both."""
    place.settings(path_rule="name")
    acme, other = crm.account(crm.named("Acme")), crm.account(crm.named("Globex"))
    name = crm.named("Renewal")
    mine, theirs = crm.opportunity(acme, name), crm.opportunity(other, name)
    above = crm.deal(crm.one("Account", acme)["Name"])
    place.run(place.uploaded(crm.upload(crm.folder(name, above), "a.txt", b"a")))
    assert len(crm.files(mine)) == 1
    alone = crm.deal(name)
    ending = place.run(place.uploaded(crm.upload(alone, "b.txt", b"b"))).ending
    assert ending.park_cause is ParkCause.MAPPING
    assert "More than one record fits" in ending.note
    assert mine in ending.note
    assert theirs in ending.note
    assert place.known(alone).state is FolderState.CONFLICT
    assert crm.files(theirs) == []


def test_an_accounts_id_in_a_folders_name_is_found(place, crm):
    """15 characters will do; one that is gone is told of."""
    place.settings(path_rule="account_id")
    account = crm.account()
    folder = crm.deal(f"Acme ({account[:15]})")
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    assert len(crm.files(account)) == 1
    assert place.known(folder).origin is FolderOrigin.RULE
    gone = crm.deal(f"Gone {crm.account()}")
    crm.delete("Account", crm.call("GET", f"/folders/{gone}")["name"].split()[1])
    ending = place.run(place.uploaded(crm.upload(gone, "b.txt", b"b"))).ending
    assert "Salesforce shows no record" in ending.note


def test_a_folder_that_was_moved_is_looked_up_anew(place, crm):
    """What was known of it was known of its path."""
    place.settings(path_rule="name")
    first, second = crm.named("Renewal"), crm.named("Renewal")
    one, two = crm.opportunity(crm.account(), first), crm.opportunity(crm.account(), second)
    folder = crm.deal(first)
    place.run(place.uploaded(crm.upload(folder, "a.txt", b"a")))
    crm.call("PUT", f"/folders/{folder}", json={"name": second})
    place.run(place.uploaded(crm.upload(folder, "b.txt", b"b")))
    assert len(crm.files(one)) == len(crm.files(two)) == 1


# --- settle


def test_a_link_that_salesforce_refuses_fails_with_its_own_words(place, crm):
    """The account was deleted meanwhile; the opportunity has the file all the same."""
    account = crm.account()
    opportunity = crm.opportunity(None)
    folder = crm.deal(opportunity_id=opportunity, account_id=account)
    place.settings(attach_to_account=True)
    made = crm.upload(folder, "a.txt", b"a")
    place.run(place.uploaded(made))
    crm.delete("Account", account)
    assert place.settle().ending.note == "1 attachments were verified, 1 failed."
    first, second = place.rows(made)
    assert (first.state, second.state) == (AttachmentState.VERIFIED, AttachmentState.FAILED)
    assert f"does not link it to Account {account}" in second.note


def test_more_than_a_page_of_attachments_is_settled_in_one_run(place, crm):
    """Two queries and two calls for links, for 200 versions on two records each."""
    account, opportunity, folder = deal(crm)
    place.settings(attach_to_account=True)
    number = MOST_ROWS // 2 + 5
    for index in range(number):
        place.run(place.uploaded(crm.upload(folder, f"{index}.txt", str(index).encode())))
    before = crm.calls()
    note = f"{2 * number} attachments were verified, 0 failed."
    assert place.settle().ending.note == note
    assert crm.calls(since=before) == 4
    assert len(crm.files(account)) == len(crm.files(opportunity)) == number


def test_a_refusal_of_the_organisation_is_told_and_ends_the_work(place, crm):
    """A validation rule, say: a person mends it, and a retry goes on."""
    _, opportunity, folder = deal(crm)
    made = crm.upload(folder, "MSA.pdf", b"x")
    work = place.uploaded(made)
    crm.process.fault(
        kind="status", method="POST", path="/sobjects/ContentVersion$", status=400,
        code="FIELD_CUSTOM_VALIDATION_EXCEPTION",
    )  # fmt: skip
    with pytest.raises(Permanent, match="A rule of the organisation refuses this"):
        place.run(work)
    (row,) = place.rows(made)
    assert row.state is AttachmentState.FAILED
    place.run(work)
    place.settle()
    (row,) = place.rows(made)
    assert row.state is AttachmentState.VERIFIED
    assert len(crm.files(opportunity)) == 1


def test_an_event_of_the_file_overtakes_no_version_that_still_waits(place, crm):
    """It was moved between two uploads: all three events wait, and each version arrives."""
    _, _, folder = deal(crm)
    _, there, other = deal(crm)
    first = crm.upload(folder, "MSA.pdf", bytes_of(100))
    crm.move(first["id"], other)
    crm.new_version(first["id"], bytes_of(200))
    third = crm.new_version(first["id"], bytes_of(300))
    second = crm.call("GET", f"/files/{first['id']}/versions")["entries"][0]
    place.run(place.uploaded(first, trigger="FILE.MOVED"))
    assert [one["ContentSize"] for one in crm.files(there)] == [100]
    place.run(place.uploaded({"id": first["id"], "file_version": {"id": second["id"]}}))
    place.run(place.uploaded(third))
    assert [one["ContentSize"] for one in crm.files(there)] == [100, 200, 300]


def test_an_event_that_was_late_brings_the_newest_attached_version_along(place, crm):
    """The move is told of after the version that came later: both records know of that one."""
    _, here, folder = deal(crm)
    _, there, other = deal(crm)
    first = crm.upload(folder, "MSA.pdf", bytes_of(100))
    place.run(place.uploaded(first))
    second = crm.new_version(first["id"], bytes_of(200))
    place.run(place.uploaded(second))
    crm.move(first["id"], other)
    place.run(place.uploaded(first, trigger="FILE.MOVED"))
    place.settle()
    assert {row.record_id for row in place.rows(second)} == {here, there}
    assert {row.record_id for row in place.rows(first)} == {here}


def test_a_file_waits_for_its_turn_below_an_account(place, crm):
    """Salesforce locks the Account for each; other Accounts' files go on."""
    account, opportunity, folder = deal(crm)
    _, other, elsewhere = deal(crm)
    turns = Places(turn_s=0.01)
    place.hub.connections._calling._places["salesforce"] = turns
    work = place.uploaded(crm.upload(folder, "MSA.pdf", b"1"))
    with turns.turn(account) as taken:
        assert taken
        ending = place.run(work).ending
        place.note(place.uploaded(crm.upload(elsewhere, "NDA.pdf", b"2")))
    assert ending.state is WorkState.NEW
    assert "one after another" in ending.note
    assert 20 <= (ending.due_at - place.clock.now()).total_seconds() < 40
    assert (len(crm.files(opportunity)), len(crm.files(other))) == (0, 1)
    place.note(work)
    assert len(crm.files(opportunity)) == 1


def test_files_that_come_together_ask_once_whose_their_folder_is(place, crm):
    """Else each of a storm's first files would cost a call more."""
    _, opportunity, folder = deal(crm)
    works = [place.uploaded(crm.upload(folder, f"{n}.txt", bytes_of(10))) for n in range(8)]
    before = crm.calls()
    with ThreadPoolExecutor(len(works)) as threads:
        list(threads.map(place.note, works))
    assert len(crm.files(opportunity)) == len(works)
    assert crm.calls(since=before) == len(works) + 1
