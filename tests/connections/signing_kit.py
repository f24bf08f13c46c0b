"""A vendor where people sign in: codes and refresh tokens are good once, as Box's are."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

from connections.kit import ADMIN, TOKEN, Stage
from fakes.box_server import Reply, Seen
from inkwire.model.connection import Connection, Token
from inkwire.providers.oauth import challenge

SESSION = "f3" * 32
BACK = "https://hub.example.com/console/connections/authorized"
SALESFORCE_TOKEN = "/services/oauth2/token"


def form_of(seen: Seen) -> dict[str, str]:
    """The form of a request for a token."""
    return dict(parse_qsl(seen.body.decode()))


@dataclass
class Vendor:
    """The token endpoint of a stage's server: it gives A1 with R1, then A2 with R2, and so on."""

    stage: Stage
    path: str = TOKEN
    #: Whether an answer to a refresh holds a refresh token.
    rotates: bool = True
    codes: set[str] = field(default_factory=lambda: {"c0de"})
    good: set[str] = field(default_factory=set)
    pairs: int = 0
    #: Further fields of each answer.
    more: dict[str, str] = field(default_factory=dict)
    #: Called while an answer is on its way.
    meanwhile: Callable[[], None] = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.stage.box.on("POST", self.path, self._answer)

    def pair(self) -> dict[str, str]:
        """The next pair."""
        self.pairs += 1
        self.good.add(f"R{self.pairs}")
        return {
            "access_token": f"A{self.pairs}", "refresh_token": f"R{self.pairs}", **self.more,
        }  # fmt: skip

    @property
    def forms(self) -> list[dict[str, str]]:
        """What was asked for, in order."""
        return [form_of(seen) for seen in self.stage.box.sent("POST", self.path)]

    def _answer(self, seen: Seen) -> Reply:
        form = form_of(seen)
        with self._lock:
            reply = self._taken(form)
        self.meanwhile()
        return reply

    def _taken(self, form: dict[str, str]) -> Reply:
        if form["grant_type"] == "authorization_code":
            if form["code"] not in self.codes:
                return _refused("Authorization code has expired")
            self.codes.remove(form["code"])
            return Reply(json=self.pair())
        if form["refresh_token"] not in self.good:
            return _refused("Refresh token has expired")
        if self.rotates:
            self.good.remove(form["refresh_token"])
            return Reply(json=self.pair())
        self.pairs += 1
        return Reply(json={"access_token": f"A{self.pairs}", **self.more})


def _refused(why: str) -> Reply:
    return Reply(400, json={"error": "invalid_grant", "error_description": why})


def box_by_oauth(stage: Stage, connection_id: str = "box-main") -> Connection:
    """A Box connection for which nobody has signed in."""
    return stage.desk.add(
        ADMIN,
        connection_id=connection_id,
        provider="box",
        name="Box",
        method="oauth",
        settings={
            "client_id": "abc123",
            "api_url": stage.box.url,
            "upload_url": f"{stage.box.url}/api",
            "token_url": f"{stage.box.url}{TOKEN}",
            "authorize_url": f"{stage.box.url}/authorize",
        },
        secrets={"client_secret": "s3cret"},
    )


def salesforce(stage: Stage, method: str = "client_credentials", **settings: str) -> Connection:
    """A Salesforce connection to the server at hand."""
    where = "my_domain" if method == "client_credentials" else "login_url"
    return stage.desk.add(
        ADMIN,
        connection_id="crm",
        provider="salesforce",
        name="Salesforce",
        method=method,
        settings={"client_id": "3MVG9", where: stage.box.url, **settings},
        secrets={"client_secret": "s3cret"},
    )


def begun(stage: Stage, connection_id: str = "box-main", session: str = SESSION) -> dict[str, str]:
    """Begins a sign-in: the query of the vendor's address."""
    url = stage.desk.begin_authorization(ADMIN, connection_id, redirect_uri=BACK, session=session)
    return {key: one for key, (one,) in parse_qs(urlsplit(url).query).items()}


def signed_in(stage: Stage, vendor: Vendor, connection_id: str = "box-main") -> None:
    """Somebody signs in."""
    vendor.codes.add("c0de")
    state = begun(stage, connection_id)["state"]
    stage.desk.finish_authorization(ADMIN, state=state, code="c0de", session=SESSION)


def held(stage: Stage, connection_id: str = "box-main") -> Token:
    """The stored token."""
    token = stage.store.connections.token(connection_id).token
    assert token is not None
    return token


def outlive(stage: Stage) -> None:
    """Lets the stored token end."""
    stage.clock.advance(seconds=timedelta(hours=2).total_seconds())


__all__ = ["BACK", "SESSION", "Vendor", "begun", "box_by_oauth", "challenge", "form_of", "held",
           "outlive", "salesforce", "signed_in"]  # fmt: skip
