"""Keeps child processes alive, and ends them together. Standard library only: it stays small.

A child's standard input is its lifeline. One byte tells it to begin: until then it loads what it
needs, and touches nothing. Its end tells it to stop in good order, and it ends however this process
does, kill -9 included. On a second pipe the child says that it is ready.
"""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Seconds before the first restart; doubled each time up to the last figure.
FIRST_DELAY_S, LAST_DELAY_S = 0.2, 30.0
#: A child that lived this many seconds counts as healthy again.
HEALTHY_S = 30.0
#: This many deaths in a row before it was ever ready, and we give up.
GIVE_UP_AFTER = 5
#: Exit code of a child whose configuration is wrong: starting it again cannot help.
EXIT_CONFIG = 2
#: Signals that come within this many seconds of the first say the same thing once more.
ONE_WISH_S = 1.0
#: Seconds beyond the grace period that a child gets to say why it needs longer.
MARGIN_S = 2.0

Report = Callable[..., None]


class ChildEnded(Exception):  # not what went wrong: the child has said that
    """A child ended before it said its first word. `code`: of its end, negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(kw_only=True, slots=True)
class Child:
    """One supervised process. `command` gives its arguments anew at each start."""

    name: str
    #: From the ready pipe's file descriptor to the whole command line.
    command: Callable[[int], Sequence[str]]
    #: It is first started when that one is ready.
    after: "Child | None" = None
    process: subprocess.Popen[bytes] | None = None
    ready_fd: int = -1
    #: What it said about itself when it became ready; empty before, and while it is dead.
    said: Mapping[str, Any] = field(default_factory=dict)
    ever_ready: bool = False
    started_at: float = 0.0
    deaths: int = 0
    start_again_at: float | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self.process.pid if self.process else None


class Supervisor:
    """Runs children until it is told to stop, or until one of them cannot be started."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        report: Report,
        on_ready: Callable[[], None],
        environment: Mapping[str, str] | None = None,
        lifeline: bool = False,
        first_delay_s: float = FIRST_DELAY_S,
    ) -> None:
        """`report(event, **facts)` tells the log. `on_ready` is called once, when all are ready.

        `lifeline`: the end of our own standard input means stop, as it does for the children.
        """
        self._children = list(children)
        self._grace_s, self._first_delay_s = 0.0, first_delay_s
        self._report = report
        self._on_ready = on_ready
        self._environment = environment
        self._all_ready = False
        #: Signals not yet looked at (None: the lifeline), and when each came (monotonic seconds).
        self._asked_to_stop: list[tuple[int | None, float]] = []
        self._first_asked: tuple[int | None, float] | None = None
        self._impatient = False
        self._stop_by: float | None = None
        self._exit_code = 0
        self._selector = selectors.DefaultSelector()
        if lifeline:
            self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self._cut)

    def add(self, children: Sequence[Child]) -> None:
        """Adds children before `run`."""
        self._children += children

    def warm_up(self, child: Child) -> None:
        """Starts a child that may load its libraries, and begins with the others in `run`."""
        self._start(child)

    def first_word(self, child: Child) -> Mapping[str, Any]:
        """Waits for what a child that was warmed up says before it is told to begin.

        Raises ChildEnded if it ended instead.
        """
        text = b""
        while not text.endswith(b"\n"):
            more = b""
            with contextlib.suppress(BlockingIOError):
                more = os.read(child.ready_fd, 65536)
            if not more and child.process:
                raise ChildEnded(child.process.wait())
            text += more
        word: Mapping[str, Any] = json.loads(text)
        return word

    def let_go(self, child: Child) -> None:
        """Ends a child that was warmed up and never told to begin.

        `first_word` then gives what it had said, and waits for no process of its own.
        """
        if child.process and child.process.stdin:
            child.process.terminate()
            child.process.stdin.close()
            child.process.wait()
            os.set_blocking(child.ready_fd, False)

    def run(self, *, grace_s: float) -> int:
        """Starts the children and stays; returns the exit code for this process.

        `grace_s`: seconds that a child gets to finish what it has in hand.
        """
        self._grace_s = grace_s
        self._listen_to_signals()
        for child in self._children:
            if child.after is None:
                self._start_whole(child)
        while not self._over():
            for key, _ in self._selector.select(self._until_next()):
                key.data()
            self._obey()
            self._reap()
            self._restart_due()
            self._enforce_deadline()
        return self._exit_code

    def stop(self) -> None:
        """Asks every child to finish; a second call changes nothing."""
        if self._stop_by is not None:
            return
        self._stop_by = time.monotonic() + self._grace_s + MARGIN_S
        for child in self._children:
            child.start_again_at = None
            if child.process:
                child.process.terminate()

    def _listen_to_signals(self) -> None:
        wake_in, wake_out = os.pipe()
        os.set_blocking(wake_in, False)
        os.set_blocking(wake_out, False)
        signal.set_wakeup_fd(wake_out)
        self._selector.register(wake_in, selectors.EVENT_READ, lambda: _drain(wake_in))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: self._ask_to_stop(number))

    def _cut(self) -> None:
        if not os.read(sys.stdin.fileno(), 512):
            self._selector.unregister(sys.stdin.fileno())
            self._ask_to_stop()

    def _ask_to_stop(self, number: int | None = None) -> None:
        # Only noted here: a handler may run in the middle of a start.
        self._asked_to_stop.append((number, time.monotonic()))

    def _obey(self) -> None:
        while self._asked_to_stop:
            number, at = self._asked_to_stop.pop(0)
            if self._first_asked is None:
                self._first_asked = number, at
                self.stop()
            elif _impatient(self._first_asked, number, at):
                self._impatient = True
                self._stop_by = at

    def _start(self, child: Child) -> None:
        ready, ready_end = os.pipe()
        child.started_at, child.start_again_at, child.said = time.monotonic(), None, {}
        # A group of its own: Ctrl-C in a terminal reaches us alone, and we stop them in order.
        child.process = subprocess.Popen(  # noqa: S603 # our own command line
            list(child.command(ready_end)),
            pass_fds=(ready_end,),
            stdin=subprocess.PIPE,
            bufsize=0,
            env=None if self._environment is None else dict(self._environment),
            process_group=0,
        )
        os.close(ready_end)
        child.ready_fd = ready
        self._selector.register(ready, selectors.EVENT_READ, lambda: self._hear(child))

    def _start_whole(self, child: Child) -> None:
        """Starts it, unless it was warmed up, and tells it to begin."""
        if child.process is None:
            self._start(child)
        self._begin(child)

    def _begin(self, child: Child) -> None:
        if child.process and child.process.stdin:
            with contextlib.suppress(BrokenPipeError):  # it died; the loop will see that
                child.process.stdin.write(b".")

    def _hear(self, child: Child) -> None:
        """Reads what a child says of itself: one JSON object a line, the last one counts."""
        text = os.read(child.ready_fd, 65536)
        if not text:
            self._forget_ready_pipe(child)
            return
        child.said = json.loads(text.splitlines()[-1])
        if not child.ever_ready and self._stop_by is None:
            for other in self._children:
                if other.after is child:
                    self._start_whole(other)
        child.ever_ready = True
        if not self._all_ready and all(other.said for other in self._children):
            self._all_ready = True
            self._on_ready()

    def _forget_ready_pipe(self, child: Child) -> None:
        if child.ready_fd >= 0:
            self._selector.unregister(child.ready_fd)
            os.close(child.ready_fd)
            child.ready_fd = -1

    def _reap(self) -> None:
        for child in self._children:
            if child.process and child.process.poll() is not None:
                code = child.process.returncode
                if child.process.stdin:
                    child.process.stdin.close()
                child.process, child.said = None, {}
                self._forget_ready_pipe(child)
                if self._stop_by is None:
                    self._died(child, code)

    def _died(self, child: Child, code: int) -> None:
        lived = time.monotonic() - child.started_at
        child.deaths = 1 if lived >= HEALTHY_S else child.deaths + 1
        if not child.ever_ready and (code == EXIT_CONFIG or child.deaths >= GIVE_UP_AFTER):
            self._report(
                "serve.gave_up",
                level="error",
                process=child.name,
                exit_code=code,
                deaths=child.deaths,
                advice=f"`inkwire {child.name}` cannot start; what it logged above says why.",
            )
            self._exit_code = EXIT_CONFIG if code == EXIT_CONFIG else 1
            self.stop()
            return
        delay = restart_delay_s(child.deaths, self._first_delay_s)
        child.start_again_at = time.monotonic() + delay
        self._report(
            "serve.child_died",
            level="warning",
            process=child.name,
            ended_by=_ending(code),
            lived_s=round(lived, 1),
            restart_in_s=round(delay, 1),
        )

    def _restart_due(self) -> None:
        for child in self._children:
            if child.start_again_at is not None and time.monotonic() >= child.start_again_at:
                self._start_whole(child)
                self._report("serve.child_restarted", process=child.name, pid=child.pid)

    def _enforce_deadline(self) -> None:
        if self._stop_by is None or time.monotonic() < self._stop_by:
            return
        for child in self._children:
            if child.process:
                self._report(
                    "serve.child_killed",
                    level="error",
                    process=child.name,
                    pid=child.pid,
                    advice="A second signal came, so it was not waited for."
                    if self._impatient
                    else "It did not stop within the grace period (INKWIRE_SHUTDOWN_GRACE_S).",
                )
                child.process.kill()
                child.process.wait()
                self._exit_code = self._exit_code or 1

    def _until_next(self) -> float | None:
        due = [child.start_again_at for child in self._children if child.start_again_at is not None]
        if self._stop_by is not None:
            due.append(self._stop_by)
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _over(self) -> bool:
        return self._stop_by is not None and not any(child.process for child in self._children)


def restart_delay_s(deaths: int, first_s: float = FIRST_DELAY_S) -> float:
    """Seconds before the restart after so many deaths in a row, at least one."""
    doublings = min(deaths - 1, 32)  # a float has room for 1,023 of them
    return min(first_s * 2.0**doublings, LAST_DELAY_S)


def _drain(fd: int) -> None:
    while True:
        try:
            if not os.read(fd, 512):
                return
        except BlockingIOError:
            return


def _impatient(first: tuple[int | None, float], number: int | None, at: float) -> bool:
    """Whether a further signal means that nobody wants to wait for what is in hand.

    `timeout` sends its SIGTERM twice in a moment, to us and to our group: that is one wish.
    """
    first_number, first_at = first
    twice_ctrl_c = number == first_number == signal.SIGINT
    return number is not None and (twice_ctrl_c or at - first_at > ONE_WISH_S)


def _ending(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def python_command(*arguments: str) -> list[str]:
    """A command line that runs this very installation, whatever lies in the current folder."""
    return [sys.executable, "-P", "-m", "inkwire", *arguments]
