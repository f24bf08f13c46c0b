"""How long `inkwire` takes to start, and how much memory it takes while nothing happens.

    python -m bench.start                       seven helps, three starts (about a minute)
    python -m bench.start --help-runs 15 --starts 5 --idle 30

Controls, in the same run and in turn with what they are for: an interpreter that does nothing; one
that loads the libraries of `--help` and no line of ours; one that loads what the web process has
loaded of others' code. Seconds of processor time beside those of the clock: on a machine that does
other things, too, read those, and the ratios.

Bytecode is kept in a folder of the bench, as an installation has it; PYTHONDONTWRITEBYTECODE, which
makes every start of a source tree compile it all anew, is left out. Memory is the proportional set
size (PSS): a page that processes share counts by its share, those of other programs among them.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

MIB = 1024
HELP = ["-m", "inkwire", "--help"]
NOTHING = ["-c", "pass"]
HELP_LIBRARIES = ["-c", "import typer, typer.rich_utils"]
#: Loads what a process of ours does, then names what of it is others' and not the interpreter's.
_LOADED = """
import json, sys
from inkwire.cli.service import _load_lean
before = set(sys.modules)
_load_lean()
import {what}
own = sys.stdlib_module_names | {{"inkwire"}}
print(json.dumps([n for n in sys.modules if n not in before and n.split(".")[0] not in own]))
"""
#: The same libraries in the same order, in a process without ours; it then stays.
_CONTROL = """
import gc, importlib, json, sys
gc.disable()
sys.modules["rich"] = None
for name in json.loads(sys.argv[1]):
    try: importlib.import_module(name)
    except ImportError: pass
gc.collect(); gc.freeze(); gc.enable()
print("ready", flush=True); sys.stdin.read()
"""
PROCESSES = {"web": "inkwire.cli.answering", "worker": "inkwire.hub, inkwire.worker, uvloop"}


def environment(root):
    """Ours without Inkwire's settings, with bytecode kept below `root`."""
    left_out = ("INKWIRE_", "PYTHONDONTWRITEBYTECODE")
    own = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    return own | {
        "PYTHONPYCACHEPREFIX": str(root / "bytecode"),
        "INKWIRE_CONFIG_FILE": str(root / "none.toml"),
        "INKWIRE_LOG_LEVEL": "warning",
        "INKWIRE_PORT": "0",
        "COLUMNS": "80",
    }


def timed(arguments, env):
    """Seconds on the clock and on the processor that one process takes."""
    before, begun = os.times(), time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=env, check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - begun, os.times()
    used = after.children_user + after.children_system
    return took, used - before.children_user - before.children_system


def helps(env, runs):
    """Prints how long the help takes, and its controls."""
    variants = {"nothing": NOTHING, "its libraries": HELP_LIBRARIES, "--help": HELP}
    found = {name: [] for name in variants}
    for _ in range(runs + 1):
        for name, arguments in variants.items():
            found[name].append(timed(arguments, env))
    for name, times in found.items():  # the first of each wrote the bytecode
        wall, cpu = (statistics.median(column) for column in zip(*times[1:], strict=True))
        print(f"help   {name:14} {wall:.3f} s, {cpu:.3f} s of a core", flush=True)


def processor_s(pid):
    """Seconds of a core that a process and its ended children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """PSS of a process in MB, and what of it belongs to nobody else."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split(":")[1].split()[0]) / MIB for line in lines}
    return sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"]


@contextlib.contextmanager
def serving(folder, env):
    """A running `inkwire serve`: what it says when it is ready, and seconds until then."""
    ready, ready_end = os.pipe()
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "inkwire", "serve", "--ready-fd", str(ready_end)],
        env=env | {"INKWIRE_DATA_DIR": str(folder)},
        pass_fds=(ready_end,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    os.close(ready_end)
    try:
        with os.fdopen(ready) as pipe:
            line = pipe.readline()
        if not line:
            raise RuntimeError("inkwire serve did not start")
        said = json.loads(line)
        with urllib.request.urlopen(f"{said['url']}/readyz", timeout=10) as answer:
            assert answer.status == 200
        yield said, time.perf_counter() - begun
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def starts(root, env, count, idle_s):
    """Prints how long it takes until both processes can be used, then what they take idle."""
    with serving(root / "warm", env):
        pass  # writes the bytecode
    for kind in ("new", "existing"):
        found = []
        for number in range(count):
            folder = root / (f"new-{number}" if kind == "new" else "warm")
            with serving(folder, env) as (said, took):
                used = [processor_s(said[name]) for name in ("pid", "web_pid", "worker_pid")]
            found.append((took, sum(used)))
        wall, cpu = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"ready  {kind:14} {wall:.2f} s, {cpu:.2f} s of a core", flush=True)
    for kind, folder in (("new", root / "idle"), ("existing", root / "warm")):
        with serving(folder, env) as (said, _):
            time.sleep(idle_s)
            sizes = {name: memory(said[name]) for name in ("pid", "web_pid", "worker_pid")}
        for name, (pss, own) in sizes.items():
            what = {"pid": "supervisor"}.get(name, name.removesuffix("_pid"))
            print(f"memory {kind:8} {what:10} {pss:6.1f} MB, {own:6.1f} MB its own", flush=True)
        total = sum(pss for pss, _ in sizes.values())
        print(f"memory {kind:8} {'together':10} {total:6.1f} MB (bar: 180)", flush=True)


def libraries(env):
    """Prints what the libraries of each process cost without a line of ours."""
    for what, modules in PROCESSES.items():
        found = subprocess.run(
            [sys.executable, "-c", _LOADED.format(what=modules)],
            env=env, check=True, stdout=subprocess.PIPE,
        )  # fmt: skip
        for _ in range(2):  # the first writes the bytecode
            begun = time.perf_counter()
            control = subprocess.Popen(
                [sys.executable, "-c", _CONTROL, found.stdout.decode()],
                env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            control.stdout.readline()
            took, used, (pss, own) = (
                time.perf_counter() - begun, processor_s(control.pid), memory(control.pid),
            )  # fmt: skip
            control.communicate()
        print(
            f"control: libraries of {what} alone: {took:.2f} s, {used:.2f} s of a core, "
            f"{pss:.1f} MB, {own:.1f} MB its own",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--help-runs", type=int, default=7)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--idle", type=float, default=10, help="seconds before memory is read")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="inkwire-bench-"))
    try:
        env = environment(root)
        helps(env, options.help_runs)
        libraries(env)
        starts(root, env, options.starts, options.idle)
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
