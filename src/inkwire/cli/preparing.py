"""What the worker of `serve` does once, first: migrate, apply, first administrator."""

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from inkwire.config import Settings
from inkwire.errors import StoreOutdated

if TYPE_CHECKING:
    from inkwire.hub import Hub


def prepared(settings: Settings) -> Mapping[str, Any]:
    """Makes the store ready; returns what `serve` needs to know and prints, as JSON values.

    Raises ConfigError, InvalidInput (inkwire.toml), StoreError, CipherError.
    """
    from inkwire.hub import open_hub

    if not _up_to_date(settings):
        _migrate(settings)
    with open_hub(settings) as hub:
        checked = hub.store.check()
        applied = _applied(hub)
        facts = {
            "host": settings.host,
            "port": settings.port,
            "grace_s": settings.shutdown_grace_s,
            "web_processes": settings.web_processes,
            "public_url": settings.public_url,
            "log_json": _log_json(settings),
            "store": store_line(settings, checked),
            "data_dir": str(settings.data_dir.absolute()),
            "sources": _sources_line(hub, applied),
            "warnings": _warnings(settings, checked),
        }
        # Last: whoever is stopped earlier has made nobody whose password is never shown.
        first = hub.gate.first_admin()
        sign_in = {"name": first[0].name, "password": first[1]} if first else None
        return {**facts, "sign_in": sign_in}


def _up_to_date(settings: Settings) -> bool:
    """Whether the schema is this release's: asking costs less than loading Alembic."""
    from inkwire.store.open import open_database

    if settings.database_url is None and not (settings.data_dir / "inkwire.db").is_file():
        return False
    database = open_database(settings)
    try:
        database.require_head()
    except StoreOutdated:
        return False
    finally:
        database.close()
    return True


def _migrate(settings: Settings) -> None:
    """Migrates in a process that ends with it: Alembic takes 12 MB, and the worker stays.

    A fork, because the libraries below are loaded here already. It is safe because this process
    has one thread and no connection yet. What fails there is done here again, to be told.
    """
    from inkwire.store.open import migrate

    if threading.active_count() > 1:
        migrate(settings)
        return
    child = os.fork()
    if child == 0:
        code = 1
        try:
            migrate(settings)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if status != 0:
        migrate(settings)


def store_line(settings: Settings, checked: Mapping[str, Any]) -> str:
    """The store in one line, without a password."""
    if settings.database_url is None:
        version = checked.get("version", "")
        return f"SQLite {version}, {(settings.data_dir / 'inkwire.db').absolute()}"
    from urllib.parse import urlsplit

    parts = urlsplit(settings.store_url)
    return f"PostgreSQL {checked.get('version', '')}, {parts.hostname}{parts.path}"


def _applied(hub: "Hub") -> str | None:
    """Applies inkwire.toml if it is there; says what that changed."""
    path = hub.settings.config_file
    if not path.is_file():
        return None
    from inkwire.sources.declared import apply

    result = apply(hub.desk, path)
    return f"{path}: {len(result.created)} created, {len(result.updated)} updated"


def _sources_line(hub: "Hub", applied: str | None) -> str:
    from inkwire.access.gate import CLI

    count = len(hub.desk.all(CLI))
    text = (
        str(count) if count else "none yet: add one in the console or with `inkwire sources create`"
    )
    return f"{text} ({applied})" if applied else text


def _log_json(settings: Settings) -> bool:
    import sys

    style = settings.log_format
    return style == "json" or (style == "auto" and not sys.stderr.isatty())


def _warnings(settings: Settings, checked: Mapping[str, Any]) -> list[str]:
    found = [str(text) for text in checked.get("warnings", ())]
    if settings.public_url is None:
        found.append(
            "No public address is set, so providers cannot reach this hub yet: set "
            "INKWIRE_PUBLIC_URL, e.g. https://hooks.example.com (docs/how-to/production.md)."
        )
    elif settings.public_url.startswith("http://"):
        found.append(
            "INKWIRE_PUBLIC_URL is http: bodies and sign-ins travel in the clear, and Box accepts "
            "https only. Put a TLS proxy in front."
        )
    return found
