"""Claims beside a large backlog: a million deliveries that wait for one dead endpoint."""

import statistics
import time

import sqlalchemy as sa

from bench.house import Site
from inkwire.access.gate import CLI
from inkwire.clock import SystemClock
from inkwire.delivery.drafts import WebhookDraft
from inkwire.hub import open_hub
from inkwire.model.webhook import Topic
from inkwire.store.open import open_database
from inkwire.store.schema_sending import deliveries

TOPIC = "bench.backlog"
ROUNDS, HEALTHY = 50, 20


def measure(store: str, site: Site, backlog: int) -> None:
    """Times `claim` without and with `backlog` waiting deliveries of another webhook."""
    settings = site.settings.model_copy(update={"outbound_allow": "127.0.0.1/32"})
    with open_hub(settings) as hub:
        hub.applications.put_topic(CLI, Topic(name=TOPIC, granted_to_all=True))
        application = hub.applications.create(CLI, name="Backlog").id
        made = [
            hub.webhooks.create(
                CLI, application, WebhookDraft(topic=TOPIC, address=f"http://127.0.0.1:9/{n}")
            )[0].id
            for n in range(HEALTHY + 1)
        ]
        empty = _claims(hub, application)
        _fill(settings, application, made[0], backlog)
        full = _claims(hub, application)
    print(
        f"{store:12} a claim of {HEALTHY}+ due: {empty:.2f} ms without, {full:.2f} ms with "
        f"{backlog:,} waiting ({full / empty:.0%}; bar: within 20 %)",
        flush=True,
    )


def _claims(hub, application) -> float:
    """Median milliseconds of a claim that finds something for every healthy webhook."""
    from inkwire.delivery.fan_out import FanOut

    times = []
    for _ in range(ROUNDS):
        hub.publisher.publish(CLI, topic=TOPIC, application_id=application, payload=b"{}")
        while hub.store.outbox.fan_out(100, FanOut(hub.ids)):
            pass
        now = hub.clock.now()
        began = time.perf_counter()
        hub.store.outbox.claim(now=now, limit=200, share=20, lease_s=3600)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def _fill(settings, application, webhook_id, count) -> None:
    database = open_database(settings)
    now = SystemClock().now()
    try:
        for at in range(0, count, 10_000):
            rows = [
                {
                    "id": f"dlv_{0:012d}{number:012d}",
                    "message_id": "msg_none",
                    "webhook_id": webhook_id,
                    "application_id": application,
                    "topic": TOPIC,
                    "state": "waiting",
                    "created_at": now,
                    "due_at": now,
                    "fence": 0,
                    "attempts": 0,
                }
                for number in range(at, min(at + 10_000, count))
            ]
            with database.writing() as conn:
                conn.execute(sa.insert(deliveries), rows)
    finally:
        database.close()
