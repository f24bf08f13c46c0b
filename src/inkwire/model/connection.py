"""Connections: credentials for a provider's API, and how they are doing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from inkwire.model.source import SettingValue


class ConnectionHealth(StrEnum):
    """Whether calls by this connection make sense."""

    UNCHECKED = "unchecked"
    OK = "ok"
    #: Its work is parked, not failed, until a person has mended it.
    NEEDS_ATTENTION = "needs_attention"


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """Credentials of one account at one provider, without the secrets."""

    #: Chosen by the operator, as a source's: `[a-z0-9][a-z0-9-]*`.
    id: str
    provider: str
    name: str
    #: Way of authentication, e.g. `jwt` or `ccg`.
    method: str
    settings: Mapping[str, SettingValue]
    #: Which secrets are set, and since when.
    secrets_set: Mapping[str, datetime] = field(default_factory=dict)
    health: ConnectionHealth = ConnectionHealth.UNCHECKED
    #: What is wrong and what to do, for a person.
    health_note: str = ""
    health_at: datetime | None = None
    token_expires_at: datetime | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """What a provider's token endpoint gave."""

    access: str = field(repr=False)
    expires_at: datetime
    refresh: str | None = field(default=None, repr=False)
    #: Address that the token is good for, if the answer names one (Salesforce's `instance_url`),
    #: without a slash at the end; "" if calls go to the connection's own address.
    base_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldToken:
    """The stored token of a connection, and its generation: each refresh is the next one."""

    token: Token | None
    generation: int
    #: Until when some process is refreshing it.
    leased_until: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Authorization:
    """A person's consent that was asked for and has not come back yet (OAuth, code with PKCE)."""

    connection_id: str
    #: PKCE's `code_verifier` (RFC 7636).
    verifier: str = field(repr=False)
    #: Where the answer comes; the exchange names it again.
    redirect_uri: str
    #: Whose browser asked, as the caller writes it: only the same one may bring the answer.
    session: str
    #: Good before this moment.
    until: datetime
