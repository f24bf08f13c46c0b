"""The event list and the page of an event."""

import re

import pytest

from fakes.pages import SECRETS, Pages
from inkwire.console.filters import PAGE
from inkwire.model.event import EventState


def rows(html: str) -> list[str]:
    """The ids of the listed events, in order."""
    return re.findall(r'<a class="row-link" href="/console/events/(evt_[0-9a-v]+)"', html)


def send_many(pages: Pages, count: int) -> list[str]:
    """That many events of one source, oldest first."""
    pages.source("boxc", "boxc")
    return [
        pages.event_id(pages.send("boxc", "shipments-status", token=f"n{number}"))
        for number in range(count)
    ]


def test_the_list_is_newest_first(filled):
    """What came last stands on top, with state, words, type, entity, source and time."""
    answer = filled.admin.get("/events")
    listed = rows(answer.text)
    assert listed == sorted(listed, reverse=True)
    assert listed[0] == filled.ids["waiting"]
    first = answer.text.split("<tr data-row>")[1]
    for text in ("Waiting", "standardwebhooks.order.signed", "Order service", "<time datetime="):
        assert text in first


def test_older_pages_are_reached_by_key(pages, as_):
    """Every event stands on exactly one page, in one order."""
    ids = send_many(pages, PAGE * 2 + 3)
    visitor, seen = as_("vera"), []
    answer = visitor.get("/events")
    while True:
        seen += rows(answer.text)
        older = re.search(r'rel="next" href="/console([^"]+)"', answer.text)
        if older is None:
            break
        answer = visitor.get(older[1].replace("&amp;", "&"))
    assert seen == ids[::-1]
    assert "sse-connect" not in answer.text, "news belong on the newest page"


def test_exactly_one_full_page_has_no_older_one(pages, as_):
    """No link that leads to an empty page."""
    send_many(pages, PAGE)
    answer = as_("vera").get("/events")
    assert len(rows(answer.text)) == PAGE
    assert 'rel="next"' not in answer.text


@pytest.mark.parametrize(
    ("query", "chip", "count"),
    [
        ("source=orders", "Source Order service", 3),
        ("state=quarantined", "State Quarantined", 3),
        ("type=box.SIGN_REQUEST.DECLINED", "Type box.SIGN_REQUEST.DECLINED", 1),
        ("entity=boxc%3Ashipment%3A1521231", "About boxc:shipment:1521231", 12),
        ("q=jane.doe%40ex", "Search jane.doe@ex", 2),
        ("range=1h", "Received last hour", 16),
        ("since=2026-11-21T08%3A10", "From 2026-11-21 08:10 UTC", 8),
        ("until=2026-11-21T00%3A31", "To 2026-11-21 00:31 UTC", 1),
    ],
)
def test_filters_are_chips_in_the_address(filled, query, chip, count):
    """A view can be sent as a link; a chip says what is on and takes it off."""
    answer = filled.admin.get(f"/events?{query}")
    assert len(rows(answer.text)) == count
    assert f"{chip} – remove" in answer.words
    assert 'class="chip" href="/console/events"' in answer.text


def test_taking_one_filter_off_keeps_the_others(filled):
    """Each chip's address is the list without that one."""
    answer = filled.admin.get("/events?source=box-contracts&state=quarantined&q=a%26b")
    links = re.findall(r'class="chip" href="/console([^"]+)"', answer.text)
    assert [link.replace("&amp;", "&") for link in links] == [
        "/events?source=box-contracts&state=quarantined",
        "/events?q=a%26b&state=quarantined",
        "/events?q=a%26b&source=box-contracts",
    ]


def test_a_form_without_script_leaves_a_tidy_address(filled):
    """Empty filters go; what is left can be sent to a colleague."""
    answer = filled.admin.get("/events?q=&type=&source=boxc&state=&since=")
    assert (answer.status, answer.location) == (303, "/console/events?source=boxc")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("state=gone", "state must be one of"),
        ("range=century", "range must be one of"),
        ("since=yesterday", "since must be a date and time"),
        ("until=2026-99-99T00%3A00", "until must be a date and time"),
        ("since=0001-01-01T00%3A00%2B23%3A59", "since must be a date and time"),
        (f"q={'x' * 201}", "q must be at most"),
    ],
)
def test_a_filter_that_cannot_be_read_is_named(filled, query, text):
    """422 with the filter's name; nothing is listed as if it were not there."""
    answer = filled.admin.get(f"/events?{query}")
    assert answer.status == 422
    assert text in answer.words
    assert rows(answer.text) == []


def test_a_search_that_finds_nothing_says_how_it_searches(filled):
    """Prefixes of ids, addresses, names and numbers: told before people give up."""
    answer = filled.admin.get("/events?q=nothing-has-this")
    assert "beginning of ids, e-mail addresses, names and numbers" in answer.words
    assert "Remove all filters" in answer.words


def test_an_event_says_what_happened_and_what_proves_it(filled):
    """Title in words, state, the way it went, ids that can be copied, the bytes."""
    page = filled.admin.get(f"/events/{filled.ids['first']}")
    for text in (
        "Everybody signed: the sign request is complete",
        "Sender proven with the primary secret set on 20 Nov 2026.",
        "Signature over the body byte for byte as received",
        "Received from 203.0.113.7.",
        "Stored, then answered 200.",
        "The sender's id is new here: the first delivery.",
        "Dispatched: handed on.",
        "Other deliveries of this event 1",
        "curl -X POST",
    ):
        assert text in page.words, text
    assert f'data-copy="{filled.ids["first"]}"' in page.text
    assert '  "trigger": "SIGN_REQUEST.COMPLETED"' in page.text
    assert '{"type":"webhook_event"' in page.text or '"type": "webhook_event"' in page.text


def test_the_timeline_runs_from_the_newest_down(filled):
    """What comes next on top, then every step with its time and the time since the one before."""
    page = filled.admin.get(f"/events/{filled.ids['quarantined']}")
    timeline = page.text.split('<ol class="timeline">')[1].split("</ol>")[0]
    steps = [
        "Waits for a person to release it.",
        "Stored in the quarantine and answered 401",
        "Sender proven",
        "Received from",
        "Box signed this delivery.",
        "It happened",
    ]
    found = [timeline.index(step) for step in steps]
    assert found == sorted(found)
    assert '<span class="gap">+2 h</span>' in timeline


def test_a_duplicate_leads_to_the_first_delivery(filled):
    """It says why it has no body, and links to the delivery that was acted on."""
    first = filled.ids["first"]
    page = filled.admin.get(f"/events/{first}")
    (duplicate,) = [event for event in rows(page.text) if event != first]
    page = filled.admin.get(f"/events/{duplicate}")
    assert "The same id came before: counted as a duplicate." in page.words
    assert "its body is kept once, with the first delivery" in page.words
    assert page.text.count(f'href="/console/events/{first}"') >= 2
    assert "Dispatched: handed on." not in page.words


def test_two_events_of_one_request_name_each_other(filled):
    """A BoloSign body with two elements: each page lists the other."""
    page = filled.admin.get(f"/events/{filled.ids['two']}")
    assert "Other events of the same request 1" in page.words
    assert "Element 1 of 2" in page.words


def test_an_unparsable_body_is_explained_and_shown(filled):
    """Proven, unread, kept: the page says so and shows the bytes."""
    page = filled.admin.get(f"/events/{filled.ids['unparsable']}")
    assert "the body cannot be read. It is kept exactly as it came." in page.words
    assert '{"type": "order.signed"' in page.text
    assert "Dispatch again" not in page.words


def test_a_conflict_is_explained(pages, as_):
    """The same id with another body: kept, flagged, compared with the first."""
    pages.source("box", "box")
    first = pages.send("box", "file-uploaded", token="same")
    body = pages.hub.store.inbound.open_receipt(first.receipt_id).body
    second = pages.send("box", "file-uploaded", body=body + b" ")
    event = pages.hub.store.events.get(pages.event_id(second))
    assert event.conflict
    page = as_("admin").get(f"/events/{event.id}")
    assert "Its id was used before for another body" in page.words
    assert "Compare the two" in page.words
    assert f'href="/console/events/{pages.event_id(first)}"' in page.text


def test_release_lets_a_quarantined_event_in(pages, clock, ids, as_):
    """One click: released, audited, dispatched like the others; a second click is told so."""
    olga = as_("olga")
    page = olga.get(f"/events/{ids['quarantined']}")
    assert "Releasing lets it in as if it had come in time" in page.words
    done = olga.post(f"/events/{ids['quarantined']}/release")
    assert "Released. It is in the list" in olga.follow(done).words
    assert pages.state(ids["quarantined"]) is EventState.NEW
    pages.dispatch()
    page = olga.get(f"/events/{ids['quarantined']}")
    assert "Released from the quarantine by olga." in page.words
    assert "Dispatched: handed on." in page.words
    again = olga.post(f"/events/{ids['quarantined']}/release")
    assert again.status == 409
    assert "Nothing was changed" in again.words


def test_the_whole_quarantine_page_is_released_at_once(pages, ids, as_):
    """After an outage nobody clicks five hundred times."""
    olga = as_("olga")
    page = olga.get("/events?state=quarantined&source=box-contracts")
    receipts = re.findall(r'name="receipt" value="([^"]+)"', page.text)
    assert len(receipts) == 3
    olga.post("/quarantine/release", [("receipt", receipts[0])])
    done = olga.post("/quarantine/release", [("receipt", receipt) for receipt in receipts])
    page = olga.follow(done)
    assert "Released 2; the others had been released by somebody else" in page.words
    assert rows(page.text) == []


def test_releasing_needs_receipts_that_exist(pages, ids, as_):
    """A made-up receipt is a 404, not a success."""
    olga = as_("olga")
    olga.get("/events")
    assert olga.post("/quarantine/release", {"receipt": "rcp_none"}).status == 404


def test_dispatch_again_puts_an_event_back(pages, ids, as_):
    """It waits once more, and the page says what comes next."""
    olga = as_("olga")
    olga.get(f"/events/{ids['declined']}")
    page = olga.follow(olga.post(f"/events/{ids['declined']}/dispatch"))
    assert "Waiting for dispatch again." in page.words
    assert "Dispatch takes it within a second or two." in page.words
    assert olga.post(f"/events/{ids['quarantined']}/dispatch").status == 409


def test_a_paused_source_holds_its_events(pages, ids, as_):
    """The state says why nothing happens."""
    admin = as_("admin")
    admin.get("/sources/orders")
    admin.post("/sources/orders/pause")
    assert "Held" in admin.get("/events?source=orders").words
    page = admin.get(f"/events/{ids['waiting']}")
    assert "Dispatch waits until its source is resumed." in page.words


def test_events_of_a_deleted_source_stay_readable(pages, ids, as_):
    """The page says that the source is gone, and everything else is there."""
    admin = as_("admin")
    admin.get("/sources/orders")
    admin.post("/sources/orders/delete", {"confirm": "orders"})
    page = admin.get(f"/events/{ids['waiting']}")
    assert page.status == 200
    assert "orders (deleted)" in page.words
    assert "a secret that has since been removed" in page.words


def test_the_raw_body_is_inert(pages, as_):
    """Byte for byte, as text, in a sandbox that runs nothing and fetches nothing."""
    pages.source("orders", "standardwebhooks")
    body = b'{"type":"x","html":"<script>alert(1)</script>"}'
    intake = pages.send("orders", "contact-created", body=body)
    olga = as_("olga")
    raw = olga.get(f"/receipts/{intake.receipt_id}/raw")
    assert raw.body == body
    assert raw.headers["content-type"] == "text/plain; charset=utf-8"
    assert raw.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    assert raw.headers["x-content-type-options"] == "nosniff"
    assert raw.headers["content-disposition"].startswith("inline; filename=")
    saved = olga.get(f"/receipts/{intake.receipt_id}/raw?download=1")
    assert saved.headers["content-type"] == "application/octet-stream"
    assert saved.headers["content-disposition"] == (
        f'attachment; filename="{intake.receipt_id}.bin"'
    )
    assert saved.body == body


HOSTILE = '"><img src=x onerror=alert(1)></pre><script>alert(2)</script>{{7*7}}${7*7}'


def test_hostile_content_is_shown_inert(pages, as_):
    """Types, ids, headers, bodies and names reach the page as text, whatever they hold."""
    pages.source("orders", "standardwebhooks", HOSTILE)
    body = (
        b'{"type": "'
        + HOSTILE.replace('"', '\\"').encode()
        + b'", "id": "'
        + HOSTILE.replace('"', '\\"').encode()
        + b'"}'
    )
    intake = pages.send(
        "orders", "contact-created", body=body, headers=((b"x-evil", HOSTILE.encode()),)
    )
    pages.dispatch()
    admin = as_("admin")
    for path in (
        "/",
        "/events",
        f"/events/{pages.event_id(intake)}",
        "/sources",
        "/sources/orders",
        "/events?q=%22%3E%3Cscript%3Ealert(3)%3C%2Fscript%3E",
        "/events?entity=%22%3E%3Cscript%3Ealert(3)%3C%2Fscript%3E",
        "/settings/audit",
    ):
        answer = admin.get(path)
        for dangerous in ("<img src=x", "<script>alert", "onerror=alert(1)>", "{49}", "$49", " 49"):
            assert dangerous not in answer.text, (path, dangerous)


def test_a_large_body_does_not_make_a_large_page(pages, as_):
    """The beginning is shown and the whole is one click away, however it escapes."""
    pages.source("orders", "standardwebhooks")
    for filler in (b"<" * 200_000, "é".encode() * 100_000, b'\\"' * 100_000):
        body = b'{"type":"big","data":"' + filler + b'"}'
        intake = pages.send("orders", "contact-created", body=body)
        page = as_("olga").get(f"/events/{pages.event_id(intake)}")
        assert len(page.body) < 100 * 1024
        assert "This is the beginning" in page.words


def test_a_secret_in_an_address_is_not_shown(pages, as_):
    """An Outbound Message comes with its secret in the query: redacted, in the curl line, too."""
    pages.source("crm", "salesforce", settings={"organization_id": "00D5e000000KQ2eEAG"})
    intake = pages.send("crm", "opportunity-notified")
    html = as_("admin").get(f"/events/{pages.event_id(intake)}").text
    assert "secret=«redacted»" in html
    assert SECRETS["salesforce"]["secret"] not in html
    assert "MSA 2026" in html, "the body is there for who may see it"
