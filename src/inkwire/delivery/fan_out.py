"""Which webhooks get a message. Pure, but for the ids that it draws."""

from collections.abc import Sequence
from typing import Any

import msgspec

from inkwire.delivery.filters import wants
from inkwire.ids import Ids
from inkwire.store.sending import Fanned, Unfanned


class FanOut:
    """Chooses the webhooks of messages by their filters."""

    def __init__(self, ids: Ids) -> None:
        """`ids` names the deliveries."""
        self._ids = ids

    def __call__(self, waiting: Sequence[Unfanned]) -> list[Fanned]:
        """The deliveries of each message."""
        return [self._fanned(item) for item in waiting]

    def _fanned(self, item: Unfanned) -> Fanned:
        payload = decoded(item.body)
        return Fanned(
            message_id=item.message.id,
            deliveries=tuple(
                [
                    (self._ids.new("dlv"), webhook.id)
                    for webhook in item.webhooks
                    if wants(webhook, item.message.document_ids, payload)
                ]
            ),
        )


def decoded(body: bytes | None) -> Any:
    """The payload; None for one that is not read, or cannot be (a filter then never matches)."""
    if body is None:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError):
        return None
