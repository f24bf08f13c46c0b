"""Real workers that are killed or stopped: their runs go on where they were, and nowhere twice."""

import shutil
import signal
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.acting import Worker, settled, site, until
from inkwire.config import load_settings
from inkwire.engine.takeover import Watch, claim_identity
from inkwire.errors import ConfigError
from inkwire.ids import CountingIds
from inkwire.model.work import Executor, LedgerState, StepResult, WorkState
from inkwire.store.open import migrate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def migrated_url(postgres_server, tmp_path_factory):
    """A migrated PostgreSQL database, and the folder with its master key."""
    folder = tmp_path_factory.mktemp("migrated")
    with postgres_server.database() as url:
        settings = load_settings(data_dir=folder, database_url=url)
        migrate(settings)
        with site(folder, url):
            pass
        yield url, folder


@contextmanager
def empty(kind, tmp_path, request):
    """An empty site on either store; its URL if it has one, and its folder."""
    if kind == "sqlite":
        migrate(load_settings(data_dir=tmp_path / "data"))
        with site(tmp_path / "data") as place:
            yield place, None, tmp_path / "data"
        return
    template, folder = request.getfixturevalue("migrated_url")
    shutil.copytree(folder, tmp_path / "data")
    server = request.getfixturevalue("postgres_server")
    with server.database(template) as url, site(tmp_path / "data", url) as place:
        yield place, url, tmp_path / "data"


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_killed_run_is_finished_by_the_next_release(kind, tmp_path, request):
    """At the interrupted try of the interrupted step, by a workflow that ends otherwise now."""
    with empty(kind, tmp_path, request) as (place, url, folder), ExitStack() as stack:
        row = place.work(place.integration(), "three")
        first = Worker(tmp_path, folder, url)
        stack.callback(first.kill)
        await until(first.at_gate, "the gate")
        first.kill()
        second = Worker(tmp_path, folder, url, release="new")
        stack.callback(second.kill)
        second.open_gate()
        done = await settled(place, row)
        assert (first.effects(), second.effects()) == (["intended"], ["sent", "after-more"])
        assert (done.state, done.note) == (WorkState.DONE, "Done by the new release.")
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(20) == 0
        (executor,) = place.store.executors.all()  # the same one, which has stopped in order
        assert executor.stopped_at is not None
        steps = place.store.run_log.steps(row.id)
        assert [(step.name, step.attempt, step.result) for step in steps] == [
            ("intend", 1, StepResult.OK),
            ("send", 1, StepResult.TRANSIENT),
            ("send", 2, StepResult.OK),
            ("after_more", 1, StepResult.OK),
        ]


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_what_was_journalled_and_not_noted_is_noted_after_the_kill(kind, tmp_path, request):
    """From the journal, once, with the time at which it really was; nothing is done twice."""
    with empty(kind, tmp_path, request) as (place, url, folder), ExitStack() as stack:
        row = place.work(place.integration(), "three")
        first = Worker(tmp_path, folder, url, release="dies")
        stack.callback(first.kill)
        await until(lambda: first.process.poll() == -signal.SIGKILL, "the kill")
        killed_at = place.clock.now()
        assert place.store.run_log.steps(row.id) == [], "the kill came before the notes"
        second = Worker(tmp_path, folder, url, release="dies")
        stack.callback(second.kill)
        done = await settled(place, row)
        assert (done.state, done.note) == (WorkState.DONE, "Survived.")
        assert (first.effects(), second.effects()) == (["one", "two"], ["survived"])
        steps = place.store.run_log.steps(row.id)
        assert [(step.name, step.value) for step in steps] == [
            ("one", "one"),
            ("two", "two"),
            ("fatal", "survived"),
        ]
        assert [step.started_at < killed_at for step in steps] == [True, True, False]


@pytest.mark.crash
async def test_what_another_release_did_is_noted_though_nobody_continues_it(tmp_path, request):
    """Its run ends where the steps differ; those beyond are in the journal alone."""
    with empty("sqlite", tmp_path, request) as (place, url, folder), ExitStack() as stack:
        row = place.work(place.integration(), "three")
        first = Worker(tmp_path, folder, url, release="dies")
        stack.callback(first.kill)
        await until(lambda: first.process.poll() == -signal.SIGKILL, "the kill")
        second = Worker(tmp_path, folder, url, release="changed")
        stack.callback(second.kill)
        done = await settled(place, row, run=2)
        assert (done.state, done.note) == (WorkState.DONE, "Changed.")
        steps = place.store.run_log.steps(row.id)
        assert [(step.run_id[-2:], step.name) for step in steps] == [
            ("/1", "one"),
            ("/1", "two"),
            ("/2", "one"),
            ("/2", "other"),
        ]


@pytest.mark.crash
async def test_a_stopped_executor_is_taken_over_and_does_nothing_when_it_comes_back(
    tmp_path, request
):
    """The other one resumes at the interrupted step; the first is fenced by ledger and row."""
    with empty("postgresql", tmp_path, request) as (place, url, folder), ExitStack() as stack:
        shutil.copytree(folder, tmp_path / "other")
        row = place.work(place.integration(), "three")
        first = Worker(tmp_path, folder, url)
        stack.callback(first.kill)
        await until(first.at_gate, "the first one's gate")
        second = Worker(tmp_path, tmp_path / "other", url)
        stack.callback(second.kill)
        await until(lambda: len(place.store.executors.all()) == 2, "the second one's beat")
        first.process.send_signal(signal.SIGSTOP)
        await until(second.at_gate, "the takeover")
        second.open_gate()
        done = await settled(place, row)
        first.open_gate()
        first.process.send_signal(signal.SIGCONT)
        await until(lambda: len(place.store.executors.all()) == 2, "its beat again")
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(20) == 0
        assert (first.effects(), second.effects()) == (["intended"], ["sent", "after"])
        assert (done.state, done.takeovers) == (WorkState.DONE, 1)
        assert place.store.works.get(row.id) == done
        assert place.store.ledger.get("the/create").sends == 1
        assert place.store.ledger.get("the/create").state is LedgerState.SENDING


def executor(name, beat, **more):
    """One that beat at that second of its own clock."""
    at = NOW + timedelta(seconds=beat)
    return Executor(id=name, host="h", version="1", started_at=NOW, beat_at=at, **more)


def test_only_a_heartbeat_that_stands_still_is_a_death():
    """Whatever the clocks say; never oneself, nor who stopped in order."""
    watch = Watch(me="me", dead_after_s=25, most_gap_s=12)
    still = [executor("me", 0), executor("gone", 0, stopped_at=NOW), executor("a", -9999)]
    for second in range(0, 24, 6):
        assert watch.dead([*still, executor("b", second)], at=second) == []
    assert watch.dead([*still, executor("b", 18)], at=25) == ["a"]
    assert watch.dead([*still, executor("b", 18)], at=36) == ["a"]
    assert watch.dead([*still, executor("b", 18)], at=44) == ["a", "b"]
    assert watch.dead([executor("a", 1), executor("b", 18)], at=45) == ["b"]


def test_who_was_stopped_itself_takes_nobody_for_dead():
    """After a long gap between two looks everybody gets the whole time again."""
    watch = Watch(me="me", dead_after_s=25, most_gap_s=12)
    assert watch.dead([executor("a", 0)], at=0) == []
    assert watch.dead([executor("a", 0)], at=100) == []
    assert watch.dead([executor("a", 0)], at=110) == []
    assert watch.dead([executor("a", 0)], at=120) == []
    assert watch.dead([executor("a", 0)], at=126) == ["a"]


def test_two_workers_of_one_folder_have_two_identities_and_keep_them(tmp_path):
    """A lock that ends with its process; what is no id is replaced; no folder is an error."""
    ids = CountingIds()
    first, second = claim_identity(tmp_path, ids), claim_identity(tmp_path, ids)
    assert first.id != second.id
    first.close()
    again = claim_identity(tmp_path, ids)
    assert again.id == first.id
    again.close()
    second.close()
    (tmp_path / "executor").write_text("half a")
    third = claim_identity(tmp_path, ids)
    third.close()
    assert third.id not in (first.id, second.id, "half a")
    assert Path(tmp_path / "executor").read_text() == f"{third.id}\n"
    with pytest.raises(ConfigError, match="INKWIRE_DATA_DIR"):
        claim_identity(tmp_path / "nowhere", ids)
