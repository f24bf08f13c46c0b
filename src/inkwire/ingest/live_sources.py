"""The sources and their opened secrets, as this process knows them right now."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from inkwire.errors import NotFound
from inkwire.model.source import Secret, Source
from inkwire.providers.contract import Receiver
from inkwire.providers.registry import Registry
from inkwire.providers.settings import complete_settings
from inkwire.store.contract import Sources

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveSource:
    """A source, ready to judge requests."""

    source: Source
    #: None if the source's provider is not installed here.
    receiver: Receiver | None
    secrets: tuple[Secret, ...] = field(repr=False)
    #: Largest body in bytes: the source's own limit, or what the backlog can ever hold.
    max_body_bytes: int
    event_types: frozenset[str]
    document_ids: frozenset[str]

    def secrets_at(self, now: datetime) -> tuple[Secret, ...]:
        """The secrets accepted at `now`: after a rotation, the old one ends by the clock."""
        for secret in self.secrets:
            if secret.expires_at is not None and secret.expires_at <= now:
                break
        else:
            return self.secrets
        return tuple(s for s in self.secrets if s.expires_at is None or s.expires_at > now)


def load_sources(
    sources: Sources, registry: Registry, now: datetime, *, most_bytes: int
) -> Mapping[str, LiveSource]:
    """Every source by id. Reads the store, so call it on a thread.

    `most_bytes`: what one body may take of the backlog; a source that allows more is limited to
    it, with a warning. Raises StoreError (CipherError if a secret does not open).
    """
    secrets = sources.open_secrets(now)
    live: dict[str, LiveSource] = {}
    for source in sources.all():
        if source.max_body_bytes > most_bytes:
            log.warning(
                "source_limit_lowered",
                source=source.id,
                wanted_bytes=source.max_body_bytes,
                limit_bytes=most_bytes,
                help="Raise INKWIRE_BACKLOG_BYTES to at least twice the source's limit.",
            )
        receiver = _receiver(registry, source)
        live[source.id] = LiveSource(
            source=_completed(source, receiver) if receiver else source,
            receiver=receiver,
            secrets=secrets.get(source.id, ()),
            max_body_bytes=min(source.max_body_bytes, most_bytes),
            event_types=frozenset(source.event_types),
            document_ids=frozenset(source.document_ids),
        )
    return live


def _completed(source: Source, receiver: Receiver) -> Source:
    """The source with every setting that its provider has today, whenever it was made."""
    settings, left_out = complete_settings(receiver.settings, source.settings)
    if left_out:
        log.warning(
            "source_settings_left_out",
            source=source.id,
            settings=left_out,
            help="The provider has no such settings or values any more, so its defaults count: "
            "look at the source's settings and save them.",
        )
    return replace(source, settings=settings)


def _receiver(registry: Registry, source: Source) -> Receiver | None:
    try:
        return registry.receiver(source.provider)
    except NotFound as error:
        log.warning("source_without_provider", source=source.id, help=error.message)
        return None
