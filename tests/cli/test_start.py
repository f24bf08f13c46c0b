"""`inkwire` itself: fast to start, clear when something is wrong."""

import re
import subprocess
import sys

import pytest
import typer.main

from cli.kit import INKWIRE
from inkwire import __version__
from inkwire.cli.root import app
from inkwire.cli.shell import Options

#: What a command must load on use only: each costs more than the whole start may take.
HEAVY = ("fastapi", "sqlalchemy", "aiohttp", "uvicorn", "pydantic", "structlog", "asyncio",
         "cryptography", "alembic", "jinja2")  # fmt: skip


def _commands():
    def walk(command, path):
        below = getattr(command, "commands", None)
        if below is None:
            yield path
            return
        for name, child in below.items():
            yield from walk(child, (*path, name))

    return list(walk(typer.main.get_command(app), ()))


def test_help_loads_nothing_heavy():
    """`inkwire --help` takes under 0.3 s because nothing heavy is imported for it."""
    script = (
        "import sys; sys.argv = ['inkwire', '--help']\n"
        "from inkwire.cli import main\n"
        "try: main()\n"
        f"except SystemExit: print('LOADED', [n for n in {HEAVY!r} if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "LOADED []" in done.stdout, done.stdout[-300:] + done.stderr


def test_the_supervisor_stays_small():
    """The process that watches the others must not hold a second copy of what they load."""
    script = (
        "import sys, inkwire.cli.root, inkwire.cli.serve, inkwire.cli.supervisor\n"
        f"print([n for n in {HEAVY!r} if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("path", _commands(), ids=" ".join)
def test_every_command_explains_itself(path, no_store):
    """Each command's help says what it does and shows an example."""
    help_text = no_store(*path, "--help").output
    assert "Usage" in help_text
    if path not in {("version",), ("prepare",)}:
        assert f"$ inkwire {' '.join(path)}" in re.sub(r"\s+", " ", help_text.replace("│", " "))


def test_version(no_store):
    """The version is there as a command and as an option."""
    assert no_store("version").stdout.strip() == __version__
    assert __version__ in no_store("--version").stdout


def test_python_m_inkwire():
    """`python -m inkwire` is the same program."""
    done = subprocess.run([*INKWIRE, "version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


def test_an_unknown_command_is_a_usage_error(no_store):
    """A typing mistake ends with 2 and a hint, not with a traceback."""
    assert "No such command" in no_store("sorces", code=2).output


def test_no_store_yet(no_store):
    """Without a store a command says what makes one, on stderr, and creates nothing."""
    result = no_store("sources", "list", code=2)
    assert "inkwire serve" in result.stderr
    assert result.stdout == ""
    assert not no_store.folder.exists()


def test_wrong_settings_are_named(cli):
    """A wrong environment variable is named by its name; no traceback."""
    cli.environment["INKWIRE_MAX_BODY_BYTES"] = "many"
    result = cli("sources", "list", code=2)
    assert "INKWIRE_MAX_BODY_BYTES" in result.stderr
    assert "Traceback" not in result.output


def test_a_defect_is_told_without_a_traceback(cli):
    """What nobody foresaw is one line and a way to report it; --debug shows where."""
    (cli.folder / "inkwire.db").write_bytes(b"this is no database" * 100)
    result = cli("sources", "list", code=1)
    assert "Traceback" not in result.output
    assert result.stderr.strip()


def test_debug_keeps_the_error(cli):
    """With --debug the error itself comes out, for whoever has to find the cause."""
    result = cli("--debug", "sources", "show", "nowhere", code=1)
    assert type(result.exception).__name__ == "NotFound"
    assert Options(debug=True).debug


def test_data_dir_option_beats_the_environment(cli, tmp_path):
    """`--data-dir` names the store, whatever INKWIRE_DATA_DIR says."""
    other = tmp_path / "other"
    result = cli("--data-dir", str(other), "sources", "list", code=2)
    assert str(other) in result.stderr
