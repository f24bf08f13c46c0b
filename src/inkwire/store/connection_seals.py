"""Where what is sealed of a connection lies: secrets, the token they gave, a pending consent."""

from inkwire.store.cipher import place


def connection_secret_place(connection_id: str, name: str) -> bytes:
    """Associated data of a connection's secret."""
    return place("connection_secrets", f"{connection_id}/{name}", "sealed")


def token_place(connection_id: str) -> bytes:
    """Associated data of a connection's token."""
    return place("connections", connection_id, "token")


def authorization_place(connection_id: str) -> bytes:
    """Associated data of the verifier of a consent that was asked for."""
    return place("connection_authorizations", connection_id, "sealed")
