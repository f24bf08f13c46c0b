"""Bodies that handlers read by hand: so that bytes stay as they are, or errors have BoxC's shape.

Their models are for the OpenAPI document, where `problems` puts them.
"""

from typing import Annotated, Any

import msgspec
from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from inkwire.api.fields import Input, Text
from inkwire.errors import InvalidInput


async def _raw(request: Request) -> bytes:
    return await request.body()


#: A body, byte for byte.
RawBody = Annotated[bytes, Depends(_raw)]


def takes(model: type[BaseModel] | None, *, required: bool = True) -> dict[str, Any]:
    """For `openapi_extra`: what a handler reads by hand; None: any JSON."""
    schema = {} if model is None else {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": required, "content": content}}


class BoxcNew(Input):
    """What a webhook of BoxC's API is made of."""

    address: str = Field(max_length=128, examples=["https://www.example.com/path"])
    key: str = Field(
        min_length=16, max_length=32, json_schema_extra={"writeOnly": True, "format": "password"}
    )
    topic: str = Field(examples=["fulfillments_complete"])


class BoxcChange(Input):
    """What of a webhook of BoxC's API is changed; what is absent stays (R158)."""

    address: str = Field("", max_length=128)
    key: str = Field(
        "",
        min_length=16,
        max_length=32,
        json_schema_extra={"writeOnly": True, "format": "password"},
    )
    topic: str = Field("", description="Immutable: only as it is.")


class BoxcNewBody(Input):
    """A webhook to be made, wrapped as BoxC does."""

    webhook: BoxcNew


class BoxcChangeBody(Input):
    """A webhook to be changed, wrapped as BoxC does."""

    webhook: BoxcChange


class MessageIn(Input):
    """A message to be published. `payload` goes out byte for byte as it stands in the body."""

    topic: Annotated[Text, Field(min_length=1, max_length=200)] = Field(
        examples=["shipments_status"]
    )
    payload: Any = Field(description="Any JSON that fits the topic's schema.")
    application: Annotated[Text, Field(max_length=100)] | None = Field(
        None, description="The application that gets it; null: each that may hear the topic."
    )
    account: Annotated[Text, Field(max_length=64)] = Field(
        "", description="Value of X-BoxC-Account; empty: the header is not sent."
    )
    document_ids: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=200)]], Field(max_length=100)
    ] = Field([], description="Documents that it is about: webhooks can be limited to some.")
    idempotency_key: Annotated[Text, Field(min_length=1, max_length=255)] | None = Field(
        None, description="As the header Idempotency-Key: the same one again sends nothing twice."
    )


#: What the OpenAPI document must hold beside the models that FastAPI finds.
HAND_READ = (BoxcNewBody, BoxcChangeBody, MessageIn)


def read_message(body: bytes) -> tuple[MessageIn, bytes]:
    """A message and its payload's own bytes. Raises RequestValidationError, InvalidInput."""
    try:
        members = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        given = {
            name: None if name == "payload" else msgspec.json.decode(value)
            for name, value in members.items()
        }
        message = MessageIn.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise RequestValidationError(
            [{**item, "loc": ("body", *item["loc"])} for item in found]
        ) from None
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise InvalidInput(fields={"body": "must be a JSON object in UTF-8"}) from None
    return message, bytes(members["payload"])
