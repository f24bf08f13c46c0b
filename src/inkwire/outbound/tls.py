"""The TLS context of requests that leave the hub."""

import ssl
from pathlib import Path

from inkwire.errors import ConfigError


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Checks certificates by the machine's authorities, and those of `ca_file` (PEM) if given.

    Raises ConfigError if the file holds none that can be read.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ConfigError(
                f"INKWIRE_OUTBOUND_CA_FILE: {ca_file} holds no certificates that can be read "
                f"({error.strerror or type(error).__name__}); give a PEM file."
            ) from None
    return context
