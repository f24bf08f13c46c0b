"""Fails on a module above 600 lines, and names those above 400: they want to be split."""

import sys
from pathlib import Path

HARD, SOFT = 600, 400

root = Path(__file__).parent.parent
sizes = {
    path.relative_to(root): len(path.read_text("utf-8").splitlines())
    for folder in ("src", "tests", "bench", "tools")
    for path in (root / folder).rglob("*.py")
}
for path, lines in sorted(sizes.items(), key=lambda item: -item[1]):
    if lines > SOFT:
        print(f"{lines} lines: {path}{' (too long: split it)' if lines > HARD else ''}")
sys.exit(any(lines > HARD for lines in sizes.values()))
