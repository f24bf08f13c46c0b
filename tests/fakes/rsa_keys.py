"""Real keys, made once a run: 2048 bits take a tenth of a second."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

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


@cache
def certificate(*, days: int = 3650) -> str:
    """A certificate of its own making for the key, as people upload it; `days`: until its end."""
    key, name = rsa_key(), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "inkwire")])
    begins = datetime(2020, 1, 1, tzinfo=UTC) if days < 0 else datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(datetime.now(UTC) + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(forms.Encoding.PEM).decode()
