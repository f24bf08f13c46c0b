"""Connections: the list, one connection's page, its check, its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from inkwire.console import acting_words, setup_words, words
from inkwire.errors import NotFound
from inkwire.model.access import Scope
from inkwire.model.connection import Connection
from inkwire.model.work import Call, Command, CommandKind, CommandState, Integration
from inkwire.pages.marks import Mark
from inkwire.pages.visit import Handler, Page, Visit
from inkwire.providers.contract import AuthMethod

#: Calls on a connection's page.
LATEST = 20
#: Where a vendor sends the browser back to, below the console.
BACK = "/connections/authorized"
#: A worker takes a command within a second; after this its page says that none has.
PATIENCE = timedelta(seconds=20)
NOTHING_WRONG: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionRow:
    """One line of the list."""

    connection: Connection
    mark: Mark
    provider: str
    method: str
    url: str
    used_by: tuple[Integration, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a worker was asked for, and how far that is."""

    command: Command
    #: No answer yet, and it is still soon.
    pending: bool
    #: No answer, and it is late.
    late: bool
    by: str
    done_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A setting or secret as a person reads it."""

    label: str
    #: Empty: not set.
    value: str
    set_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """A person signs in at the vendor for this connection."""

    #: Whether somebody has.
    done: bool
    #: Where the button leads.
    url: str
    return_address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CallRow:
    """One API request."""

    call: Call
    ok: bool
    answer: str
    took: str
    work_url: str


def connection_list(visit: Visit) -> Response:
    """GET /connections."""
    found = visit.parts.connections.all(visit.caller)
    integrations = visit.parts.store.integrations.all()
    return visit.render(
        "connections.html",
        rows=[_row(visit, one, integrations) for one in found],
        may_change=visit.may(Scope.INTEGRATIONS_WRITE),
    )


def _row(
    visit: Visit, connection: Connection, integrations: Sequence[Integration]
) -> ConnectionRow:
    method = method_of(visit, connection.provider, connection.method)
    return ConnectionRow(
        connection=connection,
        mark=setup_words.health_mark(connection),
        provider=words.provider_title(visit.parts.registry, connection.provider),
        method=method.title if method else connection.method,
        url=visit.url("connections", connection.id),
        used_by=tuple(one for one in integrations if connection.id in one.connection_ids),
    )


def method_of(visit: Visit, provider: str, name: str) -> AuthMethod | None:
    """A provider's way to authenticate; None if this installation lacks it."""
    try:
        connector = visit.parts.registry.get(provider).connect
    except NotFound:
        return None
    methods = connector.methods if connector else ()
    return next((method for method in methods if method.name == name), None)


# --- one connection


def connection_page(visit: Visit) -> Response:
    """GET /connections/{id}: looks for the answer while a check is under way."""
    return _page(visit, asked_connection(visit))


def asked_connection(visit: Visit) -> Connection:
    """The connection that the address names. Raises NotFound."""
    return visit.parts.connections.get(visit.caller, visit.path["connection_id"])


def _page(
    visit: Visit, connection: Connection, *, errors: Mapping[str, str] = NOTHING_WRONG
) -> Response:
    store = visit.parts.store
    method = method_of(visit, connection.provider, connection.method)
    sees_calls = visit.may(Scope.RUNS_READ)
    calls = store.run_log.calls(connection_id=connection.id, limit=LATEST) if sees_calls else []
    check = asked(visit, store.commands.latest(CommandKind.CHECK_CONNECTION, connection.id))
    return visit.render(
        "connection.html",
        status=422 if errors else 200,
        row=_row(visit, connection, store.integrations.all()),
        connection=connection,
        settings=_settings(connection, method),
        secrets=_secrets(connection, method),
        check=check,
        checks=check.command.result or [] if check else [],
        sign_in=_sign_in(visit, connection, method),
        calls=call_rows(visit, calls),
        sees_calls=sees_calls,
        may_change=visit.may(Scope.INTEGRATIONS_WRITE),
        errors=errors,
    )


def _sign_in(visit: Visit, connection: Connection, method: AuthMethod | None) -> SignIn | None:
    if method is None or not method.authorizes:
        return None
    return SignIn(
        done=connection.token_expires_at is not None,
        url=visit.url("connections", connection.id, "authorize"),
        return_address=return_address(visit),
    )


def return_address(visit: Visit) -> str:
    """What an operator enters as the callback (redirect) address of the app at the vendor."""
    return f"{visit.parts.settings.base_url}{visit.base}{BACK}"


def asked(visit: Visit, command: Command | None) -> Asked | None:
    """How far a command is."""
    if command is None:
        return None
    waits = command.state is CommandState.NEW
    late = visit.now - command.created_at > PATIENCE
    return Asked(
        command=command,
        pending=waits and not late,
        late=waits and late,
        by=command.created_by.removeprefix("user:"),
        done_at=command.done_at,
    )


def call_rows(visit: Visit, calls: Sequence[Call]) -> list[CallRow]:
    """Lines of a list of calls."""
    return [
        CallRow(
            call=call,
            ok=call.status is not None and call.status < 400,
            answer="No answer" if call.status is None else str(call.status),
            took=acting_words.duration(call.duration_us),
            work_url=visit.url("runs", call.work_id) if call.work_id else "",
        )
        for call in calls
    ]


def _settings(connection: Connection, method: AuthMethod | None) -> list[Fact]:
    labels = {item.key: item.label for item in method.settings} if method else {}
    given: Mapping[str, Any] = connection.settings
    keys = [*labels, *(key for key in given if key not in labels)]
    return [Fact(label=labels.get(key, key), value=str(given.get(key, ""))) for key in keys]


def _secrets(connection: Connection, method: AuthMethod | None) -> list[Fact]:
    labels = {item.role: item.label for item in method.secrets} if method else {}
    return [
        Fact(label=labels.get(role, role), value="set", set_at=at)
        for role, at in sorted(connection.secrets_set.items(), key=lambda one: one[0])
    ]


def check(visit: Visit) -> Response:
    """POST /connections/{id}/check: a worker fetches a token and tries every scope."""
    connection = asked_connection(visit)
    visit.parts.work.check_connection(visit.caller, connection.id)
    return visit.see(visit.url("connections", connection.id), said="connection_asked")


def delete(visit: Visit) -> Response:
    """POST /connections/{id}/delete: only with the id typed again."""
    connection = asked_connection(visit)
    if visit.field("confirm").strip() != connection.id:
        wrong = {"confirm": f"must be {connection.id}, the connection's id"}
        return _page(visit, connection, errors=wrong)
    visit.parts.connections.delete(visit.caller, connection.id)
    return visit.see(visit.url("connections"), said="connection_deleted")


def _write(path: str, handler: Handler) -> Page:
    return Page(path=path, handler=handler, method="POST", scope=Scope.INTEGRATIONS_WRITE)


PAGES = (
    Page(path="/connections", handler=connection_list, scope=Scope.INTEGRATIONS_READ),
    Page(
        path="/connections/{connection_id}", handler=connection_page, scope=Scope.INTEGRATIONS_READ
    ),
    _write("/connections/{connection_id}/check", check),
    _write("/connections/{connection_id}/delete", delete),
)
