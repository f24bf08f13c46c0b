"""The desk of work: what people see of runs and how they steer them, on a real store."""

import pytest

from fakes.acting import (
    KEY,
    add_connection,
    add_integration,
    add_work,
    dead,
    ended,
    in_doubt,
    started,
)
from fakes.hub import open_rooms
from inkwire.access.gate import CLI
from inkwire.engine.desk import Decision
from inkwire.errors import Conflict, Forbidden, InvalidInput, NotFound
from inkwire.model.access import ROLE_SCOPES, Caller, Role, Scope
from inkwire.model.work import (
    Call,
    CommandKind,
    CommandState,
    ErrorKind,
    IntegrationState,
    LedgerState,
    ParkCause,
    Step,
    StepResult,
    WorkState,
)
from inkwire.store.acting import WorkQuery

VIEWER = Caller(actor="user:v", scopes=ROLE_SCOPES[Role.VIEWER])


@pytest.fixture
def rooms(tmp_path):
    """A hub with an active integration, int_1."""
    with open_rooms(tmp_path / "data") as rooms:
        add_connection(rooms)
        add_integration(rooms, connection_id="silent-main")
        rooms.hub.integrations.move(CLI, 1, IntegrationState.ACTIVE)
        yield rooms


@pytest.fixture
def desk(rooms):
    """The hub's desk."""
    return rooms.hub.work


def newest_audit(rooms):
    """The last change."""
    return rooms.store.access.audit()[0]


def test_a_row_is_shown_with_all_that_its_runs_did(rooms, desk):
    """Steps in order, calls, creates; the page finds it by each of its filters."""
    work = in_doubt(rooms)
    now = rooms.clock.now()
    step = Step(
        id="s1", work_id=work.id, run_id=work.run_id, name="send", attempt=1,
        result=StepResult.HELD, detail="Nobody knows.", started_at=now, duration_us=5,
    )  # fmt: skip
    call = Call(
        id="c1", connection_id="silent-main", work_id=work.id, run_id=work.run_id, method="POST",
        path="/sign_requests", status=None, started_at=now, duration_us=5,
    )  # fmt: skip
    rooms.store.run_log.add_step(step)
    rooms.store.run_log.add_call(call)
    detail = desk.get(VIEWER, work.id)
    assert (detail.work.state, detail.work.park_cause) == (WorkState.PARKED, ParkCause.PERSON)
    assert ([one.name for one in detail.steps], [one.path for one in detail.calls]) == (
        ["send"],
        ["/sign_requests"],
    )
    assert [one.key for one in detail.ledger] == [KEY]
    for query in (
        WorkQuery(state=WorkState.PARKED),
        WorkQuery(park_cause=ParkCause.PERSON, integration_id=1),
        WorkQuery(entity_key="order:ord_1", workflow="copy"),
    ):
        assert [one.id for one in desk.page(VIEWER, query)] == [work.id]
    assert desk.counts(VIEWER)[WorkState.PARKED] == 1
    assert [one.key for one in desk.ledger(VIEWER, state=LedgerState.DOUBT)] == [KEY]
    assert desk.entry(VIEWER, KEY).work_id == work.id


@pytest.mark.parametrize("state", [WorkState.DEAD, WorkState.PARKED, WorkState.CANCELLED])
def test_retry_is_the_next_run(rooms, desk, state):
    """What failed, waits or was cancelled starts again under a new run id, and says who did it."""
    cause = ParkCause.CONNECTION if state is WorkState.PARKED else None
    work = ended(rooms, add_work(rooms).id, state, cause=cause)
    again = desk.retry(CLI, work.id)
    assert (again.state, again.run_id) == (WorkState.NEW, "int_1/change-1/2")
    audit = newest_audit(rooms)
    assert (audit.action, audit.target, audit.detail["was"]) == ("work.retry", work.id, state)
    assert started(rooms, work.id).run_number == 2


def test_retry_and_replay_each_have_their_states(rooms, desk):
    """What goes on by itself is not touched; what is done is replayed, not retried."""
    work = add_work(rooms)
    for refused in (desk.retry, desk.replay):
        with pytest.raises(Conflict, match="is new"):
            refused(CLI, work.id)
    done = ended(rooms, work.id, WorkState.DONE)
    with pytest.raises(Conflict, match="use replay"):
        desk.retry(CLI, done.id)
    again = desk.replay(CLI, done.id)
    assert (again.state, again.run_number) == (WorkState.NEW, 2)
    assert newest_audit(rooms).action == "work.replay"
    letter = dead(rooms, "change-2", entity="order:ord_2")
    with pytest.raises(Conflict, match="is dead, not done"):
        desk.replay(CLI, letter.id)
    with pytest.raises(NotFound):
        desk.retry(CLI, "wrk_none")


def test_cancel_ends_what_waits_and_asks_what_runs(rooms, desk):
    """A waiting row is cancelled at once; of a running one the wish is noted; an end is an end."""
    waiting = add_work(rooms)
    assert desk.cancel(CLI, waiting.id).state is WorkState.CANCELLED
    with pytest.raises(Conflict):
        desk.cancel(CLI, waiting.id)
    running = add_work(rooms, "change-2")
    started(rooms, running.id)
    noted = desk.cancel(CLI, running.id)
    assert (noted.state, noted.cancel_asked) == (WorkState.RUNNING, True)
    assert newest_audit(rooms).action == "work.cancel"


def test_dead_letters_are_started_again_together(rooms, desk):
    """Of one integration and kind of failure, oldest first, a bounded number at a time."""
    rows = [dead(rooms, f"change-{n}", entity=f"order:{n}") for n in range(3)]
    other = dead(rooms, "auth", kind=ErrorKind.AUTH, entity="order:a")
    letters = {"integration_id": 1, "error_kind": ErrorKind.PERMANENT}
    first = desk.retry_dead(CLI, **letters, most=2)
    assert (list(first.work_ids), first.more) == ([rows[0].id, rows[1].id], True)
    second = desk.retry_dead(CLI, **letters, most=2)
    assert (list(second.work_ids), second.more) == ([rows[2].id], False)
    assert rooms.store.works.get(other.id).state is WorkState.DEAD
    assert desk.retry_dead(CLI, integration_id=1).work_ids == (other.id,)
    with pytest.raises(NotFound):
        desk.retry_dead(CLI, integration_id=9)


@pytest.mark.parametrize(
    ("decision", "remote_id", "state"),
    [
        (Decision.REPEAT, None, LedgerState.REPEAT),
        (Decision.ABANDON, None, LedgerState.ABANDONED),
        (Decision.ADOPT, "sr-77", LedgerState.DONE),
    ],
)
def test_a_decision_lets_the_work_go_on(rooms, desk, decision, remote_id, state):
    """The ledger holds the person's word, the audit log their name, and the next run starts."""
    work = in_doubt(rooms)
    decided = desk.decide(CLI, KEY, decision, remote_id=remote_id)
    assert (decided.state, decided.remote_id) == (state, remote_id)
    assert rooms.store.works.get(work.id).state is WorkState.NEW
    retried, decided_audit = rooms.store.access.audit()[:2]
    assert (decided_audit.action, decided_audit.target) == ("ledger.decide", KEY)
    assert decided_audit.detail["decision"] == decision
    assert (retried.action, retried.detail["decided"]) == ("work.retry", decision)
    with pytest.raises(Conflict, match="waits for no decision"):
        desk.decide(CLI, KEY, decision, remote_id=remote_id)


def test_a_decision_on_cancelled_work_starts_it_only_if_it_has_something_to_do(rooms, desk):
    """To leave a create alone revives nothing that a person stopped; to repeat it does."""
    work = in_doubt(rooms)
    desk.cancel(CLI, work.id)
    desk.decide(CLI, KEY, Decision.ABANDON)
    assert rooms.store.works.get(work.id).state is WorkState.CANCELLED


@pytest.mark.parametrize(
    ("decision", "remote_id", "word"),
    [
        (Decision.ADOPT, None, "is needed"),
        (Decision.ADOPT, "", "1 to 200"),
        (Decision.ADOPT, "a b", "blanks"),
        (Decision.ADOPT, "ä", "ASCII"),
        (Decision.ADOPT, "x" * 201, "200"),
        (Decision.REPEAT, "sr-77", "adopt only"),
    ],
)
def test_a_senseless_decision_changes_nothing(rooms, desk, decision, remote_id, word):
    """An id goes with adopt, and only a good one; the entry stays in doubt."""
    in_doubt(rooms)
    with pytest.raises(InvalidInput) as refusal:
        desk.decide(CLI, KEY, decision, remote_id=remote_id)
    assert word in refusal.value.fields["remote_id"]
    assert desk.entry(CLI, KEY).state is LedgerState.DOUBT
    with pytest.raises(NotFound):
        desk.decide(CLI, "none", Decision.REPEAT)


def test_commands_ask_a_worker_once(rooms, desk):
    """A second click finds the first command; after its answer the next one is new."""
    work = add_work(rooms)
    asked = desk.dry_run(CLI, work.id)
    assert (asked.kind, asked.target, asked.created_by) == (CommandKind.DRY_RUN, work.id, "cli")
    assert desk.dry_run(CLI, work.id) == asked
    assert rooms.store.commands.take(now=rooms.clock.now(), lease_s=30).id == asked.id
    rooms.store.commands.done(asked.id, at=rooms.clock.now(), result={"plans": []})
    answered = desk.command(VIEWER, asked.id)
    assert (answered.state, answered.result) == (CommandState.DONE, {"plans": []})
    rooms.clock.advance(seconds=1)
    assert desk.dry_run(CLI, work.id).id != asked.id
    with pytest.raises(NotFound):
        desk.dry_run(CLI, "wrk_none")
    with pytest.raises(NotFound):
        desk.check_connection(CLI, "none")
    assert desk.check_connection(CLI, "silent-main").kind is CommandKind.CHECK_CONNECTION


def test_scopes(rooms, desk):
    """Who reads cannot steer; a connection's check is for those who may see connections."""
    work = dead(rooms)
    for act in (
        lambda: desk.retry(VIEWER, work.id),
        lambda: desk.replay(VIEWER, work.id),
        lambda: desk.cancel(VIEWER, work.id),
        lambda: desk.dry_run(VIEWER, work.id),
        lambda: desk.retry_dead(VIEWER, integration_id=1),
        lambda: desk.decide(VIEWER, KEY, Decision.REPEAT),
    ):
        with pytest.raises(Forbidden, match="runs:write"):
            act()
    with pytest.raises(Forbidden, match="integrations:write"):
        desk.check_connection(VIEWER, "silent-main")
    stranger = Caller(actor="key:1", scopes=frozenset(Scope) - {Scope.RUNS_READ})
    for look in (
        lambda: desk.page(stranger, WorkQuery()),
        lambda: desk.counts(stranger),
        lambda: desk.get(stranger, work.id),
        lambda: desk.ledger(stranger),
        lambda: desk.entry(stranger, KEY),
        lambda: desk.executors(stranger),
        lambda: desk.command(stranger, "cmd_1"),
    ):
        with pytest.raises(Forbidden, match="runs:read"):
            look()
    check = desk.check_connection(CLI, "silent-main")
    only_runs = Caller(actor="key:2", scopes=frozenset({Scope.RUNS_READ}))
    with pytest.raises(Forbidden, match="integrations:read"):
        desk.command(only_runs, check.id)
    assert desk.command(VIEWER, check.id) == check
