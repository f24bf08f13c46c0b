"""What an error means, for every kind."""

import inspect
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from inkwire import errors
from inkwire.engine import retry
from inkwire.engine.retry import Tried
from inkwire.errors import Fenced, InkwireError, LimitReached, RateLimited, Transient
from inkwire.model.work import ErrorKind, ParkCause, StepResult, WorkState
from inkwire.store.acting import Ending

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = {
    "Transient": StepResult.TRANSIENT, "RateLimited": StepResult.TRANSIENT,
    "StoreError": StepResult.TRANSIENT, "StoreBusy": StepResult.TRANSIENT,
    "StoreFull": StepResult.TRANSIENT, "StoreOutdated": StepResult.TRANSIENT,
    "Ambiguous": StepResult.AMBIGUOUS, "NeedsAttention": StepResult.AUTH,
    "LimitReached": StepResult.LIMIT, "Held": StepResult.HELD, "Fenced": StepResult.FENCED,
}  # fmt: skip
TREE = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, InkwireError)
]
jitters = some.floats(0, 1, exclude_max=True)
waits = some.none() | some.floats(0, 1e6)
failed = some.builds(
    Tried,
    result=some.sampled_from([kind for kind in StepResult if kind is not StepResult.OK]),
    detail=some.text(min_size=1, max_size=9),
    retry_after_s=waits,
)


@pytest.mark.parametrize("error", TREE, ids=lambda cls: cls.__name__)
def test_every_error_of_ours_has_a_kind_and_keeps_its_sentence(error):
    """What no kind names is permanent, with the sentence that says what to change."""
    outcome = retry.tried(error("Do this."))
    assert outcome.result is KINDS.get(error.__name__, StepResult.PERMANENT)
    assert outcome.detail == "Do this."


def test_what_is_no_error_of_ours_is_a_defect_and_shows_nothing_of_it():
    """A defect's text may hold anything, so a person gets a fixed sentence."""
    assert retry.tried(KeyError("secret")) == Tried(result=StepResult.INTERNAL, detail=retry.DEFECT)


@given(failed)
def test_a_workflow_meets_the_same_error_at_the_first_time_and_at_every_other(outcome):
    """Through the journal and back an error keeps kind, sentence and wait."""
    again = Tried.from_json(outcome.to_json())
    assert again == outcome
    error = retry.raised(again)
    assert retry.tried(error).result is outcome.result
    assert error.message == outcome.detail
    if isinstance(error, Transient | LimitReached):
        assert error.retry_after_s in (outcome.retry_after_s, 60)


@given(
    some.recursive(some.none() | some.integers() | some.text(max_size=9), some.lists, max_leaves=5)
)
def test_a_value_comes_back(value):
    """Also one that looks like nothing."""
    done = Tried(result=StepResult.OK, value=value)
    assert Tried.from_json(done.to_json()) == done


@given(failed, some.integers(1, 9), jitters)
def test_only_what_is_transient_is_tried_again_and_a_few_times(outcome, attempt, jitter):
    """2^n seconds and up to one more; Retry-After up to a minute, longer ones end the run."""
    pause = retry.pause_s(outcome, attempt, jitter=jitter)
    asked = outcome.retry_after_s or 0
    if outcome.result is not StepResult.TRANSIENT or attempt >= 4 or asked > 60:
        assert pause is None
    else:
        assert pause == max(2 ** (attempt - 1) + jitter, asked)
        assert pause <= 60


@given(failed, some.integers(0, 20), jitters, some.floats(1, 3600))
def test_nothing_is_dropped_in_silence_and_everything_ends(outcome, failures, jitter, settle_s):
    """What starts again has a time, what does not says why; after 8 runs it is a dead letter."""
    ending = retry.ending(outcome, failures=failures, now=NOW, jitter=jitter, settle_s=settle_s)
    asked = outcome.retry_after_s or 0
    assert outcome.detail in ending.note
    assert ending.state in (WorkState.NEW, WorkState.PARKED, WorkState.DEAD)
    assert retry.ending_from_json(retry.ending_to_json(ending)) == ending
    if ending.state is WorkState.NEW:
        waits_s = (ending.due_at - NOW).total_seconds()
        assert failures < 7
        assert waits_s >= max(retry.WAITS_S[failures], min(asked, retry.MAX_WAIT_S)) - 1e-6
        if ending.error_kind is ErrorKind.AMBIGUOUS:
            assert waits_s >= settle_s - 1e-6
    if outcome.result in (StepResult.TRANSIENT, StepResult.AMBIGUOUS):
        assert ending.failed
        assert (ending.state is WorkState.DEAD) == (failures >= 7)
    if ending.park_cause is ParkCause.LIMIT:
        waits_s = (ending.due_at - NOW).total_seconds()
        assert min(asked, retry.MAX_WAIT_S) - 1e-6 <= waits_s <= retry.MAX_WAIT_S + 1


def test_the_schedule_between_runs():
    """1, 5, 15, 60 minutes, 2, 6, 12 hours: about a day of patience."""
    outcome = Tried(result=StepResult.TRANSIENT, detail="Busy.")
    endings = [retry.ending(outcome, failures=n, now=NOW, jitter=0, settle_s=120) for n in range(8)]
    assert [(e.due_at - NOW).total_seconds() / 60 for e in endings[:7]] == [
        1, 5, 15, 60, 120, 360, 720,
    ]  # fmt: skip
    assert endings[7] == Ending(
        state=WorkState.DEAD,
        note="Failed 8 times, at last with: Busy. Retry it when the cause is gone.",
        error_kind=ErrorKind.TRANSIENT,
        failed=True,
    )


def test_waits_that_others_ask_for_are_read_from_their_errors():
    """Of limits, of our own rate limit; Fenced has none."""
    assert retry.tried(LimitReached("x", retry_after_s=7)).retry_after_s == 7
    assert retry.tried(RateLimited("x", retry_after_s=9)).retry_after_s == 9
    assert retry.tried(Fenced()).retry_after_s is None
