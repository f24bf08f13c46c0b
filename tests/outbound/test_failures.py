"""Endpoints that hang, break and babble: every attempt ends in time, in bounds, with a reason."""

import asyncio
import resource
import time

import pytest

from inkwire.model.message import AttemptResult as Result
from outbound.kit import (
    OK,
    answering,
    answering_once,
    endpoint,
    hang_at_accept,
    hang_at_head,
    outbound,
    post,
    reset,
)

#: Seconds that tell a limit that held from the 5 that a call has at most here; a busy machine may
#: need most of them for the rest.
BELOW_S = 4.5


async def test_hangs_end_at_the_overall_timeout_and_say_where():
    """R145: an endpoint that never reads or never answers costs the timeout and no more."""
    for behaviour in (hang_at_accept, hang_at_head):
        async with endpoint(behaviour) as seen, outbound() as sender:
            begun = time.perf_counter()
            got = await post(sender, seen.url, timeout_s=0.3)
            assert time.perf_counter() - begun < BELOW_S
        assert got.result is Result.TIMEOUT
        assert "did not answer within 0.3 s" in got.detail
        assert got.status is None and got.head_s is None
        assert got.connect_s is not None and got.connect_s < 0.3 <= got.duration_s
        assert got.remote == "127.0.0.1"


async def test_a_dripping_head_and_body_end_at_the_timeout():
    """Bytes that trickle in do not prolong an attempt; the sentence tells head from body."""

    def drip(first):
        async def behave(seen, reader, writer):
            await seen.take(reader)
            writer.write(first)
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)

        return behave

    async with outbound() as sender:
        async with endpoint(drip(b"HTTP/1.1 200 OK\r\nX-Slow: ")) as seen:
            head = await post(sender, seen.url, timeout_s=0.3)
        async with endpoint(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")) as seen:
            body = await post(sender, seen.url, timeout_s=0.3)
    assert head.result is body.result is Result.TIMEOUT
    assert "did not answer" in head.detail and head.status is None
    assert "did not end it within" in body.detail and body.status == 200
    assert body.response_body.startswith(b"xx") and body.head_s is not None
    assert max(head.duration_s, body.duration_s) < BELOW_S


async def test_an_error_with_a_body_that_never_ends_is_still_that_error():
    """The status of an answer outside 2xx stands, whatever becomes of its body."""
    answer = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 50\r\n\r\nhalf"

    async def behave(seen, reader, writer):
        await seen.take(reader)
        writer.write(answer)
        await asyncio.Event().wait()

    async with endpoint(behave) as seen, outbound() as sender:
        got = await post(sender, seen.url, timeout_s=0.3)
    assert (got.result, got.status, got.retry_after_s) == (Result.STATUS, 503, 7.0)
    assert (got.response_body, got.truncated) == (b"half", True)


async def test_a_date_to_wait_for_counts_by_the_endpoints_own_clock():
    """Its clock, which is hours from ours, says both when it answered and when to come again."""
    answer = (
        b"HTTP/1.1 503 Busy\r\nDate: Sun, 22 Nov 2026 03:00:00 GMT\r\n"
        b"Retry-After: Sun, 22 Nov 2026 03:02:00 GMT\r\nContent-Length: 0\r\n\r\n"
    )

    async def behave(seen, reader, writer):
        await seen.take(reader)
        writer.write(answer)

    async with endpoint(behave) as seen, outbound() as sender:
        got = await post(sender, seen.url)
    assert got.retry_after_s == 120.0


async def test_a_reset_before_and_in_the_middle_of_the_answer():
    """A connection that breaks is RESET, a 2xx head before it or not; never an exception."""

    def breaking(first):
        async def behave(seen, reader, writer):
            await seen.take(reader)
            writer.write(first)
            await writer.drain()
            await asyncio.sleep(0.05)
            reset(writer)

        return behave

    async with outbound() as sender:
        for first in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"):
            async with endpoint(breaking(first)) as seen:
                got = await post(sender, seen.url)
            assert got.result is Result.RESET, got
            assert got.status == (200 if first else None)
            assert seen.connections == 1, "a fresh connection that breaks is not tried again"


async def test_a_body_that_is_cut_short_is_no_success():
    """Fewer bytes than Content-Length promised, or a chunk cut off, is RESET."""
    async with outbound() as sender:
        for answer in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf",
        ):
            async with endpoint(answering_once(answer)) as seen:
                got = await post(sender, seen.url)
            assert got.result is Result.RESET, answer
            assert "cut its answer off" in got.detail


async def test_a_huge_answer_costs_neither_time_nor_memory():
    """16 KiB are kept of a gigabyte, and the rest is never waited for."""

    async def flood(seen, reader, writer):
        await seen.take(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        while seen.written < 1 << 30:
            writer.write(b"z" * 65536)
            await writer.drain()
            seen.written += 65536

    async with endpoint(flood) as seen, outbound() as sender:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        got = await post(sender, seen.url)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (got.result, got.status, got.truncated) == (Result.OK, 200, True)
    assert got.response_body == b"z" * 16384
    assert got.duration_s < BELOW_S
    assert seen.written < 16 << 20 and grown < 24 * 1024


@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 16385])
async def test_the_limit_of_the_body_is_exact(size):
    """A body of exactly 16 KiB is whole; one byte more is cut and said to be cut."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"b" * size
    async with endpoint(answering(answer)) as seen, outbound() as sender:
        got = await post(sender, seen.url)
        again = await post(sender, seen.url)
    assert got.response_body == again.response_body == b"b" * min(size, 16384)
    assert got.truncated is (size > 16384)
    assert seen.connections == 1, "an answer that came whole costs no connection"


@pytest.mark.parametrize(
    "junk",
    [
        b"<html>HTTP/0.9 speaks like this</html>\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"HTTP/1.1 2OO OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_a_protocol_error(junk):
    """Bytes that are no HTTP/1.1 give PROTOCOL and a hint, never an exception."""
    async with endpoint(answering_once(junk)) as seen, outbound() as sender:
        got = await post(sender, seen.url)
    assert got.result is Result.PROTOCOL, got
    assert "no HTTP/1.1" in got.detail and got.status is None


@pytest.mark.parametrize(
    "head",
    [
        b"X-Long: " + b"a" * 100_000 + b"\r\n",
        b"".join(b"X-%d: a\r\n" % number for number in range(5000)),
        b"X" * 100_000 + b": a\r\n",
    ],
)
async def test_a_huge_head_is_refused(head):
    """A head that would fill the memory ends the attempt."""
    answer = b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: 0\r\n\r\n"
    async with endpoint(answering_once(answer)) as seen, outbound() as sender:
        got = await post(sender, seen.url)
    assert got.result is Result.PROTOCOL, got
    assert "too large a head" in got.detail


async def test_nothing_listens():
    """A refused connection says so, and where."""
    async with endpoint(answering(OK)) as seen:
        url = seen.url
    async with outbound() as sender:
        got = await post(sender, url)
    assert got.result is Result.CONNECT
    assert got.detail.startswith(f"127.0.0.1:{seen.port} refused the connection")
    assert got.connect_s is None


async def test_a_connection_that_does_not_come_about_ends_at_its_own_timeout():
    """The connect timeout is apart from the overall one (a full backlog takes no connection)."""
    import socket

    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    port = full.getsockname()[1]
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        waiting.append(one)
    try:
        async with outbound() as sender:
            got = await post(sender, f"http://127.0.0.1:{port}/", connect_timeout_s=0.2)
    finally:
        for one in (*waiting, full):
            one.close()
    assert got.result is Result.TIMEOUT
    assert got.detail.startswith(f"No connection to 127.0.0.1:{port} came about within 0.2 s")
    assert 0.2 <= got.duration_s < BELOW_S and got.connect_s is None


async def test_redirects_are_not_followed():
    """R144: a redirect is a failure that names where it pointed, and nothing goes there."""
    async with endpoint(answering(OK)) as inner, outbound() as sender:
        answer = (
            b"HTTP/1.1 %d Go\r\nLocation: http://169.254.169.254:%d/x\r\nContent-Length: 0\r\n\r\n"
        )
        for status in (301, 302, 303, 307, 308):
            async with endpoint(answering(answer % (status, inner.port))) as seen:
                got = await post(sender, seen.url)
            assert (got.result, got.status) == (Result.STATUS, status)
            assert "redirects are not followed" in got.detail
            assert "http://169.254.169.254" in got.detail
        assert inner.connections == 0


async def test_gone_and_other_answers_have_their_own_sentence():
    """410 is a result of its own; each kind of refusal says what to look at."""
    hints = {401: "credentials", 404: "path", 429: "rate limit", 500: "its logs", 400: "200 to 299"}
    async with outbound() as sender:
        async with endpoint(answering(b"HTTP/1.1 410 G\r\nContent-Length: 0\r\n\r\n")) as seen:
            gone = await post(sender, seen.url)
        assert (gone.result, gone.status) == (Result.GONE, 410)
        for status, hint in hints.items():
            answer = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
            async with endpoint(answering(answer)) as seen:
                got = await post(sender, seen.url)
            assert got.result is Result.STATUS and hint in got.detail


async def test_an_upgrade_nobody_asked_for_is_a_status():
    """101 ends the attempt at once; the connection is not kept."""
    answer = b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x00"

    async def behave(seen, reader, writer):
        await seen.take(reader)
        writer.write(answer)
        await asyncio.Event().wait()

    async with endpoint(behave) as seen, outbound() as sender:
        got = await post(sender, seen.url)
    assert (got.result, got.status) == (Result.STATUS, 101)
    assert got.duration_s < BELOW_S


async def test_endless_interim_answers_end_at_the_timeout():
    """100 Continue for ever is a time-out, in bounded memory."""

    async def behave(seen, reader, writer):
        await seen.take(reader)
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    async with endpoint(behave) as seen, outbound() as sender:
        got = await post(sender, seen.url, timeout_s=0.3)
    assert got.result is Result.TIMEOUT
    assert got.duration_s < BELOW_S


async def test_a_cancelled_attempt_is_cancelled():
    """Shutting a worker down is not swallowed as a failed attempt."""
    async with endpoint(hang_at_head) as seen, outbound() as sender:
        task = asyncio.create_task(post(sender, seen.url))
        while not seen.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
