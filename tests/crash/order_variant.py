"""Workers that die, or stop, where a test wants it: `inkwire worker`, with a watch over its runs.

`python order_variant.py` imports what a worker imports, then reads a line of JSON for each worker
that is wanted and forks it: real processes that begin in milliseconds. Everything goes through
seams of the product: the kinds and services of a hub, the settings of the engine. Run as a program
by the harness, never imported by the product.

A wish: `{"environment": {…}, "points": [{"at": POINT, "nth": 1, "do": "kill" or "stop",
"flag": FILE}], "without": "" or a safeguard, "engine": {…}, "upkeep": false}`. A POINT is
`step WORKFLOW STEP before|unkept|after`, `call WORKFLOW METHOD before|after` or
`ledger send before`; unkept: done, and not yet kept by the engine.
"""

import json
import os
import select
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock

import dbos  # noqa: F401 - forked workers have it at once

import inkwire.hub
import inkwire.providers.box.client.sdk
import inkwire.worker
from inkwire.cli.processes import run_worker, sayer
from inkwire.clock import ShiftedClock
from inkwire.config import load_settings
from inkwire.engine.settings import engine_settings
from inkwire.errors import Ambiguous, Transient
from inkwire.ids import SortableIds
from inkwire.integrations.box_salesforce import attaching, tasks, tasks_bulk
from inkwire.integrations.box_sign_orders import sending
from inkwire.integrations.box_sign_orders.folder import client
from inkwire.integrations.box_sign_orders.settings import chosen
from inkwire.integrations.registry import kinds as installed_kinds
from inkwire.logs import set_up_logging
from inkwire.model.crm import BulkJobState
from inkwire.store.open import open_store

SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where this worker is struck, once in all: its flag file says that it was."""

    at: str
    do: str
    flag: str
    nth: int = 1


class Watch:
    """Counts what the worker comes by, and strikes."""

    def __init__(self, points):
        self._points = [Point(**point) for point in points]
        self._seen = Counter()
        self._lock = Lock()

    def passes(self, *where):
        """The worker is there now."""
        with self._lock:
            at = " ".join(where)
            self._seen[at] += 1
            for point in self._points:
                if (point.at, point.nth) == (at, self._seen[at]) and _first(point.flag):
                    os.kill(os.getpid(), SIGNALS[point.do])


def _first(flag):
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


class Watched:
    """Whatever is wrapped, with some of its attributes replaced."""

    def __init__(self, inner, **replaced):
        self._inner = inner
        self.__dict__.update(replaced)

    def __getattr__(self, name):
        return getattr(self._inner, name)


def watched_kind(kind, watch, *, upkeep):
    """A business process whose runs are watched."""
    workflows = {
        name: partial(_watched_workflow, watch, name, workflow)
        for name, workflow in kind.workflows.items()
    }
    return Watched(kind, workflows=workflows, upkeep=kind.upkeep if upkeep else ())


async def _watched_workflow(watch, name, workflow, run):
    desk = run.services.connections
    box = partial(_watched_client, watch, name, desk.box)
    salesforce = partial(_watched_client, watch, name, desk.salesforce)
    connections = Watched(desk, box=box, salesforce=salesforce)
    services = replace(run.services, connections=connections)
    step = partial(_watched_step, watch, name, run)
    return await workflow(Watched(run, services=services, step=step))


async def _watched_step(watch, workflow, run, name, do, **more):
    at = partial(watch.passes, "step", workflow, name.partition(":")[0])

    def done():
        at("before")
        value = do()
        at("unkept")
        return value

    value = await run.step(name, done, **more)
    at("after")
    return value


def _watched_client(watch, workflow, opened, *args, **ids):
    return WatchedClient(opened(*args, **ids), partial(watch.passes, "call", workflow))


class WatchedClient:
    """A client of Box or Salesforce whose calls are watched."""

    def __init__(self, client, passes):
        self._client = client
        self._passes = passes

    def __getattr__(self, name):
        method = getattr(self._client, name)

        def call(*args, **named):
            self._passes(name, "before")
            answer = method(*args, **named)
            if isinstance(answer, Iterator):
                answer = iter(list(answer))
            self._passes(name, "after")
            return answer

        return call


# --- safeguards that can be left out


def careless_send(run, folder, files, *, version):
    """Asks no ledger; what got no answer is sent again at once."""
    order = run.services.orders.read(run.work.subject["order_id"])
    draft = sending._draft(run, order, chosen(run.integration), folder, files)
    try:
        sign = client(run).create_sign_request(draft)
    except Ambiguous as error:
        raise Transient(error.message) from error
    run.services.store.ledger.intend(sending._entry(run))
    return sending._settled(run, sign.id)


def forgetful_look(asked, run, job):
    """A job that a dead worker left is taken for one that is not there."""
    return None if job.state is BulkJobState.OPEN else asked(run, job)


def without(safeguard):
    """Leaves a safeguard of sending out."""
    if safeguard == "ledger":
        sending.is_sent = lambda _: False
        sending.send = careless_send
    elif safeguard == "probe":
        attaching.probe = lambda *_: None
        tasks.probe = lambda *_: {}
        tasks_bulk.asked = partial(forgetful_look, tasks_bulk.asked)


def watched_ledger(ledger, watch, *, fenced):
    """A ledger with a point before each claim; not `fenced`: every claim is granted."""
    claim = ledger.send

    def send(key, **more):
        watch.passes("ledger", "send", "before")
        claimed = claim(key, **more)
        return claimed if fenced else claimed or ledger.get(key)

    ledger.send = send


# --- one worker


class NoJudge:
    """Nobody asks for verdicts here, and each takes a second of a core."""

    def __init__(self, **_):
        pass

    async def run(self, stop):
        await stop.wait()


def work(wish):
    """What a forked process does."""
    os.environ.clear()
    os.environ.update(wish["environment"])
    watch = Watch(wish["points"])
    without(wish["without"])

    def open_hub(settings):
        clock = ShiftedClock(settings.clock_file)
        ids = SortableIds(clock)
        store = open_store(settings, clock=clock, ids=ids)
        watched_ledger(store.ledger, watch, fenced=wish["without"] != "fence")
        kinds = {
            name: watched_kind(kind, watch, upkeep=wish["upkeep"])
            for name, kind in installed_kinds().items()
        }
        return inkwire.hub.hub_of(settings, store, clock=clock, ids=ids, kinds=kinds)

    inkwire.hub.open_hub = open_hub
    inkwire.worker.Judge = NoJudge
    inkwire.worker.engine_settings = lambda given: replace(engine_settings(given), **wish["engine"])
    settings = load_settings()
    set_up_logging(level=settings.log_level, style=settings.log_format)
    run_worker(settings, lifeline=False, say=sayer(1))


def main():
    """Forks what is asked for and tells of what ended, until its standard input ends."""
    say = sayer(1)
    say(state="nursery")
    children, text = set(), b""
    while True:
        readable, _, _ = select.select([0], [], [], 0.005 if children else None)
        if readable:
            piece = os.read(0, 65536)
            if not piece:
                break
            *lines, text = (text + piece).split(b"\n")
            children |= {_forked(json.loads(line)) for line in lines}
        for pid in list(children):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                children.discard(pid)
                say(state="ended", child=pid, code=os.waitstatus_to_exitcode(status))
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _forked(wish):
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work(wish)
        code = 0
    except BaseException:  # noqa: BLE001 - it must not become another nursery
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)
    return 0


if __name__ == "__main__":
    main()
