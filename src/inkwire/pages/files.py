"""Stored files for a person's eyes: shown where that is safe, saved otherwise; and frames."""

from starlette.responses import Response

from inkwire.documents.names import disposition, plain_name
from inkwire.pages.headers import OURSELVES, PDF_POLICY, page_policy
from inkwire.pages.visit import Visit

PDF = "application/pdf"
#: How every PDF begins; some writers put a few bytes before it.
_MAGIC, _WITHIN = b"%PDF-", 1024


def is_pdf(content: bytes) -> bool:
    """Whether the bytes begin as a PDF does; nothing else is sent with its type."""
    return _MAGIC in content[:_WITHIN]


def file(visit: Visit, content: bytes, *, name: str, media_type: str) -> Response:
    """A stored file: a PDF in a frame of ours, other content as inert text; `?download=1`: saved.

    Neither name nor type of it is believed: both came from outside.
    """
    if visit.query("download"):
        headers = {"content-disposition": disposition(name)}
        return Response(content, media_type="application/octet-stream", headers=headers)
    if media_type == PDF and is_pdf(content):
        return pdf(content, name=name)
    return visit.raw(content, plain_name(name))


def pdf(content: bytes, *, name: str) -> Response:
    """A PDF that our own pages may show in a frame."""
    shown = disposition(name).replace("attachment", "inline", 1)
    headers = {
        "content-security-policy": PDF_POLICY,
        "content-disposition": shown,
        "x-frame-options": "SAMEORIGIN",
    }
    return Response(content, media_type=PDF, headers=headers)


def with_frames(visit: Visit, response: Response) -> Response:
    """A page that shows other addresses of ours in frames."""
    policy = page_policy(visit.house.ancestors(visit.who), OURSELVES)
    response.headers["content-security-policy"] = policy
    return response


def in_frame(response: Response) -> Response:
    """A page that is made to stand in a frame of one of ours."""
    response.headers["content-security-policy"] = page_policy(OURSELVES)
    response.headers["x-frame-options"] = "SAMEORIGIN"
    return response
