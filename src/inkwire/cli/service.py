"""What `serve`, `web` and `worker` do. Standard library only up to where a process needs more."""

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from inkwire import __version__
from inkwire.cli.supervisor import Child, ChildEnded, Supervisor, python_command
from inkwire.lean import without

if TYPE_CHECKING:
    from inkwire.config import Settings

#: From arguments to a command line that runs this installation.
Command = Callable[..., list[str]]
#: Text, made to stand out by a name of `_LOOKS` where that can be seen.
Paint = Callable[[str, str], str]

#: Terminal codes (ECMA-48).
_LOOKS = {"bold": "1", "error": "31", "warning": "33"}


def serve(
    *,
    data_dir: Path | None = None,
    debug: bool = False,
    host: str | None = None,
    port: int | None = None,
    ready_file: Path | None = None,
    ready_fd: int | None = None,
    lifeline: bool = False,
) -> int:
    """Runs the whole hub until told to stop; the exit code."""
    return _Service(
        _environment(data_dir, host, port),
        run=partial(python_command, *(["--debug"] if debug else [])),
        ready_file=ready_file,
        ready_fd=ready_fd,
        lifeline=lifeline,
    ).run()


def web(
    *,
    data_dir: Path | None = None,
    debug: bool = False,  # noqa: ARG001 # whoever calls this shows the traceback
    host: str | None = None,
    port: int | None = None,
    ready_fd: int | None = None,
    lifeline: bool = False,
    number: int | None = None,
    join: bool = False,
) -> int:
    """Runs one web process until told to stop. Raises ConfigError, StoreOutdated.

    `number`: which of several it is that `serve` runs on one address; `join`: not the first there.
    """
    _load_lean()
    from inkwire.cli.answering import run_web
    from inkwire.cli.processes import sayer, told_to_begin
    from inkwire.ingest.tallies import Share

    if lifeline and not told_to_begin():
        return 0
    settings = _settings(data_dir=data_dir, host=host, port=port)
    several = number is not None and settings.web_processes > 1
    share = Share(number=number or 1, joins=join) if several else None
    run_web(settings, lifeline=lifeline, say=sayer(ready_fd), share=share)
    return 0


def worker(
    *,
    data_dir: Path | None = None,
    debug: bool = False,  # noqa: ARG001 # whoever calls this shows the traceback
    ready_fd: int | None = None,
    lifeline: bool = False,
    prepare: bool = False,
) -> int:
    """Runs one worker process until told to stop. Raises ConfigError, StoreOutdated.

    `prepare`: first makes the store ready for `serve`, and tells it what to print.
    """
    _load_lean()
    settings = _settings(data_dir=data_dir)
    from inkwire.cli.processes import run_worker, sayer

    say = sayer(ready_fd)
    if prepare:
        from inkwire.cli.preparing import prepared

        say(prepared=prepared(settings))
    run_worker(settings, lifeline=lifeline, say=say)
    return 0


def _load_lean() -> None:
    """Begins the loading of a process that stays; `processes.settle` ends it.

    Nothing that is imported becomes garbage, so nobody looks for it meanwhile. structlog would
    load Rich because it is there: 4 MB, to colour tracebacks that our log shows plain.
    """
    gc.disable()
    with without("rich"):
        import structlog  # noqa: F401


def _settings(**overrides: object) -> "Settings":
    """The settings of a process that stays, and the log as they say."""
    from inkwire.config import load_settings

    settings = load_settings(**overrides)
    from inkwire.logs import set_up_logging

    set_up_logging(level=settings.log_level, style=settings.log_format)
    return settings


def _environment(data_dir: Path | None, host: str | None, port: int | None) -> dict[str, str]:
    """This process's environment with what the command line says."""
    given = {
        "INKWIRE_DATA_DIR": None if data_dir is None else str(data_dir),
        "INKWIRE_HOST": host,
        "INKWIRE_PORT": None if port is None else str(port),
    }
    return dict(os.environ) | {key: value for key, value in given.items() if value is not None}


class _Service:
    """One `inkwire serve`: its children, and what it tells about them."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        run: Command,
        ready_file: Path | None,
        ready_fd: int | None,
        lifeline: bool,
    ) -> None:
        self._run = run
        self._ready_file, self._ready_fd = ready_file, ready_fd
        self._facts: Mapping[str, Any] = {}
        #: Whether the first sign-in was shown, if there is one.
        self._told = False
        self._port: int | None = None
        self._web = Child(name="web", command=partial(self._web_command, 1))
        #: Further web processes on the same address, if the settings want any.
        self._more: list[Child] = []
        self._worker = Child(name="worker", command=self._worker_command)
        self._supervisor = Supervisor(
            [self._web, self._worker],
            report=self._report,
            on_ready=self._announce,
            environment=environment,
            lifeline=lifeline,
        )

    def run(self) -> int:
        # The web process takes longest to load; it does so while the worker, which has the same
        # libraries to load anyway, makes the store ready.
        self._supervisor.warm_up(self._web)
        self._supervisor.warm_up(self._worker)
        # Until the supervisor listens itself.
        signal.signal(signal.SIGTERM, _end_early)
        try:
            self._facts = self._supervisor.first_word(self._worker)["prepared"]
        except ChildEnded as ended:  # it has said why
            self._supervisor.let_go(self._web)
            return ended.code if ended.code > 0 else 1
        except BaseException:
            self._supervisor.let_go(self._web)
            self._supervisor.let_go(self._worker)
            with suppress(ChildEnded):  # it may have made the first user, and said so as it ended
                self._facts = self._supervisor.first_word(self._worker)["prepared"]
            self._tell_sign_in()
            raise
        try:
            for number in range(2, int(self._facts["web_processes"]) + 1):
                command = partial(self._web_command, number)
                self._more.append(Child(name=f"web-{number}", command=command, after=self._web))
            self._supervisor.add(self._more)
            return self._supervisor.run(grace_s=float(self._facts["grace_s"]))
        finally:
            self._tell_sign_in()

    def _web_command(self, number: int, ready: int) -> Sequence[str]:
        # With port 0 the first start finds a port; the others, and a restart, must keep it.
        if self._port is None and self._web.said:
            self._port = int(self._web.said["port"])
        port = () if self._port is None else ("--port", str(self._port))
        join = ("--join",) if port and self._more else ()
        place = ("--number", str(number), *join)
        return self._run("web", *port, *place, "--lifeline", "--ready-fd", str(ready))

    def _worker_command(self, ready: int) -> Sequence[str]:
        prepare = () if self._facts else ("--prepare",)
        return self._run("worker", "--lifeline", "--ready-fd", str(ready), *prepare)

    def _report(self, event: str, *, level: str = "info", **facts: object) -> None:
        """A line in the log's form, without the libraries behind it."""
        if self._facts["log_json"]:
            at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            line = {**facts, "event": event, "level": level, "timestamp": at}
            _tell(sys.stderr, json.dumps(line, ensure_ascii=False))
            return
        said = " ".join(f"{key}={value}" for key, value in facts.items())
        _tell(sys.stderr, painter(sys.stderr)(level, f"{level:8} {event}  {said}"))

    def _tell_sign_in(self) -> None:
        """The first user is there though we end before all is ready: nobody else tells of it."""
        sign_in = self._facts.get("sign_in")
        if sign_in and not self._told:
            self._told = True
            first = "Inkwire ended before it was ready. Its first user is there already:"
            row = f"  Sign in   {sign_in['name']} / {sign_in['password']}"
            _tell(sys.stdout, "\n".join([first, "", row, "", _only_once(sign_in), ""]))

    def _announce(self) -> None:
        self._port = int(self._web.said["port"])
        host = reached_at(str(self._web.said["host"]))
        local = f"http://{f'[{host}]' if ':' in host else host}:{self._port}"
        base = self._facts["public_url"] or local
        ready = {
            "pid": os.getpid(),
            "url": local,
            "console": f"{base}/console/",
            "ingest": f"{base}/in/{{source}}",
            "web_pid": self._web.pid,
            "web_pids": [child.pid for child in (self._web, *self._more)],
            "worker_pid": self._worker.pid,
        }
        waits = self._worker.said.get("state") == "waiting"
        block = start_block(self._facts, base, waits=waits, paint=painter(sys.stdout))
        _tell(sys.stdout, "\n".join(block))
        self._told = True
        text = json.dumps(ready) + "\n"
        if self._ready_file is not None:
            part = self._ready_file.with_name(self._ready_file.name + ".part")
            part.write_text(text, encoding="utf-8")
            part.replace(self._ready_file)
        if self._ready_fd is not None:
            os.write(self._ready_fd, text.encode())


def _end_early(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # `timeout` sends it twice in a moment
    sys.exit(128 + number)


def _tell(stream: TextIO, text: str) -> None:
    stream.write(text + "\n")
    stream.flush()


def reached_at(host: str) -> str:
    """An address that reaches a process on this machine which listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 # compared, not bound


def painter(stream: TextIO) -> Paint:
    """What makes text stand out on a terminal, and leaves it as it is elsewhere."""
    if not stream.isatty():
        return lambda _, text: text
    return lambda look, text: f"\x1b[{_LOOKS[look]}m{text}\x1b[0m" if look in _LOOKS else text


def _only_once(sign_in: Mapping[str, Any]) -> str:
    return (
        "  This password is shown only this once. Change it in the console or with "
        f"`inkwire users password {sign_in['name']}`."
    )


def start_block(facts: Mapping[str, Any], base: str, *, waits: bool, paint: Paint) -> list[str]:
    """The lines that greet an operator: addresses, sign-in, store, and what is worth a warning.

    `base`: where this hub is reached; `waits`: another worker runs on this store.
    """
    sign_in = facts["sign_in"]
    rows = [
        ("Console", f"{base}/console/"),
        *([("Sign in", f"{sign_in['name']} / {sign_in['password']}")] if sign_in else []),
        ("Webhooks", f"{base}/in/{{source}}"),
        ("Store", facts["store"]),
        ("Data", facts["data_dir"]),
        ("Sources", facts["sources"]),
    ]
    lines = [paint("bold", f"Inkwire {__version__} is ready."), ""]
    lines += [f"  {label:9} {value}" for label, value in rows]
    warnings = list(facts["warnings"])
    if sign_in:
        lines += ["", _only_once(sign_in)]
    if waits:
        warnings.append("Another worker runs on this data folder; ours waits until it ends.")
    if warnings:
        lines += ["", *(paint("warning", f"  ! {text}") for text in warnings)]
    return [*lines, ""]
