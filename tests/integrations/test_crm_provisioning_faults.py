"""Folders of records when answers are lost, come late, and when several workers are at it."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from inkwire.errors import Ambiguous, Transient
from integrations.folder_kit import town


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A sandbox and a hub for all tests here; each has an integration of its own."""
    with town(tmp_path_factory.mktemp("faults")) as one:
        yield one


CREATES = {
    "root": ("/2.0/folders$", 1),
    "account": ("/2.0/folders$", 2),
    "deal": ("/2.0/folders$", 3),
    "contracts": ("/2.0/folders$", 4),
    "proposals": ("/2.0/folders$", 5),
    "metadata of the account": ("/metadata/enterprise/", 1),
    "metadata of the deal": ("/metadata/enterprise/", 2),
    "owner": ("/collaborations$", 1),
}


def _until_done(office, object_name: str, record_id: str) -> int:
    """Runs until one ends well; how many failed before."""
    for failed in range(30):
        try:
            office.provision(object_name, record_id)
        except (Ambiguous, Transient):
            continue
        return failed
    raise AssertionError("it does not end")


def _as_once(place, office, account: str, deal: str) -> None:
    """All is there, each thing once, and known."""
    assert office.tree() == {"Once": {"Deal": {"Contracts": {}, "Proposals": {}}}}
    roots = [name for name in office.items("0") if name.startswith(office.root)]
    assert roots == [office.root]
    folder = office.folder(deal)
    assert office.metadata(folder.folder_id)["record_id"] == deal
    assert office.metadata(office.folder(account).folder_id)["record_id"] == account
    people = place.box("GET", f"/folders/{folder.folder_id}/collaborations")["entries"]
    assert [one["id"] for one in people] == [folder.collaboration_id]


@pytest.mark.parametrize("what", CREATES)
@pytest.mark.parametrize("kind", ["reset_before_commit", "reset_after_commit"])
def test_an_answer_that_is_lost_makes_nothing_twice(place, what, kind):
    """The next run looks, adopts and goes on."""
    office = place.office()
    account = office.account("Once")
    deal = office.deal("Deal", account)
    path, nth = CREATES[what]
    place.sandbox.fault(kind=kind, method="POST", path=path, nth=nth)
    try:
        assert _until_done(office, "Opportunity", deal) == 1
    finally:
        place.sandbox.clear_faults()
    _as_once(place, office, account, deal)


@pytest.mark.parametrize("what", CREATES)
def test_a_create_that_commits_late_makes_nothing_twice(place, what):
    """The worst: the connection drops, and Box does it after we asked again."""
    office = place.office()
    account = office.account("Once")
    deal = office.deal("Deal", account)
    path, nth = CREATES[what]
    place.sandbox.fault(kind="late_commit", method="POST", path=path, nth=nth, delay_s=300)
    try:
        assert _until_done(office, "Opportunity", deal) == 1
        place.advance(400)
    finally:
        place.sandbox.clear_faults()
    office.provision("Opportunity", deal)
    _as_once(place, office, account, deal)


def test_a_storm_of_faults_ends_in_one_tree_each(place):
    """Many calls fail somehow, and all the same each record has one folder."""
    office = place.office(folder_tree="{Account.Name}/{Opportunity.Name}/Contracts")
    account = office.account("Storm")
    deals = [office.deal(f"Deal {number % 3}", account) for number in range(6)]
    kinds = itertools.cycle(("reset_after_commit", "reset_before_commit", "status"))
    for nth in range(2, 80, 4):
        place.sandbox.fault(kind=next(kinds), path="/2.0/", nth=nth)
    try:
        for deal in deals:
            _until_done(office, "Opportunity", deal)
    finally:
        place.sandbox.clear_faults()
    for deal in deals:
        office.provision("Opportunity", deal)
    found = office.tree()["Storm"]
    assert len(found) == 6
    assert all(below == {"Contracts": {}} for below in found.values())
    folders = {office.folder(deal).folder_id for deal in deals}
    assert len(folders) == 6
    assert {office.metadata(one)["record_id"] for one in folders} == set(deals)


# --- two workers


def test_workers_at_once_make_one_tree(place):
    """Deals of one account, and accounts of one name, all at the same time."""
    office = place.office(folder_tree="{Account.Name}/{Opportunity.Name}/Contracts")
    accounts = [office.account("Twin") for _ in range(2)]
    deals = [office.deal("Same", account) for account in accounts for _ in range(2)]
    jobs = [("Account", one) for one in accounts] + [("Opportunity", one) for one in deals]
    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(lambda job: _until_done(office, *job), jobs))
    tops = {office.folder(one).folder_id for one in accounts}
    folders = {office.folder(one).folder_id for one in deals}
    assert (len(tops), len(folders)) == (2, 4)
    found = office.tree()
    assert len(found) == 2
    assert sorted(len(below) for below in found.values()) == [2, 2]
    for deal in deals:
        assert office.metadata(office.folder(deal).folder_id)["record_id"] == deal
        parent = place.box("GET", f"/folders/{office.folder(deal).folder_id}")["parent"]["id"]
        assert parent == office.folder(office.folder(deal).account_id).folder_id
