"""How Inkwire gets Salesforce's tokens: client credentials, a signed statement, a sign-in. Pure.

Sources: help.salesforce.com, OAuth 2.0 client credentials flow, JWT bearer flow and web server flow
for External Client Apps. A token is good for the address that its answer names (`instance_url`).

A statement (JWT bearer) is made out to the very address that it is sent to. So one that went to
another host than Salesforce's is good for nothing at Salesforce. External Client Apps know no
other: since Spring '26 they refuse one that is made out to login. or test.salesforce.com.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from inkwire.errors import InvalidInput
from inkwire.model.connection import Token
from inkwire.providers import pem
from inkwire.providers.contract import AuthMethod, Settings, TokenRequest
from inkwire.providers.oauth import PLAIN, address_problem, sign_in_url, under
from inkwire.providers.salesforce.auth_fields import (
    CLIENT_CREDENTIALS,
    JWT_BEARER,
    KEYS,
    METHODS,
    OLDEST_VERSION,
    WEB_SERVER,
)
from inkwire.providers.salesforce.token_answers import read_token, wants_other_clock
from inkwire.providers.settings import check_settings, complete_settings

DOMAINS = ("salesforce.com", "force.com")
#: Where anybody signs in; they hand out no tokens for client credentials.
LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
#: What a person is asked to allow: the REST API, and to stay signed in.
SCOPES = "api refresh_token"
#: Seconds that a statement is good for; Salesforce takes three minutes at most.
STATEMENT_S = 120
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: Of a user of Salesforce: 80 characters, like an e-mail address.
_USER_NAME = re.compile(r"[^@\s]{1,64}@[^@\s]{1,79}")
_MOST_USER_NAME, _MOST_PASSPHRASE = 80, 512
_TOKEN_PATH, _AUTHORIZE_PATH = "/services/oauth2/token", "/services/oauth2/authorize"
_VERSION = re.compile(r"([1-9][0-9])\.0")
_EXAMPLE = "https://acme.my.salesforce.com"
_ADDRESSES = ("my_domain", "login_url")
_WHERE = {
    "settings.my_domain": "is needed: the address of your organisation, such as "
    f"{_EXAMPLE}; Setup → My Domain shows it",
    "settings.client_id": "is needed: the Consumer Key of the External Client App, under "
    "Settings → OAuth Settings → Consumer Key and Secret",
    "secrets.client_secret": "is needed: the Consumer Secret, beside the Consumer Key",
    "settings.as_user": "is needed: the user name (Setup → Users) that calls are made as",
    "secrets.private_key": "is needed: the private key (PEM) of the certificate that was uploaded "
    "to the External Client App",
}
#: Hosts of pages that people have before them, and the one that takes API calls.
_PAGES_TO_API = (
    (".lightning.force.com", ".my.salesforce.com"),
    (".my.salesforce-setup.com", ".my.salesforce.com"),
)


class SalesforceConnector:
    """Salesforce's ways to a token, all by an External Client App."""

    methods: tuple[AuthMethod, ...] = METHODS
    domains: tuple[str, ...] = DOMAINS

    def clean(
        self, method: str, settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> tuple[Settings, Mapping[str, str]]:
        """Settings and secrets as they are kept; an address of a page becomes the organisation's.

        Raises InvalidInput that names every wrong or missing field.
        """
        described = _method(method)
        wrong: dict[str, str] = {}
        given = {key: _stripped(key, value) for key, value in settings.items()}
        # A field that was emptied goes back to its default.
        given = {key: value for key, value in given.items() if value != ""}
        roles = {field.role for field in described.secrets}
        # A passphrase may begin or end in a blank, though pasted ones do by mistake: see `pem`.
        kept = {
            role: value if role == "passphrase" else value.strip()
            for role, value in secrets.items()
            if role in roles
        }
        for role in secrets.keys() - roles:
            wrong[f"secrets.{role}"] = f"is no secret here; there are: {', '.join(sorted(roles))}"
        try:
            checked = check_settings(described.settings, given)
        except InvalidInput as error:
            wrong.update(error.fields)
            checked, _ = complete_settings(described.settings, given)
        wrong = _missing(method, checked, kept) | _problems(method, checked, kept) | wrong
        if kept.get("private_key") and pem.PASSPHRASE not in wrong:
            try:
                key, phrase = pem.mended(kept["private_key"], kept.get("passphrase", ""), KEYS)
            except InvalidInput as error:
                wrong |= error.fields
            else:
                kept |= {"private_key": key, "passphrase": phrase}
        if wrong:
            raise InvalidInput(fields=wrong)
        return checked, {role: value for role, value in kept.items() if value}

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
        """The request for a token of the app's “Run As” user, or of who signed in by `refresh`.

        By a statement: of the user that the settings name. `now` is its beginning; `jti` is not
        used, for Salesforce knows no such claim.
        """
        if method == JWT_BEARER:
            form = {"grant_type": _GRANT, "assertion": _statement(settings, secrets, now)}
            return TokenRequest(url=_host(method, settings) + _TOKEN_PATH, form=form)
        form = _client(settings, secrets)
        if method == WEB_SERVER:
            form |= {"grant_type": "refresh_token", "refresh_token": refresh or ""}
        else:
            form |= {"grant_type": "client_credentials"}
        return TokenRequest(url=_host(method, settings) + _TOKEN_PATH, form=form)

    def authorize_url(
        self, method: str, settings: Settings, *, state: str, challenge: str, redirect_uri: str
    ) -> str:
        """Where a person signs in and allows `SCOPES`."""
        return sign_in_url(
            _host(method, settings) + _AUTHORIZE_PATH,
            {
                "client_id": str(settings["client_id"]),
                "redirect_uri": redirect_uri,
                "scope": SCOPES,
                "state": state,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            },
        )

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
        """The request that turns the code into a token and a refresh token."""
        form = _client(settings, secrets) | {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        return TokenRequest(url=_host(method, settings) + _TOKEN_PATH, form=form)

    def clock_differs(self, status: int, body: bytes) -> bool:
        """Whether a statement was refused that may be too old, or too far ahead."""
        return wants_other_clock(status, body)

    def read_token(
        self, status: int, body: bytes, *, now: datetime, retry_after_s: float | None = None
    ) -> Token:
        """The answer's token. Raises NeedsAttention, LimitReached or Transient, each in words."""
        return read_token(status, body, now=now, retry_after_s=retry_after_s)


def _method(name: str) -> AuthMethod:
    for method in METHODS:
        if method.name == name:
            return method
    known = ", ".join(method.name for method in METHODS)
    raise InvalidInput(
        fields={"method": f"is no way to authenticate at Salesforce; there are: {known}"}
    )


def _host(method: str, settings: Settings) -> str:
    return str(settings["login_url" if method == WEB_SERVER else "my_domain"])


def _client(settings: Settings, secrets: Mapping[str, str]) -> dict[str, str]:
    secret = secrets.get("client_secret", "")
    return {"client_id": str(settings["client_id"])} | ({"client_secret": secret} if secret else {})


def _statement(settings: Settings, secrets: Mapping[str, str], now: datetime) -> str:
    """Who asks, for whom, at which address, until when: signed by RS256."""
    import jwt  # noqa: PLC0415 - only a process that refreshes tokens needs it

    key = pem.load(secrets["private_key"], secrets.get("passphrase", ""))
    claims = {
        "iss": str(settings["client_id"]),
        "sub": str(settings["as_user"]),
        "aud": _host(JWT_BEARER, settings),
        "exp": int((now + timedelta(seconds=STATEMENT_S)).timestamp()),
    }
    return jwt.encode(claims, key, algorithm="RS256")


def _stripped(key: str, value: Any) -> Any:
    """A text without blanks at its ends; of an address only the host, as the API's is called."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if key not in _ADDRESSES or not text:
        return text
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
    except ValueError:
        return text
    for page, api in _PAGES_TO_API:
        if host.endswith(page):
            return f"https://{host.removesuffix(page)}{api}"
    if under(host, DOMAINS) and "@" not in parts.netloc:
        # The rest of an address that was copied out of a browser leads to a page.
        return f"{parts.scheme}://{parts.netloc.lower()}"
    return text.rstrip("/")


def _missing(method: str, settings: Settings, secrets: Mapping[str, str]) -> dict[str, str]:
    """Each credential that lacks, by its path."""
    lacking = [f"settings.{key}" for key in ("my_domain", "client_id", "as_user")
               if key in settings and not settings[key]]  # fmt: skip
    needed = {CLIENT_CREDENTIALS: "client_secret", JWT_BEARER: "private_key"}.get(method)
    if needed and not secrets.get(needed):
        lacking.append(f"secrets.{needed}")
    return {path: _WHERE[path] for path in lacking}


def _problems(method: str, settings: Settings, secrets: Mapping[str, str]) -> dict[str, str]:
    """Everything that is there and does not fit; no secret is repeated."""
    found: dict[str, str] = {}
    for key in _ADDRESSES:
        url = str(settings.get(key, ""))
        if url and (problem := address_problem(url, DOMAINS, example=_EXAMPLE)):
            found[f"settings.{key}"] = problem
    if method == CLIENT_CREDENTIALS and _domain_host(settings) in LOGIN_HOSTS:
        found["settings.my_domain"] = (
            "must be your organisation's own address, such as "
            f"{_EXAMPLE}: Salesforce gives tokens for client credentials there only"
        )
    version = _VERSION.fullmatch(str(settings["api_version"]))
    if version is None or int(version[1]) < OLDEST_VERSION:
        found["settings.api_version"] = (
            f"must be a version such as 66.0, and {OLDEST_VERSION}.0 or newer"
        )
    if settings["client_id"] and not PLAIN.fullmatch(str(settings["client_id"])):
        found["settings.client_id"] = "holds a blank or an odd character; copy it again"
    if secrets.get("client_secret") and not PLAIN.fullmatch(secrets["client_secret"]):
        found["secrets.client_secret"] = "holds a blank or an odd character; copy it again"
    user = str(settings.get("as_user", ""))
    if user and (len(user) > _MOST_USER_NAME or not _USER_NAME.fullmatch(user)):
        found["settings.as_user"] = (
            "must be the user name as Setup → Users shows it, such as inkwire@acme.com: not the "
            "name, the alias or the id of the user"
        )
    if len(secrets.get("passphrase", "")) > _MOST_PASSPHRASE or "\x00" in secrets.get(
        "passphrase", ""
    ):
        found[pem.PASSPHRASE] = f"must be at most {_MOST_PASSPHRASE} characters; copy it again"
    return found


def _domain_host(settings: Settings) -> str:
    """The host of the organisation's address; "" if it is no address."""
    try:
        return urlsplit(str(settings.get("my_domain", ""))).hostname or ""
    except ValueError:
        return ""
