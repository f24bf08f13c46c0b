"""Faults by rule: what is to go wrong, for which call or webhook event, and how often."""

import re
from collections.abc import Mapping
from typing import Any

from inkwire.errors import InvalidInput, NotFound
from inkwire.providers.sandboxing import Doc, Documents, Fault

_RULE = "fault"
#: Kinds that befall a call of the API.
CALLS = {
    "status": "answer with `status` (and Retry-After) without doing anything",
    "reset_before_commit": "drop the connection; nothing is done",
    "reset_after_commit": "do it, then drop the connection without an answer",
    "late_commit": "drop the connection at once and do it `delay_s` later",
    "slow": "wait `delay_s`, then go on as ever",
}
#: Kinds that befall a webhook event.
EVENTS = {
    "lost": "the event is never sent",
    "duplicate": "the event is sent `times` times",
    "reorder": "the event is held back for `delay_s`, so that later ones overtake it",
}
_LONGEST_S = 7 * 86_400.0


class FaultRules:
    """The rules, kept in the state with how often each has matched."""

    def __init__(self, state: Documents) -> None:
        """`state`: where they are kept."""
        self._state = state

    def add(self, given: Mapping[str, Any]) -> Doc:
        """A new rule. Raises InvalidInput that names each field that does not fit."""
        rule, wrong = _rule(given)
        if wrong:
            raise InvalidInput(fields=wrong)
        rule["id"] = f"flt_{self._state.number(_RULE)}"
        self._state.put(_RULE, rule["id"], rule)
        return rule

    def all(self) -> list[Doc]:
        """Every rule, oldest first; a spent one has `left` 0."""
        return [rule for _, rule in self._state.find(_RULE)]

    def remove(self, rule_id: str | None = None) -> None:
        """Removes one rule, or all. Raises NotFound."""
        if rule_id is not None and self._state.get(_RULE, rule_id) is None:
            raise NotFound(f"There is no fault {rule_id!r}.")
        for rule in self.all():
            if rule_id in (None, rule["id"]):
                self._state.drop(_RULE, rule["id"])

    def for_call(self, method: str, path: str) -> Doc | None:
        """The rule that befalls this call; counts it."""
        for rule in self.all():
            if rule["kind"] not in CALLS or rule["method"] not in ("*", method):
                continue
            if re.search(rule["path"], path) and self._strikes(rule):
                return rule
        return None

    def for_event(self, trigger: str) -> Fault | None:
        """The fault that befalls an event of this trigger; counts it."""
        for rule in self.all():
            if rule["kind"] not in EVENTS or not re.search(rule["trigger"], trigger):
                continue
            if self._strikes(rule):
                return Fault(kind=rule["kind"], times=rule["times"], delay_s=rule["delay_s"])
        return None

    def _strikes(self, rule: Doc) -> bool:
        """Counts a match; whether the fault befalls it."""
        rule["seen"] += 1
        strikes = rule["seen"] >= rule["nth"] and rule["left"] != 0
        if strikes and rule["left"] is not None:
            rule["left"] -= 1
        self._state.put(_RULE, rule["id"], rule)
        return bool(strikes)


def _rule(given: Mapping[str, Any]) -> tuple[Doc, dict[str, str]]:
    """The rule with its defaults, and what is wrong with it by field."""
    count = given.get("count", 1)
    rule: Doc = {
        "kind": given.get("kind"),
        "method": str(given.get("method", "*")).upper(),
        "path": given.get("path", ""),
        "trigger": given.get("trigger", ""),
        "nth": given.get("nth", 1),
        "left": count,
        "status": given.get("status", 503),
        "code": given.get("code", ""),
        "retry_after_s": given.get("retry_after_s"),
        "delay_s": given.get("delay_s", 5.0),
        "times": given.get("times", 2),
        "seen": 0,
    }
    wrong = dict.fromkeys(set(given) - set(rule) - {"count"}, "is not a field of a fault")
    if not isinstance(rule["kind"], str) or rule["kind"] not in CALLS | EVENTS:
        wrong["kind"] = f"must be one of {', '.join(CALLS | EVENTS)}"
    for name in ("path", "trigger"):
        if not _is_regex(rule[name]):
            wrong[name] = "must be a regular expression"
    wrong |= _wrong_numbers(rule, count)
    return rule, wrong


def _wrong_numbers(rule: Doc, count: object) -> dict[str, str]:
    wrong = {}
    for name, value, least, most in (
        ("nth", rule["nth"], 1, 1_000_000),
        ("times", rule["times"], 1, 1000),
        ("status", rule["status"], 200, 599),
    ):
        if not _is_number(value, least, most, whole=True):
            wrong[name] = f"must be a whole number from {least} to {most}"
    if count is not None and not _is_number(count, 1, 1_000_000, whole=True):
        wrong["count"] = "must be a whole number from 1, or null for always"
    if not _is_number(rule["delay_s"], 0, _LONGEST_S):
        wrong["delay_s"] = "must be seconds, a week at most"
    retry = rule["retry_after_s"]
    if retry is not None and not _is_number(retry, 0, _LONGEST_S):
        wrong["retry_after_s"] = "must be seconds, a week at most, or null"
    return wrong


def _is_number(value: object, least: float, most: float, *, whole: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return False
    return least <= value <= most


def _is_regex(text: object) -> bool:
    if not isinstance(text, str):
        return False
    try:
        re.compile(text)
    except re.error:
        return False
    return True
