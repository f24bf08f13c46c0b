"""What tests of Bulk jobs of Tasks share: Tasks that wait, clocks that go on, workers that die."""

import requests

from fakes.sandbox import until
from inkwire.errors import CallFailed, Permanent
from inkwire.integrations.box_salesforce.texts import activity_in, marked
from inkwire.model.crm import Activity, ApiUsage
from inkwire.providers.salesforce.client.rest import RestSalesforceClient

JOBS, ONE = "/jobs/ingest$", "/jobs/ingest/[A-Za-z0-9]+$"
BATCHES, RESULTS = "/jobs/ingest/.*/batches$", "/jobs/ingest/.*/successfulResults$"
#: From so many on they go as a job.
LEAST = 20


def noted(place, record, number=LEAST, *, text="text", start=0, subject="Task"):
    """So many activities wait."""
    rows = []
    for index in range(start, start + number):
        one = place.hub.ids.new("act")
        rows.append(
            Activity(
                id=one, integration_id=1, key=f"{record}/{index}", subject=f"{subject} {index}",
                description=marked(text, one), who_id=None, what_id=record,
                activity_date=place.clock.now().date(), work_id="wrk_x",
                created_at=place.clock.now(),
            )
        )  # fmt: skip
    assert place.store.activities.add(rows) == number
    return rows


def pace(crm, seconds):
    """Salesforce begins with a job only so long after its upload."""
    crm.process.call("POST", "/salesforce/pace", {"bulk_s": seconds})


def on(place, seconds):
    """Both clocks go on."""
    place.clock.advance(seconds=seconds)
    place.crm.advance(seconds)


def worked(place, seconds):
    """Both clocks go on, and Salesforce has done with the newest job."""
    on(place, seconds)
    until(lambda: client(place).job(job(place).job_id).ended)


def job(place):
    """The only one, or the newest."""
    return place.store.bulk_jobs.newest(1)[0]


def states(place):
    """How many activities are in each state."""
    found = place.store.activities.counts(1)
    return {state.value: number for state, number in found.items() if number}


def carry(place, *, runs=20):
    """Runs as the engine would until no Task waits or is under way."""
    for _ in range(runs):
        try:
            place.send_tasks()
        except CallFailed as error:
            assert not isinstance(error, Permanent), error
        if set(states(place)) <= {"done", "failed"}:
            return
        on(place, 301)
    raise AssertionError(f"it never ended: {states(place)}")


def once(crm, rows):
    """Each row's Task is there once, and is what the hub knows it as."""
    marks = [activity_in(one["Description"]) for one in crm.tasks(rows[0].what_id)]
    assert sorted(marks) == sorted(one.id for one in rows)


class Dies(Exception):
    """The worker is no more."""


def dying(monkeypatch, name, *, before=False):
    """The worker dies around a call; undone by `monkeypatch.undo`."""
    true = getattr(RestSalesforceClient, name)

    def call(self, *args):
        if before:
            raise Dies
        true(self, *args)
        raise Dies

    monkeypatch.setattr(RestSalesforceClient, name, call)


def used(place, number):
    """So many of the day's 10,000 calls, as Salesforce said just now."""
    place.store.api_usages.note(
        ApiUsage(connection_id="salesforce", used=number, most=10_000, at=place.clock.now())
    )


def client(place):
    """Salesforce as the hub calls it."""
    return place.hub.services.connections.salesforce("salesforce")


def delete(place, crm):
    """Somebody deletes it."""
    org = crm.salesforce
    form = {
        "grant_type": "client_credentials",
        "client_id": org["client_id"],
        "client_secret": org["client_secret"],
    }
    token = requests.post(f"{org['base_url']}/services/oauth2/token", data=form, timeout=60).json()
    url = f"{org['base_url']}/services/data/v66.0/jobs/ingest/{job(place).job_id}"
    headers = {"authorization": f"Bearer {token['access_token']}"}
    assert requests.delete(url, headers=headers, timeout=60).status_code == 204


def dies(*_, **__):
    """In place of whatever comes next."""
    raise Dies
