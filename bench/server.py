"""The web process under test: `inkwire web` itself, or with one part exchanged.

`full` is the product. `control` answers as soon as the request is verified, parsed and encrypted:
only the commit is replaced by an immediate yes. `slow-commit` adds 5 ms to each transaction.
"""

import asyncio
import os
import sys
import time

from inkwire.cli import main as inkwire
from inkwire.ingest import endpoint
from inkwire.ingest.group_commit import GroupCommit
from inkwire.model.receipt import Stored


class ImmediateYes:
    """The control: nothing is stored."""

    def __init__(self, *_, **__):
        pass

    def start(self):
        self.loop = asyncio.get_running_loop()

    def put(self, sealed):
        future = self.loop.create_future()
        intake = sealed.intake
        states = tuple([event.state for event in intake.events])
        future.set_result(Stored(receipt_id=intake.receipt_id, states=states))
        return future

    async def stop(self, *, grace_s):
        pass


class SlowInbound:
    """Each transaction takes 5 ms more, as on a slow disk."""

    def __init__(self, inbound):
        self.inbound = inbound

    def append(self, batch):
        outcomes = self.inbound.append(batch)
        time.sleep(0.005)
        return outcomes


class SlowCommit(GroupCommit):
    """Group commit over a slow disk."""

    def __init__(self, inbound, **settings):
        super().__init__(SlowInbound(inbound), **settings)


VARIANTS = {"full": GroupCommit, "control": ImmediateYes, "slow-commit": SlowCommit}


def main():
    """`inkwire web` with the variant in place; what follows the variant's name goes to it."""
    endpoint.GroupCommit = VARIANTS[sys.argv[1]]
    if core := os.environ.get("BENCH_SERVER_CORE"):
        os.sched_setaffinity(0, {int(core)})
    sys.argv[1:2] = ["web"]
    inkwire()


if __name__ == "__main__":
    main()
