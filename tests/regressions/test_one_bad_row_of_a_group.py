"""A group of notes and endings met one that could not be kept: the others were lost, or waited."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from engine.acting import Site, Toy, engine, settled, site, until
from engine.test_book import LONG_S, Kept, end, note
from engine.test_fence import work
from inkwire.config import load_settings
from inkwire.engine import retry
from inkwire.engine.book import MAX_NOTES, Book
from inkwire.engine.contract import Outcome
from inkwire.engine.fence import Fence
from inkwire.engine.runner import POISON, Runner
from inkwire.engine.runs import FRESH_S, Doing, DurableRun, Means, Stopped
from inkwire.engine.runtime import DurableJournal, Runtime
from inkwire.engine.settings import EngineSettings
from inkwire.engine.takeover import claim_identity
from inkwire.engine.turns import in_turns
from inkwire.errors import StoreBusy, StoreError
from inkwire.model.work import WorkState
from inkwire.store.open import migrate

SOON_S = 10.0


class Picky(Kept):
    """One that says of a row that it cannot keep it, as PostgreSQL does of a name of 3 kB."""

    def end_runs(self, ends, *, steps=()):
        """One transaction."""
        if {"bad", "bad#send"} & {*(one.work.id for one in ends), *(one.id for one in steps)}:
            raise StoreError("PostgreSQL could not do that (54000).")
        return super().end_runs(ends, steps=steps)


async def heard(book, *names):
    """What runs hear that end together."""
    ends = (book.end(end(name)) for name in names)
    return await asyncio.wait_for(asyncio.gather(*ends, return_exceptions=True), SOON_S)


async def test_a_busy_store_beside_a_bad_ending_ends_no_run_as_a_defect():
    """They were ended one by one, once: the run that met the lock heard of it and became dead."""
    store = Kept(poison=frozenset({"bad"}))
    book = Book(store, in_hand=lambda: 3, note_s=LONG_S)
    ended = store.end_runs

    def busy_for_the_second(ends, *, steps=()):
        done = ended(ends, steps=steps)
        if [one.work.id for one in ends] == ["a"]:
            store.faults.append(StoreBusy())
        return done

    store.end_runs = busy_for_the_second
    first, bad, last = await heard(book, "a", "bad", "c")
    assert (first, last) == (True, True)
    assert isinstance(bad, UnicodeEncodeError)
    assert [ends for _, ends in store.commits] == [["a"], ["c"]]


async def test_a_busy_store_beside_a_bad_note_loses_no_other():
    """A note that met the lock was left out for good, for its run went on and noted it once."""
    store = Kept(poison=frozenset({"a#bad"}))
    book = Book(store, in_hand=lambda: 1, note_s=LONG_S)
    add_step, faults = store.add_step, [StoreBusy()]

    def busy_at_first(step):
        if faults:
            raise faults.pop()
        add_step(step)

    store.add_step = busy_at_first
    for name in ("good", "bad", "better"):
        book.note(note("a", name))
    assert await heard(book, "b") == [True]
    assert store.steps("a") == ["a#good", "a#better"]


@pytest.mark.parametrize("bad", ["first", "last"])
async def test_a_note_that_the_store_refuses_keeps_no_run_from_its_end(bad):
    """The store was taken for ill: it was asked again each second, and no run of the worker ended."""
    store = Picky()
    book = Book(store, in_hand=lambda: 2, note_s=LONG_S)
    names = ["bad", "a"] if bad == "first" else ["a", "bad"]
    for name in names:
        book.note(note(name))
    assert await heard(book, "a", "b") == [True, True]
    assert store.steps("a") == ["a#send"]
    assert store.steps("bad") == []
    await book.close()


async def test_an_ending_that_the_store_refuses_keeps_no_other_waiting():
    """It waits itself: it may be the store, and a run is not lost for that."""
    store = Picky()
    book = Book(store, in_hand=lambda: 3, note_s=LONG_S)
    waits = asyncio.create_task(book.end(end("bad")))
    assert await heard(book, "a", "b") == [True, True]
    assert not waits.done()
    assert book.ending == 1
    waits.cancel()
    await book.close()


async def test_an_ill_store_keeps_all_waiting():
    """What fails altogether says nothing about a note."""
    store = Kept(faults=[StoreError("SQLite could not do that (SQLITE_IOERR).")] * 3)
    book = Book(store, in_hand=lambda: 1, note_s=LONG_S)
    book.note(note("a"))
    assert await heard(book, "a") == [True]
    assert store.commits == [(["a#send"], ["a"])]


async def test_a_bad_note_among_many_does_not_end_the_writer():
    """Those before the last hundred were written unguarded: its task died, and runs hung."""
    store = Kept(poison=frozenset({"a#bad"}))
    book = Book(store, in_hand=lambda: 1, note_s=LONG_S)
    names = ["bad", *map(str, range(MAX_NOTES))]
    for name in names:
        book.note(note("a", name))
    assert await heard(book, "a") == [True]
    assert store.steps("a") == [f"a#{name}" for name in names[1:]]
    await book.close()


@pytest.mark.parametrize("store", [Kept(poison=frozenset({"bad#send"})), Picky()], ids=type)
async def test_who_reads_a_row_s_steps_does_not_fail_by_another_row_s_note(store):
    """All that waits is written then; its own step failed, and the run was dead."""
    book = Book(store, in_hand=lambda: 1, note_s=LONG_S)
    for name in ("bad", "a"):
        book.note(note(name))
    assert await asyncio.to_thread(book.store.run_log.steps, "a") == ["a#send"]
    await book.close()


async def test_a_journal_entry_that_says_nothing_to_this_release_stops_no_other_work(tmp_path):
    """A newer one kept it: the repair failed at it each time, and claimed nothing ever again."""
    settings = load_settings(data_dir=tmp_path)
    migrate(settings)

    async def workflow(run):
        return Outcome.done("Done.")

    async def body(_work_id, _run_number):
        strange = {"error": "strange", "detail": "", "at_us": 1, "took_us": 1}
        await DurableJournal().step("made#1", lambda: strange)
        raise ZeroDivisionError

    with site(tmp_path) as place:
        mine = place.integration()
        broken = place.work(mine, "work")
        identity = claim_identity(tmp_path, place.ids)
        place.store.works.claim(executor_id=identity.id, now=place.clock.now(), limit=1)
        runtime = Runtime(settings.store_url, threads=8)
        await runtime.open(identity.id, body)
        await runtime.start(broken.run_id, broken.id, 1)
        await until(lambda: runtime.known([broken.run_id])[broken.run_id].state == "ERROR")
        await runtime.close()
        identity.close()
        other = place.work(mine, "work")
        async with engine(place, Toy({"work": workflow})):
            assert (await settled(place, other)).note == "Done."
            ended = await settled(place, broken)
    assert (ended.state, ended.note) == (WorkState.DEAD, retry.DEFECT)


class Slow:
    """A store whose answer was true when it was asked, and comes late."""

    def __init__(self, row):
        self.works = self.run_log = self
        self.row = row
        self.clock = self

    def in_hand(self, _executor_id):
        """Meanwhile the row is taken over."""
        asyncio.run(asyncio.sleep(2 * FRESH_S))
        return {self.row.id: (self.row.run_number, False)}

    def get(self, _work_id):
        """As it is now: nobody's of here."""
        return self.row

    def now(self):
        """Of no matter."""
        return self.row.created_at


class Direct:
    """A journal that keeps nothing."""

    async def step(self, _name, do):
        """On a thread, as the real one."""
        return await asyncio.to_thread(do)


async def test_a_late_answer_of_the_fence_lets_nobody_pass():
    """Whoever waited for it, or was stopped meanwhile, took a read of long ago for a fresh one."""
    row = work("a", 1)
    store, done = Slow(row), []
    means = Means(
        journal=Direct(), book=Book(store, in_hand=lambda: 1, note_s=LONG_S),
        fence=Fence(store, "me"), random=lambda: 0.0,
    )  # fmt: skip
    doing = Doing(work=row, integration=None, services=store, executor_id="me")
    store.store = store
    run = DurableRun(doing, means, read_at=float("-inf"))
    with pytest.raises(Stopped):
        await run.step("sends", lambda: done.append(1))
    assert done == []


def test_a_closed_connection_does_not_keep_the_turn(tmp_path):
    """Every writer after it would wait half a minute for each transaction."""
    factory, path = in_turns(), tmp_path / "engine.db"
    gone = sqlite3.connect(path, factory=factory)
    cursor = gone.cursor()
    cursor.execute("CREATE TABLE counts (n INTEGER)")
    gone.close()
    with pytest.raises(sqlite3.ProgrammingError):
        cursor.execute("INSERT INTO counts VALUES (1)")
    assert not gone.turn.locked()
    with closing(sqlite3.connect(path, factory=factory)) as conn:
        conn.cursor().execute("INSERT INTO counts VALUES (1)")
        conn.commit()


class Refusing(Slow):
    """A store that refuses a run's notes for good."""

    integrations = None
    ends = ()

    def end_runs(self, ends, *, steps=()):
        """One transaction."""
        if steps:
            raise StoreError("PostgreSQL could not do that (54000).")
        self.ends += tuple(ends)
        return [True]

    def add_step(self, step):
        """Another."""
        self.end_runs([], steps=[step])

    def tries(self, _run_id):
        """As the journal gives them."""
        return [("send#1", {"ok": 1, "at_us": 1, "took_us": 1})]


async def test_a_left_run_ends_though_the_store_refuses_its_notes(tmp_path):
    """The repair failed at it each time, so nothing was claimed; a takeover stopped there, too."""
    row = replace(work("a", 1), executor_id="dead")
    store = Refusing(row)
    place = Site(settings=None, store=store, clock=store, ids=None)
    runner = Runner(
        executor_id="me", kinds={}, services=place.services, runtime=store, live=None,
        random=lambda: 0.0, settings=EngineSettings(store_url="", data_dir=tmp_path),
    )  # fmt: skip
    await runner.end_unfinished(row, POISON)
    assert [(one.by, one.ending) for one in store.ends] == [("dead", POISON)]
