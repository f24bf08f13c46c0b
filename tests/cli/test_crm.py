"""`inkwire crm …` on a real store."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cli.kit import Cli
from fakes.crm_rows import MD5, OPPORTUNITY, CrmRows, bare_integration, tried_record
from fakes.sandbox import until
from inkwire.config import load_settings
from inkwire.hub import open_hub
from inkwire.model.crm import ActivityState, AttachmentState, FolderState
from inkwire.model.work import CommandKind, CommandState, ParkCause, Work, WorkState
from inkwire.store.acting import Ending

OTHER = "006Dn00000AbCdEIAV"


@pytest.fixture
def hub(cli):
    """The hub that the command line works on."""
    with open_hub(load_settings(data_dir=cli.folder)) as hub:
        yield hub


@pytest.fixture
def crm(hub):
    """An integration between Box and Salesforce, int_1."""
    return CrmRows(hub, bare_integration(hub))


def parked(hub) -> Work:
    """Work that waits for a folder's record."""
    now = hub.clock.now()
    work = Work(
        id=hub.ids.new("wrk"), integration_id=1, key="u-1", workflow="sync_file",
        entity_key="box:file:9003", due_at=now, created_at=now,
    )  # fmt: skip
    hub.store.works.add([work])
    (run,) = hub.store.works.claim(executor_id="exe_1", now=now, limit=1)
    ending = Ending(
        state=WorkState.PARKED, note="No record.", park_cause=ParkCause.MAPPING, due_at=now
    )
    hub.store.works.end(run.id, run_number=run.run_number, ending=ending, at=now)
    return work


def test_folders_are_listed_and_mapped(cli: Cli, hub, crm):
    """State, name and record narrow the list; a mapping wakes what waited; a wrong id is told."""
    crm.folder("501")
    crm.unmapped("502")
    work = parked(hub)
    assert [one["folder_id"] for one in cli.json("crm", "folders", "--state", "mapped")] == ["501"]
    (found,) = cli.json("crm", "folders", "--record", OPPORTUNITY[:15])
    assert (found["integration_id"], found["record_name"]) == ("int_1", "Renewal")
    assert "/Clients/Letters" in cli("crm", "folders", "--name", "let").stdout
    assert "No such folder" in cli("crm", "folders", "--name", "zzz").stderr
    said = cli("crm", "map", "int_1", "502", OTHER[:15]).stdout
    assert f"Folder 502 is Opportunity {OTHER}." in said
    assert hub.store.works.get(work.id).state is WorkState.NEW
    wrong = cli("crm", "map", "int_1", "502", "006nonsense", code=2)
    assert "record_id: must be a record's id of 15 or 18 characters" in wrong.stderr
    assert "refresh_mapping" in hub.store.works.get(
        cli("crm", "look", "int_1", "502").stdout.split()[-1]
    ).workflow  # fmt: skip
    assert hub.store.record_folders.get(1, "502").state is FolderState.UNMAPPED


def test_arrivals_are_found_by_name_and_by_every_id(cli: Cli, crm):
    """A number is a file, else a version, else how a name begins."""
    row = crm.attachment("wrk_1")
    crm.attachment("wrk_1", AttachmentState.FAILED, file_id="9002", version_id="8002", name="2026")
    for what in ("msa", "9001", "8001"):
        (one,) = cli.json("crm", "arrivals", what)
        assert (one["id"], one["md5"]) == (row.id, MD5), what
    assert [one["name"] for one in cli.json("crm", "arrivals", "2026")] == ["2026"]
    assert len(cli.json("crm", "arrivals", OPPORTUNITY)) == 2
    assert len(cli.json("crm", "arrivals", "--state", "failed")) == 1
    assert MD5 in cli("crm", "arrivals").stdout
    assert "inkwire crm unmapped" in cli("crm", "arrivals", "zzz").stderr


def test_what_waits_for_a_record_is_listed_and_woken(cli: Cli, hub, crm):
    """`unmapped` lists it, `wake` starts it again and says how many that were."""
    work = parked(hub)
    (found,) = cli.json("crm", "unmapped")
    assert (found["id"], found["park_cause"]) == (work.id, "mapping")
    assert "1 started again." in cli("crm", "wake", "int_1").stdout
    assert "Nothing waits" in cli("crm", "wake", "1").stdout
    assert cli.json("crm", "unmapped", "--integration", "int_1") == []


def test_tasks_and_the_backlog(cli: Cli, crm):
    """Tasks by state; counts by what, and the day's calls once Salesforce has said them."""
    crm.task("wrk_1", ActivityState.FAILED)
    crm.task("wrk_1", ActivityState.WAITING)
    (failed,) = cli.json("crm", "tasks", "--state", "failed")
    assert "restricted picklist" in failed["note"]
    assert len(cli.json("crm", "tasks", "--record", OPPORTUNITY)) == 2
    crm.folder("501")
    crm.used(4_000)
    shown = cli("crm", "backlog", "int_1")
    assert "4000 of 100000 calls of the day are used" in shown.stderr
    assert "folders" in shown.stdout
    found = cli.json("crm", "backlog", "int_1")
    assert (found["folders"]["mapped"], found["usage"]["used"]) == (1, 4_000)
    assert found["backlog"]["activities"]["failed"] == 1


def test_a_bulk_job_is_told_of(cli: Cli, crm):
    """On its Tasks, and in the backlog until it has ended."""
    crm.task("wrk_1", ActivityState.WAITING)
    job = crm.job()
    (one,) = cli.json("crm", "tasks")
    assert one["job_id"] == job.job_id
    told = f"Bulk job {job.job_id}: 0 of 1 Tasks, Salesforce says InProgress."
    assert told in cli("crm", "backlog", "int_1").stderr
    crm.hub.store.bulk_jobs.ended(job.batch_id, note="1 Tasks were made.", at=job.look_at)
    assert "Bulk job" not in cli("crm", "backlog", "int_1").stderr
    assert cli.json("crm", "backlog", "int_1")["backlog"]["jobs"][0]["note"] == "1 Tasks were made."


def test_an_integration_is_set_up_with_both_connections(cli: Cli, hub, crm):
    """By name of each option; a connection to the wrong system is refused, beside its field."""
    made = cli.json(
        "integrations", "add", "box_salesforce", "--connection", "box-crm",
        "--second-connection", "salesforce-main",
    )["integration"]  # fmt: skip
    assert made["second_connection_id"] == "salesforce-main"
    shown = cli("integrations", "show", made["id"]).stdout
    assert "second connection" in shown
    assert "salesforce-main" in cli("integrations", "list").stdout
    wrong = cli("integrations", "set", made["id"], "--second-connection", "box-crm", code=2)
    assert "second_connection_id: must be a connection to salesforce" in wrong.stderr
    cli("integrations", "set", made["id"], "--second-connection", "")
    assert hub.store.integrations.get(2).connection_ids == ("box-crm",)


def test_the_field_map_is_shown_with_its_problems(cli: Cli, hub, crm):
    """A line each; that the vendors were not asked is said, and what they said counts."""
    assert "No field is mapped" in cli("crm", "field-map", "int_1").stderr
    crm.map_fields(
        "amount = Opportunity.Amount number both nobody", "lost = Opportunity.X text both"
    )
    said = cli("crm", "field-map", "int_1")
    assert "amount = Opportunity.Amount" in said.stdout and "--ask" in said.stderr
    crm.described()
    found = cli.json("crm", "field-map", "int_1")
    assert found["described"] and {one["line"] for one in found["problems"]} == {2}
    assert "has no field lost" in cli("crm", "field-map", "int_1").stdout


def test_a_dry_run_of_the_field_map(cli: Cli, hub, crm, tmp_path):
    """Asked for with the file's lines; a table of what would go where once it is answered."""
    file = tmp_path / "map.txt"
    file.write_text("amount = Opportunity.Amount number both\n\nnonsense\n", "utf-8")
    asked = cli.json("crm", "dry-run", "int_1", "--map", str(file), "-n", "3", "--no-wait")
    assert asked["asks"] == {
        "lines": ["amount = Opportunity.Amount number both", "nonsense"],
        "records": 3,
    }
    assert (
        "Asked for as cmd_"
        in cli("crm", "dry-run", "int_1", "--map", str(file), "--no-wait").stdout
    )
    assert "records: must be" in cli("crm", "dry-run", "int_1", "--map", str(file), "-n", "99",
                                     code=2).stderr  # fmt: skip
    assert "nothing to try" in cli("crm", "dry-run", "int_1", code=1).stderr
    result = {
        "problems": [{"line": 2, "text": "write it as …", "fails": True}],
        "records": [
            tried_record("501", "Renewal", ("amount", "Amount", "1", "2", "to_box", "2", "")),
            tried_record("502", "Gone") | {"problem": "Salesforce no longer shows this record."},
        ],
    }
    while waiting := hub.store.commands.take(now=hub.clock.now(), lease_s=30):
        hub.store.commands.done(waiting.id, at=hub.clock.now(), result=result)
    with ThreadPoolExecutor(1) as worker:
        worker.submit(answer, hub, {"result": result})
        said = cli("crm", "dry-run", "int_1", "--map", str(file))
    assert "Renewal" in said.stdout and "→ 2" in said.stdout and "no longer shows" in said.stdout
    assert "2 records were read, nothing was written." in said.stdout
    assert "Line 2: write it as" in said.stderr
    with ThreadPoolExecutor(1) as worker:
        worker.submit(answer, hub, {"error": "Box is away."})
        refused = cli("crm", "dry-run", "int_1", "--map", str(file), code=1)
    assert "Box is away." in refused.stderr


def answer(hub, given) -> None:
    """As a worker does once it is asked."""
    commands = hub.store.commands
    until(lambda: commands.latest(CommandKind.ASK, "int_1/try_fields").state is CommandState.NEW)
    asked = commands.take(now=hub.clock.now(), lease_s=30)
    commands.done(asked.id, at=hub.clock.now(), **given)
