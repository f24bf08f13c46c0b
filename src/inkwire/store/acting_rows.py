"""Rows of acting to models and back. No I/O."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from inkwire.model.connection import Authorization, Connection, ConnectionHealth, Token
from inkwire.model.event import Origin
from inkwire.model.work import (
    Call,
    Command,
    CommandKind,
    CommandState,
    ErrorKind,
    Executor,
    Integration,
    IntegrationState,
    LedgerEntry,
    LedgerState,
    ParkCause,
    Step,
    StepResult,
    Work,
    WorkState,
)
from inkwire.moments import from_micros, to_micros
from inkwire.store import schema_acting as tables
from inkwire.store.intake import clean
from inkwire.store.keepable import require_keepable
from inkwire.store.rows import Row

#: All but what is sealed.
CONNECTION_FIELDS = tuple(column for column in tables.connections.c if column.name != "token")
#: A work row's columns, as `work_row` gives them.
WORK_COLUMNS = tuple(column.name for column in tables.work.c)
LEDGER_COLUMNS = tuple(column.name for column in tables.ledger.c)
STEP_COLUMNS = tuple(column.name for column in tables.steps.c)
CALL_COLUMNS = tuple(column.name for column in tables.calls.c)


def integration(row: Row) -> Integration:
    """An integration."""
    return Integration(
        id=row.id,
        kind=row.kind,
        name=row.name,
        state=IntegrationState(row.state),
        settings=row.settings,
        connection_id=row.connection_id,
        second_connection_id=row.second_connection_id,
        source_ids=tuple(row.source_ids),
        remote=row.remote,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def work(row: Row) -> Work:
    """A work row."""
    values = _values(row)
    values["state"] = WorkState(row.state)
    values["origin"] = Origin(row.origin)
    values["park_cause"] = None if row.park_cause is None else ParkCause(row.park_cause)
    values["error_kind"] = None if row.error_kind is None else ErrorKind(row.error_kind)
    return Work(**values)


def work_row(one: Work) -> tuple[Any, ...]:
    """The columns WORK_COLUMNS of a work row, as they lie in the table."""
    return (
        one.id,
        one.integration_id,
        one.key,
        one.workflow,
        one.entity_key,
        one.origin.value,
        one.event_id,
        _json(dict(one.subject)),
        one.state.value,
        one.run_number,
        one.failures,
        one.takeovers,
        to_micros(one.due_at),
        one.executor_id,
        None if one.park_cause is None else one.park_cause.value,
        None if one.error_kind is None else one.error_kind.value,
        clean(one.note),
        one.cancel_asked,
        to_micros(one.created_at),
        _micros(one.started_at),
        _micros(one.finished_at),
    )


def ledger_entry(row: Row) -> LedgerEntry:
    """An entry of the ledger."""
    values = _values(row)
    values["state"] = LedgerState(row.state)
    return LedgerEntry(**values)


def ledger_row(entry: LedgerEntry) -> tuple[Any, ...]:
    """The columns LEDGER_COLUMNS of an entry, as they lie in the table."""
    return (
        entry.key,
        entry.kind,
        entry.integration_id,
        entry.work_id,
        entry.entity_key,
        entry.state.value,
        entry.fence,
        entry.remote_id,
        entry.run_id,
        _micros(entry.sent_at),
        entry.probes,
        entry.sends,
        to_micros(entry.updated_at),
    )


def step(row: Row) -> Step:
    """One try of a step."""
    values = _values(row)
    values["result"] = StepResult(row.result)
    return Step(**values)


def step_row(one: Step) -> tuple[Any, ...]:
    """The columns STEP_COLUMNS of a try, as they lie in the table."""
    return (
        one.id,
        one.work_id,
        one.run_id,
        one.name,
        one.attempt,
        one.result.value,
        clean(one.detail),
        None if one.value is None else _json(one.value),
        to_micros(one.started_at),
        one.duration_us,
    )


def noted_rows(steps: Sequence[Step]) -> list[tuple[Any, ...]]:
    """Tries as rows, in one order of all writers. Raises StoreError for an id that none keeps."""
    for one in steps:
        require_keepable(one.id, one.work_id, one.run_id, one.name)
    return [step_row(one) for one in sorted(steps, key=lambda one: one.id)]


def call(row: Row) -> Call:
    """A recorded API request."""
    return Call(**_values(row))


def call_row(one: Call) -> tuple[Any, ...]:
    """The columns CALL_COLUMNS of a call, as they lie in the table."""
    return (
        one.id,
        one.connection_id,
        one.work_id,
        one.run_id,
        clean(one.method),
        clean(one.path),
        one.status,
        clean(one.vendor_id),
        clean(one.error),
        one.body_sha256,
        to_micros(one.started_at),
        one.duration_us,
    )


def executor(row: Row) -> Executor:
    """A worker's heartbeat."""
    return Executor(**_values(row))


def command(row: Row, opened: Any) -> Command:
    """A command, without its lease. `opened`: what was sealed, its question or its answer."""
    values = _values(row)
    del values["leased_until"], values["sealed"]
    values["asks" if row.state == CommandState.NEW.value else "result"] = opened
    values["kind"] = CommandKind(row.kind)
    values["state"] = CommandState(row.state)
    return Command(**values)


def connection(row: Row, secrets_set: Mapping[str, datetime]) -> Connection:
    """A connection from CONNECTION_FIELDS."""
    return Connection(
        id=row.id,
        provider=row.provider,
        name=row.name,
        method=row.method,
        settings=row.settings,
        secrets_set=secrets_set,
        health=ConnectionHealth(row.health),
        health_note=row.health_note,
        health_at=row.health_at,
        token_expires_at=row.token_expires_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


class _SealedToken(msgspec.Struct, array_like=True):
    """A token as it is sealed: one that an older release kept ends before `base_url`."""

    access: str
    expires_at: int
    refresh: str | None
    base_url: str = ""


def token_bytes(token: Token) -> bytes:
    """What is sealed of a token."""
    return msgspec.msgpack.encode(
        _SealedToken(token.access, to_micros(token.expires_at), token.refresh, token.base_url)
    )


def token_of(plain: bytes) -> Token:
    """The token that `token_bytes` gave, in this release or before `base_url` was kept."""
    held = msgspec.msgpack.decode(plain, type=_SealedToken)
    return Token(
        access=held.access,
        expires_at=from_micros(held.expires_at),
        refresh=held.refresh,
        base_url=held.base_url,
    )


def authorization(row: Row, verifier: str) -> Authorization:
    """A consent that was asked for, with its opened verifier."""
    return Authorization(
        connection_id=row.connection_id,
        verifier=verifier,
        redirect_uri=row.redirect_uri,
        session=row.session,
        until=row.until,
    )


def _values(row: Row) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
