"""How fast messages get to their subscribers, and whether dead endpoints slow the healthy ones.

    python -m bench.delivery                    all of it (about 10 minutes)
    python -m bench.delivery --only rate        one part: rate, hang, fan, through, backlog

The sink keeps to the last core; the worker uses what it needs. Rounds of the variants alternate:
read the ratios of one run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import aiohttp

from bench.house import LAST_CORE, STORES, one_round, started
from inkwire.access.gate import CLI
from inkwire.delivery.drafts import WebhookDraft
from inkwire.hub import open_hub
from inkwire.model.webhook import ProfileName, Topic

TOPIC = "bench.sent"
BODY = {"number": 0, "at": 0.0, "filler": "x" * 1400}
FIRST_CORE = min(os.sched_getaffinity(0))


class Sink:
    """The sink's process; what it heard so far is asked for by a signal."""

    def __init__(self):
        command = [sys.executable, "-m", "bench.sink", "--cpu", str(LAST_CORE)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = json.loads(self._process.stdout.readline())
        self.port, self.deaf = said["port"], said["deaf"]

    def heard(self):
        self._process.send_signal(signal.SIGUSR1)
        return json.loads(self._process.stdout.readline())

    def wait_for(self, count, *, within_s):
        """Until it heard that many, or no more for 20 s; what it heard."""
        until, last, changed = time.monotonic() + within_s, -1, time.monotonic()
        while time.monotonic() < until:
            found = self.heard()
            if found["count"] != last:
                last, changed = found["count"], time.monotonic()
            if last >= count or time.monotonic() - changed > 20:
                return found
            time.sleep(0.2)
        return self.heard()

    def close(self):
        self._process.terminate()
        self._process.wait()


@contextlib.contextmanager
def sink():
    """A sink for as long as the block lasts."""
    made = Sink()
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def subscribers(site, addresses):
    """A hub with one application and a webhook to each address; publishes into it."""
    settings = site.settings.model_copy(
        update={"outbound_allow": "127.0.0.1/32", "webhooks_per_application": 10_000}
    )
    with open_hub(settings) as hub:
        hub.applications.put_topic(CLI, Topic(name=TOPIC, granted_to_all=True))
        application = hub.applications.create(CLI, name="Benchmark")
        for address in addresses:
            hub.webhooks.create(
                CLI,
                application.id,
                WebhookDraft(
                    topic=TOPIC, address=address, profile=ProfileName.STANDARD, max_in_flight=50
                ),
            )
        yield hub, application.id


def publish(hub, application_id, count):
    """`count` messages, as fast as they are taken."""
    for number in range(count):
        body = json.dumps(BODY | {"number": number, "at": time.time()}).encode()
        hub.publisher.publish(CLI, topic=TOPIC, application_id=application_id, payload=body)


@contextlib.contextmanager
def worker(site):
    """`inkwire worker`, allowed to reach loopback."""
    os.environ |= {"INKWIRE_OUTBOUND_ALLOW": "127.0.0.1/32"}
    with started(site, "inkwire", "worker") as (pid, _):
        yield pid


def rate(options):
    """Deliveries a second of a full queue, against a bare aiohttp loop to the same sink."""
    for store in options.stores:
        shares = []
        for _ in range(options.rounds):
            bare = bare_loop(options.count)
            with STORES[store]() as site, sink() as end:
                addresses = [f"http://127.0.0.1:{end.port}/ok/{n}" for n in range(20)]
                with subscribers(site, addresses) as (hub, application):
                    publish(hub, application, options.count // len(addresses))
                    with worker(site) as pid:
                        start = _cpu(pid)
                        found = end.wait_for(options.count, within_s=300)
                        cpu = _cpu(pid) - start
            shares.append(found["per_second"] / bare)
            print(
                f"{store:12} {found['per_second']:>9}/s  bare aiohttp {bare:>9.0f}/s  "
                f"{shares[-1]:.0%}  worker {cpu * 1e6 / max(1, found['count']):.0f} us a delivery",
                flush=True,
            )
        print(
            f"{store}: {statistics.median(shares):.0%} of bare (bar: 60 %, 6,000/s)\n", flush=True
        )


def bare_loop(count):
    """POSTs a second of aiohttp alone, 64 in flight, in a process of its own."""
    with sink() as end:
        code = f"from bench.delivery import bare; bare({end.port}, {count})"
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
        )
        assert end.heard()["count"] == count
        return float(done.stdout)


def bare(port, count):
    """The control: a session, 64 loops, the body as it is."""
    os.sched_setaffinity(0, {FIRST_CORE})
    body = json.dumps(BODY).encode()

    async def main():
        left = iter(range(count))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def loop():
                for number in left:
                    url = f"http://127.0.0.1:{port}/ok/{number % 20}"
                    async with session.post(url, data=body) as answer:
                        await answer.read()

            began = time.perf_counter()
            await asyncio.gather(*(loop() for _ in range(64)))
            return count / (time.perf_counter() - began)

    import uvloop

    print(uvloop.run(main()))


def hang(options):
    """1,000 endpoints, without and with 100 that hang: publish → sink of the healthy ones."""
    for store in options.stores:
        found = {}
        for name, bad in (("baseline", 0), ("100 hang", 100)):
            with STORES[store]() as site, sink() as end:
                healthy = [f"http://127.0.0.1:{end.port}/ok/{n}" for n in range(1000 - bad)]
                kinds = (f":{end.deaf}/c", f":{end.port}/head", f":{end.port}/drip")
                dead = [f"http://127.0.0.1{kinds[n % 3]}/{n}" for n in range(bad)]
                with subscribers(site, dead + healthy) as (hub, application), worker(site):
                    expected = 0
                    for _ in range(options.messages):
                        publish(hub, application, 1)
                        expected += len(healthy)
                        time.sleep(1.0)
                    found[name] = end.wait_for(expected, within_s=120)
                    print(f"{store:12} {name:10} of {expected}: {found[name]}", flush=True)
        ratio = found["100 hang"]["p99_ms"] / found["baseline"]["p99_ms"]
        print(f"{store}: p99 {ratio:.2f} x baseline (bar: 2)\n", flush=True)


def fan(options):
    """One message to 1,000 webhooks: from its publication to the last that heard it."""
    for store in options.stores:
        with STORES[store]() as site, sink() as end:
            addresses = [f"http://127.0.0.1:{end.port}/ok/{n}" for n in range(1000)]
            with subscribers(site, addresses) as (hub, application), worker(site):
                time.sleep(1)
                publish(hub, application, 1)
                print(f"{store:12} 1 → 1,000: {end.wait_for(1000, within_s=60)}", flush=True)


def through(options):
    """Event in → subscriber's 2xx: the ingest benchmark's closed loop, forwarded by a grant."""
    for store in options.stores:
        with STORES[store]() as site, sink() as end:
            with subscribers(site, []) as (hub, application):
                event_type = "box.FILE.UPLOADED"
                hub.applications.set_grants(CLI, application, [event_type])
                hub.webhooks.create(
                    CLI,
                    application,
                    WebhookDraft(
                        topic=event_type,
                        address=f"http://127.0.0.1:{end.port}/ok",
                        max_in_flight=100,
                    ),
                )
            with worker(site):
                load = {"connections": 64, "seconds": 5.0, "warmup": 0, "count": 80_000}
                began = time.time()
                sent = one_round(site, "full", **load)
                found = end.wait_for(sent["requests"], within_s=300)
                seconds = time.time() - began
            print(
                f"{store:12} in {sent['per_second']}/s while loaded; out {found['count']} of "
                f"{sent['requests']}, {found['per_second']}/s (bar: 3,000/s end to end), "
                f"all of it {found['count'] / seconds:.0f}/s",
                flush=True,
            )


def backlog(options):
    """Claims from a backlog of many deliveries, against those from an empty one."""
    from bench.backlog import measure

    for store in options.stores:
        with STORES[store]() as site:
            measure(store, site, options.backlog)


def _cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


PARTS = {"rate": rate, "hang": hang, "fan": fan, "through": through, "backlog": backlog}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--stores", nargs="+", default=list(STORES), choices=STORES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--messages", type=int, default=10)
    parser.add_argument("--backlog", type=int, default=1_000_000)
    options = parser.parse_args()
    for name in options.only or PARTS:
        print(f"\n## {name}\n", flush=True)
        PARTS[name](options)


if __name__ == "__main__":
    main()
