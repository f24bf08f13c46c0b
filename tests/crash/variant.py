"""`inkwire web` with one safeguard off: what a crash test must be able to see.

`python variant.py eager …` answers before the commit; `trusting` takes a failed commit for a good
one. Run as a program by the harness, never imported by the product.
"""

import sys
import time

from inkwire.cli import main
from inkwire.ingest import endpoint
from inkwire.ingest.group_commit import GroupCommit
from inkwire.model.receipt import Stored


def _yes(sealed):
    intake = sealed.intake
    return Stored(
        receipt_id=intake.receipt_id, states=tuple(event.state for event in intake.events)
    )


class EagerCommit(GroupCommit):
    """Says yes at once; the commit follows, after the time that a slower disk would take."""

    def put(self, sealed):
        super().put(sealed)
        told = self._loop.create_future()
        told.set_result(_yes(sealed))
        return told

    def _append(self, rows):
        time.sleep(0.02)
        return super()._append(rows)


class TrustingCommit(GroupCommit):
    """Says yes after the commit, whether it went well or not."""

    def _append(self, rows):
        _, seconds = super()._append(rows)
        return [_yes(sealed) for sealed in rows], seconds


VARIANTS = {"eager": EagerCommit, "trusting": TrustingCommit}


if __name__ == "__main__":
    endpoint.GroupCommit = VARIANTS[sys.argv[1]]
    sys.argv[1:2] = ["web"]
    main()
