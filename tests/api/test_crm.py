"""Folders, arrivals and Tasks over the API."""

import pytest

from fakes.acting import add_work
from fakes.crm_rows import ACCOUNT, MD5, OPPORTUNITY, CrmRows, bare_integration
from inkwire.access.gate import CLI
from inkwire.model.access import Scope
from inkwire.model.crm import ActivityState, AttachmentState, FieldAgreement, FolderState
from inkwire.model.work import ParkCause, WorkState
from inkwire.store.acting import Ending

OTHER = "006Dn00000AbCdEIAV"


@pytest.fixture
def crm(rooms):
    """A hub with an integration between Box and Salesforce, int_1."""
    return CrmRows(rooms.hub, bare_integration(rooms.hub))


def unmapped_work(rooms, key="u-1"):
    """Work that waits for a folder's record."""
    work = add_work(rooms, key, entity=f"box:file:{key}")
    works, now = rooms.store.works, rooms.clock.now()
    (taken,) = works.claim(executor_id="exe_1", now=now, limit=10)
    ending = Ending(
        state=WorkState.PARKED, note="No record.", park_cause=ParkCause.MAPPING, due_at=now
    )
    assert works.end(taken.id, run_number=taken.run_number, ending=ending, at=now)
    return work


def test_folders_are_listed_by_their_filters_and_pages(crm, admin, rooms):
    """By state, record (15 characters, too), name; `next` is the next page's offset."""
    crm.folder("501")
    rooms.clock.advance(seconds=1)
    crm.unmapped("502")
    found = admin.get("/v1/crm/folders").json()
    assert [one["folder_id"] for one in found["items"]] == ["502", "501"]
    assert found["items"][1]["integration_id"] == "int_1"
    assert found["items"][1]["origin"] == "provisioned"
    for query in ("state=mapped", f"record={OPPORTUNITY[:15]}", "name=RENEW", "integration=int_1&"
                  "state=mapped"):  # fmt: skip
        items = admin.get(f"/v1/crm/folders?{query}").json()["items"]
        assert [one["folder_id"] for one in items] == ["501"], query
    assert admin.get("/v1/crm/folders?integration=2").json()["items"] == []
    first = admin.get("/v1/crm/folders?limit=1").json()
    assert first["next"] == 1
    rest = admin.get("/v1/crm/folders?limit=1&offset=1").json()
    assert [one["folder_id"] for one in rest["items"]] == ["501"]
    wrong = admin.get("/v1/crm/folders?record=nonsense")
    assert (wrong.status, wrong.headers["content-type"]) == (422, "application/problem+json")
    assert admin.get("/v1/crm/folders/int_1/501").json()["record_name"] == "Renewal"
    assert admin.get("/v1/crm/folders/int_1/999").status == 404
    assert admin.get("/v1/crm/folders/int_1/odd").status == 422


def test_a_folder_is_mapped_and_what_waited_goes_on(crm, admin, rooms):
    """The answer is the folder as it stands; a second folder for the record is 409."""
    crm.unmapped("502")
    work = unmapped_work(rooms)
    mapped = admin.post("/v1/crm/folders/int_1/502/map", {"record_id": OTHER[:15]})
    assert mapped.status == 200
    body = mapped.json()
    assert (body["state"], body["record_id"], body["object"]) == ("mapped", OTHER, "Opportunity")
    assert body["origin"] == "person"
    assert rooms.store.works.get(work.id).state is WorkState.NEW
    second = admin.post("/v1/crm/folders/int_1/503/map", {"record_id": OTHER})
    assert second.status == 409
    wrong = admin.post("/v1/crm/folders/int_1/503/map", {"record_id": "006nonsense1234"[:14] + "-"})
    assert wrong.status == 422
    assert "record_id" in str(wrong.json())
    assert admin.post("/v1/crm/folders/int_9/503/map", {"record_id": ACCOUNT}).status == 404
    looked = admin.post("/v1/crm/folders/int_1/502/look")
    assert (looked.status, looked.json()["workflow"]) == (202, "refresh_mapping")
    assert rooms.hub.crm.folder(CLI, 1, "502").state is FolderState.UNMAPPED


def test_what_waits_for_a_record_is_woken(crm, admin, rooms):
    """It is found as work that is parked for a mapping; the answer counts what was started."""
    work = unmapped_work(rooms)
    (found,) = admin.get("/v1/work?park_cause=mapping").json()["items"]
    assert found["id"] == work.id
    woken = admin.post("/v1/crm/wake", {"integration": "int_1"})
    assert (woken.status, woken.json()) == (202, {"count": 1})
    assert admin.post("/v1/crm/wake", {"integration": "int_1"}).json() == {"count": 0}
    assert admin.post("/v1/crm/wake", {"integration": "int_9"}).status == 404
    (entry, *_) = rooms.store.access.audit()
    assert (entry.action, entry.target) == ("work.wake_unmapped", "int_1")


def test_arrivals_prove_what_reached_which_record(crm, admin, rooms):
    """Every filter, pages by `next`, one version with all its records."""
    work = add_work(rooms)
    first = crm.attachment(work.id)
    rooms.clock.advance(seconds=1)
    crm.attachment(
        work.id, AttachmentState.PLANNED, first=False, object="Account", record_id=ACCOUNT
    )
    rooms.clock.advance(seconds=1)
    failed = crm.attachment(work.id, AttachmentState.FAILED, file_id="9002", version_id="8002")
    found = admin.get("/v1/crm/attachments").json()["items"]
    assert [one["id"] for one in found] == sorted((one["id"] for one in found), reverse=True)
    assert len(found) == 3
    for query in ("file=9001&state=verified", f"record={OPPORTUNITY}&file=9001",
                  f"record={OPPORTUNITY}&version=8001", "name=msa&state=verified",
                  f"work={work.id}&state=verified"):  # fmt: skip
        (one,) = admin.get(f"/v1/crm/attachments?{query}").json()["items"]
        assert (one["id"], one["md5"]) == (first.id, MD5), query
    page = admin.get("/v1/crm/attachments?limit=2").json()
    rest = admin.get(f"/v1/crm/attachments?limit=2&before={page['next']}").json()
    assert [one["id"] for one in rest["items"]] == [first.id]
    version = admin.get("/v1/crm/attachments/int_1/9001/8001").json()["items"]
    assert [one["first"] for one in version] == [True, False]
    assert admin.get("/v1/crm/attachments/int_1/9001/1").status == 404
    path = f"/v1/crm/attachments/int_1/{failed.file_id}/{failed.version_id}/retry"
    assert admin.post(path).status == 409, "its work waits to run already"
    assert admin.post("/v1/crm/attachments/int_1/9001/8001/retry").status == 409


def test_tasks_are_listed_and_refused_ones_sent_again(crm, admin, rooms):
    """By state and record; only what was refused goes back."""
    work = add_work(rooms)
    done, failed = crm.task(work.id), crm.task(work.id, ActivityState.FAILED)
    for query, wanted in (("state=done", done), ("state=failed", failed)):
        (one,) = admin.get(f"/v1/crm/activities?{query}&record={OPPORTUNITY}").json()["items"]
        assert (one["id"], one["activity_date"]) == (wanted.id, "2026-11-20")
    again = admin.post("/v1/crm/activities/retry", {"ids": [done.id, failed.id]})
    assert (again.status, again.json()) == (202, {"count": 1})
    assert admin.post("/v1/crm/activities/retry", {"ids": []}).status == 422


def test_the_backlog_counts_everything_and_the_days_calls(crm, admin, rooms):
    """Each state by its name; the usage as Salesforce said last, or null."""
    work = add_work(rooms)
    crm.folder("501")
    crm.attachment(work.id)
    crm.task(work.id, ActivityState.WAITING)
    assert admin.get("/v1/crm/backlog/int_1").json()["usage"] is None
    crm.used(4_000)
    found = admin.get("/v1/crm/backlog/int_1").json()
    assert (found["work"]["new"], found["attachments"]["verified"]) == (1, 1)
    assert (found["activities"]["waiting"], found["folders"]["mapped"]) == (1, 1)
    assert (found["per_minute"], found["ends_at"]) == (0.0, None)
    assert (found["usage"]["used"], found["usage"]["most"]) == (4_000, 100_000)
    assert admin.get("/v1/crm/backlog/int_9").status == 404


def test_a_bulk_job_is_seen_on_its_tasks_and_in_the_backlog(crm, admin, rooms):
    """Its id on each of them, its state where the backlog is; what went in a batch has none."""
    work = add_work(rooms)
    crm.task(work.id)
    crm.task(work.id, ActivityState.WAITING)
    job = crm.job()
    items = admin.get("/v1/crm/activities").json()["items"]
    assert [one["job_id"] for one in items] == [job.job_id, ""]
    (shown,) = admin.get("/v1/crm/backlog/int_1").json()["jobs"]
    assert (shown["job_id"], shown["state"], shown["size"]) == (job.job_id, "queued", 1)
    assert (shown["said"], shown["ended_at"]) == ("InProgress", None)


def test_each_right_reaches_as_far_as_it_says(crm, client, rooms):
    """Reading is not mapping, and mapping is not running again."""
    reader = client(Scope.INTEGRATIONS_READ)
    crm.unmapped("502")
    assert reader.get("/v1/crm/folders").status == 200
    assert reader.post("/v1/crm/folders/int_1/502/map", {"record_id": OTHER}).status == 403
    assert reader.post("/v1/crm/wake", {"integration": "int_1"}).status == 403
    runner = client(Scope.RUNS_WRITE)
    assert runner.post("/v1/crm/wake", {"integration": "int_1"}).status == 202
    assert runner.get("/v1/crm/folders").status == 403


LINES = ("amount = Opportunity.Amount number both nobody", "won = Opportunity.IsWon flag to_box")


def test_mapped_fields_are_listed_and_decided(crm, admin, rooms):
    """By folder and state; a person's word becomes work that names field and side."""
    crm.folder("501")
    crm.map_fields(*LINES)
    crm.field(FieldAgreement.CONFLICT)
    crm.field(field="won", target="Opportunity.IsWon", folder_id="501")
    path = "/v1/crm/folders/int_1/501/fields"
    items = admin.get(path).json()["items"]
    assert [(one["field"], one["state"]) for one in items] == [
        ("amount", "conflict"), ("won", "in_step"),
    ]  # fmt: skip
    assert (items[0]["source"], items[0]["integration_id"]) == ("box", "int_1")
    (waiting,) = admin.get("/v1/crm/fields?state=conflict&integration=int_1").json()["items"]
    assert waiting["note"] == "Both were changed."
    taken = admin.post(f"{path}/take", {"field": "amount", "side": "salesforce"})
    assert (taken.status, taken.json()["workflow"]) == (202, "sync_fields")
    subject = rooms.store.works.get(taken.json()["id"]).subject
    assert subject == {"folder_id": "501", "field": "amount", "take": "salesforce"}
    assert "took Salesforce's value" in admin.get(path).json()["items"][0]["note"]
    (entry, *_) = rooms.store.access.audit()
    assert (entry.action, entry.detail["field"]) == ("field.take", "amount")


def test_what_cannot_be_decided_is_refused(crm, admin):
    """No conflict, no such field, a side that the map does not let count."""
    crm.folder("501")
    crm.map_fields(*LINES)
    crm.field()
    crm.field(FieldAgreement.CONFLICT, field="won", target="Opportunity.IsWon")
    take = "/v1/crm/folders/int_1/501/fields/take"
    assert admin.post(take, {"field": "amount", "side": "box"}).status == 409
    assert admin.post(take, {"field": "other", "side": "box"}).status == 404
    wrong = admin.post(take, {"field": "won", "side": "box"})
    assert wrong.status == 422 and "to_box only" in str(wrong.json())
    assert admin.post(take, {"field": "won", "side": "nobody"}).status == 422
    assert admin.get("/v1/crm/folders/int_1/999/fields").status == 404


def test_fields_are_compared_and_brought_in_step_on_request(crm, admin, rooms):
    """A comparison is a dry run of the newest work, once there is one."""
    crm.folder("501")
    path = "/v1/crm/folders/int_1/501/fields"
    assert admin.post(path).status == 409, "no field is mapped"
    crm.map_fields(*LINES)
    assert admin.post(f"{path}/compare").status == 409
    asked = admin.post(path)
    assert (asked.status, asked.json()["workflow"]) == (202, "sync_fields")
    (entry, *_) = rooms.store.access.audit()
    assert (entry.action, entry.target) == ("fields.sync", "int_1")
    command = admin.post(f"{path}/compare")
    assert (command.status, command.json()["target"]) == (202, asked.json()["id"])
    assert command.headers["location"] == f"/v1/commands/{command.json()['id']}"


# --- the field map


def test_the_field_map_is_read_with_what_is_wrong_with_it(crm, admin, client):
    """Its lines, numbered; what both vendors said is told once they were asked."""
    crm.map_fields(
        "amount = Opportunity.Amount number both nobody",
        "lead = Opportunity.LeadSource text both",
        "lost = Opportunity.Amount2 number both",
        "nonsense",
    )
    found = admin.get("/v1/crm/field-map/int_1").json()
    assert (found["integration_id"], found["template"]) == ("int_1", "salesforce_mapping")
    assert [one["number"] for one in found["items"]] == [1, 2, 3, 4]
    assert [bool(one["problems"]) for one in found["items"]] == [False, False, False, True]
    assert found["described_at"] is None
    crm.described()
    found = admin.get("/v1/crm/field-map/int_1").json()
    assert found["described_at"]
    assert "has no field lost" in found["items"][2]["problems"][0]
    assert "“Phone”, “Partner”" in found["items"][1]["warnings"][0]
    assert admin.get("/v1/crm/field-map/int_9").status == 404
    reader = client(Scope.INTEGRATIONS_READ)
    assert reader.get("/v1/crm/field-map/int_1").status == 200
    assert reader.post("/v1/crm/field-map/int_1/describe", {}).status == 403
    assert reader.post("/v1/crm/field-map/int_1/dry-run", {}).status == 403


def test_a_field_map_is_tried_by_a_worker(crm, admin, rooms):
    """202 with the command; other lines than the kept ones; bounds are told by their field."""
    crm.map_fields("amount = Opportunity.Amount number both nobody")
    lines = ["amount = Opportunity.Amount number to_box"]
    answer = admin.post("/v1/crm/field-map/int_1/dry-run", {"lines": lines, "records": 3})
    assert answer.status == 202
    asked = answer.json()
    assert answer.headers["location"] == f"/v1/commands/{asked['id']}"
    assert (asked["kind"], asked["target"], asked["result"]) == ("ask", "int_1/try_fields", None)
    kept = rooms.store.commands.get(asked["id"])
    assert kept.asks == {"lines": lines, "records": 3}
    rooms.store.commands.done(kept.id, at=rooms.clock.now(), result={"records": []})
    done = admin.get(f"/v1/commands/{asked['id']}").json()
    assert (done["state"], done["result"]) == ("done", {"records": []})
    own = admin.post("/v1/crm/field-map/int_1/dry-run", {}).json()
    assert rooms.store.commands.get(own["id"]).asks["records"] == 10
    for wrong in ({"records": 0}, {"records": 51}, {"lines": ["x"] * 51}, {"odd": 1}):
        assert admin.post("/v1/crm/field-map/int_1/dry-run", wrong).status == 422, wrong
    assert admin.post("/v1/crm/field-map/int_1/dry-run", {"lines": []}).status == 409
    look = admin.post("/v1/crm/field-map/int_1/describe", {})
    assert (look.status, look.json()["target"]) == (202, "int_1/describe_fields")


def test_whoever_asks_faster_than_workers_answer_is_told(crm, admin, rooms):
    """429 that says when to come again; what waits stays, and once it is answered all goes on."""
    crm.map_fields("amount = Opportunity.Amount number both nobody")
    path = "/v1/crm/field-map/int_1/dry-run"
    asked = [admin.post(path, {"records": number}).json() for number in range(1, 21)]
    refused = admin.post(path, {"records": 21})
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) > 0
    assert "wait until a worker has answered some" in refused.json()["detail"]
    assert admin.post(path, {"records": 20}).json()["id"] == asked[-1]["id"], "it waits already"
    assert admin.post("/v1/crm/field-map/int_1/describe", {}).status == 429
    rooms.store.commands.done(asked[0]["id"], at=rooms.clock.now(), result={"records": []})
    assert admin.post(path, {"records": 21}).status == 202


def test_a_version_that_was_left_out_is_told(crm, admin, rooms):
    """The ledger answers “did it arrive?” with no, and with what is there instead."""
    work = add_work(rooms, "left")
    crm.attachment(work.id, AttachmentState.LEFT_OUT, file_id="9005", version_id="8005")
    (found,) = admin.get("/v1/crm/attachments?version=8005").json()["items"]
    assert (found["state"], found["first"]) == ("left_out", False)
    assert "version 2 (8006) is attached already" in found["note"]
    assert admin.get("/v1/crm/attachments?state=left_out").json()["items"] == [found]
    assert admin.post("/v1/crm/attachments/int_1/9005/8005/retry", {}).status == 409
