"""What `/metrics` shows: the ingest's counters, what waits and what failed, for Prometheus."""

from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from inkwire.clock import Clock
from inkwire.ingest.metrics import BATCH_BOUNDS
from inkwire.ingest.metrics import Metrics as IngestMetrics
from inkwire.model.connection import ConnectionHealth
from inkwire.model.crm import ActivityState, AttachmentState, FieldAgreement
from inkwire.model.work import WorkState
from inkwire.store.contract import Store

#: What has ended well is no number to watch, and grows.
_OPEN = (WorkState.NEW, WorkState.RUNNING, WorkState.PARKED, WorkState.DEAD)
_CALLS = {
    "used": "Calls that a connection's organisation has used of its rolling day, as last said.",
    "most": "Calls that a connection's organisation has in a rolling day.",
}
_COUNTERS = {
    "accepted": "Requests stored and answered with the provider's 2xx.",
    "duplicates": "Events among them that were known already, probable duplicates included.",
    "quarantined": "Requests signed right but too old: kept, answered 401.",
    "quarantine_dropped": "Such requests not kept: held already, or the quarantine is full.",
    "disconnected": "Senders that went away before their body was complete.",
    "faults": "Faults of Inkwire's own, each in the log.",
    "rejections_dropped": "Rejected-log rows given up because the store or the queue was full.",
    "committed": "Requests put on disk.",
    "failed": "Requests that a commit did not take; their senders were asked to repeat them.",
}


class _HubCollector(Collector):
    """Reads the numbers when they are asked for."""

    def __init__(self, counted: Callable[[], IngestMetrics], store: Store, clock: Clock) -> None:
        self._counted = counted
        self._store = store
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """One family per number."""
        ingest = self._counted()
        for name, help_text in _COUNTERS.items():
            value = getattr(ingest, name)
            yield CounterMetricFamily(f"inkwire_ingest_{name}", help_text, value=value)
        refused = CounterMetricFamily(
            "inkwire_ingest_refused", "Requests not accepted, by reason.", labels=["reason"]
        )
        for reason, count in list(ingest.refused.items()):
            refused.add_metric([reason.value], count)
        yield refused
        yield _batches(ingest)
        yield GaugeMetricFamily(
            "inkwire_dispatch_backlog",
            "Events that wait for dispatch (counted up to 10,000).",
            value=self._store.dispatch.backlog(),
        )
        due, _ = self._store.outbox.waiting(self._clock.now())
        yield GaugeMetricFamily(
            "inkwire_deliveries_due",
            "Deliveries whose time has come (counted up to 10,000), breaker waits among them.",
            value=due,
        )
        yield from self._acting()

    def _acting(self) -> Iterable[Metric]:
        counts = self._store.works.counts()
        work = GaugeMetricFamily(
            "inkwire_work",
            "Work that is not over, by state (each counted up to 10,000).",
            labels=["state"],
        )
        for state in _OPEN:
            work.add_metric([state.value], counts.get(state, 0))
        yield work
        dead = GaugeMetricFamily(
            "inkwire_dead_letters",
            "Work that only a person revives, by integration and kind of failure "
            "(the newest 10,000 are counted).",
            labels=["integration", "kind"],
        )
        for row in self._store.works.dead():
            kind = "" if row.error_kind is None else row.error_kind.value
            dead.add_metric([f"int_{row.integration_id}", kind], row.count)
        yield dead
        health = Counter(one.health for one in self._store.connections.all())
        connections = GaugeMetricFamily(
            "inkwire_connections", "Connections, by health.", labels=["health"]
        )
        for one in ConnectionHealth:
            connections.add_metric([one.value], health[one])
        yield connections
        yield from self._in_step()

    def _in_step(self) -> Iterable[Metric]:
        """Of Box and Salesforce."""
        calls = {
            name: GaugeMetricFamily(f"inkwire_api_calls_{name}", text, labels=["connection"])
            for name, text in _CALLS.items()
        }
        for one in self._store.connections.all():
            if (usage := self._store.api_usages.get(one.id)) is not None:
                calls["used"].add_metric([one.id], usage.used)
                calls["most"].add_metric([one.id], usage.most)
        yield from calls.values()
        attachments = GaugeMetricFamily(
            "inkwire_attachments",
            "File versions on their records, by state (each counted up to 10,000).",
            labels=["state"],
        )
        reached = self._store.attachments.counts()
        for state in AttachmentState:
            attachments.add_metric([state.value], reached.get(state, 0))
        yield attachments
        activities = GaugeMetricFamily(
            "inkwire_activities",
            "Tasks for Salesforce, by state (each counted up to 10,000).",
            labels=["state"],
        )
        noted = self._store.activities.counts()
        for kind in ActivityState:
            activities.add_metric([kind.value], noted.get(kind, 0))
        yield activities
        fields = GaugeMetricFamily(
            "inkwire_fields",
            "Mapped fields of folders and records, by state (each counted up to 10,000).",
            labels=["state"],
        )
        compared = self._store.field_states.counts()
        for agreement in FieldAgreement:
            fields.add_metric([agreement.value], compared.get(agreement, 0))
        yield fields


def metrics_registry(
    counted: Callable[[], IngestMetrics], store: Store, clock: Clock
) -> CollectorRegistry:
    """What `/metrics` shows: what `counted` gives, and the store."""
    registry = CollectorRegistry()
    registry.register(_HubCollector(counted, store, clock))
    return registry


def _batches(ingest: IngestMetrics) -> Metric:
    sizes = dict(ingest.batch_sizes)
    total, buckets = 0, []
    for bound in BATCH_BOUNDS:
        total += sizes.get(bound, 0)
        buckets.append((str(float(bound)), float(total)))
    return HistogramMetricFamily(
        "inkwire_ingest_commit_rows",
        "Requests per commit.",
        buckets=[*buckets, ("+Inf", float(total))],
        sum_value=ingest.committed + ingest.failed,
    )
