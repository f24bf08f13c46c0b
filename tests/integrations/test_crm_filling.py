"""What no webhook told of is found by the stream and by the walk, and attached once."""

from datetime import UTC, datetime

import pytest

from inkwire.integrations.box_salesforce import filling
from inkwire.integrations.box_salesforce.keeping import GAP_AT
from inkwire.model.crm import Attachment, AttachmentState, FolderState
from inkwire.model.work import Origin, WorkState
from integrations.folder_kit import Office, town


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A sandbox and a hub for all tests here."""
    with town(tmp_path_factory.mktemp("filling")) as one:
        yield one


def opened(place, name: str = "Deal", **settings) -> tuple[Office, str, dict[str, str]]:
    """An integration, a deal with its folder, and the folders in it."""
    office = place.office(**settings)
    deal = office.deal(name, office.account("Gap Inc"))
    office.provision("Opportunity", deal)
    return office, deal, office.items(office.folder(deal).folder_id)


def synced(office: Office) -> list[str]:
    """Names of the files that rows were made for, by the file's id."""
    return [row.subject["file_id"] for row in office.rows("sync_file")]


def test_the_stream_tells_of_a_file_that_no_webhook_brought(place):
    """From where it stood at the first run on; each version once."""
    office, deal, below = opened(place)
    office.put(below["Contracts"], "before.pdf")
    office.upkeep("fill_gaps")  # the walk finds what was there, the stream begins here
    before = synced(office)
    assert len(before) == 1
    file = office.put(below["Contracts"], "MSA.pdf", b"%PDF one")
    note = office.upkeep("fill_gaps")
    assert note == "1 versions were found that no webhook had told."
    (row,) = [one for one in office.rows("sync_file") if one.subject["file_id"] == file["id"]]
    assert row.key == f"walk/{file['id']}/{file['version']}"
    assert row.origin is Origin.RECONCILED
    assert row.entity_key == f"box:file:{file['id']}"
    assert office.integration.remote[GAP_AT]
    office.upkeep("fill_gaps")
    assert len(synced(office)) == 2
    office.run(row)
    office.upkeep("fill_gaps")
    assert len(synced(office)) == 2
    (attached,) = office.store.attachments.of_version(office.number, file["id"], file["version"])
    assert attached.record_id == deal


def test_a_version_that_was_left_out_is_found_once_it_is_the_present_one(place):
    """The newer one was deleted in Box, of which no webhook told."""
    office, deal, below = opened(place)
    office.upkeep("fill_gaps")
    file = office.put(below["Contracts"], "MSA.pdf", b"%PDF one")
    row = Attachment(
        id="att_1",
        integration_id=office.number,
        file_id=file["id"],
        version_id=file["version"],
        version_number=1,
        name="MSA.pdf",
        size=8,
        sha1="",
        record_id=deal,
        object="Opportunity",
        first=True,
        work_id="wrk_1",
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )
    office.store.attachments.plan([row])
    office.store.attachments.left_out(row.id, note="Left out: version 2 is attached already.")
    office.upkeep("fill_gaps")
    (found,) = [one for one in office.rows("sync_file") if one.subject["file_id"] == file["id"]]
    assert found.key == f"walk/{file['id']}/{file['version']}"
    office.run(found)
    (attached,) = office.store.attachments.of_version(office.number, file["id"], file["version"])
    assert attached.state is AttachmentState.STORED


def test_a_file_elsewhere_is_not_our_business(place):
    """The stream tells of all that the user sees."""
    office, _, _ = opened(place)
    office.upkeep("fill_gaps")
    other = place.box(
        "POST", "/folders", json={"name": f"Other {office.root}", "parent": {"id": "0"}}
    )
    office.put(other["id"], "private.pdf")
    assert office.upkeep("fill_gaps") == "All is known."
    assert synced(office) == []


def test_what_a_webhook_brought_and_still_waits_is_not_asked_twice(place):
    """Its row is there already, under the event's id."""
    office, _, below = opened(place)
    office.upkeep("fill_gaps")
    file = office.put(below["Proposals"], "waiting.pdf")
    row = office.work(
        "sync_file", f"box:file:{file['id']}", file_id=file["id"], version_id=file["version"]
    )
    office.store.works.add([row])
    assert office.upkeep("fill_gaps") == "All is known."
    assert len(synced(office)) == 1


def test_the_walk_finds_what_the_stream_never_told(place):
    """Whatever the depth; folders of other records have their own turn."""
    office = place.office()
    account = office.account("Deep")
    one, two = office.deal("One", account), office.deal("Two", account)
    for deal in (one, two):
        office.provision("Opportunity", deal)
    top = office.folder(account).folder_id
    contracts = office.items(office.folder(one).folder_id)["Contracts"]
    deep = place.box("POST", "/folders", json={"name": "2026", "parent": {"id": contracts}})["id"]
    files = [
        office.put(top, "account.pdf"),
        office.put(deep, "deep.pdf"),
        office.put(office.folder(two).folder_id, "two.pdf"),
    ]
    office.upkeep("fill_gaps")
    assert sorted(synced(office)) == sorted(one["id"] for one in files)


def test_the_walk_goes_on_where_it_was(place, monkeypatch):
    """A bounded number of folders each time, and all of them in the end."""
    monkeypatch.setattr(filling, "MOST_FOLDERS", 3)
    monkeypatch.setattr(filling, "_PAGE", 2)
    office = place.office()
    account = office.account("Walked")
    files = []
    for number in range(4):
        deal = office.deal(f"Deal {number}", account)
        office.provision("Opportunity", deal)
        below = office.items(office.folder(deal).folder_id)
        files += [office.put(below[name], f"{number}.pdf") for name in ("Contracts", "Proposals")]
    office.upkeep("fill_gaps")
    assert len(synced(office)) < len(files)
    for _ in range(12):
        office.upkeep("fill_gaps")
    assert sorted(synced(office)) == sorted(one["id"] for one in files)


def test_a_mapped_folder_that_was_deleted_is_noted(place):
    """So that nobody waits for its files."""
    office, deal, _ = opened(place)
    folder = office.folder(deal).folder_id
    place.box("DELETE", f"/folders/{folder}?recursive=true")
    assert "1 mapped folders are no longer in Box" in office.upkeep("fill_gaps")
    row = office.store.record_folders.get(office.number, folder)
    assert row.state is FolderState.GONE


def test_while_enough_waits_nothing_is_added(place, monkeypatch):
    """A migration must not bury what happens now."""
    monkeypatch.setattr(filling, "MOST_WAITING", 2)
    office, _, below = opened(place)
    for number in range(3):
        office.put(below["Contracts"], f"{number}.pdf")
    office.upkeep("fill_gaps")
    assert len(synced(office)) == 3
    office.put(below["Contracts"], "later.pdf")
    outcome, _ = office.run(office.work("fill_gaps"))
    assert outcome.ending.state is WorkState.NEW
    assert outcome.ending.due_at is not None
    assert len(synced(office)) == 3


def test_a_run_that_found_much_goes_on_soon(place, monkeypatch):
    """100,000 files are not a matter of hours' slots."""
    monkeypatch.setattr(filling, "MOST_MADE", 2)
    office, _, below = opened(place)
    for number in range(3):
        office.put(below["Contracts"], f"a{number}.pdf")
        office.put(below["Proposals"], f"b{number}.pdf")
    outcome, _ = office.run(office.work("fill_gaps"))
    assert outcome.ending.state is WorkState.NEW
    for _ in range(3):
        outcome, _ = office.run(office.work("fill_gaps"))
    assert outcome.ending.state is WorkState.DONE
    assert len(synced(office)) == 6


def test_a_place_that_cannot_be_read_begins_anew(place):
    """Nothing in the integration's memory stops it."""
    office, _, below = opened(place)
    office.store.integrations.set_remote(office.number, {filling.WALK: "{broken"})
    office.put(below["Contracts"], "found.pdf")
    office.upkeep("fill_gaps")
    assert len(synced(office)) == 1


def test_a_dry_run_makes_nothing(place):
    """It tells what it would read."""
    office, _, below = opened(place)
    office.put(below["Contracts"], "dry.pdf")
    _, run = office.run(office.work("fill_gaps"), dry=True)
    assert any("GET /events" in plan for plan in run.plans)
    assert synced(office) == []
    assert filling.POSITION not in office.integration.remote
