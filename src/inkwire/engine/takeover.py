"""Executors: whose runs are whose, who still lives, and what becomes of the runs of the dead."""

import asyncio
import fcntl
import os
import platform
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from inkwire import __version__
from inkwire.clock import Clock
from inkwire.engine.runner import MAX_TAKEOVERS, POISON, Runner
from inkwire.engine.settings import EngineSettings
from inkwire.engine.waits import until
from inkwire.errors import ConfigError, StoreError
from inkwire.ids import Ids
from inkwire.model.work import Executor, Work
from inkwire.store.contract import Store

#: Workers that can share one data folder.
MAX_WORKERS = 64
_ID = re.compile(r"exe_[0-9a-v]{24}")

log = structlog.get_logger()


class Identity:
    """An executor's id, kept in the data folder and locked while this process lives."""

    def __init__(self, executor_id: str, file: int) -> None:
        """See `claim_identity`."""
        self.id = executor_id
        self._file = file

    def close(self) -> None:
        """Lets another worker of this folder have the id."""
        os.close(self._file)


def claim_identity(folder: Path, ids: Ids) -> Identity:
    """The first id that no living worker has, of this folder's files `executor`, `executor-2`….

    A worker that starts again gets the id that it had, and so its own runs. Raises ConfigError if
    the folder cannot be written.
    """
    for number in range(1, MAX_WORKERS + 1):
        path = folder / ("executor" if number == 1 else f"executor-{number}")
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                f"{path} cannot be opened: {error.strerror}; check INKWIRE_DATA_DIR."
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        return Identity(_kept_id(file, ids), file)
    raise ConfigError(f"{MAX_WORKERS} workers use the folder {folder}; give this one its own.")


def _kept_id(file: int, ids: Ids) -> str:
    kept = os.read(file, 100).decode("ascii", "replace").strip()
    if _ID.fullmatch(kept):
        return kept
    made = ids.new("exe")
    os.ftruncate(file, 0)
    os.pwrite(file, f"{made}\n".encode(), 0)
    os.fsync(file)
    return made


@dataclass(slots=True)
class _Seen:
    beat_at: datetime
    at: float


class Watch:
    """Judges who is dead: whoever's heartbeat stands still, by our own steady clock.

    So the clocks of two machines need not agree, and a process that was itself stopped for a while
    does not take what it missed for the silence of others.
    """

    def __init__(self, *, me: str, dead_after_s: float, most_gap_s: float) -> None:
        """`most_gap_s`: longest time between two looks after which they still say something."""
        self._me = me
        self._dead_after_s = dead_after_s
        self._most_gap_s = most_gap_s
        self._seen: dict[str, _Seen] = {}
        self._looked_at = float("-inf")

    def dead(self, executors: Sequence[Executor], *, at: float) -> list[str]:
        """Those whose beat has not moved for too long. `at`: seconds of a steady clock."""
        if at - self._looked_at > self._most_gap_s:
            self._seen = {}
        self._looked_at = at
        living = [one for one in executors if one.id != self._me and one.stopped_at is None]
        for one in living:
            seen = self._seen.get(one.id)
            if seen is None or seen.beat_at != one.beat_at:
                self._seen[one.id] = _Seen(beat_at=one.beat_at, at=at)
        return [one.id for one in living if at - self._seen[one.id].at >= self._dead_after_s]


class Heart:
    """Beats for this executor, and takes over what the dead leave behind."""

    def __init__(
        self, *, identity: Identity, store: Store, clock: Clock, runner: Runner,
        settings: EngineSettings,
    ) -> None:  # fmt: skip
        self._me = identity.id
        self._store = store
        self._clock = clock
        self._runner = runner
        self._settings = settings
        now = clock.now()
        self._executor = Executor(
            id=self._me, host=platform.node(), version=__version__, started_at=now, beat_at=now
        )
        self._watch = Watch(
            me=self._me,
            dead_after_s=settings.dead_after_s,
            most_gap_s=max(settings.dead_after_s / 2, 2 * settings.beat_s),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Beats until `stop` is set."""
        while not stop.is_set():
            try:
                await self.once()
            except StoreError as error:
                log.warning("heart.store_failed", error=error.message)
            except Exception:
                log.exception("heart.failed")  # a heart that stops would cost the runs in hand
            await until(stop, self._settings.beat_s)

    async def once(self) -> None:
        """One beat, one look at the others. Raises StoreError."""
        beat = replace(self._executor, beat_at=self._clock.now())
        await asyncio.to_thread(self._store.executors.beat, beat)
        executors = await asyncio.to_thread(self._store.executors.all)
        for dead in self._watch.dead(executors, at=asyncio.get_running_loop().time()):
            await self._take_over(dead)

    async def stopped(self) -> None:
        """Notes an orderly end; not if runs were left, so that others take them over."""
        with suppress(StoreError):
            if not await asyncio.to_thread(self._store.works.running, self._me):
                now = self._clock.now()
                await asyncio.to_thread(lambda: self._store.executors.stop(self._me, at=now))

    async def _take_over(self, dead: str) -> None:
        rows = await asyncio.to_thread(self._store.works.running, dead)
        if rows:
            log.warning("heart.takes_over", of=dead, runs=len(rows))
            await self._runner.open()
            moved = [one for row in rows if (one := await self._moved(row, dead)) is not None]
            await self._runner.settle(moved, left_by=dead)
        if not await asyncio.to_thread(self._store.works.running, dead):
            await asyncio.to_thread(self._store.executors.forget, dead)

    async def _moved(self, row: Work, dead: str) -> Work | None:
        """The row, if it is ours from now on; whoever else tries gets the rest."""
        if row.takeovers >= MAX_TAKEOVERS:
            await self._runner.end_unfinished(row, POISON)
            return None
        works = self._store.works
        return await asyncio.to_thread(
            lambda: works.take_over(row.id, run_number=row.run_number, of=dead, by=self._me)
        )
