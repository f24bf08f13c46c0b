"""The gate: who comes in, as whom, and who may change that."""

import re
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from inkwire.access import tokens
from inkwire.access.passwords import Passwords
from inkwire.access.throttle import Throttle
from inkwire.auditing import Auditor
from inkwire.clock import Clock
from inkwire.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    RateLimited,
    StoreError,
    Unauthenticated,
)
from inkwire.ids import Ids
from inkwire.model.access import (
    APPLICATION_SCOPES,
    ROLE_SCOPES,
    ApiKey,
    AuditEntry,
    Caller,
    LoginSession,
    Role,
    Scope,
    User,
)
from inkwire.store.contract import MAX_PAGE, Store

log = structlog.get_logger()

#: Whoever may run commands on the machine may do everything.
CLI = Caller(actor="cli", scopes=frozenset(Scope))
FIRST_ADMIN = "admin"
MAX_KEY_NAME = 100
MAX_API_KEYS = 1000
_WRONG = (
    "The name or the password is wrong. If you forgot it, an administrator can set a new one, or "
    "whoever runs the machine: `inkwire users password NAME`."
)
_USER_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedIn:
    """A person with a valid session."""

    user: User
    session: LoginSession
    caller: Caller

    @property
    def csrf(self) -> str:
        """What must come back with every form of theirs."""
        return self.session.csrf


class Gate:
    """Signs people in, knows API keys, and keeps both. Safe to share between threads.

    Methods that take a caller need the scope `access` (raise Forbidden). Nobody can give away, or
    take over, more than they hold themselves.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        ids: Ids,
        session_hours: int,
        passwords: Passwords | None = None,
    ) -> None:
        """`session_hours`: how long a sign-in lasts; `passwords`: with other costs, for tests."""
        self._access = store.access
        self._clock = clock
        self._ids = ids
        self._audit = Auditor(clock, ids)
        self._session = timedelta(hours=session_hours)
        self._passwords = passwords or Passwords()
        self._throttle = Throttle(clock)
        self._changing = threading.Lock()

    # --- coming in

    def sign_in(self, name: str, password: str, *, remote: str) -> tuple[str, LoginSession]:
        """The cookie's token and the session. Unknown names take as long as wrong passwords.

        Raises Unauthenticated, and RateLimited after several failures of the name or the address.
        """
        name = name.strip().lower()
        user = self._proven(name, password, remote)
        if user is None:
            raise Unauthenticated(_WRONG)
        token, now = tokens.new_token(), self._clock.now()
        session = LoginSession(
            token_hash=tokens.hash_token(token),
            user_id=user.id,
            csrf=tokens.new_token(),
            created_at=now,
            expires_at=now + self._session,
        )
        self._access.add_session(session)
        if self._access.user_by_id(user.id) != user:  # changed while the password was checked
            self._access.end_session(session.token_hash)
            raise Unauthenticated(_WRONG)
        return token, session

    def signed_in(self, token: str | None) -> SignedIn | None:
        """Who holds this cookie; None if nobody, or no longer."""
        if token is None or not tokens.looks_like_token(token):
            return None
        session = self._access.session(tokens.hash_token(token))
        if session is None or session.expires_at <= self._clock.now():
            return None
        user = self._access.user_by_id(session.user_id)
        if user is None or user.disabled:
            return None
        caller = Caller(actor=f"user:{user.name}", scopes=ROLE_SCOPES[user.role])
        return SignedIn(user=user, session=session, caller=caller)

    def sign_out(self, token: str) -> None:
        """Ends the session of this cookie, if there is one."""
        if tokens.looks_like_token(token):
            self._access.end_session(tokens.hash_token(token))

    def by_key(self, authorization: str | None) -> Caller:
        """Who sends `Authorization: Bearer ink_…`. Raises Unauthenticated, saying what to send."""
        scheme, _, given = (authorization or "").strip().partition(" ")
        if not given:
            raise Unauthenticated("Send an API key as `Authorization: Bearer ink_…`.")
        given = given.strip()
        if scheme.lower() != "bearer" or not tokens.looks_like_api_key(given):
            raise Unauthenticated(
                "This is no API key of Inkwire; send one as `Authorization: Bearer ink_…`, whole "
                "and without quotes."
            )
        key = self._access.api_key(tokens.hash_token(given))
        if key is None:
            raise Unauthenticated("This API key is unknown here; ask an administrator for one.")
        if key.revoked_at is not None:
            raise Unauthenticated(
                "This API key was revoked; ask an administrator for a new one.", code="revoked"
            )
        with suppress(StoreError):  # when it was last used is worth no failed request
            self._access.touch_api_key(key.id, at=self._clock.now())
        scopes = key.scopes if key.application_id is None else key.scopes & APPLICATION_SCOPES
        return Caller(actor=f"key:{key.id}", scopes=scopes, application_id=key.application_id)

    # --- users

    def users(self, caller: Caller) -> list[User]:
        """Every user, by name."""
        caller.require(Scope.ACCESS)
        return self._access.users()

    def add_user(self, caller: Caller, *, name: str, password: str, role: Role) -> User:
        """Adds a user. Raises InvalidInput, and Conflict if the name is taken."""
        _may_give(caller, ROLE_SCOPES[role])
        name = name.strip().lower()
        if not _USER_NAME.fullmatch(name):
            raise InvalidInput(
                fields={
                    "name": "must be 1 to 64 letters, digits or . _ @ + -, the first a letter or "
                    "a digit"
                }
            )
        user = User(
            id=self._ids.new("usr"),
            name=name,
            role=role,
            password_hash=self._passwords.hash(password),
            created_at=self._clock.now(),
        )
        audit = self._audit.entry(caller, "user.add", user.id, name=name, role=role.value)
        self._access.add_user(user, audit=audit)
        return user

    def set_password(self, caller: Caller, name: str, password: str) -> User:
        """Gives a user a new password and ends their sessions. Raises NotFound, InvalidInput."""
        self._mine(caller, name)
        hashed = self._passwords.hash(password)
        with self._changing:  # read after the slow hash, so that no change made meanwhile is undone
            user = self._mine(caller, name)
            return self._change(caller, user, "user.password", password_hash=hashed)

    def change_own_password(self, who: SignedIn, *, current: str, new: str, remote: str) -> User:
        """A person's own change; ends all their sessions, this one too.

        Raises InvalidInput naming `current` or `password`, RateLimited, and Unauthenticated if the
        user was disabled, or given another password, meanwhile.
        """
        proven = self._proven(who.user.name, current, remote)
        if proven is None:
            raise InvalidInput(fields={"current": "is not your present password"})
        hashed = self._passwords.hash(new)
        with self._changing:
            user = self._access.user_by_id(proven.id)
            if user is None or user.disabled or user.password_hash != proven.password_hash:
                raise Unauthenticated("Your account was changed meanwhile; sign in again.")
            return self._change(who.caller, user, "user.password", password_hash=hashed)

    def user(self, caller: Caller, name: str) -> User:
        """The user of a sign-in name. Raises NotFound."""
        caller.require(Scope.ACCESS)
        return self._named(name)

    def change_user(
        self, caller: Caller, name: str, *, role: Role | None = None, disabled: bool | None = None
    ) -> User:
        """Changes role, or whether a user is kept out, and ends their sessions; None: as it is.

        Raises NotFound, and Conflict if no administrator would be left.
        """
        with self._changing:
            user = self._mine(caller, name)
            role = user.role if role is None else role
            disabled = user.disabled if disabled is None else disabled
            if (role, disabled) == (user.role, user.disabled):
                return user
            _may_give(caller, ROLE_SCOPES[role])
            if role is not Role.ADMIN or disabled:
                self._keep_an_admin(user)
            return self._change(caller, user, "user.change", role=role, disabled=disabled)

    def set_role(self, caller: Caller, name: str, role: Role) -> User:
        """Changes what a user may do; see `change_user`."""
        return self.change_user(caller, name, role=role)

    def disable(self, caller: Caller, name: str) -> User:
        """Keeps a user out; see `change_user`."""
        return self.change_user(caller, name, disabled=True)

    def enable(self, caller: Caller, name: str) -> User:
        """Lets a disabled user in again; see `change_user`."""
        return self.change_user(caller, name, disabled=False)

    def first_admin(self) -> tuple[User, str] | None:
        """Makes `admin` with a random password, returned this once, if there are no users yet."""
        if self._access.users():
            return None
        password = tokens.new_password()
        try:
            user = self.add_user(CLI, name=FIRST_ADMIN, password=password, role=Role.ADMIN)
        except Conflict:  # another process was first
            return None
        return user, password

    # --- API keys and the audit log

    def api_keys(self, caller: Caller, *, application_id: str | None = None) -> list[ApiKey]:
        """Every API key, revoked ones too, newest first; or those of one application."""
        _keeps_keys(caller, application_id)
        keys = self._access.api_keys()
        if application_id is None:
            return keys
        return [key for key in keys if key.application_id == application_id]

    def add_api_key(
        self,
        caller: Caller,
        *,
        name: str,
        scopes: frozenset[Scope],
        application_id: str | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key, and its text, which cannot be shown again.

        `application_id`: the application that it speaks for; it then reaches that one's things
        only, and takes the scope `applications` to make. Raises InvalidInput naming every wrong
        field, Forbidden for scopes the caller lacks, and Conflict if there are too many keys.
        """
        _keeps_keys(caller, application_id)
        _holds(caller, scopes)
        wrong = {}
        if not (1 <= len(name) <= MAX_KEY_NAME and name.isprintable() and name == name.strip()):
            wrong["name"] = (
                f"must be 1 to {MAX_KEY_NAME} printable characters, without blanks at the ends"
            )
        possible = frozenset(Scope) if application_id is None else APPLICATION_SCOPES
        if not scopes or scopes - possible:
            wrong["scopes"] = f"must name at least one of, and only: {', '.join(sorted(possible))}"
        if wrong:
            raise InvalidInput(fields=wrong)
        if sum(key.revoked_at is None for key in self._access.api_keys()) >= MAX_API_KEYS:
            raise Conflict(
                f"There are {MAX_API_KEYS} API keys in use; revoke one that is not used."
            )
        text = tokens.new_api_key()
        key = ApiKey(
            id=self._ids.new("key"),
            name=name,
            key_hash=tokens.hash_token(text),
            hint=text[: tokens.HINT_LENGTH],
            scopes=scopes,
            created_at=self._clock.now(),
            created_by=caller.actor,
            application_id=application_id,
        )
        detail = {"name": name, "scopes": " ".join(sorted(scopes))}
        if application_id is not None:
            detail["application"] = application_id
        self._access.add_api_key(
            key, audit=self._audit.entry(caller, "api_key.add", key.id, **detail)
        )
        return key, text

    def revoke_api_key(
        self, caller: Caller, key_id: str, *, application_id: str | None = None
    ) -> None:
        """Ends a key at once. Raises NotFound; revoking twice changes nothing.

        `application_id`: the key must be that application's.
        """
        keys = self.api_keys(caller, application_id=application_id)
        key = next((key for key in keys if key.id == key_id), None)
        if key is None:
            raise NotFound(f"There is no API key {key_id}.")
        if key.revoked_at is None:
            audit = self._audit.entry(caller, "api_key.revoke", key_id, name=key.name)
            self._access.revoke_api_key(key_id, at=audit.at, audit=audit)

    def audit(
        self, caller: Caller, *, before: str | None = None, limit: int = 50
    ) -> list[AuditEntry]:
        """The audit log, newest first; `before`: only entries older than this id."""
        caller.require(Scope.ACCESS)
        return self._access.audit(before=before, limit=max(1, min(limit, MAX_PAGE)))

    # --- inside

    def _proven(self, name: str, password: str, remote: str) -> User | None:
        known = _USER_NAME.fullmatch(name) is not None
        self._throttle.attempt(name[:64], remote)
        user = self._access.user(name) if known else None
        try:
            right = self._passwords.verify(user.password_hash if user else None, password)
        except RateLimited:
            self._throttle.not_tried(name[:64], remote)
            raise
        if user is None or not right or user.disabled:
            # A name that nobody has may be a password typed in the wrong box: it is not logged.
            log.warning("access.sign_in_failed", name=user.name if user else None, remote=remote)
            return None
        self._throttle.succeeded(name, remote)
        return user

    def _named(self, name: str) -> User:
        name = name.strip().lower()
        user = self._access.user(name) if _USER_NAME.fullmatch(name) else None
        if user is None:
            raise NotFound("There is no user of that name.")
        return user

    def _mine(self, caller: Caller, name: str) -> User:
        """The user, if the caller may act on them. Raises Forbidden, NotFound."""
        caller.require(Scope.ACCESS)
        user = self._named(name)
        _may_give(caller, ROLE_SCOPES[user.role])
        return user

    def _keep_an_admin(self, user: User) -> None:
        others = (
            other
            for other in self._access.users()
            if other.role is Role.ADMIN and not other.disabled and other.id != user.id
        )
        if user.role is Role.ADMIN and not user.disabled and next(others, None) is None:
            raise Conflict(
                f"{user.name} is the only administrator; make another user administrator first."
            )

    def _change(self, caller: Caller, user: User, action: str, **changes: object) -> User:
        """Writes the whole user: `user` was read under the lock `_changing`, still held."""
        changed = replace(user, **changes)  # type: ignore[arg-type] # fields of User
        detail = {"name": user.name}
        if changed.role is not user.role:
            detail["role"] = changed.role.value
        if changed.disabled is not user.disabled:
            detail["disabled"] = str(changed.disabled).lower()
        self._access.update_user(
            changed, audit=self._audit.entry(caller, action, user.id, **detail)
        )
        return changed


def _keeps_keys(caller: Caller, application_id: str | None) -> None:
    """Raises Forbidden unless the caller may handle keys, or those of applications."""
    caller.require(Scope.ACCESS if application_id is None else Scope.APPLICATIONS)


def _may_give(caller: Caller, scopes: frozenset[Scope]) -> None:
    """Raises Forbidden unless the caller may hand out access, and holds `scopes` themselves."""
    caller.require(Scope.ACCESS)
    _holds(caller, scopes)


def _holds(caller: Caller, scopes: frozenset[Scope]) -> None:
    """Raises Forbidden unless the caller holds `scopes` themselves."""
    if missing := scopes - caller.scopes:
        raise Forbidden(
            "You cannot give, or take over, more than you hold yourself: "
            f"{', '.join(sorted(missing))}."
        )
