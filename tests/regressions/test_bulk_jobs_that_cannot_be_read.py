"""A Bulk job that Salesforce will not speak of must not hold up every other Task.

A connection that another user signs in for may not see the first user's jobs (`InvalidUser`), and
results may be refused. Each run failed at the job, before it came to anything else, so no Task of
the integration was sent any more, and those of the job stayed in it for ever.
"""

import pytest

from inkwire.model.crm import BulkJobState
from integrations.crm_bulk_kit import (
    LEAST,
    ONE,
    RESULTS,
    carry,
    job,
    noted,
    on,
    once,
    pace,
    states,
    worked,
)
from integrations.crm_kit import Crm, world


@pytest.fixture
def crm(tmp_path):
    """A sandbox."""
    one = Crm(tmp_path / "sandbox")
    yield one
    one.close()


@pytest.fixture
def place(tmp_path, crm):
    """A hub at it."""
    with world(tmp_path / "hub", crm, bulk_from=LEAST) as made:
        yield made


def refused(crm, path, code):
    """Every such request from now on."""
    crm.process.fault(method="GET", path=path, kind="status", status=400, code=code, count=None)


def test_a_job_of_another_user_waits_alone(place, crm):
    """It may still run, so its rows are not sent again; a week later they are looked for."""
    deal, other = (crm.opportunity(crm.account()) for _ in range(2))
    rows = noted(place, deal, 25)
    place.send_tasks()
    worked(place, 21)
    refused(crm, ONE, "INVALIDUSER")
    more = noted(place, other, 3)
    for _ in range(3):
        place.send_tasks()
        on(place, 301)
    once(crm, more)
    assert (job(place).state, job(place).said) == (BulkJobState.QUEUED, "INVALIDUSER")
    assert states(place) == {"sending": 25, "done": 3}
    on(place, 7 * 86_400)
    carry(place)
    once(crm, rows)
    assert job(place).state is BulkJobState.ENDED
    assert "looked for by their marks" in job(place).note


def test_a_job_that_can_be_read_again_goes_on(place, crm):
    """Whoever connected the wrong user connects the right one."""
    rows = noted(place, crm.opportunity(crm.account()), 25)
    pace(crm, 600)
    place.send_tasks()
    refused(crm, ONE, "INVALIDUSER")
    on(place, 301)
    place.send_tasks()
    crm.clear_faults()
    worked(place, 601)
    place.send_tasks()
    once(crm, rows)
    assert states(place) == {"done": 25}


def test_results_that_are_refused_are_looked_for_by_marks(place, crm):
    """The job has ended, so what it did not make, it never will."""
    deal = crm.opportunity(crm.account())
    rows = noted(place, deal, 25)
    place.send_tasks()
    worked(place, 21)
    refused(crm, RESULTS, "CLIENTINPUTERROR")
    place.send_tasks()
    once(crm, rows)
    assert states(place) == {"done": 25}
    assert "looked for by their marks" in job(place).note
