"""BoxC's webhook API, at `/webhooks` and `/v1/webhooks` (seed 004, R133 to R166).

Its shapes, statuses and error codes are BoxC's; what its page of today adds to the seed (`active`,
pages, codes) is taken from its OpenAPI 1.123 (C22). The caller is always an application's key, and
reaches that application's webhooks only (R151).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field, WithJsonSchema

from inkwire.api import boxc_pages
from inkwire.api.bodies import BoxcChangeBody, BoxcNewBody, takes
from inkwire.api.boxc_errors import QUERY, VALIDATION, BoxcRefusal
from inkwire.api.callers import Owned
from inkwire.api.fields import Output
from inkwire.api.parts import With
from inkwire.delivery.addresses import broken_rules
from inkwire.delivery.drafts import WebhookDraft, WebhookPatch
from inkwire.delivery.profiles import PROFILES
from inkwire.errors import InvalidInput, NotFound
from inkwire.model.access import Caller, Scope
from inkwire.model.webhook import ProfileName, Webhook, WebhookState
from inkwire.store.sending import WebhookQuery

#: Members that can be sent; and those that only an answer has, left alone in a request.
_GIVEN = ("address", "key", "topic")
_READ_ONLY = frozenset({"active", "created", "id", "updated"})
#: Digits that every store keeps as a number.
_MAX_DIGITS = 18
_LIMIT = re.compile(r"[0-9]{1,9}")

Reader = Annotated[Caller, Owned(Scope.WEBHOOKS_READ)]
Writer = Annotated[Caller, Owned(Scope.WEBHOOKS_WRITE)]
Sender = Annotated[Caller, Owned(Scope.MESSAGES_WRITE)]
WebhookId = Annotated[
    str, Path(description="Its id."), WithJsonSchema({"type": "integer", "minimum": 1})
]


class BoxcWebhook(Output):
    """A webhook as BoxC shows it (R155, R157); never its key (R140)."""

    id: int = Field(examples=[201921])
    active: bool = Field(description="false: disabled, gets no events until it is updated.")
    address: str = Field(examples=["https://www.example.com/path/to/script"])
    created: str = Field(description="UTC.", examples=["2019-10-05 15:43:03"])
    topic: str = Field(examples=["shipments_status"])
    updated: str = Field(description="UTC.", examples=["2019-10-05 19:12:00"])

    @classmethod
    def shown(cls, webhook: Webhook) -> "BoxcWebhook":
        """A paused webhook is active: its events are queued."""
        return cls(
            id=webhook.id,
            active=webhook.state is not WebhookState.DISABLED,
            address=webhook.address,
            created=_text(webhook.created_at),
            topic=webhook.topic,
            updated=_text(webhook.updated_at),
        )


class BoxcWrapped(Output):
    """One webhook."""

    webhook: BoxcWebhook


class BoxcPage(Output):
    """A page of webhooks (R156)."""

    webhooks: list[BoxcWebhook]
    next_page: str | None = Field(description="`page_token` of the next page; null: the last.")


async def _json_body(request: Request) -> bytes:
    """The body as it came. Raises BoxcRefusal (415) if it is announced as something else."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind.lower() != "application/json":
        raise BoxcRefusal(
            "Send the body as JSON, with `Content-Type: application/json`.", number=415, status=415
        )
    return await request.body()


#: Stands behind the caller in a signature: who may not come in is told that first.
Body = Annotated[bytes, Depends(_json_body)]
router = APIRouter(tags=["BoxC's API"])


@router.get("", summary="List webhooks as BoxC does")
def boxc_list_webhooks(
    parts: With,
    caller: Reader,
    limit: Annotated[
        str, Query(), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 100})
    ] = "50",
    order: Annotated[
        str, Query(), WithJsonSchema({"type": "string", "enum": ["asc", "desc"]})
    ] = "desc",
    page_token: Annotated[
        str | None, Query(description="`next_page` of the page before; it holds limit and order.")
    ] = None,
) -> BoxcPage:
    """The application's webhooks, newest first unless `order` is `asc`."""
    if page_token is not None:
        place = boxc_pages.read_token(page_token)
    else:
        place = _first_place(limit, order)
    found = parts.webhooks.all(
        caller,
        WebhookQuery(after=place.after, ascending=place.ascending, limit=place.limit + 1),
    )
    shown = found[: place.limit]
    return BoxcPage(
        webhooks=[BoxcWebhook.shown(webhook) for webhook in shown],
        next_page=place.token_behind(shown[-1].id) if len(found) > len(shown) else None,
    )


@router.post(
    "",
    summary="Make a webhook as at BoxC",
    status_code=201,
    openapi_extra=takes(BoxcNewBody),
)
def boxc_create_webhook(caller: Writer, body: Body, parts: With) -> BoxcWrapped:
    """Subscribes an address to a topic (R133 to R142). The key is never shown again."""
    given = _members(body, required=_GIVEN)
    draft = WebhookDraft(profile=ProfileName.BOXC, **given)
    try:
        webhook, _ = parts.webhooks.create(caller, None, draft)
    except InvalidInput as error:
        raise _each_rule(error, draft.address, draft.profile) from None
    return BoxcWrapped(webhook=BoxcWebhook.shown(webhook))


@router.get("/{webhook_id}", summary="Read a webhook as at BoxC")
def boxc_read_webhook(webhook_id: WebhookId, parts: With, caller: Reader) -> BoxcWrapped:
    """One webhook."""
    return BoxcWrapped(webhook=BoxcWebhook.shown(parts.webhooks.get(caller, _number(webhook_id))))


@router.put(
    "/{webhook_id}", summary="Change a webhook as at BoxC", openapi_extra=takes(BoxcChangeBody)
)
def boxc_update_webhook(
    caller: Writer, webhook_id: WebhookId, body: Body, parts: With
) -> BoxcWrapped:
    """Changes address or key (R135, R140, R158); a disabled webhook is active again by it."""
    number = _number(webhook_id)
    given = _members(body)
    try:
        webhook = parts.webhooks.change(caller, number, WebhookPatch(**given), enable=True)
    except InvalidInput as error:
        profile = parts.webhooks.get(caller, number, scope=Scope.WEBHOOKS_WRITE).profile
        raise _each_rule(error, given.get("address", ""), profile) from None
    return BoxcWrapped(webhook=BoxcWebhook.shown(webhook))


@router.delete("/{webhook_id}", summary="Delete a webhook as at BoxC", response_class=Response)
def boxc_delete_webhook(webhook_id: WebhookId, parts: With, caller: Writer) -> Response:
    """No further events; what waits is not sent any more."""
    parts.webhooks.delete(caller, _number(webhook_id))
    return _empty(200)


@router.post(
    "/{webhook_id}/queue",
    summary="Queue an event as at BoxC",
    status_code=201,
    response_class=Response,
    openapi_extra=takes(None),
)
def boxc_queue_event(caller: Sender, webhook_id: WebhookId, body: Body, parts: With) -> Response:
    """Sends the body, byte for byte, to this webhook (R152 to R154, R165); for tests."""
    webhook = parts.webhooks.get(caller, _number(webhook_id), scope=Scope.MESSAGES_WRITE)
    parts.publisher.queue(caller, webhook, body)
    return _empty(201)


# --- inside


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _empty(status: int) -> Response:
    return Response(status_code=status, headers={"Cache-Control": "no-store"})


def _number(text: str) -> int:
    """The id as a number. Raises NotFound for whatever can be none."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise NotFound("There is no webhook of that id.")
    return int(text)


def _first_place(limit: str, order: str) -> boxc_pages.Place:
    if not (_LIMIT.fullmatch(limit) and 1 <= int(limit) <= boxc_pages.MAX_LIMIT):
        raise BoxcRefusal(
            f"Query parameter 'limit' is invalid: it must be 1 to {boxc_pages.MAX_LIMIT}.",
            number=QUERY,
        )
    if order not in ("asc", "desc"):
        raise BoxcRefusal(
            "Query parameter 'order' is invalid: it must be asc or desc.", number=QUERY
        )
    return boxc_pages.Place(limit=int(limit), ascending=order == "asc")


def _members(body: bytes, *, required: Sequence[str] = ()) -> dict[str, Any]:
    """The members of the body's object `webhook`. Raises BoxcRefusal that names each fault."""
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        whole = None
    webhook = whole.get("webhook") if isinstance(whole, Mapping) else None
    if not isinstance(webhook, Mapping):
        raise _invalid(['/: must be JSON in UTF-8, an object such as {"webhook": {…}}'])
    wrong = [f"/webhook/{name}: is required" for name in required if name not in webhook]
    for name, value in webhook.items():
        if name in _GIVEN and not isinstance(value, str):
            wrong.append(f"/webhook/{name}: must be a string")
        elif name == "topic" and "\x00" in value:
            wrong.append("/webhook/topic: must not hold the character NUL")
        elif name not in _GIVEN and name not in _READ_ONLY:
            wrong.append(f"/webhook/{name[:50]}: is no member of a webhook; leave it out")
    if wrong:
        raise _invalid(wrong)
    return {name: webhook[name] for name in _GIVEN if name in webhook}


def _invalid(errors: Sequence[str]) -> BoxcRefusal:
    return BoxcRefusal(f"Validation Error. {errors[0]}", number=VALIDATION, errors=errors)


def _each_rule(error: InvalidInput, address: str, profile: ProfileName) -> BoxcRefusal:
    """The same faults, every broken rule of an address told apart (R133)."""
    rules = list(broken_rules(address, max_length=PROFILES[profile].max_address).values())
    return _invalid(
        [
            f"/webhook/{path}: {text}"
            for path, told in error.fields.items()
            for text in (rules if rules and path == "address" else [told])
        ]
    )
