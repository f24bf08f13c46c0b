"""The catalogue of topics: what webhooks can subscribe to, and who may hear what.

Built-in topics are JSON files in `topics/`; the operator's own stand in the store; every type of
inbound event (`box.FILE.UPLOADED`) is a topic, too, with an open schema.
"""

import difflib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

import msgspec

from inkwire.delivery.schemas import check_schema, deeper_than, findings
from inkwire.errors import Conflict, InvalidInput, Unparsable
from inkwire.model.webhook import Topic
from inkwire.providers.contract import Provider
from inkwire.providers.payload import MAX_TYPE, decode_json
from inkwire.providers.registry import Registry, cases
from inkwire.store.contract import MAX_PAGE
from inkwire.store.sending import Subscribers

#: Bytes of a payload.
MAX_PAYLOAD = 1024 * 1024
MAX_NAME = 100
MAX_DESCRIPTION = 500
_NAME = re.compile(r"[a-z0-9_]+(\.[A-Za-z0-9_.-]+)*")
#: Topics that say what became of webhooks: ours alone, in this release and later ones.
_OWN = "webhook."


@cache
def builtin_topics() -> Mapping[str, Topic]:
    """The topics in `topics/`, by name."""
    folder = resources.files("inkwire.delivery.topics")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".json")),
        key=lambda file: file.name,
    )
    read = (msgspec.json.decode(file.read_bytes()) for file in files)
    return MappingProxyType({row["name"]: Topic(**row, builtin=True) for row in read})


class Catalogue:
    """All topics; reads the operator's and the grants from the store at each call."""

    def __init__(self, subscribers: Subscribers, registry: Registry) -> None:
        """`registry`: whose inbound events can be forwarded."""
        self._subscribers = subscribers
        self._registry = registry
        self._inbound: dict[str, Mapping[str, Topic]] = {}

    # --- reading

    def all(self, *, application_id: str | None = None) -> list[Topic]:
        """Every known topic by name; only those that the application may hear, if one is given.

        Raises NotFound without that application.
        """
        known = self._known()
        if application_id is None:
            granted = self._subscribers.granted_topics()
        else:
            granted = self._subscribers.grants(application_id)
        for name in granted - known.keys():  # inbound types that no provider lists
            topic = self._inbound_topic(name)
            if topic is not None:
                known[name] = topic
        return [
            known[name]
            for name in sorted(known)
            if application_id is None or known[name].granted_to_all or name in granted
        ]

    def get(self, name: str) -> Topic:
        """One topic. Raises InvalidInput (`topic`) that names those of a similar name."""
        topic = self._find(name)
        if topic is None:
            raise InvalidInput(fields={"topic": _unknown(name, list(self._known()))})
        return topic

    def is_builtin(self, name: str) -> bool:
        """Whether it is one of ours, which nobody changes."""
        return name in builtin_topics()

    def may_hear(self, application_id: str, name: str) -> bool:
        """Whether the application may subscribe to the topic. Raises NotFound without it."""
        return self.problem(application_id, name) is None

    def problem(self, application_id: str, name: str) -> str | None:
        """Why the application may not subscribe to the topic, in a sentence; None: it may.

        Names of similar topics are told only as far as the application may hear them. Raises
        NotFound without the application.
        """
        granted = self._subscribers.grants(application_id)
        topic = self._find(name)
        if topic is None:
            return _unknown(name, [one.name for one in self.all(application_id=application_id)])
        if topic.granted_to_all or name in granted:
            return None
        return "is not granted to this application; ask an operator for it"

    def hearing(self, name: str) -> list[str]:
        """Ids of the applications that may hear the topic. Raises InvalidInput if unknown."""
        if not self.get(name).granted_to_all:
            return self._subscribers.granted(name)
        found: list[str] = []
        while page := self._subscribers.applications(
            before=found[-1] if found else None, limit=MAX_PAGE
        ):
            found += [application.id for application in page]
        return found

    # --- checking

    def check_payload(self, name: str, body: bytes) -> Any:
        """The decoded payload of a message of the topic, if it fits the topic's schema (R153).

        `body`: strict JSON in UTF-8, at most 1 MiB. Raises InvalidInput with up to 10 findings by
        `payload` and JSON pointer (`payload/order/id`), or with `topic` if there is no such one.
        """
        topic = self.get(name)
        if len(body) > MAX_PAYLOAD:
            raise InvalidInput(
                fields={"payload": f"must be at most {MAX_PAYLOAD} bytes; this has {len(body)}"}
            )
        try:
            payload = decode_json(body)
        except Unparsable as error:
            raise InvalidInput(fields={"payload": error.message}) from None
        wrong = {} if topic.schema is None else findings(topic.schema, payload)
        if wrong:
            raise InvalidInput(
                fields={f"payload{pointer}": text for pointer, text in wrong.items()}
            )
        return payload

    def check(self, topic: Topic) -> None:
        """Raises InvalidInput naming every wrong field of an operator's topic.

        Raises Conflict if there is a built-in topic of that name.
        """
        if self.is_builtin(topic.name):
            raise Conflict(f"The topic {topic.name} is built in; choose another name.")
        wrong: dict[str, str] = {}
        problem = self._name_problem(topic.name)
        if problem is not None:
            wrong["name"] = problem
        text = topic.description
        if len(text) > MAX_DESCRIPTION or any(not c.isprintable() and c != "\n" for c in text):
            wrong["description"] = f"must be at most {MAX_DESCRIPTION} printable characters"
        try:
            if topic.schema is not None:
                check_schema(topic.schema)
            wrong |= _example_problems(topic)
        except InvalidInput as error:
            wrong |= error.fields
        if wrong:
            raise InvalidInput(fields=wrong)

    def _name_problem(self, name: str) -> str | None:
        problem = check_topic_name(name)
        if problem is not None:
            return problem
        if name.startswith(_OWN):
            return f"must not begin with {_OWN}, which stands for news about webhooks themselves"
        if self._provider_of(name) is not None:
            return "must not begin with a provider's name and a dot: those are its inbound events"
        return None

    # --- inside

    def _find(self, name: str) -> Topic | None:
        found = builtin_topics().get(name)
        if found is not None:
            return found
        own = {topic.name: topic for topic in self._subscribers.topics()}
        return own.get(name) or self._inbound_topic(name)

    def _known(self) -> dict[str, Topic]:
        """All topics that are listed somewhere; the built-in ones win."""
        known: dict[str, Topic] = {}
        for provider in self._registry.receiving():
            known |= self._inbound_of(provider)
        known |= {topic.name: topic for topic in self._subscribers.topics()}
        return {**known, **builtin_topics()}

    def _provider_of(self, name: str) -> Provider | None:
        """The provider whose inbound event type this is, by its prefix."""
        prefix, dot, rest = name.partition(".")
        if not (dot and rest):
            return None
        return next((one for one in self._registry.receiving() if one.name == prefix), None)

    def _inbound_topic(self, name: str) -> Topic | None:
        """The topic of a type of inbound events; types are open, so unlisted ones are topics too.

        None for what is no type: without a provider's name before it, too long, not printable.
        """
        provider = self._provider_of(name)
        if provider is None or len(name) > MAX_TYPE or not name.isprintable():
            return None
        listed = self._inbound_of(provider).get(name)
        return listed or Topic(name=name, description=_as_received(provider), builtin=True)

    def _inbound_of(self, provider: Provider) -> Mapping[str, Topic]:
        if provider.name not in self._inbound:
            self._inbound[provider.name] = _inbound_topics(provider)
        return self._inbound[provider.name]


def check_topic_name(name: str) -> str | None:
    """What is wrong with the name of an operator's topic; None if nothing."""
    if len(name) <= MAX_NAME and _NAME.fullmatch(name):
        return None
    return (
        f"must be at most {MAX_NAME} characters: lower-case letters, digits and underscores, then "
        "parts of letters, digits, `_`, `-` after dots, such as order.shipped"
    )


def _inbound_topics(provider: Provider) -> dict[str, Topic]:
    """The types that the provider lists or has a sample of; the first sample is the example."""
    examples = {case.event_type: _element(case.body) for case in reversed(cases(provider))}
    sentences = dict(provider.receive.event_types) if provider.receive else {}
    return {
        name: Topic(
            name=name,
            description=sentences.get(name) or _as_received(provider),
            example=examples.get(name),
            builtin=True,
        )
        for name in {**sentences, **examples}
    }


def _as_received(provider: Provider) -> str:
    return f"An event of {provider.title}, as it was received."


def _element(body: bytes) -> Any:
    """The payload of a sample's first event; None if it is not JSON."""
    try:
        payload = decode_json(body)
    except Unparsable:
        return None
    return payload[0] if isinstance(payload, list) and payload else payload


def _example_problems(topic: Topic) -> dict[str, str]:
    if topic.example is None:
        return {}
    try:
        too_deep = deeper_than(topic.example, 100)
        size = 0 if too_deep else len(msgspec.json.encode(topic.example))
    except (TypeError, ValueError):
        return {"example": "must be JSON"}
    if too_deep or size > MAX_PAYLOAD:
        return {"example": f"must be at most {MAX_PAYLOAD} bytes as JSON, at most 100 levels deep"}
    if topic.schema is None:
        return {}
    wrong = findings(topic.schema, topic.example)
    return {f"example{pointer}": text for pointer, text in wrong.items()}


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name[:MAX_TYPE], known, n=3, cutoff=0.5)
    if near:
        return f"is no topic here; did you mean {' or '.join(near)}?"
    return "is no topic here; GET /v1/topics lists them"
