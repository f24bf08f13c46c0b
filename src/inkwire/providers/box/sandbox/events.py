"""Events: who hears of them, and the webhooks' bodies as real ones of Box are written."""

import json
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from inkwire.moments import to_micros
from inkwire.providers.box.sandbox.apps import stamp
from inkwire.providers.box.sandbox.items import Items
from inkwire.providers.box.sandbox.stream import Stream
from inkwire.providers.sandboxing import Doc, Stage

WEBHOOK, DELIVERY = "box_webhook", "box_delivery"
#: `name` of a delivery that is waiting: this and its moment, so that the due ones sort first.
WAITING, SETTLED = "a", "z"


class Events:
    """Turns what happens to an item into deliveries."""

    def __init__(self, stage: Stage, items: Items, stream: Stream) -> None:
        """`stage`: clock, state, faults; `items`: what webhooks stand on; `stream`: users'."""
        self._stream = stream
        self._stage = stage
        self._state = stage.state
        self._items = items

    def about(
        self,
        trigger: str,
        item: Doc,
        actor: Doc | None,
        info: Mapping[str, Any] | None = None,
        *,
        source: Doc | None = None,
        streamed: bool = True,
    ) -> None:
        """Queues the event for each webhook on the item or a folder above that wants it.

        `source`: what it is about, if that is not the item; `streamed`: whether it stands in the
        event streams of those who see the item, too.
        """
        above = list(self._items.ancestors(item))
        if streamed:
            self._stream.add(trigger, item, above, actor)
        for target in (item, *above):
            place = f"{target['type']}/{target['id']}"
            for _, webhook in self._state.find(WEBHOOK, name=place):
                if trigger in webhook["triggers"]:
                    self._queue(trigger, webhook, source or self._items.full(item), actor, info)

    def deleted(self, webhook: Doc, reason: str) -> None:
        """WEBHOOK.DELETED, to the webhook that is no more."""
        if "WEBHOOK.DELETED" in webhook["triggers"]:
            source, info = shown_webhook(webhook), {"reason": reason}
            self._queue("WEBHOOK.DELETED", webhook, source, None, info)

    def _queue(
        self,
        trigger: str,
        webhook: Doc,
        source: Doc,
        actor: Doc | None,
        info: Mapping[str, Any] | None,
    ) -> None:
        fault = self._stage.webhook_fault(trigger)
        if fault is not None and fault.kind == "lost":
            return
        now = self._stage.clock.now()
        event: Doc = {
            "type": "webhook_event",
            "id": str(uuid.uuid4()),
            "created_at": stamp(now),
            "trigger": trigger,
            "webhook": {"id": webhook["id"], "type": "webhook"},
            "created_by": actor,
            "source": source,
            # PHP writes an empty map as an array.
            "additional_info": dict(info) if info else [],
        }
        held = timedelta(seconds=fault.delay_s if fault and fault.kind == "reorder" else 0)
        copies = fault.times if fault and fault.kind == "duplicate" else 1
        for _ in range(copies):
            self.wait(
                {
                    "id": str(self._state.number(DELIVERY)),
                    "event": event["id"],
                    "trigger": trigger,
                    "webhook": webhook["id"],
                    "app": webhook["app"],
                    "address": webhook["address"],
                    "body": php_json(event),
                    "tries": 0,
                    "statuses": [],
                },
                after_s=held.total_seconds(),
            )

    def wait(self, delivery: Doc, *, after_s: float) -> None:
        """Keeps a delivery until it is due."""
        due = to_micros(self._stage.clock.now() + timedelta(seconds=after_s))
        name = f"{WAITING}{due:020d}"
        self._state.put(DELIVERY, delivery["id"], delivery, owner=delivery["webhook"], name=name)


def shown_webhook(webhook: Doc) -> Doc:
    """A webhook's mini: all that a list shows."""
    return {"type": "webhook", "id": webhook["id"], "target": webhook["target"]}


def php_json(value: Any) -> str:
    r"""JSON in ASCII, with \uXXXX for what is beyond and `\/` for a slash, as Box sends it."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")
