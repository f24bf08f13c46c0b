"""Opening what was claimed: bodies, keys and headers, each once, after the claim's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from inkwire.errors import CipherError
from inkwire.model.message import (
    AttemptResult,
    Claimed,
    Delivery,
    DeliveryState,
    Message,
    MessageOrigin,
    Target,
)
from inkwire.model.webhook import ProfileName, WebhookKey
from inkwire.moments import from_micros
from inkwire.store.cipher import Cipher
from inkwire.store.database import Database, Row
from inkwire.store.sealed_messages import open_message_body
from inkwire.store.webhook_seals import key_place, opened_headers

_MESSAGES = (
    "SELECT id, application_id, topic, account, origin, event_id, webhook_id, document_ids, "
    "created_at, fanned_at, body_size, data_key, body FROM messages WHERE id = ANY (?)"
)
_KEYS = (
    "SELECT webhook_id, id, sealed FROM webhook_keys WHERE webhook_id = ANY (?) "
    "AND (expires_at IS NULL OR expires_at > ?) ORDER BY created_at DESC, id DESC"
)
_NO_DOCUMENTS = "[]"


class RouteRow(NamedTuple):
    """What a claim needs of a webhook; `headers` sealed."""

    id: int
    application_id: str
    address: str
    profile: str
    state: str
    headers: bytes | None
    rate_per_minute: int | None
    max_in_flight: int


class PickedRow(NamedTuple):
    """A due delivery before its claim; times in microseconds, `body_size` its message's."""

    id: str
    message_id: str
    webhook_id: int
    application_id: str
    topic: str
    created_at: int
    fence: int
    attempts: int
    first_attempt_at: int | None
    last_attempt_at: int | None
    last_result: str | None
    last_status: int | None
    body_size: int


class _MessageRow(NamedTuple):
    id: str
    application_id: str
    topic: str
    account: str
    origin: str
    event_id: str | None
    webhook_id: int | None
    document_ids: str
    created_at: int
    fanned_at: int | None
    body_size: int
    data_key: bytes
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Sealed:
    """Claimed deliveries, and what is opened for them."""

    picked: Sequence[PickedRow]
    routes: Mapping[int, RouteRow]
    messages: Mapping[str, _MessageRow]
    #: (webhook id, key id, sealed) of each webhook, newest first.
    keys: Mapping[int, Sequence[Row]]


def read_sealed(
    database: Database,
    conn: sa.Connection,
    picked: Sequence[PickedRow],
    routes: Mapping[int, RouteRow],
    now: int,
) -> Sealed:
    """Messages, and the keys that are valid at `now` (microseconds)."""
    ids = list({row.message_id for row in picked})
    keys: dict[int, list[Row]] = {}
    for row in database.rows(conn, _KEYS, list({row.webhook_id for row in picked}), now):
        keys.setdefault(row[0], []).append(row)
    messages = {row[0]: _MessageRow._make(row) for row in database.rows(conn, _MESSAGES, ids)}
    return Sealed(picked, routes, messages, keys)


class Opener:
    """Opens one claim's deliveries."""

    def __init__(self, cipher: Cipher, sealed: Sealed) -> None:
        """Nothing is opened yet."""
        self._cipher = cipher
        self._sealed = sealed
        self._targets: dict[int, Target | CipherError] = {}
        self._messages: dict[str, tuple[Message, bytes] | CipherError] = {}

    def open(self, row: PickedRow, until: datetime) -> Claimed:
        """One delivery, leased until then. Raises CipherError."""
        target = self._targets.get(row.webhook_id)
        if target is None:
            target = self._targets[row.webhook_id] = self._target(row.webhook_id)
        found = self._messages.get(row.message_id)
        if found is None:
            found = self._messages[row.message_id] = self._message(row.message_id)
        if isinstance(target, CipherError):
            raise target
        if isinstance(found, CipherError):
            raise found
        return Claimed(delivery=_leased(row, until), message=found[0], body=found[1], target=target)

    def _target(self, webhook_id: int) -> Target | CipherError:
        row = self._sealed.routes[webhook_id]
        try:
            return Target(
                webhook_id=webhook_id,
                application_id=row.application_id,
                address=row.address,
                profile=ProfileName(row.profile),
                keys=tuple([self._key(*key) for key in self._sealed.keys.get(webhook_id, ())]),
                headers=opened_headers(self._cipher, webhook_id, row.headers),
            )
        except CipherError as error:
            return error

    def _key(self, webhook_id: int, key_id: str, sealed: bytes) -> WebhookKey:
        value = self._cipher.unwrap(sealed, key_place(webhook_id, key_id))
        return WebhookKey(id=key_id, value=value)

    def _message(self, message_id: str) -> tuple[Message, bytes] | CipherError:
        row = self._sealed.messages.get(message_id)
        if row is None:
            return CipherError(f"The message {message_id} is not in the store.")
        try:
            return _as_message(row), open_message_body(self._cipher, row)
        except CipherError as error:
            return error


def _as_message(row: _MessageRow) -> Message:
    documents = row.document_ids
    return Message(
        id=row.id,
        application_id=row.application_id,
        topic=row.topic,
        account=row.account,
        origin=MessageOrigin(row.origin),
        event_id=row.event_id,
        webhook_id=row.webhook_id,
        document_ids=() if documents == _NO_DOCUMENTS else tuple(msgspec.json.decode(documents)),
        created_at=from_micros(row.created_at),
        fanned_at=_moment(row.fanned_at),
        body_size=row.body_size,
    )


def _leased(row: PickedRow, until: datetime) -> Delivery:
    return Delivery(
        id=row.id,
        message_id=row.message_id,
        webhook_id=row.webhook_id,
        application_id=row.application_id,
        topic=row.topic,
        state=DeliveryState.WAITING,
        created_at=from_micros(row.created_at),
        due_at=until,
        claimed_until=until,
        fence=row.fence + 1,
        attempts=row.attempts,
        first_attempt_at=_moment(row.first_attempt_at),
        last_attempt_at=_moment(row.last_attempt_at),
        last_result=None if row.last_result is None else AttemptResult(row.last_result),
        last_status=row.last_status,
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
