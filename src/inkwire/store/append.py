"""One transaction for a batch of sealed intakes: the store's hottest path."""

from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa

from inkwire.model.event import EventState, TermKind
from inkwire.model.receipt import Stored
from inkwire.providers.payload import fold
from inkwire.store import schema
from inkwire.store.contract import EVENT
from inkwire.store.database import Database, Row
from inkwire.store.dedupe import Claim, Outcome, first_claims, settle
from inkwire.store.intake import EVENT_COLUMNS, HANDED_ON, RECEIPT_COLUMNS, Sealed, waits

_BODY = RECEIPT_COLUMNS.index("body")
_TYPE = EVENT_COLUMNS.index("type")
_ENTITY = EVENT_COLUMNS.index("entity_key")
_QUARANTINE = "quarantine"
_HELD = Outcome(EventState.QUARANTINED)


class Appender:
    """Appends batches; keeps no state between them."""

    def __init__(self, database: Database, *, window_us: int, quarantine_rows: int) -> None:
        """`window_us`: microseconds in which equal content is a repeat."""
        self._database = database
        self._window_us = window_us
        self._quarantine_rows = quarantine_rows

    def append(self, batch: Sequence[Sealed]) -> list[Stored]:
        """Commits all of the batch. Raises StoreError, and what binding a value raises."""
        with self._database.writing() as conn:
            kept = self._keepable(conn, batch)
            candidates = [
                candidate
                for item in batch
                if item.quarantine_key is None
                for candidate in item.candidates
            ]
            claims = first_claims(candidates) | {
                item.quarantine_key: _quarantine_claim(item, item.quarantine_key)
                for item in reversed(kept)
                if item.quarantine_key is not None
            }
            existing = self._database.claim(conn, claims)
            settled = settle(candidates, existing, self._window_us)
            decided = iter(settled.outcomes)
            outcomes = [
                [next(decided) for _ in item.candidates]
                if item.quarantine_key is None
                else [_HELD] * len(item.candidates)
                for item in batch
            ]
            fresh = _fresh(kept, claims, existing)
            self._write(conn, batch, outcomes, fresh)
            self.renew(conn, settled.renewed)
            self._database.bump(conn, EVENT)
        return [
            Stored(
                receipt_id=item.intake.receipt_id,
                states=tuple(outcome.state for outcome in some),
                kept=id(item) in fresh,
            )
            for item, some in zip(batch, outcomes, strict=True)
        ]

    def renew(self, conn: sa.Connection, claims: Sequence[Claim]) -> None:
        """Starts the window of derived keys anew."""
        table = schema.dedupe_keys
        for claim in claims:
            conn.execute(
                table.update()
                .where(table.c.key == claim.key)
                .values(
                    event_id=claim.event_id,
                    body_hash=claim.body_hash,
                    first_seen_at=sa.literal(claim.first_seen_at, sa.BigInteger()),
                )
            )

    def _keepable(self, conn: sa.Connection, batch: Sequence[Sealed]) -> list[Sealed]:
        """The batch without quarantined requests of a source whose quarantine is full."""
        wanted = Counter(item.intake.source_id for item in batch if item.quarantine_key is not None)
        room = {
            source_id: self._quarantine_rows - self._quarantined(conn, source_id)
            for source_id in wanted
        }
        kept = []
        for item in batch:
            if item.quarantine_key is not None:
                room[item.intake.source_id] -= 1
                if room[item.intake.source_id] < 0:
                    continue
            kept.append(item)
        return kept

    def _quarantined(self, conn: sa.Connection, source_id: str) -> int:
        table = schema.receipts
        some = (
            sa.select(table.c.id)
            .where(
                table.c.source_id == source_id,
                schema.IS_QUARANTINED,
            )
            .limit(self._quarantine_rows)
            .subquery()
        )
        return conn.scalar(sa.select(sa.func.count()).select_from(some)) or 0

    def _write(
        self,
        conn: sa.Connection,
        batch: Sequence[Sealed],
        outcomes: Sequence[Sequence[Outcome]],
        fresh: set[int],
    ) -> None:
        receipts: list[Row] = []
        events: list[Row] = []
        idle: list[Row] = []
        for item, some in zip(batch, outcomes, strict=True):
            if id(item) not in fresh:
                continue
            receipts.append(_receipt_row(item, some))
            for at, outcome in enumerate(some):
                whole = item.events[at] + _outcome_columns(item, outcome, at)
                events.append(whole)
                if outcome.state not in HANDED_ON:
                    idle.append(whole)
        self._database.insert(conn, "receipts", RECEIPT_COLUMNS, receipts)
        self._database.insert(conn, "events", EVENT_COLUMNS, events)
        self._make_findable(conn, idle)

    def _make_findable(self, conn: sa.Connection, idle: Sequence[Row]) -> None:
        """Dispatch never sees these events, so their type and entity are noted here."""
        types = [(kind,) for kind in sorted({row[_TYPE] for row in idle})]
        entities = [
            (fold(row[_ENTITY]), row[0], TermKind.ENTITY.value) for row in idle if row[_ENTITY]
        ]
        self._database.add_missing(conn, "event_types", ("type",), types)
        self._database.add_missing(conn, "terms", ("value", "event_id", "kind"), sorted(entities))


def _quarantine_claim(item: Sealed, key: bytes) -> Claim:
    return Claim(key, _QUARANTINE, item.intake.receipt_id, item.body_hash, item.received_us)


def _fresh(
    kept: Sequence[Sealed], claims: dict[bytes, Claim], existing: dict[bytes, Claim]
) -> set[int]:
    """Which intakes are written: a replay of a request that is held already is not."""
    return {
        id(item)
        for item in kept
        if item.quarantine_key is None
        or (
            item.quarantine_key not in existing
            and claims[item.quarantine_key].event_id == item.intake.receipt_id
        )
    }


def _receipt_row(item: Sealed, outcomes: Sequence[Outcome]) -> Row:
    """Without the body if the first of the same key and content holds it."""
    if outcomes and all(outcome.exact for outcome in outcomes):
        return (*item.receipt[:_BODY], None, None)
    return item.receipt


def _outcome_columns(item: Sealed, outcome: Outcome, at: int) -> Row:
    held = outcome.state is EventState.QUARANTINED
    return (
        outcome.state.value,
        outcome.duplicate_of,
        outcome.conflict,
        None if waits(outcome.state) else item.received_us,
        item.candidates[at].state.value if held else None,
    )
