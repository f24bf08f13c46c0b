"""The folder's address in a field of its record, written once."""

from inkwire.engine.contract import Run
from inkwire.errors import Permanent
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.settings import chosen
from inkwire.model.work import LedgerEntry, LedgerState

#: Where people see a folder.
_ADDRESS = "https://app.box.com/folder/"


def link_back(run: Run, folder_id: str) -> str:
    """Writes it, unless that was done or it stands there; a sentence if that does not work, or "".

    The write moves the record's SystemModstamp, so its next poll comes back here: the ledger's
    entry keeps that from going round.
    """
    field = chosen(run.integration).link_field
    object_name, record_id = run.work.subject["object"], run.work.subject["record_id"]
    ledger, now = run.services.store.ledger, run.services.clock.now()
    key = f"link/{run.integration.id}/{record_id}/{field}/{folder_id}"
    known = ledger.get(key)
    if not field or (known is not None and known.state is LedgerState.DONE):
        return ""
    crm, address = salesforce(run), f"{_ADDRESS}{folder_id}"
    described = crm.describe(object_name)
    there = described.fields.get(field) if described is not None else None
    if there is None or not there.updateable:
        why = "has no field" if there is None else "does not let this user change the field"
        return f"The folder's address was not written: {object_name} {why} {field}."
    ledger.intend(
        LedgerEntry(
            key=key,
            kind="link",
            integration_id=run.integration.id,
            work_id=run.work.id,
            entity_key=run.work.entity_key,
            state=LedgerState.INTENDED,
            fence=0,
            updated_at=now,
        )
    )
    try:
        record = crm.record(object_name, record_id, [field])
        if record is not None and record.get(field) != address:
            crm.update(object_name, record_id, {field: address})
    except Permanent as error:
        return f"The folder's address was not written: {error.message}"
    ledger.settle(key, remote_id=record_id, at=now)
    return ""
