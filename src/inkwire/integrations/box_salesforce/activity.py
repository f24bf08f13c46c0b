"""What happened in Box, noted as Tasks for Salesforce (R64, R65); `tasks` sends them in batches."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.integrations.box_salesforce.asking import ask_tasks
from inkwire.integrations.box_salesforce.clients import box
from inkwire.integrations.box_salesforce.finding import below_root, find
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_salesforce.texts import MOST_SUBJECT, cut, marked
from inkwire.model.crm import Activity, FolderState
from inkwire.providers.box.objects import BoxRef

#: Key of `Integration.remote` that holds the id of the Box user that Inkwire calls as.
OWN_USER = "box_user_id"
VIEWS = frozenset({"FILE.PREVIEWED", "FILE.DOWNLOADED"})
_SOMEBODY = "Somebody"
_FILE = {
    "FILE.UPLOADED": "{actor} uploaded {name}{version}",
    "FILE.VERSION.RESTORED": "{actor} restored {name}{version}",
    "FILE.RESTORED": "{actor} restored {name}{version}, from the trash",
    "FILE.MOVED": "{actor} moved {name}{version}, to {parent}",
    "FILE.LOCKED": "{actor} locked {name}{version}",
    "FILE.RENAMED": "{actor} renamed a file to {name}{version}",
    "FILE.COPIED": "{actor} copied {name}{version}",
    "FILE.PREVIEWED": "{actor} looked at {name}{version}",
    "FILE.DOWNLOADED": "{actor} downloaded {name}{version}",
}
_COLLABORATION = {
    "COLLABORATION.CREATED": "{actor} gave {with_} access to {name}{role}",
    "COLLABORATION.ACCEPTED": "{with_} accepted access to {name}{role}",
}
#: Objects whose records are the person that a Task is about (WhoId), not what it is about.
_PEOPLE = frozenset({"Contact", "Lead"})


async def note_activity(run: Run) -> Outcome:
    """A collaboration or a view: nothing is attached, a Task says it."""
    look = await run.step("look", lambda: _look(run))
    if look["stop"]:
        return Outcome.done(look["stop"])
    if look["unmapped"]:
        return Outcome.unmapped(look["unmapped"])
    text = _text(run, look)
    await run.step("note", lambda: _note(run, look, text), plan=f"Note a Task: {text}")
    return Outcome.done(f"Noted for a Task: {text}.")


def note_file(run: Run, look: Mapping[str, Any], *, by: str = "") -> None:
    """The Task of a file's event; `look`: what `files` found out; `by`: if the event names none."""
    trigger = run.work.subject.get("trigger") or "FILE.UPLOADED"
    subject = _FILE[trigger].format(
        actor=_actor(run, by),
        name=look["name"],
        version=f", version {look['number']}" if look["number"] else "",
        parent=look["parent"],
    )
    # A file that is moved here is told of as uploaded, too: the version is one fact.
    uploaded = trigger == "FILE.UPLOADED"
    key = f"version/{look['file']}/{look['version']}" if uploaded else _event(run)
    lines = [look["path"], f"https://app.box.com/file/{look['file']}"]
    if look["skip"]:
        lines.append(look["skip"][1])
    add(run, look, key=key, subject=subject, lines=lines)


def add(run: Run, look: Mapping[str, Any], *, key: str, subject: str, lines: list[str]) -> None:
    """Keeps a Task that is to stand in Salesforce, on `look`'s record; once for each key."""
    if not chosen(run.integration).log_activity:
        return
    services = run.services
    activity_id, person = services.ids.new("act"), look["object"] in _PEOPLE
    text = "\n".join([subject, *lines, f"By: {run.work.subject.get('actor_email') or 'unknown'}"])
    services.store.activities.add(
        [
            Activity(
                id=activity_id,
                integration_id=run.integration.id,
                key=key[:200],
                subject=cut(subject, MOST_SUBJECT),
                description=marked(text, activity_id),
                who_id=look["record"] if person else None,
                what_id=None if person else look["record"],
                activity_date=_day(run),
                work_id=run.work.id,
                created_at=services.clock.now(),
            )
        ]
    )
    ask_tasks(run)


def _look(run: Run) -> dict[str, Any]:
    subject = run.work.subject
    found = _item(run)
    if found is None:
        return _stop("It is no longer in Box, so there is nothing to note.")
    name, path = found
    below = below_root(run, path)
    if below is None:
        return _stop(f"{name} is not below {chosen(run.integration).root_folder}.")
    if not below and subject.get("folder_id"):
        return _stop(f"{name} is the root folder, which is no record's.")
    if _own(run):
        return _stop("Inkwire did this itself, so nothing is noted.")
    folder = find(run, path)
    if folder.state is not FolderState.MAPPED or folder.record_id is None:
        return {"stop": "", "unmapped": folder.note}
    given_to = subject.get("collaborator", "").casefold()
    owner = folder.owner_email.casefold()
    if subject["trigger"] not in VIEWS and owner and given_to == owner:
        return _stop("It is the record's owner, who has access by Inkwire.")
    return {
        "stop": "",
        "unmapped": "",
        "name": name,
        "path": folder.path,
        "object": folder.object,
        "record": folder.record_id,
    }


def _text(run: Run, look: Mapping[str, Any]) -> str:
    """The Task's subject; who it was stands in the work's row, and not in what steps keep."""
    subject, name = run.work.subject, look["name"]
    trigger = subject["trigger"]
    if trigger in VIEWS:
        return _FILE[trigger].format(actor=_actor(run), name=name, version="")
    given_to = subject.get("collaborator") or _SOMEBODY
    role = f" as {subject['role']}" if subject.get("role") else ""
    return _COLLABORATION[trigger].format(actor=_actor(run), with_=given_to, name=name, role=role)


def _note(run: Run, look: Mapping[str, Any], text: str) -> str:
    subject = run.work.subject
    key = _event(run)
    if subject["trigger"] in VIEWS:
        who = (subject.get("actor_email") or subject.get("actor_id") or "-").casefold()
        key = f"view/{subject['file_id']}/{_day(run).isoformat()}/{who}"
    add(run, look, key=key, subject=text, lines=[look["path"]])
    return ""


def _item(run: Run) -> tuple[str, tuple[BoxRef, ...]] | None:
    """Name and path of the file or folder, a folder itself the last of its path."""
    client, subject = box(run), run.work.subject
    if subject.get("file_id"):
        file = client.file(subject["file_id"])
        return None if file is None else (file.name, file.path)
    folder = client.folder(subject["folder_id"])
    if folder is None:
        return None
    return folder.name, (*folder.path, BoxRef(id=folder.id, name=folder.name))


def _own(run: Run) -> bool:
    """Whether the event is of the user that Inkwire calls as: its own reading is no view."""
    actor = run.work.subject.get("actor_id")
    if not actor or run.work.subject["trigger"] not in VIEWS:
        return False
    store = run.services.store.integrations
    known = store.get(run.integration.id).remote.get(OWN_USER)
    if known is None:
        known = box(run).me().id
        if not run.dry:
            store.set_remote(run.integration.id, {OWN_USER: known})
    return actor == known


def _actor(run: Run, otherwise: str = "") -> str:
    return run.work.subject.get("actor") or otherwise or _SOMEBODY


def _event(run: Run) -> str:
    return run.work.event_id or run.work.key


def _day(run: Run) -> Any:
    """The day of the event in UTC; of its work, if Box did not say when."""
    at = run.work.subject.get("at")
    moment = datetime.fromisoformat(at) if at else run.work.created_at
    return moment.astimezone(UTC).date()


def _stop(why: str) -> dict[str, Any]:
    return {"stop": why, "unmapped": ""}
