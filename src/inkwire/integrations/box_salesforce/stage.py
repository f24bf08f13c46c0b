"""A contract was executed: stage, completion Task, and the signed PDF on the account (R62, R63)."""

from collections.abc import Mapping
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Permanent, Transient
from inkwire.integrations.box_salesforce import activity
from inkwire.integrations.box_salesforce.asking import require_budget
from inkwire.integrations.box_salesforce.clients import box, salesforce
from inkwire.integrations.box_salesforce.finding import below_root, find
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import FolderState
from inkwire.model.event import Origin
from inkwire.model.work import Work
from inkwire.providers.salesforce.objects import moment_of
from inkwire.providers.salesforce.soql import select

_SIGNED = "signed"
#: Of a sign request that ends otherwise, or has ended so.
_NEVER = frozenset({"declined", "cancelled", "expired", "error_converting", "error_sending"})


async def contract_executed(run: Run) -> Outcome:
    """The opportunity moves on, never back; a Task says so; the PDF stands on the account, too."""
    look = await run.step("look", lambda: _look(run))
    if look["stop"]:
        return Outcome.done(look["stop"])
    if look["unmapped"]:
        return Outcome.unmapped(look["unmapped"])
    await run.step(
        "files",
        lambda: _ask_files(run, look),
        plan=f"Attach {len(look['files'])} files to {look['object']} and its account",
    )
    moved = await run.step(
        "stage",
        lambda: _move(run, look),
        plan=f"PATCH the stage of {look['object']} {look['record']}",
        pretend="the stage is looked at",
    )
    await run.step("note", lambda: _note(run, look, moved), plan="Note the completion Task")
    return Outcome.done(f"{look['name']} was executed: {moved}.")


def ask_executed(run: Run, file_id: str, version_id: str) -> None:
    """The file counts as executed: its stage is another run's work."""
    _add(
        run,
        key=f"executed/{file_id}/{version_id}",
        workflow="contract_executed",
        file_id=file_id,
        subject={"file_id": file_id, "version_id": version_id},
    )


def _look(run: Run) -> dict[str, Any]:
    """The signed files and the record of their folder; or why nothing is to be done."""
    client, subject = box(run), run.work.subject
    files = [(subject["file_id"], subject.get("version_id", ""))]
    if sign_id := subject.get("sign_request_id"):
        sign = client.sign_request(sign_id)
        # Box shows a request to whoever sent it. Of those that people send themselves its signed
        # webhook is the word, and the file that came with it.
        if sign is not None:
            if sign.status in _NEVER:
                return _stop(f"Sign request {sign_id} is {sign.status}; the stage stays.")
            if not sign.ready or sign.status != _SIGNED:
                raise Transient("Box is still finishing the signed document.", retry_after_s=10)
            files = [(file.id, file.version_id) for file in sign.files] or files
    found = client.file(files[0][0])
    if found is None:
        return _stop("The signed file is no longer in Box; the stage stays.")
    if below_root(run, found.path) is None:
        return _stop(f"{found.name} is not below {chosen(run.integration).root_folder}.")
    folder = find(run, found.path)
    if folder.state is not FolderState.MAPPED or folder.record_id is None:
        return {"stop": "", "unmapped": folder.note}
    return {
        "stop": "",
        "unmapped": "",
        "files": [list(one) for one in files],
        "name": found.name,
        "path": folder.path,
        "object": folder.object,
        "record": folder.record_id,
    }


def _ask_files(run: Run, look: Mapping[str, Any]) -> int:
    """Each signed version goes onto the record and its account, as an upload would."""
    for file_id, version_id in look["files"]:
        _add(
            run,
            key=f"signed/{file_id}/{version_id}",
            workflow="sync_file",
            file_id=file_id,
            subject={
                "file_id": file_id,
                "version_id": version_id,
                "trigger": "FILE.UPLOADED",
                "to_account": "yes",
                **{key: run.work.subject[key] for key in ("at",) if key in run.work.subject},
            },
        )
    return len(look["files"])


def _move(run: Run, look: Mapping[str, Any]) -> str:
    """Sets the stage if it leads forward; what was done, in words.

    Raises Permanent if the organisation does not know the stage, or refuses it.
    """
    wanted = chosen(run.integration).executed_stage
    if not wanted:
        return "the stage stays, as the settings say"
    if look["object"] != "Opportunity":
        return f"the object {look['object']} has no stage"
    require_budget(run)
    crm = salesforce(run)
    fields = ["Id", "StageName", "IsClosed", "LastModifiedDate"]
    now = crm.record("Opportunity", look["record"], fields)
    if now is None:
        return "the opportunity is no longer in Salesforce"
    if now["StageName"] == wanted:
        return f"the stage is {wanted}"
    if now.get("IsClosed"):
        return f"the opportunity is closed as {now['StageName']}, so its stage stays"
    label, order = _stages(run, wanted)
    before = order.get(str(now["StageName"]))
    if before is not None and before >= order[label]:
        return f"the stage {now['StageName']} is not before {label}, so it stays"
    # A lost answer does no harm: the next try looks at the stage first. Nor does a colleague who
    # moves it at this moment: what they did is not overruled, and looked at, too.
    read_at = moment_of(now["LastModifiedDate"])
    if not crm.update(
        "Opportunity", look["record"], {"StageName": label}, unmodified_since=read_at
    ):
        return "the opportunity is no longer in Salesforce"
    return f"the stage went from {now['StageName']} to {label}"


def _stages(run: Run, wanted: str) -> tuple[str, dict[str, int]]:
    """The wanted stage by its API name, and the places of all. Raises Permanent.

    Salesforce keeps any text as a stage, so a wrong one would not be noticed.
    """
    fields = ["MasterLabel", "ApiName", "SortOrder", "IsActive"]
    rows = list(salesforce(run).query(select("OpportunityStage", fields, order=["SortOrder"])))
    order = {str(row["ApiName"]): int(row["SortOrder"]) for row in rows}
    active = [row for row in rows if row["IsActive"]]
    asked = wanted.casefold()
    for row in active:
        if asked in (str(row["ApiName"]).casefold(), str(row["MasterLabel"]).casefold()):
            return str(row["ApiName"]), order
    labels = ", ".join(str(row["MasterLabel"]) for row in active)
    raise Permanent(
        f"The organisation has no active stage “{wanted}”; choose one of: {labels}. Then retry."
    )


def _note(run: Run, look: Mapping[str, Any], moved: str) -> str:
    subject = run.work.subject
    key = f"executed/{subject.get('sign_request_id') or run.work.key}"
    activity.add(
        run,
        look,
        key=key,
        subject=f"Contract executed: {look['name']}",
        lines=[look["path"], f"{moved[:1].upper()}{moved[1:]}."],
    )
    return ""


def _add(run: Run, *, key: str, workflow: str, file_id: str, subject: Mapping[str, str]) -> None:
    now = run.services.clock.now()
    row = Work(
        id=run.services.ids.new("wrk"),
        integration_id=run.integration.id,
        key=key,
        workflow=workflow,
        entity_key=f"box:file:{file_id}",
        origin=Origin.RECONCILED,
        event_id=run.work.event_id,
        subject=subject,
        due_at=now,
        created_at=now,
    )
    run.services.store.works.add([row])


def _stop(why: str) -> dict[str, Any]:
    return {"stop": why, "unmapped": ""}
