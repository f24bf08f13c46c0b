"""A store in memory: the parts of `Inbound` and `Sources` that the ingest calls.

It keeps the promises of `inkwire.store.contract` for those parts (order, one outcome a row, hard
and derived keys), and can be told to fail, to fill up, or to wait in the middle of a commit.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from inkwire.errors import StoreError
from inkwire.model.event import DedupeKind, EventState
from inkwire.model.receipt import Intake, Rejection, Stored
from inkwire.model.source import Secret, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeSealed:
    """Nothing is encrypted here; the size is that of body and headers."""

    intake: Intake

    @property
    def size(self) -> int:
        return len(self.intake.body) + 256


@dataclass
class FakeInbound:
    """Keeps intakes in a list; `faults` and `gate` steer it."""

    #: Committed intakes by receipt id, in order.
    kept: dict[str, Intake] = field(default_factory=dict)
    quarantine_full: bool = False
    states: dict[str, EventState] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)
    #: Size of each batch.
    batches: list[int] = field(default_factory=list)
    #: Bodies that fail alone, with the error that they fail with.
    bad_rows: dict[bytes, StoreError] = field(default_factory=dict)
    #: Raised (not returned) by every append: a store that breaks its contract.
    broken: Exception | None = None
    #: Raised by every reject.
    reject_error: Exception | None = None
    #: Set: commits run. Cleared: they wait in the middle of the transaction.
    gate: threading.Event = field(default_factory=threading.Event)
    #: Set when a commit has begun.
    began: threading.Event = field(default_factory=threading.Event)
    seal_error: StoreError | None = None
    _keys: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate.set()

    def seal(self, intake: Intake) -> FakeSealed:
        if self.seal_error is not None:
            raise self.seal_error
        return FakeSealed(intake=intake)

    def append(self, batch: Sequence[FakeSealed]) -> list[Stored | StoreError]:
        self.began.set()
        self.gate.wait()
        self.batches.append(len(batch))
        if self.broken is not None:
            raise self.broken
        return [self._keep(sealed.intake) for sealed in batch]

    def _keep(self, intake: Intake) -> Stored | StoreError:
        if error := self.bad_rows.get(intake.body):
            return error
        states = []
        for event in intake.events:
            state = event.state
            key = (intake.source_id, hashlib.sha256(event.parsed.dedupe_key).digest())
            if intake.quarantine is not None:
                state = EventState.QUARANTINED
            elif state is EventState.NEW and self._keys.setdefault(key, event.id) != event.id:
                hard = event.parsed.dedupe_kind is DedupeKind.HARD
                state = EventState.DUPLICATE if hard else EventState.PROBABLE_DUPLICATE
            self.states[event.id] = state
            states.append(state)
        if intake.quarantine is not None and self.quarantine_full:
            return Stored(receipt_id=intake.receipt_id, states=tuple(states), kept=False)
        self.kept[intake.receipt_id] = intake
        return Stored(receipt_id=intake.receipt_id, states=tuple(states))

    def reject(self, rows: Sequence[Rejection]) -> None:
        if self.reject_error is not None:
            raise self.reject_error
        self.rejections.extend(rows)


@dataclass
class FakeSources:
    """Sources and secrets by source id, as set by the test."""

    sources: dict[str, Source] = field(default_factory=dict)
    secrets: dict[str, tuple[Secret, ...]] = field(default_factory=dict)
    error: StoreError | None = None

    def put(self, source: Source, *secrets: Secret) -> None:
        self.sources[source.id] = source
        self.secrets[source.id] = secrets

    def all(self) -> list[Source]:
        if self.error is not None:
            raise self.error
        return [self.sources[key] for key in sorted(self.sources)]

    def open_secrets(self, now: datetime) -> Mapping[str, tuple[Secret, ...]]:
        return {
            key: tuple(s for s in secrets if s.expires_at is None or s.expires_at > now)
            for key, secrets in self.secrets.items()
        }


@dataclass
class FakeStore:
    """What the ingest sees of a store."""

    inbound: FakeInbound = field(default_factory=FakeInbound)
    sources: FakeSources = field(default_factory=FakeSources)
