"""One message, one delivery with its attempts, and the test: what was sent, what came back."""

from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response

from inkwire.errors import InvalidInput
from inkwire.model.access import Scope
from inkwire.model.message import (
    Attempt,
    AttemptResult,
    Delivery,
    DeliveryState,
    MessageOrigin,
    OpenedAttempt,
)
from inkwire.model.webhook import Webhook, WebhookState
from inkwire.pages import bodies
from inkwire.pages.inputs import PAGE, whole
from inkwire.pages.outgoing import words
from inkwire.pages.outgoing.rows import application_names, delivery_rows, message_rows, seconds
from inkwire.pages.outgoing.webhooks import number
from inkwire.pages.visit import Page, Visit
from inkwire.store.sending import DeliveryQuery

#: Most bytes of a payload that is typed on the test page.
MAX_TYPED = 256 * 1024
#: A page of a delivery that is due looks for news for this long.
WATCHED = timedelta(minutes=5)
SOON = timedelta(seconds=90)


# --- a message


def message_page(visit: Visit) -> Response:
    """GET /messages/{id}: the payload, and where its deliveries stand."""
    message = visit.parts.deliveries.message(visit.caller, visit.path["message_id"])
    query = DeliveryQuery(message_id=message.id, limit=PAGE + 1)
    found = visit.parts.deliveries.deliveries(visit.caller, query)
    may_read = visit.may(Scope.MESSAGES_BODY)
    payload = visit.parts.deliveries.payload(visit.caller, message.id) if may_read else None
    return visit.render(
        "message.html",
        row=message_rows(visit, [message], application_names(visit))[0],
        message=message,
        rows=delivery_rows(visit, found[:PAGE]),
        more=len(found) > PAGE,
        body=None if payload is None else bodies.shown_body(payload),
    )


def message_raw(visit: Visit) -> Response:
    """GET /messages/{id}/raw: the payload as it is sent."""
    message_id = visit.path["message_id"]
    return visit.raw(visit.parts.deliveries.payload(visit.caller, message_id), message_id)


# --- a delivery


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """One stretch of an attempt, as a part of the whole; shares are 0 to 100."""

    name: str
    css: str
    start: float
    share: float
    took: str


def phases(attempt: Attempt) -> list[Phase]:
    """Where an attempt's time went: connecting, waiting for the answer, reading it. Pure."""
    whole_s = max(attempt.duration_s, 1e-6)
    connect = min(attempt.connect_s or 0.0, whole_s)
    head = min(attempt.head_s or connect, whole_s)
    ends = [
        ("Connecting", "connect", 0.0, connect if attempt.connect_s is not None else whole_s),
        ("Waiting for the answer", "wait", connect, head if attempt.head_s else whole_s),
        ("Reading the answer", "read", head, whole_s),
    ]
    reached = 1 + (attempt.connect_s is not None) + (attempt.head_s is not None)
    return [
        Phase(
            name=name,
            css=css,
            start=round(100 * start / whole_s, 2),
            share=round(100 * max(end - start, 0.0) / whole_s, 2),
            took=seconds(max(end - start, 0.0)),
        )
        for name, css, start, end in ends[:reached]
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRow:
    """One HTTP try."""

    attempt: Attempt
    result: str
    ok: bool
    url: str
    took: str
    chosen: bool


def delivery_page(visit: Visit) -> Response:
    """GET /deliveries/{id}: its attempts; one of them opened (`attempt`, else the last)."""
    detail = visit.parts.deliveries.delivery(visit.caller, visit.path["delivery_id"])
    delivery, attempts = detail.delivery, list(detail.attempts)
    may_read = visit.may(Scope.MESSAGES_BODY)
    chosen = _chosen(visit, attempts)
    opened = (
        visit.parts.deliveries.attempt(visit.caller, chosen.id) if chosen and may_read else None
    )
    payload = visit.parts.deliveries.payload(visit.caller, detail.message.id) if may_read else None
    paused = _paused(visit, delivery)
    return visit.render(
        "delivery.html",
        row=delivery_rows(visit, [delivery])[0],
        delivery=delivery,
        message=detail.message,
        test=detail.message.origin is MessageOrigin.TEST,
        attempts=[_attempt_row(visit, one, chosen) for one in attempts],
        chosen=chosen,
        result=words.result_words(chosen.result, chosen.status) if chosen else "",
        ok=chosen is not None and chosen.result is AttemptResult.OK,
        took=seconds(chosen.duration_s) if chosen else "",
        advice=words.ADVICE[chosen.result] if chosen else "",
        phases=phases(chosen) if chosen else [],
        opened=opened,
        answer=_answer(opened),
        body=None if payload is None else bodies.shown_body(payload),
        paused=paused,
        watched=_watched(visit, delivery) and not paused,
        here_url=visit.url("deliveries", delivery.id, attempt=visit.query("attempt")),
    )


def _chosen(visit: Visit, attempts: list[Attempt]) -> Attempt | None:
    wanted = whole(visit.query("attempt")) if visit.query("attempt") else None
    if wanted is None:
        return attempts[-1] if attempts else None
    for one in attempts:
        if one.number == wanted:
            return one
    raise InvalidInput(fields={"attempt": f"must be 1 to {len(attempts)}"})


def _attempt_row(visit: Visit, attempt: Attempt, chosen: Attempt | None) -> AttemptRow:
    return AttemptRow(
        attempt=attempt,
        result=words.result_words(attempt.result, attempt.status),
        ok=attempt.result is AttemptResult.OK,
        url=visit.url("deliveries", attempt.delivery_id, attempt=str(attempt.number)),
        took=seconds(attempt.duration_s),
        chosen=attempt == chosen,
    )


def _answer(opened: OpenedAttempt | None) -> object:
    if opened is None or not opened.response_body:
        return None
    return bodies.shown_body(opened.response_body)


def _watched(visit: Visit, delivery: Delivery) -> bool:
    """Whether something will happen to it within moments."""
    if delivery.state is not DeliveryState.WAITING or delivery.due_at > visit.now + SOON:
        return False
    return visit.now - max(delivery.due_at, delivery.created_at) < WATCHED


def _paused(visit: Visit, delivery: Delivery) -> bool:
    """Whether it waits for its webhook to be resumed; asked only where nothing else shows."""
    if delivery.state is not DeliveryState.WAITING or delivery.attempts:
        return False
    if not visit.may(Scope.WEBHOOKS_READ):
        return False
    webhook = visit.parts.webhooks.get(visit.caller, delivery.webhook_id)
    return webhook.state is WebhookState.PAUSED


def attempt_raw(visit: Visit) -> Response:
    """GET /attempts/{id}/raw: the answer's body as it came."""
    opened = visit.parts.deliveries.attempt(visit.caller, visit.path["attempt_id"])
    return visit.raw(opened.response_body, opened.attempt.id)


# --- the test


def test_form(visit: Visit) -> Response:
    """GET /webhooks/{id}/test: the sample, to be sent as it is or changed."""
    webhook = visit.parts.webhooks.get(visit.caller, number(visit))
    return _test_page(visit, webhook, _sample(visit, webhook))


def _test_page(
    visit: Visit, webhook: Webhook, payload: str, *, problem: str = "", status: int = 200
) -> Response:
    return visit.render(
        "test.html",
        status=status,
        webhook=webhook,
        payload=payload,
        problem=problem,
        takes=webhook.state in (WebhookState.ACTIVE, WebhookState.PAUSED),
    )


def _sample(visit: Visit, webhook: Webhook) -> str:
    try:
        sample = visit.parts.publisher.sample(webhook)
    except InvalidInput:  # the topic has no example
        return ""
    return bodies.shown_body(sample).pretty


def send_test(visit: Visit) -> Response:
    """POST /webhooks/{id}/test: the sample, or the payload that was typed; leads to the result."""
    webhook = visit.parts.webhooks.get(visit.caller, number(visit))
    publisher, typed = visit.parts.publisher, visit.field("payload").strip()
    if len(typed.encode()) > MAX_TYPED:
        problem = "The payload is too large for this page; use the API."
        return _test_page(visit, webhook, typed, problem=problem, status=422)
    try:
        if typed and typed.replace("\r\n", "\n") != _sample(visit, webhook).strip():
            message_id = publisher.queue(visit.caller, webhook, typed.encode())
        else:
            message_id = publisher.deliver_to(
                visit.caller, webhook, publisher.sample(webhook), origin=MessageOrigin.TEST
            )
    except InvalidInput as error:
        wrong = "; ".join(f"{path} {text}" for path, text in error.fields.items())
        return _test_page(visit, webhook, typed, problem=wrong or error.message, status=422)
    delivery = visit.parts.deliveries.only_delivery(visit.caller, message_id)
    where = visit.url("deliveries", delivery.id) if delivery else visit.url("messages", message_id)
    return visit.see(where)


PAGES = (
    Page(path="/messages/{message_id}", handler=message_page, scope=Scope.MESSAGES_READ),
    Page(path="/messages/{message_id}/raw", handler=message_raw, scope=Scope.MESSAGES_BODY),
    Page(path="/deliveries/{delivery_id}", handler=delivery_page, scope=Scope.MESSAGES_READ),
    Page(path="/attempts/{attempt_id}/raw", handler=attempt_raw, scope=Scope.MESSAGES_BODY),
    Page(path="/webhooks/{webhook_id}/test", handler=test_form, scope=Scope.MESSAGES_WRITE),
    Page(
        path="/webhooks/{webhook_id}/test",
        handler=send_test,
        method="POST",
        scope=Scope.MESSAGES_WRITE,
    ),
)
