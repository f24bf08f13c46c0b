"""A record as its folder needs it, read once in each execution of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inkwire.engine.contract import Run
from inkwire.errors import Transient
from inkwire.integrations.box_salesforce.clients import salesforce
from inkwire.integrations.box_salesforce.tree import ACCOUNT
from inkwire.providers.salesforce.soql import equals, select


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A record as its folder needs it."""

    object: str
    id: str
    name: str
    account_id: str | None
    account_name: str
    owner_email: str

    @property
    def account(self) -> "Seen":
        """Its account; of the owner nothing is known."""
        return Seen(
            object=ACCOUNT,
            id=self.account_id or "",
            name=self.account_name,
            account_id=self.account_id,
            account_name=self.account_name,
            owner_email="",
        )


class Reader:
    """Reads the record once in each execution of a run: its texts are not for the journal."""

    def __init__(self, run: Run) -> None:
        """Of the run's subject."""
        self._run = run
        self._seen: Seen | None = None

    @property
    def title(self) -> str:
        """Of the record, if it was read already."""
        object_name, record_id = (
            self._run.work.subject["object"],
            self._run.work.subject["record_id"],
        )
        name = f" “{self._seen.name}”" if self._seen is not None else f" {record_id}"
        return f"{object_name}{name}"

    def read(self) -> Seen | None:
        """One call; None if it is deleted, or not to be seen."""
        object_name, record_id = (
            self._run.work.subject["object"],
            self._run.work.subject["record_id"],
        )
        fields = ["Id", "Name", "OwnerId", "Owner.Email"]
        if object_name != ACCOUNT:
            fields += ["AccountId", "Account.Name"]
        query = select(object_name, fields, equals("Id", record_id))
        for row in salesforce(self._run).query(query, most=1):
            self._seen = _seen(object_name, row)
        return self._seen

    def of(self, which: str) -> Seen:
        """The record, or its account. Raises as `seen` does."""
        found = self.seen()
        return found if which == found.object else found.account

    def seen(self) -> Seen:
        """The record. Raises Transient if it is gone meanwhile."""
        found = self._seen or self.read()
        if found is None:
            raise Transient(f"{self.title} was deleted meanwhile; the next run notes that.")
        return found


def _seen(object_name: str, row: Mapping[str, Any]) -> Seen:
    record_id = str(row["Id"])
    account, owner = row.get("Account") or {}, row.get("Owner") or {}
    account_id = record_id if object_name == ACCOUNT else row.get("AccountId") or None
    name = str(row.get("Name") or "")
    return Seen(
        object=object_name,
        id=record_id,
        name=name,
        account_id=account_id,
        account_name=name if object_name == ACCOUNT else str(account.get("Name") or ""),
        owner_email=str(owner.get("Email") or ""),
    )
