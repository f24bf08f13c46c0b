"""Whom thousands of Tasks are about, looked up together."""

from collections import Counter
from dataclasses import replace

import pytest

from fakes.run import StraightRun
from inkwire.integrations.box_salesforce.people import contacts_of
from inkwire.model.crm import Activity
from integrations.crm_kit import Crm, world

MANY = 450


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


class Counted:
    """A part of the store, or the store, whose calls are counted by name."""

    def __init__(self, whole, calls, *parts):
        self._whole, self._calls, self._parts = whole, calls, parts

    def __getattr__(self, name):
        found = getattr(self._whole, name)
        if name in self._parts:
            return Counted(found, self._calls)
        if not self._parts:
            self._calls[name] += 1
        return found


def test_what_they_came_from_is_read_two_hundred_at_a_time(place, crm):
    """Work and folders are not read for each Task, and each still finds its own contact."""
    account, other = crm.account(), crm.account()
    contacts = {
        (account, "jane@example.com"): crm.contact(account, "jane@example.com"),
        (other, "jane@example.com"): crm.contact(other, "jane@example.com"),
        (other, "max@example.com"): crm.contact(other, "max@example.com"),
    }
    deals = {one: crm.opportunity(one) for one in (account, other)}
    for deal in deals.values():
        folder = crm.deal(opportunity_id=deal)
        place.run(place.keep(place.work("refresh_mapping", folder_id=folder)))
    pairs = list(contacts)
    works = [
        place.work("note_activity", actor_email=pairs[number % 3][1]) for number in range(MANY)
    ]
    place.store.works.add(works)
    rows = [
        Activity(
            id=f"act_{number}", integration_id=place.integration.id, key=f"{number}",
            subject="", description="", who_id=None, what_id=deals[pairs[number % 3][0]],
            activity_date=place.clock.now().date(), work_id=work.id,
            created_at=place.clock.now(),
        )
        for number, work in enumerate(works)
    ]  # fmt: skip
    rows.append(replace(rows[0], id="act_forgotten", work_id="wrk_gone"))
    calls = Counter()
    services = place.hub.services
    store = Counted(services.store, calls, "works", "record_folders")
    run = StraightRun(
        work=place.work("send_tasks"), integration=place.integration,
        services=replace(services, store=store),
    )  # fmt: skip
    found = contacts_of(run, rows)
    assert found == {f"act_{number}": contacts[pairs[number % 3]] for number in range(MANY)}
    assert calls == {"of": 3, "of_records": 1}
