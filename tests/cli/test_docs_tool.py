"""The made pages of docs come from the code, and the check notices when it is behind."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "docs.py"


def _docs(folder, *options):
    return subprocess.run(
        [sys.executable, str(TOOL), "--into", str(folder), *options],
        capture_output=True,
        text=True,
        check=False,
    )


def test_made_pages_are_in_step_until_somebody_edits_one(tmp_path):
    """Written, then checked; an edited and a missing page are named, and nothing is mended."""
    assert _docs(tmp_path).returncode == 0
    assert _docs(tmp_path, "--check").returncode == 0
    text = (tmp_path / "reference/cli.md").read_text()
    for word in ("`inkwire serve`", "`inkwire sources create`", "--retry-like-provider"):
        assert word in text
    assert "prepare" not in text
    assert "`INKWIRE_PUBLIC_URL`" in (tmp_path / "reference/settings.md").read_text()
    assert "box.FILE.UPLOADED" in (tmp_path / "reference/providers.md").read_text()
    (tmp_path / "reference/settings.md").write_text("old")
    (tmp_path / "reference/providers.md").unlink()
    behind = _docs(tmp_path, "--check")
    assert behind.returncode == 1
    assert "reference/settings.md, reference/providers.md in" in behind.stdout
    assert (tmp_path / "reference/settings.md").read_text() == "old"
