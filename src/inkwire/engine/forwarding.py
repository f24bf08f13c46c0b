"""Forwards inbound events to the applications that hold a grant of their type (DESIGN §7)."""

from collections.abc import Sequence

import msgspec

from inkwire.clock import Clock
from inkwire.ids import Ids
from inkwire.model.event import Event, EventState, ParsedEvent
from inkwire.model.message import Message, MessageOrigin
from inkwire.store.sending import NewMessage, Subscribers

_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


class Forwarder:
    """Makes the messages of a batch of events; grants are read once for the batch."""

    def __init__(self, subscribers: Subscribers, clock: Clock, ids: Ids) -> None:
        """Reads which topics anybody was granted."""
        self._subscribers = subscribers
        self._clock = clock
        self._ids = ids
        self._granted = subscribers.granted_topics()
        self._hearing: dict[str, list[str]] = {}

    def messages(
        self, event: Event, parsed: Sequence[ParsedEvent], body: bytes
    ) -> list[NewMessage]:
        """One message for each application that hears the event's type.

        The payload is the element as it was received. Not forwarded: test clicks, and probable
        duplicates, of which nobody can say that they are news.
        """
        if event.type not in self._granted or event.test or event.state is not EventState.NEW:
            return []
        if event.type not in self._hearing:
            self._hearing[event.type] = self._subscribers.granted(event.type)
        element = _element(body, event.position, len(parsed))
        now = self._clock.now()
        return [
            NewMessage(
                message=Message(
                    id=self._ids.new("msg"),
                    application_id=application_id,
                    topic=event.type,
                    origin=MessageOrigin.FORWARDED,
                    event_id=event.id,
                    document_ids=parsed[event.position].document_ids,
                    created_at=now,
                    body_size=len(element),
                ),
                body=element,
            )
            for application_id in self._hearing[event.type]
        ]


def _element(body: bytes, position: int, count: int) -> bytes:
    """The bytes of one element of an array of events; of any other body all of it."""
    try:
        elements = _ELEMENTS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    return bytes(elements[position]) if len(elements) == count else body
