"""The worker process of a hub, and what it has in common with the web process (`answering`).

`web` answers, `worker` acts. `serve` starts both; so can anybody. Each may be given a lifeline (its
standard input: a byte means begin, the end means stop) and a ready pipe, to say that it can be
used; see `supervisor`. Both end in good order on SIGTERM, SIGINT and the lifeline's end.
"""

import asyncio
import gc
import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import structlog
import uvloop

from inkwire.cli.locks import lock_path, try_lock

if TYPE_CHECKING:
    from inkwire.config import Settings

#: Seconds between two tries for the worker's lock.
LOCK_POLL_S = 0.25
MAX_OPEN_FILES = 65_536
#: New objects before the collector looks for rings among them. Hundreds of requests under way make
#: thousands that are no garbage: at Python's 700 it took a sixth of a sending worker's CPU.
GC_OBJECTS = 20_000

log = structlog.get_logger()
Say = Callable[..., None]


def sayer(ready_fd: int | None) -> Say:
    """What tells the supervisor of this process: a JSON object a line; nothing without a pipe."""

    def say(**facts: object) -> None:
        if ready_fd is not None:
            os.write(ready_fd, json.dumps(facts | {"pid": os.getpid()}).encode() + b"\n")

    return say


def run_worker(settings: "Settings", *, lifeline: bool, say: Say) -> None:
    """Hands on events until told to stop. On SQLite it first waits to be the only worker."""
    from inkwire.hub import open_hub
    from inkwire.worker import run_worker as work

    if lifeline and not told_to_begin():
        return

    async def main(stop: asyncio.Event) -> None:
        async with only_worker(settings, stop, say=say):
            if stop.is_set():
                return
            with open_hub(settings) as hub:
                hub.store.check()
                raise_open_files()
                settle()
                say(state="ready")
                log.info("worker.ready", pid=os.getpid())
                await work(hub, stop)
        log.info("worker.stopped")

    run(main, lifeline=lifeline)


@asynccontextmanager
async def only_worker(
    settings: "Settings", stop: asyncio.Event, *, say: Say
) -> AsyncIterator[None]:
    """Holds the worker's lock of a SQLite data folder; PostgreSQL needs none.

    Waits while another worker holds it (the kernel frees it with that process, kill -9 included).
    """
    if settings.database_url is not None:
        yield
        return
    with lock_path(settings).open("ab") as file:
        waited = False
        while not (held := try_lock(file.fileno())) and not stop.is_set():
            if not waited:
                waited = True
                say(state="waiting")
                log.warning(
                    "worker.waiting",
                    advice="Another worker runs on this data folder; this one takes over when "
                    "it ends. SQLite has one worker: several need PostgreSQL.",
                )
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOCK_POLL_S)
        if held and waited:
            log.info("worker.took_over")
        yield


def run(main: Callable[[asyncio.Event], Awaitable[None]], *, lifeline: bool) -> None:
    """Runs `main` on uvloop with an event that is set when this process should end."""

    async def guarded() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if lifeline:
            loop.add_reader(sys.stdin.fileno(), _cut, loop, stop)
        await main(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(guarded())


def told_to_begin() -> bool:
    """Waits for the supervisor's word; False if it ended instead."""
    return os.read(sys.stdin.fileno(), 1) != b""


def _cut(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """The lifeline can be read: if it is its end, finish what is in hand, then end."""
    if not os.read(sys.stdin.fileno(), 512):
        loop.remove_reader(sys.stdin.fileno())
        log.warning("process.supervisor_gone")
        stop.set()


def settle() -> None:
    """Ends the start: what it made stays for good, so the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS, 10, 10)
    gc.enable()


def raise_open_files() -> None:
    """Lets this process hold as many connections as the machine allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
