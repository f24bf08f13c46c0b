"""Many orders through the sandbox: sent, signed, home again; each of them once.

    python -m bench.orders                  200 orders on SQLite (some minutes)
    python -m bench.orders --count 10000    the long run (hours: the sandbox signs each PDF)

Prints how long each stage took, what an order cost in calls of Box's API, and whether anything
came twice or not at all; exits with 1 if it did.
"""

import argparse
import asyncio
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import aiohttp

from bench.house import started
from inkwire.access.gate import CLI
from inkwire.cli.demo.vendor import connect, integrate, vendor
from inkwire.config import load_settings
from inkwire.hub import open_hub
from inkwire.model.document import DocumentKind, SignState
from inkwire.store.open import migrate

#: Orders that are in hand at the sandbox at a time.
IN_HAND = 16
STALLED_S = 120.0


def free_port():
    """A port that nobody has; Box calls back there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def sent_off(hub, count):
    """Makes the orders and brings them into the trigger status; their ids."""
    ids = []
    for number in range(count):
        customer = {"name": f"Customer {number}", "email": f"c{number}@example.com"}
        order = hub.orders.add(CLI, {"number": f"B-{number}", "customer": customer})
        hub.orders.move(CLI, order.id, "request_signature")
        ids.append(order.id)
    return ids


class Counted:
    """How many orders have come so far; asks again only about those that had not.

    They come roughly in turn, so a look ends where nobody has come: ten thousand questions twice a
    second would be most of what is measured.
    """

    #: Orders in a row that have not come, after which a look ends.
    ENOUGH = 4 * IN_HAND

    def __init__(self, ids, came):
        """`came(order_id)`: whether it has."""
        self._missing, self._came, self._count = list(ids), came, 0

    def __call__(self):
        """The number that have come."""
        missing, in_a_row = [], 0
        for place, one in enumerate(self._missing):
            if self._came(one):
                self._count, in_a_row = self._count + 1, 0
                continue
            missing.append(one)
            in_a_row += 1
            if in_a_row == self.ENOUGH:
                missing += self._missing[place + 1 :]
                break
        self._missing = missing
        return self._count


def until(count, found, what):
    """Waits until `found()` is `count`, or stands still for two minutes; seconds."""
    begun = moved = time.monotonic()
    last = -1
    while (now := found()) < count and time.monotonic() - moved < STALLED_S:
        if now != last:
            last, moved = now, time.monotonic()
            print(f"\r  {what}: {now:,} of {count:,}", end="", flush=True)
        time.sleep(0.5)
    print(f"\r  {what}: {now:,} of {count:,} in {time.monotonic() - begun:.1f} s")
    return time.monotonic() - begun


async def signed(hub, box, ids):
    """Every customer signs, some at a time."""
    places = asyncio.Semaphore(IN_HAND)

    async def one(client, order_id):
        async with places:
            (request,) = await asyncio.to_thread(hub.store.sign_requests.of_order, order_id)
            for _ in range(600):
                address = f"{box.url}/_sandbox/sign/{request.id}"
                async with client.post(address, json={"action": "sign"}) as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.1)  # still being converted

    async with aiohttp.ClientSession() as client:
        await asyncio.gather(*(one(client, order_id) for order_id in ids))


async def journal(box, count):
    """Calls that the sandbox saw, by method and path, and every customer's mails.

    Each customer's are asked for apart: of all together the sandbox lists only the newest.
    """
    mails = []
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{box.url}/_sandbox/journal") as answer:
            counts = (await answer.json())["counts"]
        for number in range(count):
            to = {"to": f"c{number}@example.com"}
            async with client.get(f"{box.url}/_sandbox/mails", params=to) as answer:
                mails += await answer.json()
    return counts, mails


def main():
    """One run."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=200)
    count = options.parse_args().count
    with tempfile.TemporaryDirectory(prefix="inkwire-bench-") as folder:
        given = {"data_dir": folder, "port": free_port(), "outbound_allow": "127.0.0.1/32"}
        settings = load_settings(**given)
        names = {f"INKWIRE_{key.upper()}": str(value) for key, value in given.items()}
        site = SimpleNamespace(environment=os.environ | names)
        migrate(settings)
        with (
            started(site, "inkwire", "serve"),
            open_hub(settings) as hub,
            vendor(Path(folder)) as box,
        ):
            store = hub.store
            connect(hub, box.box, name="box")
            integrate(hub, name="box")
            ids = sent_off(hub, count)
            sending = until(count, Counted(ids, store.sign_requests.of_order), "sent for signature")
            asyncio.run(signed(hub, box, ids))
            homing = until(count, lambda: store.orders.count_by_status().get("signed", 0), "signed")
            filed = until(count, Counted(ids, partial(_filed, store)), "documents here")
            counts, mails = asyncio.run(journal(box, count))
            right = report(store, ids, counts, mails, count)
            print(f"  {count / sending:.1f} orders/s sent; {count / (homing + filed):.1f}/s home")
    sys.exit(0 if right else 1)


def _filed(store, order_id):
    return any(
        request.state is SignState.SIGNED and request.next_check_at is None
        for request in store.sign_requests.of_order(order_id)
    )


def report(store, ids, counts, mails, count):
    """What came of it; whether all came exactly once."""
    creates = counts.get("POST /2.0/sign_requests", 0)
    asked = Counter(mail["to"] for mail in mails if mail["subject"].endswith("your signature"))
    kinds = Counter(one.kind for order in ids for one in store.documents.of_order(order))
    total = sum(counts.values())
    print(f"  sign requests {creates:,}, customers asked {len(asked):,}, most mails to one "
          f"{max(asked.values(), default=0)}")  # fmt: skip
    signed, logs = kinds[DocumentKind.SIGNED], kinds[DocumentKind.SIGNING_LOG]
    print(f"  signed documents {signed:,}, logs {logs:,}")
    print(f"  calls of Box's API: {total:,}, {total / count:.1f} an order")
    for name, number in sorted(counts.items(), key=lambda item: -item[1])[:12]:
        print(f"    {number:8,}  {name}")
    once = (creates, len(asked), max(asked.values(), default=0)) == (count, count, 1)
    return once and signed == logs == count


if __name__ == "__main__":
    main()
