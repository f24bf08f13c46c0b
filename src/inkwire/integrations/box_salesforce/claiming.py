"""Whose folder it is, as its metadata at Box says (R51, R52, R67).

The instance is made at Box in one step and only once, so of two records that want one folder the
one that made it has it, whichever worker asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from inkwire.engine.contract import Run
from inkwire.errors import Permanent, Transient
from inkwire.integrations.box_salesforce.clients import box
from inkwire.integrations.box_salesforce.settings import Chosen, chosen
from inkwire.integrations.box_salesforce.tree import OPPORTUNITY
from inkwire.providers.box.client import BoxClient
from inkwire.providers.salesforce import ids

#: In `remote`: the template that was found, and its fields.
_KNOWN = "mapping_fields"
#: Field of an opportunity's id in any template, and of the object's name.
_OPPORTUNITY, _ACCOUNT, _RECORD, _OBJECT = "opportunity_id", "account_id", "record_id", "object"
#: Times that a patch is made anew because somebody changed the instance meanwhile.
_TRIES = 3


def ensure_template(run: Run) -> list[str]:
    """The template's fields; it is made if it is missing.

    Raises Permanent that says who has to make it, and how, if this user may not.
    """
    template = chosen(run.integration).mapping_template
    if known := _known(run):
        return known
    keys = box(run).metadata_template(template)
    if keys is None:
        _make(run, template)
        keys = box(run).metadata_template(template)
    if keys is None:
        raise Transient(f"Box does not show the metadata template {template} yet.")
    run.services.store.integrations.set_remote(
        run.integration.id, {_KNOWN: ",".join((template, *keys))}
    )
    return list(keys)


def values_for(
    run: Run, *, object_name: str, record_id: str, account_id: str | None
) -> dict[str, str]:
    """What the instance on a record's folder says, in the fields that the template has.

    Raises Permanent if it has none that could name the record.
    """
    given, keys = chosen(run.integration), ensure_template(run)
    names: dict[str, str | None] = {}
    for field in given.record_fields:
        if field == _OPPORTUNITY:
            names[field] = record_id if object_name == OPPORTUNITY else None
        else:
            names[field] = account_id if field in {given.account_field, _ACCOUNT} else record_id
    if given.account_field:
        names[given.account_field] = account_id
    values = {key: text for key, text in (names | {_OBJECT: object_name}).items() if text}
    kept = {key: text for key, text in values.items() if key in keys}
    if owner_of(kept, given.record_fields) != record_id:
        raise Permanent(
            f"The metadata template {given.mapping_template} has no text field that could name "
            f"the record. A Box admin adds one of {', '.join(given.record_fields)} to it (Admin "
            "Console > Content > Metadata); then retry."
        )
    return kept


def owner_of(values: Mapping[str, Any], fields: Sequence[str]) -> str:
    """The record that an instance names: the first field that is filled; "" for none."""
    return next((str(values[key]).strip() for key in fields if values.get(key)), "")


def claim(run: Run, folder_id: str, values: Mapping[str, str], *, record_id: str) -> bool:
    """Marks the folder as that record's; False if it is another's.

    An instance that is there is brought up to date by a patch that holds only if nobody changed
    it meanwhile. Raises Transient if somebody always does.
    """
    given, client = chosen(run.integration), box(run)
    try:
        if client.create_metadata(folder_id, given.mapping_template, values):
            return True
    except Permanent:
        # Perhaps the template is another one by now: it is looked for again before the retry.
        run.services.store.integrations.set_remote(run.integration.id, {_KNOWN: ""})
        raise
    return update(client, given, folder_id, values, record_id=record_id)


def update(
    client: BoxClient, given: Chosen, folder_id: str, values: Mapping[str, str], *, record_id: str
) -> bool:
    """Brings the instance that is there up to date; False if it is another record's."""
    for _ in range(_TRIES):
        there = client.metadata(folder_id, given.mapping_template)
        if there is None:
            if client.create_metadata(folder_id, given.mapping_template, values):
                return True
            continue
        owner = owner_of(there, given.record_fields)
        if owner and not ids.same(owner, record_id):
            return False
        operations = patch(there, values)
        if not operations:
            return True
        if client.change_metadata(folder_id, given.mapping_template, operations) is not None:
            return True
    raise Transient(f"The metadata of folder {folder_id} changes all the time; it is tried again.")


def patch(there: Mapping[str, Any], values: Mapping[str, str]) -> list[dict[str, Any]]:
    """The JSON patch from what is there to the values; each change tests what it replaces."""
    operations: list[dict[str, Any]] = []
    for key, text in values.items():
        path = f"/{key.replace('~', '~0').replace('/', '~1')}"
        if key not in there:
            operations.append({"op": "add", "path": path, "value": text})
        elif there[key] != text:
            operations.append({"op": "test", "path": path, "value": there[key]})
            operations.append({"op": "replace", "path": path, "value": text})
    return operations


def _known(run: Run) -> list[str]:
    """The template's fields if it was found under its present name."""
    remote = run.services.store.integrations.get(run.integration.id).remote
    name, *keys = remote.get(_KNOWN, "").split(",")
    return keys if name == chosen(run.integration).mapping_template else []


def _make(run: Run, template: str) -> None:
    fields = (_OPPORTUNITY, _ACCOUNT, _RECORD, _OBJECT)
    given = chosen(run.integration)
    own = (*given.record_fields, *filter(None, (given.account_field,)))
    # Text fields hold mapped values of every type.
    mapped = (rule.field for rule in given.mapped.lines)
    wanted = tuple(dict.fromkeys((*fields, *own, *mapped)))
    try:
        box(run).create_metadata_template(template, "Salesforce mapping", wanted)
    except Permanent as error:
        raise Permanent(
            f"Box has no metadata template {template}, and this user may not make it "
            f"({error.message}) A Box admin makes it: Admin Console > Content > Metadata > New "
            f"Template, with the key {template} and the text fields {', '.join(wanted)}; then "
            "retry."
        ) from error
