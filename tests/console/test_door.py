"""Who comes in, and which forms are taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.pages import PASSWORD, Pages, open_pages
from fakes.visitor import HOST, Visitor
from inkwire.console.app import PAGES
from inkwire.model.access import ROLE_SCOPES, Role
from inkwire.pages.door import safe_next
from inkwire.pages.headers import SAFE

NAMES = {Role.VIEWER: "vera", Role.OPERATOR: "olga", Role.ADMIN: "admin"}
CLOSED = [page for page in PAGES if not page.public]


def address(path: str) -> str:
    """The route with values in its path."""
    known = {"provider": "box", "source_id": "box-contracts", "name": "vera"}
    for part in ("event_id", "receipt_id", "rejection_id", "source_id", "secret_id", "key_id"):
        path = path.replace("{" + part + "}", known.get(part, "x_1"))
    return path.replace("{provider}", "box").replace("{name}", "vera")


@pytest.mark.parametrize("page", CLOSED, ids=lambda p: f"{p.method} {p.path}")
def test_a_stranger_is_sent_to_sign_in(filled, page):
    """No page and no action is open without a session; nothing of it leaks."""
    stranger = Visitor(filled.admin.app)
    path = address(page.path)
    answer = stranger.get(path) if page.method == "GET" else stranger.post(path)
    assert answer.status == 303
    assert answer.location.startswith("/console/sign-in")
    assert answer.body == b""


@pytest.mark.parametrize("role", Role)
def test_each_role_reaches_what_its_scopes_say(pages, as_, role):
    """Every route asks for its scope: roles without it get 403, the others something else."""
    visitor = as_(NAMES[role])
    visitor.get("/settings")
    for page in CLOSED:
        if page.scope is not None:
            path = address(page.path).replace("vera", "nobody")
            answer = visitor.get(path) if page.method == "GET" else visitor.post(path)
            allowed = page.scope in ROLE_SCOPES[role]
            assert (answer.status == 403) is not allowed, (page.path, answer.status)
            assert answer.status != 500, page.path


def test_scopes_are_named_on_every_page_that_shows_or_changes_data():
    """Only a person's own things are open to every role."""
    assert {(page.method, page.path) for page in CLOSED if page.scope is None} == {
        ("POST", "/sign-out"),
        ("POST", "/theme"),
        ("GET", "/settings"),
        ("POST", "/settings/password"),
    }


@pytest.mark.parametrize("csrf", ["", "wrong", "é"], ids=["missing", "wrong", "not ASCII"])
def test_a_form_without_its_token_does_nothing(pages, boxc, as_, csrf):
    """Another site cannot know the token, so it cannot pause a source."""
    visitor = as_("admin")
    answer = visitor.post("/sources/boxc/pause", csrf=csrf)
    assert answer.status == 403
    assert "nothing was done" in answer.words
    assert not pages.hub.store.sources.get("boxc").paused


def test_another_users_token_is_no_use(pages, boxc, as_):
    """The token belongs to the session, not to the hub."""
    olga, admin = as_("olga"), as_("admin")
    olga.get("/events")
    assert admin.post("/sources/boxc/pause", csrf=olga.csrf).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": f"http://{HOST}.evil.example"},
        {"origin": "", "sec-fetch-site": "cross-site"},
        {"origin": ""},
    ],
    ids=["another site", "null", "our name inside another", "cross-site", "nothing said"],
)
def test_a_form_of_another_origin_does_nothing(pages, boxc, as_, headers):
    """Even with the right token, the browser must say that the form is ours."""
    visitor = as_("admin")
    visitor.get("/sources/boxc")
    assert visitor.post("/sources/boxc/pause", headers=headers).status == 403
    assert not pages.hub.store.sources.get("boxc").paused


@pytest.mark.parametrize(
    "headers",
    [{}, {"origin": "http://127.0.0.1:8080"}, {"origin": "", "sec-fetch-site": "same-origin"}],
    ids=["the host asked", "the public URL", "no origin, same site"],
)
def test_our_own_forms_are_taken(pages, boxc, as_, headers):
    """By the address asked, by the public URL behind a proxy, by the browser's own word."""
    visitor = as_("admin")
    visitor.get("/sources/boxc")
    assert visitor.post("/sources/boxc/pause", headers=headers).status == 303
    assert pages.hub.store.sources.get("boxc").paused


def test_the_sign_in_form_has_a_token_too(pages):
    """Nobody is signed in as somebody else by a page of another site."""
    visitor = Visitor(pages.app)
    visitor.get("/sign-in")
    answer = visitor.post("/sign-in", {"name": "admin", "password": PASSWORD}, csrf="guess")
    assert answer.status == 403
    assert "inkwire_session" not in visitor.cookies


def test_a_form_that_is_none_gets_words(pages, as_):
    """JSON, a file, a huge body, a broken escape: 422 with a sentence, never a fault."""
    visitor = as_("admin")
    visitor.get("/settings")
    sent = {"origin": f"http://{HOST}"}
    form = {"content-type": "application/x-www-form-urlencoded"}
    for headers, body in (
        ({"content-type": "application/json"}, b"{}"),
        (form, b"a=" + b"x" * 1_100_000),
        (form, b"a=%ff"),
        (form, b"&".join(b"a=1" for _ in range(1_100))),
        (form, b"\xff\xfe"),
    ):
        answer = visitor.call("POST", "/console/theme", headers=sent | headers, body=body)
        assert answer.status == 422
        assert "form" in answer.words


def test_wrong_passwords_are_told_apart_from_nothing(pages):
    """The same sentence for an unknown name and a wrong password; then a pause, with its length."""
    visitor = Visitor(pages.app)
    unknown = visitor.sign_in("nobody", PASSWORD)
    wrong = visitor.sign_in("admin", "wrong")
    assert (unknown.status, wrong.status) == (401, 401)
    assert 'role="alert"' in wrong.text
    said = [a.text.split('role="alert">')[1].split("</p>")[0] for a in (unknown, wrong)]
    assert said[0] == said[1]
    tried = next(
        a for a in (visitor.sign_in("admin", "wrong") for _ in range(30)) if a.status != 401
    )
    assert tried.status == 429
    assert int(tried.headers["retry-after"]) > 0


def test_signing_in_leads_to_the_page_that_was_asked_for(pages, as_):
    """A link in a mail works: sign in, and there you are."""
    visitor = Visitor(pages.app)
    asked = visitor.get("/events?state=quarantined")
    assert asked.location == "/console/sign-in?next=%2Fconsole%2Fevents%3Fstate%3Dquarantined"
    visitor.follow(asked)
    fields = {"name": "admin", "password": PASSWORD, "next": "/console/events?state=quarantined"}
    assert visitor.post("/sign-in", fields).location == "/console/events?state=quarantined"


@given(st.text(max_size=60).map(lambda tail: tail) | st.builds("/console/{}".format, st.text()))
def test_sign_in_never_leads_to_another_site(target):
    """Whatever stands in `next`, it is a page of the console."""
    led = safe_next(target, "/console")
    assert led.startswith("/console/")
    assert "//" not in led
    assert "\\" not in led


def test_signing_out_ends_the_session_everywhere(pages, as_):
    """The cookie is forgotten here and worth nothing if it was copied."""
    visitor = as_("admin")
    visitor.get("/settings")
    copied = dict(visitor.cookies)
    assert visitor.follow(visitor.post("/sign-out")).words.count("You are signed out.") == 1
    thief = Visitor(visitor.app)
    thief.cookies = copied
    assert thief.get("/events").status == 303


def test_cookies_are_kept_from_scripts_and_other_sites(tmp_path, clock):
    """HttpOnly, SameSite=Lax, only for the console; Secure where the hub is reached by https."""
    for url, secure in (("https://hooks.example.com", True), ("http://127.0.0.1:8080", False)):
        with open_pages(tmp_path / str(secure), clock=clock, public_url=url) as opened:
            visitor = Visitor(opened.app)
            line = next(
                line
                for line in visitor.sign_in("admin", PASSWORD).set_cookies
                if line.startswith("inkwire_session=")
            )
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/console"} <= attributes
        assert ("secure" in attributes) is secure


def test_every_answer_carries_the_safe_headers(filled):
    """Pages, errors, redirects and static files: all of them."""
    stranger = Visitor(filled.admin.app)
    for answer in (
        filled.admin.get("/"),
        filled.admin.get("/nothing/here"),
        stranger.get("/sign-in"),
        stranger.get("/events"),
        stranger.get("/static/console.css"),
        stranger.get("/static/missing.css"),
        stranger.call("DELETE", "/console/events", headers={}),
    ):
        for name, value in SAFE.items():
            if name != "cache-control":
                assert answer.headers[name] == value, (answer.status, name)
    assert filled.admin.get("/").headers["cache-control"] == "no-store"
    assert "'unsafe" not in SAFE["content-security-policy"]


def test_a_stranger_learns_nothing_from_errors(filled):
    """Paths that exist and paths that do not look alike without a session."""
    stranger = Visitor(filled.admin.app)
    there = stranger.get(f"/events/{filled.ids['first']}")
    assert there.status == stranger.get("/events/evt_none").status == 303
    assert stranger.get("/no/such/page").status == 303


def test_an_ended_session_tells_scripts_where_to_go(filled):
    """htmx is sent to the sign-in page as a whole; a news stream ends for good."""
    stranger = Visitor(filled.admin.app)
    partial = stranger.get("/events", headers={"hx-request": "true"})
    assert (partial.status, partial.headers["hx-redirect"][:16]) == (401, "/console/sign-in")
    stream = stranger.get("/events/live", headers={"accept": "text/event-stream"})
    assert stream.status == 204


def test_disabled_users_are_out_at_once(pages: Pages, as_):
    """Whoever is kept out does not finish their session."""
    olga, admin = as_("olga"), as_("admin")
    admin.get("/settings/users")
    assert admin.post("/settings/users/olga/disable").status == 303
    assert olga.get("/events").status == 303
