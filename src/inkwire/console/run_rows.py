"""What the page of one work shows: its runs' steps, its creates, its dry run. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inkwire.console import acting_words
from inkwire.model.work import LedgerEntry, LedgerState, Step, StepResult, WorkState
from inkwire.pages.marks import Mark

#: Tries of steps on the page; the API has the others.
MAX_STEPS = 200
#: Ledger kind → what was made, and what a second one would mean.
_MADE: Mapping[str, tuple[str, str]] = {
    "sign_request": (
        "the request for a signature",
        "If the first one did get through, the customer gets two mails.",
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRow:
    """A step of one run, with its last try."""

    title: str
    name: str
    mark: Mark
    tries: int
    took: str
    at: datetime
    #: What went wrong, or what it gave.
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunRow:
    """One run of the work and its steps."""

    number: str
    run_id: str
    steps: tuple[StepRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRow:
    """A create at the vendor."""

    entry: LedgerEntry
    mark: Mark
    #: "the request for a signature"
    what: str
    #: What a second one would mean.
    twice: str
    in_doubt: bool


def runs_of(steps: Sequence[Step]) -> list[RunRow]:
    """Newest run first, each with its steps in order and the tries of one step in one line."""
    by_run: dict[str, dict[str, list[Step]]] = {}
    for step in steps[-MAX_STEPS:]:
        by_run.setdefault(step.run_id, {}).setdefault(step.name, []).append(step)
    return [
        RunRow(
            number=run_id.rpartition("/")[2],
            run_id=run_id,
            steps=tuple(_step(tries) for tries in named.values()),
        )
        for run_id, named in reversed(by_run.items())
    ]


def _step(tries: Sequence[Step]) -> StepRow:
    last = tries[-1]
    word, icon, tone = acting_words.STEP_MARKS[last.result]
    failed = next((one.detail for one in reversed(tries) if one.detail), "")
    good = last.result is StepResult.OK
    return StepRow(
        title=acting_words.step_title(last.name),
        name=last.name,
        mark=Mark(word=word, icon=icon, tone=tone, meaning=last.detail),
        tries=len(tries),
        took=acting_words.duration(sum(one.duration_us for one in tries)),
        at=tries[0].started_at,
        text=_given(last.value) if good and not failed else last.detail or failed,
    )


def _given(value: Any) -> str:
    """The ids and counts that a step gave, short."""
    if value is None or value == "" or isinstance(value, bool):
        return ""
    if isinstance(value, Mapping):
        pairs = (f"{key} {_given(one)}" for key, one in value.items() if _given(one))
        return ", ".join(pairs)[:300]
    if isinstance(value, list):
        return ", ".join(_given(one) for one in value)[:300]
    return str(value)[:300]


def ledger_row(entry: LedgerEntry) -> LedgerRow:
    """A create as the page shows it."""
    plain = f"the {entry.kind.replace('_', ' ')}"
    what, twice = _MADE.get(entry.kind, (plain, "If the first one did get through, there are two."))
    return LedgerRow(
        entry=entry,
        mark=acting_words.LEDGER_MARKS[entry.state],
        what=what,
        twice=twice,
        in_doubt=entry.state is LedgerState.DOUBT,
    )


def planned(result: Any) -> dict[str, Any]:
    """What a dry run found, in words: each call that it would make, and how it would end."""
    if not isinstance(result, Mapping):
        return {}
    plans = [
        (acting_words.step_title(str(one.get("step", ""))), str(one.get("plan", "")))
        for one in result.get("plans", ())
    ]
    state, note = str(result.get("state", "")), str(result.get("note", ""))
    good = state in {WorkState.DONE.value, WorkState.NEW.value}
    return {"plans": plans, "good": good, "note": note or state.replace("_", " ")}
