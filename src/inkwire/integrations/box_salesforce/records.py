"""Salesforce records: which object an id belongs to, their names and their accounts."""

from dataclasses import dataclass

from inkwire.errors import Permanent
from inkwire.providers.salesforce import standard
from inkwire.providers.salesforce.client import SalesforceClient
from inkwire.providers.salesforce.soql import equals, select

#: Field that holds a record's name, if it is not `Name`.
_NAMED_BY = {"Case": "CaseNumber", "Contract": "ContractNumber"}
_OF_AN_ACCOUNT = frozenset({"Contact", "Opportunity", "Case", "Contract"})
_USUAL = _OF_AN_ACCOUNT | {"Account", "Lead", "Campaign"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundRecord:
    """A record that is there."""

    object: str
    #: 18 characters.
    id: str
    name: str
    #: Its account, itself for an Account; None if it has none.
    account_id: str | None


def object_of(crm: SalesforceClient, record: str) -> str | None:
    """The object's name; None if the organisation has none with such ids."""
    known = standard.object_of(record)
    if known is not None:
        return known
    wanted = select("EntityDefinition", ["QualifiedApiName"], equals("KeyPrefix", record[:3]))
    try:
        for row in crm.query(wanted, most=1):
            return str(row["QualifiedApiName"])
    except Permanent:
        return None  # an organisation that does not tell of its objects
    return None


def read_record(crm: SalesforceClient, object_name: str, record: str) -> FoundRecord | None:
    """The record; None if it is deleted, or not to be seen. One call for the usual objects."""
    named_by, has_account = _NAMED_BY.get(object_name, "Name"), object_name in _OF_AN_ACCOUNT
    if object_name not in _USUAL:
        described = crm.describe(object_name)
        fields = described.fields if described is not None else {}
        named_by = "Name" if "Name" in fields else "Id"
        has_account = "AccountId" in fields
    wanted = ["Id", named_by, *(["AccountId"] if has_account else [])]
    row = crm.record(object_name, record, list(dict.fromkeys(wanted)))
    if row is None:
        return None
    found = str(row.get("Id") or record)
    account = found if object_name == "Account" else row.get("AccountId")
    return FoundRecord(
        object=object_name,
        id=found,
        name=str(row.get(named_by) or ""),
        account_id=str(account) if account else None,
    )
