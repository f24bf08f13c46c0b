"""What was stored is compared with what was read from Box, and linked to further records.

Two hundred at once: one query, and one call for the links. A link that is there already is success,
whoever made it (reference of ContentDocumentLink: a document is linked to a record once).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from inkwire.engine.contract import Outcome, Run
from inkwire.errors import Ambiguous, Transient
from inkwire.integrations.box_salesforce.asking import require_budget
from inkwire.integrations.box_salesforce.attaching import ledger_key
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.crm import Attachment
from inkwire.providers.salesforce.client import MOST_ROWS
from inkwire.providers.salesforce.objects import Record, RowResult
from inkwire.providers.salesforce.soql import one_of, select
from inkwire.providers.salesforce.standard import whole_id

#: Batches of one run.
_BATCHES = 25
#: Seconds until rows that were locked are tried again.
_AGAIN_S = 60.0
#: Codes of rows that the same again may mend.
TRANSIENT_CODES = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "UNKNOWN_EXCEPTION",
        "SERVER_UNAVAILABLE",
        "REQUEST_LIMIT_EXCEEDED",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    }
)
_FIELDS = ("Id", "ContentDocumentId", "Checksum", "ContentSize", "FirstPublishLocationId")


async def settle(run: Run) -> Outcome:
    """Compares and links what waits, batch by batch."""
    verified = failed = later = 0
    for number in range(1, _BATCHES + 1):
        did = await run.step(
            f"settle:{number}",
            lambda: _batch(run),
            plan="Compare and link up to 200 files in Salesforce",
            pretend={"verified": 0, "failed": 0, "later": 0, "more": False},
        )
        verified, failed, later = verified + did["verified"], failed + did["failed"], did["later"]
        if not did["more"]:
            break
    note = f"{verified} attachments were verified, {failed} failed."
    if later:
        at = run.services.clock.now() + timedelta(seconds=_AGAIN_S)
        return Outcome.later(f"{note} {later} are looked at again.", at=at)
    return Outcome.done(note)


def _batch(run: Run) -> dict[str, Any]:
    """How many were `verified`, `failed` and left for `later`; whether there may be `more`."""
    store = run.services.store.attachments
    rows = [
        (row, row.content_version_id or _sent_as(run, row))
        for row in store.unsettled(run.integration.id, limit=MOST_ROWS)
    ]
    rows = [(row, version) for row, version in rows if version]
    if not rows:
        return {"verified": 0, "failed": 0, "later": 0, "more": False}
    require_budget(run)
    versions = list(dict.fromkeys(version for _, version in rows))
    wanted = select("ContentVersion", list(_FIELDS), one_of("Id", versions))
    there = {str(one["Id"]): one for one in salesforce(run).query(wanted)}
    verified = failed = 0
    to_link: list[tuple[Attachment, Record]] = []
    later = 0
    for row, version in rows:
        found = there.get(version)
        if found is not None and not found.get("Checksum"):
            later += 1
        elif wrong := _wrong(row, found):
            _fail(run, row, wrong)
            failed += 1
        elif found is not None and _is_on(found, row.record_id):
            _verify(run, row, found)
            verified += 1
        elif found is not None:
            to_link.append((row, found))
    for (row, found), result in zip(to_link, _link(run, to_link), strict=True):
        if result.ok or result.code == "DUPLICATE_VALUE":
            _verify(run, row, found)
            verified += 1
        elif result.code in TRANSIENT_CODES:
            later += 1
        else:
            _fail(run, row, _unlinked(row, result))
            failed += 1
    more = len(rows) == MOST_ROWS and verified + failed > 0
    return {"verified": verified, "failed": failed, "later": later, "more": more}


def _wrong(row: Attachment, found: Record | None) -> str:
    """What is wrong with the version in Salesforce; "" if nothing is."""
    if found is None:
        return (
            "Salesforce shows the file no more: it was deleted there. Retry its work to have it "
            "looked at again, or upload a new version in Box."
        )
    size, md5 = int(found.get("ContentSize") or 0), str(found["Checksum"]).lower()
    if size != row.size:
        return f"Salesforce holds {size} bytes and not the {row.size} of Box; delete it there."
    if row.md5 and md5 != row.md5:
        return f"Salesforce holds other bytes than Box (MD5 {md5}, not {row.md5}); delete it there."
    return ""


def _is_on(found: Record, record: str) -> bool:
    """Whether it was published to that record, which links it in the same transaction."""
    return whole_id(str(found.get("FirstPublishLocationId") or "")) == record


def _link(run: Run, to_link: Sequence[tuple[Attachment, Record]]) -> list[RowResult]:
    if not to_link:
        return []
    given = chosen(run.integration)
    rows: list[Mapping[str, Any]] = [
        {
            "ContentDocumentId": found["ContentDocumentId"],
            "LinkedEntityId": row.record_id,
            "ShareType": given.share_type,
            "Visibility": given.visibility,
        }
        for row, found in to_link
    ]
    try:
        return salesforce(run).create_rows("ContentDocumentLink", rows)
    except Ambiguous as error:
        # The same again does no harm: a link that was made is refused as a duplicate.
        raise Transient(error.message) from error


def _unlinked(row: Attachment, result: RowResult) -> str:
    text = f"Salesforce does not link it to {row.object} {row.record_id}: {result.message}"
    if result.code == "FIELD_INTEGRITY_EXCEPTION":
        text += (
            f" Check that {row.object} takes files: its page layout needs the related list Files."
        )
    return text


def _verify(run: Run, row: Attachment, found: Record) -> None:
    run.services.store.attachments.verified(
        row.id,
        document_id=str(found["ContentDocumentId"]),
        content_version_id=str(found["Id"]),
        at=run.services.clock.now(),
    )


def _fail(run: Run, row: Attachment, note: str) -> None:
    run.services.store.attachments.failed(row.id, note=note[:500], at=run.services.clock.now())


def _sent_as(run: Run, row: Attachment) -> str:
    """The ContentVersion of a link's version; "" while it is on its way."""
    entry = run.services.store.ledger.get(ledger_key(run, row.file_id, row.version_id))
    return (entry.remote_id or "") if entry is not None else ""
