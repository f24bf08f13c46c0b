"""Applications: subscribers with their webhooks, grants, keys, and the way into their portal."""

from collections.abc import Mapping

from starlette.responses import Response

from inkwire.console import words
from inkwire.errors import InvalidInput
from inkwire.model.access import APPLICATION_SCOPES, ApiKey, Scope
from inkwire.model.webhook import Application, Topic
from inkwire.pages.inputs import PAGE, lines
from inkwire.pages.outgoing.rows import webhook_rows
from inkwire.pages.views import FormField
from inkwire.pages.visit import Handler, Page, Visit
from inkwire.providers.registry import Registry
from inkwire.store.sending import WebhookQuery

NOTHING_WRONG: Mapping[str, str] = {}


# --- the list, and a new one


def application_list(visit: Visit) -> Response:
    """GET /applications: newest first."""
    before = visit.query("before")
    found = visit.parts.applications.all(visit.caller, before=before or None, limit=PAGE + 1)
    return visit.render(
        "applications.html",
        applications=found[:PAGE],
        first_page=not before,
        newest_url=visit.url("applications"),
        older_url=visit.url("applications", before=found[PAGE - 1].id) if len(found) > PAGE else "",
    )


def form(visit: Visit) -> Response:
    """GET /new-application."""
    return _new(visit)


def _new(visit: Visit, *, errors: Mapping[str, str] = NOTHING_WRONG, status: int = 200) -> Response:
    return visit.render("new_application.html", status=status, inputs=_inputs(visit.form, errors))


def _inputs(typed: Mapping[str, str], errors: Mapping[str, str]) -> list[FormField]:
    return [
        FormField(
            name="name",
            label="Name",
            help="Whose program it is, as these pages and its own portal call it.",
            value=typed.get("name", ""),
            example="Northwind web shop",
            required=True,
            error=errors.get("name", ""),
        ),
        FormField(
            name="frame_ancestors",
            label="Sites that may show its portal in a frame",
            help="Origins, one a line, such as `https://app.example.com`. Empty: none; the portal "
            "then opens in a tab of its own.",
            kind="area",
            value=typed.get("frame_ancestors", ""),
            example="https://app.example.com",
            error=errors.get("frame_ancestors", ""),
        ),
    ]


def create(visit: Visit) -> Response:
    """POST /new-application."""
    try:
        made = visit.parts.applications.create(
            visit.caller,
            name=visit.field("name").strip(),
            frame_ancestors=lines(visit.field("frame_ancestors")),
        )
    except InvalidInput as error:
        return _new(visit, errors=error.fields, status=422)
    return visit.see(visit.url("applications", made.id), said="application_made")


# --- one application


def application_page(visit: Visit) -> Response:
    """GET /applications/{id}."""
    return _page(visit, _asked(visit))


def _asked(visit: Visit) -> Application:
    return visit.parts.applications.get(visit.caller, visit.path["application_id"])


def _page(
    visit: Visit,
    application: Application,
    *,
    errors: Mapping[str, str] = NOTHING_WRONG,
    link: str = "",
) -> Response:
    """The page; `errors` by field when a form of it was wrong; `link` into its portal, if made."""
    manages = visit.may(Scope.APPLICATIONS)
    query = WebhookQuery(application_id=application.id, limit=PAGE)
    typed = dict(visit.form) if errors else _as_typed(application)
    return visit.render(
        "application.html",
        status=422 if errors else 200,
        application=application,
        manages=manages,
        rows=webhook_rows(visit, visit.parts.webhooks.all(visit.caller, query), {}),
        keys=_keys(visit, application) if manages else [],
        inputs=_inputs(typed, errors),
        key_name=FormField(
            name="key_name",
            label="Name",
            help="What the key is for.",
            value=visit.field("key_name"),
            example="production",
            required=True,
            error=errors.get("key_name", ""),
        ),
        scopes=[(scope, words.SCOPE_WORDS[scope]) for scope in _scopes()],
        errors=errors,
        link=link,
    )


def _as_typed(application: Application) -> dict[str, str]:
    origins = "\n".join(application.frame_ancestors)
    return {"name": application.name, "frame_ancestors": origins}


def _scopes() -> list[Scope]:
    return [scope for scope in Scope if scope in APPLICATION_SCOPES]


def _keys(visit: Visit, application: Application) -> list[ApiKey]:
    found = visit.parts.gate.api_keys(visit.caller, application_id=application.id)
    return [key for key in found if key.revoked_at is None]


def grant_groups(
    registry: Registry, topics: list[Topic], granted: frozenset[str]
) -> list[tuple[str, list[tuple[str, bool]]]]:
    """Topics that need a grant, by the provider whose events they are; whether they are granted.

    Pure. The hub's own topics come first.
    """
    titles = {provider.name: provider.title for provider in registry}
    groups: dict[str, list[tuple[str, bool]]] = {}
    for topic in topics:
        if topic.granted_to_all:
            continue
        title = titles.get(topic.name.partition(".")[0], "")
        groups.setdefault(title, []).append((topic.name, topic.name in granted))
    ordered = sorted(groups.items(), key=lambda group: (group[0] != "", group[0].lower()))
    return [(title or "Of this hub", found) for title, found in ordered]


def save(visit: Visit) -> Response:
    """POST /applications/{id}: name and origins."""
    application = _asked(visit)
    try:
        visit.parts.applications.change(
            visit.caller,
            application.id,
            name=visit.field("name").strip(),
            frame_ancestors=lines(visit.field("frame_ancestors")),
        )
    except InvalidInput as error:
        return _page(visit, application, errors=error.fields)
    return visit.see(visit.url("applications", application.id), said="application_saved")


def grants_page(visit: Visit) -> Response:
    """GET /applications/{id}/grants: every topic that needs one, ticked if it is granted."""
    desk, application = visit.parts.applications, _asked(visit)
    granted = desk.grants(visit.caller, application.id)
    topics = desk.topics(visit.caller)
    return visit.render(
        "grants.html",
        application=application,
        groups=grant_groups(visit.parts.registry, topics, granted),
        common=sum(topic.granted_to_all for topic in topics),
    )


def grant(visit: Visit) -> Response:
    """POST /applications/{id}/grants: what is ticked, and nothing else."""
    application = _asked(visit)
    visit.parts.applications.set_grants(
        visit.caller, application.id, list(dict.fromkeys(visit.form.getlist("topic")))
    )
    return visit.see(visit.url("applications", application.id), said="grants_saved")


def add_key(visit: Visit) -> Response:
    """POST /applications/{id}/keys: the key is shown on the answer, once."""
    application = _asked(visit)
    chosen = frozenset(visit.form.getlist("scope"))
    if not chosen <= {scope.value for scope in _scopes()}:
        wrong = {"scopes": f"must be some of: {', '.join(_scopes())}"}
        return _page(visit, application, errors=wrong)
    try:
        key, text = visit.parts.gate.add_api_key(
            visit.caller,
            name=visit.field("key_name").strip(),
            scopes=frozenset(Scope(one) for one in chosen),
            application_id=application.id,
        )
    except InvalidInput as error:
        fields = {("key_name" if path == "name" else path): t for path, t in error.fields.items()}
        return _page(visit, application, errors=fields)
    done = visit.url("applications", application.id)
    return visit.render("application_key_once.html", key=key, text=text, done_url=done)


def revoke_key(visit: Visit) -> Response:
    """POST /applications/{id}/keys/{key}/revoke."""
    application = _asked(visit)
    visit.parts.gate.revoke_api_key(
        visit.caller, visit.path["key_id"], application_id=application.id
    )
    return visit.see(visit.url("applications", application.id), said="key_revoked")


def portal_link(visit: Visit) -> Response:
    """POST /applications/{id}/portal: a link that opens its portal once, on the answer."""
    application = _asked(visit)
    token, _ = visit.parts.portal.link(visit.caller, application.id)
    address = f"{visit.parts.settings.base_url.rstrip('/')}/portal/#{token}"
    return _page(visit, application, link=address)


def delete(visit: Visit) -> Response:
    """POST /applications/{id}/delete: only with the name typed again."""
    application = _asked(visit)
    if visit.field("confirm").strip() != application.name:
        wrong = {"confirm": f"must be {application.name}, the application's name"}
        return _page(visit, application, errors=wrong | {"name": "", "frame_ancestors": ""})
    visit.parts.applications.delete(visit.caller, application.id)
    return visit.see(visit.url("applications"), said="application_deleted")


def _manage(path: str, handler: Handler, method: str = "POST") -> Page:
    return Page(path=path, handler=handler, method=method, scope=Scope.APPLICATIONS)


_ONE = "/applications/{application_id}"
PAGES = (
    Page(path="/applications", handler=application_list, scope=Scope.WEBHOOKS_READ),
    _manage("/new-application", form, "GET"),
    _manage("/new-application", create),
    Page(path=_ONE, handler=application_page, scope=Scope.WEBHOOKS_READ),
    _manage(_ONE, save),
    _manage(f"{_ONE}/grants", grants_page, "GET"),
    _manage(f"{_ONE}/grants", grant),
    _manage(f"{_ONE}/keys", add_key),
    _manage(f"{_ONE}/keys/{{key_id}}/revoke", revoke_key),
    _manage(f"{_ONE}/portal", portal_link),
    _manage(f"{_ONE}/delete", delete),
)
