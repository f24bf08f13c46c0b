"""Real processes, a ledger of what they acknowledged, and the comparison with what is stored.

Used by every crash test; nothing in here knows why a process is killed.
"""

import asyncio
import contextlib
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from inkwire.clock import SystemClock
from inkwire.config import Settings
from inkwire.ids import SortableIds
from inkwire.model.access import AuditEntry
from inkwire.model.source import Secret, Source
from inkwire.providers.registry import registry
from inkwire.providers.settings import check_settings
from inkwire.store.contract import NewSecret
from inkwire.store.open import migrate, open_store

SOURCE = "crash"
KEY = b"crash-test-key-0123"
STARTS_WITHIN_S = 120
_SIGNER = Secret(id="any", role="primary", value=KEY)
#: Programs of our own, each the product with one safeguard off.
_VARIANTS = {name: Path(__file__).with_name(f"{name}.py") for name in ("variant", "worker_variant")}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A store that outlives its processes: a data folder, and a database if it is PostgreSQL."""

    data_dir: Path
    database_url: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.data_dir, database_url=self.database_url)

    def prepare(self) -> None:
        """Migrates, and adds one Box source."""
        migrate(self.settings)
        clock = SystemClock()
        ids, now = SortableIds(clock), clock.now()
        with contextlib.closing(open_store(self.settings, clock=clock, ids=ids)) as store:
            store.sources.create(
                Source(
                    id=SOURCE,
                    provider="box",
                    name="Crash test",
                    settings=check_settings(registry().receiver("box").settings, {}),
                    max_body_bytes=1024 * 1024,
                    created_at=now,
                    updated_at=now,
                ),
                [NewSecret(id=ids.new("sec"), role="primary", value=KEY, created_at=now)],
                audit=AuditEntry(
                    id=ids.new("aud"), at=now, actor="cli", action="source.create", target=SOURCE
                ),
            )

    def whole_environment(self) -> dict[str, str]:
        """What a process of this site is started with."""
        own = {
            "INKWIRE_DATA_DIR": str(self.data_dir),
            "INKWIRE_PORT": "0",
            "INKWIRE_DISK_RESERVE_BYTES": "0",
            "INKWIRE_LOG_LEVEL": "error",
        }
        if self.database_url:
            own["INKWIRE_DATABASE_URL"] = self.database_url
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("INKWIRE_")}
        return {**inherited, **own, **self.environment}


class Process:
    """One process of the product: `inkwire web`, `inkwire worker`, or a variant of one."""

    def __init__(self, site: Site, *command: str, under: Sequence[str] = ()) -> None:
        """`command`: `web`, `worker`, `variant NAME`, `worker_variant NAME`. `under`: e.g. strace with its options.

        Returns when the process says that it is ready; raises RuntimeError if it does not.
        """
        ready, ready_end = os.pipe()
        program = [sys.executable, "-P", "-m", "inkwire", *command]
        if command[0] in _VARIANTS:
            program = [sys.executable, str(_VARIANTS[command[0]]), *command[1:]]
        self._popen = subprocess.Popen(
            [*under, *program, "--ready-fd", str(ready_end)],
            env=site.whole_environment(),
            pass_fds=(ready_end,),
            stdin=subprocess.DEVNULL,
        )
        os.close(ready_end)
        self.said: Mapping[str, object] = {}
        try:
            self.said = _first_line(ready)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """The process that serves (not the one it may run under)."""
        return int(self.said["pid"])

    @property
    def port(self) -> int:
        return int(self.said["port"])

    @property
    def code(self) -> int | None:
        """How it ended, negative for a signal; None while it lives."""
        return self._popen.returncode

    def kill(self) -> None:
        """SIGKILL: no handler, no flush, no farewell. Nothing happens if it has ended."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and waits for the orderly end. Nothing happens if it has ended."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid if self.said else self._popen.pid, number)
            self._popen.wait(STARTS_WITHIN_S)


def _first_line(ready: int) -> dict[str, object]:
    with os.fdopen(ready, "rb") as pipe:
        found, _, _ = select.select([pipe], [], [], STARTS_WITHIN_S)
        line = pipe.readline() if found else b""
    if not line:
        raise RuntimeError("The process did not become ready; its log is above.")
    said: dict[str, object] = json.loads(line)
    return said


@contextlib.contextmanager
def process(site: Site, *command: str, under: Sequence[str] = ()) -> Iterator[Process]:
    """A process that ends with the block."""
    running = Process(site, *command, under=under)
    try:
        yield running
    finally:
        running.stop()


@dataclass
class Ledger:
    """Every event that was sent, and every acknowledgement that came back whole."""

    #: Event id → receipt ids that the hub named in its 2xx answers.
    acknowledged: dict[str, list[str]] = field(default_factory=dict)
    #: Event ids sent and not acknowledged: a provider would repeat them.
    open: dict[str, None] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    def sending(self, event_id: str) -> None:
        """Before the first byte leaves."""
        if event_id not in self.acknowledged:
            self.open[event_id] = None

    def answered(self, event_id: str, status: int, receipt_id: str | None) -> None:
        """After the last byte of the answer is here."""
        self.statuses[status] += 1
        if 200 <= status < 300:
            assert receipt_id, "a 2xx without a receipt"
            self.acknowledged.setdefault(event_id, []).append(receipt_id)
            self.open.pop(event_id, None)

    def receipts(self) -> set[str]:
        """Every receipt that was acknowledged."""
        return {receipt for receipts in self.acknowledged.values() for receipt in receipts}


class Sender:
    """Sends Box events over several connections, as a vendor with many workers does."""

    def __init__(self, ledger: Ledger, *, prefix: str, filler: int = 300) -> None:
        """`filler`: bytes that make each body larger."""
        self.ledger = ledger
        self._prefix = prefix
        self._filler = "x" * filler
        self._count = 0

    def new_id(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count:06d}"

    def wire(self, event_id: str) -> bytes:
        """The signed request for an event, as Box would send it now."""
        receiver = registry().receiver("box")
        now = SystemClock().now()
        body = json.dumps(
            {
                "type": "webhook_event",
                "id": event_id,
                "trigger": "FILE.UPLOADED",
                "source": {"type": "file", "id": "1", "description": self._filler},
            }
        ).encode()
        signed = receiver.sign(
            body, [_SIGNER], {}, now, event_type="box.FILE.UPLOADED", delivery_id=event_id
        )
        head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers)
        return (
            f"POST /in/{SOURCE} HTTP/1.1\r\nHost: hub\r\nContent-Length: {len(body)}\r\n{head}\r\n"
        ).encode() + body

    @contextlib.asynccontextmanager
    async def load(self, port: int, *, connections: int = 24) -> AsyncIterator[None]:
        """New events on every connection for as long as the block lasts, or the server lives."""
        senders = [asyncio.create_task(self._sending(port)) for _ in range(connections)]
        try:
            yield
        finally:
            for sender in senders:
                sender.cancel()
            for result in await asyncio.gather(*senders, return_exceptions=True):
                if isinstance(result, AssertionError):
                    raise result

    async def _sending(self, port: int) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with self.connected(port) as (reader, writer):
                while True:
                    await self.exchange(self.new_id(), reader, writer)

    async def send(self, port: int, count: int) -> None:
        """`count` new events, one after the other."""
        async with self.connected(port) as (reader, writer):
            for _ in range(count):
                await self.exchange(self.new_id(), reader, writer)

    async def repeat_open(self, port: int) -> None:
        """What a provider does: sends again what was not acknowledged."""
        async with self.connected(port) as (reader, writer):
            for event_id in list(self.ledger.open):
                await self.exchange(event_id, reader, writer)

    async def exchange(
        self, event_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> int:
        """One request and its whole answer; the status. Raises when the connection ends."""
        self.ledger.sending(event_id)
        writer.write(self.wire(event_id))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        await reader.readexactly(int(headers["content-length"]))
        status = int(head.split()[1])
        self.ledger.answered(event_id, status, headers.get("inkwire-receipt"))
        return status

    @contextlib.asynccontextmanager
    async def connected(
        self, port: int
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """One connection that ends with the block."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@dataclass(frozen=True, kw_only=True)
class Found:
    """The comparison of a ledger with a store."""

    #: Acknowledged receipts that are not there.
    lost: list[str]
    #: Dedupe keys that more than one event counts as its first.
    twice: list[str]
    #: Events that were sent more than once and have not exactly one first.
    torn: list[str]
    receipts: int

    @property
    def sound(self) -> bool:
        return not (self.lost or self.twice or self.torn)


def compare(ledger: Ledger, site: Site) -> Found:
    """Looks with plain SQL, not with the code under test. The store must have no process."""
    rows = _rows(site)
    receipts = {receipt for receipt, _, _ in rows}
    firsts = Counter(key for _, key, state in rows if state == "new")
    key_of = {receipt: key for receipt, key, _ in rows}
    torn = []
    for event_id, answers in ledger.acknowledged.items():
        keys = {key_of[receipt] for receipt in answers if receipt in key_of}
        if len(keys) > 1 or any(firsts[key] != 1 for key in keys):
            torn.append(event_id)
    return Found(
        lost=sorted(ledger.receipts() - receipts),
        twice=[key for key, count in firsts.items() if count > 1],
        torn=torn,
        receipts=len(receipts),
    )


def _rows(site: Site) -> list[tuple[str, str, str]]:
    """(receipt, dedupe key in hex, state) of every event, and every receipt has one."""
    asked = "SELECT r.id, {hex}, e.state FROM receipts r LEFT JOIN events e ON e.receipt_id = r.id"
    if site.database_url:
        with psycopg.connect(site.database_url) as conn:
            rows = conn.execute(asked.format(hex="encode(e.dedupe_key, 'hex')")).fetchall()
    else:
        with contextlib.closing(sqlite3.connect(site.data_dir / "inkwire.db")) as conn:
            assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            rows = conn.execute(asked.format(hex="hex(e.dedupe_key)")).fetchall()
    assert all(state is not None for _, _, state in rows), "a receipt without its event"
    return rows


def can_be_opened(ledger: Ledger, site: Site, *, most: int = 100) -> None:
    """The newest acknowledged bodies decrypt to what was sent."""
    clock = SystemClock()
    newest = sorted(ledger.acknowledged.items(), key=lambda item: item[1][0])[-most:]
    store = open_store(site.settings, clock=clock, ids=SortableIds(clock))
    with contextlib.closing(store):
        for event_id, receipts in newest:
            body = store.inbound.open_receipt(receipts[0]).body
            assert body is None or json.loads(body)["id"] == event_id
