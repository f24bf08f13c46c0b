"""Backlog, disk reserve and deadlines as plain values."""

import asyncio
from pathlib import Path

from inkwire.ingest.limits import Backlog, Deadlines, DiskReserve


def test_a_backlog_is_full_by_requests_or_by_bytes():
    """Either limit alone stops what is new."""
    backlog = Backlog(most_requests=2, most_bytes=100)
    assert not backlog.full()
    backlog.requests = 2
    assert backlog.full()
    backlog.requests, backlog.bytes = 0, 100
    assert backlog.full()


def test_bodies_in_progress_get_half_of_the_room():
    """Slow senders leave the other half to requests that come in one piece."""
    backlog = Backlog(most_requests=2, most_bytes=100)
    assert backlog.takes(50, complete=False)
    assert not backlog.takes(51, complete=False)
    assert backlog.takes(100, complete=True)
    assert not backlog.takes(101, complete=True)


class TestDiskReserve:
    """Free room is looked at once a second."""

    def reserve(self, free):
        now = [0.0]
        asked = []

        def free_bytes(folder):
            asked.append(folder)
            if isinstance(free[0], Exception):
                raise free[0]
            return free[0]

        disk = DiskReserve(
            Path("/x"), reserve_bytes=1000, monotonic=lambda: now[0], free_bytes=free_bytes
        )
        return disk, now, asked

    def test_below_the_reserve_is_short_and_room_is_seen_within_a_second(self):
        """It stops in time, and goes on by itself when room was made."""
        free = [999]
        disk, now, _ = self.reserve(free)
        assert disk.short()
        free[0] = 1000
        now[0] = 1.0
        assert not disk.short()

    def test_the_disk_is_asked_at_most_once_a_second(self):
        """Thousands of requests cost one system call."""
        disk, now, asked = self.reserve([5000])
        for tick in range(1000):
            now[0] = tick / 500
            disk.short()
        assert asked == [Path("/x")] * 2

    def test_a_folder_that_cannot_be_asked_counts_as_full(self):
        """A volume that went away takes no events."""
        disk, _, _ = self.reserve([OSError()])
        assert disk.short()

    def test_the_real_disk_is_asked(self, tmp_path):
        """Without a stand-in the numbers come from the file system."""
        assert not DiskReserve(tmp_path, reserve_bytes=1, monotonic=lambda: 0.0).short()
        assert DiskReserve(tmp_path, reserve_bytes=10**18, monotonic=lambda: 0.0).short()


class TestDeadlines:
    """One timer, many waits."""

    async def test_each_ends_after_its_own_full_time(self):
        """The timer moves on from the oldest to the next, and forgets who is done."""
        loop = asyncio.get_running_loop()
        expired: asyncio.Queue = asyncio.Queue()
        deadlines = Deadlines(loop, 0.05, lambda item: expired.put_nowait((item, loop.time())))
        started = {}
        for name in ("a", "b", "c"):
            started[name] = loop.time()
            deadlines.add(name)
            await asyncio.wait([loop.create_future()], timeout=0.01)
        deadlines.discard("b")
        for name in ("a", "c"):
            item, at = await asyncio.wait_for(expired.get(), 2)
            assert item == name
            assert at - started[name] >= 0.049
        assert len(deadlines) == 0
        assert expired.empty()

    async def test_it_can_be_used_again_after_it_was_empty(self):
        """A timer that ended with nothing to do is set anew by the next wait."""
        loop = asyncio.get_running_loop()
        expired: asyncio.Queue = asyncio.Queue()
        deadlines = Deadlines(loop, 0.01, expired.put_nowait)
        for name in ("a", "b"):
            deadlines.add(name)
            assert await asyncio.wait_for(expired.get(), 2) == name

    async def test_close_tells_nobody(self):
        """After a stop no late callback comes."""
        loop = asyncio.get_running_loop()
        expired = []
        deadlines = Deadlines(loop, 0.01, expired.append)
        deadlines.add("a")
        deadlines.close()
        await asyncio.wait([loop.create_future()], timeout=0.03)
        assert not expired
