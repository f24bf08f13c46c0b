"""The docs hold together: every link leads somewhere, every setting and command named exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")
#: What the test suites read; no setting of the hub.
OF_THE_TESTS = {"INKWIRE_CRASH_KILLS", "INKWIRE_CRASH_STORM", "INKWIRE_TEST_POSTGRES_URL"}
SETTING = re.compile(r"\bINKWIRE_[A-Z_]+\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """No page links to one that is not there."""
    for target in LINK.findall(page.read_text("utf-8")):
        if "://" not in target and not target.startswith(("mailto:", "{")):
            assert (page.parent / target).exists(), target


def test_settings_that_the_docs_name_exist():
    """A reader who sets it must see it work."""
    from inkwire.config import Settings

    known = {f"INKWIRE_{name.upper()}" for name in Settings.model_fields}
    for page in [*ROOT.glob("docs/**/*.md"), ROOT / "README.md"]:
        for name in SETTING.findall(page.read_text("utf-8")):
            assert name in known or name in OF_THE_TESTS, f"{name} in {page.name}"


def test_the_readme_names_the_two_commands():
    """Set-up and main job; set-up and tests."""
    readme = (ROOT / "README.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for command in ("demo", "test"):
        assert f"make {command}" in readme
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)
    assert "make test" in (ROOT / ".ci/run").read_text("utf-8")
