"""The journal: every call that the sandbox saw, and counters by method and path template."""

from dataclasses import dataclass
from typing import Any

from inkwire.providers.sandboxing import Doc, SandboxClock
from inkwire.sandbox.state import FileState

_LINE, _COUNT = "journal", "journal_count"
#: Calls that are kept; counters go on.
MOST = 20_000
_EVERY = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One call as it was seen."""

    method: str
    path: str
    #: The route: `/2.0/folders/{id}`.
    template: str
    #: What was answered, or would have been; None: nothing was done.
    status: int | None
    #: Kind of the fault that befell it; empty: none.
    fault: str = ""
    #: Whether it carried an Authorization header.
    authorized: bool = False
    #: The JSON body, if it is one and small.
    body: Any = None


class Journal:
    """Calls in the order in which they were done."""

    def __init__(self, state: FileState, clock: SandboxClock) -> None:
        """`state` keeps them; `clock` dates them."""
        self._state = state
        self._clock = clock

    def write(self, seen: Seen) -> None:
        """Keeps one call and counts it."""
        number = self._state.number(_LINE)
        line = {
            "number": number,
            "at": self._clock.now().isoformat(),
            "method": seen.method,
            "path": seen.path,
            "template": seen.template,
            "status": seen.status,
            "fault": seen.fault,
            "authorized": seen.authorized,
            "body": seen.body,
        }
        name = f"{seen.method} {seen.template}"
        with self._state.change():
            self._state.put(_LINE, str(number), line)
            count = self._state.get(_COUNT, name) or {"call": name, "count": 0}
            self._state.put(_COUNT, name, count | {"count": count["count"] + 1})
            if number % _EVERY == 0:
                self._trim()

    def lines(self, *, limit: int = 1000) -> list[Doc]:
        """The newest calls, newest first."""
        return [line for _, line in self._state.find(_LINE, newest=True, limit=limit)]

    def counts(self) -> dict[str, int]:
        """`POST /2.0/sign_requests` → how often it came, since the journal was last cleared."""
        found = {doc["call"]: doc["count"] for _, doc in self._state.find(_COUNT)}
        return dict(sorted(found.items()))

    def clear(self) -> None:
        """Forgets lines and counters."""
        with self._state.change():
            for kind in (_LINE, _COUNT):
                self._state.drop_before(kind, 2**62)

    def _trim(self) -> None:
        oldest = self._state.find(_LINE, newest=True, limit=MOST + 1)[MOST:]
        if oldest:
            self._state.drop_before(_LINE, oldest[0][0])
