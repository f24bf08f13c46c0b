"""kill -9 of publishers and workers: every accepted message reaches its subscribers.

What was on its way at a kill may be heard again, never more than the worker's limit; nothing is
recorded twice; an orderly stop repeats nothing.
"""

import asyncio
import os
import random

import pytest

from crash.delivery_harness import Sink, compare, publishing, subscribe, waiting
from crash.harness import Process, Site
from postgres_server import postgres_server, postgres_url  # noqa: F401 – fixtures

KILLS = int(os.environ.get("INKWIRE_CRASH_KILLS", "3"))
SEED = int(os.environ.get("INKWIRE_CRASH_SEED", "1"))
IN_FLIGHT = 16
WEBHOOKS = 3
DRAINED_WITHIN_S = 120
pytestmark = pytest.mark.crash


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request, tmp_path):
    """A prepared store of each kind, that may send to loopback."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    made = Site(
        data_dir=tmp_path / "data",
        database_url=url,
        environment={
            "INKWIRE_OUTBOUND_ALLOW": "127.0.0.1/32",
            "INKWIRE_DELIVERIES_IN_FLIGHT": str(IN_FLIGHT),
        },
    )
    made.prepare()
    return made


async def drained(site):
    """Waits until nothing is left to be sent."""
    async with asyncio.timeout(DRAINED_WITHIN_S):
        while await asyncio.to_thread(waiting, site):
            await asyncio.sleep(0.2)


async def killed_while_sending(site, application, *command, kills, chance):
    """Publishes all the while; kills publisher and worker again and again. Accepted ids."""
    accepted = []
    for number in range(kills):
        worker = await asyncio.to_thread(Process, site, *command)
        try:
            async with publishing(site, application, f"k{number}") as said:
                await asyncio.sleep(chance.uniform(0.3, 1.0))
                await asyncio.to_thread(worker.kill)
        finally:
            worker.kill()
        accepted += said
    return accepted


async def test_every_accepted_message_is_delivered_and_recorded_once(site):
    """0 lost; repeats within the limit of what was on its way; attempts as many as their rows."""
    async with Sink().open() as sink:
        application = subscribe(site, sink, webhooks=WEBHOOKS)
        accepted = await killed_while_sending(
            site, application, "worker_variant", "hasty", kills=KILLS, chance=random.Random(SEED)
        )
        worker = await asyncio.to_thread(Process, site, "worker_variant", "hasty")
        try:
            await drained(site)
        finally:
            await asyncio.to_thread(worker.stop)
        found = compare(site, sink, accepted, webhooks=WEBHOOKS)
    assert len(accepted) >= 20 * KILLS, "there was too little load to prove anything"
    assert not found.lost
    assert not found.miscounted
    assert not found.unfinished
    assert found.repeats <= KILLS * IN_FLIGHT


async def test_an_orderly_stop_repeats_nothing(site):
    """A worker that is told to stop finishes and records what is on its way.

    An endpoint that is late is tried again, as its attempt says: on a busy machine the sink may be.
    """
    async with Sink().open() as sink:
        application = subscribe(site, sink, webhooks=WEBHOOKS)
        accepted = []
        for number in range(2):
            async with publishing(site, application, f"s{number}") as said:
                worker = await asyncio.to_thread(Process, site, "worker")
                await asyncio.sleep(0.7)
                await asyncio.to_thread(worker.stop)
            assert worker.code == 0, "the worker did not end by itself"
            accepted += said
        worker = await asyncio.to_thread(Process, site, "worker")
        try:
            await drained(site)
        finally:
            await asyncio.to_thread(worker.stop)
        found = compare(site, sink, accepted, webhooks=WEBHOOKS)
    assert sum(sink.heard.values()) > 50, "there was too little load to prove anything"
    assert not found.lost
    assert not found.miscounted
    assert not found.unexplained, "\n".join(found.unexplained)


async def test_recording_before_sending_loses_messages_and_is_seen(site):
    """Negative control: with the safeguard off this very comparison must find losses."""
    async with Sink().open() as sink:
        application = subscribe(site, sink, webhooks=WEBHOOKS)
        accepted = await killed_while_sending(
            site, application, "worker_variant", "careless", kills=2, chance=random.Random(SEED)
        )
        worker = await asyncio.to_thread(Process, site, "worker_variant", "careless")
        try:
            await drained(site)
        finally:
            await asyncio.to_thread(worker.stop)
        assert sink.heard, "it sent nothing at all, so nothing is proved"
        assert compare(site, sink, accepted, webhooks=WEBHOOKS).lost
