"""Real keys, made once a run: 2048 bits take a tenth of a second."""

from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PASSPHRASE = "korrekt pferd ✓"


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """One key per size."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def pem_of(key: Any, *, legacy: bool = False, passphrase: str = "") -> str:
    """The key as PEM; `legacy`: in the traditional form of OpenSSL."""
    form = forms.PrivateFormat.TraditionalOpenSSL if legacy else forms.PrivateFormat.PKCS8
    lock = (
        forms.BestAvailableEncryption(passphrase.encode()) if passphrase else forms.NoEncryption()
    )
    return key.private_bytes(forms.Encoding.PEM, form, lock).decode()


@cache
def pem(*, legacy: bool = False, locked: bool = True) -> str:
    """The 2048-bit key as PEM."""
    return pem_of(rsa_key(), legacy=legacy, passphrase=PASSPHRASE if locked else "")


@cache
def ec_pem() -> str:
    """A key that is not RSA."""
    return pem_of(ec.generate_private_key(ec.SECP256R1()))


@cache
def public_pem() -> str:
    """The public half."""
    public = rsa_key().public_key()
    return public.public_bytes(forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo).decode()
