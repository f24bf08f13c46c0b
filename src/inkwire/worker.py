"""What a worker process does, from its start to its orderly end.

Apart from `inkwire.hub`, because a web process needs neither the sender nor its HTTP client.
"""

import asyncio
from random import Random

from inkwire.delivery.jobs import JobRunner
from inkwire.delivery.sender import Sender
from inkwire.documents.verdict import Judge, read_trust
from inkwire.engine.dispatch import Dispatcher
from inkwire.engine.engine import Engine
from inkwire.engine.settings import engine_settings
from inkwire.engine.waits import together
from inkwire.hub import Hub, open_guard
from inkwire.outbound.http import Outbound
from inkwire.store.live import LiveCounters


async def run_worker(hub: Hub, stop: asyncio.Event) -> None:
    """Hands on events, acts on them, sends messages and advances jobs until `stop` is set.

    Returns when what is in hand is finished. If one of them fails for good, all are stopped and
    its error is raised: `serve` then starts the worker anew.
    """
    settings, live = hub.settings, LiveCounters()
    guard = open_guard(settings)
    watching = asyncio.create_task(live.run(hub.store))
    try:
        async with Outbound(
            guard=guard,
            clock=hub.clock,
            proxy=settings.outbound_proxy,
            ca_file=settings.outbound_ca_file,
        ) as outbound:
            dispatcher = Dispatcher(
                store=hub.store,
                registry=hub.registry,
                clock=hub.clock,
                ids=hub.ids,
                kinds=hub.kinds,
            )
            sender = Sender(
                store=hub.store,
                live=live,
                post=outbound.post,
                clock=hub.clock,
                ids=hub.ids,
                random=Random().random,  # noqa: S311 - jitter is no secret
                in_flight=settings.deliveries_in_flight,
            )
            runner = JobRunner(store=hub.store, live=live, clock=hub.clock, ids=hub.ids)
            engine = Engine(
                kinds=hub.kinds,
                services=hub.services,
                live=live,
                settings=engine_settings(settings),
            )
            judge = Judge(
                store=hub.store,
                documents=hub.documents,
                clock=hub.clock,
                live=live,
                trust=read_trust(settings.trust_file),
            )
            await together(
                stop,
                dispatcher.run(stop),
                sender.run(stop, grace_s=settings.shutdown_grace_s),
                runner.run(stop),
                engine.run(stop),
                judge.run(stop),
            )
    finally:
        live.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        guard.close()
