"""The child process that looks at a PDF's signatures with pyHanko; see `verdict.judge`.

Run as `python -m inkwire.documents.verdict_apart`: what strangers wrote is parsed here, and a file
that breaks, fills or stops this process costs nothing else.
"""

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from io import BytesIO
from typing import Any

from asn1crypto import pem, x509  # type: ignore[import-untyped] # ships no types
from pyhanko.pdf_utils.crypt import AuthStatus
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from inkwire.apart import serve
from inkwire.documents.verdict import Outcome, unpacked

#: Signatures that one file is looked at for.
MOST_SIGNATURES = 100
#: pyHanko asks for non-repudiation alone; vendors' certificates often carry only the other one.
_USAGE = KeyUsageConstraints(
    key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False
)
_COVERAGE = {
    SignatureCoverageLevel.ENTIRE_FILE: "whole_file",
    SignatureCoverageLevel.ENTIRE_REVISION: "whole_revision",
    SignatureCoverageLevel.CONTIGUOUS_BLOCK_FROM_START: "beginning_only",
}
_MODIFIED = {
    ModificationLevel.NONE: "none",
    ModificationLevel.LTA_UPDATES: "archiving",
    ModificationLevel.FORM_FILLING: "form_filling",
    ModificationLevel.ANNOTATIONS: "annotations",
}


def verdict(packed: bytes) -> bytes:
    """The verdict as JSON."""
    about, trust, content = unpacked(packed)
    now = datetime.fromisoformat(about["now"])
    outcome, text, signatures = look(content, trust=trust, now=now)
    found = {
        "outcome": outcome.value,
        "text": text,
        "signatures": signatures,
        "judged_at": now.isoformat(),
        "judge": f"pyHanko {version('pyHanko')}",
    }
    return json.dumps(found).encode()


Found = tuple[Outcome, str, list[dict[str, Any]]]


def look(content: bytes, *, trust: bytes, now: datetime) -> Found:
    """Outcome, sentence and each signature."""
    try:
        reader = PdfFileReader(BytesIO(content))
        if reader.encrypted and reader.decrypt(b"").status is AuthStatus.FAILED:
            return (
                Outcome.ENCRYPTED,
                "It is encrypted; without its password nobody can check its signatures.",
                [],
            )
        embedded = list(reader.embedded_regular_signatures)
    except Exception as error:  # noqa: BLE001 - a stranger's file: whatever it breaks, it is damaged
        return (
            Outcome.DAMAGED,
            f"It cannot be read as a PDF ({_line(error)}); ask its sender for it again.",
            [],
        )
    if not embedded:
        return Outcome.UNSIGNED, "It holds no signature.", []
    if len(embedded) > MOST_SIGNATURES:
        return Outcome.UNJUDGED, f"It holds {len(embedded)} signatures, too many to judge.", []
    roots = [
        x509.Certificate.load(der)
        for kind, _, der in (pem.unarmor(trust, multiple=True) if trust else ())
        if kind == "CERTIFICATE"
    ]
    signatures = [_signature(one, roots, now) for one in embedded]
    return (*_summed_up(signatures), signatures)


def _signature(one: EmbeddedPdfSignature, roots: list[x509.Certificate], now: datetime) -> Any:
    """What is found about one signature."""
    base = {
        "field": _short(str(one.field_name or "")),
        "signer": _or_none(lambda: _signer(one.signer_cert)),
        "signed_at": _or_none(lambda: _iso(one.self_reported_timestamp)),
    }
    try:
        context = ValidationContext(
            trust_roots=roots, allow_fetching=False, moment=now, revocation_mode="soft-fail"
        )
        status = validate_pdf_signature(
            one, signer_validation_context=context, key_usage_settings=_USAGE
        )
        found = {**base, **_facts(status)}
    except Exception as error:  # noqa: BLE001 - as above: a signature that breaks pyHanko does not hold
        found = {
            **base,
            "intact": False,
            "valid": False,
            "trusted": False,
            "coverage": "unclear",
            "modification": "unknown",
            "modification_ok": False,
            "timestamp": None,
            "problem": f"It cannot be checked: {_line(error)}.",
        }
    return {**found, "text": _sentence(found)}


def _facts(status: PdfSignatureStatus) -> dict[str, Any]:
    stamp = status.timestamp_validity
    level = status.modification_level
    trouble = status.trust_problem_indic
    return {
        "intact": bool(status.intact),
        "valid": bool(status.valid),
        "trusted": bool(status.valid and status.trusted),
        "coverage": _COVERAGE.get(status.coverage, "unclear")
        if status.coverage is not None
        else "unclear",
        "modification": "unknown" if level is None else _MODIFIED.get(level, "suspicious"),
        "modification_ok": bool(status.docmdp_ok),
        "timestamp": None
        if stamp is None
        else {
            "at": _iso(stamp.timestamp),
            "valid": bool(stamp.intact and stamp.valid),
            "trusted": bool(stamp.trusted),
        },
        "problem": None if trouble is None else str(getattr(trouble, "name", trouble)).lower(),
    }


def _holds(found: dict[str, Any]) -> bool:
    """Whether the signature is good for the file as it is now."""
    return bool(
        found["intact"]
        and found["valid"]
        and found["modification_ok"]
        and found["coverage"] in ("whole_file", "whole_revision")
        and (found["timestamp"] is None or found["timestamp"]["valid"])
    )


def _summed_up(signatures: list[dict[str, Any]]) -> tuple[Outcome, str]:
    count = len(signatures)
    what = "The signature" if count == 1 else f"All {count} signatures"
    holds = "holds" if count == 1 else "hold"
    broken = [one for one in signatures if not _holds(one)]
    if broken:
        which = "The signature" if count == 1 else f"{len(broken)} of {count} signatures"
        verb = "does not hold" if len(broken) == 1 else "do not hold"
        return Outcome.BROKEN, f"{which} {verb}: {broken[0]['text']}"
    if all(one["trusted"] for one in signatures):
        return Outcome.TRUSTED, f"{what} {holds}, by certificates that are trusted here."
    return (
        Outcome.INTACT,
        f"{what} {holds}: the file is as it was signed. Who signed is only what the certificate "
        "says: it leads to none that is trusted here.",
    )


def _sentence(found: dict[str, Any]) -> str:
    who = found["signer"] or "somebody unnamed"
    if not found["intact"]:
        return found.get("problem") or f"what {who} signed was changed afterwards."
    if not found["valid"]:
        return f"the signature of {who} does not fit the certificate."
    if not found["modification_ok"] or found["coverage"] in ("unclear", "beginning_only"):
        return f"the file was changed after {who} signed it in a way that the signature forbids."
    if found["timestamp"] is not None and not found["timestamp"]["valid"]:
        return f"the time stamp on the signature of {who} does not hold."
    late = "" if found["coverage"] == "whole_file" else ", and permitted changes came after it"
    trust = "trusted here" if found["trusted"] else "not known here"
    return f"Signed by {who} (certificate {trust}); the signature holds{late}."


def _signer(certificate: x509.Certificate) -> str:
    name = certificate.subject.native
    text = name.get("common_name") or name.get("organization_name") or ""
    text = " ".join(text) if isinstance(text, list) else str(text)
    return _short(text) or _short(certificate.subject.human_friendly)


def _short(text: str) -> str:
    """At most 200 characters that print: a file may hold a name of many megabytes."""
    return "".join(c for c in text[:200] if c.isprintable())


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _or_none(read: Callable[[], str | None]) -> str | None:
    """What `read` finds; None if the file is too broken for it."""
    with suppress(Exception):
        return read()
    return None


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(c for c in text if c.isprintable())[:160].rstrip(".")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    serve(verdict)
