"""What web processes ask of a worker: to check a connection, to try a run, to look at vendors."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import structlog

from inkwire.engine.contract import IntegrationKind, Services
from inkwire.engine.dry import DryRun, tried_out
from inkwire.engine.runner import workflow_of
from inkwire.engine.runs import Doing
from inkwire.engine.waits import first, moved, until
from inkwire.errors import InkwireError, NotFound, StoreError
from inkwire.model.work import Command, CommandKind, Work
from inkwire.store.contract import COMMAND, Live

#: Commands that are carried out at the same time, so that a slow one holds up few.
AT_ONCE = 4
#: Seconds that one may take, and after which another worker may take it.
LIMIT_S, LEASE_S = 120.0, 150.0
RETRY_S = 1.0

log = structlog.get_logger()


class CommandRunner:
    """Takes commands and answers them."""

    def __init__(
        self, *, kinds: Mapping[str, IntegrationKind], services: Services, live: Live,
        sweep_s: float,
    ) -> None:  # fmt: skip
        """`sweep_s`: longest wait without asking: what a dead worker took moves no counter."""
        self._kinds = kinds
        self._services = services
        self._commands = services.store.commands
        self._clock = services.clock
        self._live = live
        self._sweep_s = sweep_s
        self._doing: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Answers until `stop` is set; what is not answered then is left to another worker."""
        try:
            while not stop.is_set():
                seen = self._live.counters().get(COMMAND)
                try:
                    if await self._take():
                        continue
                except StoreError as error:
                    log.warning("commands.store_failed", error=error.message)
                    await until(stop, RETRY_S)
                    continue
                await self._news(stop, seen)
        finally:
            for task in self._doing:
                task.cancel()
            await asyncio.gather(*self._doing, return_exceptions=True)

    async def _take(self) -> bool:
        if len(self._doing) >= AT_ONCE:
            return False
        now = self._clock.now()
        command = await asyncio.to_thread(lambda: self._commands.take(now=now, lease_s=LEASE_S))
        if command is None:
            return False
        task = asyncio.create_task(self._answer(command))
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)
        return True

    async def _answer(self, command: Command) -> None:
        result, error = None, ""
        try:
            async with asyncio.timeout(LIMIT_S):
                result = await self._result(command)
        except TimeoutError:
            error = f"No answer within {LIMIT_S:.0f} seconds; try again."
        except InkwireError as fault:
            error = fault.message
        except Exception:
            log.exception("commands.failed", command_id=command.id, kind=command.kind.value)
            error = "Inkwire met a defect; its log says why."
        try:
            await asyncio.to_thread(
                lambda: self._commands.done(
                    command.id, at=self._clock.now(), result=result, error=error
                )
            )
        except StoreError as fault:
            log.warning("commands.not_answered", command_id=command.id, error=fault.message)

    async def _result(self, command: Command) -> Any:
        if command.kind is CommandKind.CHECK_CONNECTION:
            checks = await asyncio.to_thread(self._services.connections.check, command.target)
            return [asdict(check) for check in checks]
        if command.kind is CommandKind.ASK:
            return await asyncio.to_thread(self._asked, command)
        return await self._dry_run(command.target)

    def _asked(self, command: Command) -> Any:
        """The answer of an integration's kind. Raises NotFound if it knows no such question."""
        label, _, question = command.target.partition("/")
        integration = self._services.store.integrations.get(int(label.removeprefix("int_")))
        kind = self._kinds.get(integration.kind)
        answer = getattr(kind, "questions", {}).get(question)
        if answer is None:
            raise NotFound(f"The kind {integration.kind} of {label} knows no such question.")
        now = self._clock.now()
        nobodys = Work(
            id="",
            integration_id=integration.id,
            key=command.id,
            workflow=question,
            entity_key=f"integration:{integration.id}:{question}",
            due_at=now,
            created_at=now,
        )
        doing = Doing(
            work=nobodys, integration=integration, services=self._services, executor_id=""
        )
        return answer(DryRun(doing), command.asks or {})

    async def _dry_run(self, work_id: str) -> Mapping[str, Any]:
        store = self._services.store
        work = await asyncio.to_thread(store.works.get, work_id)
        integration = await asyncio.to_thread(store.integrations.get, work.integration_id)
        workflow = workflow_of(self._kinds, integration.kind, work.workflow)
        doing = Doing(work=work, integration=integration, services=self._services, executor_id="")
        return await tried_out(workflow, DryRun(doing))

    async def _news(self, stop: asyncio.Event, seen: int | None) -> None:
        done = [_ended(task) for task in self._doing]
        await first(stop.wait(), moved(self._live, COMMAND, seen), *done, timeout_s=self._sweep_s)


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
