"""What a Box connection is asked for, and the console's JSON file that holds it all. Pure."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inkwire.errors import InvalidInput
from inkwire.providers.contract import AuthMethod, SecretField, SettingField, SettingKind

JWT, CCG, OAUTH = "jwt", "ccg", "oauth"
API_URL = "https://api.box.com"
UPLOAD_URL = "https://upload.box.com/api"
TOKEN_URL = "https://api.box.com/oauth2/token"
AUTHORIZE_URL = "https://account.box.com/api/oauth2/authorize"
CONFIG = "config_file"
#: Characters of the console's file.
_MAX_CONFIG = 65_536


def _text(
    key: str, label: str, help_: str, *, default: str = "", example: str = ""
) -> SettingField:
    return SettingField(
        key=key, label=label, help=help_, kind=SettingKind.TEXT, default=default, example=example
    )


def _secret(role: str, label: str, help_: str, *, most: int = 512) -> SecretField:
    # None is marked as required, because the whole file may stand for them: `clean` decides.
    return SecretField(role=role, label=label, help=help_, required=False, max_length=most)


_CLIENT_ID = _text(
    "client_id", "Client ID", "Of the app, under Configuration in Box's Developer Console."
)
_ENTERPRISE_ID = _text(
    "enterprise_id",
    "Enterprise ID",
    "Digits, under General Settings of the app, or Account & Billing in the Admin Console.",
    example="1234567",
)
_AS_USER = _text(
    "as_user",
    "As user",
    "Id (digits) of the Box user that calls act as; empty: the app's own service account.",
    example="23456789",
)
_URLS = (
    _text("api_url", "API address", "Box's own unless you test by a sandbox.", default=API_URL),
    _text("upload_url", "Upload address", "Box's own, or the sandbox's.", default=UPLOAD_URL),
    _text("token_url", "Token address", "Box's own, or the sandbox's.", default=TOKEN_URL),
)
_CLIENT_SECRET = _secret(
    "client_secret", "Client secret", "Beside the client ID; “Fetch Client Secret” shows it."
)
#: Where no file can stand for it.
_NEEDED_SECRET = replace(_CLIENT_SECRET, required=True)
JWT_METHOD = AuthMethod(
    name=JWT,
    title="JWT (server authentication)",
    help="The app signs a short statement by its RSA key and gets a token for its service account. "
    "Give the JSON file of Box's Developer Console whole, or its parts one by one.",
    settings=(
        _CLIENT_ID,
        _ENTERPRISE_ID,
        SettingField(
            key="algorithm",
            label="Algorithm",
            help="How the statement is signed; Box takes all three.",
            kind=SettingKind.CHOICE,
            default="RS256",
            choices=("RS256", "RS384", "RS512"),
        ),
        _AS_USER,
        *_URLS,
    ),
    secrets=(
        _secret(
            CONFIG,
            "Configuration file",
            "The whole JSON file that “Generate a Public/Private Keypair” downloaded; everything "
            "below and the two IDs are taken from it.",
            most=_MAX_CONFIG,
        ),
        _CLIENT_SECRET,
        _secret("public_key_id", "Public key ID", "Of the key pair, under Configuration."),
        _secret(
            "private_key",
            "Private key (PEM)",
            "`privateKey` of the file; line breaks that were lost are put back.",
            most=32_768,
        ),
        _secret("passphrase", "Passphrase", "Of the private key: `passphrase` of the file."),
    ),
)
CCG_METHOD = AuthMethod(
    name=CCG,
    title="Client credentials (server authentication)",
    help="Client ID and secret alone give a token for the app's service account.",
    settings=(_CLIENT_ID, _ENTERPRISE_ID, _AS_USER, *_URLS),
    secrets=(_NEEDED_SECRET,),
)
OAUTH_METHOD = AuthMethod(
    name=OAUTH,
    title="OAuth 2.0 (a user signs in)",
    help="A person signs in at Box once, and calls are made as that person. The sign-in lasts as "
    "long as it is used at least every 60 days.",
    settings=(
        _CLIENT_ID,
        *_URLS,
        _text(
            "authorize_url",
            "Sign-in address",
            "Box's own, or the sandbox's.",
            default=AUTHORIZE_URL,
        ),
    ),
    secrets=(_NEEDED_SECRET,),
    authorizes=True,
)
METHODS = (JWT_METHOD, CCG_METHOD, OAUTH_METHOD)


def from_config(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """Settings and secrets of the console's file; what it lacks is "".

    Raises InvalidInput for `secrets.config_file`.
    """
    if len(text) > _MAX_CONFIG:
        raise _bad(f"is longer than {_MAX_CONFIG} characters; take the file that Box gave you")
    try:
        # A blank or a byte order mark around it is an editor's.
        config = json.loads(text.strip().lstrip("\ufeff"), strict=False)
    except (ValueError, RecursionError):
        raise _bad("is no JSON; give the downloaded file as it is, whole") from None
    app = config.get("boxAppSettings") if isinstance(config, dict) else None
    if not isinstance(app, dict):
        raise _bad(
            "has no `boxAppSettings`; give the file that “Generate a Public/Private Keypair” "
            "downloaded in Box's Developer Console"
        )
    auth = app.get("appAuth")
    auth = auth if isinstance(auth, dict) else {}
    settings = {
        "client_id": _at(app, "clientID"),
        "enterprise_id": _at(config, "enterpriseID"),
    }
    secrets = {
        "client_secret": _at(app, "clientSecret"),
        "public_key_id": _at(auth, "publicKeyID"),
        "private_key": _at(auth, "privateKey"),
        "passphrase": _at(auth, "passphrase"),
    }
    return settings, secrets


def _at(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def _bad(problem: str) -> InvalidInput:
    return InvalidInput(fields={f"secrets.{CONFIG}": problem})
