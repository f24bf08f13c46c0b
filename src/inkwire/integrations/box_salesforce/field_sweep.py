"""What no webhook told of mapped fields: each folder's metadata is looked at again and again.

Box tells of metadata by webhooks only, and one may be lost. So every folder is looked at in turn,
a number of them each hour, and at once when the field map has changed. That costs calls of Box, not
of Salesforce: only a folder that has changed is compared with its record.
"""

import hashlib
from datetime import timedelta
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.integrations.box_salesforce import field_sync
from inkwire.integrations.box_salesforce.field_sides import Sides
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import FolderState, RecordFolder
from inkwire.store.contract import MAX_PAGE
from inkwire.store.crm import FolderQuery

#: Folders that one run looks at.
MOST = MAX_PAGE
#: Keys of `remote`: how many folders were looked at, the map that it was done by, and that all
#: folders are compared because the map is new.
AT, MAP, FRESH = "fields_at", "fields_map", "fields_fresh"
_NEXT_S = 15


async def sweep_fields(run: Run) -> Outcome:
    """The next folders; those that changed unheard are compared by runs of their own."""
    if not chosen(run.integration).mapped.lines:
        return Outcome.done("No field is mapped.")
    did = await run.step(
        "look",
        lambda: _look(run),
        plan=f"Read the metadata of the next {MOST} folders",
        pretend={"seen": 0, "asked": 0, "more": False},
    )
    told = f"{did['seen']} folders were looked at, {did['asked']} are compared."
    if did["more"]:
        at = run.services.clock.now() + timedelta(seconds=_NEXT_S)
        return Outcome.later(f"{told} The map is new, so the others follow.", at=at)
    return Outcome.done(told)


def _look(run: Run) -> dict[str, Any]:
    integrations, store = run.services.store.integrations, run.services.store
    remote = integrations.get(run.integration.id).remote
    lines = "\n".join(chosen(run.integration).field_map)
    now_map = hashlib.sha256(lines.encode()).hexdigest()[:16]
    new = remote.get(MAP) != now_map
    fresh = new or bool(remote.get(FRESH))
    at = 0 if new else int(remote.get(AT) or 0)
    query = FolderQuery(
        integration_id=run.integration.id, state=FolderState.MAPPED, offset=at, limit=MOST
    )
    folders = store.record_folders.page(query)
    asked = 0
    for folder in folders:
        if fresh:
            asked += field_sync.ask(run, folder, key=f"map/{now_map}/{folder.folder_id}")
        elif _moved(run, folder):
            asked += field_sync.ask(run, folder, key=f"sweep/{run.work.id}/{folder.folder_id}")
    more = len(folders) == MOST
    integrations.set_remote(
        run.integration.id,
        {
            MAP: now_map,
            AT: str(at + MOST) if more else "",
            FRESH: "yes" if fresh and more else "",
        },
    )
    return {"seen": len(folders), "asked": asked, "more": fresh and more}


def _moved(run: Run, folder: RecordFolder) -> bool:
    """Whether Box has another value than was agreed on, or one that was never compared."""
    rules = chosen(run.integration).mapped.of(folder.object)
    if not rules or folder.record_id is None:
        return False
    oldest = run.services.store.record_folders.of_record(folder.integration_id, folder.record_id)
    if oldest is not None and oldest.folder_id != folder.folder_id:
        return False
    return Sides(run, folder, rules, choices={}).box_moved()
