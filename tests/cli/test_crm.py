"""`inkwire crm …` on a real store."""

import pytest

from cli.kit import Cli
from fakes.crm_rows import MD5, OPPORTUNITY, CrmRows, bare_integration
from inkwire.config import load_settings
from inkwire.hub import open_hub
from inkwire.model.crm import ActivityState, AttachmentState, FolderState
from inkwire.model.work import ParkCause, Work, WorkState
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
