"""Backlog, time limits, shutdown: 503 in time, and nothing acknowledged that is not on disk."""

import asyncio
import contextlib
import time

from ingest.kit import BODY, chunked, http, read_answer, running, until
from inkwire.model.verdict import Reason


@contextlib.asynccontextmanager
async def stuck(tmp_path, **settings):
    """A hub whose commits wait until the gate is opened."""
    async with running(tmp_path, **settings) as hub:
        hub.store.inbound.gate.clear()
        try:
            yield hub
        finally:
            hub.store.inbound.gate.set()


def event(number):
    """A body of its own."""
    return b'{"id":"%d"}' % number


async def test_a_backlog_of_requests_is_503_with_retry_after(tmp_path):
    """The provider hears at once that it should come back; those inside are kept and answered."""
    async with stuck(tmp_path, backlog_requests=5) as hub:
        inside = [asyncio.create_task(hub.post(event(n))) for n in range(5)]
        await until(lambda: hub.ingest.backlog.requests == 5)
        answer = await hub.post(event(9))
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        hub.store.inbound.gate.set()
        assert [one.status for one in await asyncio.gather(*inside)] == [202] * 5
        assert (await hub.post(event(9))).status == 202
        assert len(hub.store.inbound.kept) == 6
        [row] = await hub.rejections()
        assert row.reason is Reason.UNAVAILABLE


async def test_a_backlog_of_bytes_is_503(tmp_path):
    """Memory is what counts: few large bodies fill the backlog as many small ones do.

    A waiting row holds its sealed bytes, its body and the values read from it.
    """
    async with stuck(tmp_path, backlog_bytes=350_000) as hub:
        inside = [asyncio.create_task(hub.post(b"x" * 40_000)) for _ in range(2)]
        await until(lambda: hub.ingest.backlog.requests == 2)
        assert (await hub.post(b"x" * 40_000)).status == 503
        small = asyncio.create_task(hub.post(event(1)))
        await until(lambda: hub.ingest.backlog.requests == 3)
        hub.store.inbound.gate.set()
        assert [one.status for one in await asyncio.gather(*inside, small)] == [202] * 3
        assert hub.ingest.backlog.bytes == 0


async def test_bodies_count_while_they_are_read(tmp_path):
    """A chunked body that would not fit is cut off with 503 while it is still coming."""
    async with running(tmp_path, backlog_bytes=40_000) as hub:
        _, writer = await hub.connect()
        writer.write(http(headers={"Transfer-Encoding": "chunked"}, length=None))
        writer.write(chunked(b"x" * 15_000)[:-5])
        await until(lambda: hub.ingest.backlog.bytes == 15_000)
        other = asyncio.create_task(hub.send(http(length=None, headers=_chunked()) + _piece(9_000)))
        assert (await other).status == 503
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        await until(lambda: hub.ingest.backlog.bytes == 0)


def _chunked():
    return {"Transfer-Encoding": "chunked"}


def _piece(size):
    """One chunk, and no end."""
    return chunked(b"y" * size)[:-5]


async def test_a_commit_beyond_its_time_is_503(tmp_path):
    """The provider is answered within the time it grants (R82), and repeats the request."""
    async with stuck(tmp_path, answer_timeout_s=0.2) as hub:
        began = time.monotonic()
        answer = await hub.post()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert 0.15 < time.monotonic() - began < 2
        hub.store.inbound.gate.set()
        assert (await hub.post()).status == 202


async def test_commits_that_fail_acknowledge_nothing_and_then_recover(hub):
    """Under load with a broken store every sender hears 503; afterwards every repeat is kept."""
    hub.store.inbound.broken = RuntimeError("broken")
    answers = await asyncio.gather(*[hub.post(event(n)) for n in range(50)])
    assert {answer.status for answer in answers} == {503}
    assert not hub.store.inbound.kept
    hub.store.inbound.broken = None
    answers = await asyncio.gather(*[hub.post(event(n)) for n in range(50)])
    assert {answer.status for answer in answers} == {202}
    assert len(hub.store.inbound.kept) == 50


async def test_one_bad_row_among_many_is_the_only_503(hub):
    """A waiter hears of its own row, over the socket as in the batch."""
    from inkwire.errors import StoreError

    hub.store.inbound.bad_rows[event(7)] = StoreError("bad row")
    answers = await asyncio.gather(*[hub.post(event(n)) for n in range(20)])
    assert [n for n, answer in enumerate(answers) if answer.status == 503] == [7]
    assert len(hub.store.inbound.kept) == 19


async def test_shutdown_answers_what_was_accepted(tmp_path):
    """A restart loses no request that is waiting for its commit, and answers each."""
    async with stuck(tmp_path) as hub:
        inside = [asyncio.create_task(hub.post(event(n))) for n in range(10)]
        await until(lambda: hub.ingest.backlog.requests == 10)
        stopping = asyncio.create_task(hub.shut_down())
        done, _ = await asyncio.wait([stopping], timeout=0.2)
        assert not done
        hub.store.inbound.gate.set()
        assert [one.status for one in await asyncio.gather(*inside)] == [202] * 10
        await stopping
        assert len(hub.store.inbound.kept) == 10


async def test_a_stopped_ingest_answers_503(hub):
    """What still arrives on an open connection during shutdown is asked to come again."""
    await hub.ingest.stop()
    answer = await hub.post()
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert not hub.store.inbound.kept
    await hub.ingest.stop()


async def test_a_request_cut_off_by_the_server_is_503_not_500(tmp_path):
    """When the server's own grace ends first, the sender still hears that it should repeat."""
    async with stuck(tmp_path, answer_timeout_s=30, shutdown_grace_s=0.2) as hub:
        hub._server.config.timeout_graceful_shutdown = 0.2
        reader, writer = await hub.connect()
        writer.write(http(headers=hub.signed(), body=BODY))
        await until(lambda: hub.ingest.backlog.requests == 1)
        await hub.shut_down()
        assert (await read_answer(reader)).status == 503
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_rejections_are_written_at_shutdown(hub):
    """The last second of the rejected log is not lost on a restart."""
    await hub.send(http(body=BODY))
    await hub.ingest.stop()
    assert len(hub.store.inbound.rejections) == 1
