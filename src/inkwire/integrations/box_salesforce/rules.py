"""The rule on the path: which records a folder's name may mean (R50).

Two are a conflict, which a person ends. So a record is only left out for a reason: an opportunity
of another account than the one whose folder stands above is never meant.
"""

import re
from collections.abc import Sequence

from inkwire.engine.contract import Run
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.records import FoundRecord, object_of, read_record
from inkwire.integrations.box_salesforce.settings import Chosen
from inkwire.model.crm import FolderState
from inkwire.providers.box.objects import BoxRef
from inkwire.providers.salesforce.soql import Condition, equals, select
from inkwire.providers.salesforce.standard import whole_id

#: Candidates that a sentence names.
NAMED = 5
_ID_IN_NAME = re.compile(
    r"(?<![A-Za-z0-9])(?:001|006)[A-Za-z0-9]{12}(?:[A-Z0-5]{3})?(?![A-Za-z0-9])"
)


def records_meant(
    run: Run, given: Chosen, name: str, above: Sequence[BoxRef]
) -> tuple[list[FoundRecord], tuple[str, ...]]:
    """The records that a folder's name fits, and ids in it of which Salesforce shows no record.

    `above`: the folders between it and the root folder, nearest last.
    """
    if given.path_rule == "account_id":
        return _by_id(run, name)
    return _by_name(run, given, name, above), ()


def _by_id(run: Run, name: str) -> tuple[list[FoundRecord], tuple[str, ...]]:
    """The records whose ids stand in a name, and the ids of those that are not there."""
    crm, found, hidden = salesforce(run), [], []
    wanted = dict.fromkeys(filter(None, map(whole_id, _ID_IN_NAME.findall(name))))
    for one in list(wanted)[:NAMED]:
        kind = object_of(crm, one)
        record = read_record(crm, kind, one) if kind is not None else None
        if record is not None:
            found.append(record)
        else:
            hidden.append(one)
    return found, tuple(hidden)


def _by_name(run: Run, given: Chosen, name: str, above: Sequence[BoxRef]) -> list[FoundRecord]:
    """Opportunities and accounts of that name; the folder above narrows opportunities down."""
    if name in _own_names(given):
        return []  # Contracts, Proposals: names that our own tree gives, not records
    found, narrowed = _opportunities(run, name, above)
    if narrowed and len(found) == 1:
        return found
    return [*found, *_accounts(run, name)]


def _opportunities(run: Run, name: str, above: Sequence[BoxRef]) -> tuple[list[FoundRecord], bool]:
    """Those of the account whose folder stands above, and whether one does; else any account's."""
    parent = above[-1].name if above else ""
    if account := _account_above(run, above):
        return _deals(run, name, equals("AccountId", account)), True
    if parent and (found := _deals(run, name, equals("Account.Name", parent))):
        return found, True
    found = _deals(run, name)
    if found and parent and _accounts(run, parent):
        return [], True
    return found, False


def _account_above(run: Run, above: Sequence[BoxRef]) -> str:
    """The account of the nearest folder above whose record is known; "" without."""
    known = run.services.store.record_folders.known(run.integration.id, [ref.id for ref in above])
    for ref in reversed(above):
        row = known.get(ref.id)
        if row is not None and row.state is FolderState.MAPPED and row.account_id:
            return row.account_id
    return ""


def _deals(run: Run, name: str, *of: Condition) -> list[FoundRecord]:
    query = select(
        "Opportunity", ["Id", "Name", "AccountId"], equals("Name", name), *of, limit=NAMED + 1
    )
    return [
        FoundRecord(
            object="Opportunity",
            id=str(row["Id"]),
            name=str(row["Name"]),
            account_id=str(row["AccountId"]) if row.get("AccountId") else None,
        )
        for row in salesforce(run).query(query)
    ]


def _accounts(run: Run, name: str) -> list[FoundRecord]:
    query = select("Account", ["Id", "Name"], equals("Name", name), limit=NAMED + 1)
    return [
        FoundRecord(
            object="Account", id=str(row["Id"]), name=str(row["Name"]), account_id=str(row["Id"])
        )
        for row in salesforce(run).query(query)
    ]


def _own_names(given: Chosen) -> set[str]:
    """Names in the folder tree that stand for no record."""
    return {part for line in given.folder_tree for part in line.split("/") if "{" not in part}
