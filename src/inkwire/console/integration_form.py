"""Making and changing an integration: a form from its kind's described settings."""

from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import Response

from inkwire.console import forms, offers
from inkwire.console.integrations import number
from inkwire.console.words import provider_title
from inkwire.engine.contract import IntegrationKind
from inkwire.errors import Conflict, InvalidInput
from inkwire.integrations.desk import IntegrationChange, IntegrationDraft, second_provider
from inkwire.model.access import Scope
from inkwire.model.work import Integration
from inkwire.pages.views import FormField
from inkwire.pages.visit import Page, Visit

NOTHING_WRONG: Mapping[str, str] = {}


def choose(visit: Visit) -> Response:
    """GET /new-integration: the business processes that are installed."""
    return visit.render("choose_kind.html", kinds=visit.parts.integrations.kinds(visit.caller))


def form(visit: Visit) -> Response:
    """GET /new-integration/{kind}."""
    return _page(visit, visit.parts.integrations.kind(visit.caller, visit.path["kind"]))


def _page(
    visit: Visit,
    kind: IntegrationKind,
    *,
    integration: Integration | None = None,
    errors: Mapping[str, str] = NOTHING_WRONG,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    values = _kept(kind, integration) if typed is None else typed
    settings = {key[9:]: value for key, value in values.items() if key.startswith("settings.")}
    inputs = forms.setting_inputs(kind.settings, settings, errors)
    return visit.render(
        "integration_form.html",
        status=status,
        kind=kind,
        integration=integration,
        action=visit.url("integrations", integration.label, "edit")
        if integration
        else visit.url("new-integration", kind.name),
        first=_first(visit, kind, values, errors),
        inputs=offers.offered(visit, kind.settings, inputs),
        wrong=bool(errors),
    )


def _kept(kind: IntegrationKind, integration: Integration | None) -> dict[str, str]:
    if integration is None:
        return {"name": kind.title}
    settings = {
        f"settings.{key}": forms.text_of(value) for key, value in integration.settings.items()
    }
    return settings | {
        "name": integration.name,
        "connection_id": integration.connection_id or "",
        "second_connection_id": integration.second_connection_id or "",
        "source_ids": "\n".join(integration.source_ids),
    }


def _first(
    visit: Visit, kind: IntegrationKind, values: Mapping[str, str], errors: Mapping[str, str]
) -> list[FormField]:
    """Name, connections, sources."""
    found = [
        FormField(
            name="name",
            label="Name",
            help="How this integration is called on these pages.",
            value=values.get("name", kind.title),
            required=True,
            error=errors.get("name", ""),
        )
    ]
    second = second_provider(kind)
    if kind.provider:
        label = _to(visit, kind.provider) if second else "Connection"
        found.append(_connection(visit, kind.provider, ("connection_id", label), values, errors))
    if second:
        named = ("second_connection_id", _to(visit, second))
        found.append(_connection(visit, second, named, values, errors))
    if kind.events:
        found.append(_sources(visit, kind, values, errors))
    return found


def _to(visit: Visit, provider: str) -> str:
    """`Connection to Salesforce`."""
    return f"Connection to {provider_title(visit.parts.registry, provider)}"


def _connection(
    visit: Visit,
    provider: str,
    named: tuple[str, str],
    values: Mapping[str, str],
    errors: Mapping[str, str],
) -> FormField:
    """A choice among the connections to a provider; `named`: the field's name and label."""
    name, label = named
    those = visit.parts.connections.all(visit.caller)
    fitting = [(one.id, f"{one.name} ({one.id})") for one in those if one.provider == provider]
    chosen = values.get(name, fitting[0][0] if len(fitting) == 1 else "")
    if chosen and chosen not in {value for value, _ in fitting}:
        fitting.append((chosen, f"{chosen} (does not fit)"))
    return FormField(
        name=name,
        label=label,
        help="Whose account it calls the vendor by."
        if fitting
        else "There is none yet: make one under Connections first, then choose it here.",
        kind="choice",
        value=chosen,
        choices=(("", "None yet"), *fitting),
        error=errors.get(name, ""),
    )


def _sources(
    visit: Visit, kind: IntegrationKind, values: Mapping[str, str], errors: Mapping[str, str]
) -> FormField:
    """Those whose events the kind can hear, and those that are chosen already."""
    providers = {one.partition(".")[0] for handler in kind.events for one in handler.types}
    known = {one.id: one for one in visit.parts.desk.all(visit.caller)}
    fitting = [one.id for one in known.values() if one.provider in providers]
    given = values.get("source_ids", fitting[0] if len(fitting) == 1 else "")
    chosen = tuple(one for one in given.split("\n") if one)
    shown = [*fitting, *(one for one in chosen if one not in fitting)]
    return FormField(
        name="source_ids",
        label="Sources",
        help="Whose events it hears: the addresses that the vendor's webhooks go to."
        if shown
        else "There is none yet: make one under Sources first, then choose it here.",
        kind="ticks",
        chosen=chosen,
        choices=tuple(
            (one, f"{known[one].name} ({one})" if one in known else f"{one} (deleted)")
            for one in shown
        ),
        error=errors.get("source_ids", ""),
    )


def _given(visit: Visit, kind: IntegrationKind) -> dict[str, str]:
    """The settings of the posted form, what was ticked among them."""
    return forms.settings_given(kind.settings, visit.form) | offers.given(kind.settings, visit.form)


def _typed(visit: Visit, given: Mapping[str, str]) -> dict[str, str]:
    return {
        "name": visit.field("name"),
        "connection_id": visit.field("connection_id"),
        "second_connection_id": visit.field("second_connection_id"),
        "source_ids": "\n".join(visit.form.getlist("source_ids")),
    } | {f"settings.{key}": value for key, value in given.items()}


def create(visit: Visit) -> Response:
    """POST /new-integration/{kind}: inactive at first."""
    kind = visit.parts.integrations.kind(visit.caller, visit.path["kind"])
    given = _given(visit, kind)
    draft = IntegrationDraft(
        kind=kind.name,
        name=visit.field("name").strip(),
        settings=given,
        connection_id=visit.field("connection_id") or None,
        second_connection_id=visit.field("second_connection_id") or None,
        source_ids=visit.form.getlist("source_ids"),
    )
    try:
        made = visit.parts.integrations.add(visit.caller, draft).integration
    except InvalidInput as error:
        return _page(visit, kind, errors=error.fields, typed=_typed(visit, given), status=422)
    return visit.see(visit.url("integrations", made.label), said="integration_made")


def edit_form(visit: Visit) -> Response:
    """GET /integrations/{id}/edit."""
    integration = visit.parts.integrations.get(visit.caller, number(visit))
    kind = visit.parts.integrations.kind(visit.caller, integration.kind)
    return _page(visit, kind, integration=integration)


def save(visit: Visit) -> Response:
    """POST /integrations/{id}/edit."""
    integration = visit.parts.integrations.get(visit.caller, number(visit))
    kind = visit.parts.integrations.kind(visit.caller, integration.kind)
    given = _given(visit, kind)
    change = IntegrationChange(
        name=visit.field("name").strip(),
        settings=given,
        connection_id=visit.field("connection_id"),
        second_connection_id=visit.field("second_connection_id"),
        source_ids=visit.form.getlist("source_ids"),
    )
    if visit.field("version") != integration.updated_at.isoformat():
        raise Conflict(f"Somebody changed {integration.label} meanwhile; your change was not kept.")
    try:
        visit.parts.integrations.change(
            visit.caller, integration.id, replace(change, expected=integration.updated_at)
        )
    except InvalidInput as error:
        return _page(
            visit,
            kind,
            integration=integration,
            errors=error.fields,
            typed=_typed(visit, given),
            status=422,
        )
    return visit.see(visit.url("integrations", integration.label), said="integration_saved")


PAGES = (
    Page(path="/new-integration", handler=choose, scope=Scope.INTEGRATIONS_WRITE),
    Page(path="/new-integration/{kind}", handler=form, scope=Scope.INTEGRATIONS_WRITE),
    Page(
        path="/new-integration/{kind}",
        handler=create,
        method="POST",
        scope=Scope.INTEGRATIONS_WRITE,
    ),
    Page(
        path="/integrations/{integration_id}/edit",
        handler=edit_form,
        scope=Scope.INTEGRATIONS_WRITE,
    ),
    Page(
        path="/integrations/{integration_id}/edit",
        handler=save,
        method="POST",
        scope=Scope.INTEGRATIONS_WRITE,
    ),
)
