"""PDFs of the sandbox's Box Sign: really signed by pyHanko, with a certificate made here.

A signature is an incremental update, so the bytes that were uploaded stay at the front of what is
downloaded. Everything here is slow and meant for a thread.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from inkwire.providers.sandboxing import Doc, Documents

#: Endings that Box Sign converts (developer.box.com/guides/box-sign), beside pdf.
CONVERTIBLE = (
    *("doc", "docx", "gdoc", "gsheet", "odp", "odt", "otp", "ppt", "pptx", "rtf", "xls", "xlsx"),
    *("txt", "csv", "png", "jpg", "jpeg", "tif", "tiff"),
)
_TEXTS = ("txt", "csv")
_NOTARY = "box_notary"
_YEARS = timedelta(days=3650)


class NotConvertible(Exception):
    """The file cannot be made a PDF that is to be signed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One signature to be put."""

    #: Number of the signer, from 1; makes the field's name and place.
    number: int
    name: str
    email: str
    #: As it was drawn or typed.
    written: str
    when: datetime
    sign_request_id: str


class Notary:
    """Holds the self-made authority and the signer's certificate; signs."""

    def __init__(self, state: Documents, now: datetime) -> None:
        """Loads both from the state, or makes them there."""
        kept = state.get(_NOTARY, "1")
        if kept is None:
            kept = _credentials(now)
            state.put(_NOTARY, "1", kept)
        self._kept: Doc = kept

    @property
    def authority(self) -> str:
        """The authority's certificate, PEM: whoever trusts it finds the signatures trusted."""
        return str(self._kept["authority"])

    def signed(self, content: bytes, mark: Mark) -> bytes:
        """The PDF with one signature more, as an incremental update. Raises NotConvertible."""
        # pyHanko is large, and only a signature needs it.
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415
        from pyhanko.sign import PdfSignatureMetadata, fields  # noqa: PLC0415

        field = f"BoxSign{mark.number}"
        row, column = divmod(mark.number - 1, 3)
        left, bottom = 36 + 176 * column, 24 + 44 * row
        spec = fields.SigFieldSpec(field, on_page=-1, box=(left, bottom, left + 168, bottom + 38))
        meta = PdfSignatureMetadata(
            field_name=field,
            name=mark.name,
            reason=f"Sign request {mark.sign_request_id}",
            contact_info=mark.email,
            md_algorithm="sha256",
        )
        try:
            writer = IncrementalPdfFileWriter(io.BytesIO(content), strict=False)
            return _sign(writer, meta, spec, self._kept, mark)
        except Exception as error:
            raise NotConvertible(f"This PDF cannot be signed: {error}") from error


def as_pdf(name: str, content: bytes) -> bytes:
    """What Box Sign makes of a file: a PDF stays as it is. Raises NotConvertible."""
    if content.startswith(b"%PDF-"):
        _check(content)
        return content
    ending = name.rpartition(".")[2].lower()
    if ending not in CONVERTIBLE:
        raise NotConvertible(f"Files of the kind {ending!r} cannot be converted to PDF")
    text = content.decode("utf-8", "replace") if ending in _TEXTS else "Converted in the sandbox."
    return _typeset(_CONVERTED, {"name": name, "text": text[:100_000]})


def filled(content: bytes, values: list[tuple[str, str]]) -> bytes:
    """The PDF with the values of its tags, in small print at the foot of its last page.

    Box puts each in its tag's place; where that is on the page is not looked for here.
    Raises NotConvertible.
    """
    if not values:
        return content
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415
    from pyhanko.pdf_utils.text import TextBoxStyle  # noqa: PLC0415
    from pyhanko.stamp import TextStamp, TextStampStyle  # noqa: PLC0415

    text = _stamped("   ".join(f"{tag}: {value}" for tag, value in values)[:400])
    small = TextBoxStyle(font_size=6, border_width=0)
    style = TextStampStyle(stamp_text=text, border_width=0, text_box_style=small)
    try:
        writer = IncrementalPdfFileWriter(io.BytesIO(content), strict=False)
        TextStamp(writer, style).apply(dest_page=-1, x=36, y=6)
        output = io.BytesIO()
        writer.write(output)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise NotConvertible(f"This PDF cannot be filled in: {error}") from error
    return output.getvalue()


def signing_log(facts: Mapping[str, Any]) -> bytes:
    """The signing log: who signed, when, from where; `facts` as `_LOG` reads them."""
    return _typeset(_LOG, facts)


def _check(content: bytes) -> None:
    """Raises NotConvertible for a PDF that is broken, empty or encrypted."""
    from pyhanko.pdf_utils.reader import PdfFileReader  # noqa: PLC0415 - large

    try:
        reader = PdfFileReader(io.BytesIO(content), strict=False)
        usable = not reader.encrypted and int(reader.root["/Pages"]["/Count"]) > 0
    except Exception as error:
        raise NotConvertible(f"This PDF is broken: {error}") from error
    if not usable:
        raise NotConvertible("This PDF is encrypted or has no page")


def _sign(writer: Any, meta: Any, spec: Any, kept: Doc, mark: Mark) -> bytes:
    from pyhanko.keys.pemder import (  # noqa: PLC0415 - as above
        load_certs_from_pemder_data,
        load_private_key_from_pemder_data,
    )
    from pyhanko.sign import PdfSigner, SimpleSigner  # noqa: PLC0415
    from pyhanko.stamp import TextStampStyle  # noqa: PLC0415
    from pyhanko_certvalidator.registry import SimpleCertificateStore  # noqa: PLC0415

    class DatedSigner(PdfSigner):
        """Signs at the sandbox's time."""

        def init_signing_session(self, *args: Any, **more: Any) -> Any:
            session = super().init_signing_session(*args, **more)
            session.system_time = mark.when
            return session

    chain = kept["authority"] + kept["certificate"]
    authority, certificate = load_certs_from_pemder_data(chain.encode())
    store = SimpleCertificateStore.from_certs([authority])  # type: ignore[no-untyped-call]
    signer = SimpleSigner(
        signing_cert=certificate,
        signing_key=load_private_key_from_pemder_data(kept["key"].encode(), passphrase=None),
        cert_registry=store,
    )
    when = f"{mark.when:%Y-%m-%d %H:%M} UTC"
    text = _stamped(f"{mark.written}\n{mark.email}\n{when}")
    style = TextStampStyle(stamp_text=text, border_width=1)
    pdf_signer = DatedSigner(meta, signer, stamp_style=style, new_field_spec=spec)
    output = io.BytesIO()
    pdf_signer.sign_pdf(writer, output=output)
    return output.getvalue()


def _stamped(text: str) -> str:
    """As a stamp takes it: its font has Latin letters only, and `%` begins a placeholder."""
    return text.replace("%", "%%").encode("latin-1", "replace").decode("latin-1")


def _typeset(source: str, facts: Mapping[str, Any]) -> bytes:
    import typst  # noqa: PLC0415 - large

    data = {"facts": json.dumps(facts)}
    return bytes(typst.compile(source.encode(), sys_inputs=data, ignore_system_fonts=True))


_HEAD = "#let facts = json(bytes(sys.inputs.facts))\n#set text(size: 9.5pt)\n"
_CONVERTED = _HEAD + "= #facts.name\n#facts.text\n"
_LOG = (
    _HEAD
    + """
#set page(margin: 2cm)
#text(size: 18pt, weight: "bold")[Signing log]

#facts.name \\
Sign request #raw(facts.id), sent by #facts.sender

#table(
  columns: (auto, 1fr, auto, auto),
  stroke: 0.5pt + luma(180),
  [*When (UTC)*], [*Who*], [*What*], [*From*],
  ..facts.history.map(line => (line.at, line.who, line.what, line.where)).flatten()
)

*Documents*
#for file in facts.files [
  - #file.name, SHA-256 #raw(file.sha256)
]
#if facts.values.len() > 0 [
  *Values that were filled in*
  #for value in facts.values [
    - #raw(value.tag): #value.value
  ]
]
"""
)


def _credentials(now: datetime) -> Doc:
    """An authority and a certificate of it for the signer."""
    root_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in "12")
    root_name = _name("Inkwire sandbox authority")
    root = (
        _certificate(root_name, root_name, root_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=False), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    certificate = (
        _certificate(_name("Box Sign (sandbox)"), root_name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return {
        "authority": root.public_bytes(pem).decode(),
        "certificate": certificate.public_bytes(pem).decode(),
        "key": key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    }


def _certificate(
    subject: x509.Name, issuer: x509.Name, public_key: rsa.RSAPublicKey, now: datetime
) -> x509.CertificateBuilder:
    first = now - timedelta(days=365)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(now + _YEARS)
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Inkwire sandbox"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    """Key usage: of a signer of documents, or of an authority."""
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=sign,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not sign,
        crl_sign=not sign,
        encipher_only=False,
        decipher_only=False,
    )
