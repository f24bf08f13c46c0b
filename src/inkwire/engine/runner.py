"""The worker's loop: claims work, starts each row under its run id, ends it when its run ends.

The work row is the truth. What a crash leaves between it and the journal is repaired: a row that
runs here by the store and is unknown to the journal is started, one whose journal has ended is
ended, one that nobody executes is resumed, and one that keeps killing its worker is dead.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog
from structlog.contextvars import bound_contextvars

from inkwire.engine import retry
from inkwire.engine.book import ILL, RETRY_S, Book
from inkwire.engine.contract import IntegrationKind, Services
from inkwire.engine.fence import Fence
from inkwire.engine.retry import Tried
from inkwire.engine.runs import (
    Doing,
    DurableRun,
    Means,
    Outdated,
    Stopped,
    Workflow,
    ended,
    notes,
)
from inkwire.engine.runtime import DurableJournal, Journalled, Runtime
from inkwire.engine.schedule import is_upkeep
from inkwire.engine.settings import EngineSettings
from inkwire.engine.waits import first, moved, until
from inkwire.errors import NotFound, Permanent, StoreError
from inkwire.model.work import ErrorKind, Integration, Step, StepResult, Work, WorkState
from inkwire.store.acting import Ending, RunEnd
from inkwire.store.contract import WORK, Live

#: Rows claimed in one transaction at most.
BATCH = 100
#: Part of the places that must be free before a backlog is claimed from again.
SHARE = 4
#: Takeovers of one run after which it counts as what kills its workers.
MAX_TAKEOVERS = 3
#: Seconds within which a run that was started must have begun, or it is looked after.
START_S = 30.0
#: Longest wait between two runs of failing upkeep: the next slot makes no other while it waits, so
#: after a long outage nothing would be reconciled for half a day.
UPKEEP_WAIT_S = 3600.0
#: Wait for more room while there is a backlog; after it, what room there is is filled.
GATHER_S = 0.1
#: Shortest wait between two claims: runs that end meanwhile make room for more in one transaction.
LEAST_WAIT_S = 0.05

POISON = Ending(
    state=WorkState.DEAD,
    note="The worker stopped each time that it ran this; its log says why. Retry it afterwards.",
    error_kind=ErrorKind.PERMANENT,
)
_BROKEN = Ending(state=WorkState.DEAD, note=retry.DEFECT, error_kind=ErrorKind.PERMANENT)
_OUTDATED = "Another release had begun this run; it starts anew under the present one."
_RESTORED = "This run had ended before the store was restored; it starts anew."

T = TypeVar("T")

_GONE: dict[str, Any] = {"state": "gone"}
#: Of a run: work id and run number.
Key = tuple[str, int]

log = structlog.get_logger()


def workflow_of(kinds: Mapping[str, IntegrationKind], kind: str, workflow: str) -> Workflow:
    """The function that does it. Raises Permanent if this release has none."""
    found = kinds[kind].workflows.get(workflow) if kind in kinds else None
    if found is None:
        raise Permanent(
            f"This release knows no workflow {workflow} of {kind}. Install the release or package "
            "that does and retry, or cancel this."
        )
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Given:
    """A row that is this executor's to run, and when that was read, of `time.monotonic`."""

    work: Work
    read_at: float
    #: None: not read yet.
    integration: Integration | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Start:
    """A run that was started and has not begun."""

    #: When, of the loop's clock.
    at: float
    #: What its claim gave; None: read it when it begins.
    given: _Given | None


def _key(work: Work) -> Key:
    return work.id, work.run_number


class Runner:
    """Runs what is due, bounded in flight."""

    def __init__(
        self,
        *,
        executor_id: str,
        kinds: Mapping[str, IntegrationKind],
        services: Services,
        runtime: Runtime,
        live: Live,
        random: Callable[[], float],
        settings: EngineSettings,
    ) -> None:
        """`random`: jitter in [0, 1)."""
        self._me = executor_id
        self._kinds = kinds
        self._works = services.store.works
        self._integrations = services.store.integrations
        self._clock = services.clock
        self._runtime = runtime
        self._live = live
        self._random = random
        self._settings = settings
        #: Runs that are executed here, and the tasks that do.
        self._running: dict[Key, asyncio.Task[Any]] = {}
        self._starting: dict[Key, _Start] = {}
        self._starts: set[asyncio.Task[None]] = set()
        self._book = Book(
            services.store, in_hand=lambda: len(self._running), note_s=settings.note_s
        )
        self._services = replace(services, store=self._book.store)
        self._means = Means(
            journal=DurableJournal(),
            book=self._book,
            fence=Fence(self._works, executor_id),
            random=random,
            unit_s=settings.unit_s,
        )
        self._opening = asyncio.Lock()
        #: Whether the last claim filled the room.
        self._backlog = False
        #: Runs that nobody seems to execute, and since when.
        self._idle: dict[str, float] = {}
        self._repaired_at = float("-inf")
        self._free = asyncio.Event()
        #: Set when a run began, or found nothing to do.
        self._begun = asyncio.Event()
        #: Nothing begins any more.
        self._over = False

    async def run(self, stop: asyncio.Event) -> None:
        """Claims until `stop` is set; then leaves what is in hand the grace to end."""
        try:
            while not stop.is_set():
                seen = self._live.counters().get(WORK)
                self._free.clear()
                try:
                    await self._repair()
                    if not await self._claim():
                        await self._news(stop, seen)
                    await until(stop, LEAST_WAIT_S)
                except StoreError as error:
                    log.warning("runner.store_failed", error=error.message, retry_s=RETRY_S)
                    await until(stop, RETRY_S)
                except Exception:
                    # The journal does not open, say. Events and deliveries must go on meanwhile.
                    log.exception("runner.failed", retry_s=self._settings.repair_s)
                    await until(stop, self._settings.repair_s)
            await self._finished()
        finally:
            self._over = True
            left = {*self._running.values(), *self._starts}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await self._book.close()
            await self._runtime.close()

    async def _finished(self) -> None:
        """Waits for what is in hand, also if it has not begun yet; for the grace at most."""
        last = self._now() + self._settings.grace_s
        while self._now() < last:
            self._begun.clear()
            if rest := {*self._running.values(), *self._starts}:
                await asyncio.wait(rest, timeout=max(0.0, last - self._now()))
            elif self._about_to_begin():
                await until(self._begun, min(START_S, last - self._now()))
            else:
                return

    async def open(self) -> None:
        """Opens the journal, which continues what this executor left behind."""
        async with self._opening:
            if not self._runtime.opened:
                await self._runtime.open(self._me, self._body)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _room(self) -> int:
        """How many more runs may be executed here; one that only waits for its end takes none."""
        busy = len(self._running) - self._book.ending
        return self._settings.runs_in_flight - busy - self._about_to_begin()

    def _about_to_begin(self) -> int:
        """How many were started and have not begun; those that should have are left out."""
        late = self._now() - START_S
        self._starting = {run: one for run, one in self._starting.items() if one.at > late}
        return len(self._starting)

    def _in_hand(self, work: Work) -> bool:
        return _key(work) in self._running or _key(work) in self._starting

    # --- claims

    async def _claim(self) -> bool:
        """Starts what is due; whether there is likely to be more at once."""
        room = min(self._room(), BATCH)
        if self._backlog and room < self._settings.runs_in_flight // SHARE:
            await asyncio.sleep(GATHER_S)  # what is left is claimed together a little later
            room = min(self._room(), BATCH)
        if room <= 0:
            self._backlog = False
            return False
        if not self._runtime.opened and not await self._ready():
            return False
        claimed = await asyncio.to_thread(self._claimed, room)
        self._backlog = len(claimed) == room
        for one in claimed:
            # More is claimed while these begin: a start is a commit of the journal's.
            self._starting[_key(one.work)] = _Start(at=self._now(), given=one)
            task = asyncio.create_task(self._start(one.work))
            self._starts.add(task)
            task.add_done_callback(self._starts.discard)
        return bool(claimed)

    def _claimed(self, room: int) -> list[_Given]:
        """Rows that were taken, with their integrations as they were a moment later."""
        read_at = time.monotonic()
        rows = self._works.claim(executor_id=self._me, now=self._clock.now(), limit=room)
        found: dict[int, Integration | None] = {}
        for number in {row.integration_id for row in rows}:
            try:
                found[number] = self._integrations.get(number)
            except (NotFound, StoreError):
                found[number] = None  # the run asks again, and ends as that says
        return [
            _Given(work=row, read_at=read_at, integration=found[row.integration_id]) for row in rows
        ]

    async def _ready(self) -> bool:
        """Opens the journal if something is due; whether it did.

        Before a claim: what was taken and cannot be begun would pile up here, and be kept from
        other workers.
        """
        now = self._clock.now()
        due = await asyncio.to_thread(lambda: self._works.next_due(now))
        if due is None or due > now:
            return False
        await self.open()
        return True

    async def _start(self, work: Work) -> None:
        """What cannot be started now is found by the next repair."""
        self._starting.setdefault(_key(work), _Start(at=self._now(), given=None))
        try:
            await self._runtime.start(work.run_id, work.id, work.run_number)
        except Exception:
            self._starting.pop(_key(work), None)
            log.exception("runner.not_started", run_id=work.run_id)

    async def _news(self, stop: asyncio.Event, seen: int | None) -> None:
        """Waits for a change of work by anybody, for room, for what is due, or for the sweep."""
        wait_s = self._settings.sweep_s
        if self._room() > 0:
            due = await asyncio.to_thread(lambda: self._works.next_due(self._clock.now()))
            if due is not None:
                rest_s = (due - self._clock.now()).total_seconds()
                wait_s = min(wait_s, max(LEAST_WAIT_S, rest_s))
        await first(
            stop.wait(),
            self._free.wait(),
            moved(self._live, WORK, seen),
            timeout_s=wait_s,
        )

    # --- one run

    async def _body(self, work_id: str, run_number: int) -> dict[str, Any]:
        """What the journal executes for each run; called again when a run is continued."""
        key, task = (work_id, run_number), asyncio.current_task()
        try:
            given = await self._given(key)
            if given is None:
                return _GONE
            if key in self._running or task is None:
                raise Stopped  # resumed while it was in hand: the first execution goes on
            if self._over:
                raise Stopped  # nobody waits for it: what it began would be cut off in the middle
            self._running[key] = task
        finally:
            self._starting.pop(key, None)
            self._begun.set()
        try:
            with bound_contextvars(run_id=given.work.run_id):
                return await self._whole(given)
        finally:
            self._running.pop(key, None)
            self._free.set()

    async def _given(self, key: Key) -> _Given | None:
        """The row, as its claim gave it or as it is now; None: nothing is to be done."""
        start = self._starting.get(key)
        if start is not None and start.given is not None and self._now() - start.at < START_S:
            return start.given
        read_at = time.monotonic()
        work = await self._mine(*key)
        return None if work is None else _Given(work=work, read_at=read_at)

    async def _mine(self, work_id: str, run_number: int) -> Work | None:
        """The row, if this run is still to be done; made this executor's if it was another's.

        The journal gives a run to one executor at a time; whoever gets it has the right to it.
        """
        try:
            work = await self._asked(lambda: self._works.get(work_id))
        except NotFound:
            return None
        if work.state is not WorkState.RUNNING or work.run_number != run_number:
            return None
        if work.executor_id == self._me:
            return work
        of = work.executor_id or ""
        taken = await self._asked(
            lambda: self._works.take_over(work_id, run_number=run_number, of=of, by=self._me)
        )
        if taken is None:
            raise Stopped
        log.info("run.taken_over", run_id=taken.run_id, of=of, takeovers=taken.takeovers)
        return taken

    async def _whole(self, given: _Given) -> dict[str, Any]:
        work = given.work
        if work.takeovers > MAX_TAKEOVERS:
            ending = POISON
            await self._note_again(work)
        else:
            ending = await self._ending(given)
        end = RunEnd(work=work, by=self._me, ending=ending, at=self._clock.now())
        self._free.set()
        if not await self._book.end(end):
            raise Stopped
        log.info("run.ended", state=ending.state.value)
        return retry.ending_to_json(ending)

    async def _note_again(self, work: Work) -> None:
        """Notes all that the journal holds of a run that is not continued."""
        for step in await asyncio.to_thread(self._noted, work):
            self._book.note(step)

    def _noted(self, work: Work) -> list[Step]:
        """What the journal knows of a run; what cannot be read keeps no run from its end."""
        try:
            return list(notes(work, self._runtime.tries(work.run_id)))
        except Exception:  # the library waits itself while it has no connection
            log.exception("run.journal_unread", run_id=work.run_id)
            return []

    async def _ending(self, given: _Given) -> Ending:
        """How the run ends. Raises Stopped."""
        work = given.work

        def decide(failed: Tried) -> Ending:
            return retry.ending(
                failed,
                failures=work.failures,
                now=self._clock.now(),
                jitter=self._random(),
                settle_s=self._settings.settle_s,
                most_s=UPKEEP_WAIT_S if is_upkeep(work) else None,
            )

        try:
            integration = given.integration
            if integration is None:
                integration = await self._asked(lambda: self._integrations.get(work.integration_id))
            workflow = workflow_of(self._kinds, integration.kind, work.workflow)
        except (NotFound, Permanent) as error:
            return decide(Tried(result=StepResult.PERMANENT, detail=error.message))
        doing = Doing(
            work=work, integration=integration, services=self._services, executor_id=self._me
        )
        run = DurableRun(doing, self._means, read_at=given.read_at)
        try:
            return await ended(workflow, run, decide)
        except Outdated:
            log.warning("run.outdated")
            await self._note_again(work)
            return Ending(state=WorkState.NEW, note=_OUTDATED)

    async def _asked(self, call: Callable[[], T]) -> T:
        """Asks the store until it answers; at the end of this worker the run stays as it is."""
        while True:
            try:
                return await asyncio.to_thread(call)
            except StoreError as error:
                log.warning("run.store_failed", error=error.message, retry_s=RETRY_S)
                await asyncio.sleep(RETRY_S)

    # --- repair

    async def _repair(self) -> None:
        """Looks after rows that run here by the store, and that nobody here executes."""
        clock = self._now()
        if clock - self._repaired_at < self._settings.repair_s:
            return
        rows = await asyncio.to_thread(lambda: self._works.running(self._me))
        idle = [row for row in rows if not self._in_hand(row)]
        self._idle = {row.run_id: self._idle.get(row.run_id, clock) for row in idle}
        if idle:
            await self.open()
            await self.settle(idle, left_by=None)
        self._repaired_at = clock

    async def settle(self, rows: Sequence[Work], *, left_by: str | None) -> None:
        """Brings rows of this executor and their journal together.

        `left_by`: a dead executor that they were just taken from. What the journal gives to
        another executor, or to this one, is resumed only after a while: it may be about to begin.
        """
        late = self._now() - START_S
        known = await asyncio.to_thread(self._runtime.known, [row.run_id for row in rows])
        resume = []
        for row in rows:
            entry = known.get(row.run_id)
            if self._in_hand(row):
                continue
            if entry is None:
                await self._start(row)
            elif entry.state in ("PENDING", "ENQUEUED", "DELAYED"):
                deserted = left_by is not None and entry.executor_id == left_by
                idle = self._idle.get(row.run_id, late) < late
                if deserted or (idle and await self._counted(row)):
                    resume.append(row.run_id)
                    self._idle.pop(row.run_id, None)
            else:
                await self._end_from(row, entry)
        if resume:
            log.info("runner.resumes", runs=len(resume), left_by=left_by)
            await asyncio.to_thread(self._runtime.resume, resume)

    async def _counted(self, row: Work) -> bool:
        """Counts a resumption as a takeover from itself: the journal counts from 0 after it."""
        me = self._me
        return bool(
            await asyncio.to_thread(
                lambda: self._works.take_over(row.id, run_number=row.run_number, of=me, by=me)
            )
        )

    async def _end_from(self, row: Work, entry: Journalled) -> None:
        """The journal has ended and the row has not: the journal's word is kept."""
        killed = entry.state == "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
        ending = POISON if killed else _BROKEN
        if entry.state == "SUCCESS" and isinstance(entry.output, dict):
            kept = entry.output
            ending = (
                Ending(state=WorkState.NEW, note=_RESTORED)
                if kept == _GONE
                else retry.ending_from_json(kept)
            )
        log.warning("runner.ended_late", run_id=row.run_id, journal=entry.state)
        await self.end_unfinished(row, ending)

    async def end_unfinished(self, row: Work, ending: Ending) -> None:
        """Ends a run that nobody executes any more, with all that the journal knows of it.

        The row is that of the executor that it names.
        """
        end = RunEnd(work=row, by=row.executor_id, ending=ending, at=self._clock.now())

        def write() -> None:
            try:
                self._works.end_runs([end], steps=self._noted(row))
            except ILL:
                raise
            except Exception:  # a note that no store keeps must not hold up all that comes after
                log.exception("run.not_noted", run_id=row.run_id)
                self._works.end_runs([end])

        await asyncio.to_thread(write)
