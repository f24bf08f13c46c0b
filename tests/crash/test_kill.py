"""kill -9 at random moments under load: 0 acknowledged events lost, 0 stored twice.

A few kills by default; INKWIRE_CRASH_KILLS=100 (`make crash`) asks for more. A page cache
survives kill -9, so what reaches the disk is proven apart, in test_order.py.
"""

import asyncio
import contextlib
import os
import random
from dataclasses import replace

import pytest

from crash.harness import Ledger, Process, Sender, Site, can_be_opened, compare, process
from postgres_server import postgres_server, postgres_url  # noqa: F401 – fixtures

KILLS = int(os.environ.get("INKWIRE_CRASH_KILLS", "3"))
SEED = int(os.environ.get("INKWIRE_CRASH_SEED", "1"))
pytestmark = pytest.mark.crash


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request, tmp_path):
    """A prepared store of each kind."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    made = Site(data_dir=tmp_path / "data", database_url=url)
    made.prepare()
    return made


async def killed_under_load(site, ledger, *command, kills, chance, repeat=True):
    """Starts, loads and kills `kills` times; a provider repeats what was not acknowledged."""
    sender = Sender(ledger, prefix=f"kill{SEED}")
    for _ in range(kills):
        web = await asyncio.to_thread(Process, site, *command)
        try:
            if repeat:
                await sender.repeat_open(web.port)
            async with sender.load(web.port):
                await asyncio.sleep(chance.uniform(0.02, 0.5))
                await asyncio.to_thread(web.kill)
        finally:
            web.kill()


async def test_nothing_acknowledged_is_lost_and_nothing_is_stored_twice(site):
    """Killed again and again while it stores, beside a worker that hands events on."""
    ledger, chance = Ledger(), random.Random(SEED)
    with process(site, "worker"):
        await killed_under_load(site, ledger, "web", kills=KILLS, chance=chance)
        with process(site, "web") as web:
            await Sender(ledger, prefix="last").repeat_open(web.port)
    found = compare(ledger, site)
    assert found.sound, found
    assert not ledger.open, "every event that was ever sent is acknowledged in the end"
    assert set(ledger.statuses) == {200}
    assert len(ledger.acknowledged) >= 50 * KILLS, "there was too little load to prove anything"
    can_be_opened(ledger, site)


async def test_of_several_web_processes_each_may_be_killed(site):
    """One is killed, the other goes on, the new one joins: they write one store at a time."""
    site = replace(site, environment={"INKWIRE_WEB_PROCESSES": "2"})
    ledger, chance = Ledger(), random.Random(SEED)
    sender = Sender(ledger, prefix=f"pair{SEED}")
    with process(site, "worker"), contextlib.ExitStack() as webs:
        first = Process(site, "web", "--number", "1")
        webs.callback(first.kill)
        port = first.port

        def joined(number):
            other = Process(site, "web", "--port", str(port), "--number", str(number), "--join")
            webs.callback(other.kill)
            return other

        pair = [first, joined(2)]
        for kill in range(max(2, KILLS)):
            await sender.repeat_open(port)
            async with sender.load(port):
                await asyncio.sleep(chance.uniform(0.02, 0.5))
                await asyncio.to_thread(pair[kill % 2].kill)
                await sender.send(port, 5)  # nobody waits for the new one
            pair[kill % 2] = await asyncio.to_thread(joined, kill % 2 + 1)
        await sender.repeat_open(port)
        for web in pair:
            web.stop()
    found = compare(ledger, site)
    assert found.sound, found
    assert not ledger.open, "every event that was ever sent is acknowledged in the end"
    assert set(ledger.statuses) == {200}
    assert len(ledger.acknowledged) >= 50 * KILLS, "there was too little load to prove anything"


async def test_an_answer_before_the_commit_loses_events_and_is_seen(site):
    """Negative control: with the safeguard off this very comparison must find losses."""
    ledger, chance = Ledger(), random.Random(SEED)
    await killed_under_load(site, ledger, "variant", "eager", kills=2, chance=chance, repeat=False)
    assert ledger.acknowledged
    assert compare(ledger, site).lost
