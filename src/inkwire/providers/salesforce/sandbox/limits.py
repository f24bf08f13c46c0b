"""The day's calls: a rolling window of 24 hours, counted by the minute."""

from datetime import timedelta

from inkwire.moments import to_micros
from inkwire.providers.salesforce.sandbox.answers import SalesforceError
from inkwire.providers.sandboxing import Doc, Stage

_USED, _SET = "sf_used", "sf_limit"
#: Calls of a day unless set otherwise.
MOST = 100_000
_WINDOW = timedelta(days=1)
_MINUTE = 60_000_000


class Limits:
    """Counts calls, and refuses those above the limit."""

    def __init__(self, stage: Stage) -> None:
        """Reads what was counted before."""
        self._state = stage.state
        self._clock = stage.clock
        self._minutes = {doc["minute"]: int(doc["count"]) for _, doc in self._state.find(_USED)}
        self.most = int((self._state.get(_SET, "1") or {"most": MOST})["most"])

    def used(self) -> int:
        """Calls of the last 24 hours."""
        oldest = (to_micros(self._clock.now() - _WINDOW)) // _MINUTE
        for minute in [one for one in self._minutes if one <= oldest]:
            del self._minutes[minute]
            self._state.drop(_USED, str(minute))
        return sum(self._minutes.values())

    def count(self, calls: int = 1) -> None:
        """So many calls now. Raises SalesforceError 403 if the day has none left."""
        if self.used() >= self.most:
            raise SalesforceError(
                "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", None, status=403
            )
        self._add(calls)

    def set(self, *, most: int | None = None, used: int | None = None) -> None:
        """Sets the limit, and what is used as if it had been used now."""
        if most is not None:
            self.most = most
            self._state.put(_SET, "1", {"most": most})
        if used is not None:
            for minute in list(self._minutes):
                del self._minutes[minute]
                self._state.drop(_USED, str(minute))
            self._add(used)

    def header(self) -> str:
        """The value of `Sforce-Limit-Info`."""
        return f"api-usage={self.used()}/{self.most}"

    def shown(self) -> Doc:
        """As GET /limits answers."""
        left = max(0, self.most - self.used())
        return {
            "DailyApiRequests": {"Max": self.most, "Remaining": left},
            "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
            "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
            "DataStorageMB": {"Max": 1024, "Remaining": 1000},
            "FileStorageMB": {"Max": 102_400, "Remaining": 100_000},
        }

    def _add(self, calls: int) -> None:
        minute = to_micros(self._clock.now()) // _MINUTE
        self._minutes[minute] = self._minutes.get(minute, 0) + calls
        self._state.put(_USED, str(minute), {"minute": minute, "count": self._minutes[minute]})
