"""A worker that comes back late must not give up the Bulk job that another has sent meanwhile.

It had begun the job and found nothing to gather, for the other had gathered all of it: it ended the
job as empty, whoever had opened it. So the job was forgotten while Salesforce worked on it, its
Tasks were looked for, not found yet, and sent once more in batches.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from inkwire.model.crm import BulkJobState
from inkwire.store.bulk_jobs import SqlBulkJobs
from integrations.crm_bulk_kit import LEAST, carry, job, noted, on, once, pace, worked
from integrations.crm_kit import Crm, world


@pytest.fixture
def crm(tmp_path):
    """A sandbox."""
    one = Crm(tmp_path / "sandbox")
    yield one
    one.close()


def test_a_job_that_another_has_sent_is_not_ended_as_empty(tmp_path, crm, monkeypatch):
    """Salesforce begins with it an hour later, when the looks by marks would have given up."""
    deal = crm.opportunity(crm.account())
    true, came = SqlBulkJobs.gather, []
    with world(tmp_path / "hub", crm, bulk_from=LEAST) as place:
        rows = noted(place, deal, 25)
        pace(crm, 3_600)

        def meanwhile(self, batch_id, *, limit):
            if not came:
                came.append(batch_id)
                with ThreadPoolExecutor(1) as other:
                    other.submit(place.send_tasks).result()
            return true(self, batch_id, limit=limit)

        monkeypatch.setattr(SqlBulkJobs, "gather", meanwhile)
        place.send_tasks()
        assert (job(place).batch_id, job(place).state) == (came[0], BulkJobState.QUEUED)
        for _ in range(5):
            place.send_tasks()
            on(place, 301)
        worked(place, 3_600)
        carry(place)
        once(crm, rows)
