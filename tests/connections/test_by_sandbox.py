"""Connections to the sandbox's Box and Salesforce: signed in, checked, refreshed, revoked."""

import re
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from connections.kit import ADMIN
from connections.signing_kit import SESSION
from fakes.rsa_keys import PASSPHRASE, certificate, pem
from fakes.sandbox import SandboxProcess
from inkwire.clock import ManualClock
from inkwire.config import load_settings
from inkwire.connections.desk import ConnectionDesk, OpenSession
from inkwire.errors import NeedsAttention
from inkwire.ids import SortableIds
from inkwire.model.connection import ConnectionHealth
from inkwire.providers.registry import registry
from inkwire.providers.salesforce.soql import select
from inkwire.store.contract import Store
from inkwire.store.open import open_store

#: Vendors take plain http for the machine itself alone.
BACK = "http://127.0.0.1:8080/console/connections/authorized"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """One process for all tests here."""
    with SandboxProcess(tmp_path_factory.mktemp("vendors")) as started:
        yield started


class Side:
    """A desk of connections on a store of its own, beside the sandbox."""

    def __init__(self, sandbox: SandboxProcess, store: Store, clock: ManualClock, sessions) -> None:
        self.sandbox, self.store, self.clock = sandbox, store, clock
        self.desk = ConnectionDesk(
            store=store,
            registry=registry(),
            clock=clock,
            ids=SortableIds(clock),
            sessions=sessions,
            sleep=lambda _: threading.Event().wait(0.01),
        )

    def connect(self, provider: str, method: str, **settings: str) -> None:
        """A connection `main` of that provider, with the sandbox's application."""
        app = {"box": self.sandbox.box, "salesforce": self.sandbox.salesforce}[provider]
        self.desk.add(
            ADMIN,
            connection_id="main",
            provider=provider,
            name=provider,
            method=method,
            settings={"client_id": app["client_id"], **settings},
            secrets={"client_secret": app["client_secret"]},
        )

    def box(self) -> None:
        """Box by OAuth."""
        url = self.sandbox.url
        self.connect(
            "box", "oauth", api_url=url, upload_url=f"{url}/upload", token_url=f"{url}/oauth2/token",
            authorize_url=f"{url}/api/oauth2/authorize",
        )  # fmt: skip

    def later(self, seconds: float) -> None:
        """Time passes here and there."""
        self.sandbox.advance(seconds)
        self.clock.advance(seconds=seconds)

    def come_back(self, decision: str) -> dict[str, str]:
        """A person follows the address, fills in the vendor's page, and is sent back."""
        url = self.desk.begin_authorization(ADMIN, "main", redirect_uri=BACK, session=SESSION)
        page = requests.get(url, timeout=60)
        assert page.status_code == 200, page.text
        hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        user = re.search(r'<option value="([^"]+)"', page.text)
        assert user is not None
        form = {name: unescape(value) for name, value in hidden} | {
            "user": user[1], "decision": decision,
        }  # fmt: skip
        answer = requests.post(
            urlsplit(url)._replace(query="").geturl(), data=form, timeout=60, allow_redirects=False
        )
        assert answer.headers["location"].startswith(BACK), answer.text
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        return {key: one for key, (one,) in query.items()}

    def sign_in(self, decision: str) -> None:
        """All of it."""
        came = self.come_back(decision)
        self.desk.finish_authorization(
            ADMIN, state=came["state"], code=came["code"], session=SESSION
        )

    @property
    def refresh(self) -> str | None:
        """The stored refresh token."""
        held = self.store.connections.token("main").token
        return held.refresh if held else None


@pytest.fixture
def side(
    sandbox: SandboxProcess, migrated: Path, sessions: OpenSession, tmp_path: Path
) -> Iterator[Side]:
    """A desk whose clock is the sandbox's."""
    shutil.copytree(migrated, tmp_path / "data")
    now = datetime.fromisoformat(sandbox.call("GET", "/clock")["now"]).astimezone(UTC)
    clock = ManualClock(now)
    store = open_store(
        load_settings(data_dir=tmp_path / "data"), clock=clock, ids=SortableIds(clock)
    )
    made = Side(sandbox, store, clock, sessions)
    yield made
    made.desk.close()
    store.close()


def accounts(side: Side) -> None:
    """One call of Salesforce."""
    list(side.desk.salesforce("main").query(select("Account", ["Id"], limit=1)))


def test_salesforces_client_credentials(side: Side):
    """Every right is found; the token is renewed ahead of its two hours."""
    side.connect("salesforce", "client_credentials", my_domain=side.sandbox.url)
    checks = side.desk.check("main")
    assert [one.name for one in checks if not one.ok] == [], checks
    assert side.sandbox.salesforce["username"] in checks[1].detail
    first = side.store.connections.token("main").token
    assert first and first.refresh is None and first.base_url == side.sandbox.url
    side.later(5400 - 299)
    accounts(side)
    second = side.store.connections.token("main").token
    assert second and second.access != first.access
    side.sandbox.call("POST", "/salesforce/expire-tokens")
    accounts(side)
    assert side.store.connections.get("main").health is ConnectionHealth.OK


def by_statement(side: Side, **policies) -> None:
    """Salesforce by JWT bearer; `policies`: of the application there, changed."""
    app = side.sandbox.salesforce
    usual = {"certificate": certificate(), "preauthorized": [app["user_id"]]}
    side.sandbox.call("PATCH", "/salesforce/app", usual | policies)
    side.desk.add(
        ADMIN,
        connection_id="main",
        provider="salesforce",
        name="Salesforce",
        method="jwt_bearer",
        settings={
            "my_domain": side.sandbox.url,
            "client_id": app["client_id"],
            "as_user": app["username"],
        },
        secrets={"private_key": pem().replace("\n", " "), "passphrase": PASSPHRASE},
    )


def test_salesforces_signed_statement(side: Side):
    """Every right is found; a token that ends, or is refused, is followed by a new one."""
    by_statement(side)
    checks = side.desk.check("main")
    assert [one.name for one in checks if not one.ok] == [], checks
    assert side.sandbox.salesforce["username"] in checks[1].detail
    first = side.store.connections.token("main").token
    assert first and first.refresh is None and first.base_url == side.sandbox.url
    # The vendor's clock shows the real time; ours is an hour and a half ahead by now.
    side.later(5400 - 299)
    accounts(side)
    second = side.store.connections.token("main").token
    assert second and second.access != first.access and second.refresh is None
    side.sandbox.call("POST", "/salesforce/expire-tokens")
    accounts(side)
    third = side.store.connections.token("main").token
    assert third and third.access != second.access
    assert side.store.connections.get("main").health is ConnectionHealth.OK
    held = repr(side.store.connections.get("main")) + repr(
        side.store.run_log.calls(connection_id="main")
    )
    assert "PRIVATE KEY" not in held and PASSPHRASE not in held and first.access not in held


@pytest.mark.parametrize(
    ("policies", "says"),
    [({"preauthorized": []}, "Permitted Users"), ({"certificate": ""}, "upload the certificate")],
)
def test_salesforces_signed_statement_is_refused(side: Side, policies, says):
    """What an administrator has to do is told; nothing else is tried, and health says it, too."""
    by_statement(side, **policies)
    checks = side.desk.check("main")
    assert not any(one.ok for one in checks) and says in checks[0].detail
    now = side.store.connections.get("main")
    assert now.health is ConnectionHealth.NEEDS_ATTENTION and says in now.health_note
    by = {"certificate": certificate(), "preauthorized": [side.sandbox.salesforce["user_id"]]}
    side.sandbox.call("PATCH", "/salesforce/app", by)
    assert all(one.ok for one in side.desk.check("main"))
    assert side.store.connections.get("main").health is ConnectionHealth.OK


def test_salesforces_sign_in_with_rotation(side: Side):
    """PKCE, a pair at each refresh, threads that refresh once, and a revocation that parks."""
    side.connect("salesforce", "web_server", login_url=side.sandbox.url)
    side.sign_in("allow")
    assert [one.name for one in side.desk.check("main") if not one.ok] == []
    seen = {side.refresh}
    side.later(7300)
    threads = [threading.Thread(target=accounts, args=(side,)) for _ in range(4)]
    before = side.sandbox.counts()["POST /services/oauth2/token"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert side.sandbox.counts()["POST /services/oauth2/token"] == before + 1
    assert side.refresh not in seen
    side.sandbox.call("POST", "/salesforce/revoke-tokens")
    with pytest.raises(NeedsAttention, match="Sign in again"):
        accounts(side)
    now = side.store.connections.get("main")
    assert now.health is ConnectionHealth.NEEDS_ATTENTION and "Sign in again" in now.health_note
    side.sign_in("allow")
    assert all(one.ok for one in side.desk.check("main"))
    assert side.store.connections.get("main").health is ConnectionHealth.OK


def test_boxs_sign_in(side: Side):
    """A code of 30 seconds, tokens of an hour, refresh tokens that are good once."""
    side.box()
    side.sign_in("grant")
    checks = side.desk.check("main")
    assert [one.name for one in checks if not one.ok] == [], checks
    pairs = [side.refresh]
    for _ in range(3):
        side.later(3600)
        side.desk.box("main").me()
        pairs.append(side.refresh)
    assert len(set(pairs)) == 4
    side.later(61 * 86_400)
    with pytest.raises(NeedsAttention, match="60 days"):
        side.desk.box("main").me()


def test_a_code_is_too_old_after_thirty_seconds(side: Side):
    """Box's code waits for nobody; the sentence says what to do."""
    side.box()
    came = side.come_back("grant")
    side.later(31)
    with pytest.raises(NeedsAttention, match="30 seconds"):
        side.desk.finish_authorization(
            ADMIN, state=came["state"], code=came["code"], session=SESSION
        )


@pytest.mark.parametrize("provider", ["box", "salesforce"])
def test_a_no_at_the_vendor(side: Side, provider):
    """The person presses “Deny”: told as such, by either vendor's own words."""
    if provider == "box":
        side.box()
    else:
        side.connect("salesforce", "web_server", login_url=side.sandbox.url)
    came = side.come_back("deny")
    told = side.desk.refuse_authorization(
        ADMIN,
        state=came["state"],
        error=came["error"],
        description=came["error_description"],
        session=SESSION,
    )
    assert "not allowed" in told.message and side.refresh is None
