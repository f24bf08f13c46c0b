"""What a command asks and answers, sealed by the master key: values of both vendors stand there."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from inkwire.store.cipher import Cipher, place


def command_place(command_id: str) -> bytes:
    """Associated data of a command's question or answer."""
    return place("commands", command_id, "sealed")


def seal_command(cipher: Cipher, command_id: str, value: Any) -> bytes | None:
    """A value that JSON can hold, sealed; None stays None. Lone surrogates become "?"."""
    if value is None:
        return None
    value = dict(value) if isinstance(value, Mapping) else value
    try:
        text = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a vendor's JSON may hold half of a character
        plain = json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
        text = plain.encode("utf-8", "replace")
    return cipher.wrap(text, command_place(command_id))


def open_command(cipher: Cipher, command_id: str, sealed: bytes | None) -> Any:
    """The value. Raises CipherError."""
    if sealed is None:
        return None
    return msgspec.json.decode(cipher.unwrap(sealed, command_place(command_id)))
