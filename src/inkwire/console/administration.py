"""Users, API keys and the audit log: for administrators."""

from collections.abc import Mapping

from starlette.responses import Response

from inkwire.console import words
from inkwire.errors import Conflict, InvalidInput
from inkwire.model.access import Role, Scope
from inkwire.pages.inputs import PAGE
from inkwire.pages.views import FormField
from inkwire.pages.visit import Handler, Page, Visit

NOTHING_WRONG: Mapping[str, str] = {}


# --- users


def users(visit: Visit) -> Response:
    """GET /settings/users."""
    return _users(visit)


def _users(
    visit: Visit, *, errors: Mapping[str, str] = NOTHING_WRONG, status: int = 200
) -> Response:
    new = [
        FormField(
            name="name",
            label="Name",
            help="What they sign in with: small letters, digits and . _ @ + -",
            value=visit.field("name"),
            required=True,
            error=errors.get("name", ""),
        ),
        FormField(
            name="role",
            label="Role",
            kind="choice",
            value=visit.field("role") or Role.VIEWER.value,
            choices=_roles(),
            error=errors.get("role", ""),
        ),
        FormField(
            name="password",
            label="Password",
            help="Tell it to them on a safe way; they change it under Settings.",
            kind="password",
            required=True,
            autocomplete="new-password",
            error=errors.get("password", ""),
        ),
    ]
    return visit.render(
        "users.html",
        status=status,
        users=visit.parts.gate.users(visit.caller),
        new=new,
        roles=_roles(),
        role_words=words.ROLE_WORDS,
    )


def _roles() -> tuple[tuple[str, str], ...]:
    return tuple((role.value, text) for role, text in words.ROLE_WORDS.items())


def _role(visit: Visit) -> Role:
    try:
        return Role(visit.field("role"))
    except ValueError:
        raise InvalidInput(fields={"role": f"must be one of: {', '.join(Role)}"}) from None


def add_user(visit: Visit) -> Response:
    """POST /settings/users."""
    try:
        visit.parts.gate.add_user(
            visit.caller,
            name=visit.field("name"),
            password=visit.field("password"),
            role=_role(visit),
        )
    except InvalidInput as error:
        return _users(visit, errors=error.fields, status=422)
    except Conflict as error:
        return _users(visit, errors={"name": error.message}, status=409)
    return visit.see(visit.url("settings", "users"), said="user_added")


def set_role(visit: Visit) -> Response:
    """POST /settings/users/{name}/role."""
    visit.parts.gate.set_role(visit.caller, visit.path["name"], _role(visit))
    return visit.see(visit.url("settings", "users"), said="user_saved")


def set_password(visit: Visit) -> Response:
    """POST /settings/users/{name}/password."""
    visit.parts.gate.set_password(visit.caller, visit.path["name"], visit.field("password"))
    return visit.see(visit.url("settings", "users"), said="user_saved")


def disable(visit: Visit) -> Response:
    """POST /settings/users/{name}/disable."""
    visit.parts.gate.disable(visit.caller, visit.path["name"])
    return visit.see(visit.url("settings", "users"), said="user_disabled")


def enable(visit: Visit) -> Response:
    """POST /settings/users/{name}/enable."""
    visit.parts.gate.enable(visit.caller, visit.path["name"])
    return visit.see(visit.url("settings", "users"), said="user_enabled")


# --- API keys


def keys(visit: Visit) -> Response:
    """GET /settings/keys."""
    return _keys(visit)


def _keys(
    visit: Visit, *, errors: Mapping[str, str] = NOTHING_WRONG, status: int = 200
) -> Response:
    name = FormField(
        name="name",
        label="Name",
        help="What the key is for.",
        value=visit.field("name"),
        example="nightly report",
        required=True,
        error=errors.get("name", ""),
    )
    return visit.render(
        "keys.html",
        status=status,
        keys=visit.parts.gate.api_keys(visit.caller),
        name=name,
        scopes=words.SCOPE_WORDS,
        chosen=set(visit.form.getlist("scope")),
        scopes_error=errors.get("scopes", ""),
    )


def add_key(visit: Visit) -> Response:
    """POST /settings/keys: the key is shown on the answer, once."""
    try:
        scopes = frozenset(Scope(text) for text in visit.form.getlist("scope"))
    except ValueError:
        wrong = {"scopes": f"must be some of: {', '.join(Scope)}"}
        return _keys(visit, errors=wrong, status=422)
    try:
        key, text = visit.parts.gate.add_api_key(
            visit.caller, name=visit.field("name").strip(), scopes=scopes
        )
    except InvalidInput as error:
        return _keys(visit, errors=error.fields, status=422)
    return visit.render("key_once.html", key=key, text=text)


def revoke_key(visit: Visit) -> Response:
    """POST /settings/keys/{id}/revoke."""
    visit.parts.gate.revoke_api_key(visit.caller, visit.path["key_id"])
    return visit.see(visit.url("settings", "keys"), said="key_revoked")


# --- the audit log


def audit(visit: Visit) -> Response:
    """GET /settings/audit."""
    before = visit.query("before")
    found = visit.parts.gate.audit(visit.caller, before=before or None, limit=PAGE + 1)
    older = visit.url("settings", "audit", before=found[PAGE - 1].id) if len(found) > PAGE else ""
    return visit.render(
        "audit.html",
        entries=found[:PAGE],
        first_page=not before,
        newest_url=visit.url("settings", "audit"),
        older_url=older,
    )


def _admin(path: str, handler: Handler, method: str = "GET") -> Page:
    return Page(path=path, handler=handler, method=method, scope=Scope.ACCESS)


PAGES = (
    _admin("/settings/users", users),
    _admin("/settings/users", add_user, "POST"),
    _admin("/settings/users/{name}/role", set_role, "POST"),
    _admin("/settings/users/{name}/password", set_password, "POST"),
    _admin("/settings/users/{name}/disable", disable, "POST"),
    _admin("/settings/users/{name}/enable", enable, "POST"),
    _admin("/settings/keys", keys),
    _admin("/settings/keys", add_key, "POST"),
    _admin("/settings/keys/{key_id}/revoke", revoke_key, "POST"),
    _admin("/settings/audit", audit),
)
