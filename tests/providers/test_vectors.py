"""Signatures that other programs computed: each is accepted or refused as its vector says."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inkwire.model.request import InboundRequest
from inkwire.model.source import Secret
from inkwire.model.verdict import Accepted, MatchedOn, Refused
from inkwire.providers.registry import registry
from inkwire.providers.settings import check_settings

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = [
    vector
    for name in ("signatures.json", "own.json")
    for vector in json.loads((FOLDER / name).read_text("utf-8"))["vectors"]
]
#: Scheme of a vector to our provider; a vector's secret names begin with the role.
PROVIDER = {
    "box_v2": "box",
    "boxc": "boxc",
    "bolosign": "bolosign",
    "standard_webhooks": "standardwebhooks",
}
MATCHED_ON = {
    "raw": MatchedOn.RAW,
    "both": MatchedOn.RAW,
    "escaped": MatchedOn.ESCAPED,
    "reserialized": MatchedOn.RESERIALIZED,
}


def verdict_of(vector):
    """What our receiver says of a vector, and the receiver."""
    receiver = registry().receiver(PROVIDER[vector["scheme"]])
    secrets = [
        Secret(id=name, role=name.removesuffix("_key"), value=text.encode())
        for name, text in vector["secrets"].items()
    ]
    assert {secret.role for secret in secrets} <= {field.role for field in receiver.secrets}
    tolerance = vector["tolerance_s"]
    known = {field.key for field in receiver.settings} & {"tolerance_s", "tolerance_past_s"}
    settings = check_settings(receiver.settings, dict.fromkeys(known, tolerance))
    request = InboundRequest(
        method="POST",
        path="/in/x",
        headers=tuple((k.lower().encode(), v.encode()) for k, v in vector["headers"].items()),
        body=base64.b64decode(vector["body_b64"]),
    )
    now = datetime.fromtimestamp(vector["now"] or 0, UTC)
    return receiver.verify(request, secrets, settings, now)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['id']}")
def test_vector(vector):
    """Each vector is judged as it should be, on the bytes it was signed over."""
    verdict = verdict_of(vector)
    if not vector["valid"]:
        assert isinstance(verdict, Refused), vector["note"]
        return
    assert isinstance(verdict, Accepted), (vector["note"], verdict)
    assert verdict.matched_on is MATCHED_ON[vector["match_on"]]
    if verdict.matched_on is MatchedOn.RESERIALIZED:
        assert verdict.canonical == base64.b64decode(vector["canonical_b64"])


def test_every_scheme_has_vectors_of_both_kinds():
    """For each scheme there are signatures to accept and signatures to refuse."""
    kinds = {(vector["scheme"], vector["valid"]) for vector in VECTORS}
    assert kinds == {(scheme, valid) for scheme in PROVIDER for valid in (True, False)}
