"""Signing in at a vendor from the console: out, back, once, and only in one's own session."""

import re
import threading
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from fakes.box_server import BoxServer, Reply, Seen
from fakes.pages import BASE_URL, Pages, open_pages
from fakes.visitor import Answer, Visitor
from inkwire.access.gate import CLI
from inkwire.clock import ManualClock
from inkwire.model.work import CommandKind

SECRET = "a-client-secret-that-nobody-sees"
BACK = f"{BASE_URL}/console/connections/authorized"


@pytest.fixture
def pages(tmp_path: Path, clock: ManualClock) -> Iterator[Pages]:
    """A hub with people, that may call the vendor of these tests on 127.0.0.1."""
    allowed = "127.0.0.1/32"
    with open_pages(tmp_path / "hub", clock=clock, outbound_allow=allowed) as opened:
        yield opened


@pytest.fixture
def vendor() -> Iterator[BoxServer]:
    """A token endpoint that takes the code `c0de`."""
    server = BoxServer()

    def given(seen: Seen) -> Reply:
        if dict(parse_qsl(seen.body.decode())).get("code") != "c0de":
            refused = {"error": "invalid_grant", "error_description": "The code has expired"}
            return Reply(400, json=refused)
        return Reply(json={"access_token": "A1", "refresh_token": "R1", "expires_in": 3600})

    server.on("POST", "/oauth2/token", given)
    yield server
    server.close()


@pytest.fixture
def box(pages: Pages, as_, vendor: BoxServer) -> Visitor:
    """An administrator who has made a Box connection by OAuth."""
    visitor = as_("admin")
    visitor.get("/new-connection/box/oauth")
    urls = {"api_url": vendor.url, "upload_url": vendor.url,
            "token_url": f"{vendor.url}/oauth2/token"}  # fmt: skip
    made = visitor.post(
        "/new-connection/box/oauth",
        {"name": "Box", "id": "box-main", "settings.client_id": "abc",
         "secrets.client_secret": SECRET}
        | {f"settings.{key}": value for key, value in urls.items()},
    )  # fmt: skip
    assert "sign in at the vendor" in visitor.follow(made).words
    return visitor


def sent_out(visitor: Visitor) -> tuple[str, dict[str, str]]:
    """Presses the button: the vendor's address that the browser goes on to, and its query."""
    visitor.get("/connections/box-main")
    answer = visitor.post("/connections/box-main/authorize")
    assert answer.status == 200, answer.words
    url = answer.headers["refresh"].removeprefix("0; url=")
    links = [unescape(link) for link in re.findall(r'href="(https:[^"]+)"', answer.text)]
    assert url in links, "a link for who does not go on by himself"
    return url, {key: one for key, (one,) in parse_qs(urlsplit(url).query).items()}


def back(visitor: Visitor, **query: str) -> Answer:
    """The vendor sends the browser back."""
    return visitor.get(f"/connections/authorized?{urlencode(query)}")


def test_the_form_says_what_to_enter_at_the_vendor(as_):
    """The address that the sign-in returns to, before anything is made."""
    page = as_("admin").get("/new-connection/salesforce/web_server")
    assert BACK in page.words and "Sign-in address" in page.words
    assert BACK not in as_("admin").get("/new-connection/salesforce/client_credentials").words


def test_making_it_asks_for_a_sign_in_and_for_no_check(pages: Pages, box: Visitor):
    """There is no token to be tried yet; the page leads to the button."""
    page = box.get("/connections/box-main")
    assert "Nobody has signed in for it yet" in page.words and ">Connect<" in _buttons(page)
    assert BACK in page.words
    assert pages.hub.store.commands.latest(CommandKind.CHECK_CONNECTION, "box-main") is None


def _buttons(page: Answer) -> str:
    return re.sub(r"<svg.*?</svg>", "", page.text, flags=re.DOTALL)


def test_out_and_back(pages: Pages, box: Visitor, vendor: BoxServer):
    """The browser goes to Box with a state, comes back with a code; a worker tries the rest."""
    url, asked = sent_out(box)
    assert url.startswith("https://account.box.com/api/oauth2/authorize?")
    assert asked["redirect_uri"] == BACK and SECRET not in url
    answer = back(box, state=asked["state"], code="c0de")
    assert answer.location == "/console/connections/box-main", "no code stays in the address"
    page = box.follow(answer)
    assert "Signed in. A worker tries it now" in page.words and ">Sign in again<" in _buttons(page)
    held = pages.hub.store.connections.token("box-main").token
    assert held is not None
    assert (held.access, held.refresh) == ("A1", "R1")
    assert "A1" not in page.words and SECRET not in page.text
    assert pages.hub.store.commands.latest(CommandKind.CHECK_CONNECTION, "box-main")
    actors = {one.actor for one in pages.hub.store.access.audit()[:2]}
    assert actors == {"user:admin"}
    assert len(vendor.sent("POST", "/oauth2/token")) == 1


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"error": "access_denied", "error_description": "The user denied"}, 409, "was not allowed"),
        ({"error": "invalid_scope", "error_description": "<b>no</b>"}, 409, "<b>no</b>"),
        ({"code": "wrong"}, 409, "older than 30 seconds"),
        ({}, 409, "no code"),
        ({"code": "x" * 5000}, 409, "no code"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_with_a_way_back(box: Visitor, query, status, says):
    """One sentence, and a button to the connection; the vendor's words do nothing."""
    _, asked = sent_out(box)
    answer = back(box, state=asked["state"], **query)
    assert answer.status == status and says in answer.words
    assert "<b>no</b>" not in answer.text
    assert 'href="/console/connections/box-main"' in answer.text


def test_a_state_is_good_once_and_not_made_up(box: Visitor, vendor: BoxServer):
    """Loading the page again, or an invented address, asks the vendor nothing."""
    _, asked = sent_out(box)
    assert back(box, state=asked["state"], code="c0de").status == 303
    for state in (asked["state"], "box-main.made-up", "no-such.x", "", "%00"):
        answer = back(box, state=state, code="c0de")
        assert answer.status == 409 and "Begin again" in answer.words
    assert len(vendor.sent("POST", "/oauth2/token")) == 1


def test_another_session_cannot_bring_the_code(pages: Pages, box: Visitor, as_, vendor: BoxServer):
    """Nobody can be made to connect an account that is not his own."""
    _, asked = sent_out(box)
    other = as_("admin")
    answer = back(other, state=asked["state"], code="c0de")
    assert answer.status == 403 and "another session" in answer.words
    assert vendor.seen == [] and pages.hub.store.connections.token("box-main").token is None
    stranger = back(Visitor(pages.app), state=asked["state"], code="c0de")
    assert stranger.status == 303 and "/sign-in?next=" in stranger.location


def test_ten_minutes_are_enough(box: Visitor, clock: ManualClock):
    """After that the code is not sent any more."""
    _, asked = sent_out(box)
    clock.advance(seconds=601)
    assert back(box, state=asked["state"], code="c0de").status == 409


def test_who_may_not_change_connections_cannot_connect(box: Visitor, as_):
    """No button, and neither page."""
    vera = as_("vera")
    assert ">Connect<" not in _buttons(vera.get("/connections/box-main"))
    assert vera.post("/connections/box-main/authorize").status == 403
    assert back(vera, state="x", code="c0de").status == 403


def test_the_button_needs_the_forms_token(box: Visitor):
    """A link from elsewhere begins nothing."""
    box.get("/connections/box-main")
    assert box.post("/connections/box-main/authorize", csrf="other").status == 403
    assert box.get("/connections/box-main/authorize").status in (404, 405)


def test_two_answers_at_once_are_one_sign_in(pages: Pages, box: Visitor, vendor: BoxServer):
    """The same code twice, from an impatient browser: one exchange."""
    _, asked = sent_out(box)
    statuses: list[int] = []

    def come() -> None:
        twin = Visitor(pages.app)
        twin.cookies = dict(box.cookies)
        statuses.append(back(twin, state=asked["state"], code="c0de").status)

    threads = [threading.Thread(target=come) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303, 409]
    assert len(vendor.sent("POST", "/oauth2/token")) == 1


def test_a_connection_that_authenticates_by_itself_has_no_button(pages: Pages, box: Visitor):
    """Client credentials need nobody."""
    pages.hub.connections.add(
        CLI,
        connection_id="crm",
        provider="salesforce",
        name="CRM",
        method="client_credentials",
        settings={"client_id": "k", "my_domain": "https://acme.my.salesforce.com"},
        secrets={"client_secret": SECRET},
    )
    page = box.get("/connections/crm")
    assert "authorize" not in page.text and "Request authentication" in page.words
    assert box.post("/connections/crm/authorize").status == 422
