"""Who may do what: users, roles, API keys, and the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from inkwire.errors import Forbidden


class Scope(StrEnum):
    """What a role or an API key reaches. A handler names the one that it needs."""

    SOURCES_READ = "sources:read"
    SOURCES_WRITE = "sources:write"
    EVENTS_READ = "events:read"
    #: Bodies and headers as received: personal data.
    EVENTS_BODY = "events:body"
    #: Release from quarantine, dispatch again.
    EVENTS_WRITE = "events:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    #: The log of messages, deliveries and attempts.
    MESSAGES_READ = "messages:read"
    #: Payloads, and what endpoints answered: personal data.
    MESSAGES_BODY = "messages:body"
    #: Publish, test, resend, recover.
    MESSAGES_WRITE = "messages:write"
    #: Applications, topics, grants, portal links.
    APPLICATIONS = "applications"
    ORDERS_READ = "orders:read"
    #: Stored documents, their bytes: personal data.
    ORDERS_BODY = "orders:body"
    ORDERS_WRITE = "orders:write"
    #: Work, runs, steps, calls, the ledger.
    RUNS_READ = "runs:read"
    #: Retry, replay, cancel, decide.
    RUNS_WRITE = "runs:write"
    #: Connections and integrations, without secrets.
    INTEGRATIONS_READ = "integrations:read"
    #: Connections, integrations, templates, statuses.
    INTEGRATIONS_WRITE = "integrations:write"
    #: Users, API keys, the audit log.
    ACCESS = "access"


class Role(StrEnum):
    """A user's role; each holds the scopes of those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


_VIEWER = frozenset(
    {Scope.SOURCES_READ, Scope.EVENTS_READ, Scope.WEBHOOKS_READ, Scope.MESSAGES_READ}
    | {Scope.ORDERS_READ, Scope.RUNS_READ, Scope.INTEGRATIONS_READ}
)
ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.VIEWER: _VIEWER,
    Role.OPERATOR: _VIEWER
    | {Scope.EVENTS_BODY, Scope.EVENTS_WRITE}
    | {Scope.WEBHOOKS_WRITE, Scope.MESSAGES_BODY, Scope.MESSAGES_WRITE}
    | {Scope.ORDERS_BODY, Scope.ORDERS_WRITE, Scope.RUNS_WRITE},
    Role.ADMIN: frozenset(Scope),
}
#: What the key of an application may hold: it reaches that application's own things only.
APPLICATION_SCOPES = frozenset(
    {
        Scope.WEBHOOKS_READ,
        Scope.WEBHOOKS_WRITE,
        Scope.MESSAGES_READ,
        Scope.MESSAGES_BODY,
        Scope.MESSAGES_WRITE,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A person who signs in to the console."""

    id: str
    #: Sign-in name, lower case, 1–64 characters.
    name: str
    role: Role
    password_hash: str = field(repr=False)
    created_at: datetime
    disabled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LoginSession:
    """A signed-in browser. The cookie's token is kept only as a hash."""

    token_hash: bytes = field(repr=False)
    user_id: str
    #: Must come back with every form: a page of another site cannot know it.
    csrf: str = field(repr=False)
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """A key for the API. The key itself is shown once and kept only as a hash."""

    id: str
    name: str
    key_hash: bytes = field(repr=False)
    #: First characters, to recognise it by.
    hint: str
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    #: The application it speaks for; None: an operator's.
    application_id: str | None = None


class PortalTokenKind(StrEnum):
    """What a token of the portal is for."""

    #: Stands in a link's fragment; is swapped for a session once.
    LINK = "link"
    SESSION = "session"


@dataclass(frozen=True, kw_only=True, slots=True)
class PortalToken:
    """A token of one application's portal, kept only as a hash."""

    token_hash: bytes = field(repr=False)
    application_id: str
    kind: PortalTokenKind
    #: Of a session; must come back with every form.
    csrf: str = field(default="", repr=False)
    created_at: datetime
    expires_at: datetime
    #: Who made the link.
    created_by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who is calling: a signed-in user, an API key, the CLI's operator, or `inkwire.toml`."""

    #: `user:NAME`, `key:ID`, `portal:APPLICATION`, `cli` or `file`.
    actor: str
    scopes: frozenset[Scope]
    #: The only application it reaches; None: all of them.
    application_id: str | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the caller holds `scope`."""
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """Raises Forbidden, naming the scope, unless the caller holds it."""
        if scope not in self.scopes:
            raise Forbidden(
                f"This needs the scope {scope.value}, which your role or API key does not hold; "
                "ask an administrator for it."
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """One change, who made it and when. Committed together with the change."""

    id: str
    at: datetime
    actor: str
    #: `source.create`, `receipt.release` …
    action: str
    #: The object's id.
    target: str
    #: What changed, as text; never a secret.
    detail: Mapping[str, str] = field(default_factory=dict)
