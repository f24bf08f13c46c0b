"""Workers that die on demand: forked out of one process, each a real `inkwire worker`."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

VARIANT = Path(__file__).with_name("order_variant.py")
PATIENCE_S = 120.0


class Nursery:
    """Forks workers out of a process that has imported all, and knows how each ended."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(VARIANT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._begun: queue.Queue[int] = queue.Queue()
        self._ended: dict[int, int] = {}
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            said = json.loads(line)
            if said["state"] == "ready":
                self._ended.pop(said["pid"], None)  # ids of processes come again
                self._begun.put(said["pid"])
            elif said["state"] == "ended":
                self._ended[said["child"]] = said["code"]

    def worker(self, wish: dict[str, Any]) -> int:
        """The process id of a worker that is ready."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(wish).encode() + b"\n")
        self._process.stdin.flush()
        return self._begun.get(timeout=PATIENCE_S)

    def code(self, pid: int) -> int | None:
        """How it ended, negative for a signal; None while it lives."""
        return self._ended.get(pid)

    def end(self, pid: int, number: int = signal.SIGKILL) -> int:
        """Ends a worker, if it lives; its code."""
        with contextlib.suppress(ProcessLookupError):
            if pid not in self._ended:
                os.kill(pid, number)
        until(lambda: pid in self._ended, "the end of a worker")
        return self._ended[pid]

    def close(self) -> None:
        """Ends all."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._listener.join()
        self._process.stdout.close()


def until(true: Any, what: str, seconds: float = PATIENCE_S) -> Any:
    """What `true` gives as soon as that is so."""
    ends = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < ends, f"{what} did not come within {seconds:g} s"
        time.sleep(0.01)
    return found
