"""Where deliveries arrive: a bare HTTP server that counts, and can hang in three ways.

`python -m bench.sink --cpu 1`: says its ports as JSON; on SIGTERM says what it heard. Paths:
`/ok…` answers 200 at once, `/head…` never answers, `/drip…` sends its body a byte a second. The
second port takes connections into its backlog and never accepts them.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import sys
import time

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_AT = re.compile(rb'"at": ?([0-9.]+)')
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Heard:
    """How many, when the first and the last, and how long after they were published."""

    def __init__(self):
        self.count = 0
        self.first = self.last = 0.0
        self.delays = []

    def note(self, body):
        now = time.time()
        self.count += 1
        self.first = self.first or now
        self.last = now
        if found := _AT.search(body):
            self.delays.append(now - float(found[1]))

    def said(self):
        delays = sorted(self.delays)

        def at(share):
            return round(delays[min(len(delays) - 1, int(len(delays) * share))] * 1000, 2)

        seconds = self.last - self.first
        return {
            "count": self.count,
            "seconds": round(seconds, 3),
            "per_second": round(self.count / seconds, 1) if seconds else 0,
            **({"p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1)} if delays else {}),
        }


class Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self, heard):
        self.heard = heard
        self.read = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.read += data
        while (end := self.read.find(b"\r\n\r\n")) >= 0:
            head = self.read[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.read) < whole:
                return
            body, self.read = self.read[end + 4 : whole], self.read[whole:]
            self.answer(head.split(b" ", 2)[1], body)

    def answer(self, path, body):
        if path.startswith(b"/head"):
            return
        if path.startswith(b"/drip"):
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            self.drip()
            return
        self.heard.note(body)
        self.transport.write(_OK)

    def drip(self):
        if not self.transport.is_closing():
            self.transport.write(b".")
            asyncio.get_running_loop().call_later(1, self.drip)


async def serve():
    heard, loop, stop = Heard(), asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Connection(heard), "127.0.0.1", 0, backlog=4096)
    deaf = socket.socket()
    deaf.bind(("127.0.0.1", 0))
    deaf.listen(0)
    full = [socket.socket() for _ in range(4)]
    for one in full:
        one.setblocking(False)
        one.connect_ex(deaf.getsockname())
    print(json.dumps({"port": server.sockets[0].getsockname()[1], "deaf": deaf.getsockname()[1]}))
    sys.stdout.flush()
    loop.add_signal_handler(signal.SIGUSR1, lambda: print(json.dumps(heard.said()), flush=True))
    await stop.wait()
    print(json.dumps(heard.said()), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cpu", type=int)
    options = parser.parse_args()
    if options.cpu is not None:
        os.sched_setaffinity(0, {options.cpu})
    uvloop.run(serve())


if __name__ == "__main__":
    main()
