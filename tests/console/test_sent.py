"""What was sent, in the console: messages, deliveries, tests, failures and jobs."""

import json
import re

import pytest

from inkwire.access.gate import CLI
from inkwire.model.message import AttemptResult, MessageOrigin
from inkwire.model.webhook import ProfileName
from inkwire.store.sending import DeliveryQuery, MessageQuery

# --- messages, deliveries, attempts


def test_the_log_of_messages_is_filtered(sending):
    """By id, topic, origin, application; an id of nothing says how it searches."""
    page = sending.admin.get(f"/messages?q={sending.ids['message']}")
    assert page.text.count("data-row") == 1
    assert "No message fits" in sending.admin.get("/messages?q=msg_none").words
    assert sending.admin.get("/messages?topic=shipments_label").text.count("data-row") == 1
    assert (
        "Northwind"
        not in re.search(
            r"<tbody>.*</tbody>",
            sending.admin.get(f"/messages?application={sending.ids['warehouse']}").text,
            re.DOTALL,
        )[0]
    )


def test_a_message_shows_its_payload_and_deliveries(sending):
    """Indented; one line for each webhook that got it."""
    page = sending.admin.get(f"/messages/{sending.ids['message']}")
    assert '"number": "831488"' in page.words
    assert page.text.count("data-row") >= 3


def test_a_delivery_shows_what_was_sent_and_what_came_back(sending):
    """Each attempt, its headers, timings and answer; the chosen one is opened."""
    path = f"/deliveries/{sending.ids['retried']}"
    page = sending.admin.get(path)
    for text in ("What was sent", "webhook-signature", "What came back", "HTTP 503", "received"):
        assert text in page.words, text
    assert "Connecting 41 ms" in page.words
    assert "Waiting for the answer 133 ms" in page.words
    assert 'class="timing"' in page.text
    assert "attempt 1" in sending.admin.get(f"{path}?attempt=1").words


def test_bodies_are_served_inert(sending):
    """As text, in a browsing context that can do nothing; never as what they claim to be."""
    for path in (
        f"/messages/{sending.ids['message']}/raw",
        f"/attempts/{sending.ids['attempt']}/raw",
    ):
        answer = sending.admin.get(path)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        saved = sending.admin.get(f"{path}?download=1")
        assert saved.headers["content-disposition"].startswith("attachment")


HOSTILE = b'"></pre><script>window.owned=1</script><img src=x onerror=window.owned=1>'


def test_what_an_endpoint_answers_is_escaped(pages, as_, sent, shop, hook):
    """Body, header and redacted cookie of an endpoint that means ill."""
    sent.answer_body = HOSTILE
    sent.answer_headers = (("X-Evil", HOSTILE.decode()), ("Set-Cookie", "sid=s3cret"))
    sent.publish(shop)
    sent.work()
    (delivery,) = pages.hub.store.outbox.deliveries(DeliveryQuery())
    page = as_("admin").get(f"/deliveries/{delivery.id}")
    assert "&lt;script&gt;" in page.text
    assert "<script>window" not in page.text
    assert "<img" not in page.text
    assert "s3cret" not in page.text


def test_one_is_sent_again_and_many(pages, as_, sent, shop, hook):
    """A delivered one becomes a new delivery of the same message; a disabled webhook takes none."""
    for _ in range(2):
        sent.publish(shop)
    sent.work()
    first, second = pages.hub.store.outbox.deliveries(DeliveryQuery())
    olga = as_("olga")
    olga.get(f"/deliveries/{first.id}")
    again = olga.follow(olga.post(f"/deliveries/{first.id}/resend"))
    assert "It is due at once." in again.words
    olga.get("/deliveries")
    many = olga.follow(olga.post("/deliveries", [("delivery", first.id), ("delivery", second.id)]))
    assert "2 are due at once" in many.words
    assert len(pages.hub.store.outbox.deliveries(DeliveryQuery())) == 5
    pages.hub.webhooks.disable(CLI, hook.id)
    assert olga.post(f"/deliveries/{first.id}/resend").status == 409
    some = olga.follow(olga.post("/deliveries", [("delivery", first.id)]))
    assert "0 are due at once; the others" in some.words
    assert olga.post("/deliveries", []).status == 422


# --- the test button


def test_the_test_sends_the_example_and_shows_the_answer(pages, as_, clock, sent, hook):
    """One click: first what is sent, after the worker's round what came back."""
    olga = as_("olga")
    olga.get(f"/webhooks/{hook.id}")
    sending = olga.post(f"/webhooks/{hook.id}/test")
    waits = olga.follow(sending)
    assert "This page fills in by itself" in waits.words
    assert 'hx-trigger="every 1s"' in waits.text
    assert "831488" in waits.words
    sent.answers[hook.id] = 418
    sent.work()
    came = olga.get(sending.location.removeprefix("/console"))
    assert "HTTP 418" in came.words
    assert "webhook-signature" in came.words
    assert "Attempt 2 is due" in came.words
    clock.advance(seconds=60)
    sent.answers[hook.id] = 204
    sent.work()
    came = olga.get(sending.location.removeprefix("/console"))
    assert "Delivered" in came.words
    assert "Attempts 2" in came.words
    assert 'hx-trigger="every 1s"' not in came.text, "nothing more will happen"
    (message,) = pages.hub.store.outbox.messages(MessageQuery())
    assert message.origin is MessageOrigin.TEST


def test_a_bolosign_profile_gets_one_element_for_each_document(pages, as_, sent, shop):
    """What the test button of BoloSign sends (R108): an array over the selected documents."""
    pages.hub.applications.set_grants(CLI, shop, ["order.signed", "bolosign.new_pdf_completed"])
    hook = sent.webhook(shop, profile=ProfileName.BOLOSIGN, document_ids=("d1", "d2"), key="k" * 24)
    olga = as_("olga")
    olga.get(f"/webhooks/{hook.id}")
    olga.follow(olga.post(f"/webhooks/{hook.id}/test"))
    (message,) = pages.hub.store.outbox.messages(MessageQuery())
    body = pages.hub.store.outbox.open_body(message.id)
    assert body.startswith(b"[{")
    assert body.count(b'"documentId"') == 2


def test_a_payload_of_ones_own_is_checked_against_the_schema(pages, as_, sent, hook):
    """What does not fit is said at the field and stays there; what fits is queued as it is."""
    olga = as_("olga")
    form = olga.get(f"/webhooks/{hook.id}/test")
    assert "831488" in form.words
    wrong = olga.post(f"/webhooks/{hook.id}/test", {"payload": '{"half": '})
    assert wrong.status == 422
    assert 'id="payload-error"' in wrong.text
    example = pages.hub.catalogue.get("order.signed").example
    mine = json.dumps(example | {"timestamp": "2026-01-01T00:00:00+00:00"})
    assert olga.post(f"/webhooks/{hook.id}/test", {"payload": mine}).status == 303
    (message,) = pages.hub.store.outbox.messages(MessageQuery())
    assert pages.hub.store.outbox.open_body(message.id) == mine.encode()
    pages.hub.webhooks.disable(CLI, hook.id)
    assert olga.post(f"/webhooks/{hook.id}/test").status == 409


# --- failures and jobs


def test_failures_are_grouped_by_cause(sending):
    """The most frequent first, with what helps, and the deliveries behind each."""
    page = sending.admin.get("/failures?range=7d")
    assert "HTTP 503" in page.words
    assert "No whole answer in time" in page.words
    assert "/console/deliveries?result=timeout&amp;range=7d" in page.text
    listed = sending.admin.get("/deliveries?result=timeout&range=7d")
    assert listed.text.count("data-row") == 6


def test_nothing_fails_in_a_new_hub(as_):
    """An empty list says so."""
    assert "Nothing fails" in as_("vera").get("/failures").words


def test_recover_is_counted_confirmed_watched_and_cancelled(pages, as_, sent, shop, hook):
    """Nothing is sent before the count was seen; the job can be stopped."""
    sent.answers[hook.id] = AttemptResult.GONE
    for _ in range(3):
        sent.publish(shop)
    sent.work()
    pages.hub.webhooks.activate(CLI, hook.id)
    olga = as_("olga")
    path = f"/webhooks/{hook.id}/recover"
    assert "Count them" in olga.get(path).words
    counted = olga.get(f"{path}?kind=recover&since=2026-11-01T00:00")
    assert "Recover what was given up: 3 deliveries" in counted.words
    assert pages.hub.jobs.page(CLI) == []
    started = olga.post(path, {"kind": "recover", "since": "2026-11-01T00:00"})
    page = olga.follow(started)
    assert "0 of 3" in page.words
    assert 'hx-trigger="every 1s"' in page.text
    again = olga.post(path, {"kind": "recover", "since": "2026-11-01T00:00"})
    assert again.status == 409, "one of a kind at a time"
    where = started.location.removeprefix("/console")
    done = olga.follow(olga.post(f"{where}/cancel"))
    assert "Cancelled" in done.words
    assert 'hx-trigger="every 1s"' not in done.text
    assert olga.post(f"{where}/cancel").status == 409


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "burn", "since": "2026-11-01T00:00"},
        {"kind": "recover", "since": "soon"},
        {"kind": "recover", "since": ""},
        {"kind": "recover", "since": "2999-01-01T00:00"},
    ],
)
def test_recover_says_what_it_cannot_read(pages, as_, hook, given):
    """At the field, both when counting and when starting; no job is made."""
    olga = as_("olga")
    olga.get(f"/webhooks/{hook.id}/recover")
    assert olga.post(f"/webhooks/{hook.id}/recover", given).status == 422
    query = "&".join(f"{name}={value}" for name, value in given.items() if value)
    assert olga.get(f"/webhooks/{hook.id}/recover?{query}").status == 422
    assert pages.hub.jobs.page(CLI) == []
