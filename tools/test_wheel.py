"""Builds the wheel, installs it in a clean environment with the locked versions, and runs it there.

What is tested is what users install: the demo sends every sample through the installed package,
and a page is served with its vendored script.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: str, **options: object) -> None:
    """Runs a command and stops with its exit code if it fails."""
    print("$", " ".join(command), flush=True)
    subprocess.run(command, check=True, **options)  # type: ignore[call-overload] # passed through


def main() -> None:
    """Build, install, look inside, run the demo."""
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    run(
        sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(dist), str(ROOT)
    )
    [wheel] = dist.glob("*.whl")
    with tempfile.TemporaryDirectory(prefix="inkwire-wheel-") as folder:
        home = Path(folder)
        run(sys.executable, "-m", "venv", str(home / "venv"))
        python = str(home / "venv/bin/python")
        run(
            python, "-m", "pip", "install", "--quiet",
            "--constraint", str(_constraints(home)), str(wheel),
        )  # fmt: skip
        run(python, "-I", "-c", _LOOK_INSIDE, cwd=home)
        run(str(home / "venv/bin/inkwire"), "demo", "--end", cwd=home)
    print("1 passed, 0 failed")


def _constraints(home: Path) -> Path:
    """The lock file without its hashes: pip takes no hashes in constraints for a local wheel."""
    pins = [
        line.split(" \\")[0]
        for line in (ROOT / "requirements.lock").read_text("utf-8").splitlines()
        if "==" in line
    ]
    path = home / "constraints.txt"
    path.write_text("\n".join(pins) + "\n", "utf-8")
    return path


_LOOK_INSIDE = """
from importlib import resources
import inkwire
from inkwire.providers.registry import cases, manual, registry
files = resources.files(inkwire)
for name in ("pages/static/vendor/htmx.min.js", "pages/static/vendor/icons.svg", "py.typed"):
    assert files.joinpath(name).is_file(), name
for provider in registry().receiving():
    assert manual(provider) and cases(provider), provider.name
print("the wheel holds its assets, manuals and samples")
"""

if __name__ == "__main__":
    main()
