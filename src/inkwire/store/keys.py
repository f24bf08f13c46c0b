"""Master keys: where they come from, how they are made and rotated.

A key is 32 random bytes, written as base64. The first of a list seals; the others still open
what they sealed. A key's id, the first 8 bytes of its SHA-256, stands in every value it sealed.
"""

import base64
import binascii
import hashlib
import os
import shlex
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from inkwire.config import Settings
from inkwire.errors import ConfigError

KEY_BYTES = 32
ID_BYTES = 8
COMMAND_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key and its id."""

    value: bytes = field(repr=False)

    @property
    def id(self) -> bytes:
        """First 8 bytes of SHA-256(key)."""
        return hashlib.sha256(self.value).digest()[:ID_BYTES]


@dataclass(frozen=True, slots=True)
class Keyring:
    """Master keys, the current one first; at least one."""

    keys: tuple[MasterKey, ...]

    @property
    def current(self) -> MasterKey:
        """The key that seals."""
        return self.keys[0]


def new_master_key() -> str:
    """A new random master key as base64 text."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode("ascii")


def key_file(settings: Settings) -> Path:
    """Where the master key lies when no other place is configured."""
    return settings.data_dir / "master.key"


def load_keyring(settings: Settings, *, create: bool = True) -> Keyring:
    """The master keys: setting, else command, else file. Raises ConfigError.

    A missing file is created with a new key (mode 0600), unless `create` is False: a store that
    holds sealed values must not get a second key by accident.
    """
    if settings.master_key is not None:
        return parse_keys(settings.master_key.get_secret_value(), "INKWIRE_MASTER_KEY")
    if settings.master_key_command is not None:
        return parse_keys(_run(settings.master_key_command), "INKWIRE_MASTER_KEY_COMMAND")
    path = key_file(settings)
    if not path.exists():
        if not create:
            raise ConfigError(
                f"The store is sealed but its master key file {path} is missing; put it back "
                "from your backup, or set INKWIRE_MASTER_KEY."
            )
        _create(path, new_master_key() + "\n")
    return parse_keys(_read(path), str(path))


def rotate(settings: Settings) -> Keyring:
    """Puts a new key in front of the key file, atomically; older ones still open.

    Restart every process, then re-wrap (`Store.rewrap`) before an old key is removed.
    Raises ConfigError if the keys do not come from the file.
    """
    if settings.master_key is not None or settings.master_key_command is not None:
        raise ConfigError(
            "The master key does not come from a file: make a new one with "
            "`inkwire master-key new` and put it in front of the old one, separated by a comma."
        )
    path = key_file(settings)
    old = _read(path)
    parse_keys(old, str(path))
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    _create(fresh, f"{new_master_key()}\n{old}")
    fresh.replace(path)
    _sync_folder(path.parent)
    return load_keyring(settings, create=False)


def parse_keys(text: str, origin: str) -> Keyring:
    """Keys from text: separated by commas or lines; `#` starts a comment. Raises ConfigError."""
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = [word.strip() for line in lines for word in line.split(",") if word.strip()]
    keys = []
    for number, word in enumerate(words, start=1):
        try:
            value = base64.b64decode(word, validate=True)
        except (binascii.Error, ValueError):
            value = b""
        if len(value) != KEY_BYTES:
            raise ConfigError(
                f"Key {number} of {origin} is not base64 of {KEY_BYTES} bytes; "
                "make one with `inkwire master-key new`."
            )
        keys.append(MasterKey(value))
    if not keys:
        raise ConfigError(f"{origin} holds no master key; make one with `inkwire master-key new`.")
    return Keyring(tuple(dict.fromkeys(keys)))


def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            raise ConfigError(
                f"Others may read the master key {path}: run `chmod 600 {path}` and start again."
            )
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise ConfigError(f"The master key {path} cannot be read: {reason}.") from None


def _create(path: Path, text: str) -> None:
    """Writes a new file, 0600, durable before anything is sealed with it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except FileExistsError:
        return  # another process was first; its key counts
    except OSError as error:
        raise ConfigError(f"The master key {path} cannot be written: {error.strerror}.") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _run(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, no shell
            shlex.split(command),
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ConfigError(
            f"INKWIRE_MASTER_KEY_COMMAND failed ({type(error).__name__}); run it by hand: "
            "it must print base64 keys and end with 0."
        ) from None
    return done.stdout
