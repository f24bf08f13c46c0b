"""Making and changing a connection: a form from what its provider's way to authenticate needs."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from starlette.responses import Response

from inkwire.console import forms
from inkwire.console.connections import (
    NOTHING_WRONG,
    asked_connection,
    method_of,
    return_address,
)
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.model.access import Scope
from inkwire.model.connection import Connection
from inkwire.pages import times
from inkwire.pages.views import FormField
from inkwire.pages.visit import Page, Visit
from inkwire.providers.contract import AuthMethod, Provider, SecretField, SettingField

#: A secret that may be longer than this (characters) is pasted or dropped in as a file.
LONG_SECRET = 1_000
#: One that may be longer than this is a whole file that may stand for all the others.
WHOLE_FILE = 40_000


def choose(visit: Visit) -> Response:
    """GET /new-connection: the providers whose API is called, with their ways to authenticate."""
    providers = [one for one in visit.parts.registry if one.connect is not None]
    return visit.render("choose_method.html", providers=providers)


def form(visit: Visit) -> Response:
    """GET /new-connection/{provider}/{method}."""
    return _page(visit, *_asked(visit))


def _asked(visit: Visit) -> tuple[Provider, AuthMethod]:
    """What the address names. Raises NotFound."""
    provider = visit.parts.registry.get(visit.path["provider"])
    method = method_of(visit, provider.name, visit.path["method"])
    if method is None:
        raise NotFound(f"{provider.title} has no such way to authenticate; choose one of its own.")
    return provider, method


def _page(
    visit: Visit,
    provider: Provider,
    method: AuthMethod,
    *,
    connection: Connection | None = None,
    errors: Mapping[str, str] = NOTHING_WRONG,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    values = typed if typed is not None else _kept(connection)
    settings = {key[9:]: value for key, value in values.items() if key.startswith("settings.")}
    inputs = forms.setting_inputs(method.settings, settings, errors)
    secrets = _secret_inputs(method.secrets, connection, errors)
    whole = [f for f, item in zip(secrets, method.secrets, strict=True) if is_whole(item)]
    needed = {f"settings.{item.key}" for item in method.settings if item.default == ""}
    parts = [
        *(f for f in inputs if f.name in needed),
        *(f for f in secrets if f not in whole),
    ]
    more = [f for f in inputs if f.name not in needed]
    return visit.render(
        "connection_form.html",
        status=status,
        provider=provider,
        method=method,
        connection=connection,
        others=[
            one for one in (provider.connect.methods if provider.connect else ()) if one != method
        ],
        action=visit.url("connections", connection.id, "edit", method=method.name)
        if connection
        else visit.url("new-connection", provider.name, method.name),
        first=_names(visit, provider, connection, values, errors),
        whole=whole,
        pieces=parts,
        pieces_open=not whole or connection is not None or any(f.error for f in parts),
        more=more,
        more_open=any(f.error for f in more),
        secrets_lost=bool(errors),
        return_address=return_address(visit) if method.authorizes else "",
        other_errors={
            path: text
            for path, text in errors.items()
            if path not in {f.name for f in (*inputs, *secrets)} | {"id", "name"}
        },
    )


def is_whole(item: SecretField) -> bool:
    """Whether a secret is a vendor's file that holds all the others."""
    return item.max_length > WHOLE_FILE


def _kept(connection: Connection | None) -> dict[str, str]:
    if connection is None:
        return {}
    settings = {
        f"settings.{key}": forms.text_of(value) for key, value in connection.settings.items()
    }
    return settings | {"name": connection.name}


def _secret_inputs(
    described: Iterable[SecretField], connection: Connection | None, errors: Mapping[str, str]
) -> list[FormField]:
    """Write-only inputs; long ones take a file's text."""
    held = connection.secrets_set if connection else {}
    found = []
    for item, plain in zip(described, forms.secret_inputs(described, errors), strict=True):
        note = (
            f" Set on {times.exact(held[item.role])[:16]} UTC; leave it empty to keep it."
            if item.role in held
            else ""
        )
        found.append(
            replace(
                plain,
                kind="secret-area" if item.max_length > LONG_SECRET else "secret",
                help=f"{item.help}{note}",
                required=item.required and item.role not in held,
            )
        )
    return found


def _names(
    visit: Visit,
    provider: Provider,
    connection: Connection | None,
    values: Mapping[str, str],
    errors: Mapping[str, str],
) -> list[FormField]:
    name = FormField(
        name="name",
        label="Name",
        help="How this connection is called on these pages.",
        value=values.get("name", provider.title),
        required=True,
        error=errors.get("name", ""),
    )
    if connection is not None:
        return [name]
    return [
        name,
        FormField(
            name="id",
            label="Id",
            help="Small letters, digits and hyphens; it cannot be changed later.",
            value=values["id"] if "id" in values else _free_id(visit, f"{provider.name}-main"),
            required=True,
            error=errors.get("id", ""),
        ),
    ]


def _free_id(visit: Visit, wanted: str) -> str:
    taken = {one.id for one in visit.parts.connections.all(visit.caller)}
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (wanted, *numbered) if name not in taken)


def create(visit: Visit) -> Response:
    """POST /new-connection/{provider}/{method}: kept, and tried by a worker at once."""
    provider, method = _asked(visit)
    given = _settings_given(method.settings, visit)
    try:
        made = visit.parts.connections.add(
            visit.caller,
            connection_id=visit.field("id").strip(),
            provider=provider.name,
            name=visit.field("name").strip(),
            method=method.name,
            settings=given,
            secrets=forms.secrets_given(method.secrets, visit.form),
        )
    except InvalidInput as error:
        typed = _typed(visit, given)
        return _page(visit, provider, method, errors=error.fields, typed=typed, status=422)
    except Conflict as error:
        wrong, typed = {"id": error.message}, _typed(visit, given)
        return _page(visit, provider, method, errors=wrong, typed=typed, status=409)
    return _kept_and_tried(visit, made, method, said="connection_made")


def _kept_and_tried(
    visit: Visit, connection: Connection, method: AuthMethod, *, said: str
) -> Response:
    """On to its page. A worker tries it, unless somebody must sign in first."""
    here = visit.url("connections", connection.id)
    if method.authorizes and connection.token_expires_at is None:
        return visit.see(here, said="connection_to_sign_in")
    visit.parts.work.check_connection(visit.caller, connection.id)
    return visit.see(here, said=said)


def _settings_given(described: Iterable[SettingField], visit: Visit) -> dict[str, str]:
    return forms.settings_given(described, visit.form)


def _typed(visit: Visit, given: Mapping[str, str]) -> dict[str, str]:
    """What goes back into the form: never a secret."""
    names = {key: visit.field(key) for key in ("id", "name") if key in visit.form}
    return names | {f"settings.{key}": value for key, value in given.items()}


# --- changing


def edit_form(visit: Visit) -> Response:
    """GET /connections/{id}/edit: `method` shows another way to authenticate."""
    connection, provider, method = _edited(visit)
    return _page(visit, provider, method, connection=connection)


def _edited(visit: Visit) -> tuple[Connection, Provider, AuthMethod]:
    connection = asked_connection(visit)
    provider = visit.parts.registry.get(connection.provider)
    method = method_of(visit, provider.name, visit.query("method") or connection.method)
    if method is None:
        raise NotFound(f"{provider.title} has no such way to authenticate; choose one of its own.")
    return connection, provider, method


def save(visit: Visit) -> Response:
    """POST /connections/{id}/edit: secrets that are left empty stay."""
    connection, provider, method = _edited(visit)
    given = _settings_given(method.settings, visit)
    try:
        changed = visit.parts.connections.change(
            visit.caller,
            connection.id,
            name=visit.field("name").strip(),
            method=method.name,
            settings=given,
            secrets=forms.secrets_given(method.secrets, visit.form),
        )
    except InvalidInput as error:
        return _page(
            visit,
            provider,
            method,
            connection=connection,
            errors=error.fields,
            typed=_typed(visit, given),
            status=422,
        )
    return _kept_and_tried(visit, changed, method, said="connection_saved")


PAGES = (
    Page(path="/new-connection", handler=choose, scope=Scope.INTEGRATIONS_WRITE),
    Page(path="/new-connection/{provider}/{method}", handler=form, scope=Scope.INTEGRATIONS_WRITE),
    Page(
        path="/new-connection/{provider}/{method}",
        handler=create,
        method="POST",
        scope=Scope.INTEGRATIONS_WRITE,
    ),
    Page(
        path="/connections/{connection_id}/edit", handler=edit_form, scope=Scope.INTEGRATIONS_WRITE
    ),
    Page(
        path="/connections/{connection_id}/edit",
        handler=save,
        method="POST",
        scope=Scope.INTEGRATIONS_WRITE,
    ),
)
