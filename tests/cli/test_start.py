"""`inkwire` itself: fast to start, clear when something is wrong."""

import inspect
import os
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer.main

import inkwire.cli
from cli.kit import INKWIRE
from inkwire import __version__
from inkwire.cli import service
from inkwire.cli.contents import CONTENTS, Entry
from inkwire.cli.plain import understood
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


#: What neither process of a hub needs before somebody makes it act: each loads it on use.
ON_USE = ("dbos", "box_sdk_gen", "boxsdk", "pyhanko", "pikepdf", "typst", "alembic", "obstore",
          "psycopg", "sqlalchemy.dialects.postgresql", "markdown_it", "rich", "typer",
          "inkwire.cli.root", "inkwire.sandbox", "inkwire.providers.box.sandbox",
          "inkwire.providers.salesforce.sandbox")  # fmt: skip
#: What one process needs and the other does not.
OTHERS = {
    "inkwire.cli.answering": (*ON_USE, "aiohttp", "inkwire.worker"),
    "inkwire.hub, inkwire.worker, inkwire.cli.processes": (
        *ON_USE, "fastapi", "starlette", "uvicorn", "jinja2", "prometheus_client",
        "inkwire.api", "inkwire.console",
    ),
}  # fmt: skip


def _loaded(code, names):
    """Which of the modules are loaded once a fresh interpreter has run the code."""
    script = f"import sys\n{code}\nprint([n for n in {names!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_supervisor_stays_small():
    """The process that watches the others needs the standard library, and not even Typer."""
    code = "from inkwire.cli.plain import understood; assert understood(['serve'])"
    assert _loaded(code, (*HEAVY, "typer", "rich", "inkwire.cli.root")) == "[]"


@pytest.mark.parametrize("what", OTHERS)
def test_a_process_loads_what_it_needs(what):
    """As `serve` starts it: neither what is loaded on use, nor what the other one needs."""
    code = (
        "import inkwire.cli.plain\n"
        "from inkwire.cli.service import _load_lean; _load_lean()\n"
        f"import {what}\n"
        "from inkwire.providers.registry import registry; registry()\n"
        "from inkwire.integrations.registry import kinds; kinds()"
    )
    assert _loaded(code, OTHERS[what]) == "[]"


def test_a_worker_keeps_nothing_of_the_migration(tmp_path):
    """It migrates a new store before it works, and has not loaded Alembic afterwards."""
    code = (
        "from pathlib import Path\n"
        "from inkwire.cli.preparing import prepared\n"
        "from inkwire.config import load_settings\n"
        f"settings = load_settings(data_dir=Path({str(tmp_path / 'data')!r}))\n"
        "assert prepared(settings)['sign_in']['name'] == 'admin'\n"
        "assert prepared(settings)['sign_in'] is None"
    )
    assert _loaded(code, ("alembic",)) == "[]"


def test_a_package_that_is_kept_out_can_be_loaded_afterwards():
    """It is out of the way only within the block, and one that is loaded already stays."""
    code = (
        "from inkwire.lean import without\n"
        "with without('csv'):\n"
        "    try: import csv\n"
        "    except ImportError: pass\n"
        "    else: raise SystemExit('loaded all the same')\n"
        "import csv\n"
        "with without('csv'):\n"
        "    import csv"
    )
    assert _loaded(code, ("csv",)) == "['csv']"


def test_the_contents_are_what_the_commands_say():
    """`inkwire --help` lists commands that it does not load: no line of it may be behind."""
    commands = typer.main.get_command(app).commands
    said = {
        name: Entry(
            module=CONTENTS[name].module,
            panel=command.rich_help_panel,
            summary=" ".join(inspect.cleandoc(command.help).split("\n\n")[0].split()),
        )
        for name, command in commands.items()
        if not command.hidden and command.name == name
    }
    assert said == CONTENTS


def test_no_command_is_left_out_of_the_contents():
    """What any module of the command line registers can be called, by itself or in a group."""
    known = {name for path in _commands() for name in path}
    for module in pkgutil.iter_modules(inkwire.cli.__path__):
        register = getattr(import_module(f"inkwire.cli.{module.name}"), "register", None)
        if register is not None:
            one = typer.Typer()
            register(one)
            assert set(typer.main.get_group(one).commands) <= known, module.name


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["serve", "--help"],
        ["serve", "--port"],
        ["serve", "--port", "65536"],
        ["serve", "--port", "-1"],
        ["serve", "--port", "80a"],
        ["serve", "--lifeline=yes"],
        ["serve", "extra"],
        ["serve", "--", "--port"],
        ["web", "--ready-file", "x"],
        ["worker", "--port", "1"],
        ["sources", "list"],
        ["--data-dir"],
        ["--version"],
    ],
)
def test_typer_reads_what_is_unusual(arguments):
    """Help, mistakes and all other commands are Typer's: it says what is wrong."""
    assert understood(arguments) is None


def test_the_commands_that_stay_are_read_without_typer():
    """Each option's value in the type that Typer would give; the root's stand before the command."""
    options = ["--host", "0.0.0.0", "--port=9000", "--ready-file", "r.json", "--lifeline"]
    run = understood(["--data-dir", "/srv/x", "--debug", "serve", *options, "--ready-fd", "7"])
    assert run is not None
    assert run.args == (service.serve,)
    assert run.keywords["given"] == {
        "data_dir": Path("/srv/x"),
        "debug": True,
        "host": "0.0.0.0",
        "port": 9000,
        "ready_file": Path("r.json"),
        "ready_fd": 7,
        "lifeline": True,
    }


@pytest.mark.parametrize("name", ["serve", "web", "worker"])
def test_both_ways_of_reading_know_the_same_options(name):
    """An option that Typer shows is understood without it, and does the same thing."""
    command = typer.main.get_command(app).commands[name]
    given = {
        option: [option] if param.is_flag else [option, "1"]
        for param in command.params
        for option in param.opts
        if param.name != "help"
    }
    run = understood([name, *(word for words in given.values() for word in words)])
    assert run is not None
    shown = {option.removeprefix("--").replace("-", "_") for option in given}
    assert set(run.keywords["given"]) == shown | {"debug"}


def test_a_command_that_stays_tells_an_error_as_any_other(tmp_path):
    """Without Typer, too: one line, exit code 2, no traceback; with --debug the traceback."""
    wrong = {**os.environ, "INKWIRE_LOG_LEVEL": "loud", "INKWIRE_DATA_DIR": str(tmp_path)}
    told, shown = (
        subprocess.run(
            [*INKWIRE, *debug, "worker"], env=wrong, capture_output=True, text=True, check=False
        )
        for debug in ([], ["--debug"])
    )
    assert told.returncode == 2
    assert told.stderr.startswith("These settings are wrong: INKWIRE_LOG_LEVEL")
    assert told.stderr.count("\n") == 1
    assert "Traceback" in shown.stderr


@pytest.mark.parametrize("path", _commands(), ids=" ".join)
def test_every_command_explains_itself(path, no_store):
    """Each command's help says what it does and shows an example."""
    help_text = no_store(*path, "--help").output
    assert "Usage" in help_text
    if path != ("version",):
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
