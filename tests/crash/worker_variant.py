"""`inkwire worker` with one safeguard off: what a crash test of deliveries must be able to see.

`python worker_variant.py careless …` records a delivery as delivered before it is sent. `hasty`
has every safeguard, but leases of 2 s, so that a test need not wait for those of a killed worker.
"""

import asyncio
import sys

from inkwire.cli import main
from inkwire.delivery import sender
from inkwire.delivery.profiles import signed
from inkwire.model.message import AttemptResult, Exchange


class HastySender(sender.Sender):
    """Short leases; the sink of the tests answers in milliseconds."""

    def __init__(self, **parts):
        super().__init__(**parts, lease_s=2.0)

    def _too_late(self, claim, timeout_s):
        return super()._too_late(claim, -sender.SLACK_S + 0.5)


class CarelessSender(HastySender):
    """Says that it is delivered, and sends it after that, as a slower network would."""

    async def _send(self, claim):
        now = self._clock.now()
        fine = Exchange(result=AttemptResult.OK, status=200, started_at=now, duration_s=0.0)
        self._recorder.add(self._completion(claim, fine))
        await asyncio.sleep(0.5)
        request = signed(claim, now)
        await self._post(
            request.url,
            headers=request.headers,
            body=request.body,
            timeout_s=5,
            connect_timeout_s=5,
        )
        self._held_bytes -= len(claim.body)


VARIANTS = {"careless": CarelessSender, "hasty": HastySender}


if __name__ == "__main__":
    import inkwire.worker

    inkwire.worker.Sender = VARIANTS[sys.argv[1]]
    sys.argv[1:2] = ["worker"]
    main()
