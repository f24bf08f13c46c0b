r"""A private key as people paste it: mended where that is safe, else explained. Pure.

What goes wrong on the way from a vendor's console into a form (R19): line breaks become blanks,
`\n` or CRLF, lines are indented or quoted, the wrong file is taken, the passphrase is another's.
"""

import binascii
import re
from dataclasses import dataclass
from typing import Any

from inkwire.errors import InvalidInput

#: Characters; a key of 16,384 bits has 13,000.
MAX_KEY = 32_768
#: Bits that vendors ask for at least.
MIN_BITS = 2048
KEY, PASSPHRASE = "secrets.private_key", "secrets.passphrase"

_BLOCK = re.compile(r"-----BEGIN ?([A-Z0-9 ]+?)-----(.*?)-----END ?([A-Z0-9 ]+?)-----")
#: The two headers of an encrypted key in the traditional form (RFC 1421).
_LEGACY = re.compile(
    r"Proc-Type: ?4, ?ENCRYPTED ?DEK-Info: ?"
    r"(AES-[0-9]+-CBC, ?[0-9A-F]{32}|[A-Z0-9-]+, ?[0-9A-F]{16})",
    re.IGNORECASE,
)
#: As JSON and programs write what is no plain letter: `\u2013`, `\n`, once or several times over.
_CODED = re.compile(r"\\+u([0-9a-fA-F]{4})")
_ESCAPED = re.compile(r"\\+[nrt]")
_INVISIBLE = re.compile("[\ufeff\u200b\u200c\u200d\u2060\u00ad]")
_PRIVATE = frozenset({"PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY"})
_PUBLIC = "is a public key; paste the private key that belongs to it"
#: What else people paste: what stands in braces is of `Origin`.
_WRONG = {
    "CERTIFICATE": "is a certificate; paste the private key, {where}",
    "PUBLIC KEY": _PUBLIC,
    "RSA PUBLIC KEY": _PUBLIC,
    "CERTIFICATE REQUEST": "is a certificate request; paste the private key",
    "EC PRIVATE KEY": "is an elliptic-curve key, but {vendor} takes RSA only; {make}",
    "DSA PRIVATE KEY": "is a DSA key, but {vendor} takes RSA only; {make}",
    "OPENSSH PRIVATE KEY": "is in the format of OpenSSH; convert a copy of it with "
    "`ssh-keygen -p -m PEM -f KEYFILE`, or {make}",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a vendor's keys come from, as parts of the sentences that explain a wrong one."""

    #: As the vendor writes itself.
    vendor: str
    #: Where the private key stands: "which …".
    where: str
    #: How to come by a new one: "generate …".
    make: str
    #: Where the passphrase that opens an encrypted key stands: "It is …".
    opens: str
    #: What to do if the two do not belong together: "take …".
    together: str
    #: What to do with the vendor's JSON file, if that was pasted; "": there is none.
    whole_file: str = ""


def mended(text: str, passphrase: str, origin: Origin) -> tuple[str, str]:
    """The key as clean PEM, and the passphrase that opens it ("" if it needs none).

    Raises InvalidInput for `secrets.private_key` or `secrets.passphrase`, before any request.
    """
    pem = tidy(text, origin)
    return pem, _opening(pem, passphrase, origin)


def tidy(text: str, origin: Origin) -> str:
    """The one private key in `text` as PEM with 64 characters a line. Raises InvalidInput."""
    if len(text) > MAX_KEY:
        raise _bad(f"is longer than {MAX_KEY} characters; paste the private key alone")
    plain = _CODED.sub(lambda code: chr(int(code[1], 16)), text)
    plain = _ESCAPED.sub(" ", _INVISIBLE.sub("", plain))
    plain = re.sub(r"[\s\u00a0]+", " ", plain)
    # A dash that a word processor made long.
    plain = re.sub("[\u2010-\u2015\u2212]", "-", plain)
    label, inner = _private_block(plain, origin)
    legacy = _LEGACY.search(inner)
    body = _LEGACY.sub("", inner)
    data = re.sub(r"[\s'\"\\,;]", "", body)
    if not _is_base64(data):
        raise _bad(
            "is damaged between its BEGIN and END lines: it is no base64; copy the whole key again"
        )
    lines = [data[at : at + 64] for at in range(0, len(data), 64)]
    if legacy is not None:
        lines = ["Proc-Type: 4,ENCRYPTED", f"DEK-Info: {legacy[1].replace(' ', '')}", "", *lines]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def load(pem: str, passphrase: str) -> Any:
    """The RSA key. Raises ValueError or TypeError as `cryptography` does."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - first use only
        load_pem_private_key,
    )

    return load_pem_private_key(
        pem.encode("ascii"), passphrase.encode("utf-8") if passphrase else None
    )


def encrypted(pem: str) -> bool:
    """Whether the key needs a passphrase, by its outside."""
    return "BEGIN ENCRYPTED" in pem or "Proc-Type: 4,ENCRYPTED" in pem


def _is_base64(data: str) -> bool:
    try:
        return binascii.a2b_base64(data, strict_mode=True) != b""
    except ValueError:
        return False


def _label(text: str) -> str:
    """A block's label, though its blanks were lost."""
    run = text.replace(" ", "")
    known = {name.replace(" ", ""): name for name in (*_PRIVATE, *_WRONG)}
    return known.get(run, text.strip())


def _private_block(plain: str, origin: Origin) -> tuple[str, str]:
    """Label and inside of the private key among what was pasted."""
    blocks = [(_label(begin), inner, _label(end)) for begin, inner, end in _BLOCK.findall(plain)]
    for begin, _, end in blocks:
        if begin != end:
            raise _bad(f"begins as {begin} and ends as {end}; copy the whole key again")
    keys = [(begin, inner) for begin, inner, _ in blocks if begin in _PRIVATE]
    if len(keys) == 1:
        return keys[0]
    if keys:
        raise _bad("holds more than one private key; paste the one of this app")
    for begin, _, _ in blocks:
        known = _WRONG.get(begin)
        if known is None:
            raise _bad(f"is a {begin}; paste the private key")
        raise _bad(known.format(vendor=origin.vendor, where=origin.where, make=origin.make))
    if origin.whole_file and ("privateKey" in plain or plain.strip().startswith("{")):
        raise _bad(origin.whole_file)
    if "-----BEGIN" in plain:
        raise _bad("has no END line: it was cut off; copy the whole key again")
    raise _bad(
        "is no PEM key; it must begin with a line like -----BEGIN ENCRYPTED PRIVATE KEY----- and "
        "end with -----END ENCRYPTED PRIVATE KEY-----, both included"
    )


def _opening(pem: str, passphrase: str, origin: Origin) -> str:
    """The form of the passphrase that opens the key. Raises InvalidInput."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - first use only

    if not encrypted(pem):
        passphrase = ""
    elif not passphrase:
        raise InvalidInput(fields={PASSPHRASE: f"is needed: the key is encrypted. {origin.opens}"})
    for candidate in dict.fromkeys((passphrase, passphrase.strip())):
        try:
            key = load(pem, candidate)
        except UnsupportedAlgorithm:
            raise _bad(
                "is encrypted in a way that is no longer supported; convert a copy of it with "
                "`openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW`"
            ) from None
        except (ValueError, TypeError):
            continue
        _check_kind(key, origin)
        return candidate
    if passphrase:
        raise InvalidInput(
            fields={
                PASSPHRASE: f"does not open this private key; {origin.together}, or the key was "
                "damaged when it was copied"
            }
        )
    raise _bad("cannot be read as a key: a part is missing or changed; copy the whole key again")


def _check_kind(key: Any, origin: Origin) -> None:
    from cryptography.hazmat.primitives.asymmetric.rsa import (  # noqa: PLC0415 - first use only
        RSAPrivateKey,
    )

    if not isinstance(key, RSAPrivateKey):
        raise _bad(f"is no RSA key, and {origin.vendor} takes RSA only; {origin.make}")
    if key.key_size < MIN_BITS:
        raise _bad(
            f"has {key.key_size} bits, and {origin.vendor} asks for {MIN_BITS}; {origin.make}"
        )


def _bad(text: str) -> InvalidInput:
    return InvalidInput(fields={KEY: text})
