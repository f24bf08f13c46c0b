"""A person says which record a folder is: that stands until a person takes it back."""

import pytest

from inkwire.access.gate import CLI
from inkwire.model.crm import FolderOrigin, FolderState
from inkwire.model.work import ParkCause, WorkState
from integrations.crm_kit import Crm, world


@pytest.fixture(scope="module")
def crm(tmp_path_factory):
    """A sandbox with both vendors."""
    one = Crm(tmp_path_factory.mktemp("crm") / "sandbox")
    yield one
    one.close()


@pytest.fixture
def place(tmp_path, crm):
    """A hub at this sandbox."""
    with world(tmp_path / "hub", crm) as made:
        yield made


def test_a_file_that_waited_reaches_the_record_that_a_person_named(place, crm):
    """Unmapped, mapped by hand, attached: also from a folder below, also after a rename."""
    opportunity, folder = crm.opportunity(), crm.deal("Loose")
    made = crm.upload(folder, "MSA.pdf", b"%PDF-1.4")
    work = place.uploaded(made)
    ending = place.run(work).ending
    assert (ending.state, ending.park_cause) == (WorkState.PARKED, ParkCause.MAPPING)
    mapped = place.hub.crm.map_folder(CLI, place.integration.id, folder, record_id=opportunity[:15])
    assert (mapped.record_id, mapped.path) == (opportunity, "/Clients/Loose")
    assert "is on Opportunity" in place.note(work)
    assert [one["Title"] for one in crm.files(opportunity)] == ["MSA"]
    crm.call("PUT", f"/folders/{folder}", json={"name": "Renamed"})
    below = crm.upload(crm.folder("Drafts", folder), "Annex.pdf", b"%PDF-1.5")
    place.note(place.uploaded(below))
    assert len(crm.files(opportunity)) == 2


def test_a_run_that_looked_before_a_person_spoke_starts_again(place, crm):
    """It was under way when the others were started: a row of the minute's end sees to it."""
    folder = crm.deal()
    work = place.uploaded(crm.upload(folder, "MSA.pdf", b"%PDF-1.4"))
    now = place.clock.now()
    (taken,) = place.store.works.claim(executor_id="x", now=now, limit=10)
    ending = place.run(work).ending
    place.hub.crm.map_folder(CLI, place.integration.id, folder, record_id=crm.opportunity())
    assert place.store.works.end(work.id, run_number=taken.run_number, ending=ending, at=now)
    (row,) = place.asked("wake_waiting")
    assert row.due_at > now
    assert place.note(row) == "1 that waited for a record were started."
    assert place.store.works.get(work.id).state is WorkState.NEW


def test_metadata_that_comes_later_does_not_overrule_it(place, crm):
    """Until the folder is looked up again: then Box's metadata counts."""
    said, written, folder = crm.opportunity(), crm.opportunity(), crm.deal()
    place.hub.crm.map_folder(CLI, place.integration.id, folder, record_id=said)
    crm.metadata(folder, opportunity_id=written)
    told = place.work("refresh_mapping", entity=f"box:folder:{folder}", folder_id=folder)
    place.note(told)
    assert place.known(folder).record_id == said
    work = place.hub.crm.look_again(CLI, place.integration.id, folder)
    assert place.known(folder).state is FolderState.UNMAPPED
    place.note(work)
    found = place.known(folder)
    assert (found.record_id, found.origin) == (written, FolderOrigin.METADATA)
