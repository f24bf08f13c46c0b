"""Users, sessions, API keys, portal tokens and the audit log."""

import threading
from datetime import datetime, timedelta

import sqlalchemy as sa

from inkwire.errors import Conflict, NotFound
from inkwire.model.access import (
    ApiKey,
    AuditEntry,
    LoginSession,
    PortalToken,
    PortalTokenKind,
    User,
)
from inkwire.store import rows, schema, schema_sending
from inkwire.store.applications import lock_application
from inkwire.store.contract import MAX_PAGE
from inkwire.store.database import Database
from inkwire.store.faults import Violated

TOUCH_EVERY = timedelta(minutes=1)
_users = schema.users
_sessions = schema.login_sessions
_keys = schema.api_keys
_audit = schema.audit_log
_tokens = schema_sending.portal_tokens


class SqlAccess:
    """See `contract.Access`."""

    def __init__(self, database: Database) -> None:
        """Remembers when this process last noted the use of each key."""
        self._database = database
        self._touched: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def users(self) -> list[User]:
        """Every user, by name."""
        with self._database.reading() as conn:
            return [
                rows.user(row) for row in conn.execute(sa.select(_users).order_by(_users.c.name))
            ]

    def user(self, name: str) -> User | None:
        """The user of that sign-in name, or None."""
        return self._user(_users.c.name == name)

    def user_by_id(self, user_id: str) -> User | None:
        """The user of that id, or None."""
        return self._user(_users.c.id == user_id)

    def add_user(self, user: User, *, audit: AuditEntry) -> None:
        """Raises Conflict if the name is taken."""
        try:
            with self._database.writing() as conn:
                conn.execute(
                    _users.insert().values(
                        id=user.id, name=user.name, created_at=user.created_at, **_changeable(user)
                    )
                )
                rows.add_audit(conn, audit)
        except Violated:
            raise Conflict(f"There is a user {user.name} already; choose another name.") from None

    def update_user(self, user: User, *, audit: AuditEntry) -> None:
        """Replaces role, password hash and disabled; ends their sessions. Raises NotFound."""
        with self._database.writing() as conn:
            changed = conn.execute(
                _users.update().where(_users.c.id == user.id).values(_changeable(user))
            )
            if changed.rowcount == 0:
                raise NotFound(f"There is no user {user.name}.")
            conn.execute(_sessions.delete().where(_sessions.c.user_id == user.id))
            rows.add_audit(conn, audit)

    def add_session(self, session: LoginSession) -> None:
        """Keeps a session, and forgets expired ones."""
        with self._database.writing() as conn:
            conn.execute(_sessions.delete().where(_sessions.c.expires_at <= session.created_at))
            conn.execute(
                _sessions.insert().values(
                    token_hash=session.token_hash,
                    user_id=session.user_id,
                    csrf=session.csrf,
                    created_at=session.created_at,
                    expires_at=session.expires_at,
                )
            )

    def session(self, token_hash: bytes) -> LoginSession | None:
        """The session of a cookie, expired or not; None if there is none."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(_sessions).where(_sessions.c.token_hash == token_hash)
            ).one_or_none()
        return None if row is None else rows.login_session(row)

    def end_session(self, token_hash: bytes) -> None:
        """Forgets a session."""
        with self._database.writing() as conn:
            conn.execute(_sessions.delete().where(_sessions.c.token_hash == token_hash))

    def api_keys(self) -> list[ApiKey]:
        """Every API key, newest first."""
        with self._database.reading() as conn:
            found = conn.execute(sa.select(_keys).order_by(_keys.c.id.desc()))
            return [rows.api_key(row) for row in found]

    def api_key(self, key_hash: bytes) -> ApiKey | None:
        """The key of that hash, revoked or not; None if there is none."""
        with self._database.reading() as conn:
            row = conn.execute(sa.select(_keys).where(_keys.c.key_hash == key_hash)).one_or_none()
        return None if row is None else rows.api_key(row)

    def add_api_key(self, key: ApiKey, *, audit: AuditEntry) -> None:
        """Keeps a key's hash. Raises NotFound if the application it is for is gone."""
        with self._database.writing() as conn:
            if key.application_id is not None:
                lock_application(conn, key.application_id)
            conn.execute(
                _keys.insert().values(
                    id=key.id,
                    name=key.name,
                    key_hash=key.key_hash,
                    hint=key.hint,
                    scopes=sorted(scope.value for scope in key.scopes),
                    created_at=key.created_at,
                    created_by=key.created_by,
                    last_used_at=key.last_used_at,
                    revoked_at=key.revoked_at,
                    application_id=key.application_id,
                )
            )
            rows.add_audit(conn, audit)

    def revoke_api_key(self, key_id: str, *, at: datetime, audit: AuditEntry) -> None:
        """Ends a key; one that has ended keeps its time. Raises NotFound."""
        with self._database.writing() as conn:
            changed = conn.execute(
                _keys.update()
                .where(_keys.c.id == key_id)
                .values(
                    revoked_at=sa.func.coalesce(_keys.c.revoked_at, sa.literal(at, schema.Micros()))
                )
            )
            if changed.rowcount == 0:
                raise NotFound(f"There is no API key {key_id}.")
            rows.add_audit(conn, audit)

    def touch_api_key(self, key_id: str, *, at: datetime) -> None:
        """Notes that it was used; at most once a minute reaches the disk."""
        with self._lock:
            last = self._touched.get(key_id)
            if last is not None and at - last < TOUCH_EVERY:
                return
            self._touched[key_id] = at
        with self._database.writing() as conn:
            conn.execute(
                _keys.update()
                .where(
                    _keys.c.id == key_id,
                    sa.or_(_keys.c.last_used_at.is_(None), _keys.c.last_used_at < at),
                )
                .values(last_used_at=at)
            )

    def add_portal_token(self, token: PortalToken, *, audit: AuditEntry | None = None) -> None:
        """Keeps a token's hash, and forgets expired ones. Raises NotFound without application."""
        with self._database.writing() as conn:
            lock_application(conn, token.application_id)
            conn.execute(_tokens.delete().where(_tokens.c.expires_at <= token.created_at))
            conn.execute(
                _tokens.insert().values(
                    token_hash=token.token_hash,
                    application_id=token.application_id,
                    kind=token.kind.value,
                    csrf=token.csrf,
                    created_at=token.created_at,
                    expires_at=token.expires_at,
                    created_by=token.created_by,
                )
            )
            if audit is not None:
                rows.add_audit(conn, audit)

    def take_portal_token(self, token_hash: bytes) -> PortalToken | None:
        """A link's token, expired or not, which is gone afterwards: it opens one session."""
        with self._database.writing() as conn:
            row = conn.execute(
                _tokens.delete()
                .where(_token(token_hash, PortalTokenKind.LINK))
                .returning(*_tokens.c)
            ).one_or_none()
        return None if row is None else rows.portal_token(row)

    def portal_session(self, token_hash: bytes) -> PortalToken | None:
        """A session's token, expired or not; None if there is none."""
        with self._database.reading() as conn:
            row = conn.execute(
                sa.select(_tokens).where(_token(token_hash, PortalTokenKind.SESSION))
            ).one_or_none()
        return None if row is None else rows.portal_token(row)

    def end_portal_session(self, token_hash: bytes) -> None:
        """Forgets a session."""
        with self._database.writing() as conn:
            conn.execute(_tokens.delete().where(_token(token_hash, PortalTokenKind.SESSION)))

    def audit(self, *, before: str | None = None, limit: int = 50) -> list[AuditEntry]:
        """The audit log, newest first."""
        wanted = sa.select(_audit).order_by(_audit.c.id.desc()).limit(max(0, min(limit, MAX_PAGE)))
        if before is not None:
            wanted = wanted.where(_audit.c.id < before)
        with self._database.reading() as conn:
            return [rows.audit_entry(row) for row in conn.execute(wanted)]

    def _user(self, where: sa.ColumnElement[bool]) -> User | None:
        with self._database.reading() as conn:
            row = conn.execute(sa.select(_users).where(where)).one_or_none()
        return None if row is None else rows.user(row)


def _token(token_hash: bytes, kind: PortalTokenKind) -> sa.ColumnElement[bool]:
    return sa.and_(_tokens.c.token_hash == token_hash, _tokens.c.kind == kind.value)


def _changeable(user: User) -> dict[str, object]:
    return {
        "role": user.role.value,
        "password_hash": user.password_hash,
        "disabled": user.disabled,
    }
