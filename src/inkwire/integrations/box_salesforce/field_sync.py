"""The mapped fields of one folder and its record, brought in step (R85).

Started when a record or a folder's metadata changed, when a folder gets its record, and by a
person. What started it says nothing of what is to be done: both sides are read.
"""

from collections.abc import Iterable
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.integrations.box_salesforce.asking import require_budget
from inkwire.integrations.box_salesforce.field_map import Mapped
from inkwire.integrations.box_salesforce.field_sides import Gone, Sides
from inkwire.integrations.box_salesforce.field_writing import Writer
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import FieldSide, FolderState, RecordFolder
from inkwire.model.event import Origin
from inkwire.model.work import Work
from inkwire.providers.salesforce.objects import Record

WORKFLOW = "sync_fields"
_GONE = "Salesforce no longer shows the record, so its fields stay as they are."
#: In the subject: what changed is metadata, so Box's side tells whether there is anything to do.
BY_BOX = "by_box"
#: In the subject: a field in conflict, and the side whose value a person took.
FIELD, TAKE = "field", "take"


async def sync_fields(run: Run) -> Outcome:
    """Both sides of each mapped field have the same value, or a person decides."""
    reader = _Reader(run)
    look = await run.step("compare", reader.compare)
    if look["stop"]:
        return Outcome.done(look["stop"])
    if run.dry:
        for field, told in reader.told():
            await run.step(f"field:{field}", lambda: None, plan=told)
        return Outcome.done("Compared; nothing was written.")
    did = await run.step("write", reader.write)
    if did["stop"]:
        return Outcome.done(did["stop"])
    parts = [f"{did['fields']} mapped fields were compared"]
    for word in ("written", "conflicts", "failed"):
        parts += [f"{word}: {', '.join(did[word])}"] if did[word] else []
    return Outcome.done(f"{'; '.join(parts)}.")


class _Reader:
    """The folder's two sides, opened once in each execution of a run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._sides: Sides | None = None

    def compare(self) -> dict[str, str]:
        """Reads both sides; in `stop` why there is nothing to do, or ""."""
        folder, rules, why = _opened(self._run)
        if folder is None or why:
            return {"stop": why}
        self._forget_others(folder, rules)
        if not rules:
            return {"stop": f"No field of {folder.object} is mapped."}
        sides = self._open(folder, rules)
        by_box = bool(self._run.work.subject.get(BY_BOX)) and not self._run.dry
        if by_box and sides.box_is_as_agreed():
            return {"stop": "Box has in every mapped field what both agreed on."}
        require_budget(self._run)
        try:
            sides.pairs()
        except Gone:
            return {"stop": _GONE}
        return {"stop": ""}

    def told(self) -> list[tuple[str, str]]:
        """Each field, and what would be done about it."""
        return [(pair.rule.field, pair.told) for pair in self._again().pairs()]

    def write(self) -> dict[str, Any]:
        """See `Sides.write`; `stop` says why there was nothing to write, or is ""."""
        try:
            sides = self._again()
            return {"stop": "", **Writer(self._run, sides.folder, sides).write()}
        except Gone:
            return {"stop": _GONE}

    def _again(self) -> Sides:
        """The sides; in a run that was continued they are read anew. Raises Gone."""
        if self._sides is not None:
            return self._sides
        folder, rules, _ = _opened(self._run)
        if folder is None or not rules:
            raise Gone
        return self._open(folder, rules)

    def _open(self, folder: RecordFolder, rules: tuple[Mapped, ...]) -> Sides:
        subject = self._run.work.subject
        # A dry run says what the map alone would do, whatever was decided before.
        decided = subject.get(TAKE) and not self._run.dry
        choices = {subject[FIELD]: FieldSide(subject[TAKE])} if decided else {}
        self._sides = Sides(self._run, folder, rules, choices=choices)
        return self._sides

    def _forget_others(self, folder: RecordFolder, rules: Iterable[Mapped]) -> None:
        """Fields that are no longer mapped are no longer shown."""
        states, here = self._run.services.store.field_states, {rule.field for rule in rules}
        rows = states.of_folder(folder.integration_id, folder.folder_id)
        if not self._run.dry:
            others = {row.field for row in rows} - here
            states.forget(folder.integration_id, folder.folder_id, others)


def _opened(run: Run) -> tuple[RecordFolder | None, tuple[Mapped, ...], str]:
    """The folder and its rules; or why it has no part in this."""
    folders, folder_id = run.services.store.record_folders, run.work.subject["folder_id"]
    folder = folders.get(run.integration.id, folder_id)
    if folder is None or folder.state is not FolderState.MAPPED or folder.record_id is None:
        return None, (), "The folder has no record, so it has no fields to compare."
    oldest = folders.of_record(run.integration.id, folder.record_id)
    if oldest is not None and oldest.folder_id != folder_id:
        return None, (), f"Of the record's folders {oldest.path or oldest.name} counts."
    return folder, chosen(run.integration).mapped.of(folder.object), ""


# --- who asks


def asked(run: Run, folder: RecordFolder, *, key: str, **subject: str) -> list[Work]:
    """A row that compares a folder's fields, not kept; none if no field of it is mapped."""
    if folder.record_id is None or not chosen(run.integration).mapped.of(folder.object):
        return []
    return [
        fields_work(
            folder,
            work_id=run.services.ids.new("wrk"),
            now=run.services.clock.now(),
            key=key,
            **subject,
        )
    ]


def fields_work(folder: RecordFolder, *, work_id: str, now: Any, key: str, **subject: str) -> Work:
    """The row; those of one folder run one after the other, and after what its metadata says."""
    return Work(
        id=work_id,
        integration_id=folder.integration_id,
        key=f"fields/{key}",
        workflow=WORKFLOW,
        entity_key=f"box:folder:{folder.folder_id}",
        origin=Origin.RECONCILED,
        subject={"folder_id": folder.folder_id, **subject},
        due_at=now,
        created_at=now,
    )


def ask(run: Run, folder: RecordFolder | None, *, key: str, **subject: str) -> int:
    """Keeps such a row; how many are new."""
    rows = asked(run, folder, key=key, **subject) if folder is not None else []
    return len(run.services.store.works.add(rows)) if rows else 0


def for_records(run: Run, rows: Iterable[tuple[Record, str]]) -> list[Work]:
    """Rows for those changed records, each with its time, that have a folder."""
    folders, found = run.services.store.record_folders, []
    for record, stamp in rows:
        folder = folders.of_record(run.integration.id, str(record["Id"]))
        if folder is not None:
            found += asked(run, folder, key=f"{record['Id']}/{stamp}")
    return found
