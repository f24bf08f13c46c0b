"""Inside the portal: an application's own webhooks and log, and nothing of anybody else's."""

import re

import pytest

from inkwire.access.gate import CLI
from inkwire.model.webhook import WebhookState
from inkwire.portal.app import PAGES
from inkwire.store.sending import DeliveryQuery, WebhookQuery

MAX_CALLS = 8
MAX_PAGE_BYTES = 100 * 1024


def addresses(ids: dict[str, str]) -> dict[str, str]:
    """Every page that is read, with the sample's ids."""
    return {
        "/": "/",
        "/webhooks": "/webhooks",
        "/webhooks/{webhook_id}": f"/webhooks/{ids['down']}",
        "/webhooks/{webhook_id}/edit": f"/webhooks/{ids['good']}/edit",
        "/webhooks/{webhook_id}/test": f"/webhooks/{ids['good']}/test",
        "/new-webhook": "/new-webhook",
        "/messages": "/messages",
        "/messages/{message_id}": f"/messages/{ids['message']}",
        "/messages/{message_id}/raw": f"/messages/{ids['message']}/raw",
        "/deliveries": "/deliveries",
        "/deliveries/{delivery_id}": f"/deliveries/{ids['retried']}",
        "/attempts/{attempt_id}/raw": f"/attempts/{ids['attempt']}/raw",
        "/topics": "/topics",
        "/topics/{name}": "/topics/order.signed",
    }


def test_every_page_is_small_and_asks_little(portal):
    """All pages that there are, at most 8 store calls and 100 KB, no link out of the portal."""
    assert sorted(addresses(dict.fromkeys(portal.ids, "1"))) == sorted(
        page.path for page in PAGES if page.method == "GET"
    )
    visitor = portal.visitor()
    for path in addresses(portal.ids).values():
        before = len(portal.pages.calls)
        answer = visitor.get(path)
        assert answer.status == 200, path
        calls = portal.pages.calls[before:]
        assert len(calls) <= MAX_CALLS, (path, calls)
        assert len(answer.body) < MAX_PAGE_BYTES, path
        links = set(re.findall(r'(?:href|action|src)="([^"#]*)"', answer.text))
        assert {link for link in links if not link.startswith("/portal/")} == set(), path


def test_the_list_holds_the_applications_own(portal):
    """No other application's webhook, no deleted one, no column of applications."""
    page = portal.visitor().get("/webhooks")
    assert "shop.example.com" in page.words
    for other in ("warehouse.example.com", "old.example.com", "Warehouse", "Application"):
        assert other not in page.words, other
    theirs = portal.visitor("warehouse").get("/webhooks")
    assert "warehouse.example.com" in theirs.words
    assert "shop.example.com" not in theirs.words


def test_ids_of_another_application_are_not_found(portal):
    """Reading, changing, testing, sending again: as if they were not there."""
    visitor = portal.visitor("warehouse")
    ids = portal.ids
    for path in (
        *(f"/webhooks/{ids['good']}{tail}" for tail in ("", "/edit", "/test")),
        f"/messages/{ids['message']}",
        f"/messages/{ids['message']}/raw",
        f"/deliveries/{ids['retried']}",
        f"/attempts/{ids['attempt']}/raw",
    ):
        assert visitor.get(path).status == 404, path
    form = {"address": "https://evil.example.com/", "confirm": ids["good"], "payload": ""}
    for tail in ("", "/pause", "/disable", "/enable", "/restore", "/delete", "/rotate", "/test"):
        assert visitor.post(f"/webhooks/{ids['good']}{tail}", form).status == 404, tail
    assert visitor.post(f"/deliveries/{ids['retried']}/resend").status == 404
    hook = portal.pages.hub.webhooks.get(CLI, int(ids["good"]))
    assert (hook.state, hook.address) == ("active", "https://shop.example.com/hooks/orders")
    before = len(portal.pages.hub.store.outbox.deliveries(DeliveryQuery(limit=200)))
    done = visitor.follow(visitor.post("/deliveries", {"delivery": ids["retried"]}))
    assert "0 are due at once" in done.words
    assert len(portal.pages.hub.store.outbox.deliveries(DeliveryQuery(limit=200))) == before


@pytest.mark.parametrize("where", ["messages", "deliveries", "webhooks"])
def test_a_filter_by_application_reaches_no_other(portal, where):
    """A made-up query shows nothing more than is one's own."""
    visitor = portal.visitor("warehouse")
    page = visitor.get(f"/{where}?application={portal.ids['shop']}")
    found = set(re.findall(r'href="/portal/(?:messages|deliveries|webhooks)/([^"?]+)"', page.text))
    own = visitor.get(f"/{where}")
    assert found <= set(re.findall(r'/portal/\w+/([^"?]+)"', own.text))


def test_a_deleted_webhook_is_gone_for_its_application(portal):
    """Only the operator sees and restores it."""
    visitor, gone = portal.visitor(), portal.ids["gone"]
    assert visitor.get(f"/webhooks/{gone}").status == 404
    assert visitor.post(f"/webhooks/{gone}/restore").status == 404
    assert visitor.get("/webhooks?state=deleted").text.count("data-row") == 0
    hook = portal.ids["good"]
    left = visitor.post(f"/webhooks/{hook}/delete", {"confirm": hook})
    assert left.location == "/portal/webhooks"
    assert "Deleted" in visitor.follow(left).words


def test_a_webhook_is_made_changed_and_rotated(portal):
    """For its own application, whatever the form says; sandbox profiles are not offered."""
    visitor = portal.visitor()
    form = visitor.get("/new-webhook")
    assert 'name="application"' not in form.text
    assert 'value="bolosign"' not in form.text
    given = {
        "application": portal.ids["warehouse"],
        "topic": "order.created",
        "address": "https://mine.example.com/in",
        "profile": "standard",
    }
    made = visitor.post("/new-webhook", given)
    assert "whsec_" in made.words
    own = portal.pages.hub.store.subscribers.webhooks(WebhookQuery(text="mine.example"))
    assert [one.application_id for one in own] == [portal.ids["shop"]]
    hook = f"/webhooks/{own[0].id}"
    assert visitor.post("/new-webhook", given | {"profile": "box"}).status == 422
    assert visitor.post(hook, {"address": "https://mine.example.com/two"}).status == 303
    assert visitor.post(hook, {"address": "http://10.0.0.1/"}).status == 422
    assert "whsec_" in visitor.post(f"{hook}/rotate", {"key": "", "overlap_s": "0"}).words
    for verb, state in (
        ("pause", WebhookState.PAUSED),
        ("resume", WebhookState.ACTIVE),
        ("disable", WebhookState.DISABLED),
        ("enable", WebhookState.ACTIVE),
    ):
        visitor.post(f"{hook}/{verb}")
        assert portal.pages.hub.webhooks.get(CLI, own[0].id).state is state


def test_a_topic_without_a_grant_is_refused(portal):
    """The catalogue shows what may be heard, and no form gets round it."""
    visitor = portal.visitor("warehouse")
    assert "order.created" not in visitor.get("/topics").words
    assert visitor.get("/topics/order.created").status == 404
    given = {"topic": "order.created", "address": "https://w.example.com/", "profile": "standard"}
    refused = visitor.post("/new-webhook", given)
    assert refused.status == 422
    assert 'id="f-topic-error"' in refused.text


def test_the_catalogue_has_schemas_and_examples(portal):
    """Indented, with a way to a webhook."""
    page = portal.visitor().get("/topics/order.signed")
    assert '"$schema"' in page.words or '"type": "object"' in page.words
    assert "831488" in page.words
    assert "/portal/new-webhook?topic=order.signed" in page.text


def test_the_test_button_shows_what_came_back(portal):
    """As in the console, scoped."""
    visitor, hook = portal.visitor(), portal.ids["good"]
    sending = visitor.post(f"/webhooks/{hook}/test")
    assert "This page fills in by itself" in visitor.follow(sending).words
    portal.sent.work()
    came = visitor.get(sending.location.removeprefix("/portal"))
    assert "HTTP 200" in came.words
    assert "secret-of-the-shop" not in came.text


def test_a_delivery_is_sent_again(portal):
    """One's own."""
    visitor = portal.visitor()
    again = visitor.follow(visitor.post(f"/deliveries/{portal.ids['delivered']}/resend"))
    assert "It is due at once." in again.words


def test_the_operators_pages_are_not_here(portal):
    """No applications, failures over all, jobs, bulk changes, users, events."""
    visitor = portal.visitor()
    for path in (
        "/applications",
        f"/applications/{portal.ids['shop']}",
        "/new-application",
        "/failures",
        "/jobs",
        "/new-topic",
        "/topics/invoice.paid/edit",
        f"/webhooks/{portal.ids['good']}/recover",
        "/events",
        "/settings",
        "/sources",
    ):
        assert visitor.get(path).status == 404, path
    assert visitor.post(
        "/webhooks", [("do", "delete"), ("webhook", portal.ids["good"])]
    ).status in (404, 405)
    assert visitor.post("/topics/invoice.paid", {"description": "x"}).status in (404, 405)


def test_a_deleted_application_ends_its_sessions(portal):
    """The next click leads out."""
    visitor = portal.visitor()
    portal.pages.hub.applications.delete(CLI, portal.ids["shop"])
    assert visitor.get("/webhooks").location == "/portal/?out=1"


def test_the_look_is_chosen_here_too(portal):
    """Kept in a cookie of the portal."""
    visitor = portal.visitor()
    answer = visitor.post("/theme", {"theme": "dark", "next": "/portal/webhooks"})
    assert 'data-theme="dark"' in visitor.follow(answer).text
