"""The sandbox's organisation: its people, its lists, the application that calls it."""

import secrets
from typing import Any

from inkwire.providers.salesforce.sandbox import ids
from inkwire.providers.salesforce.sandbox.records import Records
from inkwire.providers.salesforce.sandbox.standard import STAGES, TASK_STATUSES
from inkwire.providers.sandboxing import Doc, Stage

ORGANIZATION = ids.make("00D", 1519487)
NAME = "Example Ltd"
_APP = "sf_app"
#: (FirstName, LastName, Email): an administrator, a seller whom Box knows too, and whom we call as.
_PEOPLE = (
    ("Ada", "Admin", "ada.admin@example.com"),
    ("Sam", "Sales", "sam.sales@example.com"),
    ("Inkwire", "Integration", "inkwire.integration@example.com"),
)
#: Seconds that an access token is good unless set otherwise.
SESSION_S = 7200
SCOPES = ("api", "refresh_token", "openid", "id")
#: Policies of the application that a state of an earlier release lacks.
_ADDED: Doc = {
    # JWT bearer: whether it is enabled, and the certificate (PEM) that was uploaded for it.
    "jwt": True,
    "certificate": "",
    # Users whom an administrator allowed; else, if users may, whoever has signed in.
    "preauthorized": [],
    "self_authorize": False,
    # What a statement may be made out to beside the organisation's own address.
    "audiences": ["https://login.salesforce.com"],
}


class Organization:
    """People, lists and the application."""

    def __init__(self, stage: Stage, records: Records) -> None:
        """Makes what an organisation begins with, once."""
        self._state = stage.state
        self._records = records
        if not self.users():
            with records.change():
                self._begin()

    @property
    def app(self) -> Doc:
        """The External Client App: `client_id`, `client_secret`, `run_as`, settings."""
        return _ADDED | (self._state.get(_APP, "1") or {})

    def change_app(self, **changed: Any) -> Doc:
        """Sets fields of the application."""
        app = self.app | changed
        self._state.put(_APP, "1", app)
        return app

    def users(self) -> list[Doc]:
        """Everybody, oldest first."""
        return [one for one in self._records.all("User") if not one["IsDeleted"]]

    def user(self, user_id: str) -> Doc | None:
        """Somebody."""
        return self._records.alive("User", user_id)

    @property
    def integration(self) -> Doc:
        """Whom the application runs as by client credentials."""
        return self.user(self.app["run_as"]) or self.users()[0]

    def _begin(self) -> None:
        self._begin_lists()
        people = self._begin_people()
        app = {
            "name": "Inkwire",
            "client_id": f"3MVG9{secrets.token_urlsafe(40)}",
            "client_secret": secrets.token_hex(32).upper(),
            "run_as": people[-1]["Id"],
            "scopes": list(SCOPES),
            # The settings of its policies.
            "client_credentials": True,
            "require_pkce": True,
            "rotate": True,
            "session_s": SESSION_S,
            # Whether changes of the application's own user are told by Outbound Messages.
            "send_outbound": True,
            # Addresses that a code may be sent to; empty: any of this machine, and https.
            "callbacks": [],
            "preauthorized": [people[-1]["Id"]],
        }
        self._state.put(_APP, "1", app)

    def _begin_people(self) -> list[Doc]:
        made = []
        for first, last, email in _PEOPLE:
            fields = {
                "FirstName": first,
                "LastName": last,
                "Name": f"{first} {last}",
                "Email": email,
                "Username": email.replace("@", "@sandbox."),
                "IsActive": True,
                "UserType": "Standard",
                "TimeZoneSidKey": "Europe/Berlin",
            }
            made.append(self._add("User", "005", fields))
        return made

    def _begin_lists(self) -> None:
        for order, (label, closed, won, probability, forecast) in enumerate(STAGES, 1):
            fields = {
                "MasterLabel": label,
                "ApiName": label,
                "IsActive": True,
                "SortOrder": order,
                "IsClosed": closed,
                "IsWon": won,
                "DefaultProbability": float(probability),
                "ForecastCategoryName": forecast,
            }
            self._add("OpportunityStage", "01J", fields)
        for order, (label, closed, default) in enumerate(TASK_STATUSES, 1):
            fields = {
                "MasterLabel": label,
                "ApiName": label,
                "SortOrder": order,
                "IsClosed": closed,
                "IsDefault": default,
            }
            self._add("TaskStatus", "01T", fields)

    def _add(self, name: str, prefix: str, fields: Doc) -> Doc:
        one = self._records.schema.object(name)
        now = self._records.now()
        user_id = ids.make("005", 1)
        record: Doc = dict.fromkeys(one.fields if one else ())
        record |= fields | {
            "Id": self._records.new_id(prefix),
            "IsDeleted": False,
            "CreatedDate": now,
            "CreatedById": user_id,
            "LastModifiedDate": now,
            "LastModifiedById": user_id,
            "SystemModstamp": now,
        }
        self._records.put(name, record)
        return record
