"""The engine at work in this process, on a real SQLite store."""

import asyncio
import json
import shutil
import sqlite3
import time
from contextlib import closing
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from engine.acting import Site, Toy, engine, settled, site, until
from inkwire.config import load_settings
from inkwire.engine import retry
from inkwire.engine.contract import Outcome
from inkwire.engine.retry import Tried
from inkwire.engine.runner import POISON
from inkwire.engine.runs import FRESH_S
from inkwire.engine.runtime import DurableJournal, Runtime
from inkwire.engine.takeover import claim_identity
from inkwire.errors import (
    Ambiguous,
    Held,
    LimitReached,
    NeedsAttention,
    NotFound,
    Permanent,
    StoreBusy,
    Transient,
)
from inkwire.model.work import (
    CommandKind,
    CommandState,
    ErrorKind,
    Executor,
    ParkCause,
    StepResult,
    WorkState,
)
from inkwire.providers.contract import Check
from inkwire.store.acting import Ending
from inkwire.store.open import migrate


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A data folder with an empty store."""
    folder = tmp_path_factory.mktemp("migrated")
    migrate(load_settings(data_dir=folder))
    return folder


@pytest.fixture
def place(migrated, tmp_path) -> Site:
    """A site of its own for each test."""
    folder = tmp_path / "data"
    shutil.copytree(migrated, folder)
    with site(folder) as made:
        yield made


def failing(error):
    """A workflow whose one step fails so each time."""

    def fail():
        raise error

    async def workflow(run):
        await run.step("fails", fail)
        return Outcome.done("Never.")

    return workflow


async def badly_named(run):
    """A step's name must be one."""
    await run.step("No Name", lambda: None)
    return Outcome.done("Never.")


async def unkeepable(run):
    """What a step returns must be JSON."""
    await run.step("gives", lambda: {1, 2})
    return Outcome.done("Never.")


async def outside(run):
    """An error may be raised outside of steps, too."""
    raise Held("Which of the two?")


ENDINGS = {
    "transient": (failing(Transient("Busy.")), WorkState.NEW, None, ErrorKind.TRANSIENT, 60),
    "patient": (
        failing(Transient("Come back.", retry_after_s=500)), WorkState.NEW, None,
        ErrorKind.TRANSIENT, 500,
    ),
    "store": (failing(StoreBusy()), WorkState.NEW, None, ErrorKind.TRANSIENT, 60),
    "ambiguous": (failing(Ambiguous("Cut.")), WorkState.NEW, None, ErrorKind.AMBIGUOUS, 120),
    "auth": (
        failing(NeedsAttention("No.")), WorkState.PARKED, ParkCause.CONNECTION, ErrorKind.AUTH, 60
    ),
    "limit": (
        failing(LimitReached("Full.", retry_after_s=90)), WorkState.PARKED, ParkCause.LIMIT,
        ErrorKind.LIMIT, 90,
    ),
    "held": (failing(Held("Which?")), WorkState.PARKED, ParkCause.PERSON, None, 0),
    "outside": (outside, WorkState.PARKED, ParkCause.PERSON, None, 0),
    "permanent": (failing(Permanent("Bad.")), WorkState.DEAD, None, ErrorKind.PERMANENT, None),
    "missing": (failing(NotFound("Gone.")), WorkState.DEAD, None, ErrorKind.PERMANENT, None),
    "defect": (failing(KeyError("x")), WorkState.DEAD, None, ErrorKind.PERMANENT, None),
    "badly_named": (badly_named, WorkState.DEAD, None, ErrorKind.PERMANENT, None),
    "unkeepable": (unkeepable, WorkState.DEAD, None, ErrorKind.PERMANENT, None),
}  # fmt: skip


async def test_the_kind_of_an_error_alone_decides_how_the_work_goes_on(place):
    """Every ending, what it says, and how often its step was tried within the run."""
    toy = Toy({name: item[0] for name, item in ENDINGS.items()})
    mine = place.integration()
    rows = {name: place.work(mine, name) for name in [*ENDINGS, "unknown"]}
    async with engine(place, toy):
        ended = {name: await settled(place, row) for name, row in rows.items()}
    for name, (_, state, cause, kind, wait_s) in ENDINGS.items():
        row = ended[name]
        assert (row.state, row.park_cause, row.error_kind) == (state, cause, kind), name
        if wait_s is not None:
            waits = (row.due_at - row.started_at).total_seconds()
            assert wait_s - 1 <= waits <= wait_s * 1.1 + 4, name
        again = state is WorkState.NEW
        assert (row.run_number, row.failures) == (1 + again, int(again)), name
        tries = [step.attempt for step in place.store.run_log.steps(row.id)]
        assert tries == {"transient": [1, 2, 3, 4], "store": [1, 2, 3, 4]}.get(
            name, [] if name in ("outside", "badly_named") else [1]
        ), name
    assert {ended[name].note for name in ("defect", "badly_named", "unkeepable")} == {retry.DEFECT}
    assert ended["missing"].note == "Gone."
    assert ended["unknown"].state is WorkState.DEAD
    assert "no workflow unknown of toy" in ended["unknown"].note


async def test_a_run_keeps_its_steps_and_can_be_replayed_under_the_next_number(place):
    """Values are what the journal would give back; a replay runs every step anew."""
    seen = []

    async def workflow(run):
        value = await run.step("read", lambda: {"pair": (1, 2)})
        seen.append((value, run.dry, run.integration.kind))
        await run.step("part:one.1", lambda: None)
        return Outcome.done("Did it.")

    row = place.work(place.integration(), "read")
    async with engine(place, Toy({"read": workflow})):
        assert (await settled(place, row)).note == "Did it."
        place.store.works.again(row.id, at=place.clock.now(), audit=place.audit())
        replayed = await settled(place, row, run=2)
    assert (replayed.state, replayed.run_number) == (WorkState.DONE, 2)
    assert seen == [({"pair": [1, 2]}, False, "toy")] * 2
    steps = place.store.run_log.steps(row.id)
    assert [(step.run_id[-2:], step.name, step.value) for step in steps] == [
        ("/1", "read", {"pair": [1, 2]}),
        ("/1", "part:one.1", None),
        ("/2", "read", {"pair": [1, 2]}),
        ("/2", "part:one.1", None),
    ]
    assert all(step.result is StepResult.OK for step in steps)
    with closing(sqlite3.connect(place.settings.data_dir / "engine.db")) as journal:
        assert journal.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        kept = journal.execute("SELECT inputs FROM workflow_input ORDER BY 1").fetchall()
        assert [json.loads(text)["value"]["args"] for (text,) in kept] == [
            [row.id, 1],
            [row.id, 2],
        ]
        formats = journal.execute(
            "SELECT serialization FROM operation_outputs UNION SELECT serialization "
            "FROM workflow_status"
        ).fetchall()
        assert formats == [("inkwire_json",)]


async def test_a_step_that_reads_what_its_run_did_reads_all_of_it(place):
    """Evidence is taken within a run: the notes that wait are written before they are read."""
    seen = []

    async def workflow(run):
        log = run.services.store.run_log
        await run.step("one", lambda: None)
        await run.step("two", lambda: seen.append([one.name for one in log.steps(run.work.id)]))
        await run.step("three", lambda: seen.append([one.name for one in log.steps(run.work.id)]))
        return Outcome.done("Read.")

    row = place.work(place.integration(), "reads")
    async with engine(place, Toy({"reads": workflow}), note_s=600.0):
        await settled(place, row)
    assert seen == [["one"], ["one", "two"]]
    assert [one.name for one in place.store.run_log.steps(row.id)] == ["one", "two", "three"]


async def test_people_see_the_steps_of_a_run_that_goes_on(place):
    """Though no run ends; and a run that is left at a stop has its notes."""

    async def workflow(run):
        await run.step("one", lambda: None)
        await run.sleep(60)
        return Outcome.done("Never.")

    row = place.work(place.integration(), "goes_on")
    read = place.store.run_log.steps
    async with engine(place, Toy({"goes_on": workflow}), note_s=0.01, unit_s=1.0, grace_s=0.1):
        (note,) = await until(lambda: read(row.id), "the note")
    assert (note.name, note.result) == ("one", StepResult.OK)


async def test_half_a_character_ends_a_run_with_a_sentence(place):
    """No journal keeps it: the run would be resumed again and again until it counts as poison."""

    async def workflow(run):
        await run.step("gives", lambda: {"name": "\ud800"})
        return Outcome.done("Never.")

    row = place.work(place.integration(), "half")
    async with engine(place, Toy({"half": workflow})):
        ended = await settled(place, row)
    assert (ended.state, ended.note, ended.takeovers) == (WorkState.DEAD, retry.DEFECT, 0)


async def test_a_later_run_waits_for_its_time_and_an_asked_cancel_ends_before_the_next_step(place):
    """Outcome.later is another run; a cancelled run does not begin another step."""
    gates = {"in": asyncio.Event(), "out": asyncio.Event()}
    loop = asyncio.get_running_loop()

    async def later(run):
        if run.work.run_number == 1:
            return Outcome.later("Not yet.", at=run.services.clock.now())
        await run.sleep(0.5)
        return Outcome.done("Now.")

    async def slow(run):
        def wait():
            loop.call_soon_threadsafe(gates["in"].set)
            asyncio.run_coroutine_threadsafe(gates["out"].wait(), loop).result(10)
            time.sleep(2 * FRESH_S)  # longer than a row counts as just read

        await run.step("waits", wait)
        await run.step("never", lambda: None)
        return Outcome.done("Never.")

    mine = place.integration()
    rows = [place.work(mine, "later"), place.work(mine, "slow")]
    async with engine(place, Toy({"later": later, "slow": slow})):
        await asyncio.wait_for(gates["in"].wait(), 20)
        place.store.works.cancel(rows[1].id, at=place.clock.now(), audit=place.audit())
        gates["out"].set()
        cancelled = await settled(place, rows[1])
        done = await settled(place, rows[0], run=2)
    assert (done.state, done.run_number, done.failures) == (WorkState.DONE, 2, 0)
    assert cancelled.state is WorkState.CANCELLED
    assert [step.name for step in place.store.run_log.steps(rows[1].id)] == ["waits"]


class Checks:
    """Connections of which one is there."""

    def check(self, connection_id):
        """One check."""
        if connection_id != "box":
            raise NotFound("There is no such connection.")
        return [Check(name="token", title="Token", ok=True, detail="Fetched.")]


async def test_commands_are_answered_and_a_dry_run_sends_and_keeps_nothing(place):
    """Steps with a plan are not run; the row, its steps and the ledger stay as they were."""
    place.connections = Checks()
    sent = []

    async def workflow(run):
        found = await run.step("read", lambda: "7")
        made = await run.step(
            "create", lambda: sent.append(1), plan=f"POST /things for {found}", pretend="id?"
        )
        if run.services is None:
            raise AssertionError
        await run.step("keep", lambda: sent.append(2), plan=f"keep {made}")
        raise Held("Which one?")

    integration = place.integration()
    row = place.work(integration, "plan", due_at=place.clock.now() + timedelta(days=1))
    given = [
        place.command(CommandKind.DRY_RUN, row.id),
        place.command(CommandKind.DRY_RUN, "wrk_none"),
        place.command(CommandKind.CHECK_CONNECTION, "box"),
        place.command(CommandKind.CHECK_CONNECTION, "none"),
    ]
    get = place.store.commands.get
    async with engine(place, Toy({"plan": workflow})):
        dry, missing, checked, none = [
            await until(lambda one=one: (c := get(one.id)).state is not CommandState.NEW and c)
            for one in given
        ]
    assert dry.result == {
        "plans": [
            {"step": "create", "plan": "POST /things for 7"},
            {"step": "keep", "plan": "keep id?"},
        ],
        "state": "held",
        "note": "Which one?",
    }
    assert (sent, place.store.run_log.steps(row.id)) == ([], [])
    assert place.store.works.get(row.id) == row
    assert not (place.settings.data_dir / "engine.db").exists()
    assert [one.state for one in (missing, none)] == [CommandState.FAILED] * 2
    assert none.error == "There is no such connection."
    assert checked.result[0]["name"] == "token"


async def test_what_a_crash_left_between_the_work_and_the_journal_is_repaired(place):
    """Claimed, never started; ended or failed in the journal only; an executor that died for good."""

    async def workflow(run):
        await run.step("does", lambda: run.work.takeovers)
        return Outcome.done("Done.")

    works, mine = place.store.works, place.integration()
    claimed, journalled, broken, foreign, poison = (place.work(mine, "work") for _ in range(5))
    identity = claim_identity(place.settings.data_dir, place.ids)
    now = place.clock.now()
    assert len(works.claim(executor_id=identity.id, now=now, limit=3)) == 3
    assert len(works.claim(executor_id="exe_dead", now=now, limit=2)) == 2
    for executor in ("a", "b", "exe_dead"):  # it has killed three workers already
        of = works.get(poison.id).executor_id
        works.take_over(poison.id, run_number=1, of=of, by=executor)
    place.store.executors.beat(
        Executor(id="exe_dead", host="gone", version="1", started_at=now, beat_at=now)
    )
    runtime = Runtime(place.settings.store_url, threads=8)

    async def body(work_id, run_number):
        if work_id == broken.id:
            tried = Tried(result=StepResult.OK, value=7, started_at=now, duration_us=5)
            await DurableJournal().step("made#1", tried.to_json)
            raise ZeroDivisionError
        return retry.ending_to_json(Ending(state=WorkState.DONE, note="By the journal."))

    await runtime.open(identity.id, body)
    for row, state in ((journalled, "SUCCESS"), (broken, "ERROR")):
        await runtime.start(row.run_id, row.id, 1)
        await until(
            lambda row=row, state=state: runtime.known([row.run_id])[row.run_id].state == state
        )
    await runtime.close()
    identity.close()
    async with engine(place, Toy({"work": workflow})):
        rows = [await settled(place, row) for row in (claimed, journalled, foreign, poison, broken)]
        await until(lambda: not [e for e in place.store.executors.all() if e.id == "exe_dead"])
    assert [row.note for row in rows[:3]] == ["Done.", "By the journal.", "Done."]
    assert [row.state for row in rows] == [WorkState.DONE] * 3 + [WorkState.DEAD] * 2
    assert (rows[3].note, rows[4].note) == (POISON.note, retry.DEFECT)
    assert place.store.run_log.steps(journalled.id) == []
    (made,) = place.store.run_log.steps(broken.id)  # no run of it was continued to note it
    assert (made.name, made.attempt, made.value, made.started_at) == ("made", 1, 7, now)
    (step,) = place.store.run_log.steps(foreign.id)
    assert step.value == 1  # taken over once
    (executor,) = place.store.executors.all()
    assert executor.id == identity.id
    assert executor.stopped_at is not None


async def test_what_a_stop_leaves_is_continued_and_begun_anew_if_its_steps_are_others_now(place):
    """A run that outlasts the grace stays as it is; the journal of another release is not mixed."""
    begun, seen = asyncio.Event(), []

    async def old(run):
        await run.step("first", lambda: seen.append("first"))
        begun.set()
        await run.sleep(5 if run.work.workflow == "same" else 60)
        return Outcome.done("Slept.")

    async def rebuilt(run):
        await run.step("begin", lambda: seen.append("begin"))
        return Outcome.done("Anew.")

    mine = place.integration()
    changed, same = place.work(mine, "changed"), place.work(mine, "same")
    async with engine(place, Toy({"changed": old, "same": old}), unit_s=0.5, grace_s=0.1):
        await until(lambda: len(seen) == 2)
        await begun.wait()
    (left,) = place.store.executors.all()
    assert left.stopped_at is None  # so that another would take its runs over
    assert place.store.works.get(changed.id).state is WorkState.RUNNING
    async with engine(place, Toy({"changed": rebuilt, "same": old})):
        done = [await settled(place, changed, run=2), await settled(place, same, run=1)]
    assert [row.note for row in done] == ["Anew.", "Slept."]
    assert (done[0].failures, done[0].takeovers) == (0, 0)
    assert seen == ["first", "first", "begin"]


async def test_a_journal_that_does_not_open_stops_nothing_else(place):
    """Commands are answered meanwhile, and no work is taken that cannot be begun."""
    place.connections = Checks()
    journal = place.settings.data_dir / "engine.db"
    journal.mkdir()

    async def workflow(run):
        return Outcome.done("Done.")

    row = place.work(place.integration(), "do")
    with capture_logs() as logged:
        async with engine(place, Toy({"do": workflow})):
            await until(lambda: any(one["event"] == "runner.failed" for one in logged))
            asked = place.command(CommandKind.CHECK_CONNECTION, "box")
            await until(lambda: place.store.commands.get(asked.id).state is CommandState.DONE)
            assert place.store.works.get(row.id).state is WorkState.NEW
            journal.rmdir()
            assert (await settled(place, row)).note == "Done."
