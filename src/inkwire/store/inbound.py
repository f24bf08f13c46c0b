"""Receipts and events on their way in: append, open, release, reject."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound, StoreBusy, StoreError, StoreFull
from inkwire.model.access import AuditEntry
from inkwire.model.event import EventState
from inkwire.model.receipt import (
    Intake,
    OpenedReceipt,
    Receipt,
    ReceiptState,
    Rejection,
    Stored,
)
from inkwire.moments import to_micros
from inkwire.store import rows, schema
from inkwire.store.append import Appender
from inkwire.store.cipher import Cipher, DataKey, place
from inkwire.store.contract import EVENT, REJECTED, SealedIntake
from inkwire.store.database import Database
from inkwire.store.dedupe import Candidate, Claim, first_claims, settle
from inkwire.store.faults import store_error
from inkwire.store.intake import (
    MAX_NAME,
    Sealed,
    clean,
    decode_head,
    seal,
    waits,
)
from inkwire.store.seals import Seals
from inkwire.store.terms import TermWriter

_SEALED_PARTS = ("data_key", "headers", "body", "canonical")


class SqlInbound:
    """See `contract.Inbound`."""

    def __init__(
        self,
        database: Database,
        seals: Seals,
        terms: TermWriter,
        *,
        dedupe_window_s: int,
        quarantine_rows: int,
        rejected_rows: int,
    ) -> None:
        """The limits are settings of the same names."""
        self._database = database
        self._seals = seals
        self._window_us = dedupe_window_s * 1_000_000
        self._rejected_rows = rejected_rows
        self._appender = Appender(
            database, terms, window_us=self._window_us, quarantine_rows=quarantine_rows
        )

    def seal(self, intake: Intake) -> SealedIntake:
        """Encrypts and hashes; no I/O. Raises CipherError."""
        return seal(intake, self._seals.cipher, self._seals.hashes)

    def append(self, batch: Sequence[SealedIntake]) -> list[Stored | StoreError]:
        """One transaction; if it fails for a row's sake, each row by itself."""
        sealed = [item for item in batch if isinstance(item, Sealed)]
        if len(sealed) != len(batch):
            raise TypeError("append takes what seal of this store returned")
        try:
            return list(self._append(sealed))
        except StoreError as error:
            if len(sealed) == 1 or isinstance(error, StoreBusy | StoreFull):
                return [error] * len(sealed)
            return self._one_by_one(sealed)

    def _append(self, batch: Sequence[Sealed]) -> list[Stored]:
        try:
            return self._appender.append(batch)
        except (ValueError, OverflowError, TypeError) as fault:
            raise store_error(fault) from fault  # a value that the driver cannot bind

    def _one_by_one(self, batch: Sequence[Sealed]) -> list[Stored | StoreError]:
        outcomes: list[Stored | StoreError] = []
        for at, item in enumerate(batch):
            try:
                outcomes += self._append([item])
            except (StoreBusy, StoreFull) as error:
                return outcomes + [error] * (len(batch) - at)
            except StoreError as error:
                outcomes.append(error)
        return outcomes

    def open_receipt(self, receipt_id: str) -> OpenedReceipt:
        """A receipt with query, headers and body. Raises NotFound, CipherError."""
        with self._database.reading() as conn:
            row = conn.execute(
                opened_fields().where(schema.receipts.c.id == receipt_id)
            ).one_or_none()
        if row is None:
            raise NotFound(f"There is no receipt {receipt_id}.")
        return open_row(row, self._seals.cipher)[0]

    def release(self, receipt_id: str, *, at: datetime, audit: AuditEntry) -> Receipt:
        """Lets a quarantined receipt in, in one transaction with its audit entry."""
        receipts, events = schema.receipts, schema.events
        with self._database.writing() as conn:
            changed = conn.execute(
                receipts.update()
                .where(receipts.c.id == receipt_id, receipts.c.state == ReceiptState.QUARANTINED)
                .values(state=ReceiptState.RELEASED, released_at=at, released_by=audit.actor)
            )
            found = conn.execute(
                sa.select(*rows.RECEIPT_FIELDS).where(receipts.c.id == receipt_id)
            ).one_or_none()
            if found is None:
                raise NotFound(f"There is no receipt {receipt_id}.")
            if changed.rowcount == 0:
                raise Conflict(f"Receipt {receipt_id} is {found.state}, not quarantined.")
            held = conn.execute(
                sa.select(
                    events.c.id, events.c.dedupe_kind, events.c.dedupe_key, events.c.release_as
                )
                .where(events.c.receipt_id == receipt_id)
                .order_by(events.c.position)
            ).all()
            self._let_in(conn, [tuple(row) for row in held], found.body_hash, at)
            rows.add_audit(conn, audit)
            self._database.bump(conn, EVENT)
            return rows.receipt(found)

    def _let_in(
        self,
        conn: sa.Connection,
        held: Sequence[tuple[str, str, bytes, str]],
        body_hash: bytes,
        at: datetime,
    ) -> None:
        candidates = [
            Candidate(Claim(key, kind, event_id, body_hash, to_micros(at)), EventState(release_as))
            for event_id, kind, key, release_as in held
        ]
        existing = self._database.claim(conn, first_claims(candidates))
        settled = settle(candidates, existing, self._window_us)
        self._appender.renew(conn, settled.renewed)
        table = schema.events
        for candidate, outcome in zip(candidates, settled.outcomes, strict=True):
            conn.execute(
                table.update()
                .where(table.c.id == candidate.claim.event_id)
                .values(
                    state=outcome.state,
                    duplicate_of=outcome.duplicate_of,
                    conflict=outcome.conflict,
                    dispatched_at=None if waits(outcome.state) else at,
                )
            )

    def reject(self, rejections: Sequence[Rejection]) -> None:
        """Adds to the rejected log and drops what is beyond its size."""
        if not rejections:
            return
        table = schema.rejections
        with self._database.writing() as conn:
            conn.execute(table.insert(), [_rejection_values(item) for item in rejections])
            oldest = (
                sa.select(table.c.id)
                .order_by(table.c.id.desc())
                .offset(self._rejected_rows)
                .limit(1)
                .scalar_subquery()
            )
            conn.execute(table.delete().where(table.c.id <= oldest))
            self._database.bump(conn, REJECTED)


def opened_fields() -> sa.Select[tuple[object, ...]]:
    """Selects what `open_row` needs."""
    return sa.select(*rows.RECEIPT_FIELDS, *(schema.receipts.c[name] for name in _SEALED_PARTS))


def open_row(row: rows.Row, cipher: Cipher) -> tuple[OpenedReceipt, bytes | None]:
    """A receipt opened, and the canonical text if only that was signed. Raises CipherError."""
    key = DataKey(cipher.unwrap(row.data_key, place("receipts", row.id, "data_key")))

    def part(name: str, value: bytes | None) -> bytes | None:
        return None if value is None else key.open(value, place("receipts", row.id, name))

    query, headers = decode_head(key.open(row.headers, place("receipts", row.id, "headers")))
    opened = OpenedReceipt(
        receipt=rows.receipt(row),
        query=query,
        headers=headers,
        body=part("body", row.body),
    )
    return opened, part("canonical", row.canonical)


def _rejection_values(item: Rejection) -> dict[str, object]:
    return {
        "id": item.id,
        "source_id": clean(item.source_id, 64),
        "provider": item.provider,
        "at": item.at,
        "status": item.status,
        "reason": item.reason.value,
        "detail": clean(item.detail),
        "hint": clean(item.hint),
        "remote": clean(item.remote, MAX_NAME),
        "method": clean(item.method, MAX_NAME),
        "path": clean(item.path),
        "body_size": item.body_size,
        "headers": [[clean(name), clean(value, 4096)] for name, value in item.headers],
    }
