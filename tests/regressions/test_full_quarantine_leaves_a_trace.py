"""A stale request that a full quarantine did not take vanished without a trace."""

from types import SimpleNamespace

import structlog

from ingest.kit import BODY, http, running
from inkwire.metrics import metrics_registry
from inkwire.model.verdict import Reason


async def test_what_the_quarantine_does_not_take_is_counted_logged_and_listed(tmp_path):
    """The operator sees it in the metrics, in the rejected log and, once a minute, in the log."""
    async with running(tmp_path) as hub:
        hub.store.inbound.quarantine_full = True
        stale = http(headers=hub.signed(), body=BODY)
        hub.clock.advance(seconds=3600)
        with structlog.testing.capture_logs() as lines:
            for _ in range(3):
                assert (await hub.send(stale)).status == 401
            assert [line["event"] for line in lines].count("quarantine_not_kept") == 1
            hub.clock.advance(seconds=60)
            assert (await hub.send(stale)).status == 401
            assert [line["event"] for line in lines].count("quarantine_not_kept") == 2
        rows = await hub.rejections()
        assert [(row.source_id, row.reason, row.status) for row in rows] == [
            ("toy", Reason.STALE, 401)
        ] * 4
        assert "full" in rows[0].detail
        assert "INKWIRE_QUARANTINE_ROWS" in rows[0].hint
        assert hub.ingest.metrics.quarantine_dropped == 4
        assert hub.ingest.metrics.quarantined == 0
        store = SimpleNamespace(
            dispatch=SimpleNamespace(backlog=lambda: 0),
            outbox=SimpleNamespace(waiting=lambda now: (3, now)),
            works=SimpleNamespace(counts=dict, dead=list),
            connections=SimpleNamespace(all=list),
        )
        shown = metrics_registry(lambda: hub.ingest.metrics, store, hub.clock)
        assert shown.get_sample_value("inkwire_deliveries_due") == 3
        assert shown.get_sample_value("inkwire_ingest_quarantine_dropped_total") == 4
