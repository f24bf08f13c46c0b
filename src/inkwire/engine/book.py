"""What runs tell people and the store: notes of their steps, and their endings, many in a commit.

Only the journal must hold a step before the next one begins. Its note is made from the journal's
entry, waits here a moment, and is written together with the ending of whichever run ends next. A
crash in between loses none: a run that is continued notes again what the journal gives it, and
whoever ends a run without continuing it takes the notes from the journal (`runs.notes`).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

import structlog

from inkwire.engine.waits import until
from inkwire.errors import StoreBusy, StoreError, StoreFull, StoreOutdated
from inkwire.model.work import Call, Step
from inkwire.store.acting import RunEnd, RunLog, Works
from inkwire.store.contract import Store

#: For which an ending waits for others while more runs are in hand.
GATHER_S = 0.04
#: Notes a transaction at most, so that an append on SQLite never waits long for its turn.
MAX_NOTES = 100
#: Seconds after the store failed before it is asked again.
RETRY_S = 1.0
#: Seconds for which an orderly stop waits for the store, and between its tries: a write on SQLite
#: waits 1.5 for its turn, and one that failed once is to have another.
CLOSE_S, CLOSE_RETRY_S = 5.0, 0.1
#: What is the store's own trouble, whatever it was given.
ILL = (StoreBusy, StoreFull, StoreOutdated)

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    """A run that has ended once this is written."""

    end: RunEnd
    heard: "asyncio.Future[bool]"


class Book:
    """Notes and endings of this worker's runs, written in groups."""

    def __init__(self, store: Store, *, in_hand: Callable[[], int], note_s: float) -> None:
        """`in_hand`: how many runs are executed here, those that wait for their end included.

        `note_s`: longest time for which a note waits for others, in seconds.
        """
        self._works: Works = store.works
        self._log: RunLog = store.run_log
        self._in_hand = in_hand
        self._note_s = note_s
        #: Held for the lists only; `_turn` is held while they are written.
        self._lock, self._turn = Lock(), Lock()
        self._notes: list[Step] = []
        self._ends: list[_Waiting] = []
        self._ending = asyncio.Event()
        self._closing = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        #: The store for workflows: who reads a row's steps there reads those that wait here, too.
        self.store = copy(store)
        self.store.run_log = _Complete(self._log, self.written)

    def note(self, step: Step) -> None:
        """Writes it soon. To be called on the loop."""
        with self._lock:
            self._notes.append(step)
        self._write_soon()

    async def end(self, end: RunEnd) -> bool:
        """Ends a run, after its notes; whether the row was still that run's, see `end_runs`.

        Waits as long as the store does not answer.
        """
        heard = asyncio.get_running_loop().create_future()
        with self._lock:
            self._ends.append(_Waiting(end=end, heard=heard))
        self._ending.set()
        self._write_soon()
        return bool(await heard)

    @property
    def ending(self) -> int:
        """How many runs only wait for their end to be written."""
        return len(self._ends)

    def written(self, work_id: str) -> None:
        """Writes the notes that wait, if one is of this row; on any thread. Raises StoreError."""
        with self._turn:
            with self._lock:
                notes = self._notes[:]
            if not any(one.work_id == work_id for one in notes):
                return
            try:
                self._keep(notes)
            except ILL:
                raise
            except Exception:
                log.exception("book.failed", notes=len(notes), ends=0)
                self._apart([])

    async def close(self) -> None:
        """Writes what waits. What the store does not take, the journal still knows."""
        self._closing.set()
        if self._writer is not None:
            self._ending.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._writer), CLOSE_S)
            if self._notes or self._ends:
                log.warning("book.left", notes=len(self._notes), ends=len(self._ends))
            self._writer.cancel()

    # --- writing

    def _write_soon(self) -> None:
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        """Writes until nothing waits."""
        while self._notes or self._ends:
            await self._gather()
            try:
                done = await asyncio.to_thread(self._commit)
            except StoreError as error:
                log.warning("book.store_failed", error=error.message, retry_s=RETRY_S)
                await until(self._closing, RETRY_S)
                if self._closing.is_set():
                    await asyncio.sleep(CLOSE_RETRY_S)
                continue
            for waiting, result in done:
                if waiting.heard.done():
                    continue  # this worker stops
                if isinstance(result, Exception):
                    waiting.heard.set_exception(result)
                else:
                    waiting.heard.set_result(result)

    async def _gather(self) -> None:
        """Waits for an ending, and a little for more; alone, a run ends at once."""
        if not self._ends and not self._closing.is_set():
            self._ending.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._note_s)
        if len(self._ends) < self._in_hand():
            await asyncio.sleep(GATHER_S)

    def _commit(self) -> list[tuple[_Waiting, bool | Exception]]:
        """One transaction; more if many notes wait. Raises StoreError, and then all still wait."""
        with self._turn:
            with self._lock:
                notes, ends = self._notes[:], self._ends[:]
            if not notes and not ends:
                return []
            first = len(notes) - MAX_NOTES
            try:
                if first > 0:
                    self._keep(notes[:first])
                    notes = notes[first:]
                done = self._works.end_runs([one.end for one in ends], steps=notes)
            except ILL:
                raise
            except Exception:
                log.exception("book.failed", notes=len(notes), ends=len(ends))
                return self._apart(ends)
            with self._lock:
                del self._notes[: len(notes)]
                del self._ends[: len(ends)]
        return list(zip(ends, done, strict=True))

    def _keep(self, notes: Sequence[Step]) -> None:
        """Writes the notes that have waited longest. `_turn` is held."""
        for start in range(0, len(notes), MAX_NOTES):
            some = notes[start : start + MAX_NOTES]
            self._log.add_steps(some)
            with self._lock:
                del self._notes[: len(some)]

    def _apart(self, ends: Sequence[_Waiting]) -> list[tuple[_Waiting, bool | Exception]]:
        """One by one, so that what no store can keep costs nothing but itself. `_turn` is held.

        Raises StoreError, and then all still wait: nothing was kept, so it is the store. Otherwise
        a note that it refused is left out; an ending that it refused waits on.
        """
        with self._lock:
            notes = self._notes[:]
        refused: list[Step] = []
        trouble: StoreError | None = None
        kept = False
        for note in notes:
            try:
                self._log.add_step(note)
                kept = True
            except ILL:
                raise
            except StoreError as error:
                trouble = error
                refused.append(note)
            except Exception:
                log.exception("book.not_noted", step=note.id)
        done: list[tuple[_Waiting, bool | Exception]] = []
        for one in ends:
            try:
                done += [(one, result) for result in self._works.end_runs([one.end])]
                kept = True
            except ILL as error:
                trouble = error
                break
            except StoreError as error:
                trouble = error
            except Exception as error:  # noqa: BLE001 - whoever waits for it hears it
                done.append((one, error))
        if trouble is not None and not kept and not done:
            raise trouble
        if kept:
            for note in refused:
                log.warning("book.not_noted", step=note.id, error=str(trouble))
            refused = []
        with self._lock:
            self._notes[: len(notes)] = refused
            for one, _ in done:
                self._ends.remove(one)
        return done


class _Complete(RunLog):
    """The log of runs without a gap: what waits is written before a row's steps are read.

    Evidence is the hash of a run's steps up to now; read without them it would lack the last.
    """

    def __init__(self, kept: RunLog, written: Callable[[str], None]) -> None:
        self._kept = kept
        self._written = written

    def add_step(self, step: Step) -> None:
        self._kept.add_step(step)

    def add_steps(self, steps: Sequence[Step]) -> None:
        self._kept.add_steps(steps)

    def steps(self, work_id: str) -> list[Step]:
        self._written(work_id)
        return self._kept.steps(work_id)

    def add_call(self, call: Call) -> None:
        self._kept.add_call(call)

    def calls_of(self, work_id: str) -> list[Call]:
        return self._kept.calls_of(work_id)

    def calls(
        self, *, work_id: str | None = None, connection_id: str | None = None, limit: int = 200
    ) -> list[Call]:
        return self._kept.calls(work_id=work_id, connection_id=connection_id, limit=limit)

    def forget(self, *, before: datetime, limit: int) -> int:
        return self._kept.forget(before=before, limit=limit)
