"""Signing in at a vendor in a real Chromium, whose policy lets no form lead out of the console."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from fakes.box_server import BoxServer, Reply, Seen
from fakes.desk import PHONE, Desk, chromium_of, judged
from fakes.pages import Pages, open_pages, served
from inkwire.access.gate import CLI
from inkwire.clock import SystemClock

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A console in front of which an administrator sits."""
    allowed = "127.0.0.1/32"
    with (
        chromium_of() as browser,
        open_pages(tmp_path / "hub", clock=SystemClock(), outbound_allow=allowed) as pages,
        served(pages) as address,
    ):
        yield Desk(browser, pages, address)


@pytest.fixture
def vendor(desk: Desk) -> Iterator[BoxServer]:
    """Sends whoever asks on to a sign-in page of its own, and from there back with a code."""
    server = BoxServer()
    back = f"{desk.address}/connections/authorized"

    def on(seen: Seen) -> Reply:
        return Reply(302, headers={"Location": seen.path.replace("/authorize", "/sign-in")})

    def home(seen: Seen) -> Reply:
        state = parse_qs(urlsplit(seen.path).query)["state"][0]
        return Reply(302, headers={"Location": f"{back}?code=c0de&state={state}"})

    server.on("GET", "/authorize", on)
    server.on("GET", "/sign-in", home)
    server.on("POST", "/oauth2/token", Reply(json={"access_token": "A1", "refresh_token": "R1"}))
    yield server
    server.close()


def connect(pages: Pages, vendor: BoxServer) -> None:
    """A Box connection that nobody has signed in for."""
    pages.hub.connections.add(
        CLI,
        connection_id="box-main",
        provider="box",
        name="Box",
        method="oauth",
        settings={
            "client_id": "abc",
            "token_url": f"{vendor.url}/oauth2/token",
            "authorize_url": f"{vendor.url}/authorize",
        },
        secrets={"client_secret": "s3cret"},
    )


@pytest.mark.parametrize("script", [True, False])
def test_out_to_the_vendor_and_back(desk: Desk, vendor: BoxServer, script: bool):
    """One click: two redirects at the vendor, and the connection's page says it is done."""
    connect(desk.pages, vendor)
    with desk.open("/connections/box-main", java_script_enabled=script) as page:
        page.get_by_role("button", name="Connect", exact=True).click()
        expect(page.get_by_role("status").first).to_contain_text("Signed in.")
        assert urlsplit(page.url).path == "/console/connections/box-main"
        expect(page.get_by_role("button", name="Sign in again")).to_be_visible()
    assert desk.pages.hub.store.connections.token("box-main").token is not None


def test_the_pages_of_a_sign_in_are_for_everybody(desk: Desk, vendor: BoxServer):
    """Nothing serious for axe, and no scrolling sideways on a phone, however long an address is."""
    connect(desk.pages, vendor)
    found: dict[str, object] = {}
    with desk.open("/connections/box-main", viewport=PHONE, expected=409) as page:
        for path in (
            "/connections/box-main",
            "/new-connection/box/oauth",
            "/connections/authorized?state=box-main.x&code=c0de",
        ):
            page.goto(f"{desk.address}{path}")
            found |= judged(page, path, {})
            if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
                found[path] = "too wide"
        page.goto(f"{desk.address}/connections/box-main")
        # The page that leads out, held up before it goes on by itself.
        page.route(f"{vendor.url}/**", lambda route: route.fulfill(status=204))
        page.get_by_role("button", name="Connect", exact=True).click()
        page.wait_for_url("**/authorize")
        found |= judged(page, "out", {})
    assert found == {}
