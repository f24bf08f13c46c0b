"""A Task about a file deep in folders: its text was cut where it was kept, and lost its mark.

The mark stands at the end of the Description. Without it a Task whose answer got lost was not found
again and was sent a second time.
"""

import pytest

from inkwire.integrations.box_salesforce.texts import MOST_DESCRIPTION, activity_in
from inkwire.model.crm import ActivityState
from integrations.crm_kit import Crm, world


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A hub at a sandbox."""
    folder = tmp_path_factory.mktemp("long")
    crm = Crm(folder / "sandbox")
    try:
        with world(folder / "hub", crm) as made:
            yield made
    finally:
        crm.close()


def test_a_long_text_is_found_again_by_its_mark(place):
    """Nine folders of 250 characters above a file; Salesforce made the Task, and was not heard."""
    crm = place.crm
    opportunity = crm.opportunity(crm.account())
    folder = crm.root
    for level in range(9):
        folder = crm.folder(f"{level} {'deep ' * 49}".strip(), folder)
    crm.metadata(folder, opportunity_id=opportunity)
    place.run(place.uploaded(crm.upload(folder, "MSA.pdf", b"1")))
    [row] = place.activities()
    assert 2_048 < len(row.description) <= MOST_DESCRIPTION
    assert activity_in(row.description) == row.id
    crm.process.fault(method="POST", path="/composite/sobjects$", kind="reset_after_commit")
    for _ in range(4):
        place.send_tasks()
        place.clock.advance(seconds=601)
    [task] = crm.tasks(opportunity)
    [row] = place.activities()
    assert (row.state, row.task_id) == (ActivityState.DONE, task["Id"])
