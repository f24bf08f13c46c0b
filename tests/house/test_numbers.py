"""A number that the code names can be looked up."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"\b[RC][1-9][0-9]{0,2}\b")


def test_every_requirement_that_the_code_names_is_listed():
    """`(R138)` in a docstring leads a reader somewhere."""
    listed = set(NUMBER.findall((ROOT / "docs/reference/requirements.md").read_text("utf-8")))
    for path in (ROOT / "src").rglob("*.py"):
        for number in NUMBER.findall(path.read_text("utf-8")):
            assert number in listed, f"{number} in {path.name}"
