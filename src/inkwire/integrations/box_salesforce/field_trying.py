"""The field map, kept or changed, tried on records as they are: both sides are only read.

Two questions that a worker answers: which fields there are at both vendors, and what the map would
do with the records that have folders now. What a trial saw is kept a day, with its answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from inkwire.engine.contract import Run
from inkwire.errors import InkwireError, Permanent, Transient
from inkwire.integrations.box_salesforce import field_values as values
from inkwire.integrations.box_salesforce.asking import require_budget
from inkwire.integrations.box_salesforce.clients import box, salesforce
from inkwire.integrations.box_salesforce.field_checks import Facts, as_json, judged
from inkwire.integrations.box_salesforce.field_map import FieldMap, Verdict
from inkwire.integrations.box_salesforce.field_sides import Gone, Pair, Ready, Sides, read_records
from inkwire.integrations.box_salesforce.field_writing import why
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import FolderState, RecordFolder
from inkwire.providers.box.client import BoxClient
from inkwire.providers.salesforce.client import SalesforceClient
from inkwire.providers.salesforce.objects import Field, Record
from inkwire.store.contract import MAX_PAGE
from inkwire.store.crm import FolderQuery

#: Names of the questions.
DESCRIBE, TRY = "describe_fields", "try_fields"
#: Objects that are described whatever the map says: those that have folders as a rule.
USUAL = ("Opportunity", "Account")
#: Objects that one question describes: a describe is large.
MOST_OBJECTS = 10
#: Records of one trial, unless told; and at most.
SOME, MOST = 10, 50
#: Folders that are looked through for them.
_MOST_SEEN = 1_000
#: What a record says whose sides cannot both be read.
_GONE = "Salesforce no longer shows this record, so none of its fields would be written."


def describe_fields(run: Run, asked: Mapping[str, Any]) -> dict[str, Any]:
    """The fields at both vendors (`field_checks.Facts` as JSON); `asked`: `objects`.

    A vendor that cannot be asked is no error: the facts say why.
    """
    return as_json(_facts(run, (*USUAL, *(asked.get("objects") or ()))))


def try_fields(run: Run, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the map of `lines` would do with `records` mapped records, newest change first.

    `{lines, asked_for, problems: [{line, text, fails}], records: [...]}`; each record has its
    folder, names, a `problem` and `fields`: what each side has, and what would be done. Raises
    what the vendors say if nothing can be read, LimitReached while the day's calls are for files.
    """
    lines, most = list(asked["lines"]), min(int(asked["records"]), MOST)
    given = chosen(run.integration).mapped_by(lines)
    require_budget(run)
    facts = _facts(run, given.objects)
    known = _known(run, given, facts, most) if given.lines else []
    return {
        "lines": lines,
        "asked_for": most,
        "problems": _problems(given, len(lines), facts),
        "records": [_tried(run, folder, given, facts, record) for folder, record in known],
    }


# --- the fields


def _facts(run: Run, objects: Sequence[str]) -> Facts:
    template = chosen(run.integration).mapping_template
    return described(box(run), salesforce(run), template, objects)


def described(
    client: BoxClient, crm: SalesforceClient, template: str, objects: Sequence[str]
) -> Facts:
    """The template's fields, and those of the objects; why, if a vendor cannot be asked."""
    try:
        fields = client.metadata_fields(template)
        why_not = (
            f"Box has no metadata template with the key {template}, or the connected user may not "
            "see it."
        )
        box_problem = why_not if fields is None else ""
    except InkwireError as error:
        fields, box_problem = None, f"Box could not be asked: {error.message}"
    found: dict[str, Mapping[str, Field]] = {}
    problems: dict[str, str] = {}
    names = list(dict.fromkeys(objects))
    for name in names[MOST_OBJECTS:]:
        problems[name] = (
            f"The map names more than {MOST_OBJECTS} objects; {name} was not looked at."
        )
    for name in names[:MOST_OBJECTS]:
        try:
            there = crm.describe(name)
        except InkwireError as error:
            problems[""] = f"Salesforce could not be asked: {error.message}"
            break
        if there is None:
            problems[name] = (
                f"Salesforce has no object {name}, or the connected user may not see it."
            )
        else:
            found[name] = {one.name.lower(): one for one in there.fields.values()}
    return Facts(
        template=template,
        box=fields,
        box_problem=box_problem,
        objects=found,
        object_problems=problems,
    )


def _problems(given: FieldMap, count: int, facts: Facts) -> list[dict[str, Any]]:
    """What is wrong with the lines, by their numbers from 1; 0: with the whole."""
    return [
        {"line": number, "text": one.text, "fails": one.fails}
        for number, one in judged(given, count, facts)
    ]


# --- the records


def _known(
    run: Run, given: FieldMap, facts: Facts, most: int
) -> list[tuple[RecordFolder, Record | None]]:
    """The folders that would be compared, each with its record as Salesforce has it now.

    Raises Transient if Salesforce could not be asked, Permanent without the template at Box.
    """
    if "" in facts.object_problems:
        raise Transient(facts.object_problems[""])
    if facts.box is None:
        raise Permanent(facts.box_problem)
    folders = _folders(run, given, most)
    records: dict[str, Record] = {}
    for name in given.objects:
        ids = [one.record_id or "" for one in folders if one.object == name]
        if ids and name in facts.objects:
            fields = facts.objects[name]
            for row in read_records(run, name, given.of(name), fields, ids):
                records[str(row["Id"])[:15]] = row
    return [(one, records.get((one.record_id or "")[:15])) for one in folders]


def _folders(run: Run, given: FieldMap, most: int) -> list[RecordFolder]:
    store, found = run.services.store.record_folders, list[RecordFolder]()
    for offset in range(0, _MOST_SEEN, MAX_PAGE):
        query = FolderQuery(
            integration_id=run.integration.id,
            state=FolderState.MAPPED,
            offset=offset,
            limit=MAX_PAGE,
        )
        page = store.page(query)
        for one in page:
            if one.record_id is None or not given.of(one.object):
                continue
            oldest = store.of_record(one.integration_id, one.record_id)
            if oldest is None or oldest.folder_id == one.folder_id:
                found.append(one)
            if len(found) == most:
                return found
        if len(page) < MAX_PAGE:
            break
    return found


def _tried(
    run: Run, folder: RecordFolder, given: FieldMap, facts: Facts, record: Record | None
) -> dict[str, Any]:
    """One record, and what would become of each of its fields."""
    rules, problem = given.of(folder.object), ""
    pairs: list[Pair] = []
    if record is None:
        problem = facts.problem_of(folder.object) or _GONE
    else:
        ready = Ready(fields=facts.objects[folder.object], record=record, template=facts.box or {})
        try:
            pairs = Sides(run, folder, rules, choices={}, ready=ready).pairs()
        except Gone:
            problem = _GONE
        except (Permanent, Transient) as error:
            problem = error.message
    return {
        "folder_id": folder.folder_id,
        "folder": folder.path or folder.name,
        "object": folder.object,
        "record_id": folder.record_id,
        "record": folder.record_name,
        "problem": problem,
        "fields": [_shown(pair) for pair in pairs],
    }


def _shown(pair: Pair) -> dict[str, Any]:
    """One field: `verdict` is what would be done, `failed` if nothing can be."""
    writes = not pair.wrong and pair.verdict in (Verdict.TO_BOX, Verdict.TO_SALESFORCE)
    note = pair.wrong
    if not note and pair.verdict is Verdict.CONFLICT:
        note = why(pair)
    return {
        "field": pair.rule.field,
        "target": pair.rule.target,
        "box": values.shown(pair.box),
        "salesforce": values.shown(pair.salesforce),
        "verdict": "failed" if pair.wrong else pair.verdict.value,
        #: As the other side would get it; null: its value would be taken away.
        "value": values.shown(str(pair.value)) if writes and pair.value is not None else None,
        "note": note,
    }
