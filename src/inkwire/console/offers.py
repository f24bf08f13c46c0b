"""Settings of integrations that are picked from what this hub holds: statuses, templates.

A described setting is a plain text, so that every kind of integration works without this. Where
its key says what it names, the form offers what there is: `…_status` one of the site's statuses,
`templates` any of the templates.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from inkwire.pages.views import FormField
from inkwire.pages.visit import Form, Visit
from inkwire.providers.contract import SettingField, SettingKind
from inkwire.providers.settings import list_of

TEMPLATES = "templates"
#: Statuses at a vendor, which are no status of orders.
ELSEWHERE = frozenset({"task_status"})


def offered(
    visit: Visit, described: Iterable[SettingField], inputs: Iterable[FormField]
) -> list[FormField]:
    """The inputs, those with choices made choices; `inputs` stand in the order of `described`."""
    described = tuple(described)
    statuses, templates = {}, {}
    if any(is_status(item) for item in described):
        statuses = {status.code: status.name for status in visit.parts.orders.statuses()}
    if any(is_templates(item) for item in described):
        templates = {one.id: one.name for one in visit.parts.templates.all(visit.caller)}
    return [
        _status(field, item, statuses)
        if is_status(item)
        else _templates(field, templates)
        if is_templates(item)
        else field
        for item, field in zip(described, inputs, strict=True)
    ]


def is_status(item: SettingField) -> bool:
    """Whether a setting names a status of orders."""
    named = item.key.endswith("_status") and item.key not in ELSEWHERE
    return named and item.kind is SettingKind.TEXT


def is_templates(item: SettingField) -> bool:
    """Whether a setting lists templates."""
    return item.kind is SettingKind.LIST and item.key == TEMPLATES


def given(described: Iterable[SettingField], form: Form) -> dict[str, str]:
    """What was ticked of a posted form, by key; nothing ticked is nothing chosen."""
    return {
        item.key: "\n".join(form.getlist(f"settings.{item.key}"))
        for item in described
        if is_templates(item)
    }


def shown(field: FormField) -> str:
    """What is entered, as a person reads it: names instead of codes and ids."""
    names = dict(field.choices)
    if field.kind == "switch":
        return "on" if field.value == "true" else "off"
    if field.kind == "ticks":
        return "\n".join(names.get(one, one) for one in field.chosen)
    return names.get(field.value, field.value)


def _status(field: FormField, item: SettingField, statuses: Mapping[str, str]) -> FormField:
    """One of the statuses; none, where the setting may stay empty."""
    choices = [(code, f"{name} ({code})") for code, name in statuses.items()]
    if item.default == "":
        choices.insert(0, ("", "None: the order stays as it is"))
    if field.value not in {value for value, _ in choices}:
        choices.insert(0, (field.value, f"{field.value} (there is no such status)"))
    return replace(field, kind="choice", choices=tuple(choices), example="")


def _templates(field: FormField, templates: Mapping[str, str]) -> FormField:
    """The templates to tick; one that is chosen and gone stays to be seen."""
    chosen = list_of(field.value)
    gone = [(one, f"{one} (deleted)") for one in chosen if one not in templates]
    return replace(
        field,
        kind="ticks",
        chosen=chosen,
        choices=(*templates.items(), *gone),
        help="Their PDFs are sent to be signed, at most 10, in the order of this list; "
        "none: nothing is sent."
        if templates or gone
        else "There are no templates yet; make one under Orders, then choose it here.",
    )
