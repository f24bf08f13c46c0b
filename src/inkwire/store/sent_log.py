"""Reading messages, deliveries and attempts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from inkwire.errors import NotFound
from inkwire.model.message import (
    Attempt,
    AttemptResult,
    Delivery,
    DeliveryState,
    Message,
    OpenedAttempt,
)
from inkwire.store import schema_sending as tables
from inkwire.store import sending_rows
from inkwire.store.cipher import Cipher
from inkwire.store.contract import MAX_PAGE
from inkwire.store.database import Database, one_of_numbers
from inkwire.store.idtime import IdTime
from inkwire.store.sealed_attempts import open_attempt
from inkwire.store.sealed_messages import BODY_FIELDS, open_message_body
from inkwire.store.sending import DeliveryQuery, MessageQuery
from inkwire.store.sending_rows import may_see

_messages = tables.messages
_deliveries = tables.deliveries
_attempts = tables.attempts


class SentLog:
    """The reads of `sending.Outbox`."""

    def __init__(self, database: Database, cipher: Cipher, idtime: IdTime | None) -> None:
        """`idtime`: bounds lists of a time by their ids too; None: by their times alone."""
        self._database = database
        self._cipher = cipher
        self._idtime = idtime

    def messages(self, query: MessageQuery) -> list[Message]:
        """Newest first."""
        columns = _messages.c
        wanted = _equal(
            (columns.application_id, query.application_id),
            (columns.topic, query.topic),
            (columns.event_id, query.event_id),
            (columns.id, query.message_id),
            (columns.origin, query.origin),
        ) + self._between("msg", _messages, query.since, query.until, query.before)
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(*sending_rows.MESSAGE_FIELDS)
                .where(*wanted)
                .order_by(columns.id.desc())
                .limit(_page(query.limit))
            )
            return [sending_rows.message(row) for row in found]

    def message(self, message_id: str, *, application_id: str | None) -> Message:
        """One message. Raises NotFound."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(*sending_rows.MESSAGE_FIELDS).where(
                    _messages.c.id == message_id,
                    *may_see(_messages.c.application_id, application_id),
                )
            ).one_or_none()
        if row is None:
            raise NotFound(f"There is no message {message_id}.")
        return sending_rows.message(row)

    def open_body(self, message_id: str) -> bytes:
        """The payload as it is sent. Raises NotFound, CipherError."""
        with self._database.reading() as conn:
            row = conn.execute(BODY_FIELDS.where(_messages.c.id == message_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no message {message_id}.")
        return open_message_body(self._cipher, row)

    def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        """Newest first."""
        columns = _deliveries.c
        wanted = _equal(
            (columns.application_id, query.application_id),
            (columns.webhook_id, query.webhook_id),
            (columns.message_id, query.message_id),
            (columns.last_result, query.result),
        ) + self._between("dlv", _deliveries, query.since, query.until, query.before)
        if query.state is not None:  # literal, so that a partial index is seen to fit
            wanted.append(sa.literal_column(f"state = '{DeliveryState(query.state).value}'"))
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(*sending_rows.DELIVERY_FIELDS)
                .where(*wanted)
                .order_by(columns.id.desc())
                .limit(_page(query.limit))
            )
            return [sending_rows.delivery(row) for row in found]

    def delivery(self, delivery_id: str, *, application_id: str | None) -> Delivery:
        """One delivery. Raises NotFound."""
        with self._database.reading() as conn:
            return delivery_of(conn, delivery_id, application_id)

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """By number."""
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(*sending_rows.ATTEMPT_FIELDS)
                .where(_attempts.c.delivery_id == delivery_id)
                .order_by(_attempts.c.number)
            )
            return [sending_rows.attempt(row) for row in found]

    def open_attempt(self, attempt_id: str, *, application_id: str | None) -> OpenedAttempt:
        """An attempt with headers and answer. Raises NotFound, CipherError."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(
                    *sending_rows.ATTEMPT_FIELDS, _attempts.c.data_key, _attempts.c.sealed
                ).where(
                    _attempts.c.id == attempt_id,
                    *may_see(_attempts.c.application_id, application_id),
                )
            ).one_or_none()
        if row is None:
            raise NotFound(f"There is no attempt {attempt_id}.")
        sent, answered, body, truncated = open_attempt(
            self._cipher, attempt_id, row.data_key, row.sealed
        )
        return OpenedAttempt(
            attempt=sending_rows.attempt(row),
            request_headers=sent,
            response_headers=answered,
            response_body=body,
            truncated=truncated,
        )

    def failures(
        self, *, since: datetime, application_id: str | None = None
    ) -> list[tuple[AttemptResult, int | None, int]]:
        """By cause, the most frequent first. Reads what is given up or waits, not what is done."""
        columns = _deliveries.c
        given_up, failing = (
            sa.select(columns.last_result, columns.last_status).where(
                state,
                columns.last_attempt_at >= since,
                *may_see(columns.application_id, application_id),
            )
            for state in (tables.IS_EVICTED, tables.IS_DUE_SOME_TIME)
        )
        both = sa.union_all(given_up, failing.where(columns.last_result.is_not(None))).subquery()
        count = sa.func.count()
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(both.c.last_result, both.c.last_status, count)
                .where(both.c.last_result != AttemptResult.OK.value)
                .group_by(both.c.last_result, both.c.last_status)
                .order_by(count.desc(), both.c.last_result, both.c.last_status)
            )
            return [(AttemptResult(row[0]), row[1], row[2]) for row in found]

    def success(
        self, webhook_ids: Sequence[int], *, since: datetime
    ) -> Mapping[int, tuple[int, int, float]]:
        """Attempts since a time by webhook: how many, how many were OK, mean seconds."""
        if not webhook_ids:
            return {}
        columns = _attempts.c
        ok = sa.case((columns.result == AttemptResult.OK.value, 1), else_=0)
        with self._database.reading() as conn:
            found = conn.execute(
                sa.select(
                    columns.webhook_id,
                    sa.func.count(),
                    sa.func.sum(ok),
                    sa.func.avg(columns.duration_us),
                )
                .where(
                    one_of_numbers(conn, columns.webhook_id, webhook_ids),
                    columns.started_at >= since,
                )
                .group_by(columns.webhook_id)
            )
            return {row[0]: (row[1], int(row[2]), float(row[3]) / 1e6) for row in found}

    def _between(
        self,
        prefix: str,
        table: sa.Table,
        since: datetime | None,
        until: datetime | None,
        before: str | None,
    ) -> list[sa.ColumnElement[bool]]:
        wanted: list[sa.ColumnElement[bool]] = []
        if since is not None:
            wanted.append(table.c.created_at >= since)
        if until is not None:
            wanted.append(table.c.created_at < until)
        if before is not None:
            wanted.append(table.c.id < before)
        if self._idtime is not None:
            wanted += self._idtime.between(table.c.id, prefix, since, until)
        return wanted


def delivery_of(conn: sa.Connection, delivery_id: str, application_id: str | None) -> Delivery:
    """One delivery. Raises NotFound."""
    row = conn.execute(
        sa.select(*sending_rows.DELIVERY_FIELDS).where(
            _deliveries.c.id == delivery_id, *may_see(_deliveries.c.application_id, application_id)
        )
    ).one_or_none()
    if row is None:
        raise no_delivery(delivery_id)
    return sending_rows.delivery(row)


def no_delivery(delivery_id: str) -> NotFound:
    """The error of a delivery that is not there."""
    return NotFound(f"There is no delivery {delivery_id}.")


def _equal(*pairs: tuple[sa.Column[Any], Any]) -> list[sa.ColumnElement[bool]]:
    return [column == value for column, value in pairs if value is not None]


def _page(limit: int) -> int:
    return max(0, min(limit, MAX_PAGE))
