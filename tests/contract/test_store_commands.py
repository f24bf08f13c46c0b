"""Commands and executors: what processes say to each other through the store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contract.acting_kit import Acting, race
from contract.store_kit import Hub
from inkwire.errors import NotFound, RateLimited
from inkwire.model.work import Command, CommandKind, CommandState, Executor
from inkwire.store import schema_acting as tables
from inkwire.store.acting import MOST_ASKED, MOST_ASKED_BY_ONE
from inkwire.store.keys import key_file, rotate


@pytest.fixture
def acting(hub: Hub) -> Acting:
    """A fresh store."""
    return Acting(hub)


def command(acting: Acting, **fields: object) -> Command:
    """A wish that is not kept yet."""
    values = {
        "id": acting.hub.ids.new("cmd"),
        "kind": CommandKind.CHECK_CONNECTION,
        "target": "box-main",
        "created_at": acting.now,
        "created_by": "user:ada",
        **fields,
    }
    return Command(**values)


def take(acting: Acting, lease_s: float = 30) -> str | None:
    """The id of what the caller is to do."""
    found = acting.store.commands.take(now=acting.now, lease_s=lease_s)
    return None if found is None else found.id


class TestCommands:
    def test_asked_taken_and_answered(self, acting: Acting):
        """The worker hears of it, and so does whoever waits for the answer."""
        commands = acting.store.commands
        one, two = command(acting), command(acting)
        entry = acting.hub.audit("connection.check", "box-main")
        assert acting.moved(lambda: commands.add(one, audit=entry)) == {"command"}
        commands.add(two)
        assert acting.store.access.audit()[0].action == "connection.check"
        assert commands.get(one.id) == one
        assert [take(acting), take(acting), take(acting)] == [one.id, two.id, None]
        acting.hub.clock.advance(seconds=2)
        answer = {"user": "Ada", "scopes": ["root_readwrite"]}
        told = acting.moved(lambda: commands.done(one.id, at=acting.now, result=answer))
        assert told == {"command"}
        done = replace(one, state=CommandState.DONE, result=answer, done_at=acting.now)
        assert commands.get(one.id) == done
        commands.done(two.id, at=acting.now, error="It does not answer.\x00")
        failed = commands.get(two.id)
        assert (failed.state, failed.error) == (CommandState.FAILED, "It does not answer.?")
        assert commands.latest(CommandKind.CHECK_CONNECTION, "box-main") == failed
        assert commands.latest(CommandKind.DRY_RUN, "box-main") is None

    def test_what_is_asked_comes_along_until_it_is_answered(self, acting: Acting):
        """The answer takes its place; a target without more has none."""
        asks = {"lines": ["amount = Opportunity.Amount number both"], "records": 10}
        one = command(acting, kind=CommandKind.ASK, target="int_1/try_fields", asks=asks)
        acting.store.commands.add(one)
        assert acting.store.commands.get(one.id) == one
        assert acting.store.commands.latest(CommandKind.ASK, "int_1/try_fields") == one
        taken = acting.store.commands.take(now=acting.now, lease_s=30)
        assert taken is not None and (taken.asks, taken.result) == (asks, None)
        acting.store.commands.done(one.id, at=acting.now, result={"records": []})
        done = acting.store.commands.get(one.id)
        assert (done.asks, done.result) == (None, {"records": []})
        failed = command(acting, kind=CommandKind.ASK, target="int_1/try_fields", asks=asks)
        acting.store.commands.add(failed)
        acting.store.commands.done(failed.id, at=acting.now, error="Box is away.")
        assert acting.store.commands.get(failed.id).asks is None

    def test_a_dead_worker_s_command_comes_again(self, acting: Acting):
        """After its lease another takes it; the first answer stays."""
        one = command(acting)
        acting.store.commands.add(one)
        assert take(acting) == one.id
        acting.hub.clock.advance(seconds=30)
        assert take(acting) == one.id
        acting.store.commands.done(one.id, at=acting.now, result=1)
        acting.store.commands.done(one.id, at=acting.now, error="late")
        assert acting.store.commands.get(one.id).result == 1
        acting.hub.clock.advance(seconds=31)
        assert take(acting) is None

    def test_each_is_taken_once(self, acting: Acting):
        """Six workers at the same moment share four commands."""
        ids = []
        for _ in range(4):
            acting.store.commands.add(one := command(acting))
            ids.append(one.id)
        taken: list[str] = []
        for _ in range(10):  # on PostgreSQL one may find the first row locked, and come again
            taken += [found for found in race([lambda: take(acting)] * 6) if found]
            if len(taken) == 4:
                break
        assert sorted(taken) == ids

    def test_old_answers_are_forgotten(self, acting: Acting):
        """A day later, when the next comes; what nobody has done yet stays."""
        commands = acting.store.commands
        old, waiting = command(acting), command(acting)
        commands.add(old)
        commands.add(waiting)
        commands.done(old.id, at=acting.now)
        acting.hub.clock.advance(seconds=timedelta(days=1).total_seconds())
        commands.add(command(acting))
        assert commands.get(old.id).state is CommandState.DONE
        acting.hub.clock.advance(seconds=1)
        commands.add(command(acting))
        with pytest.raises(NotFound, match=old.id):
            commands.get(old.id)
        assert commands.get(waiting.id) == waiting

    def test_old_answers_are_forgotten_though_none_comes(self, acting: Acting):
        """They hold what both vendors said of people's records."""
        commands = acting.store.commands
        old, waiting = command(acting), command(acting)
        commands.add(old)
        commands.add(waiting)
        commands.done(old.id, at=acting.now, result={"records": []})
        assert commands.forget(now=acting.after(86_400)) == 0
        assert commands.forget(now=acting.after(86_401)) == 1
        with pytest.raises(NotFound, match=old.id):
            commands.get(old.id)
        assert commands.get(waiting.id) == waiting

    def test_what_is_asked_and_answered_lies_sealed(self, acting: Acting):
        """Values of both vendors stand in them, and their errors are sentences of ours."""
        marks = {name: f"mark-{name}-{acting.hub.ids.new('x')}" for name in ("asks", "result")}
        one = command(acting, kind=CommandKind.ASK, target="int_1/try", asks={"a": marks["asks"]})
        acting.store.commands.add(one)
        assert acting.store.commands.get(one.id) == one
        assert marks["asks"].encode() not in acting.hub.everything()
        acting.store.commands.done(one.id, at=acting.now, result=[marks["result"]])
        assert acting.store.commands.get(one.id).result == [marks["result"]]
        kept = acting.hub.everything()
        assert one.id.encode() in kept
        assert marks["result"].encode() not in kept

    def test_what_no_text_can_hold(self, acting: Acting):
        """Half of a character, as JSON of a vendor may have: its command would come for ever."""
        commands = acting.store.commands
        value = {"name": "a\ud800b", "at": ["\udfff", 2**70, None]}
        commands.add(one := command(acting, kind=CommandKind.ASK, asks=value))
        fits = {"name": "a?b", "at": ["?", 2**70, None]}
        assert commands.get(one.id).asks == fits
        commands.done(one.id, at=acting.now, result=[value])
        assert commands.get(one.id).result == [fits]

    def test_a_new_master_key(self, acting: Acting):
        """After a rewrap the old key can go, and every question and answer opens."""
        hub = acting.hub
        asked = command(acting, kind=CommandKind.ASK, target="int_1/try", asks={"records": 3})
        done, empty = command(acting), command(acting)
        for one in (asked, done, empty):
            acting.store.commands.add(one)
        acting.store.commands.done(done.id, at=acting.now, result=["x"])
        path = key_file(hub.settings)
        before = path.read_text().splitlines()
        hub.store.close()
        rotate(hub.settings)
        hub.store = hub.open()
        while hub.store.rewrap(limit=1) > 0:
            pass
        hub.store.close()
        path.write_text("\n".join(set(path.read_text().splitlines()) - set(before)))
        hub.store = hub.open()
        assert hub.store.commands.get(asked.id) == asked
        assert hub.store.commands.get(done.id).result == ["x"]
        assert hub.store.commands.get(empty.id) == empty

    def test_one_that_does_not_open_holds_up_none(self, acting: Acting):
        """It fails with the reason, and the next one is taken."""
        commands = acting.store.commands
        lost = command(acting, kind=CommandKind.ASK, target="int_1/try", asks={"records": 3})
        commands.add(lost)
        with acting.database.writing() as conn:
            conn.execute(tables.commands.update().values(sealed=b"x"))
        commands.add(next_one := command(acting))
        assert [take(acting), take(acting)] == [None, next_one.id]
        failed = commands.get(lost.id)
        assert (failed.state, failed.asks, failed.done_at) == (
            CommandState.FAILED, None, acting.now
        )  # fmt: skip
        assert "master key" in failed.error


class TestMostThatWait:
    """Who asks faster than workers answer is told so."""

    def asked(self, acting: Acting, number: int, by: str = "user:ada") -> Command:
        """A question that was put, of every kind in turn."""
        kind = (CommandKind.ASK, CommandKind.DRY_RUN)[number % 2]
        one = command(acting, kind=kind, target=f"int_1/{number}", created_by=by)
        acting.store.commands.add(one)
        return one

    def test_of_one_caller(self, acting: Acting):
        """Others go on, and so does who waits until some are answered; checks are not counted."""
        made = [self.asked(acting, number) for number in range(MOST_ASKED_BY_ONE)]
        entry = acting.hub.audit("command.ask", "too many")
        more = command(acting, kind=CommandKind.ASK, target="int_1/more")
        before = acting.store.counters()
        with pytest.raises(RateLimited, match="wait until a worker has answered") as refused:
            acting.store.commands.add(more, audit=entry)
        assert 0 < refused.value.retry_after_s <= 60
        assert acting.store.counters() == before
        assert acting.store.access.audit() == []
        with pytest.raises(NotFound):
            acting.store.commands.get(more.id)
        self.asked(acting, 1, by="user:bob")
        acting.store.commands.add(command(acting))
        acting.store.commands.done(made[0].id, at=acting.now)
        acting.store.commands.add(more)
        assert acting.store.commands.get(more.id) == more

    def test_of_all(self, acting: Acting):
        """Many callers together are bounded, too."""
        for number in range(MOST_ASKED):
            self.asked(acting, number, by=f"key:{number // MOST_ASKED_BY_ONE}")
        with pytest.raises(RateLimited, match="inkwire doctor"):
            self.asked(acting, 0, by="user:bob")
        acting.store.commands.add(command(acting))

    def test_those_who_ask_at_once_are_counted_one_by_one(self, acting: Acting):
        """Eight requests at the same moment do not all find the last free place."""
        for number in range(MOST_ASKED_BY_ONE - 2):
            self.asked(acting, number)

        def ask(number: int) -> bool:
            try:
                self.asked(acting, number)
            except RateLimited:
                return False
            return True

        assert sum(race([lambda number=number: ask(number) for number in range(8)])) == 2


class TestExecutors:
    def test_beats(self, acting: Acting):
        """One row a worker, newest beat first; an orderly end shows until it beats again."""
        executors = acting.store.executors
        one = Executor(id="exe_1", host="a", version="1", started_at=acting.now, beat_at=acting.now)
        two = replace(one, id="exe_2", beat_at=acting.after(1))
        executors.beat(one)
        executors.beat(two)
        assert executors.all() == [two, one]
        one = replace(one, host="b", beat_at=acting.after(2))
        race([lambda: executors.beat(one)] * 4)
        assert executors.all() == [one, two]
        executors.stop("exe_1", at=acting.after(3))
        assert executors.all()[0] == replace(one, stopped_at=acting.after(3))
        executors.beat(one)
        assert executors.all()[0] == one
        executors.forget("exe_1")
        executors.forget("none")
        assert executors.all() == [two]
