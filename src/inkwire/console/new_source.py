"""A new source: choose the provider, fill in what it needs."""

from collections.abc import Mapping

from starlette.responses import Response

from inkwire.console import forms
from inkwire.console.sources import NOTHING_WRONG, show_secrets
from inkwire.errors import Conflict, InvalidInput, NotFound
from inkwire.model.access import Scope
from inkwire.pages.inputs import lines, whole
from inkwire.pages.views import FormField, ShownSecret
from inkwire.pages.visit import Page, Visit
from inkwire.providers.contract import Provider, Recipe
from inkwire.sources.drafting import SourceDraft


def choose(visit: Visit) -> Response:
    """GET /new-source: the providers that send webhooks."""
    return visit.render("choose_provider.html", providers=visit.parts.registry.receiving())


def form(visit: Visit) -> Response:
    """GET /new-source/{provider}."""
    return _page(visit)


def _page(
    visit: Visit,
    *,
    errors: Mapping[str, str] = NOTHING_WRONG,
    typed: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    provider = visit.parts.registry.get(visit.path["provider"])
    receiver = visit.parts.registry.receiver(provider.name)
    recipe = _recipe(visit, provider)
    values = typed or {}
    if recipe is not None and typed is None:
        values = {f"settings.{key}": forms.text_of(value) for key, value in recipe.settings.items()}
    settings = {key[9:]: value for key, value in values.items() if key.startswith("settings.")}
    more = [
        *forms.setting_inputs(receiver.settings, settings, errors),
        *forms.limit_inputs(
            example=next(iter(receiver.event_types), ""),
            event_types=values.get("event_types", ""),
            document_ids=values.get("document_ids", ""),
            max_body=values.get("max_body_bytes", str(visit.parts.settings.max_body_bytes)),
            largest=visit.parts.settings.max_body_bytes,
            errors=errors,
        ),
    ]
    return visit.render(
        "new_source.html",
        status=status,
        provider=provider,
        recipe=recipe,
        first=_names(visit, recipe or provider, values, errors),
        secrets=forms.secret_inputs(receiver.secrets, errors),
        secrets_lost=bool(errors),
        more=more,
        more_open=any(field.error for field in more),
    )


def _names(
    visit: Visit, kind: Provider | Recipe, values: Mapping[str, str], errors: Mapping[str, str]
) -> list[FormField]:
    address = visit.parts.desk.url("ID")
    return [
        FormField(
            name="name",
            label="Name",
            help="How this source is called on these pages.",
            value=values.get("name", kind.title),
            example=kind.title,
            required=True,
            error=errors.get("name", ""),
        ),
        FormField(
            name="id",
            label="Id",
            help=f"Stands in the address, {address}, and cannot be changed later: small letters, "
            "digits and hyphens.",
            value=values["id"] if "id" in values else _free_id(visit, kind.name),
            example=f"{kind.name}-main",
            required=True,
            error=errors.get("id", ""),
        ),
    ]


def _recipe(visit: Visit, provider: Provider) -> Recipe | None:
    """The recipe that was chosen. Raises NotFound."""
    name = visit.query("recipe") or visit.field("recipe")
    if not name:
        return None
    for recipe in provider.recipes:
        if recipe.name == name:
            return recipe
    known = ", ".join(recipe.name for recipe in provider.recipes) or "none"
    raise NotFound(f"{provider.title} has no recipe {name!r}; there are: {known}.")


def _free_id(visit: Visit, wanted: str) -> str:
    taken = {source.id for source in visit.parts.desk.all(visit.caller)}
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (wanted, *numbered) if name not in taken)


def create(visit: Visit) -> Response:
    """POST /new-source/{provider}: made-up secrets are shown on the answer, once."""
    receiver = visit.parts.registry.receiver(visit.path["provider"])
    given = forms.settings_given(receiver.settings, visit.form)
    draft = SourceDraft(
        id=visit.field("id").strip(),
        provider=visit.path["provider"],
        name=visit.field("name").strip(),
        settings=given,
        secrets=forms.secrets_given(receiver.secrets, visit.form),
        event_types=lines(visit.field("event_types")),
        document_ids=lines(visit.field("document_ids")),
        max_body_bytes=whole(visit.field("max_body_bytes"))
        if visit.field("max_body_bytes").strip()
        else None,
    )
    typed = dict(visit.form) | {f"settings.{key}": value for key, value in given.items()}
    try:
        source, made_up = visit.parts.desk.create(visit.caller, draft)
    except InvalidInput as error:
        return _page(visit, errors=error.fields, typed=typed, status=422)
    except Conflict as error:
        return _page(visit, errors={"id": error.message}, typed=typed, status=409)
    labels = {item.role: item.label for item in receiver.secrets}
    shown = [ShownSecret(label=labels[role], value=value) for role, value in made_up.items()]
    if shown:
        return show_secrets(visit, source, shown, made=True)
    return visit.see(visit.url("sources", source.id), said="source_made")


PAGES = (
    Page(path="/new-source", handler=choose, scope=Scope.SOURCES_WRITE),
    Page(path="/new-source/{provider}", handler=form, scope=Scope.SOURCES_WRITE),
    Page(path="/new-source/{provider}", handler=create, method="POST", scope=Scope.SOURCES_WRITE),
)
