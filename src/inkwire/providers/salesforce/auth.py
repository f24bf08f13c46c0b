"""How Inkwire gets Salesforce's tokens: client credentials, or a person who signs in. Pure.

Sources: help.salesforce.com, OAuth 2.0 client credentials flow and web server flow for External
Client Apps. A token is good for the address that its answer names (`instance_url`).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from inkwire.errors import InvalidInput
from inkwire.model.connection import Token
from inkwire.providers.contract import AuthMethod, Settings, TokenRequest
from inkwire.providers.oauth import PLAIN, address_problem, sign_in_url, under
from inkwire.providers.salesforce.auth_fields import (
    CLIENT_CREDENTIALS,
    METHODS,
    OLDEST_VERSION,
    WEB_SERVER,
)
from inkwire.providers.salesforce.token_answers import read_token
from inkwire.providers.settings import check_settings, complete_settings

DOMAINS = ("salesforce.com", "force.com")
#: Where anybody signs in; they hand out no tokens for client credentials.
LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
#: What a person is asked to allow: the REST API, and to stay signed in.
SCOPES = "api refresh_token"
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
}
#: Hosts of pages that people have before them, and the one that takes API calls.
_PAGES_TO_API = (
    (".lightning.force.com", ".my.salesforce.com"),
    (".my.salesforce-setup.com", ".my.salesforce.com"),
)


class SalesforceConnector:
    """Salesforce's ways to a token, both by an External Client App."""

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
        kept = {role: value.strip() for role, value in secrets.items() if role in roles}
        for role in secrets.keys() - roles:
            wrong[f"secrets.{role}"] = f"is no secret here; there are: {', '.join(sorted(roles))}"
        try:
            checked = check_settings(described.settings, given)
        except InvalidInput as error:
            wrong.update(error.fields)
            checked, _ = complete_settings(described.settings, given)
        wrong = _missing(method, checked, kept) | _problems(method, checked, kept) | wrong
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

        `now` and `jti` are not used: nothing is signed.
        """
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
        """Never: no request says what time it is here."""
        return False

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
    lacking = [f"settings.{key}" for key in ("my_domain", "client_id")
               if key in settings and not settings[key]]  # fmt: skip
    if method == CLIENT_CREDENTIALS and not secrets.get("client_secret"):
        lacking.append("secrets.client_secret")
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
    return found


def _domain_host(settings: Settings) -> str:
    """The host of the organisation's address; "" if it is no address."""
    try:
        return urlsplit(str(settings.get("my_domain", ""))).hostname or ""
    except ValueError:
        return ""
