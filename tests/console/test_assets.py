"""The vendored scripts: pinned, from any registry, and the same list wherever it stands."""

import ast
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def constant(file: str, name: str) -> object:
    """The value of a module's constant, without running the module."""
    for node in ast.parse((ROOT / "tools" / file).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{name} is not in tools/{file}")


def test_the_wheel_asks_for_what_is_fetched():
    """A file that is added to one list only would be missing from an installed console."""
    fetched = [*dict(constant("assets.py", "SCRIPTS")).values(), constant("assets.py", "SPRITE")]
    assert sorted(constant("require_assets.py", "VENDORED")) == sorted(fetched)


def test_pages_load_no_other_vendored_file():
    """What a page names is in that list."""
    base = (ROOT / "src/inkwire/pages/templates/_head.html").read_text("utf-8")
    loaded = set(re.findall(r'asset\("vendor/([^"]+)"\)', base))
    assert loaded == set(dict(constant("assets.py", "SCRIPTS")).values())


def test_the_lock_file_pins_hashes_and_names_no_registry():
    """Every machine asks its own registry and gets the same bytes."""
    text = (ROOT / "assets/package-lock.json").read_text("utf-8")
    packages = {k: v for k, v in json.loads(text)["packages"].items() if k}
    assert len(packages) == 4
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "resolved" not in text
    assert "://" not in text
    wanted = json.loads((ROOT / "assets/package.json").read_text("utf-8"))
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version


def test_no_icon_is_shipped_unused():
    """The sprite holds what the pages name, and nothing else."""
    rooms = [ROOT / "src/inkwire" / room for room in ("pages", "console", "portal")]
    source = "".join(
        file.read_text("utf-8")
        for room in rooms
        for file in [*room.rglob("*.py"), *room.glob("templates/*.html")]
    )
    lines = (ROOT / "assets/icons.txt").read_text("utf-8").splitlines()
    unused = [line for line in lines if line[0] != "#" and f'"{line}"' not in source]
    assert unused == []
