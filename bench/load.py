"""The load generator, a process of its own: presigned bytes over keep-alive connections.

`python -m bench.load --port N --connections 64 --seconds 5` is a closed loop; `--rate 3000` an
open one, whose latencies count from the moment a request was due (no coordinated omission). No
pipelining. Prints one JSON object.
"""

import argparse
import asyncio
import gc
import json
import os
import time
from collections import Counter, deque

import uvloop

from bench.wire import box_requests


class Connection(asyncio.Protocol):
    """Sends one request at a time and reads its answer."""

    def __init__(self, load):
        self.load = load
        self.heard = b""
        self.due = 0.0

    def connection_made(self, transport):
        self.transport = transport
        self.load.idle(self)

    def send(self, request, due):
        self.due = due
        self.transport.write(request)

    def data_received(self, data):
        heard = self.heard + data if self.heard else data
        end = heard.find(b"\r\n\r\n")
        if end < 0 or len(heard) < end + 4 + _length(heard, end):
            self.heard = heard
            return
        self.heard = b""
        self.load.answered(heard[9:12], time.perf_counter() - self.due)
        self.load.idle(self)

    def connection_lost(self, exc):
        self.load.lost += 1


def _length(heard, end):
    at = heard.find(b"content-length: ", 0, end)
    return int(heard[at + 16 : heard.find(b"\r\n", at)])


class Load:
    """Closed loop: a connection that is idle sends at once. Open: it waits for a due request."""

    def __init__(self, options):
        self.options = options
        self.requests = deque(box_requests(options.count, prefix=options.prefix))
        self.latencies = []
        self.statuses = Counter()
        self.lost = 0
        self.waiting = deque()
        self.due = deque()
        self.measuring = False
        self.ended = False

    def idle(self, connection):
        if self.options.rate:
            if self.due:
                connection.send(self.requests.popleft(), self.due.popleft())
            else:
                self.waiting.append(connection)
        elif not self.ended and self.requests:
            connection.send(self.requests.popleft(), time.perf_counter())

    def answered(self, status, seconds):
        if self.measuring:
            self.statuses[status.decode()] += 1
            self.latencies.append(seconds)

    async def run(self):
        loop = asyncio.get_running_loop()
        for _ in range(self.options.connections):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.options.port)
        if self.options.rate:
            loop.call_soon(self.tick, loop, time.perf_counter())
        await asyncio.sleep(self.options.warmup)
        self.measuring = True
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(self.options.seconds)
        self.measuring, self.ended = False, True
        seconds = time.perf_counter() - began
        return self.report(seconds, time.process_time() - cpu)

    def tick(self, loop, next_due):
        """Every millisecond: sends what has become due."""
        now = time.perf_counter()
        while next_due <= now and self.requests and not self.ended:
            if self.waiting:
                self.waiting.popleft().send(self.requests.popleft(), next_due)
            else:
                self.due.append(next_due)
            next_due += 1 / self.options.rate
        if not self.ended:
            loop.call_later(0.001, self.tick, loop, next_due)

    def report(self, seconds, cpu):
        found = sorted(self.latencies) or [0.0]

        def at(share):
            return round(found[min(len(found) - 1, int(len(found) * share))] * 1000, 2)

        return {
            "per_second": round(len(self.latencies) / seconds, 1),
            "requests": len(self.latencies),
            "statuses": dict(self.statuses),
            "p50_ms": at(0.5),
            "p99_ms": at(0.99),
            "p999_ms": at(0.999),
            "max_ms": at(1),
            "generator_cpu": round(cpu / seconds, 2),
            "connections_lost": self.lost,
            "ran_out": not self.requests,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--warmup", type=float, default=1)
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: closed loop")
    parser.add_argument("--count", type=int, default=150_000, help="requests to sign beforehand")
    parser.add_argument("--prefix", default=f"load{os.getpid()}")
    parser.add_argument("--cpu", type=int, default=None, help="core to stay on")
    options = parser.parse_args()
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    load = Load(options)
    gc.freeze()
    gc.disable()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(load.run())))


if __name__ == "__main__":
    main()
