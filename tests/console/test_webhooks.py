"""Webhooks in the console: listed, made, changed, moved, and who may."""

import re

import pytest

from fakes.pages import PASSWORD
from fakes.sent import BOXC_KEY, fill_sent
from fakes.visitor import Visitor
from inkwire.access.gate import CLI
from inkwire.model.access import ROLE_SCOPES, Caller, Role
from inkwire.model.webhook import ProfileName, WebhookState
from inkwire.store.sending import WebhookQuery


def state(pages, hook) -> WebhookState:
    """What the store says of a webhook."""
    return pages.hub.webhooks.get(CLI, hook.id).state


FORM = {
    "topic": "order.signed",
    "address": "https://new.example.com/in",
    "profile": "standard",
    "key": "",
    "description": "",
    "document_ids": "",
    "filters": "",
    "headers": "",
    "rate_per_minute": "",
    "max_in_flight": "10",
}


# --- the list


def test_the_list_shows_state_topic_and_success(sending):
    """Every application's webhooks but the deleted ones, with how their endpoints do."""
    page = sending.admin.get("/webhooks")
    for text in (
        "https://shop.example.com/hooks/orders",
        "Northwind web shop",
        "Backing off",
        "Paused",
        "Disabled",
        "100 %",
        "0 %",
    ):
        assert text in page.words, text
    assert "old.example.com" not in page.words


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=erp", {"erp"}),
        ("q=signed", {"erp", "shop"}),
        ("state=deleted", {"old"}),
        ("state=paused", {"paused"}),
        ("topic=shipments_label", {"wms"}),
        ("failing=1", {"erp", "warehouse"}),
    ],
)
def test_the_list_is_searched_and_filtered(sending, query, found):
    """Part of address or description, topic, state, failing; each is a chip in the address."""
    page = sending.admin.get(f"/webhooks?{query}")
    hosts = set(re.findall(r'title="https://(\w+)\.example\.com', page.text))
    assert hosts == found
    assert 'class="chip"' in page.text


def test_filters_that_cannot_be_read_are_refused_in_words(sending):
    """A made-up state, number or range is a page that says what there is."""
    for path in (
        "/webhooks?state=gone",
        "/webhooks?after=x",
        "/deliveries?result=bad",
        "/deliveries?webhook=x",
        "/deliveries?state=lost",
        "/messages?origin=moon",
        "/messages?range=century",
        "/failures?range=century",
        f"/deliveries/{sending.ids['retried']}?attempt=99",
    ):
        assert sending.admin.get(path).status == 422, path


def test_odd_addresses_are_answered_in_words(sending):
    """Cursors, texts and numbers that no page of ours makes: never a fault of the hub."""
    for path in (
        "/webhooks?after=99999999999999999999",
        "/webhooks?q=%00",
        "/webhooks?q=" + "%25_" * 60,
        "/webhooks/000000000000000",
        "/webhooks/%00",
        "/messages?before=zzz",
        "/messages?q=%F0%9F%92%A9",
        "/messages/%00",
        "/deliveries?before=%27--",
        "/deliveries?webhook=999999999999999",
        "/deliveries?message=" + "x" * 500,
        "/applications?before=zzz",
        "/jobs?before=zzz",
        "/topics/%2E%2E",
        "/failures?application=%00",
    ):
        assert sending.admin.get(path).status in (200, 404, 422), path


def test_ids_of_nothing_are_not_found(sending):
    """Letters, other kinds, and numbers of nothing."""
    for path in (
        "/webhooks/abc",
        "/webhooks/999999",
        "/webhooks/999999/edit",
        "/webhooks/999999/test",
        "/webhooks/999999/recover",
        "/messages/msg_none",
        "/messages/msg_none/raw",
        "/deliveries/dlv_none",
        "/attempts/att_none/raw",
        "/jobs/job_none",
        "/topics/no.such",
        "/applications/app_none",
    ):
        assert sending.admin.get(path).status == 404, path


# --- one webhook


def test_a_webhook_says_how_its_endpoint_does(sending):
    """Success, mean time, breaker and its end, the next delivery, the deliveries with attempts."""
    page = sending.admin.get(f"/webhooks/{sending.ids['down']}")
    assert "Its endpoint failed again and again" in page.words
    assert "breaker open, closes in" in page.words
    assert "HTTP 503" in page.words
    assert "10, then the delivery is given up" in page.words


def test_keys_and_headers_are_never_shown(sending):
    """The names of its own headers are; no key and no value is on any page of it."""
    good = sending.ids["good"]
    for path in (
        f"/webhooks/{good}",
        f"/webhooks/{good}/edit",
        f"/deliveries/{sending.ids['delivered']}",
    ):
        page = sending.admin.get(path)
        assert "Authorization" in page.words, path
        assert "secret-of-the-shop" not in page.text, path
        assert "whsec_" not in page.text, path
    boxc = sending.admin.get(f"/webhooks/{sending.ids['boxc']}")
    assert BOXC_KEY not in boxc.text


@pytest.mark.parametrize(
    ("verb", "first", "after", "said"),
    [
        ("pause", None, WebhookState.PAUSED, "Deliveries are made and wait"),
        ("resume", "pause", WebhookState.ACTIVE, "What waited is sent now"),
        ("disable", None, WebhookState.DISABLED, "What waited is cancelled"),
        ("enable", "disable", WebhookState.ACTIVE, "published from now on"),
        ("restore", "delete", WebhookState.ACTIVE, "Restored"),
    ],
)
def test_a_webhook_is_moved(pages, as_, hook, verb, first, after, said):
    """Each verb stands as a button where it is possible, and says what it did."""
    if first:
        getattr(pages.hub.webhooks, first)(CLI, hook.id)
    olga = as_("olga")
    page = olga.get(f"/webhooks/{hook.id}")
    assert f"/webhooks/{hook.id}/{verb}" in page.text
    done = olga.follow(olga.post(f"/webhooks/{hook.id}/{verb}"))
    assert said in done.words
    assert state(pages, hook) is after


def test_a_webhook_is_deleted_only_when_its_number_is_typed(pages, as_, hook):
    """The sentence stands before the button; a wrong number changes nothing."""
    olga = as_("olga")
    olga.get(f"/webhooks/{hook.id}")
    wrong = olga.post(f"/webhooks/{hook.id}/delete", {"confirm": "1"})
    assert wrong.status == 422
    assert f"Must be {hook.id}" in wrong.words
    assert state(pages, hook) is WebhookState.ACTIVE
    olga.post(f"/webhooks/{hook.id}/delete", {"confirm": str(hook.id)})
    assert state(pages, hook) is WebhookState.DELETED


def test_many_are_changed_at_once(pages, as_, sent, shop):
    """Only those chosen; one that cannot be changed is counted out, in words."""
    hooks = [sent.webhook(shop, f"https://n{n}.example.com/in") for n in range(3)]
    pages.hub.webhooks.disable(CLI, hooks[2].id)
    olga = as_("olga")
    olga.get("/webhooks")
    chosen = [("do", "pause"), *(("webhook", str(one.id)) for one in hooks[1:])]
    done = olga.follow(olga.post("/webhooks", chosen))
    assert "Done for 1; the others" in done.words
    assert [state(pages, one) for one in hooks] == ["active", "paused", "disabled"]
    assert olga.post("/webhooks", [("do", "pause")]).status == 422
    assert olga.post("/webhooks", [("do", "burn"), ("webhook", "1")]).status == 422


# --- made and changed


def test_a_webhook_is_made_and_its_key_shown_once(pages, as_, shop):
    """A made-up key stands on the answer, and on no page after it."""
    olga = as_("olga")
    form = olga.get(f"/new-webhook?application={shop}&topic=order.signed")
    assert f'<option value="{shop}" selected>' in form.text
    assert '<option value="order.signed" selected>' in form.text
    made = olga.post("/new-webhook", FORM | {"application": shop})
    key = re.search(r"whsec_[A-Za-z0-9+/=]+", made.words)
    assert key, made.words
    (hook,) = pages.hub.store.subscribers.webhooks(WebhookQuery())
    assert (hook.topic, hook.address, hook.profile) == (
        "order.signed",
        "https://new.example.com/in",
        ProfileName.STANDARD,
    )
    assert key[0] not in olga.get(f"/webhooks/{hook.id}").text


def test_limits_and_headers_are_read_as_typed(pages, as_, shop):
    """Lines become documents, filters and headers; the change page gives back what it may."""
    olga = as_("olga")
    olga.get("/new-webhook")
    olga.post(
        "/new-webhook",
        FORM
        | {
            "application": shop,
            "description": "Into the ERP",
            "document_ids": "doc_1\r\ndoc_2\r\n",
            "filters": 'data.status equals "signed"\r\ndata.order_id exists\r\ndata.n in [1, 2]',
            "headers": "Authorization: Bearer abc\r\nX-Team: seven",
            "rate_per_minute": "120",
            "max_in_flight": "3",
        },
    )
    (hook,) = pages.hub.store.subscribers.webhooks(WebhookQuery())
    assert hook.document_ids == ("doc_1", "doc_2")
    assert [(f.path, f.op.value) for f in hook.filters] == [
        ("data.status", "equals"),
        ("data.order_id", "exists"),
        ("data.n", "in"),
    ]
    assert (hook.rate_per_minute, hook.max_in_flight) == (120, 3)
    assert pages.hub.store.subscribers.open_headers(hook.id) == (
        ("Authorization", "Bearer abc"),
        ("X-Team", "seven"),
    )
    edit = olga.get(f"/webhooks/{hook.id}/edit")
    for text in (
        'data.status equals "signed"',
        "data.order_id exists",
        "data.n in [1, 2]",
        "doc_2",
    ):
        assert text in edit.words, text
    assert "Bearer abc" not in edit.text
    kept = {"address": "https://other.example.com/in", "filters": "", "max_in_flight": "3"}
    olga.post(f"/webhooks/{hook.id}", kept)
    changed = pages.hub.webhooks.get(CLI, hook.id)
    assert (changed.address, changed.filters) == ("https://other.example.com/in", ())
    assert changed.header_names == ("Authorization", "X-Team"), "no line leaves the headers"
    olga.post(f"/webhooks/{hook.id}", kept | {"no_headers": "true"})
    assert pages.hub.webhooks.get(CLI, hook.id).header_names == ()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("topic", "", "f-topic-error"),
        ("topic", "no.such.topic", "f-topic-error"),
        ("address", "ftp://x", "f-address-error"),
        ("address", "https://inside.example.com/", "f-address-error"),
        ("profile", "carrier-pigeon", "f-profile-error"),
        ("key", "short", "f-key-error"),
        ("filters", "what is this", "f-filters-error"),
        ("filters", "a equals", "f-filters-error"),
        ("headers", "no colon", "f-headers-error"),
        ("headers", "Host: evil", "f-headers-error"),
        ("rate_per_minute", "many", "f-rate_per_minute-error"),
        ("max_in_flight", "0", "f-max_in_flight-error"),
        ("document_ids", "x" * 300, "f-document_ids-error"),
        ("application", "app_none", "f-application-error"),
    ],
)
def test_each_broken_rule_stands_at_its_field(pages, as_, shop, field, value, said):
    """What was typed stays, nothing is made, and the sentence is tied to the input."""
    olga = as_("olga")
    olga.get("/new-webhook")
    answer = olga.post("/new-webhook", {"application": shop} | FORM | {field: value})
    assert answer.status == 422
    assert f'id="{said}"' in answer.text
    assert pages.hub.store.subscribers.webhooks(WebhookQuery()) == []


def test_the_same_address_twice_is_said_at_the_address(pages, as_, shop, hook):
    """409: an application has one webhook of a topic and address."""
    olga = as_("olga")
    olga.get("/new-webhook")
    answer = olga.post("/new-webhook", FORM | {"application": shop, "address": hook.address})
    assert answer.status == 409
    assert 'id="f-address-error"' in answer.text


def test_a_key_is_rotated(pages, as_, hook):
    """With an overlap both are there; a made-up one is shown once; a bad one is refused."""
    olga = as_("olga")
    olga.get(f"/webhooks/{hook.id}")
    answer = olga.post(f"/webhooks/{hook.id}/rotate", {"key": "", "overlap_s": "3600"})
    assert "whsec_" in answer.words
    assert len(pages.hub.webhooks.get(CLI, hook.id).keys) == 2
    assert "ends in 1 h" in olga.get(f"/webhooks/{hook.id}").words
    wrong = olga.post(f"/webhooks/{hook.id}/rotate", {"key": "nope", "overlap_s": "3600"})
    assert wrong.status == 422
    assert 'id="key-error"' in wrong.text
    long = olga.post(f"/webhooks/{hook.id}/rotate", {"key": "", "overlap_s": "99999999"})
    assert long.status == 422
    assert len(pages.hub.webhooks.get(CLI, hook.id).keys) == 2


# --- who may do what


def test_the_overview_names_failing_webhooks(pages, as_, sent, shop, hook):
    """With the list of them one click away."""
    pages.source("boxc", "boxc")
    assert "webhook fails" not in as_("vera").get("/").words
    sent.answers[hook.id] = 500
    sent.publish(shop)
    sent.work()
    page = as_("vera").get("/")
    assert "1 webhook fails" in page.words
    assert "/console/webhooks?failing=1" in page.text


def test_a_paused_webhooks_test_says_that_it_waits(pages, as_, hook):
    """The page does not promise an answer that will not come."""
    pages.hub.webhooks.pause(CLI, hook.id)
    olga = as_("olga")
    olga.get(f"/webhooks/{hook.id}")
    waits = olga.follow(olga.post(f"/webhooks/{hook.id}/test"))
    assert "Its webhook is paused" in waits.words
    assert "hx-trigger" not in waits.text


def test_empty_lists_say_what_to_do(as_):
    """Each names its first step."""
    admin = as_("admin")
    for path, text in {
        "/webhooks": "No webhooks yet",
        "/messages": "No messages yet",
        "/deliveries": "No deliveries yet",
        "/jobs": "No jobs yet",
        "/applications": "No applications yet",
        "/new-webhook": "There is no application yet",
    }.items():
        assert text in admin.get(path).words, path


def test_a_viewer_sees_no_payloads_and_no_buttons(sending):
    """Personal data and actions stay with those whose role has them."""
    vera = Visitor(sending.pages.app)
    vera.sign_in("vera", PASSWORD)
    ids = sending.ids
    for path in (
        "/webhooks",
        f"/webhooks/{ids['good']}",
        f"/webhooks/{ids['gone']}",
        f"/deliveries/{ids['retried']}",
        f"/messages/{ids['message']}",
        f"/applications/{ids['shop']}",
        "/topics/order.signed",
        "/deliveries",
        f"/jobs/{ids['job']}",
    ):
        page = vera.get(path)
        assert page.status == 200, path
        forms = set(re.findall(r'method="post"[^>]*action="([^"]*)"', page.text))
        assert forms == {"/console/theme", "/console/sign-out"}, path
        assert not re.search(r'href="[^"]*(/edit|/test|/recover|new-)', page.text), path
        assert "webhook-signature" not in page.text
    assert "831488" not in vera.get(f"/messages/{ids['message']}").text
    for path in (f"/messages/{ids['message']}/raw", f"/attempts/{ids['attempt']}/raw"):
        assert vera.get(path).status == 403


def test_scopes_of_roles_cover_the_pages():
    """An operator manages webhooks; applications are an administrator's."""
    operator = Caller(actor="user:olga", scopes=ROLE_SCOPES[Role.OPERATOR])
    assert operator.may("webhooks:write")
    assert not operator.may("applications")


def test_a_days_sending_is_filled_in_every_state(pages, clock):
    """The sample hub of these tests and of the screenshots holds what it says."""
    ids = fill_sent(pages, lambda seconds: clock.advance(seconds=seconds))
    for name, expected in {
        "good": "active",
        "gone": "deleted",
        "paused": "paused",
        "disabled": "disabled",
    }.items():
        assert pages.hub.webhooks.get(CLI, int(ids[name])).state == expected
