"""PDFs for the tests: plain, really signed by pyHanko, changed afterwards, encrypted, broken."""

from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO

import pikepdf
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

#: Certificates of the tests are valid around this moment.
NOW = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)


def blank(text: str = "Order 1042") -> bytes:
    """One page, not signed."""
    with pikepdf.new() as pdf:
        page = pdf.add_blank_page()
        page.Contents = pdf.make_stream(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode())
        out = BytesIO()
        pdf.save(out, static_id=True, compress_streams=False)
    return out.getvalue()


def encrypted(owner_only: bool = False) -> bytes:
    """A PDF that asks for a password; `owner_only`: anybody may read it."""
    out = BytesIO()
    with pikepdf.open(BytesIO(blank())) as pdf:
        pdf.save(
            out, encryption=pikepdf.Encryption(user="" if owner_only else "secret", owner="boss")
        )
    return out.getvalue()


class WrongClock(DummyTimeStamper):
    """A time-stamping service that stamps something else."""

    async def async_timestamp(self, message_digest, md_algorithm):
        return await super().async_timestamp(bytes(len(message_digest)), md_algorithm)


class Signer:
    """Somebody with a certificate of an authority of their own."""

    def __init__(self, name: str, *, usage: str = "both", days: int = 30) -> None:
        """`usage`: `both`, or `digital_signature` alone; `days`: how long it is valid."""
        authority_key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority of {name}")])
        self.authority = _certificate(issuer, issuer, authority_key, authority_key, days=days)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = _certificate(
            subject, issuer, key, authority_key, days=days, repudiable=usage != "both"
        )
        store = SimpleCertificateStore()
        store.register(_asn1(self.authority))
        self._signer = signers.SimpleSigner(
            signing_cert=_asn1(certificate),
            signing_key=_asn1_key(key),
            cert_registry=store,
        )

    @property
    def root(self) -> bytes:
        """The authority's certificate, PEM."""
        return self.authority.public_bytes(serialization.Encoding.PEM)

    def clock(self, kind: type[DummyTimeStamper]) -> DummyTimeStamper:
        """A time-stamping service that knows one moment only."""
        key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Clock of Jane")])
        certificate = _certificate(subject, subject, key, key, days=30, clock=True)
        return kind(_asn1(certificate), _asn1_key(key), fixed_dt=NOW)

    def sign(
        self,
        pdf: bytes,
        field: str = "Signature1",
        *,
        certify: bool = False,
        stamped: type[DummyTimeStamper] | None = None,
    ) -> bytes:
        """The PDF with one more signature; `certify`: no change may come after it."""
        writer = IncrementalPdfFileWriter(BytesIO(pdf))
        meta = signers.PdfSignatureMetadata(
            field_name=field,
            certify=certify,
            docmdp_permissions=fields.MDPPerm.NO_CHANGES if certify else fields.MDPPerm.FILL_FORMS,
        )
        stamper = self.clock(stamped) if stamped else None
        return signers.sign_pdf(writer, meta, signer=self._signer, timestamper=stamper).getvalue()


def _certificate(subject, issuer, key, issuer_key, *, days, repudiable=False, clock=False):
    """A certificate; one that signs others if `subject` is `issuer`."""
    is_ca = subject == issuer and not clock
    usage = x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=not is_ca and not repudiable,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    purpose = [ExtendedKeyUsageOID.TIME_STAMPING if clock else ExtendedKeyUsageOID.EMAIL_PROTECTION]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage(purpose), critical=clock)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )


def _asn1_key(key) -> asn1_keys.PrivateKeyInfo:
    return asn1_keys.PrivateKeyInfo.load(
        key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))


@cache
def jane() -> Signer:
    """A signer whom tests share."""
    return Signer("Jane Example")


@cache
def signed() -> bytes:
    """A PDF that Jane signed."""
    return jane().sign(blank())
