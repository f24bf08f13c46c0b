"""What pyHanko finds about the signatures of a PDF: informative, offline, and apart.

A verdict is JSON: `outcome` (see `Outcome`), `text` (a sentence), `signatures` (one object each),
`judged_at`, `judge`. It never hinders a document from being stored (DESIGN §8).
"""

import asyncio
import json
import struct
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import structlog

from inkwire.apart import ApartFailed, ApartRefused, ApartStopped, apart
from inkwire.clock import Clock
from inkwire.documents.desk import DocumentDamaged, DocumentDesk
from inkwire.errors import CipherError, ConfigError, NotFound, StoreError
from inkwire.model.document import Document
from inkwire.store.contract import ORDER, Live, Store

#: Seconds and bytes that a judgement may take; what needs more is not judged.
TIMEOUT_S = 60.0
MOST_BYTES = 64 * 1024 * 1024
#: Documents that `run_once` judges unless told otherwise.
BATCH = 20
_HEAD = struct.Struct(">II")

log = structlog.get_logger()


class Outcome(StrEnum):
    """What a verdict comes to."""

    #: Every signature holds, and every signer's certificate leads to one that is trusted here.
    TRUSTED = "trusted"
    #: Every signature holds; who the signers are is only what their certificates say.
    INTACT = "intact"
    #: A signature does not hold, or the file was changed after it in a way it does not allow.
    BROKEN = "broken"
    UNSIGNED = "unsigned"
    #: It is no PDF that can be read.
    DAMAGED = "damaged"
    #: It needs a password.
    ENCRYPTED = "encrypted"
    #: Not judged: too large, too slow, or its bytes are not there.
    UNJUDGED = "unjudged"


def judge(
    content: bytes,
    *,
    now: datetime,
    trust: bytes = b"",
    timeout_s: float = TIMEOUT_S,
    most_bytes: int = MOST_BYTES,
) -> dict[str, Any]:
    """The verdict on a PDF, found by a process of its own; never raises for what `content` is.

    Raises ApartStopped if that process was told to end.

    `now`: the moment at which certificates must be valid. `trust`: PEM of the certificates that
    are trusted as roots; nothing is fetched, so revocation after signing is not seen.
    """
    if len(content) > most_bytes:
        return _unjudged(f"It is too large to be judged ({len(content):,} bytes).", now)
    about = json.dumps({"now": now.isoformat()}).encode()
    packed = _HEAD.pack(len(about), len(trust)) + about + trust + content
    try:
        answer = apart(
            "inkwire.documents.verdict_apart", packed, timeout_s=timeout_s, what="Judging the PDF"
        )
    except ApartRefused as error:
        return _unjudged(error.message, now)
    except ApartFailed:
        return _unjudged(
            "It takes too much time or memory to judge; look at it with another tool.", now
        )
    verdict: dict[str, Any] = json.loads(answer)
    return verdict


def unpacked(packed: bytes) -> tuple[Mapping[str, Any], bytes, bytes]:
    """What the child reads: facts, trusted certificates (PEM), the PDF."""
    about, trust = _HEAD.unpack_from(packed)
    start = _HEAD.size
    return (
        json.loads(packed[start : start + about]),
        packed[start + about : start + about + trust],
        packed[start + about + trust :],
    )


def read_trust(path: Path | None) -> bytes:
    """The trust store's file (PEM). Raises ConfigError if it cannot be read or holds none."""
    if path is None:
        return b""
    from cryptography import x509  # noqa: PLC0415 - only where a trust store is set

    try:
        content = path.read_bytes()
        x509.load_pem_x509_certificates(content)
    except OSError as error:
        raise ConfigError(f"INKWIRE_TRUST_FILE {path}: {error.strerror}.") from None
    except ValueError:
        raise ConfigError(
            f"INKWIRE_TRUST_FILE {path} holds no certificate in PEM form (BEGIN CERTIFICATE)."
        ) from None
    return content


def _unjudged(text: str, now: datetime) -> dict[str, Any]:
    return {
        "outcome": Outcome.UNJUDGED.value,
        "text": text,
        "signatures": [],
        "judged_at": now.isoformat(),
        "judge": "",
    }


class Judge:
    """Judges signed documents after they were stored, oldest first, in the worker."""

    def __init__(
        self,
        *,
        store: Store,
        documents: DocumentDesk,
        clock: Clock,
        live: Live | None = None,
        trust: bytes = b"",
        retry_s: float = 5.0,
        sweep_s: float = 60.0,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`live`: wakes it for `run`; `trust`: see `judge`; `retry_s`: wait after a failure.

        `sweep_s`: seconds without news after which the store is asked all the same.
        """
        self._store = store
        self._documents = documents
        self._clock = clock
        self._live = live
        self._trust = trust
        self._retry_s = retry_s
        self._sweep_s = sweep_s
        self._timeout_s = timeout_s
        #: Documents whose key is not at hand; they are tried again by the next process.
        self._sealed_off: set[str] = set()

    def run_once(self, limit: int = BATCH) -> int:
        """Judges up to `limit` documents; how many got their verdict. Raises StoreError."""
        waiting = self._store.documents.unjudged(limit + len(self._sealed_off))
        todo = [one for one in waiting if one.id not in self._sealed_off]
        return sum(self._judge(one) for one in todo[:limit])

    async def run(self, stop: asyncio.Event) -> None:
        """Judges until `stop` is set; the document in hand is finished."""
        while not stop.is_set():
            seen = self._live.counters() if self._live else {}
            try:
                before = len(self._sealed_off)
                judged = await asyncio.to_thread(self.run_once, 1)
            except StoreError as error:
                log.warning("verdicts.store_failed", error=error.message, retry_s=self._retry_s)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._retry_s)
                continue
            if not judged and len(self._sealed_off) == before:
                await self._news(stop, seen)

    def _judge(self, document: Document) -> bool:
        now = self._clock.now()
        try:
            content = self._documents.content(document.id)
        except CipherError as error:
            log.warning("verdicts.sealed", document=document.id, error=error.message)
            self._sealed_off.add(document.id)
            return False
        except (NotFound, DocumentDamaged) as error:
            found = _unjudged(error.message, now)
        else:
            try:
                found = judge(content, now=now, trust=self._trust, timeout_s=self._timeout_s)
            except ApartStopped:
                return False  # so are we; the next process judges it
        try:
            self._store.documents.set_verdict(document.id, found)
        except NotFound:
            return False  # it was removed meanwhile
        return True

    async def _news(self, stop: asyncio.Event, seen: Mapping[str, int]) -> None:
        """Waits for `stop`, for a change of an order, or for the sweep."""
        stopped = asyncio.ensure_future(stop.wait())
        news = asyncio.ensure_future(self._changed(seen))
        try:
            await asyncio.wait({stopped, news}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in (stopped, news):
                wait.cancel()
            await asyncio.gather(stopped, news, return_exceptions=True)

    async def _changed(self, seen: Mapping[str, int]) -> None:
        """Returns when an order changed; other news is none for a judge."""
        if self._live is None:
            await asyncio.sleep(self._sweep_s)
            return
        async with asyncio.timeout(self._sweep_s):
            now = seen
            while now.get(ORDER) == seen.get(ORDER):
                now = await self._live.changed(now, timeout_s=self._sweep_s)
                if self._live.closed:
                    return
