"""What only Box and Salesforce can say of a configuration, asked without changing anything."""

import pytest

from inkwire.integrations.box_salesforce import INTEGRATION as KIND
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


def tried(place):
    """Each look by its name."""
    return {one.name: one for one in KIND.live_checks(place.integration, place.hub.services)}


def test_what_the_settings_name_is_there(place, crm):
    """Template, root folder, webhook, stage, status: each with what was found."""
    found = tried(place)
    assert {name: one.ok for name, one in found.items()} == dict.fromkeys(
        ("template", "root_folder", "webhook", "executed_stage", "task_status"), True
    )
    assert "opportunity_id" in found["template"].detail
    assert found["executed_stage"].detail.startswith("“Closed Won” is one of")


def test_what_is_not_there_is_named_with_the_way_out(place, crm):
    """Every sentence says what to choose or where to make it."""
    before = crm.calls()
    place.settings(
        mapping_template="another_one",
        executed_stage="Won at last",
        task_status="Over",
        link_field="Box_Folder__c",
    )
    found = tried(place)
    assert "An admin makes it" in found["template"].detail
    assert "choose one of: " in found["executed_stage"].detail
    assert "Completed" in found["task_status"].detail
    assert "Fields & Relationships" in found["link_field"].detail
    wrong = {"template", "executed_stage", "task_status", "link_field"}
    assert {name for name, one in found.items() if not one.ok} == wrong
    assert crm.calls(since=before) <= 4


def test_what_the_other_side_refuses_is_the_answer(place, crm):
    """A refusal is a finding, not the end of the looks."""
    crm.process.call("POST", "/salesforce/limit", {"most": 1, "used": 1})
    try:
        found = tried(place)
    finally:
        crm.process.call("POST", "/salesforce/limit", {"most": 100_000, "used": 0})
    assert found["template"].ok
    assert not found["executed_stage"].ok
    assert "calls of 24 hours are used up" in found["executed_stage"].detail
