"""Bodies that are too large, too slow, cut off, endless or in pieces: bounded, and never a 500."""

import asyncio
import contextlib
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from ingest.kit import BODY, chunked, http, read_answer, running, toy_source, until
from inkwire.model.event import EventState
from inkwire.model.verdict import Reason

LIMIT = 64 * 1024
TRANSFER = {"Transfer-Encoding": "chunked"}


def resident_bytes():
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def closed(reader):
    """Whether the server ends the connection, by an end or a reset."""
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


@contextlib.asynccontextmanager
async def connected(hub):
    """One connection that ends with the block."""
    reader, writer = await hub.connect()
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_a_gigabyte_is_refused_at_once_by_its_length(hub):
    """413 comes from Content-Length alone: not one byte of the body is asked for."""
    before = resident_bytes()
    async with connected(hub) as (reader, writer):
        began = time.monotonic()
        writer.write(http(length=1_000_000_000, headers={"Expect": "100-continue"}))
        answer = await read_answer(reader)
        assert (answer.status, answer.headers["connection"]) == (413, "close")
        assert time.monotonic() - began < 1
    assert resident_bytes() - before < 8 * 1024 * 1024
    [row] = await hub.rejections()
    assert (row.reason, row.body_size) == (Reason.TOO_LARGE, 1_000_000_000)


async def test_a_sender_in_full_flow_still_hears_its_413(hub):
    """Closing at once would reset the connection before the answer is read."""
    async with connected(hub) as (reader, writer):
        writer.write(http(length=1_000_000_000))
        for _ in range(64):
            writer.write(b"x" * LIMIT)
        assert (await read_answer(reader)).status == 413
        assert hub.ingest.backlog.bytes == 0


async def test_exactly_the_limit_is_taken_and_one_more_is_not(hub):
    """The limit is the largest body, by Content-Length and by count."""
    for wrap in (
        lambda body: http(headers=hub.signed(body), body=body),
        lambda body: (
            http(headers={**hub.signed(body), **TRANSFER}, length=None)
            + chunked(body[:100], body[100:])
        ),
    ):
        assert (await hub.send(wrap(b"x" * LIMIT))).status == 202
        assert (await hub.send(wrap(b"x" * (LIMIT + 1)))).status == 413


async def test_a_chunked_body_is_taken(hub):
    """Chunks are put together before the signature is checked."""
    raw = http(headers={**hub.signed(), **TRANSFER}, length=None)
    assert (await hub.send(raw + chunked(BODY[:3], BODY[3:4], BODY[4:]))).status == 202
    [intake] = hub.store.inbound.kept.values()
    assert intake.body == BODY


async def test_an_endless_chunked_body_is_413_as_soon_as_it_is_too_large(hub):
    """A body without a length is counted while it is read, and not held beyond the limit."""
    async with connected(hub) as (reader, writer):
        writer.write(http(headers=TRANSFER, length=None))
        sent = 0
        with contextlib.suppress(ConnectionError):
            while not reader._buffer and sent < 1000 * 4096:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                sent += 4096
                await writer.drain()
        assert (await read_answer(reader)).status == 413
        assert hub.ingest.backlog.bytes == 0


@pytest.mark.parametrize("start", [b"", b'{"id":'])
async def test_a_body_that_does_not_come_is_408(tmp_path, start):
    """Nobody can hold a connection open by not sending, from the first byte on."""
    async with running(tmp_path, body_timeout_s=0.2) as hub, connected(hub) as (reader, writer):
        began = time.monotonic()
        writer.write(http(headers=hub.signed(), length=len(BODY)) + start)
        answer = await read_answer(reader)
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert 0.15 < time.monotonic() - began < 2
        [row] = await hub.rejections()
        assert row.reason is Reason.TOO_SLOW
        assert (hub.ingest.backlog.bytes, len(hub.ingest._bodies)) == (0, 0)


async def test_a_drip_of_bytes_does_not_extend_the_time(tmp_path):
    """The whole body has to be there in time; a byte now and then changes nothing."""
    async with running(tmp_path, body_timeout_s=0.3) as hub, connected(hub) as (reader, writer):
        writer.write(http(headers=hub.signed(), length=10_000))
        began = time.monotonic()
        answering = asyncio.create_task(read_answer(reader))
        while not answering.done():
            writer.write(b"x")
            await asyncio.wait([answering], timeout=0.02)
        assert answering.result().status == 408
        assert time.monotonic() - began < 2


async def test_one_timer_serves_bodies_that_began_at_different_times(tmp_path):
    """Each body gets its full time, whichever came before it."""
    async with (
        running(tmp_path, body_timeout_s=0.4) as hub,
        connected(hub) as (early, to_early),
        connected(hub) as (late, to_late),
    ):
        to_early.write(http(headers=hub.signed(), length=len(BODY)))
        began = time.monotonic()
        await asyncio.wait([asyncio.create_task(early.read(1))], timeout=0.25)
        to_late.write(http(headers=hub.signed(), length=len(BODY)))
        assert await late.readuntil(b"\r\n") == b"HTTP/1.1 408 Request Timeout\r\n"
        assert time.monotonic() - began > 0.6


async def test_a_sender_that_goes_away_leaves_nothing_behind(hub):
    """Half a body is no event: nothing stored, nothing answered, counted."""
    async with connected(hub) as (_, writer):
        writer.write(http(headers=hub.signed(), length=len(BODY)) + BODY[:5])
        await until(lambda: hub.ingest.backlog.bytes == 5)
    await until(lambda: hub.ingest.metrics.disconnected == 1)
    assert not hub.store.inbound.kept
    assert (hub.ingest.backlog.bytes, len(hub.ingest._bodies)) == (0, 0)


async def test_a_half_closed_sender_loses_nothing(hub):
    """A client that shuts its writing side after the request has sent all of it: it is kept."""
    async with connected(hub) as (reader, writer):
        writer.write(http(headers=hub.signed(), body=BODY))
        writer.write_eof()
        await reader.read()
    await until(lambda: len(hub.store.inbound.kept) == 1)


async def test_repeated_requests_share_a_connection(hub):
    """Keep-alive and pipelined requests are answered in order."""
    async with connected(hub) as (reader, writer):
        one = http(headers=hub.signed(), body=BODY)
        bad = http(headers={}, body=BODY)
        writer.write(one + bad + one)
        statuses = [(await read_answer(reader)).status for _ in range(3)]
        assert statuses == [202, 401, 202]


async def test_the_connection_ends_after_a_refusal_without_the_body(hub):
    """What follows an unread body must not be taken for the next request."""
    async with connected(hub) as (reader, writer):
        writer.write(http(path="/in/gone", body=http(headers=hub.signed(), body=BODY)))
        assert (await read_answer(reader)).status == 404
        assert await closed(reader)
    assert not hub.store.inbound.kept


async def test_many_slow_senders_are_held_within_the_backlog(tmp_path):
    """Slow large bodies stay within half of the memory limit, and quick requests still get in."""
    most = 4 * 1024 * 1024
    source = toy_source(max_body_bytes=1024 * 1024)
    piece = b"x" * 900_000
    async with running(tmp_path, source=source, backlog_bytes=most, body_timeout_s=3) as hub:
        before = resident_bytes()
        highest = 0
        socks = [socket.create_connection(("127.0.0.1", hub.port)) for _ in range(60)]
        loop = asyncio.get_running_loop()
        try:
            head = http(headers=hub.signed(), length=1_000_000)

            async def send(sock):
                sock.setblocking(False)
                with contextlib.suppress(ConnectionError):
                    await loop.sock_sendall(sock, head)
                    await loop.sock_sendall(sock, piece)

            sends = [asyncio.create_task(send(sock)) for sock in socks]
            while hub.ingest.metrics.refused[Reason.UNAVAILABLE] < 50:
                highest = max(highest, hub.ingest.backlog.bytes)
                await asyncio.wait(sends, timeout=0.005)
            await asyncio.wait(sends)
            assert 0 < highest <= most // 2
            assert (await hub.post()).status == 202
            assert resident_bytes() - before < 64 * 1024 * 1024
        finally:
            for sock in socks:
                sock.close()
        await until(lambda: hub.ingest.backlog.bytes == 0)


async def test_the_oldest_slow_sender_makes_room_for_a_new_one(tmp_path):
    """Connections that only wait cannot use up the number of requests: the oldest is cut."""
    async with running(tmp_path, backlog_requests=3) as hub, contextlib.AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(connected(hub)) for _ in range(3)]
        for at, (_, writer) in enumerate(slow, 1):
            writer.write(http(headers=hub.signed(), length=len(BODY)))
            await until(lambda at=at: len(hub.ingest._bodies) == at)
        assert (await hub.post()).status == 202
        assert (await read_answer(slow[0][0])).status == 503
        for reader, writer in slow[1:]:
            writer.write(BODY)
            assert (await read_answer(reader)).status == 202


async def test_a_large_body_does_not_hold_up_the_others(tmp_path):
    """Judging a large body happens off the event loop, so that quick requests are answered."""
    source = toy_source(max_body_bytes=8 * 1024 * 1024)
    async with running(tmp_path, source=source) as hub:
        going_on, parse = threading.Event(), hub.receiver.parse

        def slow_parse(request, body, settings):
            assert len(body) < 1000 or going_on.wait(5)
            return parse(request, body, settings)

        hub.receiver.parse = slow_parse
        body = b'{"id":"large","filler":"' + b"x" * 200_000 + b'"}'
        large = asyncio.create_task(hub.post(body))
        await until(lambda: hub.ingest._large == 1)
        assert hub.ingest.backlog.bytes == len(body)
        assert (await hub.post()).status == 202
        assert not large.done()
        going_on.set()
        assert (await large).status == 202
        assert (hub.ingest.backlog.bytes, hub.ingest._large) == (0, 0)
        assert [len(i.body) for i in hub.store.inbound.kept.values()] == [len(BODY), len(body)]


async def test_more_events_than_one_body_may_hold_is_unparsable(tmp_path):
    """A body is bounded in events too: kept whole as one unparsable event, and answered."""
    async with running(tmp_path, source=toy_source(max_body_bytes=10**6)) as hub:
        for count, states in ((10_000, {EventState.NEW}), (10_001, {EventState.UNPARSABLE})):
            assert (await hub.post(b"[" + b",".join([b"{}"] * count) + b"]")).status == 202
            [*_, intake] = hub.store.inbound.kept.values()
            assert {event.state for event in intake.events} == states


async def test_too_many_large_bodies_at_once_are_503(tmp_path):
    """The thread for large bodies has a short queue; the provider repeats the rest."""
    source = toy_source(max_body_bytes=1024 * 1024)
    async with running(tmp_path, source=source) as hub:
        hub.ingest._large = 8
        assert (await hub.post(b"x" * 200_000)).status == 503
        hub.ingest._large = 0
        assert (await hub.post(b"x" * 200_000)).status == 202
