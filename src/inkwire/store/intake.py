"""Turns an intake into rows: text made safe, keys hashed, body and headers sealed. No I/O.

Hot: runs once for each request on the caller's thread, so it draws all its randomness at once
and builds plain tuples in column order.
"""

import os
from dataclasses import dataclass, field
from typing import Any

import msgspec

from inkwire.model.event import HANDED_ON, EventState
from inkwire.model.receipt import Intake, IntakeEvent, ReceiptState
from inkwire.model.request import Headers
from inkwire.moments import to_micros
from inkwire.store.cipher import KEY, NONCE, Cipher, DataKey, HubHash
from inkwire.store.dedupe import Candidate, Claim

#: Columns that `Sealed.receipt` and `Sealed.events` hold, in order.
RECEIPT_COLUMNS = (
    "id",
    "source_id",
    "provider",
    "state",
    "received_at",
    "remote",
    "method",
    "path",
    "body_size",
    "body_hash",
    "secret_id",
    "matched_on",
    "signed_at",
    "quarantine",
    "data_key",
    "headers",
    "body",
    "canonical",
)
EVENT_COLUMNS = (
    "id",
    "receipt_id",
    "source_id",
    "provider",
    "position",
    "type",
    "origin",
    "received_at",
    "occurred_at",
    "entity_key",
    "dedupe_kind",
    "dedupe_key",
    "test",
    "state",
    "duplicate_of",
    "conflict",
    "dispatched_at",
    "release_as",
)
_KIND = EVENT_COLUMNS.index("dedupe_kind")
_KEY = EVENT_COLUMNS.index("dedupe_key")
#: Bytes that rows, indexes and keys take beside the sealed parts, roughly.
_OVERHEAD = 512
MAX_TEXT = 2048
MAX_NAME = 300

_encode = msgspec.msgpack.Encoder().encode
_head_decoder = msgspec.msgpack.Decoder(tuple[bytes, Headers])


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text that both dialects keep: no NUL, no lone surrogate, at most `limit` characters."""
    if text.isascii() and "\x00" not in text:
        return text if len(text) <= limit else text[:limit]
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "?")[:limit]


def decode_head(value: bytes) -> tuple[bytes, Headers]:
    """Query and headers, which are sealed as one: a query may hold a token too."""
    head: tuple[bytes, Headers] = _head_decoder.decode(value)
    return head


@dataclass(slots=True)
class Sealed:
    """An intake as rows, but for what only the dedupe table can tell. Nobody changes it.

    Not frozen: building a frozen one costs as much as encrypting a body.
    """

    intake: Intake
    size: int
    received_us: int
    body_hash: bytes = field(repr=False)
    #: RECEIPT_COLUMNS, all of them.
    receipt: tuple[Any, ...] = field(repr=False)
    #: EVENT_COLUMNS up to `test`.
    events: list[tuple[Any, ...]] = field(repr=False)
    candidates: list[Candidate] = field(repr=False)
    #: Of a quarantined request.
    quarantine_key: bytes | None = field(repr=False)


def seal(intake: Intake, cipher: Cipher, hashes: HubHash) -> Sealed:
    """The rows of an intake. Raises CipherError."""
    received_us = to_micros(intake.received_at)
    signed_at = intake.proof.signed_at
    signed_us = None if signed_at is None else to_micros(signed_at)
    body_hash = hashes.body(intake.body)
    data_key, headers, body, canonical = _seal_parts(intake, cipher)
    events, candidates = [], []
    for position, event in enumerate(intake.events):
        row = _event_row(intake, position, event, hashes, received_us)
        events.append(row)
        unchanging = event.parsed.unchanging
        said = body_hash if unchanging is None else hashes.body(unchanging)
        claim = Claim(row[_KEY], row[_KIND], event.id, said, received_us)
        candidates.append(Candidate(claim, event.state))
    return Sealed(
        intake,
        len(body) + len(headers) + _OVERHEAD,
        received_us,
        body_hash,
        (
            *_request_columns(intake, received_us, body_hash, signed_us),
            data_key,
            headers,
            body,
            canonical,
        ),
        events,
        candidates,
        None
        if intake.quarantine is None
        else hashes.quarantined(intake.source_id, _proven(intake, body_hash, hashes), signed_us),
    )


def _proven(intake: Intake, body_hash: bytes, hashes: HubHash) -> bytes:
    """The hash of what the signature covers: it holds for every spelling of that text."""
    canonical = intake.proof.canonical
    return body_hash if canonical is None else hashes.body(canonical)


def _seal_parts(intake: Intake, cipher: Cipher) -> tuple[bytes, bytes, bytes, bytes | None]:
    """Wrapped data key, and query with headers, body and canonical text sealed under it."""
    drawn = os.urandom(KEY + 4 * NONCE)
    row = f"receipts\x00{intake.receipt_id}\x00"
    key = DataKey(drawn[:KEY])
    canonical = intake.proof.canonical
    return (
        cipher.wrap_with(drawn[32:44], drawn[:KEY], f"{row}data_key".encode()),
        key.seal(drawn[44:56], _encode((intake.query, intake.headers)), f"{row}headers".encode()),
        key.seal(drawn[56:68], intake.body, f"{row}body".encode()),
        None
        if canonical is None
        else key.seal(drawn[68:80], canonical, f"{row}canonical".encode()),
    )


def _request_columns(
    intake: Intake, received_us: int, body_hash: bytes, signed_us: int | None
) -> tuple[Any, ...]:
    proof, quarantine = intake.proof, intake.quarantine
    state = ReceiptState.ACCEPTED if quarantine is None else ReceiptState.QUARANTINED
    return (
        intake.receipt_id,
        intake.source_id,
        intake.provider,
        state.value,
        received_us,
        clean(intake.remote, MAX_NAME),
        clean(intake.method, MAX_NAME),
        clean(intake.path),
        len(intake.body),
        body_hash,
        clean(proof.secret_id, MAX_NAME),
        proof.matched_on.value,
        signed_us,
        None if quarantine is None else quarantine.value,
    )


def _event_row(
    intake: Intake, position: int, event: IntakeEvent, hashes: HubHash, received_us: int
) -> tuple[Any, ...]:
    parsed = event.parsed
    kind = parsed.dedupe_kind.value
    return (
        event.id,
        intake.receipt_id,
        intake.source_id,
        intake.provider,
        position,
        clean(parsed.type, MAX_NAME),
        intake.origin.value,
        received_us,
        None if parsed.occurred_at is None else to_micros(parsed.occurred_at),
        None if parsed.entity_key is None else clean(parsed.entity_key, MAX_NAME),
        kind,
        hashes.event(intake.source_id, kind, parsed.dedupe_key, test=parsed.test),
        parsed.test,
    )


def waits(state: EventState) -> bool:
    """Whether `dispatched_at` stays null: handed on later, or released first."""
    return state in HANDED_ON or state is EventState.QUARANTINED
