"""What happened to an order, in words: its title, its state, its documents. Pure."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from inkwire.model.document import Document, DocumentKind, SignRequest, SignState
from inkwire.model.order import LineKind, Order, OrderStatus, TimelineLine
from inkwire.model.work import ParkCause, Work, WorkState
from inkwire.orders.statuses import find, name_of
from inkwire.pages.marks import Mark, Tone

#: What the next page says after something was done.
SAID: Mapping[str, str] = {
    "order_made": "Taken in. What integrations do of its status begins at once.",
    "order_saved": "Saved.",
    "order_same": "Nothing was different, so nothing was changed.",
    "order_moved": "Moved. What integrations do of its new status begins at once.",
    "order_deleted": "Deleted. Its documents, its timeline and its evidence stay.",
    "statuses_saved": "Saved. They hold within a second.",
    "template_made": "Made. It compiles with the sample order.",
    "template_saved": "Saved as version {n}. The earlier versions stay.",
    "template_deleted": "Deleted. PDFs that it made stay with their orders.",
}

#: State of a sign request → how its order is marked, while it stands where that put it.
_MARKS: Mapping[SignState, tuple[str, Tone, str]] = {
    SignState.OPEN: ("pen-line", Tone.WAITING, "It is out for signature."),
    SignState.SIGNED: ("circle-check", Tone.OK, "Everybody signed."),
    SignState.DECLINED: ("circle-x", Tone.ATTENTION, "A signer declined."),
    SignState.EXPIRED: ("clock", Tone.ATTENTION, "Nobody signed in time."),
    SignState.CANCELLED: ("circle-minus", Tone.ATTENTION, "The sign request was cancelled."),
    SignState.FAILED: ("triangle-alert", Tone.FAILED, "The sign request could not be finished."),
}
_TITLES: Mapping[SignState, str] = {
    SignState.OPEN: "Order {number} waits for the signature of {who}",
    SignState.SIGNED: "Order {number} was signed by {who}",
    SignState.DECLINED: "Order {number} was declined by {who}",
    SignState.EXPIRED: "Order {number} was not signed in time by {who}",
    SignState.CANCELLED: "The sign request of order {number} was cancelled",
    SignState.FAILED: "The sign request of order {number} could not be finished",
}

_TOGETHER = timedelta(seconds=2)

KIND_WORDS: Mapping[DocumentKind, str] = {
    DocumentKind.PREPARED: "Made to be signed",
    DocumentKind.SIGNED: "Signed document",
    DocumentKind.SIGNING_LOG: "Signing log",
    DocumentKind.ATTACHED: "Attached",
}

_VERDICTS: Mapping[str, tuple[str, str, Tone]] = {
    "trusted": ("Signature holds", "shield-check", Tone.OK),
    "intact": ("Unchanged since signed", "shield-check", Tone.OK),
    "broken": ("Signature does not hold", "shield-x", Tone.FAILED),
    "unsigned": ("Holds no signature", "shield-alert", Tone.ATTENTION),
    "damaged": ("Cannot be read", "file-x", Tone.FAILED),
    "encrypted": ("Needs a password", "key-round", Tone.ATTENTION),
    "unjudged": ("Not judged", "circle-minus", Tone.NEUTRAL),
}
#: Kind of a timeline's line → icon and tone; `line_look` refines it.
_LINES: Mapping[LineKind, tuple[str, Tone]] = {
    LineKind.CREATED: ("inbox", Tone.NEUTRAL),
    LineKind.EDITED: ("pencil", Tone.NEUTRAL),
    LineKind.STATUS: ("arrow-right", Tone.NEUTRAL),
    LineKind.ACTED: ("send", Tone.NEUTRAL),
    LineKind.DOCUMENT: ("file-text", Tone.NEUTRAL),
    LineKind.ATTENTION: ("triangle-alert", Tone.ATTENTION),
    LineKind.NOTE: ("scroll-text", Tone.NEUTRAL),
}


def signer(order: Order, request: SignRequest) -> str:
    """Who is to sign: the customer's name, if the request went to the customer's address."""
    same = request.signer_email.casefold() == order.customer.email.casefold()
    return (order.customer.name if same else "") or request.signer_email or "its signer"


def standing(order: Order, request: SignRequest | None) -> SignRequest | None:
    """The sign request that says how the order stands; None if the order has moved on since.

    An outcome moves order and request in one transaction, their times read one after the other.
    """
    if request is None:
        return None
    fresh = request.state is SignState.OPEN or request.updated_at + _TOGETHER >= order.status_at
    return request if fresh else None


def title_of(
    order: Order,
    statuses: Sequence[OrderStatus],
    *,
    request: SignRequest | None,
    work: Sequence[Work],
) -> str:
    """What happened last, in words. `request`: the newest; `work`: what is unfinished."""
    number = order.number
    if order.deleted_at is not None:
        return f"Order {number} was deleted"
    if any(one.state is WorkState.DEAD for one in work):
        return f"Order {number} is held up and needs you"
    if any(one.park_cause is ParkCause.PERSON for one in work):
        return f"Order {number} waits for your decision"
    told = standing(order, request)
    if told is not None:
        return _TITLES[told.state].format(number=number, who=signer(order, told))
    if work:
        return f"Order {number} is being worked on"
    if order.version == 1:
        return f"Order {number} of {who_of(order)} was taken in"
    return f"Order {number} of {who_of(order)} is in the status {name_of(statuses, order.status)}"


def who_of(order: Order) -> str:
    """The customer."""
    return order.customer.name or order.customer.email or "somebody unnamed"


def mark_of(
    order: Order,
    statuses: Sequence[OrderStatus],
    request: SignRequest | None,
    *,
    work: Sequence[Work] = (),
) -> Mark:
    """The status's name, marked by what holds it up, or what became of the newest sign request."""
    word, told = name_of(statuses, order.status), standing(order, request)
    if order.deleted_at is not None:
        return Mark(
            word="Deleted",
            icon="trash-2",
            tone=Tone.NEUTRAL,
            meaning="It is out of every list; its documents and its evidence stay.",
        )
    if any(one.state is WorkState.DEAD for one in work):
        meaning = "An integration could not do its work: open the order to see why."
        return Mark(word=word, icon="triangle-alert", tone=Tone.FAILED, meaning=meaning)
    if any(one.park_cause is ParkCause.PERSON for one in work):
        meaning = "An integration waits for your decision: open the order to give it."
        return Mark(word=word, icon="circle-help", tone=Tone.ATTENTION, meaning=meaning)
    if told is not None:
        icon, tone, meaning = _MARKS[told.state]
        return Mark(word=word, icon=icon, tone=tone, meaning=meaning)
    here = find(statuses, order.status)
    if here is None:
        meaning = "The site has no such status any more: move the order to one it has."
        return Mark(word=word, icon="triangle-alert", tone=Tone.ATTENTION, meaning=meaning)
    meaning = "No event moves it on from here." if here.terminal else "It is on its way."
    icon = "circle-minus" if here.terminal else "circle"
    return Mark(word=word, icon=icon, tone=Tone.NEUTRAL, meaning=meaning)


def detail_of(order: Order, request: SignRequest | None, *, work: Sequence[Work]) -> str:
    """What a list says below the customer's name: what holds it up, whom it waits for, who it is.

    `work`: what is unfinished.
    """
    for one in work:
        if one.state is WorkState.DEAD:
            return f"held up: {one.note}"
        if one.park_cause is ParkCause.PERSON:
            return f"waits for your decision: {one.note}"
    if request is not None and request.state is SignState.OPEN:
        return f"waits for {request.signer_email or 'its signer'}"
    return order.customer.email if order.customer.name else ""


def line_look(line: TimelineLine, terminal: Mapping[str, bool]) -> tuple[str, Tone]:
    """Icon and tone of a line; `terminal`: whether a status is, by code."""
    if line.kind is LineKind.STATUS and "sign_request" in line.refs:
        return "pen-line", Tone.OK if terminal.get(line.refs.get("to", "")) else Tone.NEUTRAL
    return _LINES[line.kind]


def actor_words(actor: str) -> str:
    """Who did it: `olga`, `Integration 7`, `API key key_…`."""
    kind, _, name = actor.partition(":")
    if kind == "user":
        return name
    if kind == "key":
        return f"API key {name}"
    return {"cli": "the command line", "file": "inkwire.toml", "inkwire": "Inkwire"}.get(
        actor, actor
    )


def verdict_mark(document: Document) -> Mark | None:
    """What was found about the signatures of a signed document; None: nothing is looked for."""
    if document.kind is not DocumentKind.SIGNED:
        return None
    verdict: Mapping[str, Any] | None = document.verdict
    if verdict is None:
        meaning = "Its signatures are looked at in a moment; load the page again."
        return Mark(word="Being looked at", icon="clock", tone=Tone.WAITING, meaning=meaning)
    word, icon, tone = _VERDICTS.get(str(verdict.get("outcome")), _VERDICTS["unjudged"])
    return Mark(word=word, icon=icon, tone=tone, meaning=str(verdict.get("text", "")))


def signatures_of(document: Document) -> list[str]:
    """A sentence for each signature, as the judge wrote it."""
    found = document.verdict.get("signatures", []) if document.verdict else []
    return [str(one.get("text", "")) for one in found if isinstance(one, Mapping)]
