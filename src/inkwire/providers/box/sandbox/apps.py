"""Applications and people of the sandbox's enterprise, as Box's developer console keeps them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from inkwire.model.source import Secret
from inkwire.moments import as_utc
from inkwire.providers.sandboxing import Doc, Documents

ENTERPRISE = "1519487"
#: Whom Box Sign acts as.
BOX_SIGN = "16371441643"
SCOPES = (
    "root_readwrite",
    "manage_webhook",
    "sign_requests.readwrite",
    "manage_enterprise_properties",
    "manage_managed_users",
    "manage_app_users",
)
#: Rights that are switches of their own in the console.
AS_USER, USER_TOKENS = "as_user", "user_tokens"
#: Makes the service account a co-admin, who may make metadata templates.
CO_ADMIN = "co_admin"
_APP, _USER = "box_app", "box_user"


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody to begin with."""

    id: str
    name: str
    login: str


ADMIN = "30000000001"
PEOPLE = (
    Person(id=ADMIN, name="Ada Admin", login="ada.admin@example.com"),
    Person(id="30000000002", name="Sam Sales", login="sam.sales@example.com"),
    Person(id=BOX_SIGN, name="Box Sign", login=f"AutomationUser_{ENTERPRISE}_s@boxdevedition.com"),
)


class Apps:
    """Keeps applications and users."""

    def __init__(self, state: Documents) -> None:
        """`state`: where they are kept. Makes the first people and the first application."""
        self._state = state
        with state.change():
            for person in PEOPLE:
                if self.user(person.id) is None:
                    self._keep_user(person.id, person.name, person.login)
            if not self.all():
                self.register("Inkwire")

    def register(self, name: str, scopes: list[str] | None = None) -> Doc:
        """A new application with everything ticked and an administrator's authorisation."""
        number = self._state.number("box_app")
        client_id = secrets.token_hex(16)
        service = str(18000000000 + number)
        passphrase = secrets.token_hex(16)
        private, public = _key_pair(passphrase)
        app: Doc = {
            "client_id": client_id,
            "client_secret": secrets.token_hex(16),
            "name": name,
            "enterprise_id": ENTERPRISE,
            "service_account_id": service,
            "public_key_id": secrets.token_hex(4),
            "public_key": public,
            "private_key": private,
            "passphrase": passphrase,
            "scopes": list(SCOPES) if scopes is None else scopes,
            "rights": [AS_USER, USER_TOKENS],
            "authorized": True,
            "redirect_uris": [],
            "primary_key": secrets.token_urlsafe(24),
            "secondary_key": secrets.token_urlsafe(24),
        }
        login = f"AutomationUser_{number}_{client_id[:6]}@boxdevedition.com"
        with self._state.change():
            self._keep_user(service, name, login)
            self._state.put(_APP, client_id, app)
        return app

    def get(self, client_id: str) -> Doc | None:
        """An application by its client id."""
        return self._state.get(_APP, client_id)

    def all(self) -> list[Doc]:
        """Every application, oldest first."""
        return [app for _, app in self._state.find(_APP)]

    def change(self, client_id: str, changed: Mapping[str, Any]) -> Doc | None:
        """Sets fields of an application; None if there is none of that id."""
        app = self.get(client_id)
        if app is not None:
            app |= changed
            self._state.put(_APP, client_id, app)
        return app

    def add_user(self, name: str, login: str) -> Doc:
        """A new managed user."""
        user_id = str(30000001000 + self._state.number("box_user"))
        return self._keep_user(user_id, name, login)

    def users(self) -> list[Doc]:
        """Everybody, oldest first."""
        return [user for _, user in self._state.find(_USER)]

    def user(self, user_id: str) -> Doc | None:
        """`{"type": "user", "id", "name", "login"}`."""
        return self._state.get(_USER, user_id)

    def by_login(self, login: str) -> Doc | None:
        """A user by the e-mail."""
        found = self._state.find(_USER, name=login.lower(), limit=1)
        return found[0][1] if found else None

    def _keep_user(self, user_id: str, name: str, login: str) -> Doc:
        user = {"type": "user", "id": user_id, "name": name, "login": login}
        self._state.put(_USER, user_id, user, name=login.lower())
        return user


def people(apps: Apps) -> list[Doc]:
    """The users who are people: no application's service account, nor Box Sign."""
    services = {app["service_account_id"] for app in apps.all()}
    return [user for user in apps.users() if user["id"] not in services | {BOX_SIGN}]


def is_admin(app: Doc, user: Doc) -> bool:
    """Whether a user is an admin or co-admin of the enterprise."""
    own = user["id"] == app["service_account_id"] and CO_ADMIN in app["rights"]
    return own or user["id"] == ADMIN


def signature_keys(app: Doc) -> tuple[Secret, ...]:
    """The keys that the application's webhooks are signed with."""
    return tuple(
        Secret(id=role, role=role, value=app[f"{role}_key"].encode())
        for role in ("primary", "secondary")
    )


def console_file(app: Doc) -> Doc:
    """The file that Box's console gives for an application with JWT."""
    return {
        "boxAppSettings": {
            "clientID": app["client_id"],
            "clientSecret": app["client_secret"],
            "appAuth": {
                "publicKeyID": app["public_key_id"],
                "privateKey": app["private_key"],
                "passphrase": app["passphrase"],
            },
        },
        "enterpriseID": app["enterprise_id"],
    }


def full_user(user: Doc, since: datetime) -> Doc:
    """A user as GET /users/me answers."""
    moment = stamp(since)
    return user | {
        "created_at": moment,
        "modified_at": moment,
        "language": "en",
        "timezone": "America/Los_Angeles",
        "space_amount": 10_737_418_240,
        "space_used": 0,
        "max_upload_size": 5_368_709_120,
        "status": "active",
        "job_title": "",
        "phone": "",
        "address": "",
        "avatar_url": "",
        "notification_email": None,
    }


def stamp(moment: datetime) -> str:
    """A time as Box writes it: whole seconds with an offset."""
    return as_utc(moment).isoformat(timespec="seconds")


def _key_pair(passphrase: str) -> tuple[str, str]:
    """An RSA key: the private half encrypted, as Box's console hands it out, and the public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()
