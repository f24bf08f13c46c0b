"""Endpoints that echo what they were sent: a webhook's own headers are taken out again. Pure."""

from dataclasses import replace

from inkwire.model.message import Exchange, TextHeaders

HIDDEN = "«redacted»"
#: Characters of the shortest value that is looked for: shorter ones would tear holes in any text.
MIN_LENGTH = 8


def without_echoes(exchange: Exchange, own: TextHeaders) -> Exchange:
    """The exchange without the values of a webhook's `own` headers in what came back.

    Nobody who reads attempts may learn them so. Values count whole, and what stands behind a
    scheme in them (`Bearer …`); what an endpoint encodes anew stays.
    """
    if not own:
        return exchange
    found = {*(value for _, value in own), *(value.rpartition(" ")[2] for _, value in own)}
    secrets = sorted((one for one in found if len(one) >= MIN_LENGTH), key=len, reverse=True)
    if not secrets:
        return exchange
    body, detail, headers = exchange.response_body, exchange.detail, exchange.response_headers
    for secret in secrets:
        body = body.replace(secret.encode(), HIDDEN.encode())
        detail = detail.replace(secret, HIDDEN)
        headers = tuple((name, value.replace(secret, HIDDEN)) for name, value in headers)
    return replace(exchange, response_body=body, detail=detail, response_headers=headers)
