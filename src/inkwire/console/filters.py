"""The event list's filters: they live in the URL, so that a view can be sent as a link."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from inkwire.console.words import STATE_WORDS
from inkwire.errors import InvalidInput
from inkwire.model.event import EventState
from inkwire.pages.inputs import PAGE, RANGES, moment
from inkwire.providers.payload import MAX_TERM
from inkwire.store.contract import EventQuery

_LABELS = {
    "q": "Search",
    "type": "Type",
    "source": "Source",
    "entity": "About",
    "state": "State",
    "range": "Received",
    "since": "From",
    "until": "To",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What the list is limited to, as texts of the URL; empty ones are off."""

    q: str = ""
    type: str = ""
    source: str = ""
    entity: str = ""
    state: str = ""
    range: str = ""
    since: str = ""
    until: str = ""

    def given(self) -> dict[str, str]:
        """The filters that are on, by name."""
        return {name: value for name in _LABELS if (value := getattr(self, name))}

    def without(self, name: str) -> dict[str, str]:
        """The filters that stay when `name` is taken off."""
        return {key: value for key, value in self.given().items() if key != name}

    def chips(self, sources: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """(name, label, value) of each filter that is on; `sources`: names by id."""
        return [(name, _LABELS[name], self._shown(name, sources)) for name in self.given()]

    def _shown(self, name: str, sources: Mapping[str, str]) -> str:
        value: str = getattr(self, name)
        if name == "state" and value in set(EventState):
            return STATE_WORDS[EventState(value)]
        if name == "range" and value in RANGES:
            return RANGES[value][0].lower()
        if name == "source":
            return sources.get(value, value)
        if name in ("since", "until"):
            return f"{value.replace('T', ' ')} UTC"
        return value

    def query(
        self, now: datetime, *, before: str = "", after: str = "", limit: int = PAGE
    ) -> EventQuery:
        """The store's query. Raises InvalidInput naming each filter that cannot be read."""
        wrong: dict[str, str] = {}
        if len(self.q) > MAX_TERM:
            wrong["q"] = f"must be at most {MAX_TERM} characters"
        if self.state and self.state not in set(EventState):
            wrong["state"] = f"must be one of: {', '.join(EventState)}"
        if self.range and self.range not in RANGES:
            wrong["range"] = f"must be one of: {', '.join(RANGES)}"
        since, until = moment("since", self.since, wrong), moment("until", self.until, wrong)
        if wrong:
            raise InvalidInput(fields=wrong)
        if self.range:
            reach = now - RANGES[self.range][1]
            since = reach if since is None else max(since, reach)
        return EventQuery(
            text=self.q or None,
            source_id=self.source or None,
            type=self.type or None,
            entity_key=self.entity or None,
            state=EventState(self.state) if self.state else None,
            since=since,
            until=until,
            before=before or None,
            after=after or None,
            limit=limit,
        )
