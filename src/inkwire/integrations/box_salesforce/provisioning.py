"""A record's folder in Box: made once, then it follows the record (R66–R69).

A folder is the record's because its metadata says so. One that Inkwire made is renamed, moved and
shared as the record changes; one that a person mapped is used, and left where it is and as it is
called.
"""

from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Permanent
from inkwire.integrations.box_salesforce import claiming, field_sync, placing, tree
from inkwire.integrations.box_salesforce.asking import require_budget
from inkwire.integrations.box_salesforce.clients import box
from inkwire.integrations.box_salesforce.linking import link_back
from inkwire.integrations.box_salesforce.owners import ensure_owner
from inkwire.integrations.box_salesforce.placing import NAMES
from inkwire.integrations.box_salesforce.seeing import Reader
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.integrations.box_salesforce.tree import ACCOUNT, OPPORTUNITY
from inkwire.integrations.box_webhooks import ensure_top_folder


async def provision(run: Run) -> Outcome:
    """The folder of a record that is new or changed; run again, it finds all as it should be."""
    reader = Reader(run)
    first = await run.step("record", lambda: _record(run, reader))
    if first["gone"]:
        return await _gone(run, reader)
    if first["not"]:
        return Outcome.done(first["not"])
    await run.step(
        "template",
        lambda: len(claiming.ensure_template(run)),
        plan="Find or make the metadata template",
        pretend=0,
    )
    made = await _folder(run, reader, run.work.subject["object"])
    folder = made["folder"]
    if made["conflict"]:
        return Outcome.done(f"The folder {folder} waits for a person. {made['conflict']}")
    if not first["known"]:
        await run.step(
            "wake", lambda: placing.wake(run), plan="Start what waited for this folder", pretend=0
        )
    shared = await run.step(
        "owner",
        lambda: ensure_owner(run, folder, reader.seen().owner_email),
        plan=f"Give the owner of {reader.title} access to the folder",
        pretend="",
    )
    await run.step(
        "fields",
        lambda: _ask_fields(run, folder) if made["made"] else 0,
        plan="Ask for its mapped fields",
        pretend=0,
    )
    linked = await run.step(
        "link",
        lambda: link_back(run, folder),
        plan=f"Write the folder's address to {reader.title}",
        pretend="",
    )
    did = "was made" if made["made"] else "is as it should be"
    told = f"The folder {folder} of {reader.title} {did}."
    return Outcome.done(" ".join(part for part in (told, shared, linked) if part))


async def wake_waiting(run: Run) -> Outcome:
    """What waited for a record starts: folders became known since the last time."""
    woken = await run.step(
        "wake",
        lambda: placing.wake(run, asked=True),
        plan="Start what waited for a folder",
        pretend=0,
    )
    return Outcome.done(f"{woken} that waited for a record were started.")


def _record(run: Run, reader: Reader) -> dict[str, Any]:
    """Whether it is `gone` or `known`, and why there is `not`hing to do."""
    given, store = chosen(run.integration), run.services.store
    object_name, record_id = run.work.subject["object"], run.work.subject["record_id"]
    known = store.record_folders.of_record(run.integration.id, record_id) is not None
    why = ""
    if not given.provision:
        why = "Making folders is switched off in the settings."
    elif placing.whole(run).level(object_name) is None:
        why = f"The folder tree has no folder for the object {object_name}."
    elif held := placing.held(run, record_id):
        why = f"A person has to decide about the folder {held.path} first: {held.note}"
    if why:
        return {"gone": False, "known": known, "not": why}
    require_budget(run)
    return {"gone": reader.read() is None, "known": known, "not": ""}


async def _gone(run: Run, reader: Reader) -> Outcome:
    record_id = run.work.subject["record_id"]
    await run.step(
        "gone",
        lambda: placing.mark_gone(run, record_id, placing.DELETED),
        plan="Note that the record is gone",
        pretend=False,
    )
    return Outcome.done(
        f"{reader.title} was deleted in Salesforce, or the connected user may not see it. A folder "
        "that it has stays as it is."
    )


def _ask_fields(run: Run, folder_id: str) -> int:
    """The new folder gets the values of its record."""
    row = run.services.store.record_folders.get(run.integration.id, folder_id)
    return field_sync.ask(run, row, key=f"made/{folder_id}")


# --- one record's folder


async def _folder(run: Run, reader: Reader, which: str) -> dict[str, Any]:
    """Finds, follows or makes the folder of the record, or of its account.

    Its id is the `folder`; whether it was `made`; in `conflict` a sentence or "".
    """
    step = which.lower()
    found = await run.step(f"find:{step}", lambda: placing.find(run, reader.of(which)))
    if not found["folder"]:
        return await _make(run, reader, which)
    if found["moved"]:
        parent = await _parent(run, reader, which)
        await run.step(
            f"move:{step}",
            lambda: placing.move(run, reader.of(which), found["folder"], parent),
            plan=f"Move the folder of {reader.title} to that of its account",
        )
    if found["renamed"]:
        await run.step(
            f"rename:{step}",
            lambda: placing.rename(run, reader.of(which), found["folder"]),
            plan=f"Rename the folder of {reader.title}",
        )
    if not found["whole"]:
        await _below(run, which, found["folder"])
    conflict = ""
    if found["moved"] or found["renamed"] or not found["whole"]:
        conflict = await _kept(run, reader, which, found["folder"], claimed=False)
    return {"folder": found["folder"], "made": False, "conflict": conflict}


async def _make(run: Run, reader: Reader, which: str) -> dict[str, Any]:
    """Makes or adopts a folder by the first name that is free or the record's own."""
    parent = await _parent(run, reader, which)
    for index in range(NAMES):
        folder = await _made(run, reader, which, parent, index)
        if folder:
            await _below(run, which, folder)
            await _kept(run, reader, which, folder, claimed=True)
            return {"folder": folder, "made": True, "conflict": ""}
    raise Permanent(
        f"All names for the folder of {reader.title} are taken in Box by other folders or files; "
        "rename one of them, then retry."
    )


async def _made(run: Run, reader: Reader, which: str, parent: str, index: int) -> str:
    """The folder of one name; "" if it is another's."""
    step = f"{which.lower()}.{index}"
    folder = await run.step(
        f"make:{step}",
        lambda: placing.named(run, reader.of(which), parent, index),
        plan=f"Make the folder of {reader.title}",
        pretend="0",
    )
    if not folder:
        return ""
    ours = await run.step(
        f"claim:{step}",
        lambda: placing.claim(run, reader.of(which), folder),
        plan=f"Set the metadata of {reader.title} on it",
        pretend=True,
    )
    return folder if ours else ""


async def _parent(run: Run, reader: Reader, which: str) -> str:
    """The folder that it stands in: the account's, or the root folder, and those between."""
    level, step = placing.level(run, which), which.lower()
    below_account = which == OPPORTUNITY and placing.whole(run).account is not None
    has_account = below_account and await run.step(
        "account", lambda: bool(reader.seen().account_id)
    )
    if has_account:
        upper = await _folder(run, reader, ACCOUNT)
        top = upper["folder"]
        if upper["made"]:
            await run.step(
                "account_too",
                lambda: placing.ask_account(run, reader.seen().account.id),
                plan="Ask for what else the account's folder needs",
                pretend=0,
            )
    else:
        top = await run.step(
            "root",
            lambda: ensure_top_folder(run, box(run), chosen(run.integration).root_folder),
            plan="Find or make the root folder",
            pretend="0",
        )
    above = (tree.NO_ACCOUNT, *level.above) if below_account and not has_account else level.above
    if not above:
        return str(top)
    return str(
        await run.step(
            f"above:{step}",
            lambda: placing.chain(run, str(top), above),
            plan=f"Find or make the folder {'/'.join(above)}",
            pretend="0",
        )
    )


async def _below(run: Run, which: str, folder: str) -> None:
    paths = placing.level(run, which).below
    if paths:
        await run.step(
            f"tree:{which.lower()}",
            lambda: [placing.chain(run, folder, path) for path in paths],
            plan=f"Make {', '.join('/'.join(path) for path in paths)} in it",
        )


async def _kept(run: Run, reader: Reader, which: str, folder: str, *, claimed: bool) -> str:
    return str(
        await run.step(
            f"keep:{which.lower()}",
            lambda: placing.keep(run, reader.of(which), folder, claimed=claimed),
            plan="Note whose folder it is",
            pretend="",
        )
    )
