"""The page where a person signs or declines, as the link in the mail opens it; no script."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from inkwire.providers.box.sandbox.parts import Parts, given
from inkwire.providers.box.sandbox.signing import DECIDING, NotNow, Signing
from inkwire.providers.sandboxing import Doc

_LONGEST = 200


class SignPages:
    """`/sign/{token}`, its documents, and what its form does."""

    def __init__(self, parts: Parts, signing: Signing) -> None:
        """`signing`: where requests and tokens are."""
        self._parts = parts
        self._signing = signing

    def routes(self) -> list[Route]:
        """The pages."""
        page = "/sign/{token}"
        return [
            Route(page, self._show, name="page:sign"),
            Route(page, self._decide, methods=["POST"], name="page:decide"),
            Route(page + "/file/{number:int}", self._file, name="page:sign-file"),
            Route(page + "/log", self._log, name="page:sign-log"),
        ]

    async def _show(self, request: Request) -> Response:
        found = self._signing.by_token(given(request, "token"))
        if found is None:
            return self._missing()
        sign, index = found
        sign = self._signing.view(sign["id"], index, _where(request))
        return self._page(sign, index)

    async def _decide(self, request: Request) -> Response:
        found = self._signing.by_token(given(request, "token"))
        if found is None:
            return self._missing()
        sign, index = found
        async with request.form(max_files=0, max_fields=10) as form:
            fields = {key: value for key, value in form.items() if isinstance(value, str)}
        try:
            if fields.get("decision") == "decline":
                reason = fields.get("reason", "").strip()[:_LONGEST]
                self._signing.decline(sign["id"], index, reason=reason, where=_where(request))
            else:
                written = fields.get("name", "").strip()[:_LONGEST]
                if not written:
                    return self._page(sign, index, problem="Type your name to sign.", status=422)
                await self._signing.sign(sign["id"], index, written=written, where=_where(request))
        except NotNow as problem:
            fresh = self._signing.by_token(given(request, "token"))
            return self._page(*(fresh or found), problem=f"{problem}.", status=409)
        onward = _onward(sign, index, declined=fields.get("decision") == "decline")
        return RedirectResponse(onward or str(request.url.path), 303)

    async def _file(self, request: Request) -> Response:
        found = self._signing.by_token(given(request, "token"))
        if found is None:
            return self._missing()
        files = found[0]["sign_files"]
        number = int(given(request, "number"))
        if number >= len(files):
            return self._missing()
        return self._pdf(files[number])

    async def _log(self, request: Request) -> Response:
        found = self._signing.by_token(given(request, "token"))
        if found is None or not found[0]["ready"] or found[0]["signing_log"] is None:
            return self._missing()
        return self._pdf(found[0]["signing_log"])

    def _pdf(self, file_id: str) -> Response:
        file = self._parts.stage.state.get("box_item", f"file/{file_id}")
        if file is None:
            return self._missing()
        headers = {
            "content-disposition": "inline",
            "content-security-policy": "frame-ancestors 'self'",
            "x-frame-options": "SAMEORIGIN",
        }
        content = self._parts.items.content(file)
        return Response(content, headers=headers, media_type="application/pdf")

    def _page(self, sign: Doc, index: int, *, problem: str = "", status: int = 200) -> HTMLResponse:
        signer = sign["signers"][index]
        files = [
            self._parts.stage.state.get("box_item", f"file/{file_id}") or {"name": "?"}
            for file_id in sign["sign_files"]
        ]
        context = {
            "sign": sign,
            "signer": signer,
            "files": files,
            "problem": problem,
            "may_decide": sign["status"] in DECIDING
            and signer["asked"]
            and signer["signer_decision"] is None,
            "has_log": sign["ready"] and sign["signing_log"] is not None,
        }
        html = self._parts.stage.render(__package__, "sign.html", context)
        return HTMLResponse(html, status, headers=_policy(sign, index))

    def _missing(self) -> Response:
        html = self._parts.stage.render(__package__, "missing.html", {})
        return HTMLResponse(html, 404)


def _onward(sign: Doc, index: int, *, declined: bool) -> str | None:
    """Where the signer goes afterwards: the signer's own address before the request's."""
    for about in (sign["signers"][index], sign):
        if declined and about["declined_redirect_url"]:
            return str(about["declined_redirect_url"])
        if about["redirect_url"]:
            return str(about["redirect_url"])
    return None


def _policy(sign: Doc, index: int) -> Mapping[str, str]:
    """Lets the form lead on to the redirect addresses: browsers check those, too."""
    onward = {_onward(sign, index, declined=declined) for declined in (True, False)}
    origins = sorted({_origin(url) for url in onward if url})
    targets = " ".join(["'self'", *origins])
    return {
        "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
        f"frame-src 'self'; form-action {targets}; base-uri 'none'; frame-ancestors 'self'"
    }


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _where(request: Request) -> str:
    return request.client.host if request.client else "unknown"
