"""The lock that makes a SQLite store's worker the only one. The kernel frees it with its holder."""

import fcntl
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inkwire.config import Settings


def lock_path(settings: "Settings") -> Path:
    """The file whose lock the only worker of a SQLite store holds."""
    return settings.data_dir / "worker.lock"


def try_lock(fd: int) -> bool:
    """Takes the exclusive lock of a file if nobody holds it; it lasts until the file is closed."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
