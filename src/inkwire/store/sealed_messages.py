"""Messages as rows: sealed on the caller's thread, written in whatever transaction makes them."""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from inkwire.errors import CipherError
from inkwire.moments import to_micros
from inkwire.store import schema_sending as tables
from inkwire.store.cipher import KEY, NONCE, Cipher, DataKey, place
from inkwire.store.contract import DELIVERY, MESSAGE
from inkwire.store.database import Database
from inkwire.store.intake import MAX_NAME, clean
from inkwire.store.rows import Row
from inkwire.store.sending import NewMessage
from inkwire.store.sending_rows import DELIVERY_COLUMNS, delivery_row

MESSAGE_COLUMNS = (
    "id",
    "application_id",
    "topic",
    "account",
    "origin",
    "event_id",
    "webhook_id",
    "document_ids",
    "created_at",
    "fanned_at",
    "body_size",
    "data_key",
    "body",
)
_EVENT, _APPLICATION = MESSAGE_COLUMNS.index("event_id"), MESSAGE_COLUMNS.index("application_id")
#: What `open_message_body` needs.
BODY_FIELDS = sa.select(tables.messages.c.id, tables.messages.c.data_key, tables.messages.c.body)
_GONE = "The message's payload was erased."


@dataclass(frozen=True, slots=True)
class SealedMessages:
    """Rows of messages, and of the deliveries of those that name their webhook."""

    messages: list[tuple[Any, ...]] = field(repr=False)
    deliveries: list[tuple[Any, ...]]

    @classmethod
    def joined(cls, several: Iterable["SealedMessages"]) -> "SealedMessages":
        """All of them as one."""
        joined = cls([], [])
        for one in several:
            joined.messages.extend(one.messages)
            joined.deliveries.extend(one.deliveries)
        return joined

    def without(self, known: Collection[tuple[str, str]]) -> "SealedMessages":
        """Those that forward an (event, application) which is not among the `known`."""
        return SealedMessages(
            [row for row in self.messages if (row[_EVENT], row[_APPLICATION]) not in known],
            self.deliveries,
        )

    def write(self, database: Database, conn: sa.Connection) -> None:
        """Adds the rows and moves the counters."""
        if self.messages:
            database.insert(conn, "messages", MESSAGE_COLUMNS, self.messages)
            database.bump(conn, MESSAGE)
        if self.deliveries:
            database.insert(conn, "deliveries", DELIVERY_COLUMNS, self.deliveries)
            database.bump(conn, DELIVERY)


def seal_messages(cipher: Cipher, messages: Sequence[NewMessage]) -> SealedMessages:
    """The rows; no I/O. Raises CipherError."""
    sealed = SealedMessages([], [])
    for new in messages:
        message, at = new.message, to_micros(new.message.created_at)
        targeted = message.webhook_id is not None and new.delivery_id is not None
        sealed.messages.append(_message_row(cipher, new, at, at if targeted else None))
        if message.webhook_id is not None and new.delivery_id is not None:
            sealed.deliveries.append(
                delivery_row(
                    new.delivery_id,
                    message.id,
                    message.webhook_id,
                    application_id=message.application_id,
                    topic=clean(message.topic, MAX_NAME),
                    at=at,
                )
            )
    return sealed


def open_message_body(cipher: Cipher, row: Row) -> bytes:
    """The payload from a row with BODY_FIELDS. Raises CipherError, also if it was erased."""
    if row.body is None:
        raise CipherError(_GONE)
    key = DataKey(cipher.unwrap(row.data_key, place("messages", row.id, "data_key")))
    return key.open(row.body, place("messages", row.id, "body"))


def _message_row(
    cipher: Cipher, new: NewMessage, created_us: int, fanned_us: int | None
) -> tuple[Any, ...]:
    message = new.message
    drawn = os.urandom(KEY + 2 * NONCE)
    key = DataKey(drawn[:KEY])
    return (
        message.id,
        message.application_id,
        clean(message.topic, MAX_NAME),
        clean(message.account, MAX_NAME),
        message.origin.value,
        message.event_id,
        message.webhook_id,
        msgspec.json.encode(message.document_ids).decode(),
        created_us,
        fanned_us,
        len(new.body),
        cipher.wrap_with(drawn[32:44], drawn[:KEY], place("messages", message.id, "data_key")),
        key.seal(drawn[44:56], new.body, place("messages", message.id, "body")),
    )
