"""Work, the ledger, commands and executors over the API."""

import pytest

from fakes.acting import KEY, add_connection, add_integration, add_work, dead, ended, in_doubt
from inkwire.access.gate import CLI
from inkwire.model.access import Scope
from inkwire.model.work import Executor, IntegrationState, WorkState


@pytest.fixture
def acting(rooms):
    """A hub with an active integration, int_1."""
    add_connection(rooms)
    add_integration(rooms, connection_id="silent-main")
    rooms.hub.integrations.move(CLI, 1, IntegrationState.ACTIVE)
    return rooms


def test_work_is_listed_by_its_filters_and_pages(acting, admin):
    """Newest first; what a filter does not fit is left out; `next` leads on."""
    letter = dead(acting)
    new = [add_work(acting, f"n-{n}", entity=f"order:{n}").id for n in range(3)]
    everything = admin.get("/v1/work").json()
    assert [one["id"] for one in everything["items"]] == [*new[::-1], letter.id]
    assert everything["items"][0]["integration_id"] == "int_1"
    for query in ("state=dead", "entity=order:ord_1", "integration=int_1&state=dead"):
        items = admin.get(f"/v1/work?{query}").json()["items"]
        assert [one["id"] for one in items] == [letter.id], query
    for query in ("integration=2", "workflow=other", "event=evt_1", "park_cause=limit"):
        assert admin.get(f"/v1/work?{query}").json()["items"] == [], query
    first = admin.get("/v1/work?limit=3").json()
    rest = admin.get(f"/v1/work?limit=3&before={first['next']}").json()
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([letter.id], None)
    assert admin.get("/v1/work?integration=x").status == 422


def test_retry_replay_cancel(acting, admin):
    """Each in its states, else 409; the answer is the row as it stands."""
    letter = dead(acting)
    retried = admin.post(f"/v1/work/{letter.id}/retry")
    assert (retried.status, retried.json()["run_id"]) == (202, "int_1/change-1/2")
    assert admin.post(f"/v1/work/{letter.id}/retry").status == 409
    assert admin.post(f"/v1/work/{letter.id}/replay").status == 409
    assert admin.post(f"/v1/work/{letter.id}/cancel").json()["state"] == "cancelled"
    assert admin.post(f"/v1/work/{letter.id}/cancel").status == 409
    done = ended(acting, add_work(acting, "change-2").id, WorkState.DONE)
    assert admin.post(f"/v1/work/{done.id}/replay").json()["run_number"] == 2
    assert admin.post("/v1/work/none/retry").status == 404


def test_upkeep_is_done_at_once(acting, admin):
    """The clock's last work runs once more; before it ever ran, 409 says what to look at."""
    path = "/v1/integrations/int_1/upkeep"
    assert admin.post(path, {"workflow": "copy"}).status == 409
    work = add_work(acting, "copy/1", entity="integration:1:copy")
    assert admin.post(path, {"workflow": "copy"}).json()["id"] == work.id, "it is about to run"
    done = ended(acting, work.id, WorkState.DONE)
    again = admin.post(path, {"workflow": "copy"})
    assert (again.status, again.json()["run_id"]) == (202, "int_1/copy/1/2")
    assert again.json()["id"] == done.id
    assert acting.store.access.audit()[0].action == "work.upkeep"
    assert admin.post("/v1/integrations/int_9/upkeep", {"workflow": "copy"}).status == 404


def test_dead_letters_together(acting, admin):
    """One request for an integration's dead letters, of one kind of failure or all."""
    letter = dead(acting)
    none = admin.post("/v1/work/retry", {"integration": "int_1", "error_kind": "limit"})
    assert none.json() == {"work_ids": [], "more": False}
    both = admin.post("/v1/work/retry", {"integration": "1"})
    assert (both.status, both.json()) == (202, {"work_ids": [letter.id], "more": False})
    assert admin.post("/v1/work/retry", {"integration": "int_9"}).status == 404


def test_a_create_in_doubt_is_decided(acting, admin):
    """The key has slashes, so it stands in the body; then the work is due."""
    work = in_doubt(acting)
    (entry,) = admin.get("/v1/ledger?state=doubt").json()["items"]
    assert (entry["key"], entry["integration_id"], entry["work_id"]) == (KEY, "int_1", work.id)
    wrong = admin.post("/v1/ledger/decide", {"key": KEY, "decision": "adopt"})
    assert (wrong.status, wrong.json()["errors"][0]["field"]) == (422, "remote_id")
    word = {"key": KEY, "decision": "adopt", "remote_id": "sr-77"}
    assert admin.post("/v1/ledger/decide", word).json()["remote_id"] == "sr-77"
    assert admin.post("/v1/ledger/decide", word).status == 409
    assert admin.post("/v1/ledger/decide", word | {"key": "no/such"}).status == 404
    detail = admin.get(f"/v1/work/{work.id}").json()
    assert detail["work"]["state"] == "new"
    assert [one["state"] for one in detail["ledger"]] == ["done"]
    assert (detail["steps"], detail["calls"]) == ([], [])


def test_a_dry_run_is_a_command(acting, admin, client):
    """202 and where to look; its answer stands there once a worker gave it."""
    work = add_work(acting)
    asked = admin.post(f"/v1/work/{work.id}/dry-run")
    assert asked.status == 202
    where = asked.headers["location"]
    assert admin.get(where).json() == asked.json()
    acting.store.commands.take(now=acting.clock.now(), lease_s=30)
    result = {"plans": [{"step": "send", "plan": "POST /x"}], "state": "done", "note": ""}
    acting.store.commands.done(asked.json()["id"], at=acting.clock.now(), result=result)
    answered = client(Scope.RUNS_READ).get(where).json()
    assert (answered["state"], answered["result"]) == ("done", result)


def test_executors(acting, admin):
    """Every worker that was heard of."""
    now = acting.clock.now()
    acting.store.executors.beat(
        Executor(id="exe_1", host="a.example", version="1", started_at=now, beat_at=now)
    )
    (one,) = admin.get("/v1/executors").json()["items"]
    assert (one["id"], one["stopped_at"]) == ("exe_1", None)
