"""Orders under kill -9 and a faulty Box: one sign request, one mail, documents and status once.

A few cells by default; INKWIRE_CRASH_KILLS (`make crash`) asks for every one, and prints them all.
Each cell is the whole life of one order, in a copy of a hub that was set up once; what is proven
is asked of the sandbox, not of the hub alone. See docs/explanation/durability.md.
"""

import contextlib
import os
import random
import signal
import socket
import time
from dataclasses import dataclass
from datetime import timedelta

import pytest

from crash.harness import Site, process
from crash.nursery import Nursery, until
from crash.order_harness import (
    HASTY,
    LATE_S,
    Base,
    Cell,
    copy_of,
    environment_of,
    set_up,
    settings_of,
)
from crash.order_life import begin, finish, open_engine, pending, play, sign, wrong
from fakes.sandbox import SandboxProcess
from inkwire.hub import open_hub
from inkwire.model.work import WorkState

LONG = "INKWIRE_CRASH_KILLS" in os.environ
pytestmark = pytest.mark.crash

STEPS = {
    "request_signature": ("look", "folder", "prepare", "upload", "send", "keep"),
    "reconcile": ("read",),
    "bring_home": ("read", "status", "fetch", "fetch 2", "finish"),
    "set_up": ("folder", "webhook"),
}
CALLS = {
    "request_signature": ("create_folder", "upload", "create_sign_request", "sign_request"),
    "reconcile": ("sign_request",),
    "bring_home": ("sign_request", "download", "download 2"),
    "set_up": ("folder", "create_webhook"),
}
#: What a worker comes by only after another was killed there.
SECOND = {
    "step request_signature folder unkept": ("call request_signature folder",),
    "call request_signature create_folder after": ("call request_signature create_folder",),
    "call request_signature upload after": ("call request_signature file",),
    "step request_signature send unkept": ("step request_signature send",),
    "call request_signature create_sign_request after": ("call request_signature sign_requests",),
    "call request_signature create_sign_request before": (
        "call request_signature sign_requests",
        "step request_signature find",
    ),
    "call set_up create_webhook after": ("call set_up webhooks", "call set_up webhook"),
}
MOMENTS = {"step": ("before", "unkept", "after"), "call": ("before", "after")}
PATHS = {
    "sign request": "/sign_requests$",
    "upload": "/files/content$",
    "folder": "/2.0/folders$",
}
#: When the sandbox commits late: after so many looks at Box that found nothing (None: after all).
LOOKS = {"at once": 0, "after 2 minutes": 1, "after 10 minutes": 2, "after an hour": None}
TRIES = {"before the next try": 0, "after the next try": None}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What befalls an order."""

    name: str
    kills: tuple[tuple[str, int], ...] = ()
    faults: tuple[dict, ...] = ()
    late_after: int | None = None

    @property
    def late(self):
        """Whether the sandbox commits something later."""
        return any(fault["kind"] == "late_commit" for fault in self.faults)

    @property
    def asks(self):
        """Whether nobody but a person can know what came of the request, and only then."""
        if any(at.endswith(" create_sign_request before") for at, _ in self.kills):
            return True
        (*_, last) = self.faults or ({"path": "", "method": "", "kind": ""},)
        if (last["path"], last["method"]) != (PATHS["sign request"], "POST"):
            return False
        nothing_done = last["kind"] == "reset_before_commit" or last.get("status") == 500
        return nothing_done or (self.late and self.late_after is None)


def points(kind, places):
    """(where, at which time) before and after each of these places."""
    for workflow, names in places.items():
        for name in names:
            plain, _, nth = name.partition(" ")
            for moment in MOMENTS[kind]:
                yield f"{kind} {workflow} {plain} {moment}", int(nth or 1)


def kills():
    """One worker killed at each point; two, where only the second comes by."""
    for kind, places in (("step", STEPS), ("call", CALLS)):
        for point in points(kind, places):
            yield Spec(name=f"{point[0]}{'' if point[1] == 1 else ' 2'}", kills=(point,))
    for first, seconds in SECOND.items():
        for second in seconds:
            for moment in MOMENTS[second.partition(" ")[0]]:
                # What was struck there once is come by again.
                again = (f"{second} {moment}", 1)
                yield Spec(name=f"{first}, then {again[0]}", kills=((first, 1), again))


def fault(kind, what, method="POST", **more):
    """A rule of the sandbox that befalls one call."""
    return {"kind": kind, "method": method, "path": PATHS.get(what, what), **more}


def faults():
    """What Box may do to a create, and to the look that follows."""
    for what in PATHS:
        for kind in ("reset_before_commit", "reset_after_commit"):
            yield Spec(name=f"{what}: {kind}", faults=(fault(kind, what),))
        for status, more in ((429, {"retry_after_s": 30}), (500, {}), (401, {})):
            given = fault("status", what, status=status, **more)
            yield Spec(name=f"{what}: {status}", faults=(given,))
        late = fault("late_commit", what, delay_s=LATE_S)
        for when, looks in (LOOKS if what == "sign request" else TRIES).items():
            yield Spec(name=f"{what}: late commit {when}", faults=(late,), late_after=looks)
    lost = fault("reset_after_commit", "sign request")
    for kind, more in (
        ("reset_before_commit", {"count": 3}),
        ("status", {"status": 503, "count": 6}),
        ("status", {"status": 429, "retry_after_s": 30}),
    ):
        blind = fault(kind, "sign request", "GET", **more)
        name = more.get("status", kind)
        yield Spec(name=f"sign request: reset_after_commit, its look: {name}", faults=(lost, blind))
    for kind, more in (("reset_after_commit", {}), ("status", {"status": 503, "count": 5})):
        given = fault(kind, "/files/[0-9]+/content$", "GET", **more)
        yield Spec(name=f"download: {more.get('status', kind)}", faults=(given,))


def late_and_killed():
    """Committed after a person was asked; the run that finds it is killed, too."""
    late = fault("late_commit", "sign request", delay_s=LATE_S)
    for point in (*points("step", {"find_orphans": ("walk",)}),
                  *points("call", {"find_orphans": ("sign_requests",)})):  # fmt: skip
        yield Spec(name=f"late commit, then {point[0]}", kills=(point,), faults=(late,))


ALL = [*kills(), *faults(), *late_and_killed()]
#: In every run: where the worst could happen.
SAMPLE = {
    "sqlite": (
        "step request_signature upload unkept",
        "step request_signature send unkept",
        "call request_signature create_sign_request before",
        "step bring_home status unkept",
        "step bring_home fetch unkept 2",
        "sign request: late commit after 2 minutes",
    ),
    "postgresql": (
        "call request_signature create_sign_request after",
        "step bring_home finish unkept",
    ),
}


# --- the stand


class Stand:
    """A sandbox, the process that workers are forked from, and hubs to be copied."""

    def __init__(self, folder, request):
        self.folder = folder
        self.request = request
        self.sandbox = SandboxProcess(folder / "box")
        self.sandbox.pace(convert_s=0.0, finalize_s=0.0)
        self.nursery = Nursery()
        self.bases = {}
        self.closing = contextlib.ExitStack()
        self.closing.callback(self.sandbox.stop)
        self.closing.callback(self.nursery.close)
        self.told = []

    def base(self, store):
        """The hub of that kind of store that is copied."""
        if store not in self.bases:
            folder, url = self.folder / f"base-{store}", None
            if store == "postgresql":
                url = self.closing.enter_context(self.server(store).database())
            settings = settings_of(folder, url)
            set_up(settings, self.sandbox)
            with open_hub(settings) as hub:
                open_engine(hub, self.sandbox, self.nursery)
            self.bases[store] = Base(folder=folder, database_url=url)
        return self.bases[store]

    def server(self, store):
        """The PostgreSQL server, if that is the store."""
        if store == "sqlite":
            return None
        return self.request.getfixturevalue("postgres_server")

    @contextlib.contextmanager
    def hub(self, store, folder, **more):
        """A copy of a hub, opened; the sandbox has forgotten what it saw."""
        base = self.base(store)
        self.sandbox.call("DELETE", "/journal")
        with copy_of(base, folder / "hub", self.server(store), **more) as settings:
            try:
                with open_hub(settings) as hub:
                    yield hub
            finally:
                self.sandbox.clear_faults()

    @contextlib.contextmanager
    def cell(self, store, folder, spec=None, without="", engine=HASTY):
        """A cell whose workers end with the block."""
        spec = spec or Spec(name="")
        with self.hub(store, folder) as hub:
            cell = Cell(
                hub=hub,
                sandbox=self.sandbox,
                nursery=self.nursery,
                kills=spec.kills,
                without=without,
                late=spec.late,
                late_after=spec.late_after,
                engine=engine,
            )
            for rule in spec.faults:
                self.sandbox.fault(**rule)
            try:
                yield cell
            finally:
                cell.stop()

    def tell(self, *columns):
        """A line of the table at the end."""
        self.told.append(columns)


@pytest.fixture(scope="module")
def stand(tmp_path_factory, request):
    """One for all cells; the long run prints its table at the end."""
    made = Stand(tmp_path_factory.mktemp("stand"), request)
    with made.closing:
        yield made
    if LONG and made.told:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print("\n\n| store | what befell the order | workers | hub's clock | what came of it |")
            print("|---|---|---|---|---|")
            for columns in made.told:
                print("| " + " | ".join(str(column) for column in columns) + " |")


def cells():
    """(store, what befalls the order)."""
    for store, names in SAMPLE.items():
        for spec in ALL:
            if LONG or spec.name in names:
                yield pytest.param(store, spec, id=f"{store}-{spec.name.replace(' ', '_')}")


# --- the matrix


@pytest.mark.parametrize(("store", "spec"), list(cells()))
def test_an_order_is_signed_once_whatever_befalls_its_workers(stand, tmp_path, store, spec):
    """One request, one mail, each document, status and message once, an unbroken chain."""
    with stand.cell(store, tmp_path, spec) as cell:
        play(cell)
        found = wrong(cell)
        for index, point in enumerate(spec.kills):
            assert cell.flag(index).exists(), f"no worker came by {point}"
        struck = sum(rule["seen"] > 0 for rule in stand.sandbox.call("GET", "/faults"))
        assert struck == len(spec.faults), "a fault never came to its call"
    came = "; ".join(found) or cell.doubt or "went on by itself"
    stand.tell(store, spec.name, len(cell.workers), f"{cell.shift / 60:.0f} min", came)
    assert not found
    assert bool(cell.doubt) is spec.asks
    assert len(cell.workers) == len(spec.kills) + 1


CARELESS = (
    "call request_signature create_sign_request after",
    "step request_signature send unkept",
    "sign request: reset_after_commit",
    "sign request: late commit after an hour",
)


@pytest.mark.parametrize("name", CARELESS if LONG else CARELESS[:1])
def test_repeating_at_once_sends_twice_and_is_seen(stand, tmp_path, name):
    """Negative control: without the ledger the same cells end in a second request, and a mail."""
    (spec,) = (one for one in ALL if one.name == name)
    with stand.cell("sqlite", tmp_path, spec, without="ledger") as cell:
        play(cell)
        found = wrong(cell)
    stand.tell("sqlite", f"no ledger: {name}", len(cell.workers), "", found[0])
    assert "sign requests at Box: 2, not 1" in found
    assert "signing mails: 2, not 1" in found


# --- two executors

#: Where a worker is stopped, before the request leaves it.
STOPS = {
    "before its claim": "ledger send before",
    "before the POST": "call request_signature create_sign_request before",
}
#: A death is noticed in seconds; the product's 25 are waited for once.
SOON = HASTY | {"dead_after_s": 4.0}
TAKEN_OVER_WITHIN_S = 45.0


def second_beats(cell):
    """Another worker, which is another executor for as long as the first one holds its own id."""
    cell.start()
    until(lambda: len(cell.hub.store.executors.all()) == 2, "the second one's beat")


def stopped_and_taken_over(cell, at):
    """A worker that stands still there, and another that has its run; (the work, the first)."""
    work = begin(cell)
    first = cell.start(stop_at=at)
    until(cell.flag(0).exists, "the stop")
    second_beats(cell)

    def taken():
        row = cell.hub.store.works.get(work.id)
        return row.takeovers == 1 and row.state is not WorkState.RUNNING

    until(taken, "the takeover")
    return work, first


# Each waits for a death to be noticed; in every run tests/engine/test_takeover.py does.
if LONG:

    def test_the_run_of_a_worker_that_is_gone_goes_on_elsewhere(stand, tmp_path):
        """Killed for good in the middle of sending: taken over within 45 s by the product's settings."""
        with stand.cell("postgresql", tmp_path, engine={}) as cell:
            work = begin(cell)
            first = cell.start(stop_at="step request_signature send unkept")
            until(cell.flag(0).exists, "the step")
            begun = time.monotonic()
            second_beats(cell)
            os.kill(first, signal.SIGKILL)
            until(lambda: cell.hub.store.works.get(work.id).takeovers == 1, "the takeover")
            took = time.monotonic() - begun
            finish(cell, work)
            assert not wrong(cell)
        stand.tell(
            "postgresql", "a worker is gone for good", 2, "", f"taken over after {took:.1f} s"
        )
        assert took < TAKEN_OVER_WITHIN_S

    @pytest.mark.parametrize("where", STOPS)
    def test_a_stopped_worker_that_comes_back_sends_nothing_more(stand, tmp_path, where):
        """0 extra creates, whether the other one had to send or not."""
        with stand.cell("postgresql", tmp_path, engine=SOON) as cell:
            work, first = stopped_and_taken_over(cell, STOPS[where])
            os.kill(first, signal.SIGCONT)
            assert stand.nursery.end(first, signal.SIGTERM) == 0
            finish(cell, work)
            creates = stand.sandbox.counts()["POST /2.0/sign_requests"]
            assert not wrong(cell)
        stand.tell(
            "postgresql", f"stopped {where}, continued", 2, "", f"{creates - 1} extra creates"
        )
        assert creates == 1

    def test_a_stopped_worker_without_a_fence_sends_again_and_is_seen(stand, tmp_path):
        """Negative control: whoever comes back and is granted every claim makes a second one."""
        with stand.cell("postgresql", tmp_path, engine=SOON, without="fence") as cell:
            work, first = stopped_and_taken_over(cell, STOPS["before its claim"])
            os.kill(first, signal.SIGCONT)
            assert stand.nursery.end(first, signal.SIGTERM) == 0
            finish(cell, work)
            found = wrong(cell)
        stand.tell("postgresql", "no fence: stopped before its claim", 2, "", found[0])
        assert "sign requests at Box: 2, not 1" in found


# --- webhooks


def free_port():
    """A port that nobody listens on: Box's webhook names it before the hub listens.

    Below those that the system gives to any connection, or one might have it by then.
    """
    for port in random.SystemRandom().sample(range(15_000, 32_000), 50):
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("fifty ports, and none is free")


def test_lost_repeated_overtaken_and_late_webhooks_end_alike(stand, tmp_path):
    """One end state, whatever becomes of the webhooks; each that arrives is answered 200."""
    box, held = stand.sandbox, {"delay_s": LATE_S}
    with stand.hub("sqlite", tmp_path, port=free_port()) as hub:
        site = Site(data_dir=hub.settings.data_dir, environment=environment_of(hub.settings))
        orders = {
            name: Cell(hub=hub, sandbox=box, nursery=stand.nursery, folder_name="Crash webhooks")
            for name in ("repeated", "overtaken", "punctual", "lost", "late")
        }
        first = orders["repeated"]
        works = {name: begin(cell) for name, cell in orders.items()}

        def signed(name, **fault):
            if fault:
                box.fault(trigger="SIGN_REQUEST.COMPLETED", **fault)
            sign(orders[name])

        def home(*names):
            for name in names:
                key = orders[name].requests()[0]["id"]
                until(lambda key=key: has_row(hub, key), f"the work of {name}")
                first.ended(first.row("bring_home", key))

        with process(site, "web"):
            first.start(upkeep=True)
            try:
                for work in works.values():
                    first.ended(work)
                until(lambda: hub.store.integrations.get(1).remote.get("webhook_id"), "the webhook")
                signed("repeated", kind="duplicate", times=13)
                signed("overtaken", kind="reorder", **held)
                signed("punctual")
                home("repeated", "punctual")
                assert not has_row(hub, orders["overtaken"].requests()[0]["id"])
                box.advance(LATE_S + 1)
                home("overtaken")
                signed("lost", kind="lost")
                signed("late", kind="reorder", **held)
                first.move_to(hub.clock.now() + timedelta(minutes=20))
                box.call("POST", "/clock", {"skew_s": first.shift})
                home("lost", "late")
                box.advance(LATE_S + 1)
                until(lambda: arrived(box, hub) == 13 + 3, "the last webhook")
                until(lambda: not pending(first), "the end of the engine's runs")
            finally:
                first.stop()
                box.call("POST", "/clock", {"skew_s": 0})
        found = {name: wrong(cell, orders=5) for name, cell in orders.items()}
        assert not any(found.values()), found
        assert {status for one in sent_to(box, hub) for status in one["statuses"]} == {200}


def has_row(hub, sign_request_id):
    """Whether an outcome is there to be brought home."""
    return hub.store.works.by_key(1, f"{sign_request_id}/SIGN_REQUEST.COMPLETED") is not None


def sent_to(box, hub):
    """Deliveries to this hub; those to the hubs of other cells found nobody there."""
    own = f":{hub.settings.port}/in/"
    return [one for one in box.deliveries() if own in one["address"]]


def arrived(box, hub):
    """Webhooks of completed requests that were delivered."""
    done = [one for one in sent_to(box, hub) if one["trigger"] == "SIGN_REQUEST.COMPLETED"]
    return sum(one.get("outcome") == "delivered" for one in done)
