"""What a provider gives. A new provider is one new folder that holds a `PROVIDER`.

    providers/NAME/
      __init__.py    PROVIDER = Provider(name="NAME", …)
      receive.py     a Receiver: verify and sign, parse, terms, reply
      manual.md      how an operator connects it, step by step, in the vendor's console
      cases/         cases.toml + raw sample bodies, exactly as on the wire

Routes, forms, console pages, CLI help, docs and the contract tests come from the registry and
`cases/`. Everything here is pure: no I/O, no clock, no store, no other provider.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from inkwire.model.connection import Token
from inkwire.model.event import ParsedEvent, Term
from inkwire.model.request import InboundRequest, Reply, SignedRequest
from inkwire.model.source import Secret, SettingValue
from inkwire.model.verdict import Refused, Verdict

#: A source's settings, complete (defaults filled in) and checked by `settings.check_settings`.
Settings = Mapping[str, SettingValue]


class SettingKind(StrEnum):
    """How a setting is entered and checked."""

    TEXT = "text"
    INTEGER = "integer"
    SECONDS = "seconds"
    SWITCH = "switch"
    CHOICE = "choice"
    #: Texts between commas or line breaks, kept as text: see `settings.list_of`.
    LIST = "list"
    #: Texts on lines of their own, which may hold commas, kept as text: see `settings.lines_of`.
    LINES = "lines"
    #: Lines `name = value`, kept as text: see `settings.mapping_of`.
    MAPPING = "mapping"
    #: One e-mail address, or empty.
    EMAIL = "email"
    #: One http or https address, or empty.
    URL = "url"


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingField:
    """One described setting: form, API, CLI help and docs come from it."""

    key: str
    label: str
    help: str
    kind: SettingKind
    default: SettingValue
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    example: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretField:
    """One role of secret that a source of this provider holds."""

    role: str
    label: str
    help: str
    required: bool = True
    #: Length in characters, as the vendor allows.
    min_length: int = 1
    max_length: int = 512
    #: Regular expression that the whole text must match; empty: any printable text.
    pattern: str = ""
    #: What `pattern` asks for, in words: "must be …".
    pattern_help: str = ""
    #: True: `inkwire` can make one up, because the vendor lets the receiver choose.
    generate: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPlan:
    """How the vendor repeats a delivery that was not answered with 2xx."""

    #: Seconds to wait before each repeat.
    delays_s: tuple[float, ...]
    #: Seconds the vendor waits for an answer.
    timeout_s: float
    #: Where this is from, and how sure it is.
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Settings that make a source fit one known sender: something to start from."""

    #: Unique within the provider; a case with `recipe = NAME` is its sample.
    name: str
    #: The sender, as it writes itself.
    title: str
    #: What an operator does at the sender, and what to know of it; a few sentences.
    note: str
    #: Those that differ from the defaults.
    settings: Mapping[str, SettingValue]


class Receiver(Protocol):
    """How one vendor's webhooks are proven, read and answered."""

    #: Described settings of a source, tolerances among them.
    settings: tuple[SettingField, ...]
    secrets: tuple[SecretField, ...]
    #: Known event types (with the provider's prefix) to one sentence each. Open: others may come.
    event_types: Mapping[str, str]
    retries: RetryPlan

    def verify(
        self,
        request: InboundRequest,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
    ) -> Verdict:
        """Proves the sender on raw bytes, in constant time, with every secret given.

        Returns `Accepted` or `Refused`; raises nothing, whatever the input. A request whose
        signature is right but whose time is past gives `Refused(STALE, proof=Accepted)`.
        """
        ...

    def sign(
        self,
        body: bytes,
        secrets: Sequence[Secret],
        settings: Settings,
        now: datetime,
        *,
        event_type: str,
        delivery_id: str,
    ) -> SignedRequest:
        """The request that the vendor would send for `body`, with the first secret of each role.

        `event_type` carries the provider's prefix; some schemes name it in a header.
        """
        ...

    def parse(
        self, request: InboundRequest, body: bytes, settings: Settings
    ) -> tuple[ParsedEvent, ...]:
        """The events in a proven `body` (the canonical text, if only that was signed).

        At least one. Raises `Unparsable` and nothing else.
        """
        ...

    def terms(self, event: ParsedEvent) -> tuple[Term, ...]:
        """What the event can be found by; raises nothing. At most 64 terms are kept."""
        ...

    def reply(self, events: Sequence[ParsedEvent]) -> Reply:
        """What the vendor expects as the answer to an accepted request (always 2xx)."""
        ...

    def handshake(self, request: InboundRequest, settings: Settings) -> Reply | None:
        """The answer to a GET that some vendors send at set-up; None: this vendor sends none."""
        ...

    def hint(self, refused: Refused) -> str:
        """What an operator should look at after this refusal, in plain words."""
        ...

    def fresh(self, body: bytes, token: str) -> bytes:
        """A sample body as another event: the parts that dedupe looks at hold `token`.

        `token`: up to 32 of [a-z0-9]. Bodies that it cannot change come back as they are.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRequest:
    """A form to be POSTed to a token endpoint."""

    url: str
    form: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuthMethod:
    """One way to authenticate, e.g. `jwt`."""

    name: str
    title: str
    help: str
    settings: tuple[SettingField, ...]
    secrets: tuple[SecretField, ...]
    #: Whether a person signs in at the vendor and comes back with a code; see `Connector`.
    authorizes: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing that a connection must be able to do, and whether it can."""

    #: `token`, `user`, or the scope's name.
    name: str
    title: str
    ok: bool
    #: What was found; if not ok, what to do, naming the box to tick in the vendor's console.
    detail: str


class Connector(Protocol):
    """How one vendor's API is authenticated. Pure: it makes requests and reads answers."""

    methods: tuple[AuthMethod, ...]
    #: The vendor's own, e.g. `box.com`: credentials go to their hosts, or to allow-listed ones.
    domains: tuple[str, ...]

    def clean(
        self, method: str, settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> tuple[Settings, Mapping[str, str]]:
        """What was entered, mended where that is safe (a PEM on one line, CRLF, a whole file).

        Raises InvalidInput that names each wrong or missing field, before any network call.
        """
        ...

    def token_request(
        self,
        method: str,
        settings: Settings,
        secrets: Mapping[str, str],
        *,
        now: datetime,
        jti: str,
        refresh: str | None,
    ) -> TokenRequest:
        """The request for a token. `jti`: fresh for each try; `refresh`: a refresh token."""
        ...

    def authorize_url(
        self, method: str, settings: Settings, *, state: str, challenge: str, redirect_uri: str
    ) -> str:
        """Where a person signs in, for a method that `authorizes` (RFC 6749 §4.1, RFC 7636 S256).

        `state`: comes back with the code; `challenge`: of the PKCE verifier.
        """
        ...

    def code_request(
        self,
        method: str,
        settings: Settings,
        secrets: Mapping[str, str],
        *,
        code: str,
        verifier: str,
        redirect_uri: str,
    ) -> TokenRequest:
        """The request that turns the code into a token; it is good for seconds, once."""
        ...

    def clock_differs(self, status: int, body: bytes) -> bool:
        """Whether the answer says that our clock is wrong: ask again once by the vendor's."""
        ...

    def read_token(
        self, status: int, body: bytes, *, now: datetime, retry_after_s: float | None = None
    ) -> Token:
        """The answer's token. Raises NeedsAttention, LimitReached or Transient, each in words.

        `retry_after_s`: what the answer's Retry-After asks for, in seconds.
        """
        ...


class Journal(Protocol):
    """Keeps one call."""

    def __call__(
        self,
        *,
        method: str,
        path: str,
        status: int | None,
        error: str,
        vendor_id: str,
        body_sha256: str,
        started_at: datetime,
        duration_us: int,
    ) -> None:
        """As `inkwire.model.work.Call`. `error`: the vendor's code, or why no answer came."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """A vendor, with what it has of: receiving now; auth, client and sandbox as they come."""

    #: Folder name, prefix of event types and entity keys: `[a-z][a-z0-9]*`.
    name: str
    #: As the vendor writes itself.
    title: str
    #: One sentence.
    summary: str
    receive: Receiver | None = None
    connect: Connector | None = None
    recipes: tuple[Recipe, ...] = ()
    #: Whether the sender's proof covers the body. False: the vendor signs nothing, a shared secret
    #: speaks for the sender alone, and nothing may be done by what a body says.
    proves_body: bool = True
    #: Import path of the package that holds manual.md and cases/.
    package: str
    #: Import path of the module with `mount(stage)`, see `providers.sandboxing`; empty: none.
    sandbox: str = ""
