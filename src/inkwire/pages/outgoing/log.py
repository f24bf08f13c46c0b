"""The log of messages and deliveries, and sending one again."""

from collections.abc import Mapping

from starlette.responses import Response

from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.model.access import Scope
from inkwire.model.message import AttemptResult, DeliveryState, MessageOrigin
from inkwire.pages.inputs import PAGE, RANGES, whole
from inkwire.pages.outgoing import words
from inkwire.pages.outgoing.rows import (
    application_names,
    delivery_rows,
    message_rows,
    topic_choices,
)
from inkwire.pages.views import Chip
from inkwire.pages.visit import Handler, Page, Visit
from inkwire.store.sending import DeliveryQuery, MessageQuery

_MESSAGE_FILTERS = {
    "q": "Id",
    "application": "Application",
    "topic": "Topic",
    "origin": "From",
    "range": "Published",
}
_DELIVERY_FILTERS = {
    "webhook": "Webhook",
    "message": "Message",
    "application": "Application",
    "state": "State",
    "result": "Last result",
    "range": "Made",
}


def _given(visit: Visit, names: Mapping[str, str]) -> dict[str, str]:
    return {name: visit.query(name)[:200] for name in names}


def _tidy(visit: Visit, where: str) -> Response | None:
    """A form without script sends its empty fields too: the same address without them."""
    if all(value for value in visit.request.query_params.values()):
        return None
    given = {key: value for key, value in visit.request.query_params.items() if value}
    return visit.see(visit.url(where, **given))


def _chips(
    visit: Visit,
    where: str,
    labels: Mapping[str, str],
    given: Mapping[str, str],
    shown: Mapping[tuple[str, str], str],
) -> list[Chip]:
    return [
        Chip(
            label=label,
            value=shown.get((name, given[name]), given[name]),
            remove_url=visit.url(where, **{k: v for k, v in given.items() if k != name}),
        )
        for name, label in labels.items()
        if given[name]
    ]


def _choices(given: Mapping[str, str], allowed: Mapping[str, Mapping[str, str]]) -> None:
    """Raises InvalidInput naming each filter that is none of its choices."""
    wrong = {
        name: f"must be one of: {', '.join(choices)}"
        for name, choices in allowed.items()
        if given[name] and given[name] not in choices
    }
    if wrong:
        raise InvalidInput(fields=wrong)


# --- messages


def message_log(visit: Visit) -> Response:
    """GET /messages: newest first."""
    tidied = _tidy(visit, "messages")
    if tidied is not None:
        return tidied
    given, before = _given(visit, _MESSAGE_FILTERS), visit.query("before")
    origins = {origin.value: text for origin, text in words.ORIGINS.items()}
    ranges = {name: text for name, (text, _) in RANGES.items()}
    _choices(given, {"origin": origins, "range": ranges})
    names = application_names(visit)
    event = given["q"].startswith("evt_")
    query = MessageQuery(
        application_id=given["application"] or None,
        topic=given["topic"] or None,
        message_id=given["q"] if given["q"] and not event else None,
        event_id=given["q"] if event else None,
        origin=MessageOrigin(given["origin"]) if given["origin"] else None,
        since=visit.now - RANGES[given["range"]][1] if given["range"] else None,
        before=before or None,
        limit=PAGE + 1,
    )
    found = visit.parts.deliveries.messages(visit.caller, query)
    shown = {("application", key): name for key, name in names.items()}
    shown |= {("origin", key): text for key, text in origins.items()}
    shown |= {("range", key): text.lower() for key, text in ranges.items()}
    return visit.render(
        "messages.html",
        rows=message_rows(visit, found[:PAGE], names),
        given=given,
        chips=_chips(visit, "messages", _MESSAGE_FILTERS, given, shown),
        applications=names,
        topic_choices=topic_choices(visit),
        origins=origins,
        ranges=ranges,
        first_page=not before,
        newest_url=visit.url("messages", **given),
        older_url=visit.url("messages", **given, before=found[PAGE - 1].id)
        if len(found) > PAGE
        else "",
    )


# --- deliveries


def delivery_list(visit: Visit) -> Response:
    """GET /deliveries: newest first."""
    tidied = _tidy(visit, "deliveries")
    if tidied is not None:
        return tidied
    given, before = _given(visit, _DELIVERY_FILTERS), visit.query("before")
    states = {state.value: text for state, text in words.DELIVERY_WORDS.items()}
    results = {result.value: text for result, text in words.RESULTS.items()}
    ranges = {name: text for name, (text, _) in RANGES.items()}
    _choices(given, {"state": states, "result": results, "range": ranges})
    if given["webhook"] and whole(given["webhook"]) < 0:
        raise InvalidInput(fields={"webhook": "must be the number of a webhook"})
    names = application_names(visit)
    query = DeliveryQuery(
        application_id=given["application"] or None,
        webhook_id=whole(given["webhook"]) if given["webhook"] else None,
        message_id=given["message"] or None,
        state=DeliveryState(given["state"]) if given["state"] else None,
        result=AttemptResult(given["result"]) if given["result"] else None,
        since=visit.now - RANGES[given["range"]][1] if given["range"] else None,
        before=before or None,
        limit=PAGE + 1,
    )
    found = visit.parts.deliveries.deliveries(visit.caller, query)
    rows = delivery_rows(visit, found[:PAGE])
    shown = {("application", key): name for key, name in names.items()}
    for name, texts in (("state", states), ("result", results), ("range", ranges)):
        shown |= {(name, key): text.lower() for key, text in texts.items()}
    return visit.render(
        "deliveries.html",
        rows=rows,
        given=given,
        chips=_chips(visit, "deliveries", _DELIVERY_FILTERS, given, shown),
        applications=names,
        states=states,
        results=results,
        ranges=ranges,
        bulk=visit.may(Scope.MESSAGES_WRITE),
        first_page=not before,
        newest_url=visit.url("deliveries", **given),
        older_url=visit.url("deliveries", **given, before=found[PAGE - 1].id)
        if len(found) > PAGE
        else "",
    )


def resend(visit: Visit) -> Response:
    """POST /deliveries/{id}/resend: leads to the delivery that is due now."""
    again = visit.parts.deliveries.resend(visit.caller, visit.path["delivery_id"])
    return visit.see(visit.url("deliveries", again.id), said="resent")


def resend_many(visit: Visit) -> Response:
    """POST /deliveries: every one that was chosen; says how many are due."""
    chosen = list(dict.fromkeys(visit.form.getlist("delivery")))[:PAGE]
    if not chosen:
        raise InvalidInput("Choose at least one delivery in the list first.")
    done = 0
    for delivery_id in chosen:
        try:
            visit.parts.deliveries.resend(visit.caller, delivery_id)
            done += 1
        except (Conflict, NotFound):
            continue  # its webhook takes no deliveries
    said = "resent_many" if done == len(chosen) else "resent_some"
    given = _given(visit, _DELIVERY_FILTERS)
    return visit.see(visit.url("deliveries", **given), said=said, number=done)


def _send(path: str, handler: Handler) -> Page:
    return Page(path=path, handler=handler, method="POST", scope=Scope.MESSAGES_WRITE)


PAGES = (
    Page(path="/messages", handler=message_log, scope=Scope.MESSAGES_READ),
    Page(path="/deliveries", handler=delivery_list, scope=Scope.MESSAGES_READ),
    _send("/deliveries", resend_many),
    _send("/deliveries/{delivery_id}/resend", resend),
)
