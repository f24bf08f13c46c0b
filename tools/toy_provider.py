"""Proves that a new provider is one new folder: drops a toy in, and runs the contract suite on it.

Twice: as a folder beside our own providers, in a copy of the package in which nothing else is
changed; and as somebody else's distribution that is found by its entry point. Both times the
registry must give the same provider. Exits with 1 and says why if anything fails. Takes some
seconds; run it from anywhere: `python tools/toy_provider.py`.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOY = ROOT / "tests/toy/acme"
SUITE = ROOT / "tests/contract/test_providers.py"
NAME = "acme"
#: Module and distribution of the third party.
MODULE = "acme_inkwire"
#: Seconds that one run may take.
TIMEOUT_S = 50

#: Prints where the package and the toy are from, then all that the registry knows of the toy.
SHOW = f"""
import inkwire
from inkwire.providers.registry import cases, manual, registry
found = registry().get({NAME!r})
receive = found.receive
print(inkwire.__file__, found.package, sep="\\n")
print(found.name, found.title, found.summary, receive.settings, receive.secrets,
      dict(receive.event_types), receive.retries, manual(found), cases(found),
      [(case.name, case.body) for case in cases(found)])
"""


def as_folder(place: Path) -> Path:
    """A copy of the package with the toy among its providers; returns what goes on the path."""
    ignored = shutil.ignore_patterns("__pycache__", "vendor")
    shutil.copytree(ROOT / "src/inkwire", place / "inkwire", ignore=ignored)
    shutil.copytree(TOY, place / "inkwire/providers" / NAME, ignore=ignored)
    return place


def as_distribution(place: Path) -> Path:
    """The toy as an installed distribution of its own; returns what goes on the path."""
    shutil.copytree(TOY, place / MODULE, ignore=shutil.ignore_patterns("__pycache__"))
    info = place / f"{MODULE}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {MODULE}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[inkwire.providers]\n{NAME} = {MODULE}\n")
    return place


def run(path: Iterable[Path], *arguments: str) -> str:
    """The output of a Python with these places first on its path; exits if it fails."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(str(place) for place in path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\ntoy provider: {arguments[-1]} failed, see above")
    return done.stdout


def check(path: list[Path], package: str) -> str:
    """Runs the suite with the toy at hand; returns what the registry shows of it."""
    origin, found, shown = run(path, "-c", SHOW).split("\n", 2)
    if not origin.startswith(str(path[-1])) or found != package:
        sys.exit(f"toy provider: found as {found} beside {origin}, not where it was put")
    options = ("-q", "--no-header", "-p", "no:cacheprovider", "-k", NAME)
    print(run(path, "-m", "pytest", str(SUITE), *options).strip().splitlines()[-1])
    return shown


def main() -> None:
    """Both ways, and that they give the same."""
    if (ROOT / "src/inkwire/providers" / NAME).exists():
        sys.exit(f"toy provider: src/inkwire/providers/{NAME} is there already; remove it")
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        folder = check([as_folder(Path(first))], f"inkwire.providers.{NAME}")
        distribution = check([as_distribution(Path(second)), ROOT / "src"], MODULE)
    if folder != distribution:
        sys.exit("toy provider: the folder and the entry point give different providers")
    print("toy provider: one folder is enough, and the entry point gives the same")


if __name__ == "__main__":
    main()
