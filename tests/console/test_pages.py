"""What holds for every page: budgets, safe markup, names of icons, words for every value."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fakes.pages import Pages, fill, open_pages
from fakes.visitor import Visitor
from inkwire.console import words
from inkwire.console.app import PAGES
from inkwire.model.access import Role, Scope
from inkwire.model.event import EventState
from inkwire.model.verdict import MatchedOn, Reason
from inkwire.pages import templating
from inkwire.pages.outgoing import words as outgoing

STATIC = templating.STATIC
TEMPLATES = (Path(words.__file__).parent / "templates", STATIC.parent / "templates")
MAX_CALLS = 8
#: Pages that gather from many rooms: all of the hub; a configuration judged against five tables;
#: a run with its steps, calls, creates and dry run; a backlog counted in four tables, with the
#: newest field that waits; a folder with its fields, arrivals and dry run.
MORE_CALLS = {
    r"/": 12,
    r"/orders/ord_\w+(\?.*)?": 9,
    r"/integrations/int_\d+": 13,
    r"/runs/wrk_\w+": 9,
    r"/records": 11,
    r"/records/folders/int_\d+/\d+": 9,
}
MAX_PAGE_BYTES = 100 * 1024
MAX_SCRIPT_BYTES = 80 * 1024
WEBHOOKS = ("good", "slow", "boxc", "gone", "paused", "disabled")
DELIVERIES = ("delivered", "due")
SENT = ("rejected", "down", "message", "retried", "job", "shop", "attempt", *WEBHOOKS, *DELIVERIES)
ORDERS = tuple(f"order_{name}" for name in ("signed", "waiting", "held", "asked", "gone", "new"))
RUNS = ("doubt", "dead", "parked", "upkeep", "running", "new")
ACTING = ("connection", "integration", "run_done", "crm", "crm_arrival")
EVENT_PAGES = ("first", "two", "probable", "declined", "quarantined", "unparsable", "waiting")


def addresses(ids: dict[str, str]) -> dict[str, str]:
    """Every page that is read, with the filled hub's ids."""
    return {
        "/": "/",
        "/events": "/events",
        "/events/{event_id}": f"/events/{ids['first']}",
        "/receipts/{receipt_id}/raw": "",
        "/events/live": "",
        "/rejected": "/rejected",
        "/rejected/{rejection_id}": f"/rejected/{ids['rejected']}",
        "/connections": "/connections",
        "/connections/authorized": "",
        "/connections/{connection_id}": f"/connections/{ids['connection']}",
        "/connections/{connection_id}/edit": f"/connections/{ids['connection']}/edit",
        "/new-connection": "/new-connection",
        "/new-connection/{provider}/{method}": "/new-connection/box/jwt",
        "/integrations": "/integrations",
        "/integrations/{integration_id}": f"/integrations/{ids['integration']}",
        "/integrations/{integration_id}/edit": f"/integrations/{ids['integration']}/edit",
        "/new-integration": "/new-integration",
        "/new-integration/{kind}": "/new-integration/box_sign_orders",
        "/runs": "/runs",
        "/runs/{work_id}": f"/runs/{ids['run_done']}",
        "/settings/workers": "/settings/workers",
        "/sources": "/sources",
        "/sources/{source_id}": "/sources/box-contracts",
        "/new-source": "/new-source",
        "/new-source/{provider}": "/new-source/generic?recipe=github",
        "/settings": "/settings",
        "/settings/users": "/settings/users",
        "/settings/keys": "/settings/keys",
        "/settings/audit": "/settings/audit",
        "/sign-in": "",
        "/webhooks": "/webhooks",
        "/webhooks/{webhook_id}": f"/webhooks/{ids['down']}",
        "/webhooks/{webhook_id}/edit": f"/webhooks/{ids['good']}/edit",
        "/webhooks/{webhook_id}/test": f"/webhooks/{ids['good']}/test",
        "/webhooks/{webhook_id}/recover": f"/webhooks/{ids['down']}/recover",
        "/new-webhook": "/new-webhook",
        "/messages": "/messages",
        "/messages/{message_id}": f"/messages/{ids['message']}",
        "/messages/{message_id}/raw": "",
        "/deliveries": "/deliveries",
        "/deliveries/{delivery_id}": f"/deliveries/{ids['retried']}",
        "/attempts/{attempt_id}/raw": "",
        "/topics": "/topics",
        "/topics/{name}": "/topics/order.signed",
        "/topics/{name}/edit": "/topics/invoice.paid/edit",
        "/new-topic": "/new-topic",
        "/failures": "/failures?range=7d",
        "/jobs": "/jobs",
        "/jobs/{job_id}": f"/jobs/{ids['job']}",
        "/applications": "/applications",
        "/applications/{application_id}": f"/applications/{ids['shop']}",
        "/applications/{application_id}/grants": f"/applications/{ids['shop']}/grants",
        "/new-application": "/new-application",
        "/orders": "/orders",
        "/orders/live": "",
        "/orders/{order_id}": f"/orders/{ids['order_signed']}",
        "/orders/{order_id}/live": "",
        "/orders/{order_id}/edit": f"/orders/{ids['order_signed']}/edit",
        "/orders/{order_id}/evidence": f"/orders/{ids['order_signed']}/evidence",
        "/orders/{order_id}/evidence/export": "",
        "/documents/{document_id}/raw": "",
        "/new-order": "/new-order",
        "/statuses": "/statuses",
        "/templates": "/templates",
        "/templates/{template_id}": f"/templates/{ids['template']}",
        "/templates/{template_id}/preview": "",
        "/new-template": "/new-template",
        "/template-preview": "",
        "/records": "/records",
        "/records/live": "",
        "/records/folders": "/records/folders",
        "/records/folders/{integration_id}/{folder_id}": f"/records/folders/{ids['crm']}/501",
        "/records/arrivals": "/records/arrivals",
        "/records/arrivals/live": "",
        "/records/arrivals/{integration_id}/{file_id}/{version_id}": (
            f"/records/arrivals/{ids['crm_arrival']}"
        ),
        "/records/field-map": "",
        "/records/field-map/{integration_id}": f"/records/field-map/{ids['crm']}",
        "/records/tasks": "/records/tasks",
        "/records/tasks/live": "",
        "/records/unmapped": "/records/unmapped",
        "/records/unmapped/live": "",
    }


READ = sorted({page.path for page in PAGES if page.method == "GET"})


def test_every_page_that_is_read_is_looked_at_here():
    """A new page joins the tests below by getting an address."""
    assert (
        sorted(addresses(dict.fromkeys((*EVENT_PAGES, *SENT, *ACTING, *ORDERS, "template"), "x")))
        == READ
    )


def shown(filled) -> list[tuple[str, int, str]]:
    """(address, store calls, HTML) of every page, events in every state among them."""
    wanted = [path for path in addresses(filled.ids).values() if path]
    wanted += [f"/events/{filled.ids[name]}" for name in EVENT_PAGES]
    wanted += [f"/webhooks/{filled.ids[name]}" for name in WEBHOOKS]
    wanted += [f"/runs/{filled.ids[f'run_{name}']}" for name in RUNS]
    wanted += [
        f"/records/arrivals/{filled.ids['crm_failed']}",
        f"/integrations/{filled.ids['crm']}",
    ]
    wanted += [f"/records/folders/{filled.ids['crm']}/502", f"/runs/{filled.ids['crm_work']}"]
    wanted += ["/records/arrivals?q=9001", "/records/arrivals?q=77", "/records/folders?state=gone"]
    wanted += ["/runs?state=dead", "/runs?upkeep=only", "/connections/box-old"]
    wanted += ["/new-connection/salesforce/web_server"]
    wanted += [f"/deliveries/{filled.ids[name]}" for name in DELIVERIES]
    wanted += [f"/webhooks/{filled.ids['down']}/recover?kind=recover&since=2026-11-01T00:00"]
    wanted += [f"/orders/{filled.ids[name]}" for name in ORDERS]
    wanted += ["/orders?q=jane&waiting=1", f"/orders/{filled.ids['order_new']}?move=cancelled"]
    wanted += ["/webhooks?q=erp&failing=1", "/deliveries?state=waiting", "/messages?origin=test"]
    wanted += ["/events?q=jane", "/events?state=quarantined", "/rejected?source=boxc"]
    found = []
    for path in wanted:
        before = len(filled.pages.calls)
        answer = filled.admin.get(path)
        assert answer.status == 200, path
        found.append((path, len(filled.pages.calls) - before, answer.text))
    return found


def test_each_page_asks_the_store_little_and_stays_small(filled):
    """At most 8 store calls, session and user among them, or as `MORE_CALLS`; 100 KB of HTML."""
    for path, calls, html in shown(filled):
        most = next((m for p, m in MORE_CALLS.items() if re.fullmatch(p, path)), MAX_CALLS)
        assert 2 <= calls <= most, (path, filled.pages.calls[-calls:])
        assert len(html.encode()) < MAX_PAGE_BYTES, path


def test_scripts_stay_small():
    """Everything that a page loads and runs."""
    files = [*STATIC.glob("*.js"), *(STATIC / "vendor").glob("*.js")]
    assert len(files) == 4
    assert sum(file.stat().st_size for file in files) < MAX_SCRIPT_BYTES


class Markup(HTMLParser):
    """Collects what the content security policy forbids, and what assistive technology needs."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.points: list[str] = []
        self.headings: list[int] = []
        self.icons: set[str] = set()
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.wrong += [f"<{tag} {k}>" for k in given if k == "style" or re.match("on|hx-on", k)]
        self._script = tag == "script"
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.wrong.append(f"inline <{tag}>")
        if tag == "form" and given.get("method") == "post":
            self.wrong.append("")  # taken back by the token below
        if given.get("name") == "csrf" and "" in self.wrong:
            self.wrong.remove("")
            if not given.get("value"):
                self.wrong.append("an empty form token")
        if given.get("id"):
            self.ids.append(given["id"] or "")
        for name in ("for", "aria-labelledby", "aria-describedby", "data-copy-from", "data-opens"):
            self.points += (given.get(name) or "").split()
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "use":
            self.icons.add((given.get("href") or "").rpartition("#")[2])

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.wrong.append(f"inline script {data[:40]!r}")


def test_markup_is_safe_and_whole(filled):
    """No inline script or style, a token in every form, labels that point at something."""
    for path, _, html in shown(filled):
        page = Markup()
        page.feed(html)
        assert page.wrong == [], path
        assert len(page.ids) == len(set(page.ids)), path
        assert set(page.points) <= set(page.ids), (path, set(page.points) - set(page.ids))
        assert page.headings.count(1) == 1, path


def test_every_icon_is_in_the_sprite(filled):
    """A name that the sprite lacks would be an empty square."""
    sprite = (STATIC / "vendor/icons.svg").read_text()
    there = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    used = set()
    for _, _, html in shown(filled):
        page = Markup()
        page.feed(html)
        used |= page.icons
    for file in (found for folder in TEMPLATES for found in folder.glob("*.html")):
        used |= set(re.findall(r'(?:icon|button)\(visit, "([a-z-]+)"', file.read_text()))
    room = Path(words.__file__).parent
    modules = [*room.glob("*words.py"), *room.glob("*timeline.py"), Path(outgoing.__file__)]
    source = "".join(file.read_text() for file in modules)
    used |= set(re.findall(r'(?:icon=|_line\(\s*|return )"([a-z]+-?[a-z-]*)",', source))
    assert used <= there, used - there
    listed = Path(__file__).parents[2] / "assets/icons.txt"
    names = {line for line in listed.read_text().splitlines() if line and line[0] != "#"}
    assert names == there


def test_every_value_has_words():
    """A reason, state, role or scope that is added later must be said in words."""
    assert set(words.REASONS) == set(Reason)
    assert set(words.STATE_WORDS) == set(EventState)
    assert set(words.MATCHED) == set(MatchedOn)
    assert set(words.ROLE_WORDS) == set(Role)
    assert set(words.SCOPE_WORDS) == set(Scope)
    for sentence in (*words.SAID.values(), *words.REASONS.values()):
        assert "!" not in sentence
        assert "oops" not in sentence.lower()


def test_an_empty_hub_says_what_to_do_first(pages, as_):
    """No sources: three steps with a command to copy; empty lists say why they are empty."""
    admin = as_("admin")
    first = admin.get("/")
    assert "there is no source" in first.words
    assert "inkwire sources create" in first.words
    assert 'href="/console/new-source"' in first.text
    for path, text in {
        "/events": "No events yet",
        "/rejected": "No request has been refused",
        "/sources": "No sources yet",
        "/settings/keys": "No API keys yet",
    }.items():
        assert text in admin.get(path).words, path
    assert "new-source" not in as_("vera").get("/").text, "a viewer cannot make one"


def test_the_overview_names_what_needs_attention(filled):
    """Quarantine, refusals, counts of a day: each with the page that helps."""
    overview = filled.admin.get("/")
    assert "Box – contracts: 3 requests wait in the quarantine." in overview.words
    assert "BoxC fulfilment: The latest request was refused" in overview.words
    assert "/console/events?source=box-contracts&amp;state=quarantined" in overview.text
    assert "38 requests, last 24 hours" in overview.words


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/nothing/here", 404, "no page at this address"),
        ("/events/evt_none", 404, "There is no event"),
        ("/sources/gone", 404, "no source"),
        ("/rejected/rej_none", 404, "the log keeps the newest only"),
        ("/new-source/acme", 404, "There is no provider"),
        ("/new-source/generic?recipe=acme", 404, "no recipe"),
        ("/receipts/rcp_none/raw", 404, "receipt"),
        ("/rejected?reason=because", 422, "must be one of"),
    ],
)
def test_errors_are_pages_in_words_with_a_way_out(filled, path, status, text):
    """Never a bare code, never a traceback; the technical detail is folded."""
    answer = filled.admin.get(path)
    assert answer.status == status
    assert text in answer.words
    assert 'href="/console/"' in answer.text
    assert f"HTTP {status}" in answer.words


def test_a_store_that_is_away_is_said_in_words(tmp_path, clock):
    """503 with Retry-After: what it means for the webhooks, and what to run."""
    with open_pages(tmp_path / "hub", clock=clock) as pages:
        admin = Visitor(pages.app)
        admin.sign_in("admin", "correct horse battery staple")
        (tmp_path / "hub/inkwire.db").write_bytes(b"no database any more" * 1000)
        answer = admin.get("/events")
    assert answer.status == 503
    assert "what was acknowledged is stored" in answer.words
    assert int(answer.headers["retry-after"]) > 0


def test_a_fault_of_ours_is_a_page_too(pages: Pages, as_):
    """An exception that nobody expected is logged; the visitor reads a sentence, no traceback."""
    admin = as_("admin")

    def broken(query: object) -> object:
        raise RuntimeError("secret detail")

    pages.hub.store.events.page = broken
    answer = admin.get("/events")
    assert answer.status == 500
    assert "secret detail" not in answer.text
    assert "Webhooks are not touched by this" in answer.words


def test_static_files_may_be_kept_because_their_address_changes(filled):
    """The address carries the content's mark."""
    page = filled.admin.get("/")
    address = re.search(r'href="/console(/static/console\.css\?v=[0-9a-f]{12})"', page.text)
    css = filled.admin.get(address[1])
    assert css.status == 200
    assert "immutable" in css.headers["cache-control"]
    assert filled.admin.get("/static/../app.py").status == 404


@pytest.mark.parametrize("theme", ["light", "dark", "system"])
def test_the_look_is_kept_in_a_cookie(pages, as_, theme):
    """It works without script, and leads back to the page where it was chosen."""
    visitor = as_("vera")
    visitor.get("/events")
    answer = visitor.post("/theme", {"theme": theme, "next": "/console/events"})
    assert answer.location == "/console/events"
    assert f'data-theme="{theme}"' in visitor.follow(answer).text


def test_a_look_that_there_is_not_changes_nothing(pages, as_):
    """A made-up cookie or form falls back to the system's look."""
    visitor = as_("vera")
    visitor.get("/settings")
    assert visitor.post("/theme", {"theme": 'x" onload="'}).status == 422
    visitor.cookies["inkwire_theme"] = "%22%3E%3Cscript%3E"
    assert 'data-theme="system"' in visitor.get("/events").text


def test_what_was_done_is_said_once(pages, as_, boxc):
    """The next page says it, the one after does not; a made-up cookie says nothing."""
    admin = as_("admin")
    admin.get("/sources/boxc")
    done = admin.follow(admin.post("/sources/boxc/pause"))
    assert "Paused. Requests are still proven" in done.words
    assert "Paused. Requests are still proven" not in admin.get("/sources").words
    admin.cookies["inkwire_said"] = "<b>all.9"
    assert 'class="said"' not in admin.get("/sources").text


def test_a_viewer_sees_no_bodies_and_no_buttons(tmp_path, clock):
    """Personal data and actions stay with those whose role has them."""
    with open_pages(tmp_path / "hub", clock=clock) as pages:
        ids = fill(pages, lambda seconds: clock.advance(seconds=seconds))
        vera = Visitor(pages.app)
        vera.sign_in("vera", "correct horse battery staple")
        page = vera.get(f"/events/{ids['quarantined']}")
        listed = vera.get("/events?state=quarantined")
        source = vera.get("/sources/box-contracts")
    assert "your role does not show them" in page.words
    assert "mara.voss@example.com" not in page.text
    assert "box-signature-primary" not in page.text
    for answer in (page, listed, source):
        assert not re.search(r'action="[^"]*(release|pause|secrets|delete)', answer.text)
