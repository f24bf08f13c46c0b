"""What an error means: its kind decides what follows, and nothing else does (DESIGN §6). Pure.

Within a run only what is transient is tried again, after 2^n seconds and up to one more (R74).
Between runs the kind gives the ending of the work row. Nothing is dropped in silence: what cannot
go on by itself is parked or becomes a dead letter, with a sentence for a person (R75, R78, R79).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from inkwire.errors import (
    Ambiguous,
    CallFailed,
    CipherError,
    Fenced,
    Held,
    InkwireError,
    LimitReached,
    NeedsAttention,
    Permanent,
    RateLimited,
    StoreError,
    Transient,
)
from inkwire.model.work import ErrorKind, ParkCause, StepResult, WorkState
from inkwire.moments import from_micros, to_micros
from inkwire.store.acting import Ending

#: Tries of one step within one run.
TRIES = 4
#: Longest pause within a run, in seconds; a longer Retry-After ends the run.
MAX_PAUSE_S = 60.0
#: Seconds between runs that ended in a transient failure; the run after the last is the final one.
WAITS_S: Sequence[float] = (60, 300, 900, 3_600, 7_200, 21_600, 43_200)
#: Longest wait between runs that another side can ask for.
MAX_WAIT_S = 86_400.0
DEFECT = "Inkwire met a defect; its log says why. Retry after an upgrade."


class Defect(InkwireError):
    """Inkwire met a defect; its log says why. Retry after an upgrade."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What came of one try of a step; JSON, because the journal keeps it."""

    result: StepResult
    value: Any = None
    #: A sentence if it failed.
    detail: str = ""
    #: Seconds that the other side asked us to wait.
    retry_after_s: float | None = None
    #: When the try began, and how long it took in microseconds; None: an older release kept it.
    started_at: datetime | None = None
    duration_us: int = 0

    def to_json(self) -> dict[str, Any]:
        """For the journal."""
        took: dict[str, Any] = {}
        if self.started_at is not None:
            took = {"at_us": to_micros(self.started_at), "took_us": self.duration_us}
        if self.result is StepResult.OK:
            return {"ok": self.value, **took}
        wait = {} if self.retry_after_s is None else {"wait_s": self.retry_after_s}
        return {"error": self.result.value, "detail": self.detail, **wait, **took}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Tried":
        """Out of the journal."""
        at = kept.get("at_us")
        return cls(
            result=StepResult(kept.get("error", StepResult.OK)),
            value=kept.get("ok"),
            detail=kept.get("detail", ""),
            retry_after_s=kept.get("wait_s"),
            started_at=None if at is None else from_micros(at),
            duration_us=kept.get("took_us", 0),
        )


_RESULTS: Sequence[tuple[type[InkwireError], StepResult]] = (
    (Transient, StepResult.TRANSIENT),
    (Ambiguous, StepResult.AMBIGUOUS),
    (NeedsAttention, StepResult.AUTH),
    (LimitReached, StepResult.LIMIT),
    (Held, StepResult.HELD),
    (Fenced, StepResult.FENCED),
    (CipherError, StepResult.PERMANENT),  # before its parent: waiting does not bring the key back
    (StoreError, StepResult.TRANSIENT),
    (RateLimited, StepResult.TRANSIENT),
    (Defect, StepResult.INTERNAL),
)


def tried(error: BaseException) -> Tried:
    """The result that stands for an error.

    Every other error of ours (NotFound, InvalidInput …) says what a person must change, so it is
    permanent; what is no error of ours is a defect.
    """
    if not isinstance(error, InkwireError):
        return Tried(result=StepResult.INTERNAL, detail=DEFECT)
    kind = next((kind for cls, kind in _RESULTS if isinstance(error, cls)), StepResult.PERMANENT)
    wait = getattr(error, "retry_after_s", None)
    return Tried(
        result=kind, detail=error.message, retry_after_s=None if wait is None else float(wait)
    )


def raised(failed: Tried) -> InkwireError:
    """The error that a failed try stands for, for the workflow that asked for the step."""
    if failed.result is StepResult.TRANSIENT:
        return Transient(failed.detail, retry_after_s=failed.retry_after_s)
    if failed.result is StepResult.LIMIT:
        wait = failed.retry_after_s
        return (
            LimitReached(failed.detail)
            if wait is None
            else LimitReached(failed.detail, retry_after_s=wait)
        )
    if failed.result is StepResult.INTERNAL:
        return Defect(failed.detail)
    return _ERRORS[failed.result](failed.detail)


_ERRORS: Mapping[StepResult, type[CallFailed]] = {
    StepResult.AMBIGUOUS: Ambiguous,
    StepResult.AUTH: NeedsAttention,
    StepResult.PERMANENT: Permanent,
    StepResult.HELD: Held,
    StepResult.FENCED: Fenced,
}


def pause_s(failed: Tried, attempt: int, *, jitter: float) -> float | None:
    """Seconds until the next try within this run; None: there is none.

    `attempt`: the one that failed, from 1. `jitter`: in [0, 1). 2^n s + jitter, with n from 0
    (R74), or longer if the other side asked for it.
    """
    if failed.result is not StepResult.TRANSIENT or attempt >= TRIES:
        return None
    asked = failed.retry_after_s or 0.0
    if asked > MAX_PAUSE_S:
        return None
    return min(max(2.0 ** (attempt - 1) + jitter, asked), MAX_PAUSE_S)


def ending(
    failed: Tried,
    *,
    failures: int,
    now: datetime,
    jitter: float,
    settle_s: float,
    most_s: float | None = None,
) -> Ending:
    """What becomes of the work whose run ended in this failure.

    `failures`: runs before this one that ended so. `settle_s`: seconds after which a create whose
    outcome is unknown may be looked for. `jitter` in [0, 1) adds up to a tenth to a wait. `most_s`:
    the schedule's longest wait, if not its own; what the other side asks for is waited for anyway.
    Fenced has no ending: nothing is written.
    """
    match failed.result:
        case StepResult.AUTH:
            return Ending(
                state=WorkState.PARKED,
                note=failed.detail,
                park_cause=ParkCause.CONNECTION,
                error_kind=ErrorKind.AUTH,
            )
        case StepResult.LIMIT:
            wait_s = 60.0 if failed.retry_after_s is None else _asked(failed)
            return Ending(
                state=WorkState.PARKED,
                note=failed.detail,
                park_cause=ParkCause.LIMIT,
                error_kind=ErrorKind.LIMIT,
                due_at=now + timedelta(seconds=wait_s + jitter),
            )
        case StepResult.HELD:
            return Ending(state=WorkState.PARKED, note=failed.detail, park_cause=ParkCause.PERSON)
        case StepResult.TRANSIENT | StepResult.AMBIGUOUS:
            wait_s = WAITS_S[min(failures, len(WAITS_S) - 1)]
            wait_s = wait_s if most_s is None else min(wait_s, most_s)
            return _later(failed, failures, wait_s, now=now, jitter=jitter, settle_s=settle_s)
        case _:
            return Ending(state=WorkState.DEAD, note=failed.detail, error_kind=ErrorKind.PERMANENT)


def _later(
    failed: Tried,
    failures: int,
    wait_s: float,
    *,
    now: datetime,
    jitter: float,
    settle_s: float,
) -> Ending:
    """The next run by the schedule, or the end of all patience (R75)."""
    kind = ErrorKind(failed.result.value)
    if failures >= len(WAITS_S):
        return Ending(
            state=WorkState.DEAD,
            note=f"Failed {failures + 1} times, at last with: {failed.detail} Retry it when the "
            "cause is gone.",
            error_kind=kind,
            failed=True,
        )
    wait_s = max(wait_s, _asked(failed))
    if kind is ErrorKind.AMBIGUOUS:
        wait_s = max(wait_s, settle_s)
    return Ending(
        state=WorkState.NEW,
        note=failed.detail,
        due_at=now + timedelta(seconds=wait_s * (1 + jitter / 10)),
        error_kind=kind,
        failed=True,
    )


def _asked(failed: Tried) -> float:
    """Seconds that the other side asked for, within bounds."""
    return min(max(0.0, failed.retry_after_s or 0.0), MAX_WAIT_S)


def ending_to_json(done: Ending) -> dict[str, Any]:
    """For the journal: a run that was journalled but not ended can be ended from it."""
    return {
        "state": done.state.value,
        "note": done.note,
        "due_at": None if done.due_at is None else done.due_at.isoformat(),
        "park_cause": done.park_cause,
        "error_kind": done.error_kind,
        "failed": done.failed,
    }


def ending_from_json(kept: Mapping[str, Any]) -> Ending:
    """Out of the journal."""
    due, cause, kind = kept.get("due_at"), kept.get("park_cause"), kept.get("error_kind")
    return Ending(
        state=WorkState(kept["state"]),
        note=kept["note"],
        due_at=None if due is None else datetime.fromisoformat(due),
        park_cause=None if cause is None else ParkCause(cause),
        error_kind=None if kind is None else ErrorKind(kind),
        failed=bool(kept.get("failed")),
    )
