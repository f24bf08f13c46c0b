"""What Salesforce works out by itself for people, deals and tasks; and an organisation's rules."""

from typing import Any

from inkwire.providers.salesforce.sandbox.answers import SalesforceError
from inkwire.providers.salesforce.sandbox.writing import Change, Writer
from inkwire.providers.sandboxing import Doc


class Deals:
    """The hooks of Account, Contact, Lead, Opportunity, Task and User."""

    def __init__(self, writer: Writer) -> None:
        """Hangs itself into `writer`."""
        self._writer = writer
        self._records = writer.records
        for name in ("Contact", "Lead", "User"):
            writer.before.setdefault(name, []).append(self._named)
        writer.before.setdefault("Opportunity", []).append(self._staged)
        writer.before.setdefault("Task", []).append(self._activity)
        for one in ("Account", "Contact", "Lead", "Opportunity"):
            writer.on_delete.setdefault(one, []).append(self._take_along)

    def _named(self, change: Change) -> None:
        record = change.record
        names = (record.get("FirstName"), record.get("LastName"))
        record["Name"] = " ".join(name for name in names if name) or None

    def _staged(self, change: Change) -> None:
        """Closed, won, probability and forecast follow the stage; a stage of no list stands."""
        record = change.record
        stage = self._row("OpportunityStage", record.get("StageName"))
        moved = change.before is None or change.before["StageName"] != record["StageName"]
        if stage is None:
            record |= {"IsClosed": False, "IsWon": False}
            return
        record |= {"IsClosed": stage["IsClosed"], "IsWon": stage["IsWon"]}
        if moved and "Probability" not in change.given:
            record["Probability"] = stage["DefaultProbability"]
        if moved and "ForecastCategoryName" not in change.given:
            record["ForecastCategoryName"] = stage["ForecastCategoryName"]

    def _activity(self, change: Change) -> None:
        """Who and what of a Task: which may stand together, and the Account of both."""
        record, fields = change.record, change.one.fields
        who, what = record.get("WhoId"), record.get("WhatId")
        account = None
        if who is not None:
            one, found = self._writer.target(fields["WhoId"], who)
            if one.name == "Lead" and what is not None:
                raise SalesforceError(
                    "FIELD_INTEGRITY_EXCEPTION",
                    "Related To ID: a task of a lead cannot be related to another record",
                    ["WhatId"],
                )
            account = found.get("AccountId")
        if what is not None:
            one, found = self._writer.target(fields["WhatId"], what)
            of_what = found["Id"] if one.name == "Account" else found.get("AccountId")
            account = of_what or account
        record["AccountId"] = account
        status = self._row("TaskStatus", record.get("Status"))
        closed = bool(status and status["IsClosed"])
        if closed and not record.get("CompletedDateTime"):
            record["CompletedDateTime"] = record["LastModifiedDate"]
        elif not closed:
            record["CompletedDateTime"] = None
        record |= {"IsClosed": closed, "IsHighPriority": record.get("Priority") == "High"}

    def _take_along(self, change: Change) -> None:
        """With a record go its children, tasks and links of files."""
        records, gone = self._records, change.record["Id"]
        children: list[tuple[str, str]] = []
        if change.one.name == "Account":
            children = [("Opportunity", "AccountId"), ("Contact", "AccountId")]
        if change.one.name == "Opportunity":
            children = [("OpportunityContactRole", "OpportunityId")]
        children += [("Task", "WhatId"), ("Task", "WhoId")]
        for name, field in children:
            for child in records.linked(name, field, gone):
                # A child may have gone with another parent in the meantime.
                if one := records.schema.object(name):
                    self._writer.delete(one, child["Id"], change.user_id, admin=True)
        for link in records.linked("ContentDocumentLink", "LinkedEntityId", gone):
            one = records.schema.object("ContentDocumentLink")
            if one:
                self._writer.touch(one, link, change.user_id, IsDeleted=True)

    def _row(self, name: str, label: Any) -> Doc | None:
        """A row of a list of the organisation's set-up."""
        return next((one for one in self._records.all(name) if one["MasterLabel"] == label), None)
