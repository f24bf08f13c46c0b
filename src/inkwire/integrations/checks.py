"""What several kinds of integration check about their settings: connections, sources, names."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from inkwire.engine.contract import Problem, Services
from inkwire.model.connection import ConnectionHealth
from inkwire.model.work import Integration

#: Characters that a folder's name may not hold, and its length (box.md §3).
_BAD_NAME = re.compile(r'[/\\<>:|?*"\x00-\x1f\x7f]')
MAX_NAME = 255


def folder_problem(name: str) -> str | None:
    """Why Box would refuse the folder's name; None: it would not (box.md §3)."""
    if not name or name != name.strip() or name in (".", "..") or len(name) > MAX_NAME:
        return "A folder's name has 1 to 255 characters, no blanks around it, and is not . or ..."
    if _BAD_NAME.search(name) or not name.isprintable():
        return 'Leave out / \\ < > : | ? * " and characters that do not print.'
    return None


def is_sandbox(settings: Mapping[str, object]) -> bool:
    """Whether a connection calls something else than Box itself."""
    url = str(settings.get("api_url", "") or "")
    host = urlsplit(url).hostname or ""
    return bool(url) and host != "box.com" and not host.endswith(".box.com")


def address_problem(base_url: str) -> str | None:
    """Why Box could not deliver to this hub; None: nothing against it (R34)."""
    parts = urlsplit(base_url)
    if parts.scheme == "https" and (parts.port or 443) == 443:
        return None
    return (
        f"Box delivers webhooks to https on port 443 only, and this hub says {base_url}; set "
        "INKWIRE_PUBLIC_URL to its public https address, then run inkwire doctor."
    )


def connection_problems(
    services: Services, connection_id: str | None, *, field: str, provider: str, title: str
) -> list[Problem]:
    """What is wrong with the chosen connection; `title`: the provider's, for people."""
    if connection_id is None:
        return [Problem(field=field, text=f"Choose the connection to {title} that it calls by.")]
    # All of them: a list of integrations is judged with one question, not one for each.
    known = {one.id: one for one in services.store.connections.all()}
    connection = known.get(connection_id)
    if connection is None:
        return [
            Problem(field=field, text=f"There is no connection {connection_id}; choose another.")
        ]
    if connection.provider != provider:
        text = f"{connection.name} is no connection to {title}; choose one that is."
        return [Problem(field=field, text=text)]
    found = []
    if connection.health is not ConnectionHealth.OK:
        text = connection.health_note or "Press “Request authentication” on it: it is unchecked."
        found.append(Problem(field=field, text=text, blocks=False))
    if (
        provider == "box"
        and not is_sandbox(connection.settings)
        and (wrong := address_problem(services.base_url))
    ):
        found.append(Problem(field=field, text=wrong))
    return found


def source_problems(
    integration: Integration, services: Services, *, also: tuple[str, ...] = ()
) -> list[Problem]:
    """What is wrong with the one Box source that it hears; `also`: other providers' it may hear."""
    known = {source.id: source for source in services.store.sources.all()}
    lost = [one for one in integration.source_ids if one not in known]
    if lost:
        return [Problem(field="sources", text=f"There is no source {lost[0]}; choose another.")]
    heard = [known[one] for one in integration.source_ids]
    strange = [source.name for source in heard if source.provider not in ("box", *also)]
    if strange:
        return [Problem(field="sources", text=f"{strange[0]} is no Box source; choose one.")]
    if len([source for source in heard if source.provider == "box"]) != 1:
        return [Problem(field="sources", text="Choose the one Box source its webhook delivers to.")]
    return []


def sources_of(integration: Integration, services: Services, provider: str) -> tuple[str, ...]:
    """Ids of the sources of one provider that it hears, in the order in which they were chosen.

    One that was deleted could be anybody's, and counts.
    """
    known = {source.id: source.provider for source in services.store.sources.all()}
    return tuple(one for one in integration.source_ids if known.get(one, provider) == provider)
