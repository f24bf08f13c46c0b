"""A desk of connections, and a Box that answers as it is told."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fakes.box_server import BoxServer, Reply, Seen
from fakes.rsa_keys import PASSPHRASE, pem
from inkwire.clock import ManualClock
from inkwire.connections.desk import ConnectionDesk
from inkwire.model.access import Caller, Scope
from inkwire.store.contract import Store

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ADMIN = Caller(actor="user:anna", scopes=frozenset(Scope))
TOKEN = "/oauth2/token"


@dataclass
class Stage:
    """What the tests play on."""

    store: Store
    clock: ManualClock
    desk: ConnectionDesk
    box: BoxServer
    slept: list[float] = field(default_factory=list)

    def add(self, connection_id: str = "box-main", method: str = "jwt", **settings: str):
        """A connection to the server at hand."""
        urls = {
            "api_url": self.box.url,
            "upload_url": f"{self.box.url}/api",
            "token_url": f"{self.box.url}{TOKEN}",
        }
        secrets = {"client_secret": "s3cret"}
        if method == "jwt":
            secrets |= {"public_key_id": "kid1", "private_key": pem(), "passphrase": PASSPHRASE}
        return self.desk.add(
            ADMIN,
            connection_id=connection_id,
            provider="box",
            name="Box",
            method=method,
            settings={"client_id": "abc123", "enterprise_id": "4711", **urls, **settings},
            secrets=secrets,
        )

    def gives_tokens(self, *, life_s: int = 3600) -> None:
        """The server hands out token1, then token2, and so on."""
        count = iter(range(1, 1000))

        def given(_: Seen) -> Reply:
            return Reply(json={"access_token": f"token{next(count)}", "expires_in": life_s})

        self.box.on("POST", TOKEN, given)

    @property
    def asked(self) -> int:
        """How often a token was asked for."""
        return len(self.box.sent("POST", TOKEN))

    def knows(self, path: str, reply: object, method: str = "GET") -> None:
        """A 200 with that JSON."""
        self.box.on(method, path, Reply(body=json.dumps(reply).encode()))
