"""Turns an intake into rows: text made safe, keys hashed, body and headers sealed. No I/O.

Hot: runs once for each request on the caller's thread, so it draws all its randomness at once
and builds plain tuples in column order.
"""

import os
from dataclasses import dataclass, field
from typing import Any

import msgspec

from inkwire.clock import to_micros
from inkwire.model.event import EventState
from inkwire.model.receipt import Intake, IntakeEvent, ReceiptState
from inkwire.model.request import Headers
from inkwire.store.cipher import KEY, NONCE, Cipher, DataKey, HubHash, place
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
    "query",
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
#: Bytes that rows, indexes and keys take beside the sealed parts, roughly.
_OVERHEAD = 512
MAX_TEXT = 2048
MAX_NAME = 300

_encode_headers = msgspec.msgpack.Encoder().encode
_headers_decoder = msgspec.msgpack.Decoder(Headers)


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text that both dialects keep: no NUL, no lone surrogate, at most `limit` characters."""
    if text.isascii() and "\x00" not in text:
        return text if len(text) <= limit else text[:limit]
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "?")[:limit]


def decode_headers(value: bytes) -> Headers:
    """Headers as they were sealed."""
    headers: Headers = _headers_decoder.decode(value)
    return headers


@dataclass(frozen=True, slots=True)
class Sealed:
    """An intake as rows, but for what only the dedupe table can tell."""

    intake: Intake
    size: int
    received_us: int
    body_hash: bytes = field(repr=False)
    #: RECEIPT_COLUMNS, all of them.
    receipt: tuple[Any, ...] = field(repr=False)
    #: EVENT_COLUMNS up to `test`.
    events: tuple[tuple[Any, ...], ...] = field(repr=False)
    candidates: tuple[Candidate, ...] = field(repr=False)
    #: Of a quarantined request.
    quarantine_key: bytes | None = field(default=None, repr=False)


def seal(intake: Intake, cipher: Cipher, hashes: HubHash) -> Sealed:
    """The rows of an intake. Raises CipherError."""
    received_us = to_micros(intake.received_at)
    body_hash = hashes.body(intake.body)
    receipt = _receipt_row(intake, cipher, body_hash, received_us)
    keys = [
        hashes.event(
            intake.source_id,
            event.parsed.dedupe_kind.value,
            event.parsed.dedupe_key,
            test=event.parsed.test,
        )
        for event in intake.events
    ]
    quarantine_key = None
    if intake.quarantine is not None:
        quarantine_key = hashes.quarantined(intake.source_id, body_hash, receipt[13])
    return Sealed(
        intake=intake,
        size=len(intake.body) + len(receipt[16]) + _OVERHEAD,
        received_us=received_us,
        body_hash=body_hash,
        receipt=receipt,
        events=tuple(
            _event_row(intake, position, event, key, received_us)
            for position, (event, key) in enumerate(zip(intake.events, keys, strict=True))
        ),
        candidates=tuple(
            Candidate(
                Claim(key, event.parsed.dedupe_kind.value, event.id, body_hash, received_us),
                event.state,
            )
            for event, key in zip(intake.events, keys, strict=True)
        ),
        quarantine_key=quarantine_key,
    )


def _receipt_row(
    intake: Intake, cipher: Cipher, body_hash: bytes, received_us: int
) -> tuple[Any, ...]:
    proof = intake.proof
    drawn = os.urandom(KEY + 4 * NONCE)
    data_key = drawn[:KEY]
    nonces = [drawn[at : at + NONCE] for at in range(KEY, len(drawn), NONCE)]
    row = intake.receipt_id
    aes = DataKey(data_key)
    return (
        row,
        intake.source_id,
        intake.provider,
        (ReceiptState.QUARANTINED if intake.quarantine else ReceiptState.ACCEPTED).value,
        received_us,
        clean(intake.remote, MAX_NAME),
        clean(intake.method, MAX_NAME),
        clean(intake.path),
        clean(intake.query.decode("utf-8", "replace")),
        len(intake.body),
        body_hash,
        clean(proof.secret_id, MAX_NAME),
        proof.matched_on.value,
        None if proof.signed_at is None else to_micros(proof.signed_at),
        None if intake.quarantine is None else intake.quarantine.value,
        cipher.wrap_with(nonces[0], data_key, place("receipts", row, "data_key")),
        aes.seal(nonces[1], _encode_headers(intake.headers), place("receipts", row, "headers")),
        aes.seal(nonces[2], intake.body, place("receipts", row, "body")),
        None
        if proof.canonical is None
        else aes.seal(nonces[3], proof.canonical, place("receipts", row, "canonical")),
    )


def _event_row(
    intake: Intake, position: int, event: IntakeEvent, key: bytes, received_us: int
) -> tuple[Any, ...]:
    parsed = event.parsed
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
        parsed.dedupe_kind.value,
        key,
        parsed.test,
    )


#: States that dispatch hands on.
HANDED_ON = (EventState.NEW, EventState.PROBABLE_DUPLICATE)


def waits(state: EventState) -> bool:
    """Whether `dispatched_at` stays null: handed on later, or released first."""
    return state in HANDED_ON or state is EventState.QUARANTINED
