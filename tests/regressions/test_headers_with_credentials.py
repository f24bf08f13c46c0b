"""Shared secrets in headers of other names than `Authorization` were shown to any reader."""

import pytest

from inkwire.model.request import shown_headers


@pytest.mark.parametrize(
    "name",
    [
        "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key",
        "x-gitlab-token", "X-Shared-Secret", "x-auth", "x-password", "ocp-apim-subscription-key",
    ],
)  # fmt: skip
def test_credentials_are_redacted(name):
    """Whatever a vendor calls its token."""
    assert shown_headers([(name.encode(), b"s3cret")]) == [(name, "«redacted»")]


@pytest.mark.parametrize(
    "name",
    [
        "x-hub-signature", "x-hub-signature-256", "box-signature-primary",
        "box-signature-secondary", "webhook-signature", "x-boxc-hmac-sha256", "x-signature",
        "content-type", "user-agent", "webhook-id",
    ],
)  # fmt: skip
def test_signatures_stay_visible(name):
    """Whoever looks for the cause of a refusal compares them."""
    assert shown_headers([(name.encode(), b"value")]) == [(name, "value")]
