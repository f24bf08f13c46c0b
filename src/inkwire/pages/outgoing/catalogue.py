"""The catalogue: the topics that there are, with schemas and examples."""

import json
from typing import Any

from starlette.responses import Response

from inkwire.errors import NotFound
from inkwire.model.access import Scope
from inkwire.model.webhook import Topic
from inkwire.pages.visit import Page, Visit


def topic_list(visit: Visit) -> Response:
    """GET /topics: an application sees what it may subscribe to."""
    topics = visit.parts.applications.topics(visit.caller)
    return visit.render("topics.html", topics=topics, own=visit.caller.application_id is not None)


def topic_page(visit: Visit) -> Response:
    """GET /topics/{name}."""
    topic = topic_of(visit)
    return visit.render(
        "topic.html",
        topic=topic,
        schema="" if topic.schema is None else pretty(topic.schema),
        example="" if topic.example is None else pretty(topic.example),
        own=visit.caller.application_id is not None,
    )


def topic_of(visit: Visit) -> Topic:
    """The topic in the URL, of those that the caller sees. Raises NotFound."""
    name = visit.path["name"]
    for topic in visit.parts.applications.topics(visit.caller):
        if topic.name == name:
            return topic
    raise NotFound(f"There is no topic {name[:100]}.")


def pretty(value: Any) -> str:
    """JSON, indented, in the order in which it was written."""
    return json.dumps(value, indent=2, ensure_ascii=False)


PAGES = (
    Page(path="/topics", handler=topic_list, scope=Scope.WEBHOOKS_READ),
    Page(path="/topics/{name}", handler=topic_page, scope=Scope.WEBHOOKS_READ),
)
