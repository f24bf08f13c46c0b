"""One version of a Box file onto its records, never twice (DESIGN §6).

Salesforce knows no idempotency key for files. So the ledger notes the sending before it happens,
and whoever finds it noted looks in Salesforce, by the mark in the Description, before anything is
sent again. That happens only after Salesforce must have given up what was under way.
"""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Ambiguous, Fenced, InkwireError, Permanent
from inkwire.integrations.box_salesforce.asking import ask_settle, require_some
from inkwire.integrations.box_salesforce.clients import box, salesforce
from inkwire.integrations.box_salesforce.doubt import PAUSES_S, UNDER_WAY, due
from inkwire.integrations.box_salesforce.finding import gone
from inkwire.integrations.box_salesforce.passing import Passing
from inkwire.integrations.box_salesforce.texts import (
    has_version_mark,
    path_of,
    title_of,
    version_mark,
)
from inkwire.model.crm import Attachment, AttachmentState
from inkwire.model.work import LedgerEntry, LedgerState
from inkwire.providers.salesforce.objects import FileDraft, Record
from inkwire.providers.salesforce.soql import at_least, equals, one_of, select

#: Seconds, and up to as many more, that a file waits while others go to the same Account.
AGAIN_S = 20
#: Ids in one IN of a query: some 4 kB of an address.
_MOST_IDS = 200
#: How far Salesforce's clock may be behind ours.
_SLACK = timedelta(days=1)
_UNSENT = (LedgerState.INTENDED, LedgerState.REPEAT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cargo:
    """A version of a file, and the records that it belongs on, the first one first."""

    file_id: str
    version_id: str
    number: int
    name: str
    size: int
    sha1: str
    #: Folder that stands for the first record.
    folder_id: str
    #: The Account that an upload locks; the first record if it has none.
    lock: str
    #: (object, id) of each record.
    records: tuple[tuple[str, str], ...]


def ledger_key(run: Run, file_id: str, version_id: str) -> str:
    """Of the one ContentVersion that a version becomes."""
    return f"attachment/{run.integration.id}/{file_id}/{version_id}"


def attach(run: Run, cargo: Cargo, *, again: bool = False) -> dict[str, Any]:
    """Brings a version to its records: `version` (068…), or `again_at`, or `unmapped`; a `note`.

    `again`: it was sent before, and is looked for no longer.

    Raises Fenced if another worker was faster, and what Box and Salesforce say.
    """
    ledger = run.services.store.ledger
    entry = ledger.intend(_entry(run, cargo))
    rows = plan(run, cargo, sent=entry.state not in _UNSENT)
    if entry.state in UNDER_WAY:
        found = find(run, cargo.file_id, cargo.version_id)
        if not found.get("resend"):
            return found
        entry, again = ledger.get(entry.key) or entry, True
    if entry.state is LedgerState.DONE and entry.remote_id:
        new = any(row.state is AttachmentState.PLANNED for row in rows)
        stored(run, rows, entry.remote_id)
        note = "linked to its record" if new else "was there already"
        return {"version": entry.remote_id, "note": note}
    if entry.state is LedgerState.ABANDONED:
        return {"version": "", "note": "a person said to leave it"}
    with salesforce(run).turn(cargo.lock) as mine:
        if not mine:
            return _not_now(run)
        return _send(run, cargo, rows, entry, again=again)


def pending(run: Run, file_id: str, version_id: str) -> dict[str, Any]:
    """Of a version that is under way: what became of it, see `find`; {} if none is."""
    entry = run.services.store.ledger.get(ledger_key(run, file_id, version_id))
    if entry is None or entry.state not in UNDER_WAY:
        return {}
    return find(run, file_id, version_id)


def find(run: Run, file_id: str, version_id: str, *, md5: str = "") -> dict[str, Any]:
    """What became of a version that was sent: `version`, `again_at`, or `resend`.

    `md5`: of the bytes that were sent, if that is known.
    """
    ledger, now = run.services.store.ledger, run.services.clock.now()
    key = ledger_key(run, file_id, version_id)
    rows = run.services.store.attachments.of_version(run.integration.id, file_id, version_id)
    entry = ledger.get(key)
    if entry is None or not rows:
        raise Fenced
    if entry.state is LedgerState.DONE and entry.remote_id:
        return {"version": entry.remote_id, "note": "was there already"}
    if entry.state not in UNDER_WAY:
        raise Fenced
    if (found := probe(run, rows, entry.sent_at)) is not None:
        done = ledger.settle(key, remote_id=found, at=now)
        stored(run, rows, done.remote_id or found, md5=md5)
        return {"version": done.remote_id, "note": "found again after a lost answer"}
    if entry.probes and now < due(entry):
        return {"again_at": due(entry).isoformat()}
    if entry.probes > len(PAUSES_S) - 1:
        if ledger.unsent(key, fence=entry.fence, at=now) is None:
            raise Fenced
        return {"resend": True}
    after = ledger.probed(key, fence=entry.fence, at=now, doubt=False)
    if after is None:
        raise Fenced
    return {"again_at": due(after).isoformat()}


def wait(again_at: str, why: str = "") -> Outcome:
    """The run ends; another looks in Salesforce then, or sends it."""
    doubt = (
        "Salesforce did not say whether it took the file; Inkwire looks again before anything is "
        "sent twice."
    )
    return Outcome.later(why or doubt, at=datetime.fromisoformat(again_at))


def plan(run: Run, cargo: Cargo, *, sent: bool = False) -> list[Attachment]:
    """The rows of this version: those that were there, and those of its records that were not.

    `sent`: it may be in Salesforce already. If not, records that it no longer belongs on fail.
    """
    store, now = run.services.store.attachments, run.services.clock.now()
    there = store.of_version(run.integration.id, cargo.file_id, cargo.version_id)
    if not sent:
        wanted = {record for _, record in cargo.records}
        refused(
            run,
            [row for row in there if row.record_id not in wanted],
            "The file came to another record's folder before it was sent.",
        )
        there = store.of_version(run.integration.id, cargo.file_id, cargo.version_id)
    ended = (AttachmentState.FAILED, AttachmentState.LEFT_OUT)
    published = any(row.first and row.state not in ended for row in there)
    store.plan(
        [
            Attachment(
                id=run.services.ids.new("att"),
                integration_id=run.integration.id,
                file_id=cargo.file_id,
                version_id=cargo.version_id,
                version_number=cargo.number,
                name=cargo.name,
                size=cargo.size,
                sha1=cargo.sha1,
                record_id=record,
                object=kind,
                first=index == 0 and not published,
                work_id=run.work.id,
                created_at=now,
            )
            for index, (kind, record) in enumerate(cargo.records)
        ]
    )
    return store.of_version(run.integration.id, cargo.file_id, cargo.version_id)


def stored(run: Run, rows: list[Attachment], version: str, *, md5: str = "") -> None:
    """Salesforce holds the version: every row that waited for it says so, and is compared soon."""
    now, store = run.services.clock.now(), run.services.store.attachments
    waiting = [row for row in rows if row.state is AttachmentState.PLANNED]
    if waiting:
        known = md5 or next((row.md5 for row in rows if row.md5), "") or _md5_at_box(run, rows[0])
        for row in waiting:
            store.stored(row.id, content_version_id=version, md5=known, size=row.size, at=now)
    if any(row.state in (AttachmentState.PLANNED, AttachmentState.STORED) for row in rows):
        ask_settle(run)


def refused(run: Run, rows: list[Attachment], note: str) -> None:
    """It cannot come to its records; the rows say why."""
    now = run.services.clock.now()
    for row in rows:
        if row.state is AttachmentState.PLANNED:
            run.services.store.attachments.failed(row.id, note=note[:500], at=now)


def left_out(run: Run, rows: list[Attachment], note: str) -> None:
    """A newer version is there, after which Salesforce takes none that is older; the rows say so.

    So whoever asks whether it arrived is told.
    """
    for row in rows:
        if row.state is AttachmentState.PLANNED:
            run.services.store.attachments.left_out(row.id, note=note[:500])


def probe(run: Run, rows: list[Attachment], sent_at: datetime | None) -> str | None:
    """The ContentVersion in Salesforce that bears this version's mark, the oldest if several do.

    Looked for in the document of the file's other versions; if it is not there, among the files
    that its records got since it was sent, however many they had.
    """
    one = rows[0]
    latest = run.services.store.attachments.latest(run.integration.id, one.file_id)
    known = "" if latest is None else _document_of(run, latest)
    if known and (version := _marked(run, [known], one)) is not None:
        return version
    # A document that was deleted meanwhile is begun anew, as is one of which nothing is known.
    since = () if sent_at is None else (at_least("ContentDocument.CreatedDate", sent_at - _SLACK),)
    documents: dict[str, None] = {}
    for record in dict.fromkeys(row.record_id for row in rows):
        here = equals("LinkedEntityId", record)
        links = select("ContentDocumentLink", ["ContentDocumentId"], here, *since)
        found = salesforce(run).query(links)
        documents |= dict.fromkeys(str(row["ContentDocumentId"]) for row in found)
    return _marked(run, list(documents), one)


def _marked(run: Run, ids: list[str], one: Attachment) -> str | None:
    """The ContentVersion in these documents that bears the mark."""
    crm, fields = salesforce(run), ["Id", "Description", "ContentSize", "CreatedDate"]
    found: list[Record] = []
    for start in range(0, len(ids), _MOST_IDS):
        wanted = one_of("ContentDocumentId", ids[start : start + _MOST_IDS])
        found += [
            row
            for row in crm.query(select("ContentVersion", fields, wanted))
            if has_version_mark(row.get("Description"), one.file_id, one.version_id)
        ]
    # One of another size bears the mark all the same: comparing says so, a repeat would hide it.
    found.sort(key=lambda row: (row["ContentSize"] != one.size, row["CreatedDate"], row["Id"]))
    return str(found[0]["Id"]) if found else None


def _send(
    run: Run,
    cargo: Cargo,
    rows: list[Attachment],
    entry: LedgerEntry,
    *,
    again: bool,
    anew: bool = False,
) -> dict[str, Any]:
    """The one call that makes the ContentVersion; `anew`: not in the document that was."""
    services = run.services
    require_some(run)
    draft = _draft(cargo, "" if anew else _document(run, cargo))
    with box(run).open_file(cargo.file_id, version_id=cargo.version_id) as content:
        passing = Passing(content.pieces, size=cargo.size, sha1=cargo.sha1)
        claimed = services.store.ledger.send(
            entry.key, fence=entry.fence, run_id=run.work.run_id, at=services.clock.now()
        )
        if claimed is None:
            raise Fenced
        try:
            version = salesforce(run).upload(draft, passing)
        except Ambiguous as error:
            if passing.fault is None:
                return find(run, cargo.file_id, cargo.version_id, md5=passing.md5)
            _unsent(run, claimed)  # Salesforce never had it whole
            raise passing.fault from error
        except InkwireError as error:
            # Only Ambiguous says that it may be there; a store that is busy, say, kept the token.
            back = _unsent(run, claimed)
            if passing.fault is not None:
                raise passing.fault from error
            if not isinstance(error, Permanent):
                raise
            refusal = error
        else:
            return _taken(run, entry.key, rows, version, md5=passing.md5, again=again)
    document = draft.document_id
    if document and salesforce(run).record("ContentDocument", document, ["Id"]) is None:
        return _send(run, cargo, rows, back, again=again, anew=True)
    return _refused(run, cargo, rows, refusal)


def _not_now(run: Run) -> dict[str, Any]:
    """Others upload below the same Account; not all of them come back at once."""
    pause = AGAIN_S + zlib.crc32(run.work.id.encode()) % AGAIN_S
    at = run.services.clock.now() + timedelta(seconds=pause)
    why = "Other files are on their way to the same account, one after another."
    return {"again_at": at.isoformat(), "why": why}


def _unsent(run: Run, claimed: LedgerEntry) -> LedgerEntry:
    now = run.services.clock.now()
    back = run.services.store.ledger.unsent(claimed.key, fence=claimed.fence, at=now)
    if back is None:
        raise Fenced
    return back


def _taken(
    run: Run, key: str, rows: list[Attachment], version: str, *, md5: str, again: bool
) -> dict[str, Any]:
    now = run.services.clock.now()
    done = run.services.store.ledger.settle(key, remote_id=version, at=now)
    stored(run, rows, done.remote_id or version, md5=md5)
    note = "sent again, since Salesforce showed nothing of the first time" if again else ""
    return {"version": done.remote_id, "note": note}


def _refused(run: Run, cargo: Cargo, rows: list[Attachment], error: Permanent) -> dict[str, Any]:
    """Salesforce refuses it; a record that was deleted is no dead end, its folder gets another."""
    kind, record = cargo.records[0]
    if salesforce(run).record(kind, record, ["Id"]) is not None:
        refused(run, rows, error.message)
        raise error
    note = f"{kind} {record} is no longer in Salesforce, or the user may not see it."
    gone(run, cargo.folder_id, note=note)
    refused(run, rows, note)
    return {"unmapped": f"{note} Set the metadata of its folder to another record."}


def _draft(cargo: Cargo, document: str) -> FileDraft:
    """A new document on the first record, or a new version of the known one."""
    number = f", version {cargo.number}" if cargo.number else ""
    return FileDraft(
        title=title_of(cargo.name),
        path_on_client=path_of(cargo.name),
        size=cargo.size,
        description=version_mark(cargo.file_id, cargo.version_id),
        publish_to=None if document else cargo.records[0][1],
        document_id=document or None,
        reason=f"From Box{number}" if document else "",
    )


def _document(run: Run, cargo: Cargo) -> str:
    """The document that an earlier version of the file became; "" if there is none."""
    latest = run.services.store.attachments.latest(run.integration.id, cargo.file_id)
    return "" if latest is None else _document_of(run, latest)


def _document_of(run: Run, row: Attachment) -> str:
    """The row's ContentDocument, asked if it was not compared yet; "" if it was deleted."""
    if row.document_id:
        return row.document_id
    found = salesforce(run).record(
        "ContentVersion", row.content_version_id, ["Id", "ContentDocumentId"]
    )
    return "" if found is None else str(found.get("ContentDocumentId") or "")


def _md5_at_box(run: Run, row: Attachment) -> str:
    """MD5 of the version at Box, read once more: the run that sent it did not live to say it.

    "" if Box has it no more: then only the size can be compared.
    """
    try:
        with box(run).open_file(row.file_id, version_id=row.version_id) as content:
            return Passing(content.pieces, size=row.size, sha1=row.sha1).read()
    except Permanent:
        return ""


def _entry(run: Run, cargo: Cargo) -> LedgerEntry:
    return LedgerEntry(
        key=ledger_key(run, cargo.file_id, cargo.version_id),
        kind="attachment",
        integration_id=run.integration.id,
        work_id=run.work.id,
        entity_key=run.work.entity_key,
        state=LedgerState.INTENDED,
        fence=0,
        updated_at=run.services.clock.now(),
    )
