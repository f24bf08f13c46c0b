"""The list of webhooks, one webhook's page, and what is done to it."""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from inkwire.delivery.profiles import PROFILES
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.model.access import Caller, Scope
from inkwire.model.webhook import ProfileName, Webhook, WebhookState
from inkwire.pages.inputs import DEFAULT_OVERLAP, OVERLAPS, PAGE, whole
from inkwire.pages.outgoing import words
from inkwire.pages.outgoing.conditions import shown_filters
from inkwire.pages.outgoing.rows import (
    application_names,
    delivery_rows,
    topic_choices,
    webhook_rows,
)
from inkwire.pages.views import Chip, ShownSecret
from inkwire.pages.visit import Handler, Page, Visit
from inkwire.store.sending import DeliveryQuery, WebhookQuery

LATEST = 20
NOTHING_WRONG: Mapping[str, str] = {}


def number(visit: Visit) -> int:
    """The webhook's id in the URL. Raises NotFound for what is no number."""
    found = whole(visit.path["webhook_id"])
    if found < 0:
        raise NotFound(f"There is no webhook {visit.path['webhook_id'][:40]}.")
    return found


# --- the list


def webhook_list(visit: Visit) -> Response:
    """GET /webhooks: one page, newest first; filters in the URL."""
    if any(value == "" for value in visit.request.query_params.values()):
        given = {key: value for key, value in visit.request.query_params.items() if value}
        return visit.see(visit.url("webhooks", **given))
    names = application_names(visit)
    given = _given(visit)
    query = _query(given, after=visit.query("after"))
    found = visit.parts.webhooks.all(visit.caller, query)
    rows = webhook_rows(visit, found[:PAGE], names)
    return visit.render(
        "webhooks.html",
        rows=rows,
        given=given,
        chips=_chips(visit, given, names),
        applications=names,
        topic_choices=topic_choices(visit),
        states=_states(visit),
        first_page=query.after is None,
        newest_url=visit.url("webhooks", **given),
        older_url=visit.url("webhooks", **given, after=str(found[PAGE - 1].id))
        if len(found) > PAGE
        else "",
        bulk=BULK if _may_bulk(visit) else {},
    )


def _given(visit: Visit) -> dict[str, str]:
    """The filters in the URL."""
    return {name: visit.query(name) for name in ("q", "application", "topic", "state", "failing")}


def _may_bulk(visit: Visit) -> bool:
    """An operator's: an application has few webhooks, and none that it could restore."""
    return visit.may(Scope.WEBHOOKS_WRITE) and visit.caller.application_id is None


def _states(visit: Visit) -> dict[str, str]:
    """An application does not see what it has deleted."""
    own = visit.caller.application_id is not None
    return {
        state.value: word
        for state, word in words.STATE_WORDS.items()
        if not (own and state is WebhookState.DELETED)
    }


def _query(given: Mapping[str, str], *, after: str) -> WebhookQuery:
    if given["state"] and given["state"] not in set(WebhookState):
        raise InvalidInput(fields={"state": f"must be one of: {', '.join(WebhookState)}"})
    if after and whole(after) < 0:
        raise InvalidInput(fields={"after": "must be the number of a webhook"})
    return WebhookQuery(
        application_id=given["application"] or None,
        topic=given["topic"] or None,
        state=WebhookState(given["state"]) if given["state"] else None,
        text=given["q"][:200] or None,
        failing=bool(given["failing"]),
        after=whole(after) if after else None,
        limit=PAGE + 1,
    )


def _chips(visit: Visit, given: Mapping[str, str], names: Mapping[str, str]) -> list[Chip]:
    shown = {
        "q": ("Search", given["q"]),
        "application": ("Application", names.get(given["application"], given["application"])),
        "topic": ("Topic", given["topic"]),
        "state": ("State", _states(visit).get(given["state"], given["state"])),
        "failing": ("Endpoint", "failing"),
    }
    return [
        Chip(
            label=label,
            value=value,
            remove_url=visit.url("webhooks", **{k: v for k, v in given.items() if k != name}),
        )
        for name, (label, value) in shown.items()
        if given[name]
    ]


# --- one webhook


def webhook_page(visit: Visit) -> Response:
    """GET /webhooks/{id}."""
    return show(visit, visit.parts.webhooks.get(visit.caller, number(visit)))


def show(
    visit: Visit,
    webhook: Webhook,
    *,
    errors: Mapping[str, str] = NOTHING_WRONG,
    typed: Mapping[str, str] = NOTHING_WRONG,
) -> Response:
    """The page; `errors` by field, and what was typed, when a form of it was wrong."""
    names = application_names(visit)
    row = webhook_rows(visit, [webhook], names)[0]
    profile = PROFILES[webhook.profile]
    query = DeliveryQuery(webhook_id=webhook.id, limit=LATEST + 1)
    may_read = visit.may(Scope.MESSAGES_READ)
    found = visit.parts.deliveries.deliveries(visit.caller, query) if may_read else []
    waiting = [one.due_at for one in found if one.state == "waiting"]
    return visit.render(
        "webhook.html",
        status=422 if errors else 200,
        webhook=webhook,
        row=row,
        profile=profile,
        editable=visit.may(Scope.WEBHOOKS_WRITE) and webhook.state != WebhookState.DELETED,
        rows=delivery_rows(visit, found[:LATEST], takes=webhook.state),
        more=len(found) > LATEST,
        may_read=may_read,
        next_at=min(waiting, default=None),
        breaker=row.health.breaker_until
        if row.health.breaker_until and row.health.breaker_until > visit.now
        else None,
        keys=[key for key in webhook.keys if not key.expires_at or key.expires_at > visit.now],
        overlaps=[one for one in OVERLAPS if int(one[0]) <= profile.max_overlap_s],
        overlap=typed.get("overlap_s", DEFAULT_OVERLAP),
        chosen_key=webhook.profile is ProfileName.BOXC,
        filters_text=shown_filters(webhook.filters),
        errors=errors,
    )


Deed = Callable[[Any, Caller, int], object]

#: Verb in the URL → what it calls, what the page says, whether the webhook is still there.
_DEEDS: Mapping[str, tuple[Deed, str]] = {
    "pause": (lambda desk, caller, one: desk.pause(caller, one), "webhook_paused"),
    "resume": (lambda desk, caller, one: desk.activate(caller, one), "webhook_resumed"),
    "disable": (lambda desk, caller, one: desk.disable(caller, one), "webhook_disabled"),
    "enable": (lambda desk, caller, one: desk.activate(caller, one), "webhook_enabled"),
    "restore": (lambda desk, caller, one: desk.activate(caller, one), "webhook_restored"),
    "delete": (lambda desk, caller, one: desk.delete(caller, one), "webhook_deleted"),
}
#: What a list offers for the webhooks that were chosen in it.
BULK: Mapping[str, str] = {
    "pause": "Pause",
    "resume": "Resume",
    "enable": "Enable",
    "disable": "Disable",
    "delete": "Delete",
    "restore": "Restore",
}


def _doing(verb: str) -> Handler:
    deed, said = _DEEDS[verb]

    def handler(visit: Visit) -> Response:
        webhook_id = number(visit)
        deed(visit.parts.webhooks, visit.caller, webhook_id)
        return visit.see(visit.url("webhooks", str(webhook_id)), said=said)

    return handler


def delete(visit: Visit) -> Response:
    """POST /webhooks/{id}/delete: only with the id typed again."""
    webhook = visit.parts.webhooks.get(visit.caller, number(visit))
    if visit.field("confirm").strip() != str(webhook.id):
        wrong = {"confirm": f"must be {webhook.id}, the webhook's id"}
        return show(visit, webhook, errors=wrong)
    visit.parts.webhooks.delete(visit.caller, webhook.id)
    own = visit.caller.application_id is not None
    where = visit.url("webhooks") if own else visit.url("webhooks", str(webhook.id))
    return visit.see(where, said="webhook_deleted")


def change_many(visit: Visit) -> Response:
    """POST /webhooks: one verb for every webhook that was chosen; says how many it changed."""
    verb = visit.field("do")
    if verb not in BULK:
        raise InvalidInput(fields={"do": f"must be one of: {', '.join(BULK)}"})
    chosen = [whole(one) for one in dict.fromkeys(visit.form.getlist("webhook"))][:PAGE]
    if not chosen:
        raise InvalidInput("Choose at least one webhook in the list first.")
    done = 0
    for webhook_id in chosen:
        try:
            _DEEDS[verb][0](visit.parts.webhooks, visit.caller, webhook_id)
            done += 1
        except (Conflict, NotFound, InvalidInput):
            continue  # it is in another state by now, or its address is not allowed any more
    said = "webhooks_changed" if done == len(chosen) else "webhooks_some"
    return visit.see(visit.url("webhooks", **_given(visit)), said=said, number=done)


def rotate(visit: Visit) -> Response:
    """POST /webhooks/{id}/rotate: a new key; a made-up one is shown on the answer, once."""
    webhook = visit.parts.webhooks.get(visit.caller, number(visit))
    overlap = visit.field("overlap_s")
    try:
        webhook, made_up = visit.parts.webhooks.rotate(
            visit.caller,
            webhook.id,
            key=visit.field("key") or None,
            overlap_s=whole(overlap) if overlap else None,
        )
    except InvalidInput as error:
        return show(visit, webhook, errors=error.fields, typed={"overlap_s": overlap})
    if made_up is None:
        return visit.see(visit.url("webhooks", str(webhook.id)), said="webhook_rotated")
    return show_key(visit, webhook, made_up, made=False)


def show_key(visit: Visit, webhook: Webhook, key: str, *, made: bool) -> Response:
    """A made-up key, this once; `made`: whether the webhook is new."""
    return visit.render(
        "webhook_key_once.html",
        webhook=webhook,
        made=made,
        shown=ShownSecret(label="Signing key", value=key),
        done_url=visit.url("webhooks", str(webhook.id)),
    )


def _write(path: str, handler: Handler) -> Page:
    return Page(path=path, handler=handler, method="POST", scope=Scope.WEBHOOKS_WRITE)


PAGES = (
    Page(path="/webhooks", handler=webhook_list, scope=Scope.WEBHOOKS_READ),
    Page(path="/webhooks/{webhook_id}", handler=webhook_page, scope=Scope.WEBHOOKS_READ),
    *(
        _write(f"/webhooks/{{webhook_id}}/{verb}", _doing(verb))
        for verb in _DEEDS
        if verb != "delete"
    ),
    _write("/webhooks/{webhook_id}/delete", delete),
    _write("/webhooks/{webhook_id}/rotate", rotate),
)
#: The operator's alone.
BULK_PAGES = (_write("/webhooks", change_many),)
