"""The engine of a worker: everything that acts, under one roof."""

import asyncio
from collections.abc import Mapping
from random import Random

from inkwire.engine.commands import CommandRunner
from inkwire.engine.contract import IntegrationKind, Services
from inkwire.engine.retention import Retention
from inkwire.engine.runner import Runner
from inkwire.engine.runtime import Runtime
from inkwire.engine.schedule import Schedule
from inkwire.engine.settings import EngineSettings
from inkwire.engine.takeover import Heart, claim_identity
from inkwire.engine.waits import together
from inkwire.store.contract import Live

#: Threads that the rest of the worker's loop has besides those of runs.
SPARE_THREADS = 32


class Engine:
    """Runs the work of integrations, plans their upkeep, answers commands, forgets old runs."""

    def __init__(
        self,
        *,
        kinds: Mapping[str, IntegrationKind],
        services: Services,
        live: Live,
        settings: EngineSettings,
    ) -> None:
        """`kinds`: the installed business processes by name."""
        self._kinds = kinds
        self._services = services
        self._live = live
        self._settings = settings

    async def run(self, stop: asyncio.Event) -> None:
        """Acts until `stop` is set, then leaves what is in hand the grace to end.

        If a part fails for good, all stop and its error is raised. Raises ConfigError if the data
        folder gives no identity.
        """
        services, settings = self._services, self._settings
        identity = claim_identity(settings.data_dir, services.ids)
        runtime = Runtime(
            settings.store_url,
            threads=settings.runs_in_flight + SPARE_THREADS,
            poll_s=settings.poll_s,
        )
        runner = Runner(
            executor_id=identity.id,
            kinds=self._kinds,
            services=services,
            runtime=runtime,
            live=self._live,
            random=Random().random,  # noqa: S311 - jitter is no secret
            settings=settings,
        )
        heart = Heart(
            identity=identity,
            store=services.store,
            clock=services.clock,
            runner=runner,
            settings=settings,
        )
        schedule = Schedule(
            store=services.store,
            kinds=self._kinds,
            clock=services.clock,
            ids=services.ids,
            every_s=settings.sweep_s,
        )
        commands = CommandRunner(
            kinds=self._kinds, services=services, live=self._live, sweep_s=settings.sweep_s
        )
        retention = Retention(
            run_log=services.store.run_log,
            commands=services.store.commands,
            bulk_jobs=services.store.bulk_jobs,
            runtime=runtime,
            clock=services.clock,
            days=settings.retention_days,
        )
        last = asyncio.Event()
        try:
            await heart.once()  # claims nothing before others can see that it lives
            beating = asyncio.create_task(heart.run(last))
            try:
                await together(
                    stop,
                    runner.run(stop),
                    schedule.run(stop),
                    commands.run(stop),
                    retention.run(stop),
                    _outlives(beating, stop),
                )
            finally:
                last.set()
                await asyncio.gather(beating, return_exceptions=True)
                await heart.stopped()
        finally:
            identity.close()


async def _outlives(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Waits for `stop`; a heart that fails before is a failure of the whole."""
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
