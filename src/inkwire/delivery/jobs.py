"""Long background tasks: recover what failed, replay what is missing (DESIGN §7)."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import structlog

from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.delivery.desk import WebhookDesk
from inkwire.delivery.fan_out import decoded
from inkwire.delivery.filters import wants
from inkwire.errors import CipherError, Conflict, InvalidInput, NotFound, StoreError
from inkwire.ids import Ids
from inkwire.model.access import Caller, Scope
from inkwire.model.job import Job, JobKind
from inkwire.model.webhook import Webhook, WebhookState
from inkwire.store.contract import Live, Store

#: Deliveries that one transaction of a job makes at most: others write in between.
BATCH = 100
#: Seconds without news after which the store is asked for running jobs all the same.
SWEEP_S = 5.0

log = structlog.get_logger()


class JobDesk:
    """Counts, starts, shows and cancels jobs. Needs `messages:write`, to read `messages:read`."""

    def __init__(self, *, store: Store, webhooks: WebhookDesk, clock: Clock, ids: Ids) -> None:
        self._jobs = store.jobs
        self._webhooks = webhooks
        self._clock = clock
        self._ids = ids
        self._audit = Auditor(clock, ids)

    def count(
        self,
        caller: Caller,
        kind: JobKind,
        webhook_id: int,
        *,
        since: datetime,
        until: datetime | None = None,
    ) -> int:
        """How many deliveries such a job would make (counted up to 100,000). Starts nothing.

        Replaying is counted before the webhook's filters, which may keep some back.
        """
        webhook = self._webhooks.get(caller, webhook_id, scope=Scope.MESSAGES_READ)
        return self._jobs.count(self._drawn(caller, kind, webhook, since, until))

    def start(
        self,
        caller: Caller,
        kind: JobKind,
        webhook_id: int,
        *,
        since: datetime,
        until: datetime | None = None,
    ) -> Job:
        """Starts a job.

        Raises NotFound, InvalidInput, and Conflict while one of its kind runs for the webhook or
        it takes no deliveries.
        """
        webhook = self._webhooks.get(caller, webhook_id, scope=Scope.MESSAGES_WRITE)
        job = self._drawn(caller, kind, webhook, since, until)
        if webhook.state not in (WebhookState.ACTIVE, WebhookState.PAUSED):
            raise Conflict(f"Webhook {webhook_id} is {webhook.state}; activate it first.")
        job = replace(job, total=self._jobs.count(job))
        audit = self._audit.entry(
            caller, f"job.{kind.value}", job.id, webhook=str(webhook_id), total=str(job.total)
        )
        self._jobs.add(job, audit=audit)
        return job

    def get(self, caller: Caller, job_id: str) -> Job:
        """One job. Raises NotFound."""
        caller.require(Scope.MESSAGES_READ)
        return self._jobs.get(job_id, application_id=caller.application_id)

    def page(self, caller: Caller, *, before: str | None = None, limit: int = 50) -> list[Job]:
        """Jobs that the caller may see, newest first."""
        caller.require(Scope.MESSAGES_READ)
        return self._jobs.page(application_id=caller.application_id, before=before, limit=limit)

    def cancel(self, caller: Caller, job_id: str) -> Job:
        """Stops a job; what it made stays. Raises NotFound, Conflict if it has ended."""
        caller.require(Scope.MESSAGES_WRITE)
        self._jobs.get(job_id, application_id=caller.application_id)
        audit = self._audit.entry(caller, "job.cancel", job_id)
        return self._jobs.cancel(job_id, at=audit.at, audit=audit)

    def _drawn(
        self,
        caller: Caller,
        kind: JobKind,
        webhook: Webhook,
        since: datetime,
        until: datetime | None,
    ) -> Job:
        now = self._clock.now()
        if since > now or (until is not None and until <= since):
            raise InvalidInput(fields={"since": "must be in the past, and before `until`"})
        query: Mapping[str, str] = {
            "since": since.isoformat(),
            **({} if until is None else {"until": until.isoformat()}),
        }
        return Job(
            id=self._ids.new("job"),
            kind=kind,
            application_id=webhook.application_id,
            webhook_id=webhook.id,
            query=query,
            created_at=now,
            created_by=caller.actor,
            updated_at=now,
        )


class JobRunner:
    """Advances running jobs, oldest first, in the worker; a kill costs nothing but time."""

    def __init__(
        self,
        *,
        store: Store,
        live: Live,
        clock: Clock,
        ids: Ids,
        retry_s: float = 1.0,
        sweep_s: float = SWEEP_S,
    ) -> None:
        """`retry_s`: seconds to wait after the store failed before it is asked again."""
        self._store = store
        self._live = live
        self._clock = clock
        self._ids = ids
        self._retry_s = retry_s
        self._sweep_s = sweep_s

    async def run(self, stop: asyncio.Event) -> None:
        """Advances jobs until `stop` is set; a batch in progress is finished."""
        while not stop.is_set():
            seen = self._live.counters()
            try:
                job = await asyncio.to_thread(self._advance)
            except StoreError as error:
                log.warning("jobs.store_failed", error=error.message, retry_s=self._retry_s)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._retry_s)
                continue
            if job is None:
                await self._news(stop, seen)

    def _advance(self) -> Job | None:
        return self._store.jobs.advance(
            limit=BATCH,
            now=self._clock.now(),
            new_id=lambda: self._ids.new("dlv"),
            chooses=self._choose,
        )

    def _choose(self, webhook_id: int, message_ids: Sequence[str]) -> list[str]:
        """Those of the messages that the webhook's filters let through."""
        try:
            webhook = self._store.subscribers.webhook(webhook_id, application_id=None)
        except NotFound:
            return []  # its application was removed just now, and the job ended with it
        if not (webhook.filters or webhook.document_ids):
            return list(message_ids)
        return [one for one in message_ids if self._wants(webhook, one)]

    def _wants(self, webhook: Webhook, message_id: str) -> bool:
        """A payload that does not open is sent, so that its delivery tells of it."""
        outbox = self._store.outbox
        message = outbox.message(message_id, application_id=webhook.application_id)
        try:
            payload = decoded(outbox.open_body(message_id)) if webhook.filters else None
        except CipherError:
            return True
        return wants(webhook, message.document_ids, payload)

    async def _news(self, stop: asyncio.Event, seen: Mapping[str, int]) -> None:
        stopped = asyncio.ensure_future(stop.wait())
        news = asyncio.ensure_future(self._live.changed(seen, timeout_s=self._sweep_s))
        try:
            await asyncio.wait({stopped, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in (stopped, news):
                wait.cancel()
            await asyncio.gather(stopped, news, return_exceptions=True)
