"""`/v1/topics`: what webhooks can subscribe to."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from inkwire.api.callers import Allowed
from inkwire.api.fields import Id, Input, Output, Text
from inkwire.api.parts import With
from inkwire.delivery.catalogue import MAX_DESCRIPTION
from inkwire.errors import NotFound
from inkwire.model.access import Caller, Scope
from inkwire.model.webhook import Topic

router = APIRouter(prefix="/topics", tags=["Topics"])

Reader = Annotated[Caller, Allowed(Scope.WEBHOOKS_READ)]
Keeper = Annotated[Caller, Allowed(Scope.APPLICATIONS)]


class TopicOut(Output):
    """What a webhook can subscribe to."""

    name: str = Field(examples=["shipments_status"])
    description: str
    json_schema: Mapping[str, Any] | None = Field(
        validation_alias="schema",
        serialization_alias="schema",
        description="JSON Schema (2020-12) of the payload; null: open.",
    )
    example: Any = Field(description="A sample payload; null: there is none.")
    granted_to_all: bool = Field(description="Every application may subscribe, without a grant.")
    builtin: bool = Field(description="Inkwire's own; cannot be changed.")


class TopicsOut(Output):
    """Topics, by name."""

    items: list[TopicOut]


class TopicIn(Input):
    """A topic of the operator's own."""

    description: Annotated[Text, Field(max_length=MAX_DESCRIPTION)] = Field("")
    json_schema: dict[str, Any] | None = Field(
        None, alias="schema", description="JSON Schema (2020-12) of the payload; null: open."
    )
    example: Any = Field(None, description="A sample payload; the test button sends it.")
    granted_to_all: bool = Field(False, description="Every application may subscribe.")


@router.get("", summary="List topics")
def list_topics(parts: With, caller: Reader) -> TopicsOut:
    """Every topic; for an application's key those that it may subscribe to."""
    return TopicsOut(items=[TopicOut.of(topic) for topic in parts.applications.topics(caller)])


@router.get("/{topic_name}", summary="Read a topic")
def read_topic(topic_name: Id, parts: With, caller: Reader) -> TopicOut:
    """One topic with its schema and an example."""
    for topic in parts.applications.topics(caller):
        if topic.name == topic_name:
            return TopicOut.of(topic)
    raise NotFound("There is no topic of that name, or it is not granted to this application.")


@router.put("/{topic_name}", summary="Make or replace a topic")
def put_topic(topic_name: Id, body: TopicIn, parts: With, caller: Keeper) -> TopicOut:
    """Adds a topic of your own, or replaces it; those built in stay."""
    topic = Topic(
        name=topic_name,
        description=body.description,
        schema=body.json_schema,
        example=body.example,
        granted_to_all=body.granted_to_all,
    )
    return TopicOut.of(parts.applications.put_topic(caller, topic))


@router.delete("/{topic_name}", summary="Remove a topic", status_code=204)
def delete_topic(topic_name: Id, parts: With, caller: Keeper) -> None:
    """Removes a topic of your own that no webhook subscribes to."""
    parts.applications.delete_topic(caller, topic_name)
