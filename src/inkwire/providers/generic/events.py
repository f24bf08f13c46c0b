"""Finds in any sender's requests what the settings name: type, id, thing and time. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import msgspec

from inkwire.errors import Unparsable
from inkwire.model.event import DedupeKind, ParsedEvent, Term, TermKind
from inkwire.model.request import InboundRequest
from inkwire.model.verdict import Refused
from inkwire.providers.contract import Settings
from inkwire.providers.generic.settings import HEADER
from inkwire.providers.payload import (
    Terms,
    decode_json,
    dig,
    entity_key,
    event_type,
    term_kind,
    text_at,
)
from inkwire.providers.signing import one_header, parse_moment

PROVIDER = "generic"
#: Most elements of a list that become events.
MAX_ELEMENTS = 1_000
#: Most values of an event that are looked at for search terms.
_MAX_VALUES = 1_000
#: And most items of one list, so that a long one leaves room for what stands beside it.
_MAX_ITEMS = 50


def events_of(request: InboundRequest, body: bytes, settings: Settings) -> tuple[ParsedEvent, ...]:
    """One event, or one for each element of a list; at least one. Raises Unparsable."""
    elements = _elements(body, settings)
    numbered = len(elements) > 1
    return _apart(
        [
            _event(request, element, settings, str(position) if numbered else "")
            for position, element in enumerate(elements)
        ]
    )


def told_in_headers(
    body: bytes, settings: Settings, event_type: str, delivery_id: str
) -> dict[str, str]:
    """The headers that the settings look at for type and id, as the sender of `body` sets them."""
    name = event_type.removeprefix(f"{PROVIDER}.")
    in_headers, in_body = _split(settings, "type_at")
    try:
        in_body = [text for one in in_body if (text := _at(_elements(body, settings)[0], one))]
    except Unparsable:
        in_body = []
    if in_body:
        name = name.removesuffix("." + ".".join(in_body))
    ids, _ = _split(settings, "id_at")
    return dict.fromkeys(ids, delivery_id) | dict.fromkeys(in_headers, name)


def terms_of(event: ParsedEvent) -> tuple[Term, ...]:
    """The thing, ids from the headers, and each value whose name tells: ids, e-mails, names."""
    terms = Terms().add(TermKind.ENTITY, event.entity_key)
    for term in event.header_terms:
        terms.add(term.kind, term.value)
    for name, value in values_in(event.payload):
        kind = term_kind(name)
        if kind:
            terms.add(kind, value)
    return terms.all()


def values_in(payload: Any) -> Iterator[tuple[str, str]]:
    """Each text and whole number with its member's name, the outermost first; bounded."""
    nodes: list[tuple[str, Any]] = [("", payload)]
    for name, node in nodes:  # grows as it goes
        below: Iterable[tuple[str, Any]] = ()
        if isinstance(node, dict):
            below = node.items()
        elif isinstance(node, list):
            below = ((name, item) for item in node[:_MAX_ITEMS])
        elif text := text_at(node):
            yield name, text
        nodes.extend(islice(below, max(0, _MAX_VALUES - len(nodes))))


def _elements(body: bytes, settings: Settings) -> list[Any]:
    path = str(settings["events_at"])
    root = decode_json(body)
    found = dig(root, *path.split(".")) if path else root
    if path and found is None:
        raise Unparsable(f"The body holds nothing at {path}, where its events should stand.")
    elements = found if isinstance(found, list) else [found]
    if not 1 <= len(elements) <= MAX_ELEMENTS:
        raise Unparsable(f"The list of events is empty or has over {MAX_ELEMENTS} elements.")
    return elements


def _event(request: InboundRequest, element: Any, settings: Settings, position: str) -> ParsedEvent:
    def found(key: str) -> list[str]:
        return _found(request, element, str(settings[key]).split())

    name, ids, things = ".".join(found("type_at")), found("id_at"), found("entity_at")
    header_ids = [one for header in _split(settings, "id_at")[0] if (one := _in(request, header))]
    if ids and ids == header_ids and position:
        ids = [*ids, position]  # the headers are the same for each element of a list
    kind = DedupeKind(str(settings["dedupe"]))
    if kind is DedupeKind.HARD and not _all_there(request, element, settings):
        ids = []  # what is left of the id may be the same for every event (Shopify's topic)
    moments = (parse_moment(text) for text in found("time_at"))
    return ParsedEvent(
        type=event_type(PROVIDER, name),
        dedupe_key="\n".join(ids).encode() if ids else _content(name, element),
        dedupe_kind=kind if ids else DedupeKind.DERIVED,
        entity_key=entity_key(PROVIDER, str(settings["entity_kind"]), next(iter(things), None)),
        occurred_at=next(moments, None),
        test=bool(settings["mark_as_test"]),
        document_ids=tuple(things[:1]),
        header_terms=tuple(Term(kind=TermKind.ID, value=one) for one in header_ids),
        payload=element,
    )


def _all_there(request: InboundRequest, element: Any, settings: Settings) -> bool:
    places = str(settings["id_at"]).split()
    return len(_found(request, element, places)) == len(places)


def _apart(events: list[ParsedEvent]) -> tuple[ParsedEvent, ...]:
    """Events of one body that share a hard key and differ are told apart by their content."""
    alike: defaultdict[bytes, list[int]] = defaultdict(list)
    for position, event in enumerate(events):
        if event.dedupe_kind is DedupeKind.HARD:
            alike[event.dedupe_key].append(position)
    for positions in alike.values():
        if len(positions) == 1:
            continue
        contents = [_content(events[at].type, events[at].payload) for at in positions]
        if len(set(contents)) > 1:
            for at, content in zip(positions, contents, strict=True):
                events[at] = replace(events[at], dedupe_key=content, dedupe_kind=DedupeKind.DERIVED)
    return tuple(events)


def _content(name: str, element: Any) -> bytes:
    """The event's type and content, which tell a repeat where no id does."""
    try:
        return name.encode() + b"\n" + msgspec.json.encode(element)
    except RecursionError:
        raise Unparsable("The body is nested too deep.") from None


def _found(request: InboundRequest, element: Any, places: Sequence[str]) -> list[str]:
    """What stands at those of the places that are there."""
    values = (
        _in(request, place.removeprefix(HEADER))
        if place.startswith(HEADER)
        else _at(element, place)
        for place in places
    )
    return [value for value in values if value]


def _split(settings: Settings, key: str) -> tuple[list[str], list[str]]:
    """The places of a setting: names of headers, and paths in the body."""
    places = str(settings[key]).split()
    headers = [place.removeprefix(HEADER) for place in places if place.startswith(HEADER)]
    return headers, [place for place in places if not place.startswith(HEADER)]


def _in(request: InboundRequest, header: str) -> str | None:
    value = one_header(request, header.lower().encode("ascii", "replace"))
    return None if isinstance(value, Refused) else value.decode("ascii")


def _at(element: Any, path: str) -> str | None:
    return text_at(element, *path.split("."))
