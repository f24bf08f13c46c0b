"""The way into the portal: one link, one session, one application; who may frame it."""

import re

import pytest

from fakes.pages import PASSWORD
from fakes.visitor import HOST, Visitor
from inkwire.portal.app import BURST, PAGES
from inkwire.portal.entry import SESSION_COOKIE

FORMS = [page for page in PAGES if page.method == "POST"]
READ = [page for page in PAGES if page.method == "GET"]


def policy(answer) -> str:
    """Who may frame an answer."""
    return re.search(r"frame-ancestors ([^;]*)", answer.headers["content-security-policy"])[1]


def test_a_link_lets_in_once(portal):
    """The token is swapped for a session; a second browser with the same link stays outside."""
    token = portal.token()
    first, second = Visitor(portal.pages.app, "/portal"), Visitor(portal.pages.app, "/portal")
    came = first.post("/enter", {"token": token}, csrf="")
    assert came.location == "/portal/webhooks"
    assert "Northwind web shop" in first.follow(came).words
    used = second.post("/enter", {"token": token}, csrf="")
    assert used.status == 401
    assert "used already" in used.words
    assert SESSION_COOKIE not in second.cookies


@pytest.mark.parametrize("token", ["", "nope", "x" * 5000, "ümlaut", "../.."])
def test_a_wrong_token_is_told_in_words(portal, token):
    """Nothing of what was typed comes back."""
    visitor = Visitor(portal.pages.app, "/portal")
    answer = visitor.post("/enter", {"token": token}, csrf="")
    assert answer.status == 401
    assert "open the portal anew" in answer.words
    assert not visitor.cookies


def test_a_whole_link_may_be_pasted(portal):
    """Without script a person pastes what stands in the address."""
    visitor = Visitor(portal.pages.app, "/portal")
    link = f"http://127.0.0.1:8080/portal/#{portal.token()}"
    assert visitor.post("/enter", {"token": link}, csrf="").status == 303


def test_a_link_ends_after_ten_minutes_and_a_session_too(portal, clock):
    """An old link is refused; after its time a session sees the entry page."""
    token = portal.token()
    inside = portal.visitor()
    clock.advance(seconds=601)
    late = Visitor(portal.pages.app, "/portal").post("/enter", {"token": token}, csrf="")
    assert late.status == 401
    assert inside.get("/webhooks").status == 200
    clock.advance(seconds=30 * 24 * 3600)
    assert inside.get("/webhooks").location == "/portal/?out=1"


def test_leaving_ends_the_session_in_the_store(portal):
    """A kept cookie is worth nothing afterwards."""
    visitor = portal.visitor()
    kept = dict(visitor.cookies)
    assert visitor.post("/leave").status == 303
    visitor.cookies = kept
    assert visitor.get("/webhooks").location == "/portal/?out=1"


@pytest.mark.parametrize(
    "page", [p for p in PAGES if not p.public], ids=lambda p: f"{p.method} {p.path}"
)
def test_a_stranger_gets_the_entry_page_only(portal, page):
    """Every page and every form; a made-up cookie too. htmx is told to go there."""
    stranger = Visitor(portal.pages.app, "/portal")
    stranger.cookies[SESSION_COOKIE] = "A" * 32
    path = re.sub(r"\{[^}]*\}", "x", page.path)
    answer = stranger.get(path) if page.method == "GET" else stranger.post(path)
    assert answer.location == "/portal/?out=1"
    if page.method == "GET":
        assert stranger.get(path, headers={"hx-request": "true"}).status == 401


def test_the_consoles_session_opens_no_portal_and_the_other_way_round(portal):
    """Two doors with two cookies."""
    admin = Visitor(portal.pages.app)
    admin.sign_in("admin", PASSWORD)
    admin.base = "/portal"
    assert admin.get("/webhooks").status == 303
    inside = portal.visitor()
    inside.base = "/console"
    assert inside.get("/webhooks").location.startswith("/console/sign-in")


# --- forms


@pytest.mark.parametrize("page", [p for p in FORMS if not p.public], ids=lambda p: p.path)
def test_every_form_needs_the_sessions_token(portal, page):
    """Another token, none, or that of another session: nothing is done."""
    visitor, other = portal.visitor(), portal.visitor()
    path = re.sub(r"\{[^}]*\}", "1", page.path)
    for csrf in ("", "x" * 32, other.csrf):
        assert visitor.post(path, csrf=csrf).status == 403, csrf


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "null"}, True),
        ({"sec-fetch-site": "cross-site", "origin": "null"}, False),
        ({"sec-fetch-site": "same-site", "origin": "null"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://evil.example.net"}, False),
        ({"origin": f"http://{HOST}"}, True),
        ({"origin": "null"}, True),
    ],
)
def test_forms_come_from_own_pages(portal, headers, taken):
    """Without a referrer the browser's word for the site counts, and its origin where it has one."""
    visitor = portal.visitor()
    hook = portal.ids["good"]
    given = {"origin": "", **headers}
    answer = visitor.post(f"/webhooks/{hook}/pause", headers=given)
    assert answer.status == (303 if taken else 403)
    stranger = Visitor(portal.pages.app, "/portal")
    came = stranger.post("/enter", {"token": portal.token()}, headers=given, csrf="")
    assert came.status == (303 if taken else 403), "nobody is signed in by another site's form"


# --- frames, cookies, headers


def test_only_the_applications_sites_may_frame_its_pages(behind):
    """The session's application decides; one without sites cannot be framed at all."""
    portal = behind("https://hooks.example.com")
    framed, unframed = portal.visitor("shop"), portal.visitor("unframed")
    for path in ("/webhooks", "/new-webhook", "/topics", "/nothing/here", "/webhooks/999999"):
        assert policy(framed.get(path)) == "https://app.example.com https://b.example.com", path
        assert policy(unframed.get(path)) == "'none'", path
        assert "x-frame-options" not in framed.get(path).headers


def test_before_a_session_only_the_entry_page_may_be_framed(behind):
    """It shows nothing of anybody, not even to a browser that has a session."""
    portal = behind("https://hooks.example.com")
    stranger = Visitor(portal.pages.app, "/portal")
    assert policy(stranger.get("/")) == "https:"
    assert policy(stranger.get("/nothing")) == "'none'"
    assert policy(stranger.post("/enter", {"token": "x"}, csrf="")) == "https:"
    entry = portal.visitor("unframed").get("/")
    assert policy(entry) == "https:"
    assert "Unframed" not in entry.text
    assert "/leave" not in entry.text


def test_stored_content_keeps_the_frame_of_its_application(portal):
    """A raw body is inert, and still shown in the frame in which it was asked for."""
    visitor = portal.visitor()
    raw = visitor.get(f"/messages/{portal.ids['message']}/raw")
    assert raw.headers["content-security-policy"] == (
        "sandbox; default-src 'none'; frame-ancestors https://app.example.com"
    )


def test_cookies_over_https_live_in_the_frame_alone(behind):
    """HttpOnly, SameSite=None, Secure, Partitioned, for /portal; over http Lax."""
    portal = behind("https://hooks.example.com")
    visitor = Visitor(portal.pages.app, "/portal")
    answer = visitor.post("/enter", {"token": portal.token()}, csrf="")
    (line,) = answer.set_cookies
    parts = {part.strip().lower() for part in line.split(";")[1:]}
    assert {"httponly", "secure", "partitioned", "samesite=none", "path=/portal"} <= parts
    left = visitor.get("/webhooks") and visitor.post("/leave")
    assert all("Partitioned" in one for one in left.set_cookies), "else the browser keeps it"


def test_cookies_over_http_are_lax(portal):
    """A browser takes SameSite=None over https only."""
    visitor = Visitor(portal.pages.app, "/portal")
    (line,) = visitor.post("/enter", {"token": portal.token()}, csrf="").set_cookies
    assert "samesite=lax" in line.lower()
    assert "secure" not in line.lower()


def test_every_answer_says_no_referrer(portal):
    """Pages, refusals, redirects and files: the address says which customer looks at what."""
    visitor = portal.visitor()
    css = re.search(r'href="/portal(/static/console\.css[^"]*)"', visitor.get("/").text)[1]
    for answer in (
        visitor.get("/"),
        visitor.get("/webhooks"),
        visitor.get("/nothing"),
        visitor.get(css),
        visitor.post("/webhooks/1/pause", csrf=""),
        Visitor(portal.pages.app, "/portal").get("/webhooks"),
        visitor.get(f"/messages/{portal.ids['message']}/raw"),
    ):
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert visitor.get("/webhooks").headers["cache-control"] == "no-store"
    assert "script-src 'self'" in visitor.get("/").headers["content-security-policy"]


def test_the_token_is_in_no_log_and_no_page(portal, capsys):
    """It comes in the body, and what is wrong with it is said without it."""
    token = portal.token()
    visitor = Visitor(portal.pages.app, "/portal")
    answers = [visitor.post("/enter", {"token": token}, csrf="") for _ in range(2)]
    answers.append(visitor.get("/webhooks"))
    out = capsys.readouterr()
    assert token not in out.out + out.err
    for answer in answers:
        assert token not in answer.text
        assert token not in str(answer.headers)


def test_a_session_is_no_way_round_the_limit_of_a_key(portal, clock):
    """More pages at once than people open are refused for a while; a second later some go."""
    inside = portal.visitor()
    statuses = [inside.get("/webhooks").status for _ in range(BURST + 5)]
    assert statuses[: BURST // 2] == [200] * (BURST // 2)
    assert statuses[-1] == 429
    clock.advance(seconds=1)
    assert inside.get("/webhooks").status == 200
