"""Jobs over the API: counted, started, followed, cancelled."""

import pytest

from fakes.subscriber import LABEL, TOPIC, answer_all, subscriber
from inkwire.access.gate import CLI

SINCE = "2020-01-01T00:00:00Z"


@pytest.fixture
def missed(rooms):
    """An application whose webhook was made after three messages."""
    own = subscriber(rooms, "Late")
    for _ in range(3):
        rooms.publisher.publish(CLI, topic=TOPIC, payload=LABEL, application_id=own.id)
    answer_all(rooms)
    return own, own.webhook("https://late.example.com/hook")


def body(webhook, kind="replay_missing", **fields):
    """A job of the webhook."""
    return {"kind": kind, "webhook_id": webhook.id, "since": SINCE, **fields}


def test_a_job_is_counted_started_followed_and_cancelled(missed, client):
    """The count first; then 202 and where to look; cancelled once, not twice."""
    own, webhook = missed
    mine = client()
    mine.key = own.key()
    assert mine.post("/v1/jobs/count", body(webhook)).json() == {"count": 3}
    started = mine.post("/v1/jobs", body(webhook))
    assert started.status == 202
    job = started.json()
    assert (job["state"], job["total"], job["done"]) == ("running", 3, 0)
    assert mine.get(f"/v1/jobs/{job['id']}").json() == job
    assert [one["id"] for one in mine.get("/v1/jobs").json()["items"]] == [job["id"]]
    assert mine.post("/v1/jobs", body(webhook)).status == 409
    assert mine.post(f"/v1/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    assert mine.post(f"/v1/jobs/{job['id']}/cancel").status == 409


def test_a_job_with_senseless_times_or_of_nothing_is_refused(missed, client):
    """A start in the future, an end before it, an unknown kind, no such webhook."""
    _, webhook = missed
    operator = client()
    assert operator.post("/v1/jobs", body(webhook, since="2999-01-01T00:00:00Z")).status == 422
    assert operator.post("/v1/jobs", body(webhook, until="2019-01-01T00:00:00Z")).status == 422
    assert operator.post("/v1/jobs", body(webhook, kind="dance")).status == 422
    assert operator.post("/v1/jobs", body(webhook) | {"webhook_id": 5}).status == 404
    assert operator.get("/v1/jobs").json()["items"] == []


def test_a_disabled_webhook_gets_no_job(missed, client, rooms):
    """It takes no deliveries: activate it first."""
    _, webhook = missed
    rooms.webhooks.disable(CLI, webhook.id)
    refused = client().post("/v1/jobs", body(webhook))
    assert refused.status == 409
    assert "activate it first" in refused.json()["detail"]
