"""A sink that counts what it gets, publishers that can be killed, and their ledger."""

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from aiohttp import web

from crash.harness import STARTS_WITHIN_S, Site
from inkwire.access.gate import CLI
from inkwire.delivery.drafts import WebhookDraft
from inkwire.hub import open_hub
from inkwire.model.webhook import Topic

TOPIC = "crash.tested"
_PUBLISHER = Path(__file__).with_name("publisher.py")


class Sink:
    """Answers every delivery with 200 and counts it by (webhook, message)."""

    def __init__(self) -> None:
        self.heard: Counter[tuple[str, str]] = Counter()
        self.port = 0

    async def _hear(self, request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(0.01)  # so that a kill finds some on their way
        self.heard[request.match_info["hook"], request.headers["webhook-id"]] += 1
        return web.Response()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Sink"]:
        """Listens on loopback for as long as the block lasts."""
        app = web.Application()
        app.router.add_post("/hook/{hook}", self._hear)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()


def subscribe(site: Site, sink: Sink, *, webhooks: int) -> str:
    """An application with webhooks to the sink; its id."""
    settings = site.settings.model_copy(update={"outbound_allow": "127.0.0.1/32"})
    with open_hub(settings) as hub:
        hub.applications.put_topic(CLI, Topic(name=TOPIC, granted_to_all=True))
        application = hub.applications.create(CLI, name="Crash test")
        for number in range(webhooks):
            hub.webhooks.create(
                CLI,
                application.id,
                WebhookDraft(topic=TOPIC, address=f"http://127.0.0.1:{sink.port}/hook/{number}"),
            )
    return application.id


@contextlib.asynccontextmanager
async def publishing(site: Site, application_id: str, prefix: str) -> AsyncIterator[list[str]]:
    """A publisher that has begun, killed at the end of the block; the ids that it said by then.

    The sink answers meanwhile.
    """
    accepted: list[str] = []
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, str(_PUBLISHER), application_id, TOPIC, prefix],
        env=site.whole_environment(),
        stdout=subprocess.PIPE,
    )
    begun = threading.Event()

    def listen() -> None:
        for line in process.stdout or ():
            if line.endswith(b"\n"):  # one that was cut by the kill was not accepted
                accepted.append(line.decode().strip())
                begun.set()

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        assert await asyncio.to_thread(begun.wait, STARTS_WITHIN_S), "the publisher did not begin"
        yield accepted
    finally:
        process.kill()
        await asyncio.to_thread(process.wait, STARTS_WITHIN_S)
        await asyncio.to_thread(listener.join, STARTS_WITHIN_S)
        if process.stdout:
            process.stdout.close()


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """The comparison of accepted messages with what the sink heard and the store says."""

    #: (webhook, message) accepted and never heard.
    lost: list[tuple[str, str]]
    #: Times that something was heard again.
    repeats: int
    #: Deliveries whose count of attempts is not the number of their attempt rows.
    miscounted: list[str]
    #: Deliveries that are not delivered in the end.
    unfinished: list[str]
    #: What was heard again, though no attempt says that the endpoint was late: how often it was
    #: heard, and how each attempt ended.
    unexplained: list[str]


def compare(site: Site, sink: Sink, accepted: list[str], *, webhooks: int) -> Delivered:
    """Looks with plain SQL. The store must have no process."""
    rows = _rows(site)
    results = _results(site)
    return Delivered(
        lost=[
            (str(hook), message)
            for message in accepted
            for hook in range(webhooks)
            if not sink.heard[str(hook), message]
        ],
        repeats=sum(count - 1 for count in sink.heard.values()),
        miscounted=[row[0] for row in rows if row[2] != row[3]],
        unfinished=[row[0] for row in rows if row[1] != "delivered"],
        unexplained=[
            f"webhook {hook}, {message}: heard {count} times, attempts: {', '.join(ended)}"
            for (hook, message), count in sink.heard.items()
            if count - 1 > (ended := results.get((hook, message), [])).count("timeout")
        ],
    )


def waiting(site: Site) -> int:
    """Messages that have no deliveries yet, and deliveries that are not done."""
    (found,) = _ask(
        site,
        "SELECT (SELECT count(*) FROM messages WHERE fanned_at IS NULL) + "
        "(SELECT count(*) FROM deliveries WHERE state = 'waiting')",
    )[0]
    return int(found)


def _rows(site: Site) -> list[tuple[str, str, int, int]]:
    return _ask(
        site,
        "SELECT d.id, d.state, d.attempts, (SELECT count(*) FROM attempts a "
        "WHERE a.delivery_id = d.id) FROM deliveries d",
    )


def _results(site: Site) -> dict[tuple[str, str], list[str]]:
    """How the attempts ended, by webhook and message as the sink knows them."""
    found: dict[tuple[str, str], list[str]] = {}
    for address, message, result in _ask(
        site,
        "SELECT a.address, d.message_id, a.result FROM attempts a "
        "JOIN deliveries d ON d.id = a.delivery_id ORDER BY a.id",
    ):
        found.setdefault((address.rpartition("/")[2], message), []).append(result)
    return found


def _ask(site: Site, sql: str) -> list[tuple]:
    if site.database_url:
        with psycopg.connect(site.database_url) as conn:
            return conn.execute(sql).fetchall()
    with contextlib.closing(sqlite3.connect(site.data_dir / "inkwire.db")) as conn:
        return conn.execute(sql).fetchall()
