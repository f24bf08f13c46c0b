"""The raw ASGI app for `/in/{source}`: verify, store, answer – nothing else before the answer.

Raw, because a web framework costs half of the requests a second. One request goes through
`_receive`: turned away by its head, or read, judged, sealed, committed, answered.
"""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import structlog
from starlette.types import Receive, Scope, Send

from inkwire.clock import Clock
from inkwire.config import Settings
from inkwire.errors import InkwireError, StoreBusy, StoreError
from inkwire.ids import Ids
from inkwire.ingest import replies
from inkwire.ingest.body import Bodies
from inkwire.ingest.exchange import MAX_HEAD, Exchange
from inkwire.ingest.group_commit import Commit, GroupCommit
from inkwire.ingest.limits import Backlog, DiskReserve
from inkwire.ingest.live_sources import LiveSource, load_sources
from inkwire.ingest.metrics import Metrics
from inkwire.ingest.receive import Received, Refusal, judge
from inkwire.ingest.rejected_log import RejectedLog, describe
from inkwire.ingest.replies import Answer, own_refusal
from inkwire.model.event import EventState
from inkwire.model.receipt import Stored
from inkwire.model.request import InboundRequest
from inkwire.model.verdict import Reason
from inkwire.providers.contract import Receiver
from inkwire.providers.registry import Registry
from inkwire.store.contract import SealedIntake, Store

log = structlog.get_logger(__name__)

#: Bodies above this are judged and sealed on a thread of their own, so that one of 16 MiB does
#: not delay every other answer. At most so many wait for that thread.
LARGE_BODY, MAX_LARGE = 128 * 1024, 8

_UNREAD_ANSWERS: Mapping[Reason, Answer] = {
    Reason.TOO_LARGE: replies.TOO_LARGE,
    Reason.TOO_SLOW: replies.TOO_SLOW,
    Reason.UNAVAILABLE: replies.BUSY,
}
#: How often one source's full quarantine is logged.
_WARN_AGAIN = timedelta(minutes=1)
_DUPLICATES = frozenset({EventState.DUPLICATE, EventState.PROBABLE_DUPLICATE})


class Ingest:
    """Receives webhooks. `start` it before the socket listens and `stop` it after it closed.

    As an ASGI app of its own it does both in its lifespan.
    """

    def __init__(
        self,
        *,
        store: Store,
        registry: Registry,
        clock: Clock,
        ids: Ids,
        settings: Settings,
        commit: Commit | None = None,
    ) -> None:
        """`commit`: another way to put intakes on disk; benchmarks compare with it."""
        self._store = store
        self._registry = registry
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self.metrics = Metrics()
        self.backlog = Backlog(
            most_requests=settings.backlog_requests, most_bytes=settings.backlog_bytes
        )
        self._commit = commit or GroupCommit(
            store.inbound,
            backlog=self.backlog,
            metrics=self.metrics,
            answer_timeout_s=settings.answer_timeout_s,
        )
        self._rejected = RejectedLog(store.inbound, self.metrics)
        #: On PostgreSQL the disk is another machine's.
        reserve = settings.disk_reserve_bytes if settings.database_url is None else 0
        self._disk = DiskReserve(settings.data_dir, reserve_bytes=reserve, monotonic=time.monotonic)
        self._sources: Mapping[str, LiveSource] = {}
        self._outdated = False
        self._reloading = asyncio.Lock()
        #: When each source's full quarantine was last in the log.
        self._warned: dict[str, datetime] = {}
        self._stopping = True
        self._large = 0
        self._lingering: set[Exchange] = set()

    # ── its life ──────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Loads the sources and begins to commit. Raises StoreError if the store cannot."""
        self._sources = await self._load()
        self._bodies = Bodies(
            asyncio.get_running_loop(),
            self.backlog,
            seconds=self._settings.body_timeout_s,
            most=self._settings.backlog_requests,
        )
        self._large_thread = ThreadPoolExecutor(1, thread_name_prefix="large-body")
        self._commit.start()
        self._end = asyncio.Event()
        self._upkeep = asyncio.create_task(self._every_second())
        self._stopping = False

    async def stop(self) -> None:
        """Refuses what is new, finishes what was accepted, writes the rejected log. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        await self._commit.stop(grace_s=self._settings.shutdown_grace_s)
        self._large_thread.shutdown(wait=False)
        self._end.set()
        await self._upkeep

    async def reload(self) -> None:
        """Reads the sources again; if the store cannot just now, each second until it can.

        One at a time, so that what was read first never replaces what was read later.
        """
        async with self._reloading:
            try:
                self._sources = await self._load()
                self._outdated = False
            except InkwireError as error:
                self._outdated = True
                log.warning("sources_not_reloaded", help=error.message)

    async def _load(self) -> Mapping[str, LiveSource]:
        return await asyncio.to_thread(
            load_sources,
            self._store.sources,
            self._registry,
            self._clock.now(),
            most_bytes=self.backlog.most_bytes // 2,
        )

    async def _every_second(self) -> None:
        while not self._end.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), 1.0)
            await self._rejected.flush()
            if self._outdated:
                await self.reload()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
            try:
                await self.start()
            except InkwireError as error:
                await send({"type": "lifespan.startup.failed", "message": error.message})
                return
            await send({"type": "lifespan.startup.complete"})

    # ── one request ───────────────────────────────────────────────────────────────────────

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection: an HTTP request, the lifespan, or a websocket (refused)."""
        if scope["type"] == "http":
            exchange = Exchange(scope, receive, send, self._lingering)
            try:
                await self._receive(exchange)
            except asyncio.CancelledError:
                # A stopping server gives up on us; without an answer it would say 500.
                if not exchange.answered:
                    await exchange.answer(replies.STOPPING)
                raise
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _receive(self, exchange: Exchange) -> None:
        live = self._sources.get(exchange.source_id)
        if self._stopping:
            return await self._refuse(exchange, replies.STOPPING, Reason.UNAVAILABLE, live)
        if live is None:
            return await self._refuse(exchange, replies.UNKNOWN, Reason.UNKNOWN_SOURCE)
        if live.receiver is None:
            refusal = own_refusal(Reason.UNAVAILABLE, detail="The source's provider is missing.")
            return await self._refuse(exchange, replies.FAULT, refusal, live)
        if exchange.method != "POST":
            return await self._handshake(exchange, live, live.receiver)
        if turned_away := self._by_head(exchange, live):
            return await self._refuse(exchange, *turned_away, live)
        body = await self._bodies.read(exchange.receive, live.max_body_bytes)
        if body is None:
            self.metrics.disconnected += 1
            return None
        if isinstance(body, Reason):
            return await self._refuse(exchange, _UNREAD_ANSWERS[body], body, live)
        exchange.body_unread, exchange.size = False, len(body)
        return await self._keep(exchange, live, live.receiver, body)

    def _by_head(self, exchange: Exchange, live: LiveSource) -> tuple[Answer, Reason] | None:
        """The refusals that need no body: what will never fit first, then what may fit later."""
        if exchange.head_size > MAX_HEAD:
            return replies.HEAD_TOO_LARGE, Reason.TOO_LARGE
        if exchange.encoded:
            return replies.ENCODED, Reason.ENCODED
        if exchange.length is not None and exchange.length > live.max_body_bytes:
            return replies.TOO_LARGE, Reason.TOO_LARGE
        if self.backlog.full():
            return replies.BUSY, Reason.UNAVAILABLE
        if self._disk.short():
            return replies.NO_ROOM, Reason.UNAVAILABLE
        return None

    async def _handshake(self, exchange: Exchange, live: LiveSource, receiver: Receiver) -> None:
        """Some vendors GET the address at set-up; any other method is refused."""
        if exchange.method == "GET" and exchange.head_size <= MAX_HEAD:
            try:
                reply = receiver.handshake(_request(exchange, b""), live.source.settings)
            except Exception as error:  # noqa: BLE001 – logged; the vendor repeats its GET
                return await self._fault(exchange, live, error)
            if reply is not None:
                return await exchange.reply(reply)
        return await self._refuse(exchange, replies.METHOD, Reason.METHOD, live)

    async def _keep(
        self, exchange: Exchange, live: LiveSource, receiver: Receiver, body: bytes
    ) -> None:
        """Judges and commits a complete request, and only then answers it."""
        request = _request(exchange, body)
        try:
            if len(body) <= LARGE_BODY:
                judged = self._judge(live, receiver, request, exchange.remote)
            else:
                judged = await self._judge_large(live, receiver, request, exchange.remote)
        except StoreError as error:
            return await self._unavailable(exchange, live, error)
        except Exception as error:  # noqa: BLE001 – logged; the sender is asked to repeat it
            return await self._fault(exchange, live, error)
        if isinstance(judged, Refusal):
            return await self._refuse(exchange, replies.NOT_PROVEN, judged, live)
        received, sealed = judged
        if received.fault is not None:
            self._log_fault(live, received.fault)
        outcome = await self._commit.put(sealed)
        if not isinstance(outcome, Stored):
            return await self._unavailable(exchange, live, outcome)
        if received.reply is None:
            if not outcome.kept:
                return await self._not_kept(exchange, live)
            self.metrics.quarantined += 1
            return await exchange.answer(replies.NOT_PROVEN)
        self.metrics.accepted += 1
        for state in outcome.states:
            self.metrics.duplicates += state in _DUPLICATES
        return await exchange.reply(received.reply, outcome.receipt_id)

    def _judge(
        self, live: LiveSource, receiver: Receiver, request: InboundRequest, remote: str
    ) -> tuple[Received, SealedIntake] | Refusal:
        judged = judge(live, receiver, request, remote=remote, now=self._clock.now(), ids=self._ids)
        if isinstance(judged, Refusal):
            return judged
        return judged, self._store.inbound.seal(judged.intake)

    async def _judge_large(
        self, live: LiveSource, receiver: Receiver, request: InboundRequest, remote: str
    ) -> tuple[Received, SealedIntake] | Refusal:
        if self._large >= MAX_LARGE:
            raise StoreBusy("Too many large bodies came at once.")
        size = len(request.body)
        self._large += 1
        self.backlog.bytes += size
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._large_thread, self._judge, live, receiver, request, remote
            )
        finally:
            self._large -= 1
            self.backlog.bytes -= size

    # ── refusals ──────────────────────────────────────────────────────────────────────────

    async def _refuse(
        self,
        exchange: Exchange,
        answer: Answer,
        why: Refusal | Reason,
        live: LiveSource | None = None,
    ) -> None:
        """Notes the refusal for the operator, and answers the sender with its class only."""
        refusal = own_refusal(why) if isinstance(why, Reason) else why
        self.metrics.refused[refusal.reason] += 1
        if self._rejected.takes(refusal.reason, live.source.id if live else ""):
            self._rejected.add(
                describe(
                    exchange,
                    refusal,
                    provider=live.source.provider if live else None,
                    status=answer.status,
                    at=self._clock.now(),
                    rejection_id=self._ids.new("rej"),
                )
            )
        await exchange.answer(answer)

    async def _unavailable(self, exchange: Exchange, live: LiveSource, error: StoreError) -> None:
        answer = replies.BUSY if isinstance(error, StoreBusy) else replies.NO_ROOM
        refusal = own_refusal(Reason.UNAVAILABLE, detail=error.message)
        await self._refuse(exchange, answer, refusal, live)

    async def _not_kept(self, exchange: Exchange, live: LiveSource) -> None:
        """Stale and not in the quarantine either: it must leave a trace at least."""
        self.metrics.quarantine_dropped += 1
        now, source_id = self._clock.now(), live.source.id
        last = self._warned.get(source_id)
        if last is None or now - last >= _WARN_AGAIN:
            self._warned[source_id] = now
            log.warning("quarantine_not_kept", source=source_id, help=replies.NOT_KEPT.hint)
        await self._refuse(exchange, replies.NOT_PROVEN, replies.NOT_KEPT, live)

    async def _fault(self, exchange: Exchange, live: LiveSource, error: Exception) -> None:
        """A fault of our own before anything was proven: the sender is asked to repeat it."""
        self._log_fault(live, error)
        refusal = own_refusal(
            Reason.UNAVAILABLE, detail=f"A fault of Inkwire's own: {type(error).__name__}."
        )
        await self._refuse(exchange, replies.FAULT, refusal, live)

    def _log_fault(self, live: LiveSource, error: Exception) -> None:
        self.metrics.faults += 1
        log.error(
            "provider_fault",
            source=live.source.id,
            provider=live.source.provider,
            help="This is a bug of the provider's code; please report it.",
            exc_info=error,
        )


def _request(exchange: Exchange, body: bytes) -> InboundRequest:
    return InboundRequest(
        method=exchange.method,
        path=exchange.path.decode("latin-1"),
        query=exchange.query,
        headers=exchange.headers,
        body=body,
    )
