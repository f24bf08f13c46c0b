"""The operator's own topics: made, changed and removed."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from inkwire.errors import Conflict, InvalidInput
from inkwire.model.access import Scope
from inkwire.model.webhook import Topic
from inkwire.pages.outgoing.catalogue import pretty, topic_of
from inkwire.pages.views import FormField
from inkwire.pages.visit import Page, Visit

NOTHING_WRONG: Mapping[str, str] = {}


def form(visit: Visit) -> Response:
    """GET /new-topic."""
    return _page(visit, None, {})


def edit(visit: Visit) -> Response:
    """GET /topics/{name}/edit. Raises Conflict for a built-in one."""
    topic = _own(visit)
    return _page(
        visit,
        topic,
        {
            "name": topic.name,
            "description": topic.description,
            "schema": "" if topic.schema is None else pretty(topic.schema),
            "example": "" if topic.example is None else pretty(topic.example),
            "granted_to_all": str(topic.granted_to_all).lower(),
        },
    )


def _own(visit: Visit) -> Topic:
    topic = topic_of(visit)
    if topic.builtin:
        raise Conflict(f"The topic {topic.name} is built in and stays as it is.")
    return topic


def _page(
    visit: Visit,
    topic: Topic | None,
    typed: Mapping[str, str],
    *,
    errors: Mapping[str, str] = NOTHING_WRONG,
    status: int = 200,
) -> Response:
    return visit.render(
        "topic_form.html",
        status=status,
        topic=topic,
        inputs=_inputs(topic, typed, errors),
        errors=errors,
    )


def _inputs(
    topic: Topic | None, typed: Mapping[str, str], errors: Mapping[str, str]
) -> list[FormField]:
    name = FormField(
        name="name",
        label="Name",
        help="Small letters, digits and dots. It cannot be changed later.",
        value=typed.get("name", ""),
        example="invoice.paid",
        required=True,
        error=errors.get("name", ""),
    )
    return [
        *([] if topic else [name]),
        FormField(
            name="description",
            label="Description",
            help="When it happens, in a sentence.",
            value=typed.get("description", ""),
            error=errors.get("description", ""),
        ),
        FormField(
            name="schema",
            label="Schema",
            help="JSON Schema, draft 2020-12, of the payload. Empty: any JSON.",
            kind="area",
            value=typed.get("schema", ""),
            error=errors.get("schema", ""),
        ),
        FormField(
            name="example",
            label="Example",
            help="A payload that fits the schema; the test button sends it.",
            kind="area",
            value=typed.get("example", ""),
            error=errors.get("example", ""),
        ),
        FormField(
            name="granted_to_all",
            label="Every application may hear it, without a grant",
            kind="switch",
            value=typed.get("granted_to_all", ""),
        ),
    ]


def create(visit: Visit) -> Response:
    """POST /new-topic."""
    return _put(visit, None)


def save(visit: Visit) -> Response:
    """POST /topics/{name}."""
    return _put(visit, _own(visit))


def _put(visit: Visit, old: Topic | None) -> Response:
    wrong: dict[str, str] = {}
    schema = _json(visit, "schema", wrong)
    if schema is not None and not isinstance(schema, dict):
        wrong["schema"] = "must be a JSON object"
    new = Topic(
        name=old.name if old else visit.field("name").strip(),
        description=visit.field("description").strip(),
        schema=schema if isinstance(schema, dict) else None,
        example=_json(visit, "example", wrong),
        granted_to_all=visit.field("granted_to_all") == "true",
    )
    if wrong:
        return _page(visit, old, visit.form, errors=wrong, status=422)
    known = {topic.name for topic in visit.parts.applications.topics(visit.caller)}
    if old is None and new.name in known:
        there = {"name": "is there already; open it in the list to change it"}
        return _page(visit, old, visit.form, errors=there, status=409)
    try:
        visit.parts.applications.put_topic(visit.caller, new)
    except InvalidInput as error:
        return _page(visit, old, visit.form, errors=error.fields, status=422)
    except Conflict as error:
        return _page(visit, old, visit.form, errors={"name": error.message}, status=409)
    return visit.see(visit.url("topics", new.name), said="topic_saved")


def _json(visit: Visit, name: str, wrong: dict[str, str]) -> Any:
    text = visit.field(name).strip()
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        wrong[name] = "must be JSON"
        return None


def delete(visit: Visit) -> Response:
    """POST /topics/{name}/delete."""
    topic = _own(visit)
    visit.parts.applications.delete_topic(visit.caller, topic.name)
    return visit.see(visit.url("topics"), said="topic_deleted")


PAGES = (
    Page(path="/new-topic", handler=form, scope=Scope.APPLICATIONS),
    Page(path="/new-topic", handler=create, method="POST", scope=Scope.APPLICATIONS),
    Page(path="/topics/{name}/edit", handler=edit, scope=Scope.APPLICATIONS),
    Page(path="/topics/{name}", handler=save, method="POST", scope=Scope.APPLICATIONS),
    Page(path="/topics/{name}/delete", handler=delete, method="POST", scope=Scope.APPLICATIONS),
)
