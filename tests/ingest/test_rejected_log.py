"""The rejected log: bounded in memory, redacted, and never in the way."""

import asyncio
from collections import Counter

from fakes.store import FakeInbound
from ingest.kit import BODY, http, until
from inkwire.errors import StoreFull
from inkwire.ingest.metrics import Metrics
from inkwire.ingest.rejected_log import (
    MAX_ALIKE,
    MAX_QUEUED,
    RejectedLog,
    logged_headers,
    text,
)
from inkwire.model.verdict import Reason


async def test_a_flood_of_refusals_is_bounded_and_counted(hub):
    """A scanner fills neither memory nor disk, and what else is refused still finds its place."""
    reader, writer = await hub.connect()
    for number in range(500):
        writer.write(http(path=f"/in/guess-{number}"))
    writer.write(http(body=BODY))
    seen = 0
    while seen < 501:
        seen += (await reader.read(65536)).count(b"HTTP/1.1 40")
    writer.close()
    await writer.wait_closed()
    kept = Counter(row.reason for row in await hub.rejections())
    assert kept[Reason.MISSING_HEADER] == 1
    assert MAX_ALIKE <= kept[Reason.UNKNOWN_SOURCE] <= 2 * MAX_ALIKE  # the second may turn between
    assert kept.total() + hub.ingest.metrics.rejections_dropped == 501
    assert hub.ingest.metrics.refused[Reason.UNKNOWN_SOURCE] == 500


def test_the_queue_is_bounded_whatever_is_in_it():
    """Many sources with many reasons fill the queue once, not for ever."""
    metrics = Metrics()
    log = RejectedLog(FakeInbound(), metrics)
    for number in range(MAX_QUEUED + 10):
        if log.takes(Reason.STALE, f"source-{number}"):
            log.add(None)
    assert len(log._queue) == MAX_QUEUED
    assert metrics.rejections_dropped == 10


async def test_it_is_written_within_a_second_without_being_asked(hub):
    """The console shows a refusal while the operator is still looking."""
    await hub.send(http(body=BODY))
    await until(lambda: len(hub.store.inbound.rejections) == 1)


async def test_a_store_that_cannot_take_it_costs_the_log_only(hub):
    """Refusals that cannot be written are dropped and counted; requests go on."""
    for error in (StoreFull(), RuntimeError("bug")):
        hub.store.inbound.reject_error = error
        await hub.send(http(body=BODY))
        await hub.rejections()
    assert hub.ingest.metrics.rejections_dropped == 2
    assert (await hub.post()).status == 202
    hub.store.inbound.reject_error = None
    await hub.send(http(body=BODY))
    assert len(await hub.rejections()) == 1


async def test_what_was_in_the_url_is_cut(hub):
    """Paths and ids are an outsider's text: bounded and printable."""
    await hub.send(http(path="/in/" + "a" * 5000))
    [row] = await hub.rejections()
    assert (len(row.source_id), len(row.path)) == (64, 512)


def test_headers_are_redacted_and_cut_to_4_kib():
    """Credentials never reach the log, and a large header leaves room for nothing else."""
    kept = logged_headers(
        ((b"authorization", b"Bearer x"), (b"a", b"1"), (b"big", b"y" * 5000), (b"after", b"z"))
    )
    assert kept[:2] == (("authorization", "«redacted»"), ("a", "1"))
    assert kept[2][0] == "big"
    assert kept[2][1].endswith("y…")
    assert len(kept) == 3
    assert sum(len(name) + len(value) for name, value in kept) <= 4096
    many = logged_headers([(b"n%d" % n, b"v" * 90) for n in range(100)])
    assert sum(len(name) + len(value) for name, value in many) <= 4096


def test_text_is_what_every_store_takes():
    """PostgreSQL takes no NUL and no lone surrogate; the log must not fail on them."""
    assert text("a\x00b\ud800") == "a?b?"
    assert text("x" * 600) == "x" * 512


async def test_flushing_takes_each_row_once(hub):
    """Two flushes at the same time write nothing twice."""
    for _ in range(5):
        await hub.send(http(body=BODY))
    log = hub.ingest._rejected
    await asyncio.gather(log.flush(), log.flush())
    assert len({row.id for row in hub.store.inbound.rejections}) == 5
    assert len(hub.store.inbound.rejections) == 5


async def test_a_scanner_gets_its_share_of_each_minute():
    """Flushing opens no new share, the next minute does; and other kinds keep theirs."""
    metrics, now = Metrics(), [100.0]
    log = RejectedLog(FakeInbound(), metrics, monotonic=lambda: now[0])
    taken = 0
    for _ in range(59):
        taken += sum(log.takes(Reason.UNKNOWN_SOURCE, "") for _ in range(10))
        await log.flush()
        now[0] += 1
    assert taken == MAX_ALIKE <= 60
    assert metrics.rejections_dropped == 590 - taken
    assert log.takes(Reason.BAD_SIGNATURE, "toy")
    now[0] += 1
    assert log.takes(Reason.UNKNOWN_SOURCE, "")
