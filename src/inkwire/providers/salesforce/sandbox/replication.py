"""What was changed or deleted in a time: `/updated`, `/deleted`; and `/limits`."""

from datetime import datetime, timedelta

from inkwire.providers.salesforce.sandbox import values
from inkwire.providers.salesforce.sandbox.answers import Reply, SalesforceError, stamp
from inkwire.providers.salesforce.sandbox.api import Call, Entry
from inkwire.providers.salesforce.sandbox.limits import Limits
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.rows import Rows
from inkwire.providers.sandboxing import SandboxClock

#: How far back Salesforce looks.
HORIZON = timedelta(days=30)


class Replication:
    """Looks for changes by the stamps of the records."""

    def __init__(self, records: Records, rows: Rows, limits: Limits, clock: SandboxClock) -> None:
        """`rows`: finds objects."""
        self._records = records
        self._rows = rows
        self._limits = limits
        self._clock = clock

    def entries(self) -> list[Entry]:
        """The calls; they stand before those of a record."""
        one = "/sobjects/{object}"
        return [
            Entry(path="/limits", handlers={"GET": self._limits_shown}),
            Entry(path=f"{one}/updated", handlers={"GET": self._updated}),
            Entry(path=f"{one}/deleted", handlers={"GET": self._deleted}),
        ]

    def _limits_shown(self, call: Call) -> Reply:
        return Reply(body=self._limits.shown())

    def _updated(self, call: Call) -> Reply:
        one, (start, end) = self._rows.object(call), self._span(call)
        first, last = stamp(start), stamp(end)
        found = [
            record["Id"]
            for record in self._records.all(one.name)
            if not record["IsDeleted"] and first <= record["SystemModstamp"] < last
        ]
        return Reply(body={"ids": found, "latestDateCovered": self._covered(end)})

    def _deleted(self, call: Call) -> Reply:
        one, (start, end) = self._rows.object(call), self._span(call)
        first, last = stamp(start), stamp(end)
        found = [
            {"id": record["Id"], "deletedDate": record["SystemModstamp"]}
            for record in self._records.all(one.name)
            if record["IsDeleted"] and first <= record["SystemModstamp"] < last
        ]
        body = {
            "deletedRecords": found,
            "earliestDateAvailable": stamp(self._clock.now() - HORIZON),
            "latestDateCovered": self._covered(end),
        }
        return Reply(body=body)

    def _covered(self, end: datetime) -> str:
        """Up to the oldest open transaction, whose rows are stamped and not yet to be seen."""
        whole = self._clock.now().replace(second=0, microsecond=0)
        found = stamp(min(end, whole))
        opened = [str(doc["record"]["SystemModstamp"]) for doc in self._records.open_transactions()]
        return min([found, *opened])

    def _span(self, call: Call) -> tuple[datetime, datetime]:
        """Start and end in whole minutes. Raises SalesforceError INVALID_REPLICATION_DATE."""
        found = []
        for name in ("start", "end"):
            # A plus that was not escaped came as a blank.
            text = call.query.get(name, "").replace(" ", "+")
            moment = values.moment(text)
            if moment is None:
                raise SalesforceError(
                    "INVALID_REPLICATION_DATE",
                    f"{name} must be a date and time, e.g. 2026-11-22T00:00:00Z",
                    None,
                )
            found.append(moment.replace(second=0, microsecond=0))
        start, end = found
        if start >= end:
            raise SalesforceError(
                "INVALID_REPLICATION_DATE", "startDate must be before endDate", None
            )
        if start < self._clock.now() - HORIZON - timedelta(minutes=1):
            raise SalesforceError(
                "INVALID_REPLICATION_DATE", "startDate before org replication enabled date", None
            )
        return start, end
