"""Whatever bytes come over the wire, the answer is a 2xx, a 4xx or a 503: never a 500."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import kit

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=20)
NAMES = TOKEN | st.sampled_from(
    [
        "Content-Length",
        "Transfer-Encoding",
        "Content-Encoding",
        "Expect",
        "Connection",
        "Upgrade",
        "X-Toy-Time",
        "X-Toy-Signature",
    ]
)
VALUES = st.binary(max_size=40) | st.sampled_from(
    b"chunked|gzip|0|5|-1|1e3|99999999999999999999|100-continue|close|websocket|identity|"
    b"chunked, chunked|+5| 7|0x10".split(b"|")
)
METHODS = st.sampled_from(["POST", "GET", "HEAD", "PUT", "CONNECT", "TRACE", "BREW", "post"])
PATHS = st.sampled_from(
    [b"/in/toy", b"/in/toy/", b"/in/", b"*", b"http://x/in/toy", b"//", b"/in/toy?hello=%00", b""]
) | st.binary(min_size=1, max_size=30).map(lambda tail: b"/in/" + tail)


class Wire:
    """A hub on a loop of its own, for tests that are not async."""

    def __init__(self, runner, hub):
        self.runner = runner
        self.hub = hub

    def talk(self, raw):
        """The head of the answer; empty if the connection ended or half a second passed."""
        return self.runner.run(self._talk(raw))

    async def _talk(self, raw):
        reader, writer = await self.hub.connect()
        try:
            writer.write(raw)
            async with asyncio.timeout(0.5):
                head = await reader.readuntil(b"\r\n\r\n")
                while head.startswith(b"HTTP/1.1 100"):
                    head = await reader.readuntil(b"\r\n\r\n")
                return head
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            return b""
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def signed(self, body):
        """Headers signed now."""
        return [(n.encode(), v.encode()) for n, v in self.hub.signed(body).items()]


@pytest.fixture(scope="module")
def wire(tmp_path_factory):
    """One hub for all examples; short time limits keep cut-off bodies quick."""
    with asyncio.Runner() as runner:
        running = kit.running(tmp_path_factory.mktemp("hub"), body_timeout_s=0.05)
        hub = runner.run(running.__aenter__())
        yield Wire(runner, hub)
        runner.run(running.__aexit__(None, None, None))


def status_of(head):
    """The status, after a check that it is none that we never give."""
    assert head.startswith(b"HTTP/1.1 "), head
    status = int(head.split()[1])
    assert status == 503 or 200 <= status < 300 or 400 <= status < 500, head
    assert status != 503 or b"retry-after" in head
    return status


@given(
    method=METHODS,
    path=PATHS,
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=8),
    body=st.binary(max_size=200),
    true_length=st.booleans(),
)
def test_no_head_makes_a_500(wire, *, method, path, headers, body, true_length):
    """Heads that contradict themselves, odd paths and methods, bodies of any bytes."""
    lines = [method.encode() + b" " + path + b" HTTP/1.1", b"Host: hub", b"Connection: close"]
    if true_length:
        lines.append(b"Content-Length: %d" % len(body))
    lines += [name.encode() + b": " + value for name, value in headers]
    status_of(wire.talk(b"\r\n".join(lines) + b"\r\n\r\n" + body))
    assert wire.hub.ingest.metrics.faults == 0


@given(raw=st.binary(max_size=300))
def test_no_bytes_make_a_500(wire, raw):
    """What is no HTTP at all is refused by the server and reaches nothing of ours."""
    head = wire.talk(raw + b"\r\n\r\n")
    assert not head or status_of(head) >= 400


@given(body=st.binary(max_size=300), chunks=st.lists(st.integers(1, 50), max_size=5))
def test_a_proven_body_of_any_bytes_is_kept_byte_for_byte(wire, body, chunks):
    """Signed is signed: whatever the bytes, in whatever chunks, they are stored as they came."""
    pieces, rest = [], body
    for size in chunks:
        pieces, rest = [*pieces, rest[:size]], rest[size:]
    pieces = [piece for piece in [*pieces, rest] if piece]
    head = [b"POST /in/toy HTTP/1.1", b"Host: hub", b"Connection: close"]
    head += [name + b": " + value for name, value in wire.signed(body)]
    head.append(b"Transfer-Encoding: chunked")
    wire.hub.store.inbound.kept.clear()
    assert status_of(wire.talk(b"\r\n".join(head) + b"\r\n\r\n" + kit.chunked(*pieces))) == 202
    [intake] = wire.hub.store.inbound.kept.values()
    assert intake.body == body


@given(
    headers=st.lists(st.tuples(NAMES, st.binary(max_size=40)), max_size=8),
    body=st.binary(max_size=100),
)
def test_nothing_unsigned_is_ever_accepted(wire, headers, body):
    """Random headers prove nobody."""
    wire.hub.store.inbound.kept.clear()
    head = [b"POST /in/toy HTTP/1.1", b"Host: hub", b"Connection: close"]
    head += [name.encode() + b": " + value for name, value in headers]
    status_of(wire.talk(b"\r\n".join(head) + b"\r\n\r\n" + body))
    assert not wire.hub.store.inbound.kept
