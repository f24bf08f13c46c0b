"""Folders and their records: kept whole, found by whoever asks, newest change first."""

from dataclasses import replace

import pytest

from contract.acting_kit import race
from contract.crm_store_kit import Crm
from contract.store_kit import Hub
from inkwire.errors import StoreError
from inkwire.model.crm import FolderOrigin, FolderState
from inkwire.store import crm_lists
from inkwire.store.crm import FolderQuery

S = FolderState


@pytest.fixture
def crm(hub: Hub) -> Crm:
    """A fresh store."""
    return Crm(hub)


class TestRecords:
    def test_comes_back_as_it_was_given(self, crm: Crm):
        """Every field survives; one of the same integration and folder takes its place."""
        full = crm.folder(
            name="Renéwal 😀",
            owner_email="ada@example.com",
            collaboration_id="77",
            note="Made by Inkwire.",
            synced_at=crm.after(-5),
        )
        kept = []
        assert crm.moved(lambda: kept.append(crm.folders.put(full))) == {"work"}
        assert kept == [full]
        bare = crm.folder(
            "12", state=S.UNMAPPED, object="", record_id=None, record_name="", account_id=None
        )
        other = crm.folder(integration_id=2)
        assert crm.folders.put(bare) == bare
        assert crm.folders.put(other) == other
        assert crm.folders.get(1, "11") == full
        assert crm.folders.get(1, "12") == bare
        later = replace(
            full,
            name="New",
            state=S.GONE,
            origin=FolderOrigin.RULE,
            note="Deleted.",
            checked_at=crm.after(9),
            created_at=crm.after(9),
            updated_at=crm.after(9),
        )
        assert crm.folders.put(later) == replace(later, created_at=full.created_at)
        assert crm.folders.get(1, "11") == replace(later, created_at=full.created_at)
        assert crm.folders.get(2, "11") == other

    def test_unknown_and_unkeepable(self, crm: Crm):
        """No id makes a database fault; what people wrote is cleaned, an id is refused."""
        crm.put()
        for integration_id, folder_id in ((1, "x"), (1, "1\x00"), (1, "\ud800"), (2**70, "11")):
            assert crm.folders.get(integration_id, folder_id) is None
            assert crm.folders.known(integration_id, [folder_id]) == {}
        assert crm.folders.put(crm.folder(name="a\x00b\ud800")).name == "a?b?"
        with pytest.raises(StoreError):
            crm.folders.put(crm.folder("1\x00"))

    def test_news_moves_the_counters(self, crm: Crm):
        """Having been looked at again is none."""
        one = crm.put()
        again = replace(one, checked_at=crm.after(5), updated_at=crm.after(5))
        assert crm.moved(lambda: crm.folders.put(again)) == set()
        assert crm.folders.get(1, "11") == again
        changed = replace(again, record_name="Acme 2")
        assert crm.moved(lambda: crm.folders.put(changed)) == {"work"}

    def test_who_was_given_access_changes_nothing_else(self, crm: Crm):
        """The row may have been renamed or ended since the caller read it."""
        one = crm.put(state=S.GONE, record_name="Renamed")

        def share(mail: str, at: float = 5) -> None:
            kept = crm.folders.shared(
                1, "11", owner_email=mail, collaboration_id="77", at=crm.after(at)
            )
            assert kept == crm.folders.get(1, "11")

        assert crm.moved(lambda: share("ada@example.com")) == {"work"}
        assert crm.folders.get(1, "11") == replace(
            one, owner_email="ada@example.com", collaboration_id="77", updated_at=crm.after(5)
        )
        assert crm.moved(lambda: share("ada@example.com", 6)) == set()
        share("a\x00b")
        assert crm.folders.get(1, "11").owner_email == "a?b"
        none = crm.folders.shared(1, "12", owner_email="", collaboration_id="", at=crm.now)
        assert none is None

    def test_a_person_is_named(self, crm: Crm):
        """Who maps by hand stands in the audit log, in the same transaction."""
        crm.folders.put(crm.folder(), audit=crm.hub.audit("folder.map", "int_1"))
        assert crm.store.access.audit()[0].action == "folder.map"
        with pytest.raises(StoreError):
            crm.folders.put(crm.folder("1\x00"), audit=crm.hub.audit("refused"))
        assert crm.store.access.audit()[0].action == "folder.map"

    def test_what_a_person_said_stands(self, crm: Crm):
        """A run that looked before a person mapped the folder, and ends after it, changes nothing.

        The record's end is noted all the same, and a person may say otherwise.
        """
        said = crm.folders.put(crm.folder(origin=FolderOrigin.PERSON), audit=crm.hub.audit())
        late = replace(
            said,
            state=S.UNMAPPED,
            origin=FolderOrigin.RULE,
            record_id=None,
            note="No folder above it names a record.",
        )
        assert crm.moved(lambda: crm.folders.put(late)) == set()
        assert crm.folders.put(late) == said
        assert crm.folders.put(replace(late, state=S.MAPPED, record_id="006X")) == said
        assert crm.folders.get(1, "11") == said
        gone = replace(said, state=S.GONE, note="Deleted.")
        assert crm.folders.put(gone) == gone
        assert crm.folders.put(late) == late
        crm.folders.put(said)
        assert crm.folders.put(late, audit=crm.hub.audit("folder.look")) == late

    def test_when_something_went_through(self, crm: Crm):
        """It never goes back, and the list's order stays."""
        one, _ = crm.put(), crm.put("12")
        assert crm.moved(lambda: crm.folders.touch(1, "11", synced_at=crm.after(5))) == set()
        crm.folders.touch(1, "11", synced_at=crm.after(3))
        crm.folders.touch(2, "11", synced_at=crm.after(9))
        assert crm.folders.get(1, "11") == replace(one, synced_at=crm.after(5))
        assert crm.folder_ids() == ["12", "11"]
        assert crm.folders.put(one).synced_at == crm.after(5)
        assert crm.folders.put(replace(one, synced_at=crm.after(4))).synced_at == crm.after(5)
        assert crm.folders.put(replace(one, synced_at=crm.after(6))).synced_at == crm.after(6)

    def test_put_at_the_same_moment(self, crm: Crm):
        """One row stays, whole, with the age of one of them; nobody hears of an error."""
        given = [crm.folder(name=str(n), note=str(n), created_at=crm.after(n)) for n in range(6)]
        race([lambda one=one: crm.folders.put(one) for one in given])
        found = crm.folders.get(1, "11")
        assert found is not None
        assert replace(found, created_at=crm.now) in [
            replace(one, created_at=crm.now) for one in given
        ]
        assert found.created_at in [one.created_at for one in given]


class TestFinding:
    def test_many_at_once(self, crm: Crm):
        """Those that are known of up to 200."""
        kept = {folder_id: crm.put(folder_id) for folder_id in ("1", "2", "3")}
        crm.put("4", integration_id=2)
        many = [str(n) for n in range(1, 200)]
        assert crm.folders.known(1, [*many, "\x00"]) == kept
        assert crm.folders.known(1, []) == {}

    def test_the_folder_of_a_record(self, crm: Crm):
        """The oldest that is mapped; one that only bears its id is none."""
        crm.put("9", state=S.CONFLICT)
        crm.put("8", integration_id=2)
        assert crm.folders.of_record(1, "006000000000001AAA") is None
        old = crm.put("7")
        crm.put("6")
        crm.folders.put(replace(old, updated_at=crm.after(60)))
        found = crm.folders.of_record(1, "006000000000001AAA")
        assert found is not None
        assert found.folder_id == "7"
        crm.put("7", state=S.GONE)
        assert (crm.folders.of_record(1, "006000000000001AAA") or old).folder_id == "6"
        assert crm.folders.of_record(1, "\x00") is None
        many = crm.folders.of_records(1, ["006000000000001AAA", "006B", "\x00"])
        assert {record: one.folder_id for record, one in many.items()} == {
            "006000000000001AAA": "6"
        }
        assert crm.folders.of_records(3, ["006000000000001AAA"]) == {}
        assert crm.folders.of_records(1, []) == {}

    def test_pages(self, crm: Crm):
        """Newest change first; every filter narrows; pages go on by offset."""
        crm.put("1", record_id="a")
        crm.put("2", record_id="b", state=S.CONFLICT)
        crm.put("3", record_id="a", integration_id=2, state=S.CONFLICT)
        crm.put("4", record_id=None, state=S.UNMAPPED)
        crm.put("1", record_id="a", note="changed")
        assert crm.folder_ids() == ["1", "4", "3", "2"]
        assert crm.folder_ids(integration_id=1) == ["1", "4", "2"]
        assert crm.folder_ids(state=S.CONFLICT) == ["3", "2"]
        assert crm.folder_ids(state=S.CONFLICT, integration_id=2) == ["3"]
        assert crm.folder_ids(record_id="a") == ["1", "3"]
        assert crm.folder_ids(record_id="a", integration_id=2, state=S.MAPPED) == []
        assert crm.folder_ids(limit=2) == ["1", "4"]
        assert crm.folder_ids(limit=2, offset=2) == ["3", "2"]
        assert crm.folder_ids(offset=2**80) == []
        assert crm.folder_ids(limit=-1) == []
        assert crm.folder_ids(integration_id=-7, record_id="\x00") == []

    @pytest.mark.parametrize("few", [2_000, 1])
    def test_by_name(self, crm: Crm, few: int, monkeypatch: pytest.MonkeyPatch):
        """The beginning of either name, whatever its case, whether few or many have it."""
        monkeypatch.setattr(crm_lists, "FEW", few)
        crm.put("1", name="Ärger & Söhne", record_name="Renewal")
        crm.put("2", name="Renewal", record_name="Ärger")
        crm.put("3", name="renew_al", record_name="", integration_id=2)
        crm.put("4", name="x Renewal", record_name="y")
        assert crm.folder_ids(name="RENEW") == ["3", "2", "1"]
        assert crm.folder_ids(name="ärger") == ["2", "1"]
        assert crm.folder_ids(name="renew", integration_id=1) == ["2", "1"]
        assert crm.folder_ids(name="renew%") == []
        assert crm.folder_ids(name="renew\x00") == []
        assert crm.folder_ids(name="renewal", limit=1, offset=1) == ["1"]
        assert crm.folder_ids(name="  ") == ["4", "3", "2", "1"]

    def test_counts(self, crm: Crm):
        """By state, of one integration or of all."""
        crm.put("1")
        crm.put("2")
        crm.put("3", integration_id=2, state=S.UNMAPPED)
        nothing = dict.fromkeys(S, 0)
        assert crm.folders.counts() == nothing | {S.MAPPED: 2, S.UNMAPPED: 1}
        assert crm.folders.counts(1) == nothing | {S.MAPPED: 2}
        assert crm.folders.counts(2**99) == nothing
        assert crm.folders.page(FolderQuery(integration_id=3)) == []
