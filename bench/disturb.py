"""What else happens to the store while it is measured, each as a process of its own.

`python -m bench.disturb writer`: 50 transactions a second that hand events on, as a worker does.
`python -m bench.disturb backup`: an online backup in steps, again and again (SQLite).
"""

import argparse
import contextlib
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

from inkwire.clock import SystemClock
from inkwire.config import load_settings
from inkwire.ids import SortableIds
from inkwire.store.contract import Dispatched
from inkwire.store.open import open_store

WRITES_PER_SECOND = 50
PAGES, PAUSE_S = 256, 0.01


def writer(ready):
    """Takes waiting events in 50 transactions a second, up to 100 each."""
    clock = SystemClock()
    store = open_store(load_settings(), clock=clock, ids=SortableIds(clock))

    def work(waiting):
        return [Dispatched(event_id=item.event.id) for item in waiting]

    ready()
    due = time.monotonic()
    while True:
        store.dispatch.take(100, work)
        due += 1 / WRITES_PER_SECOND
        time.sleep(max(0.0, due - time.monotonic()))


def backup(ready):
    """Copies the file within one snapshot, so that writers do not send it back to the start."""
    folder = load_settings().data_dir
    copy = Path(folder) / "bench-backup.db"
    ready()
    while True:
        with (
            contextlib.closing(
                sqlite3.connect(folder / "inkwire.db", isolation_level=None)
            ) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM receipts LIMIT 1").fetchone()
            source.backup(target, pages=PAGES, sleep=PAUSE_S)
        copy.unlink()
        time.sleep(PAUSE_S)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["writer", "backup"])
    parser.add_argument("--ready-fd", type=int, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    {"writer": writer, "backup": backup}[options.what](lambda: os.write(options.ready_fd, b"{}\n"))


if __name__ == "__main__":
    main()
