"""New and changed records are found, each once, late ones too (salesforce.md §3)."""

from datetime import timedelta

import pytest

from inkwire.errors import LimitReached
from inkwire.integrations.box_salesforce import polling
from inkwire.model.crm import ApiUsage, FolderState
from inkwire.model.work import Origin, WorkState
from integrations.folder_kit import town


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A sandbox and a hub for all tests here."""
    with town(tmp_path_factory.mktemp("polling")) as one:
        yield one


@pytest.fixture
def office(place):
    """An integration that has polled once, an hour after all that other tests did."""
    place.advance(3600)
    made = place.office()
    made.upkeep("poll_records")
    assert made.rows("provision") == []
    return made


def found(office) -> list[str]:
    """Ids of the records that work was made for, in order."""
    return [row.subject["record_id"] for row in office.rows("provision")]


def test_a_new_record_becomes_work_once(place, office):
    """However often it is asked."""
    account = office.account("New")
    deal = office.deal("Deal", account)
    assert office.upkeep("poll_records") == "2 new or changed records."
    assert found(office) == [account, deal]
    assert office.upkeep("poll_records") == "No record is new or changed."
    assert found(office) == [account, deal]
    row = office.rows("provision")[1]
    assert row.origin is Origin.RECONCILED
    assert row.entity_key == f"salesforce:record:{deal}"
    assert row.subject == {"object": "Opportunity", "record_id": deal}
    assert row.key.startswith(f"record/{deal}/")
    assert row.state is WorkState.NEW


def test_each_change_of_a_record_with_a_folder_is_work(place, office):
    """A change is another SystemModstamp, so another key."""
    account = office.account("Changing")
    office.upkeep("poll_records")
    office.run(office.rows("provision")[0])
    place.advance(1)
    office.change("Account", account, Name="Changed")
    office.upkeep("poll_records")
    assert found(office) == [account, account]
    office.run(office.rows("provision")[1])
    assert office.tree() == {"Changed": {}}


def test_a_second_change_within_one_second_is_not_lost(place, office):
    """SystemModstamp has whole seconds, so the run waits until that second is over."""
    account = office.account("Twice")
    office.upkeep("poll_records")
    (row,) = office.rows("provision")
    stamp = polling.stamp_of(office.record("Account", account))
    assert row.due_at >= stamp + timedelta(seconds=1)


def test_what_was_there_before_gets_no_folder_by_a_change(place):
    """Only with the setting; then all of it, once."""
    office = place.office()
    old = office.account("Old")
    place.advance(3600)
    office.upkeep("poll_records")
    office.change("Account", old, Description="touched")
    office.upkeep("poll_records")
    assert found(office) == []
    office.settings(provision_existing=True)
    office.upkeep("poll_records")
    assert old in found(office)
    number = len(found(office))
    office.upkeep("poll_records")
    assert len(found(office)) == number


@pytest.mark.parametrize("ahead_s", [-800, 800])
def test_clocks_that_differ_lose_no_record(place, ahead_s):
    """Ours is ahead of Salesforce's, or behind it, by a quarter of an hour."""
    place.advance(3600)
    place.clock.ahead += timedelta(seconds=ahead_s)
    try:
        office = place.office()
        office.upkeep("poll_records")
        made = [office.account("Skewed")]
        office.upkeep("poll_records")
        place.advance(60)
        made.append(office.account("Skewed"))
        office.upkeep("poll_records")
        assert found(office) == made
    finally:
        place.clock.ahead -= timedelta(seconds=ahead_s)


def test_a_row_that_is_seen_only_after_its_commit_is_found(place, office):
    """Its time is that of its statement: newer rows were seen before."""
    late = office.account("Late", late_s=300)
    place.advance(60)
    early = office.account("Early")
    office.upkeep("poll_records")
    assert found(office) == [early]
    place.advance(400)
    after = office.account("After")
    office.upkeep("poll_records")
    assert set(found(office)) == {early, late, after}


def test_a_late_row_is_found_by_the_overlap_although_nothing_else_comes(place, office):
    """The cursor stands at the last row, and each pass begins a quarter of an hour before."""
    office.account("First")
    office.upkeep("poll_records")
    late = office.account("Very late", late_s=800)
    for _ in range(3):
        place.advance(60)
        office.upkeep("poll_records")
    place.advance(700)
    office.upkeep("poll_records")
    assert found(office)[-1] == late


def test_a_long_list_is_read_in_pieces_and_whole(place, office, monkeypatch):
    """Each run makes a bounded number of rows; the next goes on where it was."""
    monkeypatch.setattr(polling, "MOST_MADE", 4)
    monkeypatch.setattr(polling, "_BATCH", 2)
    accounts = []
    for number in range(11):
        place.advance(1)  # SystemModstamp has whole seconds
        accounts.append(office.account(f"Many {number}"))
    work = office.work("poll_records")
    notes = []
    for _ in range(10):
        outcome, _ = office.run(work)
        notes.append(outcome.ending.note)
        if outcome.ending.state is WorkState.DONE:
            break
    assert sorted(found(office)) == sorted(accounts)
    assert len(notes) >= 3
    assert "There are more" in notes[0]


def test_a_late_row_within_a_long_pass_is_found(place, office, monkeypatch):
    """A pass of several pieces ends long after it began: the next begins behind its beginning."""
    monkeypatch.setattr(polling, "MOST_MADE", 2)
    monkeypatch.setattr(polling, "_BATCH", 1)
    accounts = []

    def made(number: int) -> None:
        for _ in range(number):
            place.advance(1)  # SystemModstamp has whole seconds
            accounts.append(office.account("Slow"))

    made(3)
    accounts.append(office.account("Slow and late", late_s=840))
    made(5)
    work = office.work("poll_records")
    for _ in range(9):
        office.run(work)
        place.advance(120)
        made(2)
    assert accounts[3] not in found(office)
    for _ in range(20):
        if office.run(work)[0].ending.state is WorkState.DONE:
            break
    assert set(accounts) - set(found(office)) == {accounts[3]}
    office.run(work)
    assert accounts[3] in found(office)


def test_when_too_much_waits_no_more_is_made(place, office, monkeypatch):
    """Folders are made first."""
    monkeypatch.setattr(polling, "MOST_WAITING", 2)
    for number in range(3):
        office.account(f"Waiting {number}")
    office.upkeep("poll_records")
    made = len(found(office))
    assert made == 3
    office.account("One more")
    assert "There are more" in office.upkeep("poll_records")
    assert len(found(office)) == made


def test_our_own_writes_come_to_an_end(place):
    """The link that we write changes the record; that makes no endless work."""
    place.advance(3600)
    office = place.office(link_field="Description")
    office.upkeep("poll_records")
    deal = office.deal("Looping", office.account("Loop"))
    ran: set[str] = set()
    for _ in range(6):
        office.upkeep("poll_records")
        for row in office.rows("provision"):
            if row.id not in ran:
                ran.add(row.id)
                office.run(row)
        place.advance(61)
    number = len(ran)
    assert "folder" in office.record("Opportunity", deal)["Description"]
    office.upkeep("poll_records")
    assert len(office.rows("provision")) == number <= 4


def test_a_deleted_record_s_folder_is_noted(place, office):
    """Salesforce keeps a list of them."""
    account = office.account("Doomed")
    office.upkeep("poll_records")
    office.run(office.rows("provision")[0])
    folder = office.folder(account).folder_id
    office.delete("Account", account)
    place.advance(1000)
    assert "1 with a folder were deleted" in office.upkeep("poll_records")
    row = office.store.record_folders.get(office.number, folder)
    assert row.state is FolderState.GONE


def test_only_objects_that_have_folders_are_asked_for(place):
    """A call less each minute."""
    place.advance(3600)
    office = place.office(folder_tree="{Account.Name}")
    office.upkeep("poll_records")
    deal = office.deal("Not wanted")
    account = office.account("Wanted")
    before = office.used()
    office.upkeep("poll_records")
    assert office.used() - before == 1
    assert found(office) == [account]
    assert deal not in found(office)


def test_at_the_share_of_the_day_s_calls_it_waits(place, office):
    """R77: nothing is asked."""
    now = office.services.clock.now()
    office.store.api_usages.note(ApiUsage(connection_id="salesforce", used=95, most=100, at=now))
    try:
        before = office.used()
        with pytest.raises(LimitReached):
            office.upkeep("poll_records")
        assert office.used() == before
    finally:
        office.store.api_usages.note(ApiUsage(connection_id="salesforce", used=1, most=100, at=now))


def test_a_dry_run_makes_nothing(place, office):
    """It tells what it would ask."""
    office.account("Dry")
    _, run = office.run(office.work("poll_records"), dry=True)
    assert "Make work of each new or changed Account" in run.plans
    assert found(office) == []
