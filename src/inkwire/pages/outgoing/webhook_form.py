"""A new webhook, and the change of one: every broken rule stands at its field."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from inkwire.delivery.drafts import MAX_IN_FLIGHT, MAX_RATE, WebhookDraft, WebhookPatch
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.model.access import Scope
from inkwire.model.webhook import ProfileName, Webhook
from inkwire.pages.inputs import lines, whole
from inkwire.pages.outgoing import words
from inkwire.pages.outgoing.conditions import (
    EXAMPLE,
    shown_filters,
    typed_filters,
    typed_headers,
    under,
)
from inkwire.pages.outgoing.rows import application_names
from inkwire.pages.outgoing.webhooks import NOTHING_WRONG, number, show_key
from inkwire.pages.views import FormField
from inkwire.pages.visit import Page, Visit

Texts = Mapping[str, str]
#: What a program of somebody else may choose; the vendors' own are for sandboxes.
COMMON = (ProfileName.STANDARD, ProfileName.BOXC)


def form(visit: Visit) -> Response:
    """GET /new-webhook."""
    return _new(visit, {name: visit.query(name) for name in ("application", "topic")})


def _new(
    visit: Visit, typed: Texts, *, errors: Texts = NOTHING_WRONG, status: int = 200
) -> Response:
    names = application_names(visit)
    return visit.render(
        "webhook_form.html",
        status=status,
        webhook=None,
        first=[
            *([_application(names, typed, errors)] if visit.caller.application_id is None else []),
            *_what(visit, typed, errors),
        ],
        more=_limits(typed, errors, webhook=None),
        nobody=visit.caller.application_id is None and not names,
        keys_lost=bool(errors),
    )


def _application(names: Texts, typed: Texts, errors: Texts) -> FormField:
    return FormField(
        name="application",
        label="Application",
        help="Whose webhook it is.",
        kind="choice",
        value=typed.get("application", ""),
        choices=(("", "Choose an application"), *names.items()),
        error=under(errors, "application"),
    )


def _what(visit: Visit, typed: Texts, errors: Texts) -> list[FormField]:
    topics = visit.parts.applications.topics(visit.caller)
    own = visit.caller.application_id is not None
    profiles = COMMON if own else tuple(ProfileName)
    return [
        FormField(
            name="topic",
            label="Topic",
            help="What it wants to hear. It cannot be changed later.",
            kind="choice",
            value=typed.get("topic", ""),
            choices=(("", "Choose a topic"), *((topic.name, topic.name) for topic in topics)),
            error=under(errors, "topic"),
        ),
        _address(typed, errors),
        FormField(
            name="profile",
            label="Profile",
            help="How its deliveries are signed and repeated. It cannot be changed later.",
            kind="choice",
            value=typed.get("profile", ProfileName.STANDARD),
            choices=tuple((name.value, words.PROFILE_WORDS[name]) for name in profiles),
            error=under(errors, "profile"),
        ),
        FormField(
            name="key",
            label="Signing key",
            help="Leave it empty, and one is made up and shown once; BoxC's profile needs one of "
            "16 to 32 characters.",
            kind="secret",
            error=under(errors, "key"),
        ),
        _description(typed, errors),
    ]


def _address(typed: Texts, errors: Texts) -> FormField:
    return FormField(
        name="address",
        label="Address",
        help="Deliveries are sent to it by POST.",
        value=typed.get("address", ""),
        example="https://example.com/webhooks",
        required=True,
        error=under(errors, "address"),
    )


def _description(typed: Texts, errors: Texts) -> FormField:
    return FormField(
        name="description",
        label="Description",
        help="A line for people; nobody has to write one.",
        value=typed.get("description", ""),
        error=under(errors, "description"),
    )


def _limits(typed: Texts, errors: Texts, *, webhook: Webhook | None) -> list[FormField]:
    return [
        FormField(
            name="document_ids",
            label="Documents",
            help="Only what is about these ids of documents, one a line. Empty: everything.",
            kind="area",
            value=typed.get("document_ids", ""),
            error=under(errors, "document_ids"),
        ),
        FormField(
            name="filters",
            label="Filters",
            help="Conditions on the payload, one a line, that must all hold: `path equals value`, "
            "`path in [values]`, `path exists`.",
            kind="area",
            value=typed.get("filters", ""),
            example=EXAMPLE,
            error=under(errors, "filters"),
        ),
        FormField(
            name="headers",
            label="Headers of its own",
            help=_headers_help(webhook),
            kind="area",
            example="Authorization: Bearer …",
            error=under(errors, "headers"),
        ),
        *_keep_switch(webhook, typed),
        FormField(
            name="rate_per_minute",
            label="Most attempts a minute",
            help=f"Empty or 0: no limit; at most {MAX_RATE:,}.",
            kind="number",
            value=typed.get("rate_per_minute", ""),
            unit="a minute",
            error=under(errors, "rate_per_minute"),
        ),
        FormField(
            name="max_in_flight",
            label="Most requests at the same time",
            help=f"1 to {MAX_IN_FLIGHT}.",
            kind="number",
            value=typed.get("max_in_flight", "10"),
            error=under(errors, "max_in_flight"),
        ),
    ]


def _headers_help(webhook: Webhook | None) -> str:
    base = "One a line, such as a token that its endpoint asks for. Values are kept sealed"
    if webhook is None or not webhook.header_names:
        return f"{base} and never shown again."
    held = ", ".join(f"`{name}`" for name in webhook.header_names)
    return f"{base}. It has {held}; what you write here takes their place, empty leaves them."


def _keep_switch(webhook: Webhook | None, typed: Texts) -> list[FormField]:
    if webhook is None or not webhook.header_names:
        return []
    return [
        FormField(
            name="no_headers",
            label="Remove all headers of its own",
            kind="switch",
            value=typed.get("no_headers", ""),
        )
    ]


# --- what was sent


def _read(visit: Visit, wrong: dict[str, str]) -> dict[str, Any]:
    """The fields that a new and a changed webhook share; what cannot be read goes to `wrong`."""
    filters, problem = typed_filters(visit.field("filters"))
    if problem:
        wrong["filters"] = problem
    headers, problem = typed_headers(visit.field("headers"))
    if problem:
        wrong["headers"] = problem
    rate, most = visit.field("rate_per_minute").strip(), visit.field("max_in_flight").strip()
    return {
        "address": visit.field("address").strip(),
        "description": visit.field("description").strip(),
        "document_ids": lines(visit.field("document_ids")),
        "filters": filters,
        "headers": headers,
        "rate_per_minute": whole(rate) if rate else 0,
        "max_in_flight": whole(most) if most else 10,
    }


def create(visit: Visit) -> Response:
    """POST /new-webhook: a made-up key is shown on the answer, once."""
    wrong: dict[str, str] = {}
    read = _read(visit, wrong)
    try:
        profile = ProfileName(visit.field("profile") or ProfileName.STANDARD)
    except ValueError:
        profile = ProfileName.STANDARD
        wrong["profile"] = f"must be one of: {', '.join(ProfileName)}"
    if visit.caller.application_id is not None and profile not in COMMON:
        wrong["profile"] = f"must be one of: {', '.join(COMMON)}"
    draft = WebhookDraft(
        topic=visit.field("topic"), profile=profile, key=visit.field("key") or None, **read
    )
    if wrong:
        return _new(visit, visit.form, errors=wrong, status=422)
    application = visit.field("application") or None
    try:
        webhook, made_up = visit.parts.webhooks.create(
            visit.caller, visit.caller.application_id or application, draft
        )
    except InvalidInput as error:
        return _new(visit, visit.form, errors=error.fields, status=422)
    except NotFound as error:
        return _new(visit, visit.form, errors={"application": error.message}, status=422)
    except Conflict as error:
        return _new(visit, visit.form, errors={"address": error.message}, status=409)
    if made_up is not None:
        return show_key(visit, webhook, made_up, made=True)
    return visit.see(visit.url("webhooks", str(webhook.id)), said="webhook_made")


# --- the change


def edit(visit: Visit) -> Response:
    """GET /webhooks/{id}/edit."""
    webhook = visit.parts.webhooks.get(visit.caller, number(visit))
    return _edit(
        visit,
        webhook,
        {
            "address": webhook.address,
            "description": webhook.description,
            "document_ids": "\n".join(webhook.document_ids),
            "filters": shown_filters(webhook.filters),
            "rate_per_minute": str(webhook.rate_per_minute or ""),
            "max_in_flight": str(webhook.max_in_flight),
        },
    )


def _edit(
    visit: Visit,
    webhook: Webhook,
    typed: Texts,
    *,
    errors: Texts = NOTHING_WRONG,
    status: int = 200,
) -> Response:
    return visit.render(
        "webhook_form.html",
        status=status,
        webhook=webhook,
        first=[_address(typed, errors), _description(typed, errors)],
        more=_limits(typed, errors, webhook=webhook),
        nobody=False,
        keys_lost=False,
    )


def save(visit: Visit) -> Response:
    """POST /webhooks/{id}: everything that can be changed; headers stay if none are written."""
    webhook = visit.parts.webhooks.get(visit.caller, number(visit))
    wrong: dict[str, str] = {}
    read = _read(visit, wrong)
    if not read["headers"]:
        read["headers"] = {} if visit.field("no_headers") else None
    if wrong:
        return _edit(visit, webhook, visit.form, errors=wrong, status=422)
    try:
        visit.parts.webhooks.change(visit.caller, webhook.id, WebhookPatch(**read))
    except InvalidInput as error:
        return _edit(visit, webhook, visit.form, errors=error.fields, status=422)
    except Conflict as error:
        return _edit(visit, webhook, visit.form, errors={"address": error.message}, status=409)
    return visit.see(visit.url("webhooks", str(webhook.id)), said="webhook_saved")


PAGES = (
    Page(path="/new-webhook", handler=form, scope=Scope.WEBHOOKS_WRITE),
    Page(path="/new-webhook", handler=create, method="POST", scope=Scope.WEBHOOKS_WRITE),
    Page(path="/webhooks/{webhook_id}/edit", handler=edit, scope=Scope.WEBHOOKS_WRITE),
    Page(
        path="/webhooks/{webhook_id}",
        handler=save,
        method="POST",
        scope=Scope.WEBHOOKS_WRITE,
    ),
)
