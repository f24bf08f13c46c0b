"""A data folder with an empty store of this release."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from inkwire.config import load_settings
from inkwire.store.open import migrate


@cache
def _migrated() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="inkwire-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate(load_settings(data_dir=folder))
    return folder


def empty_folder(folder: Path) -> Path:
    """`folder`, made as `inkwire migrate` makes it: copied, because a migration takes 0.15 s."""
    shutil.copytree(_migrated(), folder, dirs_exist_ok=True)
    return folder
