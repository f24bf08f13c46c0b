"""The command line as tests call it, on a real SQLite store; and a real `inkwire serve`."""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from typer.testing import CliRunner, Result

from inkwire.cli.root import app

INKWIRE = [sys.executable, "-m", "inkwire"]
#: A key of the length that every provider allows.
KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Cli:
    """Calls `inkwire` in this process, on one data folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: str, stdin: bytes | str | None = None, code: int | None = 0
    ) -> Result:
        """Runs a command and checks its exit code; None: any will do."""
        settings = {name: None for name in os.environ if name.startswith("INKWIRE_")}
        result = CliRunner().invoke(
            app, list(arguments), input=stdin, env={**settings, **self._settings()}
        )
        assert code in (None, result.exit_code), (
            f"{arguments}: {result.output}\n{result.exception!r}"
        )
        return result

    def _settings(self) -> dict[str, str]:
        return {
            "INKWIRE_DATA_DIR": str(self.folder),
            "INKWIRE_CONFIG_FILE": str(self.folder / "inkwire.toml"),
            **self.environment,
        }

    def start(self, *arguments: str) -> subprocess.Popen:
        """The same as a process of its own."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("INKWIRE_")}
        return subprocess.Popen(
            [*INKWIRE, *arguments],
            env=clean | self._settings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, *arguments: str, stdin: bytes | str | None = None, code: int | None = 0):
        """Runs a command with --json and reads what it prints."""
        return json.loads(self(*arguments, "--json", stdin=stdin, code=code).stdout)


@dataclass
class Served:
    """A running `inkwire serve`."""

    process: subprocess.Popen
    ready: dict
    folder: Path

    @property
    def url(self) -> str:
        return self.ready["url"]

    @property
    def cli(self) -> Cli:
        """The command line on the same store."""
        port = self.url.rpartition(":")[2]
        return Cli(self.folder, {"INKWIRE_PORT": port})

    def stop(self, how: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Ends it; exit code, stdout, stderr."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def start(folder: Path, *options: str, **environment: str) -> tuple[subprocess.Popen, int]:
    """Starts `inkwire serve` on a free port; the process and its ready pipe."""
    reading, writing = os.pipe()
    clean = {k: v for k, v in os.environ.items() if not k.startswith("INKWIRE_")}
    process = subprocess.Popen(
        [*INKWIRE, "serve", "--ready-fd", str(writing), *options],
        pass_fds=(writing,),
        env=clean
        | {
            "INKWIRE_DATA_DIR": str(folder),
            "INKWIRE_CONFIG_FILE": str(folder / "inkwire.toml"),
            "INKWIRE_PORT": "0",
            "INKWIRE_SHUTDOWN_GRACE_S": "5",
        }
        | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    return process, reading


def line_of(fd: int, *, within_s: float = 60) -> str:
    """What can be read from a pipe, once there is something; empty at its end."""
    assert select.select([fd], [], [], within_s)[0], "nothing was said in time"
    return os.read(fd, 65536).decode()


def serve(folder: Path, *options: str, **environment: str) -> Served:
    """A running `inkwire serve`, ready."""
    process, reading = start(folder, *options, **environment)
    try:
        said = line_of(reading)
    finally:
        os.close(reading)
    if not said:
        out, err = process.communicate(timeout=30)
        raise AssertionError(f"serve ended with {process.returncode}\n{out}\n{err}")
    return Served(process=process, ready=json.loads(said), folder=folder)


def eventually(true, *, within_s: float = 60, what: str = "it"):
    """Waits until `true()` gives something; polls, because other processes decide when."""
    pause = threading.Event()
    for _ in range(int(within_s / 0.05)):
        found = true()
        if found:
            return found
        pause.wait(0.05)
    raise AssertionError(f"{what} did not come true within {within_s} s")


def gone(pid: int) -> bool:
    """Whether a process is no longer there (or only waits to be reaped)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"
