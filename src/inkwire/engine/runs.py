"""One run of one work row, durable.

It keeps the outcome of every try in a journal, so that a run that is continued after
a crash or by another worker asks nothing twice. A step is really executed only if its row was read
a moment ago: a run that another executor has taken over, or that is another run by now, stops there
without effects. `Ledger.send` is the second fence, immediately before an external create.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import structlog

from inkwire.engine import retry
from inkwire.engine.book import Book
from inkwire.engine.contract import Outcome, Run, Services
from inkwire.engine.fence import Fence
from inkwire.engine.retry import Defect, Tried
from inkwire.errors import StoreError
from inkwire.model.work import Integration, Step, StepResult, Work, WorkState
from inkwire.store.acting import Ending

#: Longest durable pause within a run, in seconds.
MAX_SLEEP_S = 60.0
#: Seconds for which a row that was read counts as just read: a hundredth of the time after which
#: an executor counts as dead.
FRESH_S = 0.25
#: Most characters of JSON that a step may return: ids and counts, never payloads.
MAX_VALUE = 64 * 1024

_NAME = re.compile(r"[a-z0-9_]+(:[A-Za-z0-9_.-]+)?")

T = TypeVar("T")
Workflow = Callable[[Run], Awaitable[Outcome]]

log = structlog.get_logger()


class Stopped(BaseException):
    """This execution ends here and leaves no trace; the run is somebody else's, or is resumed.

    No Exception, so that a workflow's own `except` does not catch it, and nothing journals it.
    """


class Outdated(BaseException):
    """The journal holds other steps than the workflow asks for: it changed with a release."""


class Cancelled(BaseException):
    """A person asked to cancel the run."""


class Journal(Protocol):
    """What keeps the outcomes of steps; `inkwire.engine.runtime` does."""

    async def step(self, name: str, do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Calls `do` on a thread and keeps what it returns, or returns what was kept.

        Raises Stopped if the run is no longer this process's, Outdated if another step stands
        at this place of the journal.
        """
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits until a moment that is kept: a run that is continued waits for the rest only."""
        ...


class Named:
    """Names of steps: well-formed, each once in a run."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def check(self, name: str) -> None:
        """Raises Defect for a name that is none, or was used before."""
        if not _NAME.fullmatch(name) or name in self._used:
            log.error("run.bad_step_name", step=name)
            raise Defect
        self._used.add(name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Doing:
    """What a run is about, and what its executions share."""

    work: Work
    integration: Integration
    services: Services
    executor_id: str


class Running:
    """What a run knows of itself, durable or dry; see `contract.Run`."""

    #: Nothing may be written.
    dry = False

    def __init__(self, doing: Doing) -> None:
        """Begins with no step."""
        self._doing = doing
        self._named = Named()

    @property
    def work(self) -> Work:
        """The row, as it was when the run began."""
        return self._doing.work

    @property
    def integration(self) -> Integration:
        """Its integration, as it was when this execution of the run began."""
        return self._doing.integration

    @property
    def services(self) -> Services:
        """What steps call."""
        return self._doing.services


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a durable run works with, besides what its workflow sees."""

    journal: Journal
    book: Book
    fence: Fence
    #: Jitter in [0, 1).
    random: Callable[[], float]
    #: Length of a second of the pauses, for tests.
    unit_s: float = 1.0


class DurableRun(Running):
    """See `contract.Run`; each try of a step is one entry of the journal."""

    def __init__(self, doing: Doing, means: Means, *, read_at: float) -> None:
        """`read_at`: when the row was read, of `time.monotonic`."""
        super().__init__(doing)
        self._journal = means.journal
        self._book = means.book
        self._fence = means.fence
        self._random = means.random
        self._unit_s = means.unit_s
        self._read_at = read_at
        #: Whether the last entry was made just now, and whether an older one was noted again.
        self._executed = self._replayed = False

    async def step(
        self, name: str, do: Callable[[], T], *, plan: str = "", pretend: Any = None
    ) -> T:
        """See `contract.Run.step`."""
        self._named.check(name)
        attempt = 1
        while True:
            outcome = await self._kept(f"{name}#{attempt}", do)
            if outcome.result is StepResult.OK:
                return cast("T", outcome.value)
            pause = retry.pause_s(outcome, attempt, jitter=self._random())
            if pause is None:
                raise retry.raised(outcome)
            await self._journal.sleep(pause * self._unit_s)
            attempt += 1

    async def sleep(self, seconds: float) -> None:
        """See `contract.Run.sleep`."""
        if not 0 <= seconds <= MAX_SLEEP_S:
            log.error("run.bad_sleep", seconds=seconds)
            raise Defect
        await self._journal.sleep(seconds * self._unit_s)

    def require_mine(self) -> None:
        """Reads the row itself.

        Raises Stopped, Cancelled, and StoreError if the row cannot be read.
        """
        at = time.monotonic()
        work, now = self._doing.work, self.services.store.works.get(self._doing.work.id)
        if (now.state, now.run_number, now.executor_id) != (
            WorkState.RUNNING,
            work.run_number,
            self._doing.executor_id,
        ):
            log.warning("run.fenced", run_id=work.run_id, executor_id=now.executor_id)
            raise Stopped
        if now.cancel_asked:
            raise Cancelled
        self._read_at = at

    async def _kept(self, entry: str, do: Callable[[], object]) -> Tried:
        """What came of a try, now or once; noted from what the journal keeps of it."""
        self._executed = False
        kept = await self._journal.step(entry, partial(self._try, do))
        self._replayed |= not self._executed
        for step in notes(self.work, [(entry, kept)]):
            self._book.note(step)
        return Tried.from_json(kept)

    # --- one try, on a thread

    def _try(self, do: Callable[[], object]) -> dict[str, Any]:
        started_at, begun = self.services.clock.now(), time.perf_counter()
        outcome = self._outcome(do)
        if outcome.result is StepResult.FENCED:
            outcome = self._fenced(outcome)
        self._executed = True
        took = int((time.perf_counter() - begun) * 1e6)
        return replace(outcome, started_at=started_at, duration_us=took).to_json()

    def _outcome(self, do: Callable[[], object]) -> Tried:
        try:
            self._require_mine_lately()
            if self._replayed:
                # Before anything that may kill this worker again, and the notes with it.
                self._book.written(self.work.id)
                self._replayed = False
            return Tried(result=StepResult.OK, value=plain(do()))
        except Exception as error:
            outcome = retry.tried(error)
            if outcome.result is StepResult.INTERNAL:
                log.exception("run.step_failed", run_id=self.work.run_id)
            return outcome

    def _require_mine_lately(self) -> None:
        """The first fence: nothing if the row was read a moment ago, by whomever of this worker."""
        since = time.monotonic() - FRESH_S
        if self._read_at >= since:
            return
        seen = self._fence.look(self.work, since=since)
        if seen is None or seen[0] < time.monotonic() - FRESH_S:
            self.require_mine()  # not among them, or the answer came late
            return
        self._read_at, cancel_asked = seen
        if cancel_asked:
            raise Cancelled

    def _fenced(self, outcome: Tried) -> Tried:
        """The ledger said that another was faster.

        If the row is still ours, that was an earlier run of the same work: look again in a while.
        """
        with suppress(StoreError):
            self.require_mine()
        return replace(outcome, result=StepResult.TRANSIENT)


def notes(work: Work, entries: Iterable[tuple[str, object]]) -> Iterator[Step]:
    """What the journal's entries say to people: (`NAME#ATTEMPT`, what was kept).

    What is no try of a step has no note, and what an older release kept has one already.
    """
    for entry, kept in entries:
        name, _, attempt = entry.rpartition("#")
        if not (isinstance(kept, Mapping) and "at_us" in kept and attempt.isdecimal()):
            continue
        outcome = Tried.from_json(kept)
        yield Step(
            id=f"{work.run_id}#{entry}",
            work_id=work.id,
            run_id=work.run_id,
            name=name,
            attempt=int(attempt),
            result=outcome.result,
            detail=outcome.detail,
            value=outcome.value,
            started_at=outcome.started_at or work.created_at,
            duration_us=outcome.duration_us,
        )


def plain(value: object) -> Any:
    """A value as the journal gives it back, so that the first time is like every other."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    text.encode()  # half a character is in no journal
    if len(text) > MAX_VALUE:
        raise ValueError(f"a step returned {len(text)} characters; {MAX_VALUE} are allowed")
    return json.loads(text)


async def ended(workflow: Workflow, run: DurableRun, decide: Callable[[Tried], Ending]) -> Ending:
    """Runs a workflow to its end, whatever that is. Raises Stopped, Outdated.

    `decide` gives the ending that an error has.
    """
    try:
        return (await workflow(run)).ending
    except Cancelled:
        return Ending(state=WorkState.CANCELLED, note="Cancelled by a person while it ran.")
    except Exception as error:
        outcome = retry.tried(error)
        if outcome.result is StepResult.INTERNAL and not isinstance(error, Defect):
            log.exception("run.failed", run_id=run.work.run_id)
        if outcome.result is StepResult.FENCED:  # raised outside of a step
            with suppress(StoreError, Cancelled):
                await asyncio.to_thread(run.require_mine)
            outcome = replace(outcome, result=StepResult.TRANSIENT)
        return decide(outcome)
