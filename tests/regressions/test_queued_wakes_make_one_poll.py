"""Outbound Messages that come while nothing may run must not become hundreds of polls afterwards.

Each slot of five seconds made a row of its own, and while the integration was paused, or its
connection needed a person, they queued up. When it went on, each asked Salesforce for everything,
one after the other, out of the day's calls.
"""

from datetime import timedelta

import pytest

from inkwire.engine.slots import slot_work
from inkwire.integrations.box_salesforce.hearing import SAVED_S
from inkwire.model.event import Origin
from integrations.folder_kit import town


@pytest.fixture
def place(tmp_path):
    """A sandbox and a hub."""
    with town(tmp_path) as one:
        yield one


def wake(office, *, ago_s=0.0):
    """The row that a message makes which came so long ago."""
    return slot_work(
        office.number,
        "poll_records",
        SAVED_S,
        work_id=office.services.ids.new("wrk"),
        now=office.services.clock.now() - timedelta(seconds=ago_s),
        origin=Origin.WEBHOOK,
    )


def test_of_those_that_queued_up_one_looks(place):
    """It sees what all of them were told of; the others cost Salesforce no call."""
    office = place.office()
    office.upkeep("poll_records")
    place.advance(3600)
    account = office.account("Told of")
    queued = [wake(office, ago_s=60 * number) for number in range(3, 30)]
    first, *others = sorted(queued, key=lambda row: row.due_at)
    assert office.run(first)[0].ending.note == "1 new or changed records."
    assert [row.subject["record_id"] for row in office.rows("provision")] == [account]
    before = office.used()
    notes = {office.run(row)[0].ending.note for row in others}
    assert notes == {"All was looked at since this was asked for."}
    assert office.used() == before


def test_who_asks_after_a_look_began_gets_another(place):
    """Also if the clock of the machine that heard of it goes wrong by half a minute."""
    office = place.office()
    office.upkeep("poll_records")
    place.advance(3600)
    office.upkeep("poll_records")
    for ago_s in (0, 30):
        office.account(f"Saved {ago_s}")
        note = office.run(wake(office, ago_s=ago_s))[0].ending.note
        assert note == "1 new or changed records.", ago_s


def test_a_look_that_did_not_see_all_is_none(place, monkeypatch):
    """The rows that wait go on with what it left."""
    from inkwire.integrations.box_salesforce import polling

    office = place.office()
    office.upkeep("poll_records")
    place.advance(3600)
    for number in range(3):
        office.account(f"Piece {number}")
        place.advance(2)
    monkeypatch.setattr(polling, "MOST_MADE", 1)
    monkeypatch.setattr(polling, "_BATCH", 1)
    queued = [wake(office, ago_s=600 + 10 * number) for number in range(6)]
    for row in queued:
        office.run(row)
    assert len(office.rows("provision")) == 3
    assert office.run(queued[0])[0].ending.note.startswith("All was looked at")
