"""One transaction for a batch of sealed intakes: the store's hottest path."""

from collections import Counter
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from inkwire.model.event import HANDED_ON, EventState, TermKind
from inkwire.model.receipt import Stored
from inkwire.providers.payload import fold
from inkwire.store import schema
from inkwire.store.contract import EVENT
from inkwire.store.database import Database, Row
from inkwire.store.dedupe import NEW, Candidate, Claim, Outcome, first_claims, settle
from inkwire.store.intake import EVENT_COLUMNS, RECEIPT_COLUMNS, Sealed, waits
from inkwire.store.terms import TermWriter

_BODY = RECEIPT_COLUMNS.index("body")
_TYPE = EVENT_COLUMNS.index("type")
_ENTITY = EVENT_COLUMNS.index("entity_key")
_QUARANTINE = "quarantine"
_HELD = Outcome(EventState.QUARANTINED)
#: What `_outcome_columns` gives for most events.
_NEW_COLUMNS = (EventState.NEW.value, None, False, None, None)


class Appender:
    """Appends batches; keeps no state between them."""

    def __init__(
        self, database: Database, terms: TermWriter, *, window_us: int, quarantine_rows: int
    ) -> None:
        """`window_us`: microseconds in which equal content is a repeat."""
        self._database = database
        self._terms = terms
        self._window_us = window_us
        self._quarantine_rows = quarantine_rows

    def append(self, batch: Sequence[Sealed]) -> list[Stored]:
        """Commits all of the batch. Raises StoreError, and what binding a value raises."""
        accepted: list[Candidate] = []
        for item in batch:
            if item.quarantine_key is None:
                accepted += item.candidates
        held = [item for item in batch if item.quarantine_key is not None]
        with self._database.writing() as conn:
            claims = first_claims(accepted)
            holds = self._holds(conn, held) if held else {}
            existing = self._database.claim(conn, claims | holds)
            settled = settle(accepted, existing, self._window_us)
            outcomes = _by_intake(batch, settled.outcomes)
            kept = [_is_kept(item, holds, existing) for item in batch]
            self._write(conn, batch, outcomes, kept)
            self.renew(conn, settled.renewed)
            self._database.bump(conn, EVENT)
        return [
            Stored(
                receipt_id=item.intake.receipt_id,
                states=tuple([outcome.state for outcome in some]),
                kept=keep,
            )
            for item, some, keep in zip(batch, outcomes, kept, strict=True)
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

    def _holds(self, conn: sa.Connection, held: Sequence[Sealed]) -> dict[bytes, Claim]:
        """The keys of the quarantined requests that there is room for, first come first."""
        wanted = Counter(item.intake.source_id for item in held)
        room = {
            source_id: self._quarantine_rows - self._quarantined(conn, source_id)
            for source_id in wanted
        }
        holds: dict[bytes, Claim] = {}
        for item in held:
            key, source_id = item.quarantine_key, item.intake.source_id
            if key is not None and key not in holds and room[source_id] > 0:
                room[source_id] -= 1
                holds[key] = Claim(
                    key, _QUARANTINE, item.intake.receipt_id, item.body_hash, item.received_us
                )
        return holds

    def _quarantined(self, conn: sa.Connection, source_id: str) -> int:
        table = schema.receipts
        some = (
            sa.select(table.c.id)
            .where(table.c.source_id == source_id, schema.IS_QUARANTINED)
            .limit(self._quarantine_rows)
            .subquery()
        )
        return conn.scalar(sa.select(sa.func.count()).select_from(some)) or 0

    def _write(
        self,
        conn: sa.Connection,
        batch: Sequence[Sealed],
        outcomes: Sequence[Sequence[Outcome]],
        kept: Sequence[bool],
    ) -> None:
        receipts: list[Row] = []
        events: list[Row] = []
        idle: list[Row] = []
        for item, some, keep in zip(batch, outcomes, kept, strict=True):
            if not keep:
                continue
            receipts.append(_receipt_row(item, some))
            for at, outcome in enumerate(some):
                row = item.events[at] + _outcome_columns(item, outcome, at)
                events.append(row)
                if outcome.state not in HANDED_ON:
                    idle.append(row)
        self._database.insert(conn, "receipts", RECEIPT_COLUMNS, receipts)
        self._database.insert(conn, "events", EVENT_COLUMNS, events)
        if idle:
            self._make_findable(conn, idle)

    def _make_findable(self, conn: sa.Connection, idle: Sequence[Row]) -> None:
        """Dispatch never sees these events, so their type and entity are noted here."""
        types = [(kind,) for kind in sorted({row[_TYPE] for row in idle})]
        entities = (
            (fold(row[_ENTITY]), row[0], TermKind.ENTITY.value) for row in idle if row[_ENTITY]
        )
        self._database.add_missing(conn, "event_types", ("type",), types)
        self._terms.add(conn, entities)


def _by_intake(batch: Sequence[Sealed], outcomes: Sequence[Outcome]) -> list[Sequence[Outcome]]:
    """The outcomes of the accepted candidates, dealt out to their intakes."""
    dealt: list[Sequence[Outcome]] = []
    at = 0
    for item in batch:
        count = len(item.candidates)
        if item.quarantine_key is None:
            dealt.append(outcomes[at : at + count])
            at += count
        else:
            dealt.append([_HELD] * count)
    return dealt


def _is_kept(item: Sealed, holds: Mapping[bytes, Claim], existing: Mapping[bytes, Claim]) -> bool:
    """A quarantined request is written if it holds its key: no replay, and room for it."""
    key = item.quarantine_key
    if key is None:
        return True
    hold = holds.get(key)
    return hold is not None and hold.event_id == item.intake.receipt_id and key not in existing


def _receipt_row(item: Sealed, outcomes: Sequence[Outcome]) -> Row:
    """Without the body if the first of the same key and content holds it."""
    for outcome in outcomes:
        if not outcome.exact:
            return item.receipt
    return (*item.receipt[:_BODY], None, None) if outcomes else item.receipt


def _outcome_columns(item: Sealed, outcome: Outcome, at: int) -> Row:
    if outcome is NEW:
        return _NEW_COLUMNS
    held = outcome.state is EventState.QUARANTINED
    return (
        outcome.state.value,
        outcome.duplicate_of,
        outcome.conflict,
        None if waits(outcome.state) else item.received_us,
        item.candidates[at].state.value if held else None,
    )
