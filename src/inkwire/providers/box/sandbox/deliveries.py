"""Sends what webhooks are to hear: really signed, and repeated as Box does."""

import asyncio
import uuid
from functools import partial

from inkwire.moments import to_micros
from inkwire.providers.box.receive import BoxReceiver
from inkwire.providers.box.sandbox.apps import Apps, signature_keys
from inkwire.providers.box.sandbox.events import DELIVERY, SETTLED, WAITING, WEBHOOK, Events
from inkwire.providers.sandboxing import Doc, Stage

_RECEIVER = BoxReceiver()
_IN_FLIGHT = 64


class Deliveries:
    """Takes deliveries that are due and tries them."""

    def __init__(self, stage: Stage, apps: Apps, events: Events) -> None:
        """`stage`: clock, state and sender; `apps`: whose keys sign; `events`: where they wait."""
        self._stage = stage
        self._state = stage.state
        self._apps = apps
        self._events = events
        self._going: dict[str, asyncio.Task[None]] = {}

    async def tick(self) -> None:
        """Starts what is due; waits for nothing."""
        now = to_micros(self._stage.clock.now())
        room = _IN_FLIGHT - len(self._going)
        if room <= 0:
            return
        due = self._state.find(DELIVERY, up_to=f"{WAITING}{now:020d}", limit=room + _IN_FLIGHT)
        for _, delivery in due:
            if len(self._going) < _IN_FLIGHT and delivery["id"] not in self._going:
                task = asyncio.create_task(self._try(delivery))
                self._going[delivery["id"]] = task
                task.add_done_callback(partial(self._done, delivery["id"]))

    def _done(self, delivery_id: str, task: asyncio.Task[None]) -> None:
        # After a defect, which shows in the log, it waits a while before the next try.
        later_s = 0 if task.exception() is None else 1
        asyncio.get_running_loop().call_later(later_s, self._going.pop, delivery_id, None)
        task.result()

    async def _try(self, delivery: Doc) -> None:
        """One attempt: a new BOX-DELIVERY-ID, the same body."""
        webhook = self._state.get(WEBHOOK, delivery["webhook"])
        app = self._apps.get(delivery["app"])
        gone = webhook is None and delivery["trigger"] != "WEBHOOK.DELETED"
        if app is None or gone:
            self._settle(delivery, "the webhook is no more")
            return
        request = _RECEIVER.sign(
            delivery["body"].encode("ascii"),
            signature_keys(app),
            {},
            self._stage.clock.wall(),
            event_type=f"box.{delivery['trigger']}",
            delivery_id=str(uuid.uuid4()),
        )
        status = await self._stage.post(
            webhook["address"] if webhook else delivery["address"],
            headers=request.headers,
            body=request.body,
            timeout_s=_RECEIVER.retries.timeout_s,
        )
        delivery["tries"] += 1
        delivery["statuses"].append(status)
        if status is not None and 200 <= status <= 299:
            self._settle(delivery, "delivered")
        elif delivery["tries"] > len(_RECEIVER.retries.delays_s):
            self._settle(delivery, "given up")
        else:
            self._events.wait(delivery, after_s=_RECEIVER.retries.delays_s[delivery["tries"] - 1])

    def _settle(self, delivery: Doc, outcome: str) -> None:
        delivery["outcome"] = outcome
        owner = delivery["webhook"]
        self._state.put(DELIVERY, delivery["id"], delivery, owner=owner, name=SETTLED)
