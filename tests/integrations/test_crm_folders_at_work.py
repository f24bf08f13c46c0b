"""Folders by the real engine: a record appears, its tree does, and a lost file finds its record."""

import pytest

from fakes.at_work import at_work
from fakes.sandbox import until
from inkwire.model.work import WorkState
from inkwire.store.acting import WorkQuery
from integrations.folder_kit import town


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A sandbox, and a hub."""
    with town(tmp_path_factory.mktemp("at_work")) as one:
        yield one


def _done(office, workflow: str) -> bool:
    rows = office.rows(workflow)
    return bool(rows) and all(row.state is WorkState.DONE for row in rows)


def test_a_record_gets_its_tree_and_a_lost_file_its_record(place):
    """Polling, folders, owner, webhook, walk and attachment, as the clock brings them."""
    office = place.office()
    with at_work(place.hub):
        until(lambda: all(_done(office, one) for one in ("poll_records", "keep_webhook")))
        account = office.account("Wonka")
        deal = office.deal("Golden ticket", account)
        place.advance(61)
        until(lambda: len(office.rows("provision")) >= 2)
        place.advance(5)
        until(lambda: _done(office, "provision"))
        tree = {"Contracts": {}, "Proposals": {}}
        assert office.tree() == {"Wonka": {"Golden ticket": tree}}
        folder = office.folder(deal)
        assert folder.collaboration_id
        contracts = office.items(folder.folder_id)["Contracts"]
        office.put(contracts, "Ticket.pdf", b"%PDF-1.4 gold")
        place.advance(3600)
        until(lambda: _done(office, "sync_file"))
        (version,) = place.crm.files(deal)
        assert version["PathOnClient"] == "Ticket.pdf"
        office.change("Opportunity", deal, Name="Silver ticket")
        place.advance(61)
        until(lambda: len(office.rows("provision")) >= 3)
        place.advance(5)
        until(lambda: office.tree() == {"Wonka": {"Silver ticket": tree}})
    dead = WorkQuery(integration_id=office.number, state=WorkState.DEAD)
    assert office.store.works.page(dead) == []
