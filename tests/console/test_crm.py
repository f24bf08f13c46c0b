"""Files and records in the console: what is read, looked for, and what a person does."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

from console.test_live import listening
from fakes.acted import Acted
from fakes.crm_rows import (
    ACCOUNT,
    MD5,
    OPPORTUNITY,
    SHA1,
    CrmRows,
    crm_connections,
    crm_integration,
)
from fakes.pages import Pages
from fakes.visitor import Visitor
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.console import crm_words
from inkwire.console.acting_words import PARKED, PARKED_WORDS
from inkwire.model.connection import ConnectionHealth
from inkwire.model.crm import (
    ActivityState,
    AttachmentState,
    FieldAgreement,
    FolderOrigin,
    FolderState,
)
from inkwire.model.work import IntegrationState, ParkCause, Work, WorkState
from inkwire.store.acting import WorkQuery

OTHER = "006Dn00000AbCdEIAV"


@pytest.fixture
def day(pages: Pages, clock: ManualClock) -> Acted:
    """A hub with an active integration between Box and Salesforce."""
    pages.source("box-contracts", "box", "Box – contracts")
    crm_connections(pages.hub)
    integration = crm_integration(pages.hub)
    return Acted(pages, lambda seconds: clock.advance(seconds=seconds), integration)


@pytest.fixture
def crm(pages: Pages, day: Acted) -> CrmRows:
    """Puts folders, arrivals and Tasks into it."""
    assert day.integration is not None
    return CrmRows(pages.hub, day.integration)


@pytest.fixture
def admin(as_: Any, day: Acted) -> Iterator[Visitor]:
    """An administrator with a form token at hand."""
    visitor = as_("admin")
    visitor.get("/settings")
    yield visitor


def waiting(day: Acted, key: str = "evt_u", entity: str = "box:file:9003") -> Work:
    """Work that waits for a folder's record."""
    work = day.run(key, "sync_file", entity)
    note = "No folder above it names a record: /Clients/Letters."
    return day.end(work, WorkState.PARKED, note, park_cause=ParkCause.MAPPING)


# --- the second connection


def test_an_integration_between_two_systems_has_two_connections(pages, admin):
    """Two selects by the vendors' names, each with its own connections; both are kept and shown."""
    form = admin.get("/new-integration/box_salesforce")
    assert "Connection to Box" in form.words
    assert "Connection to Salesforce" in form.words
    first, second = re.findall(
        r'<select id="f-(?:second_)?connection_id".*?</select>', form.text, re.DOTALL
    )
    assert "box-crm" in first and "salesforce-main" not in first
    assert "salesforce-main" in second and "box-crm" not in second
    fields = {"name": "Two", "connection_id": "box-crm", "second_connection_id": "salesforce-main"}
    wrong = admin.post(
        "/new-integration/box_salesforce", fields | {"second_connection_id": "box-crm"}
    )
    assert wrong.status == 422
    assert 'id="f-second_connection_id-error"' in wrong.text
    assert "must be a connection to salesforce" in wrong.words.lower()
    page = admin.follow(admin.post("/new-integration/box_salesforce", fields))
    made = pages.hub.store.integrations.all()[-1]
    assert made.connection_ids == ("box-crm", "salesforce-main")
    for connection in made.connection_ids:
        assert f'href="/console/connections/{connection}"' in page.text
    admin.post(
        f"/integrations/{made.label}/edit",
        fields | {"second_connection_id": "", "version": made.updated_at.isoformat()},
    )
    assert pages.hub.store.integrations.get(made.id).connection_ids == ("box-crm",)


def test_trouble_of_the_second_connection_is_told_wherever_it_matters(pages, admin, day, clock):
    """As that of the first; the connection's own page names who uses it and keeps it."""
    why = "Salesforce refuses the client secret."
    pages.hub.store.connections.set_health(
        "salesforce-main", ConnectionHealth.NEEDS_ATTENTION, why, at=clock.now()
    )
    label = day.integration.label
    for path in ("/", "/integrations", f"/integrations/{label}", "/runs", "/records"):
        page = admin.get(path)
        assert "Salesforce refuses the client secret" in page.words, path
        assert 'href="/console/connections/salesforce-main"' in page.text, path
    own = admin.get("/connections/salesforce-main")
    assert "choose another connection there first" in own.words
    assert f'href="/console/integrations/{label}"' in own.text
    answer = admin.post("/connections/salesforce-main/delete", {"confirm": "salesforce-main"})
    assert answer.status == 409


# --- backlog and limits


def test_an_empty_hub_says_what_will_appear_and_what_to_do(pages, as_):
    """Without an integration each page leads to making one, or says that nothing waits."""
    admin, viewer = as_("admin"), as_("vera")
    for path in ("/records", "/records/folders", "/records/arrivals"):
        assert 'href="/console/new-integration/box_salesforce"' in admin.get(path).text, path
        assert "new-integration" not in viewer.get(path).text, path
    assert "Nothing waits for a record" in viewer.get("/records/unmapped").words
    assert "No Tasks yet" in viewer.get("/records/tasks").words


def test_the_backlog_says_how_far_it_is_and_when_it_will_be_done(pages, admin, day, crm, clock):
    """Counts by state, speed of the last minutes, the estimated end; it looks again by itself."""
    for number in range(6):
        day.end(day.run(f"d{number}", "sync_file", f"box:file:{number}"), WorkState.DONE, "Done.")
        clock.advance(seconds=9)
    work = waiting(day)
    for number in range(3):
        day.add(f"n{number}", "sync_file", f"box:file:1{number}")
    crm.attachment(work.id, AttachmentState.STORED)
    crm.task(work.id, ActivityState.WAITING)
    page = admin.get("/records")
    assert "6 of 9 done" in page.words
    assert re.search(r"[0-9.]+ a minute, done in \d", page.words), page.words[:900]
    assert 'hx-trigger="sse:moved"' in page.text
    assert "every 2s" not in page.text
    assert "Waiting 3" in page.words and "Parked 1" in page.words
    assert "Stored 1 arrivals" in page.words and "Waiting 1 tasks" in page.words
    clock.advance(seconds=3600)
    late = admin.get("/records")
    assert "Too little has ended in the last ten minutes" in late.words


def test_the_limits_show_the_days_calls_with_both_marks(admin, crm):
    """Nothing known; enough; high; files only. The marks are told to those who do not see them."""
    assert "Nothing is known yet" in admin.get("/records").words
    for used, words in ((1_000, "Enough left"), (72_000, "High"), (93_000, "Files only")):
        crm.used(used)
        page = admin.get("/records")
        assert words in page.words
        assert f"{used:,} of 100,000 in the last 24 hours" in page.words
        assert f'aria-label="{used // 1000} per cent used; marks at 70 and 90"' in page.text


def test_upkeep_is_done_now(pages, as_, admin, day):
    """A button beside what the clock does; a viewer, and what never ran, have none."""
    label = day.integration.label
    assert "Now:" not in admin.get(f"/integrations/{label}").text
    work = day.run(
        "poll_records/1", "poll_records", f"integration:{day.integration.id}:poll_records"
    )
    day.end(work, WorkState.DONE, "No record is new or changed.")
    page = admin.get(f"/integrations/{label}")
    assert 'aria-label="Now: Look for new and changed records"' in page.text
    assert "Now:" not in as_("vera").get(f"/integrations/{label}").text
    answer = admin.post(f"/integrations/{label}/upkeep", {"workflow": "poll_records"})
    assert "It runs as soon as a worker is free." in admin.follow(answer).words
    assert pages.hub.store.works.get(work.id).state is WorkState.NEW
    assert admin.post(f"/integrations/{label}/upkeep", {"workflow": "settle"}).status == 409


# --- the mapping


def test_the_mapping_is_searched_by_name_by_id_and_by_state(admin, crm):
    """Beginnings of names, whole ids of records of either length, states as tabs with counts."""
    crm.folder("501")
    crm.unmapped("502")
    page = admin.get("/records/folders")
    assert "Mapped 1" in page.words and "No record 1" in page.words
    assert "No folder above it names a record" in page.words
    for query, found, lost in (
        ("q=ren", "501", "502"),
        (f"q={OPPORTUNITY}", "501", "502"),
        (f"q={OPPORTUNITY[:15]}", "501", "502"),
        ("state=unmapped", "502", "501"),
        ("q=letters&state=unmapped", "502", "501"),
    ):
        text = admin.get(f"/records/folders?{query}").text
        assert f"/console/records/folders/int_1/{found}" in text, query
        assert f"/console/records/folders/int_1/{lost}" not in text, query
    assert "No folder fits these filters" in admin.get("/records/folders?q=zzz").words
    assert admin.get("/records/folders?state=odd").status == 422
    assert admin.get("/records/folders?integration=x").status == 422


def test_a_person_maps_a_folder_and_what_waited_goes_on(pages, admin, day, crm):
    """By hand, with an id of 15 characters; the audit log knows who; nothing wrong is kept."""
    crm.unmapped("502")
    work = waiting(day)
    page = admin.get("/records/folders/int_1/502")
    assert "Letters has no record" in page.words
    wrong = admin.post("/records/folders/int_1/502", {"record_id": "006nonsense", "object": ""})
    assert wrong.status == 422
    assert 'id="f-record_id-error"' in wrong.text and 'value="006nonsense"' in wrong.text
    done = admin.follow(
        admin.post("/records/folders/int_1/502", {"record_id": OTHER[:15], "object": ""})
    )
    assert "What waited for this folder's record is started again" in done.words
    assert f"Letters is Opportunity {OTHER}" in done.words
    kept = pages.hub.crm.folder(CLI, 1, "502")
    assert (kept.state, kept.origin) == (FolderState.MAPPED, FolderOrigin.PERSON)
    assert pages.hub.store.works.get(work.id).state is WorkState.NEW
    entry = pages.hub.store.access.audit()[0]
    assert (entry.actor, entry.action, entry.target) == ("user:admin", "folder.map", "int_1")
    assert entry.detail == {"folder": "502", "record": OTHER}


def test_a_record_has_one_folder(admin, crm):
    """A second folder for it is refused, naming the first; an object of one's own needs its name."""
    crm.folder("501")
    crm.unmapped("502")
    taken = admin.post("/records/folders/int_1/502", {"record_id": OPPORTUNITY, "object": ""})
    assert taken.status == 422
    assert "has the folder /Clients/Acme/Renewal (501) already" in taken.words
    own = {"record_id": "a01Dn000000AbCdIAK"[:15], "object": ""}
    assert "API name of its object" in admin.post("/records/folders/int_1/502", own).words
    mapped = admin.post("/records/folders/int_1/502", own | {"object": "Project__c"})
    assert mapped.status == 303
    other = admin.post("/records/folders/int_1/502", {"record_id": OTHER, "object": "Case"})
    assert "Must be Opportunity" in other.words


def test_a_folder_that_nobody_knows_is_mapped_from_the_list(pages, admin, crm):
    """Its number comes out of its address in Box; the form stays open with what is wrong."""
    wrong = admin.post("/records/folders", {"folder_id": "https://x", "record_id": OTHER})
    assert wrong.status == 422
    assert "<details open>" in wrong.text
    assert 'id="f-folder_id-error"' in wrong.text
    given = {"folder_id": "777", "record_id": ACCOUNT}
    page = admin.follow(admin.post("/records/folders", given))
    assert f"Folder 777 is Account {ACCOUNT}" in page.words
    assert pages.hub.crm.folder(CLI, 1, "777").account_id == ACCOUNT


def test_a_folder_is_looked_up_again(pages, admin, crm):
    """Its record is forgotten, a person's word too, and a run asks Box and Salesforce."""
    crm.folder("501", origin=FolderOrigin.PERSON)
    page = admin.follow(admin.post("/records/folders/int_1/501/look"))
    assert "A worker looks at Box and Salesforce for its record." in page.words
    assert "Its record is being looked for anew." in page.words
    (work,) = pages.hub.store.works.unfinished(["box:folder:501"])
    assert (work.workflow, work.subject) == ("refresh_mapping", {"folder_id": "501"})
    assert admin.post("/records/folders/int_1/999/look").status == 404
    assert admin.post("/records/folders/odd/501/look").status == 404


# --- arrivals


def test_arrivals_answer_whether_where_when_and_with_what_proof(admin, day, crm, clock):
    """Found by name, file, version and record; the page has every hash, id and time, and the run."""
    work = day.run("k", "sync_file", "box:file:9001")
    row = crm.attachment(work.id)
    crm.uploaded(row)
    crm.folder("501")
    crm.attachment(work.id, file_id="9002", version_id="8009", name="Other.pdf", record_id=OTHER)
    for query in ("msa", "9001", "8001", OPPORTUNITY, OPPORTUNITY[:15]):
        page = admin.get(f"/records/arrivals?q={query}")
        assert "MSA.pdf, version 1" in page.words, query
        assert "Other.pdf" not in page.words, query
    assert "No arrival fits" in admin.get("/records/arrivals?q=12345").words
    page = admin.get("/records/arrivals/int_1/9001/8001")
    for proof in (MD5, SHA1, "48,213 bytes", row.content_version_id, "069Dn00000001abAAA", work.id):
        assert proof in page.words, proof
    assert "Verified 2026-11-20" in page.words
    assert "Opportunity Renewal" in page.words
    assert 'href="/console/records/folders/int_1/501"' in page.text
    assert "attachment/1/9001/8001" in page.words and "1 time, last" in page.words
    assert admin.get("/records/arrivals/int_1/9001/4711").status == 404


def test_what_failed_is_tried_again_by_its_work(pages, as_, admin, day, crm):
    """Its sentence says why; the button runs the work again, and a viewer has none."""
    work = day.run("k", "sync_file", "box:file:9001")
    crm.attachment(work.id, AttachmentState.FAILED)
    crm.attachment(work.id, file_id="9009", version_id="8009")
    day.end(work, WorkState.DONE, "It stays in Box.")
    page = admin.get("/records/arrivals/int_1/9001/8001")
    assert "it stays in Box" in page.words
    assert "Try again" not in as_("vera").get("/records/arrivals/int_1/9001/8001").words
    admin.follow(admin.post("/records/arrivals/int_1/9001/8001/retry"))
    assert pages.hub.store.works.get(work.id).state is WorkState.NEW
    assert admin.post("/records/arrivals/int_1/9009/8009/retry").status == 409, "nothing failed"


async def test_the_bar_over_the_arrivals_counts_what_is_new(pages, as_, day, crm):
    """From what the page showed on; filters count, too."""
    work = day.run("k", "sync_file", "box:file:9001")
    first = crm.attachment(work.id)
    watcher = await asyncio.to_thread(as_, "vera")
    page = await asyncio.to_thread(watcher.get, "/records/arrivals?q=msa")
    assert f"q=msa&amp;seen={first.id}" in page.text
    day.later(1)
    async with listening(pages, watcher, f"/records/arrivals/live?q=msa&seen={first.id}") as (
        stream,
        _,
    ):
        await stream.until("retry:")
        for number in (2, 3):
            crm.attachment(work.id, version_id=f"800{number}", version_number=number)
        crm.attachment(work.id, file_id="9009", name="Other.pdf")
        await asyncio.to_thread(day.end, work, WorkState.DONE, "Done.")
        assert "2 new arrivals" in await stream.until("new arrival")


# --- Tasks, and work without a record


def test_a_bulk_job_is_seen_on_its_tasks_and_beside_the_backlog(pages, admin, day, crm):
    """With Salesforce's word and id while it lasts, with its sentence afterwards."""
    work = day.run("k", "sync_file", "box:file:9001")
    crm.task(work.id, ActivityState.WAITING)
    assert "Bulk job" not in admin.get("/records").words
    job = crm.job()
    listed = admin.get("/records/tasks").words
    assert "In a Bulk job" in listed and f"Bulk job {job.job_id}" in listed
    page = admin.get("/records").words
    assert "In Salesforce" in page and "0 of 1 Tasks, Salesforce says InProgress" in page
    note = "1 Tasks were made, 0 were refused."
    pages.hub.store.bulk_jobs.ended(job.batch_id, note=note, at=job.look_at)
    assert note in admin.get("/records").words
    assert "In a Bulk job" not in admin.get("/records/tasks").words


def test_refused_tasks_are_chosen_and_sent_again(pages, admin, day, crm):
    """Only those that were refused can be chosen; what Salesforce said stands beside them."""
    work = day.run("k", "sync_file", "box:file:9001")
    done, failed = crm.task(work.id), crm.task(work.id, ActivityState.FAILED)
    page = admin.get(f"/records/tasks?q={OPPORTUNITY}")
    assert "Bad value for restricted picklist field" in page.words
    assert f'value="{failed.id}"' in page.text and f'value="{done.id}"' not in page.text
    answer = admin.post("/records/tasks/retry", [("task", failed.id), ("task", done.id)])
    assert "1 go with the next batch" in admin.follow(answer).words
    states = {one.id: one.state for one in pages.hub.store.activities.of_work(work.id)}
    assert states == {done.id: ActivityState.DONE, failed.id: ActivityState.WAITING}
    assert admin.post("/records/tasks/retry").status == 422
    assert admin.get("/records/tasks?q=nonsense").status == 422


def test_what_has_no_record_is_listed_and_run_again(pages, as_, admin, day, clock):
    """One button for all of it; a viewer sees the list without it."""
    one, two = waiting(day), waiting(day, "evt_v", "box:file:9005")
    page = admin.get("/records/unmapped")
    assert "Waits: no record" in page.words
    assert "file 9003" in page.words and "file 9005" in page.words
    assert "starts" not in page.words, "nothing starts it by itself"
    assert "Run all again" not in as_("vera").get("/records/unmapped").words
    done = admin.follow(admin.post("/records/unmapped/run", {"integration": "int_1"}))
    assert "Started 2 again." in done.words
    works = pages.hub.store.works
    assert {works.get(work.id).state for work in (one, two)} == {WorkState.NEW}
    assert admin.post("/records/unmapped/run", {"integration": "int_99"}).status == 404


def test_a_run_without_a_record_says_what_it_waits_for(admin, day):
    """In its title, in the lists of runs, and as a filter."""
    work = waiting(day)
    assert "waits until its folder has a record" in admin.get(f"/runs/{work.id}").words
    page = admin.get("/runs?parked=mapping")
    assert work.id in page.text
    assert "A folder's record" in page.words


# --- words


def test_every_state_has_its_words():
    """Nothing that can be stored shows as a bare code."""
    assert set(crm_words.FOLDERS) == set(FolderState)
    assert set(crm_words.ORIGINS) == set(FolderOrigin)
    assert set(crm_words.ARRIVALS) == set(AttachmentState)
    assert set(crm_words.TASKS) == set(ActivityState)
    assert set(PARKED) == set(PARKED_WORDS) == set(ParkCause)


def test_a_paused_integration_says_that_it_waits_for_a_person(pages, admin, day):
    """No end is estimated for what nobody starts."""
    day.add("n", "sync_file", "box:file:1")
    pages.hub.integrations.move(CLI, 1, IntegrationState.PAUSED)
    page = admin.get("/records")
    assert "It is paused" in page.words
    assert "every 2s" not in page.text


def test_an_overview_tells_that_its_numbers_moved(pages, as_, day, crm):
    """At once if something moved since the page was read, then at each change; no list of news."""
    watcher = as_("vera")
    page = watcher.get("/records")
    (url,) = re.findall(r'sse-connect="/console([^"]*)"', page.text)

    async def play() -> None:
        path = url.replace("&amp;", "&")
        async with listening(pages, watcher, path) as (stream, _):
            await stream.until("retry: 3000")
            await asyncio.to_thread(day.add, "moved", "sync_file", "box:file:1")
            text = await stream.until("event: moved")
            assert "event: news" not in text
        async with listening(pages, watcher, "/records/live?seen=0") as (stream, _):
            await stream.until("event: moved")

    asyncio.run(play())


def test_what_waits_is_told_in_a_bar(pages, as_, day, crm):
    """Tasks and work without a record, counted from what the page shows and by its filters."""
    watcher = as_("vera")
    done = day.run("evt_t", "sync_file", "box:file:1")
    crm.task(done.id, ActivityState.WAITING)
    waiting(day)
    lists = {}
    for path in ("/records/tasks", "/records/tasks?state=failed", "/records/unmapped"):
        (url,) = re.findall(r'sse-connect="/console([^"]*)"', watcher.get(path).text)
        lists[path] = url.replace("&amp;", "&")

    async def play() -> None:
        for path, words in (
            ("/records/tasks", "1 new Task"),
            ("/records/unmapped", "1 more waits"),
        ):
            async with listening(pages, watcher, lists[path]) as (stream, _):
                await stream.until("retry: 3000")
                assert "event: news" not in stream.text
                if path.endswith("tasks"):
                    await asyncio.to_thread(crm.task, done.id, ActivityState.WAITING)
                else:
                    await asyncio.to_thread(waiting, day, "evt_later", "box:file:7")
                await stream.until(words)
        async with listening(pages, watcher, lists["/records/tasks?state=failed"]) as (stream, _):
            await asyncio.to_thread(crm.task, done.id, ActivityState.FAILED)
            text = await stream.until("1 new Task")
            assert "2 new Tasks" not in text

    asyncio.run(play())


def test_a_version_that_was_left_out_says_so_and_what_is_there(admin, crm, day):
    """Nobody has to do anything: no “Try again”, and the newer version is one click away."""
    work = day.run("evt_v", "sync_file", "box:file:9005")
    offer = {"file_id": "9005", "name": "Offer.pdf"}
    crm.attachment(work.id, version_id="8006", version_number=2, **offer)
    crm.attachment(work.id, AttachmentState.LEFT_OUT, version_id="8005", **offer)
    found = admin.get("/records/arrivals?q=8005")
    assert "Left out" in found.words and "version 2 (8006) is attached already" in found.words
    page = admin.get("/records/arrivals/int_1/9005/8005")
    assert "It did not arrive, and that is right" in page.words
    assert "Offer.pdf, version 2, is there" in page.words
    assert 'href="/console/records/arrivals/int_1/9005/8006"' in page.text
    assert "Try again" not in page.words and "not known yet" in page.words  # only the MD5
    assert "Left out 1 arrivals" in admin.get("/records").words


# --- mapped fields


def test_a_folders_page_shows_its_mapped_fields(admin, crm, day):
    """Each with its state; without a map there is no such part, and nothing to compare yet."""
    crm.folder("501")
    page = f"/records/folders/{day.integration.label}/501"
    assert "Mapped fields" not in admin.get(page).words
    crm.map_fields("amount = Opportunity.Amount number both nobody")
    shown = admin.get(page)
    assert "Not compared" in shown.words and "Compare now" not in shown.words
    crm.field()
    words = admin.get(page).words
    assert "Opportunity.Amount" in words and "In step" in words and "from Box, Jane Doe" in words


def test_a_conflict_is_shown_wherever_it_matters_and_decided(admin, as_, pages, crm, day):
    """On the overview, on the folder's page with two buttons; a viewer may not decide."""
    crm.folder("501")
    crm.map_fields("amount = Opportunity.Amount number both nobody")
    crm.field(FieldAgreement.CONFLICT)
    page = f"/records/folders/{day.integration.label}/501"
    overview = admin.get("/records")
    assert "In conflict between Box and Salesforce: 1 field" in overview.words
    assert f'href="/console{page}"' in overview.text
    shown = admin.get(page)
    assert "Take Box's" in shown.words and "Take Salesforce's" in shown.words
    assert "Both were changed." in shown.words
    assert "Take Box's" not in as_("vera").get(page).words
    answer = admin.post(f"{page}/fields/take", {"field": "amount", "side": "box"})
    assert "writes that value" in admin.follow(answer).words
    (work,) = pages.hub.store.works.page(WorkQuery(workflow="sync_fields"))
    assert work.subject["take"] == "box"
    assert admin.post(f"{page}/fields/take", {"field": "amount", "side": "x"}).status == 422


def test_both_values_are_read_on_request(admin, pages, crm, day, clock):
    """A worker's answer stands beside each field; nothing of it is kept with the field."""
    crm.folder("501")
    crm.map_fields("amount = Opportunity.Amount number both nobody")
    page = f"/records/folders/{day.integration.label}/501"
    assert "brings the fields in step" in admin.follow(admin.post(f"{page}/fields")).words
    asked = admin.follow(admin.post(f"{page}/fields/compare"))
    assert "A worker reads both sides" in asked.words
    store = pages.hub.store
    command = store.commands.take(now=clock.now(), lease_s=60)
    plan = "amount = Opportunity.Amount: Box has “1”, Salesforce has “2”; a person decides."
    result = {
        "plans": [{"step": "field:amount", "plan": plan}],
        "state": "done",
        "note": "Compared; nothing was written.",
    }
    store.commands.done(command.id, at=clock.now(), result=result)
    words = admin.get(page).words
    assert "Box has “1”, Salesforce has “2”; a person decides." in words
    assert "Nothing was written." in words and "Compare now" in words
