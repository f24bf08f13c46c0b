"""One read says for all runs of a worker whether they are still its own."""

import time
from datetime import UTC, datetime

from contract.acting_kit import race
from inkwire.engine.fence import Fence
from inkwire.model.work import Work

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Rows:
    """What a store says that `me` has in hand."""

    def __init__(self):
        self.reads = 0
        self.rows = {"a": (1, False), "b": (3, True)}

    def in_hand(self, executor_id):
        """A copy, as a store gives it."""
        assert executor_id == "me"
        self.reads += 1
        return dict(self.rows)


def work(work_id, run_number):
    """A run of a row."""
    return Work(
        id=work_id, integration_id=1, key=work_id, workflow="w", entity_key="e", due_at=NOW,
        created_at=NOW, run_number=run_number,
    )  # fmt: skip


def test_all_that_ask_within_a_moment_share_one_read():
    """Thirty at the same time: one read; each hears of its own row."""
    rows = Rows()
    fence, since = Fence(rows, "me"), time.monotonic()
    heard = race([lambda: fence.look(work("a", 1), since=since) for _ in range(30)])
    assert rows.reads == 1
    assert {asked for _, asked in heard} == {False}
    assert all(read_at >= since for read_at, _ in heard)
    assert fence.look(work("b", 3), since=since)[1] is True
    assert fence.look(work("a", 2), since=since) is None, "another run of the row"
    assert fence.look(work("c", 1), since=since) is None
    assert rows.reads == 1


def test_a_read_that_began_before_does_not_count():
    """What was taken away since is seen by whoever asks for a later look."""
    rows = Rows()
    fence = Fence(rows, "me")
    read_at, _ = fence.look(work("a", 1), since=time.monotonic())
    rows.rows.clear()
    assert fence.look(work("a", 1), since=read_at) == (read_at, False)
    assert fence.look(work("a", 1), since=time.monotonic()) is None
    assert rows.reads == 2
