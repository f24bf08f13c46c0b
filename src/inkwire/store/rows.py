"""Rows to models and back."""

from typing import Any

import sqlalchemy as sa

from inkwire.model.access import (
    ApiKey,
    AuditEntry,
    LoginSession,
    PortalToken,
    PortalTokenKind,
    Role,
    Scope,
    User,
)
from inkwire.model.event import DedupeKind, Event, EventState, Origin
from inkwire.model.receipt import Receipt, ReceiptState, Rejection
from inkwire.model.source import ManagedBy, SecretInfo, Source
from inkwire.model.verdict import MatchedOn, Reason
from inkwire.store import schema

#: A row of SQLAlchemy's, whose columns mypy cannot know.
Row = Any

#: All but the sealed parts; whether the body is kept comes as `has_body`.
RECEIPT_FIELDS = (
    *(
        column
        for column in schema.receipts.c
        if column.name not in ("data_key", "headers", "body", "canonical")
    ),
    schema.receipts.c.body.is_not(None).label("has_body"),
)
EVENT_FIELDS = tuple(
    column for column in schema.events.c if column.name not in ("dedupe_key", "release_as")
)


def event(row: Row) -> Event:
    """An event from EVENT_FIELDS."""
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    values["state"] = EventState(values["state"])
    values["origin"] = Origin(values["origin"])
    values["dedupe_kind"] = DedupeKind(values["dedupe_kind"])
    return Event(**values)


def receipt(row: Row) -> Receipt:
    """A receipt from RECEIPT_FIELDS."""
    return Receipt(
        id=row.id,
        source_id=row.source_id,
        provider=row.provider,
        state=ReceiptState(row.state),
        received_at=row.received_at,
        remote=row.remote,
        method=row.method,
        path=row.path,
        body_size=row.body_size,
        has_body=bool(row.has_body),
        body_hash=row.body_hash.hex(),
        secret_id=row.secret_id,
        matched_on=MatchedOn(row.matched_on),
        signed_at=row.signed_at,
        quarantine=None if row.quarantine is None else Reason(row.quarantine),
        released_at=row.released_at,
        released_by=row.released_by,
    )


def source(row: Row, secrets: tuple[SecretInfo, ...]) -> Source:
    """A source with what may be shown of its secrets."""
    return Source(
        id=row.id,
        provider=row.provider,
        name=row.name,
        settings=row.settings,
        event_types=tuple(row.event_types),
        document_ids=tuple(row.document_ids),
        max_body_bytes=row.max_body_bytes,
        paused=row.paused,
        managed_by=ManagedBy(row.managed_by),
        created_at=row.created_at,
        updated_at=row.updated_at,
        secrets=secrets,
    )


def secret_info(row: Row) -> SecretInfo:
    """What may be shown of a secret."""
    return SecretInfo(
        id=row.id, role=row.role, created_at=row.created_at, expires_at=row.expires_at
    )


def rejection(row: Row) -> Rejection:
    """A row of the rejected log."""
    return Rejection(
        id=row.id,
        source_id=row.source_id,
        provider=row.provider,
        at=row.at,
        status=row.status,
        reason=Reason(row.reason),
        detail=row.detail,
        hint=row.hint,
        remote=row.remote,
        method=row.method,
        path=row.path,
        body_size=row.body_size,
        headers=tuple((name, value) for name, value in row.headers),
    )


def user(row: Row) -> User:
    """A user."""
    return User(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        password_hash=row.password_hash,
        created_at=row.created_at,
        disabled=row.disabled,
    )


def login_session(row: Row) -> LoginSession:
    """A signed-in browser."""
    return LoginSession(
        token_hash=row.token_hash,
        user_id=row.user_id,
        csrf=row.csrf,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def api_key(row: Row) -> ApiKey:
    """An API key; a scope that this release does not know is left out."""
    known = {scope.value for scope in Scope}
    return ApiKey(
        id=row.id,
        name=row.name,
        key_hash=row.key_hash,
        hint=row.hint,
        scopes=frozenset(Scope(scope) for scope in row.scopes if scope in known),
        created_at=row.created_at,
        created_by=row.created_by,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        application_id=row.application_id,
    )


def portal_token(row: Row) -> PortalToken:
    """A token of an application's portal."""
    return PortalToken(
        token_hash=row.token_hash,
        application_id=row.application_id,
        kind=PortalTokenKind(row.kind),
        csrf=row.csrf,
        created_at=row.created_at,
        expires_at=row.expires_at,
        created_by=row.created_by,
    )


def audit_entry(row: Row) -> AuditEntry:
    """A line of the audit log."""
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        target=row.target,
        detail=row.detail,
    )


def add_audit(conn: sa.Connection, entry: AuditEntry) -> None:
    """Writes a line of the audit log in the change's own transaction."""
    conn.execute(
        schema.audit_log.insert().values(
            id=entry.id,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            target=entry.target,
            detail=entry.detail,
        )
    )
