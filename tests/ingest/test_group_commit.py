"""Group commit: order, one outcome each, room given back, nothing left behind."""

import asyncio
import contextlib
import threading

import pytest

from fakes.store import FakeInbound, FakeSealed
from ingest.kit import NOW
from inkwire.errors import StoreBusy, StoreError, StoreFull
from inkwire.ingest.group_commit import MAX_BYTES, MAX_ROWS, SKIPPED, GroupCommit
from inkwire.ingest.limits import Backlog
from inkwire.ingest.metrics import Metrics
from inkwire.model.receipt import Intake, Stored
from inkwire.model.verdict import Accepted


def sealed(name, body=b""):
    """A sealed intake whose receipt id is `name`."""
    intake = Intake(
        receipt_id=name,
        source_id="toy",
        provider="toy",
        received_at=NOW,
        remote="",
        method="POST",
        path="/in/toy",
        query=b"",
        headers=(),
        body=body or name.encode(),
        proof=Accepted(secret_id="s"),
        events=(),
    )
    return FakeSealed(intake=intake)


class Bench:
    """A group commit over a fake store."""

    def __init__(self, *, answer_timeout_s=5.0, **settings):
        self.inbound = FakeInbound()
        self.backlog = Backlog(most_requests=1000, most_bytes=10**9)
        self.metrics = Metrics()
        self.commit = GroupCommit(
            self.inbound,
            backlog=self.backlog,
            metrics=self.metrics,
            answer_timeout_s=answer_timeout_s,
            **settings,
        )


@contextlib.asynccontextmanager
async def committing(**settings):
    """A started group commit, stopped at the end."""
    bench = Bench(**settings)
    bench.commit.start()
    try:
        yield bench
    finally:
        bench.inbound.gate.set()
        await bench.commit.stop(grace_s=5)


async def began(bench):
    """Waits until a commit is in progress."""
    assert await asyncio.to_thread(bench.inbound.began.wait, 5)
    bench.inbound.began.clear()


async def test_what_comes_during_a_commit_goes_together_in_order():
    """While one transaction runs the next gathers; the order of arrival is the order on disk."""
    async with committing() as bench:
        bench.inbound.gate.clear()
        first = bench.commit.put(sealed("r0"))
        await began(bench)
        rest = [bench.commit.put(sealed(f"r{n}")) for n in range(1, 40)]
        bench.inbound.gate.set()
        outcomes = await asyncio.gather(first, *rest)
        assert [outcome.receipt_id for outcome in outcomes] == [f"r{n}" for n in range(40)]
        assert list(bench.inbound.kept) == [f"r{n}" for n in range(40)]
        assert bench.inbound.batches == [1, 39]
        assert (bench.metrics.commits, bench.metrics.committed) == (2, 40)
        assert dict(bench.metrics.batch_sizes) == {1: 1, 64: 1}


async def test_what_comes_in_one_turn_of_the_loop_goes_together():
    """Requests that are ready at the same time share a transaction even if the store is idle."""
    async with committing() as bench:
        await asyncio.gather(*[bench.commit.put(sealed(f"r{n}")) for n in range(20)])
        assert bench.inbound.batches == [20]


async def test_nobody_hears_stored_before_the_commit_is_over():
    """The answer waits for the disk, however long that takes within its time."""
    async with committing() as bench:
        bench.inbound.gate.clear()
        waiting = bench.commit.put(sealed("r1"))
        await began(bench)
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        assert not done
        bench.inbound.gate.set()
        assert isinstance(await waiting, Stored)


async def test_each_waiter_hears_its_own_outcome():
    """One bad row does not take the others with it."""
    async with committing() as bench:
        bench.inbound.bad_rows = {b"r1": StoreFull("no room"), b"r3": StoreBusy()}
        outcomes = await asyncio.gather(*[bench.commit.put(sealed(f"r{n}")) for n in range(5)])
        assert [type(outcome) for outcome in outcomes] == [
            Stored,
            StoreFull,
            Stored,
            StoreBusy,
            Stored,
        ]
        assert list(bench.inbound.kept) == ["r0", "r2", "r4"]
        assert (bench.metrics.committed, bench.metrics.failed) == (3, 2)


@pytest.mark.parametrize("error", [StoreFull(), RuntimeError("a bug"), MemoryError()])
async def test_a_raised_error_reaches_every_waiter_and_the_thread_lives_on(error):
    """An append that raises acknowledges nobody; the next batch is tried anew."""
    async with committing() as bench:
        bench.inbound.broken = error
        outcomes = await asyncio.gather(*[bench.commit.put(sealed(f"r{n}")) for n in range(3)])
        assert all(isinstance(outcome, StoreError) for outcome in outcomes)
        bench.inbound.broken = None
        assert isinstance(await bench.commit.put(sealed("r9")), Stored)


async def test_outcomes_that_do_not_match_the_rows_acknowledge_nobody():
    """A store that answers fewer rows than it got must not shift outcomes between waiters."""
    async with committing() as bench:
        whole = bench.inbound.append
        bench.inbound.append = lambda batch: whole(batch)[1:]
        outcomes = await asyncio.gather(*[bench.commit.put(sealed(f"r{n}")) for n in range(3)])
        assert all(isinstance(outcome, StoreError) for outcome in outcomes)


async def test_a_commit_that_takes_too_long_is_busy_and_keeps_its_room():
    """The sender gets its 503 in time; memory counts as used until the commit is over."""
    async with committing(answer_timeout_s=0.1) as bench:
        bench.inbound.gate.clear()
        slow = bench.commit.put(sealed("r1"))
        await began(bench)
        assert isinstance(await slow, StoreBusy)
        assert bench.backlog.requests == 1
        assert bench.backlog.bytes > 0
        bench.inbound.gate.set()
        assert isinstance(await bench.commit.put(sealed("r2")), Stored)
        assert (bench.backlog.requests, bench.backlog.bytes) == (0, 0)


async def test_a_row_whose_waiter_gave_up_before_its_commit_is_not_stored():
    """Behind a stuck disk the backlog melts: what was answered 503 will be sent again."""
    async with committing(answer_timeout_s=0.1) as bench:
        bench.inbound.gate.clear()
        first = bench.commit.put(sealed("r1"))
        await began(bench)
        second = bench.commit.put(sealed("r2"))
        assert [type(one) for one in await asyncio.gather(first, second)] == [StoreBusy] * 2
        bench.inbound.gate.set()
        await bench.commit.stop(grace_s=5)
        assert list(bench.inbound.kept) == ["r1"]
        assert (bench.backlog.requests, bench.backlog.bytes) == (0, 0)


async def test_a_cancelled_waiter_disturbs_nobody():
    """A client that goes away takes only itself out of the batch."""
    async with committing() as bench:
        bench.inbound.gate.clear()
        waits = [bench.commit.put(sealed("r0"))]
        await began(bench)
        waits += [bench.commit.put(sealed(f"r{n}")) for n in range(1, 4)]
        waits[0].cancel()
        waits[2].cancel()
        bench.inbound.gate.set()
        assert isinstance(await waits[1], Stored)
        assert isinstance(await waits[3], Stored)
        assert list(bench.inbound.kept) == ["r0", "r1", "r3"]
        assert bench.backlog.requests == 0


async def test_batches_are_bounded_by_rows_and_bytes():
    """A transaction stays short whatever has gathered."""
    async with committing() as bench:
        bench.inbound.gate.clear()
        waits = [bench.commit.put(sealed("r"))]
        await began(bench)
        waits += [bench.commit.put(sealed(f"r{n}")) for n in range(MAX_ROWS + 10)]
        half = b"x" * (MAX_BYTES // 2)
        waits += [bench.commit.put(sealed(f"b{n}", half)) for n in range(3)]
        bench.inbound.gate.set()
        await asyncio.gather(*waits)
        assert bench.inbound.batches == [1, MAX_ROWS, 11, 1, 1]


async def test_stop_finishes_what_was_put():
    """Everything that was accepted is committed and answered before stop returns."""
    async with committing() as bench:
        bench.inbound.gate.clear()
        waits = [bench.commit.put(sealed(f"r{n}")) for n in range(10)]
        await began(bench)
        stopping = asyncio.create_task(bench.commit.stop(grace_s=5))
        done, _ = await asyncio.wait([stopping], timeout=0.05)
        assert not done
        bench.inbound.gate.set()
        await stopping
        assert all(isinstance(wait.result(), Stored) for wait in waits)


async def test_what_comes_after_stop_is_refused():
    """A request that is still being read at shutdown hears that it should come again."""
    async with committing() as bench:
        await bench.commit.stop(grace_s=5)
        assert isinstance(await bench.commit.put(sealed("r1")), StoreBusy)
        assert not bench.inbound.kept


async def test_stop_gives_up_on_a_hung_disk_after_its_grace():
    """A disk that never answers does not keep the process from ending."""
    async with committing() as bench:
        bench.inbound.gate.clear()
        wait = bench.commit.put(sealed("r1"))
        await began(bench)
        await bench.commit.stop(grace_s=0.1)
        assert not wait.done()


async def test_the_loop_stands_still_for_a_quick_commit():
    """One turn of the loop takes a request through its commit; no other work gets between."""
    async with committing(stand_still_s=5) as bench:
        waiting = [bench.commit.put(sealed(f"r{n}")) for n in range(3)]
        await asyncio.sleep(0)
        assert all(isinstance(wait.result(), Stored) for wait in waiting)


async def test_a_slow_commit_goes_on_beside_the_loop_and_so_do_the_next():
    """A slow disk holds up answers, not the rest of the process, and is not waited for again."""
    async with committing(stand_still_s=0) as bench:
        bench.inbound.gate.clear()
        slow = bench.commit.put(sealed("r0"))
        await began(bench)
        assert bench.commit._skip == SKIPPED
        bench.inbound.gate.set()
        assert isinstance(await slow, Stored)
        for n in range(SKIPPED):
            assert isinstance(await bench.commit.put(sealed(f"n{n}")), Stored)
        assert bench.commit._skip == 0


async def test_commits_run_on_one_thread():
    """Two transactions at a time would only wait for each other, and lose the order."""
    async with committing() as bench:
        seen = set()
        whole = bench.inbound.append

        def append(batch):
            seen.add(threading.get_ident())
            return whole(batch)

        bench.inbound.append = append
        for n in range(20):
            await bench.commit.put(sealed(f"r{n}"))
        assert len(seen) == 1
        assert threading.get_ident() not in seen
