"""Notes and endings of runs share commits, and none is lost by what happens meanwhile."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event

import pytest

from engine.acting import until
from inkwire.engine.book import MAX_NOTES, Book
from inkwire.errors import StoreBusy
from inkwire.model.work import Step, StepResult, Work, WorkState
from inkwire.store.acting import Ending, RunEnd

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDING = Ending(state=WorkState.DONE, note="")
LONG_S = 60.0


@dataclass
class Kept:
    """A store that keeps what it is given, a transaction an entry; it fails as it is told."""

    commits: list[tuple[list[str], list[str]]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    #: Ids that it cannot keep.
    poison: frozenset[str] = frozenset()
    #: Runs that are somebody else's by now.
    lost: frozenset[str] = frozenset()
    gate: Event = field(default_factory=Event)

    def __post_init__(self):
        self.works = self.run_log = self
        self.gate.set()

    def end_runs(self, ends, *, steps=()):
        """One transaction."""
        self.gate.wait(10)
        if self.faults:
            raise self.faults.pop(0)
        names = [one.work.id for one in ends]
        if self.poison & {*names, *(step.id for step in steps)}:
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no")
        self.commits.append(([step.id for step in steps], names))
        return [name not in self.lost for name in names]

    def add_steps(self, steps):
        """One transaction."""
        self.end_runs([], steps=steps)

    def add_step(self, step):
        """One transaction."""
        self.end_runs([], steps=[step])

    def steps(self, work_id):
        """Ids of all that is kept."""
        return [one for notes, _ in self.commits for one in notes if one.startswith(work_id)]


def note(work_id, name="send"):
    """A step that went well."""
    return Step(
        id=f"{work_id}#{name}", work_id=work_id, run_id="run", name=name, attempt=1,
        result=StepResult.OK, started_at=NOW, duration_us=1,
    )  # fmt: skip


def end(work_id):
    """The end of its run."""
    work = Work(
        id=work_id, integration_id=1, key=work_id, workflow="w", entity_key="e", due_at=NOW,
        created_at=NOW,
    )  # fmt: skip
    return RunEnd(work=work, by="me", ending=ENDING, at=NOW)


async def test_a_run_alone_ends_at_once_with_its_notes():
    """In one transaction; the notes that wait for others do not keep it waiting."""
    store = Kept()
    book = Book(store, in_hand=lambda: 1, note_s=LONG_S)
    book.note(note("a", "first"))
    book.note(note("a", "second"))
    assert await asyncio.wait_for(book.end(end("a")), 10) is True
    assert store.commits == [(["a#first", "a#second"], ["a"])]
    await book.close()


async def test_runs_that_end_together_share_a_commit_and_each_hears_its_own_result():
    """Also one that is not this worker's any more."""
    store = Kept(lost=frozenset({"b"}))
    book = Book(store, in_hand=lambda: 3, note_s=LONG_S)
    book.note(note("b"))
    heard = await asyncio.gather(*(book.end(end(name)) for name in "abc"))
    assert heard == [True, False, True]
    assert store.commits == [(["b#send"], ["a", "b", "c"])]


async def test_what_ends_during_a_commit_is_in_the_next():
    """And nothing is written twice."""
    store = Kept()
    book = Book(store, in_hand=lambda: 1, note_s=LONG_S)
    store.gate.clear()
    first = asyncio.create_task(book.end(end("a")))
    await until(lambda: not first.done() and book._turn.locked())
    book.note(note("b"))
    later = [asyncio.create_task(book.end(end(name))) for name in "bc"]
    await asyncio.sleep(0)
    store.gate.set()
    assert await asyncio.gather(first, *later) == [True] * 3
    assert store.commits == [([], ["a"]), (["b#send"], ["b", "c"])]


async def test_a_note_of_a_run_that_goes_on_is_written_soon():
    """No run ends; people see it all the same."""
    store = Kept()
    book = Book(store, in_hand=lambda: 1, note_s=0.01)
    book.note(note("a"))
    await until(lambda: store.commits)
    assert store.commits == [(["a#send"], [])]


async def test_who_reads_a_row_s_steps_reads_those_that_wait():
    """They are written first, once; those of others need not be."""
    store = Kept()
    book = Book(store, in_hand=lambda: 1, note_s=LONG_S)
    for number in range(MAX_NOTES + 1):
        book.note(note("a", str(number)))
    assert await asyncio.to_thread(book.store.run_log.steps, "b") == []
    assert len(await asyncio.to_thread(book.store.run_log.steps, "a")) == MAX_NOTES + 1
    assert [len(notes) for notes, _ in store.commits] == [MAX_NOTES, 1]
    await book.close()
    assert len(store.commits) == 2


async def test_a_store_that_does_not_answer_loses_nothing():
    """All still wait, in order, until it does."""
    store = Kept(faults=[StoreBusy()])
    book = Book(store, in_hand=lambda: 2, note_s=LONG_S)
    book.note(note("a"))
    assert await asyncio.gather(book.end(end("a")), book.end(end("b"))) == [True, True]
    assert store.commits == [(["a#send"], ["a", "b"])]


async def test_one_that_cannot_be_kept_costs_nothing_but_itself():
    """Its run hears of it, a note of it is left out, and the others end."""
    store = Kept(poison=frozenset({"b", "a#bad"}))
    book = Book(store, in_hand=lambda: 3, note_s=LONG_S)
    for name in ("bad", "good"):
        book.note(note("a", name))
    ends = (book.end(end(name)) for name in "abc")
    first, second, third = await asyncio.gather(*ends, return_exceptions=True)
    assert (first, third) == (True, True)
    assert isinstance(second, UnicodeEncodeError)
    assert store.commits == [(["a#good"], []), ([], ["a"]), ([], ["c"])]


async def test_many_notes_are_written_in_small_transactions():
    """So that an append on SQLite never waits long; the ending comes last."""
    store = Kept()
    book = Book(store, in_hand=lambda: 1, note_s=LONG_S)
    for number in range(2 * MAX_NOTES + 5):
        book.note(note("a", str(number)))
    assert await book.end(end("a"))
    assert [(len(notes), ends) for notes, ends in store.commits] == [
        (MAX_NOTES, []),
        (5, []),
        (MAX_NOTES, ["a"]),
    ]
    assert store.steps("a") == [f"a#{number}" for number in range(2 * MAX_NOTES + 5)]


@pytest.mark.parametrize(
    "faults", [[], [StoreBusy()], [StoreBusy()] * 4], ids=["well", "busy once", "busy for long"]
)
async def test_an_orderly_end_writes_what_waits(faults):
    """Whatever time it had left."""
    store = Kept(faults=faults)
    book = Book(store, in_hand=lambda: 1, note_s=LONG_S)
    book.note(note("a"))
    await book.close()
    assert store.commits == [(["a#send"], [])]
    await Book(store, in_hand=lambda: 0, note_s=LONG_S).close()
