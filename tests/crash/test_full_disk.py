"""A full disk: 503, nothing acknowledged is lost, and it goes on by itself when room was made.

As root on a file system of 8 MiB in memory; for everybody with a limit on the size of a file,
which fails the same writes and needs no rights.
"""

import asyncio
import contextlib
import os
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from crash.harness import Ledger, Process, Sender, Site, can_be_opened, compare, process

pytestmark = pytest.mark.crash
ROOM = 8 * 1024 * 1024
PLENTY = 64 * 1024 * 1024


@dataclass
class SmallFileSystem:
    """A file system of its own, large enough for a few hundred bodies."""

    folder: Path

    def fill_up(self, web: Process) -> None:
        """Nothing to do: it is small."""

    def make_room(self, web: Process) -> None:
        subprocess.run(["mount", "-o", f"remount,size={PLENTY}", str(self.folder)], check=True)


@dataclass
class LimitedFiles:
    """No file of the process may grow beyond ROOM."""

    folder: Path

    def fill_up(self, web: Process) -> None:
        resource.prlimit(web.pid, resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))

    def make_room(self, web: Process) -> None:
        everything = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(web.pid, resource.RLIMIT_FSIZE, everything)


@pytest.fixture(params=["file-size", *(["tmpfs"] if os.geteuid() == 0 else [])])
def room(request, tmp_path):
    """Where the store lies, and how room is made there."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    if request.param == "file-size":
        yield LimitedFiles(folder)
        return
    size = f"size={ROOM}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", str(folder)], check=True)
    try:
        yield SmallFileSystem(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def until(sender, port, status, *, most):
    """Sends new events until one is answered with `status`; how many that took."""
    for count in range(most):
        async with sender.connected(port) as (reader, writer):
            if await sender.exchange(sender.new_id(), reader, writer) == status:
                return count
    raise AssertionError(f"{most} requests and no {status}: {sender.ledger.statuses}")


async def test_a_full_disk_refuses_and_goes_on_when_there_is_room(room):
    """No answer but 200 and 503 all the way; each 200 is there afterwards, and no row twice."""
    site, ledger = Site(data_dir=room.folder), Ledger()
    site.prepare()
    sender = Sender(ledger, prefix="full", filler=20_000)
    with process(site, "web") as web:
        room.fill_up(web)
        assert await until(sender, web.port, 503, most=1000) > 50
        async with sender.load(web.port, connections=8):
            await asyncio.sleep(0.5)
        assert ledger.statuses[503] > 10
        room.make_room(web)
        await until(sender, web.port, 200, most=1000)
        await sender.repeat_open(web.port)
        await sender.send(web.port, 50)
    assert set(ledger.statuses) == {200, 503}
    assert not ledger.open
    found = compare(ledger, site)
    assert found.sound, found
    can_be_opened(ledger, site)


async def test_a_hub_killed_on_a_full_disk_comes_back_whole(room):
    """The log of a full disk is recovered at the next start, with all that was acknowledged."""
    site, ledger = Site(data_dir=room.folder), Ledger()
    site.prepare()
    sender = Sender(ledger, prefix="killed", filler=20_000)
    web = Process(site, "web")
    with contextlib.ExitStack() as ending:
        ending.callback(web.kill)
        room.fill_up(web)
        async with sender.load(web.port, connections=8):
            while not ledger.statuses[503]:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(web.kill)
    with contextlib.ExitStack() as ending:
        if isinstance(room, SmallFileSystem):
            room.make_room(web)
        with process(site, "web") as again:
            await sender.repeat_open(again.port)
    assert not ledger.open
    assert compare(ledger, site).sound


async def test_believing_a_failed_commit_loses_events_and_is_seen(room):
    """Negative control: a hub that takes every commit for a good one must be found out."""
    site, ledger = Site(data_dir=room.folder), Ledger()
    site.prepare()
    sender = Sender(ledger, prefix="trusting", filler=20_000)
    with process(site, "variant", "trusting") as web:
        room.fill_up(web)
        await sender.send(web.port, 700)
    assert set(ledger.statuses) == {200}
    assert compare(ledger, site).lost
