"""Fills a store with events through its own append, as fast as it goes."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from bench.wire import SOURCE, box_requests
from inkwire.clock import SystemClock
from inkwire.ids import SortableIds
from inkwire.model.receipt import Intake, IntakeEvent
from inkwire.model.request import InboundRequest
from inkwire.model.verdict import Accepted
from inkwire.providers.registry import registry

BATCH = 2_000


def fill(site, count):
    """`count` different Box events; prints how long it took."""
    began = time.monotonic()
    clock = SystemClock()
    ids = SortableIds(clock)
    receiver = registry().receiver("box")
    head, _, body = box_requests(1, prefix="fill")[0].partition(b"\r\n\r\n")
    headers = tuple(
        (name.lower(), value)
        for name, value in (line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    )
    request = InboundRequest(method="POST", path=f"/in/{SOURCE}", headers=headers, body=body)
    event = receiver.parse(request, body, {})[0]
    mark = json.loads(body)["id"].encode()

    def sealed(number, store):
        name = f"fill-{os.getpid()}-{number:09d}"
        now = clock.now()
        return store.inbound.seal(
            Intake(
                receipt_id=ids.new("rcp"), source_id=SOURCE, provider="box", received_at=now,
                remote="203.0.113.7", method="POST", path=request.path, query=b"",
                headers=headers, body=body.replace(mark, name.encode(), 1),
                proof=Accepted(secret_id="sec_fill", signed_at=now),
                events=(
                    IntakeEvent(
                        id=ids.new("evt"), parsed=replace(event, dedupe_key=name.encode())
                    ),
                ),
            )
        )  # fmt: skip

    with site.open() as store, ThreadPoolExecutor(1) as thread:
        writing = None
        for start in range(0, count, BATCH):
            batch = [sealed(n, store) for n in range(start, min(count, start + BATCH))]
            if writing is not None:
                writing.result()
            writing = thread.submit(store.inbound.append, batch)
        if writing is not None:
            writing.result()
    print(f"filled with {count:,} events in {time.monotonic() - began:.0f} s", flush=True)
