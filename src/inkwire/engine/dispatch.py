"""Dispatch: claims stored events in batches and hands each on, once.

Runs in the worker process, after the answer (R83, R146). It writes what an event can be found by,
messages for the applications that were granted its type, and work for the integrations that hear
it.
Whatever fails for one event is written on that event for a person to see; it never stops those
behind it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from inkwire.clock import Clock
from inkwire.engine.contract import IntegrationKind
from inkwire.engine.forwarding import Forwarder
from inkwire.engine.planning import Hearing
from inkwire.errors import InkwireError, StoreError, Unparsable
from inkwire.ids import Ids
from inkwire.model.event import ParsedEvent, Term, TermKind
from inkwire.model.receipt import OpenedReceipt
from inkwire.model.request import InboundRequest
from inkwire.model.source import SettingValue
from inkwire.providers.contract import Receiver
from inkwire.providers.payload import MAX_TERMS, fold
from inkwire.providers.registry import Registry
from inkwire.providers.settings import check_settings
from inkwire.store.contract import Dispatched, Store, Undispatched

BATCH = 100

log = structlog.get_logger()


class Dispatcher:
    """Takes waiting events and hands them on."""

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        clock: Clock,
        ids: Ids,
        kinds: Mapping[str, IntegrationKind] | None = None,
        retry_s: float = 1.0,
        sweep_s: float = 5.0,
    ) -> None:
        """`registry` reads the bodies; `store` gives the events and keeps what comes of them.

        `kinds`: the installed business processes by name.

        `retry_s`: seconds to wait after the store failed before it is asked again.
        `sweep_s`: seconds after which it is asked without news: the events that a worker had
        locked when it died move no counter.
        """
        self._store = store
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._kinds = kinds or {}
        self._retry_s = retry_s
        self._sweep_s = sweep_s

    def run_once(self) -> int:
        """Hands on at most one batch; returns how many events that were. Raises StoreError."""
        return self._store.dispatch.take(BATCH, self._work)

    async def run(self, stop: asyncio.Event) -> None:
        """Hands on events as they arrive, until `stop` is set; a batch in progress is finished."""
        changes = self._store.watch()
        news = asyncio.ensure_future(anext(changes))
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                await self._drain(stop)
                await asyncio.wait(
                    {news, stopped}, timeout=self._sweep_s, return_when=asyncio.FIRST_COMPLETED
                )
                if not news.done():
                    continue
                if news.exception() is not None:
                    log.warning("dispatch.watch_failed", error=str(news.exception()))
                    changes = self._store.watch()
                    await self._pause(stop)
                news = asyncio.ensure_future(anext(changes))
        finally:
            stopped.cancel()
            news.cancel()
            await asyncio.gather(news, return_exceptions=True)

    async def _drain(self, stop: asyncio.Event) -> None:
        """Batch after batch until one is empty; a failing store is asked again after a pause.

        A batch that is not full says nothing: bytes bound it too.
        """
        while not stop.is_set():
            try:
                done = await asyncio.to_thread(self.run_once)
            except StoreError as error:
                log.warning("dispatch.store_failed", error=error.message, retry_s=self._retry_s)
                await self._pause(stop)
                continue
            if done == 0:
                return

    async def _pause(self, stop: asyncio.Event) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), self._retry_s)

    def _work(self, waiting: Sequence[Undispatched]) -> list[Dispatched]:
        settings = {source.id: source.settings for source in self._store.sources.all()}
        forwarder = Forwarder(self._store.subscribers, self._clock, self._ids)
        integrations = self._store.integrations.all() if self._kinds else ()
        hearing = Hearing(self._kinds, integrations, self._clock, self._ids)
        reader = _Reader(self._registry, settings, forwarder, hearing)
        return [reader.dispatched(item) for item in waiting]


class _Reader:
    """Reads events back out of their receipts; the events of one body are read once."""

    def __init__(
        self,
        registry: Registry,
        settings: Mapping[str, Mapping[str, SettingValue]],
        forwarder: Forwarder,
        hearing: Hearing,
    ) -> None:
        self._registry = registry
        self._forwarder = forwarder
        self._hearing = hearing
        self._settings = settings
        self._parsed: dict[str, tuple[ParsedEvent, ...]] = {}

    def dispatched(self, item: Undispatched) -> Dispatched:
        """What is kept of one event; a failure becomes a sentence on it."""
        try:
            return self._read(item)
        except StoreError:
            raise  # no fault of this event: the whole batch waits until the store can do it
        except InkwireError as error:
            return Dispatched(event_id=item.event.id, error=error.message)
        except Exception:
            # A defect of ours must not hold up the events behind this one.
            log.exception("dispatch.failed", event_id=item.event.id, type=item.event.type)
            return Dispatched(
                event_id=item.event.id,
                error="Inkwire could not read this event; its log says why. "
                "Dispatch it again after an upgrade.",
            )

    def _read(self, item: Undispatched) -> Dispatched:
        event, body = item.event, item.canonical or item.opened.body
        if body is None:
            raise Unparsable("The body is no longer here, so nothing can be read out of it.")
        receiver = self._registry.receiver(event.provider)
        if event.receipt_id not in self._parsed:
            settings = self._settings.get(event.source_id) or check_settings(receiver.settings, {})
            request = _request(item.opened, body)
            self._parsed[event.receipt_id] = receiver.parse(request, body, settings)
        parsed = self._parsed[event.receipt_id]
        if event.position >= len(parsed):
            raise Unparsable("The source's settings changed: this body now holds fewer events.")
        return Dispatched(
            event_id=event.id,
            terms=_bounded(receiver, parsed[event.position]),
            messages=tuple(self._forwarder.messages(event, parsed, body)),
            work=tuple(self._hearing.work(event, parsed[event.position])),
        )


def _bounded(receiver: Receiver, parsed: ParsedEvent) -> tuple[Term, ...]:
    entity = parsed.entity_key
    own = (Term(kind=TermKind.ENTITY, value=fold(entity)),) if entity else ()
    return (*own, *receiver.terms(parsed))[:MAX_TERMS]


def _request(opened: OpenedReceipt, body: bytes) -> InboundRequest:
    receipt = opened.receipt
    return InboundRequest(
        method=receipt.method,
        path=receipt.path,
        query=opened.query,
        headers=opened.headers,
        body=body,
    )
