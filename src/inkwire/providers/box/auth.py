"""How Inkwire gets Box's tokens: by JWT, client credentials, or a person's sign-in. Pure.

Sources: developer.box.com/guides/authentication (JWT without SDK, client credentials grant, OAuth
2.0) and RFC 7523; R14–R19, R33, R70. A statement is good for one try: each has its own `jti`. A
code is good for 30 seconds; a refresh token for 60 days and once, and its answer brings the next.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from inkwire.errors import InvalidInput
from inkwire.model.connection import Token
from inkwire.providers import pem
from inkwire.providers.box.auth_fields import (
    CCG,
    CONFIG,
    JWT,
    METHODS,
    OAUTH,
    TOKEN_URL,
    from_config,
)
from inkwire.providers.box.token_answers import read_token, wants_other_clock
from inkwire.providers.contract import AuthMethod, Settings, TokenRequest
from inkwire.providers.oauth import PLAIN, address_problem, sign_in_url
from inkwire.providers.settings import check_settings, complete_settings

#: Box's hosts; files are handed out by boxcloud.com, which gets no credentials.
DOMAINS = ("box.com",)
#: Seconds that a statement is good for; Box takes 60 at most.
ASSERTION_S = 45
_URLS = ("api_url", "upload_url", "token_url", "authorize_url")
#: Where a key comes from, for the sentences about a wrong one.
KEYS = pem.Origin(
    vendor="Box",
    where="which stands in the field `privateKey` of the file that Box's Developer Console gave "
    "you",
    make="generate an RSA key pair in Box's Developer Console",
    opens="It is the `passphrase` in the file of Box's Developer Console",
    together="take key and passphrase from the same file of Box's Developer Console",
    whole_file="looks like the console's whole JSON file; give that as config_file instead",
)
_DIGITS = re.compile(r"[0-9]{1,20}")
_WHERE = {
    "settings.client_id": "is needed: the Client ID of the app, under Configuration in Box's "
    "Developer Console",
    "settings.enterprise_id": "is needed: the Enterprise ID (digits), under General Settings of "
    "the app in Box's Developer Console",
    "secrets.client_secret": "is needed: the Client Secret of the app, beside the Client ID",
    "secrets.public_key_id": "is needed: the ID of the public key, under Configuration → Add and "
    "Manage Public Keys",
    "secrets.private_key": "is needed: the private key (PEM), `privateKey` in the file that "
    "“Generate a Public/Private Keypair” downloaded",
    "secrets.passphrase": "is needed: the passphrase of the private key, `passphrase` in that file",
}


class BoxConnector:
    """Box's ways to a token: for the app's service account, or for a person who signed in."""

    methods: tuple[AuthMethod, ...] = METHODS
    domains: tuple[str, ...] = DOMAINS

    def clean(
        self, method: str, settings: Mapping[str, Any], secrets: Mapping[str, str]
    ) -> tuple[Settings, Mapping[str, str]]:
        """Settings and secrets as they are kept; `config_file` is taken apart and not kept.

        Raises InvalidInput that names every wrong or missing field (R17, R19).
        """
        described = _method(method)
        wrong: dict[str, str] = {}
        given, kept = _taken(described, settings, secrets, wrong)
        try:
            checked = check_settings(described.settings, given)
        except InvalidInput as error:
            wrong.update(error.fields)
            checked, _ = complete_settings(described.settings, given)
        wrong.update(_missing(method, checked, kept, wrong))
        wrong.update(_settings_problems(checked, wrong))
        wrong.update(_texts_problems(kept, wrong))
        if method == JWT and kept.get("private_key") and pem.KEY not in wrong:
            try:
                key, passphrase = pem.mended(kept["private_key"], kept.get("passphrase", ""), KEYS)
            except InvalidInput as error:
                wrong.update(error.fields)
            else:
                kept |= {"private_key": key, "passphrase": passphrase}
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
        """The request for a token of the enterprise's service account (R16), or by `refresh`.

        `settings` and `secrets` as `clean` gave them. `refresh`: for a person's sign-in alone;
        server authentication has none. `jti`: 16 to 128 characters, never used before.
        """
        form = _client(settings, secrets)
        if method == OAUTH:
            form |= {"grant_type": "refresh_token", "refresh_token": refresh or ""}
        elif method == CCG:
            form |= {
                "grant_type": "client_credentials",
                "box_subject_type": "enterprise",
                "box_subject_id": str(settings["enterprise_id"]),
            }
        else:
            form |= {
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": _assertion(settings, secrets, now=now, jti=jti),
            }
        return TokenRequest(url=str(settings["token_url"]), form=form)

    def authorize_url(
        self, method: str, settings: Settings, *, state: str, challenge: str, redirect_uri: str
    ) -> str:
        """Where a person signs in and allows what the app has ticked.

        `challenge` is not sent: Box documents no PKCE; the client secret goes with the code.
        """
        asked = {
            "client_id": str(settings["client_id"]),
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return sign_in_url(str(settings["authorize_url"]), asked)

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
        """The request that turns the code into a token and a refresh token, within 30 seconds."""
        form = _client(settings, secrets) | {"grant_type": "authorization_code", "code": code}
        return TokenRequest(url=str(settings["token_url"]), form=form)

    def clock_differs(self, status: int, body: bytes) -> bool:
        """Whether Box refused the statement's `exp`: our clock goes wrong."""
        return wants_other_clock(status, body)

    def read_token(
        self, status: int, body: bytes, *, now: datetime, retry_after_s: float | None = None
    ) -> Token:
        """The answer's token. Raises NeedsAttention, LimitReached or Transient, each in words."""
        return read_token(status, body, now=now, retry_after_s=retry_after_s)


def _client(settings: Settings, secrets: Mapping[str, str]) -> dict[str, str]:
    return {
        "client_id": str(settings["client_id"]),
        "client_secret": secrets["client_secret"],
    }


def _method(name: str) -> AuthMethod:
    for method in METHODS:
        if method.name == name:
            return method
    known = ", ".join(method.name for method in METHODS)
    raise InvalidInput(fields={"method": f"is no way to authenticate at Box; there are: {known}"})


def _taken(
    described: AuthMethod,
    settings: Mapping[str, Any],
    secrets: Mapping[str, str],
    wrong: dict[str, str],
) -> tuple[dict[str, Any], dict[str, str]]:
    """What was entered, without blanks at the ends, the console's file taken apart."""
    given = {key: value.strip() if isinstance(value, str) else value
             for key, value in settings.items()}  # fmt: skip
    roles = {field.role for field in described.secrets}
    kept: dict[str, str] = {}
    for role, value in secrets.items():
        if role not in roles:
            wrong[f"secrets.{role}"] = f"is no secret here; there are: {', '.join(sorted(roles))}"
        else:
            # A passphrase may begin or end in a blank, though pasted ones do by mistake.
            kept[role] = value if role == "passphrase" else value.strip()
    config = kept.pop(CONFIG, "")
    if config:
        try:
            more, found = from_config(config)
        except InvalidInput as error:
            wrong.update(error.fields)
        else:
            given |= {key: value for key, value in more.items() if value}
            kept |= found
    # An address that was emptied goes back to Box's own.
    return {key: value for key, value in given.items() if not (key in _URLS and value == "")}, kept


def _missing(
    method: str, settings: Settings, secrets: Mapping[str, str], wrong: Mapping[str, str]
) -> dict[str, str]:
    """Each credential that lacks, by its path (R17)."""
    if f"secrets.{CONFIG}" in wrong:
        return {}  # what it would have held lacks only because of it
    ids = ("client_id",) if method == OAUTH else ("client_id", "enterprise_id")
    lacking = [f"settings.{key}" for key in ids if not settings.get(key)]
    roles = ["client_secret"]
    if method == JWT:
        roles += ["public_key_id", "private_key"]
        # A key that is not encrypted needs none; `pem` looks at what is there.
        roles += [] if secrets.get("private_key") else ["passphrase"]
    lacking += [f"secrets.{role}" for role in roles if not secrets.get(role)]
    return {path: _WHERE[path] for path in lacking if path not in wrong}


def _settings_problems(settings: Settings, wrong: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in ("enterprise_id", "as_user"):
        value = str(settings.get(key, ""))
        if value and not _DIGITS.fullmatch(value):
            found[f"settings.{key}"] = "must be digits only, as Box shows it"
    if settings.get("client_id") and not PLAIN.fullmatch(str(settings["client_id"])):
        found["settings.client_id"] = "must be letters and digits, as Box shows it; copy it again"
    for key in _URLS:
        if key not in settings:
            continue
        problem = address_problem(str(settings[key]), DOMAINS, example="https://api.box.com")
        if problem is not None:
            found[f"settings.{key}"] = problem
    return {path: text for path, text in found.items() if path not in wrong}


def _texts_problems(secrets: Mapping[str, str], wrong: Mapping[str, str]) -> dict[str, str]:
    """Client secret, key id and passphrase must be fit for a form; none is repeated here."""
    found = {}
    for role in ("client_secret", "public_key_id"):
        if secrets.get(role) and not PLAIN.fullmatch(secrets[role]):
            found[f"secrets.{role}"] = "holds a blank or an odd character; copy it again"
    passphrase = secrets.get("passphrase", "")
    if len(passphrase) > 512 or "\x00" in passphrase:
        found["secrets.passphrase"] = "must be at most 512 characters; copy it again"
    return {path: text for path, text in found.items() if path not in wrong}


def _assertion(settings: Settings, secrets: Mapping[str, str], *, now: datetime, jti: str) -> str:
    """The signed statement (R15): `aud` is Box's own address, whatever answers in its place."""
    import jwt  # noqa: PLC0415 - only a process that refreshes tokens needs it

    key = pem.load(secrets["private_key"], secrets.get("passphrase", ""))
    claims = {
        "iss": str(settings["client_id"]),
        "sub": str(settings["enterprise_id"]),
        "box_sub_type": "enterprise",
        "aud": TOKEN_URL,
        "jti": jti,
        "exp": int((now + timedelta(seconds=ASSERTION_S)).timestamp()),
    }
    return jwt.encode(
        claims,
        key,
        algorithm=str(settings["algorithm"]),
        headers={"kid": secrets["public_key_id"]},
    )
