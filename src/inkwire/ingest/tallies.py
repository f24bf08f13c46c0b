"""What the web processes of one `serve` have counted together.

Whoever asks for `/metrics` reaches any one of them, and wants the sum. So each writes its counts
into a file of its own once a second and when asked, and adds the files of the others.
"""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Lock
from typing import Any

from inkwire.ingest.metrics import Metrics
from inkwire.model.verdict import Reason

#: Seconds between two writings: how old the counts of the others are at most.
EVERY_S = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What a web process knows about being one of several on one address."""

    #: Which of them it is, from 1.
    number: int
    #: Whether others listen there already, or did: all but the first one at the first start.
    joins: bool


class Tallies:
    """The counts of one of several web processes, shared through a folder."""

    def __init__(self, folder: Path, own: Metrics, share: Share) -> None:
        """The first one of all empties the folder.

        One that takes a dead one's place goes on from what that had written: no count falls.
        """
        self._folder, self._own, self._number = folder, own, share.number
        self._turn = Lock()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not share.joins:
            for path in folder.glob("*.json"):
                path.unlink(missing_ok=True)
        self._before = _read(self._path)

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._number}.json"

    def total(self) -> Metrics:
        """The counts of all of them: those of the others as of a second ago at most.

        What is told is written first, so that no answer of another process is less.
        """
        total = self.write()
        for path in self._folder.glob("*.json"):
            if path != self._path:
                total.add(_read(path))
        return total

    def write(self) -> Metrics:
        """Lets the others know; what. A disk that is full delays it, and no more."""
        part = self._path.with_suffix(".part")
        with self._turn:  # an older count must not come last, nor two into one file
            mine = self._mine()
            with suppress(OSError):
                part.write_text(json.dumps(_plain(mine)), encoding="utf-8")
                part.replace(self._path)
        return mine

    async def run(self) -> None:
        """Writes once a second until it is cancelled."""
        while True:
            await asyncio.to_thread(self.write)
            await asyncio.sleep(EVERY_S)

    def _mine(self) -> Metrics:
        mine = Metrics()
        mine.add(self._before)
        mine.add(self._own)
        return mine


def _plain(counts: Metrics) -> dict[str, Any]:
    return {one.name: getattr(counts, one.name) for one in fields(counts)}


def _read(path: Path) -> Metrics:
    """What a process has written; nothing if it has not, or if the file is not ours."""
    try:
        told = json.loads(path.read_bytes())
        refused = {Reason(key): count for key, count in told["refused"].items()}
        sizes = {int(key): count for key, count in told["batch_sizes"].items()}
        found = Metrics()
        found.add(Metrics(**{**told, "refused": Counter(refused), "batch_sizes": Counter(sizes)}))
        return found
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Metrics()
