"""`/box/files`: a person works with files as in Box's web app; no script, so that it just works."""

from collections.abc import Mapping
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from inkwire.providers.box.sandbox.access import ROLES
from inkwire.providers.box.sandbox.answers import BoxError
from inkwire.providers.box.sandbox.apps import ADMIN, BOX_SIGN, people
from inkwire.providers.box.sandbox.metadata_store import MetadataStore
from inkwire.providers.box.sandbox.parts import Parts, given
from inkwire.providers.box.sandbox.people import People
from inkwire.providers.box.sandbox.shapes import ROOT
from inkwire.providers.sandboxing import Doc

_PAGE = "/box/files"
_MOST_FILES, _MOST_FOLDERS = 100, 300
#: Bytes that are shown in the browser at most.
_MOST_SHOWN = 64 * 1024 * 1024
#: Endings of what a browser may show; all else is saved.
_SHOWN = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "txt": "text/plain; charset=utf-8",
}
#: What the page says when something was done.
_DONE = {
    "upload": "Uploaded.",
    "version": "The new version is there.",
    "folder": "The folder was created.",
    "rename": "Renamed.",
    "move": "Moved.",
    "copy": "Copied.",
    "lock": "Locked: others cannot change it.",
    "unlock": "Unlocked.",
    "trash": "Moved to the trash.",
    "share": "Shared.",
    "unshare": "The access was taken away.",
    "metadata": "The metadata was saved.",
    "sign": "Sent for signature: the mail is in the inbox.",
}
_REFUSED = {
    404: "That is not there any more, or you may not see it.",
    403: "You may not do that there.",
}


class FilesPage:
    """The page, what its forms do, and the files that it shows."""

    def __init__(self, parts: Parts, people_: People, metadata: MetadataStore) -> None:
        """`people_`: does what the forms ask."""
        self._parts = parts
        self._items = parts.items
        self._people = people_
        self._metadata = metadata

    def routes(self) -> list[Route]:
        """The pages."""
        return [
            Route(_PAGE, self._show, name="page:box-files"),
            Route(_PAGE, self._change, methods=["POST"], name="page:box-files-change"),
            Route(_PAGE + "/style.css", self._style, name="page:box-files-style"),
            Route(_PAGE + "/{id}/content", self._content, name="page:box-files-content"),
        ]

    async def _show(self, request: Request) -> Response:
        query = request.query_params
        user = self._user(query.get("user", ""))
        said = _DONE.get(query.get("done", ""), "")
        return self._page(user, query.get("folder", ROOT), said=said)

    async def _change(self, request: Request) -> Response:
        async with request.form(max_files=_MOST_FILES, max_fields=100) as form:
            fields = {key: value for key, value in form.items() if isinstance(value, str)}
            user, folder = self._user(fields.get("user", "")), fields.get("folder") or ROOT
            deed = fields.get("do", "")
            try:
                onward = await self._done(deed, user, folder, fields, form)
            except BoxError as error:
                problem = _REFUSED.get(error.status, f"{error.message}.")
                return self._page(user, folder, problem=problem, status=error.status)
        here = {"user": user["id"], "folder": folder, "done": deed}
        return RedirectResponse(onward or f"{_PAGE}?{urlencode(here)}", 303)

    async def _done(
        self, deed: str, user: Doc, folder: str, fields: Mapping[str, str], form: FormData
    ) -> str | None:
        """Does what a form asks; where to go then, if not back. Raises BoxError."""
        kind, _, item_id = fields.get("item", "").partition(":")
        if deed in ("upload", "version"):
            for one in form.getlist("file"):
                if isinstance(one, UploadFile) and one.filename:
                    content = await one.read()
                    if deed == "version":
                        await self._people.upload_version(user, item_id, content)
                    else:
                        await self._people.upload(user, folder, one.filename, content)
            return None
        more: dict[str, Any] = dict(fields)
        if deed == "metadata":
            mark = "field:"
            more["values"] = {
                name.removeprefix(mark): text
                for name, text in fields.items()
                if name.startswith(mark)
            }
        self._people.do(deed, user, kind or "folder", item_id or folder, more)
        if deed in ("preview", "download"):
            return f"{_PAGE}/{item_id}/content?{urlencode({'user': user['id'], 'as': deed})}"
        return None

    async def _content(self, request: Request) -> Response:
        """A file's bytes. Not told to anybody: the form before it has done that."""
        user = self._user(request.query_params.get("user", ""))
        try:
            item = self._items.get("file", given(request, "id"), user["id"])
            content = self._shown(item)
        except BoxError as error:
            problem = _REFUSED.get(error.status, f"{error.message}.")
            return self._page(user, ROOT, problem=problem, status=error.status)
        media = _SHOWN.get(item["name"].rpartition(".")[2].lower())
        save = media is None or request.query_params.get("as") == "download"
        headers = {"content-disposition": "attachment" if save else "inline"}
        if media == "application/pdf":  # a viewer of PDFs is a page of the browser's own
            headers["content-security-policy"] = "frame-ancestors 'self'"
        return Response(content, headers=headers, media_type=media or "application/octet-stream")

    def _shown(self, item: Doc) -> bytes:
        if self._items.version(item)["size"] > _MOST_SHOWN:
            raise BoxError(413, "request_entity_too_large", "It is too large for this page")
        return self._items.content(item)

    async def _style(self, request: Request) -> Response:
        style = resources.files(__package__).joinpath("templates/files.css").read_text("utf-8")
        return Response(style, media_type="text/css")

    def _user(self, user_id: str) -> Doc:
        """Who acts: the one named, else the admin."""
        user = self._parts.apps.user(user_id)
        if user is None or user["id"] == BOX_SIGN:
            user = self._parts.apps.user(ADMIN)
        return user or {}

    def _page(
        self, user: Doc, folder_id: str, *, said: str = "", problem: str = "", status: int = 200
    ) -> Response:
        folder: Doc | None = None
        if folder_id != ROOT:
            try:
                folder = self._items.get("folder", folder_id, user["id"])
            except BoxError as error:
                folder_id = ROOT
                if not problem:
                    problem, status = _REFUSED.get(error.status, "There is no such folder."), 404
        services = {app["service_account_id"] for app in self._parts.apps.all()}
        shown = None if folder is None else self._items.full(folder, user["id"])
        context = {
            "user": user,
            "users": people(self._parts.apps),
            "services": [one for one in self._parts.apps.users() if one["id"] in services],
            "folder_id": folder_id,
            "folder": shown,
            "path": [] if shown is None else shown["path_collection"]["entries"][1:],
            "folders": self._folders(user["id"]),
            "items": [self._row(item) for item in self._items.children(folder_id, user["id"])],
            "said": said,
            "problem": problem,
            "roles": list(ROLES),
            "access": self._access(folder),
            "owner": None if shown is None else shown["owned_by"],
            "templates": self._templates(folder),
        }
        html = self._parts.stage.render(__package__ or "", "files.html", context)
        return HTMLResponse(html, status)

    def _access(self, folder: Doc | None) -> list[Doc]:
        """Who is let in, by this folder and by those above it."""
        places = [] if folder is None else [folder, *self._items.ancestors(folder)]
        return [doc for place in places for doc in self._items.access.of(place)]

    def _row(self, item: Doc) -> Doc:
        """An item as a line of the table."""
        lock = self._items.lock(item)
        by = self._parts.apps.user(item["modified_by"])
        row: Doc = {
            "type": item["type"],
            "id": item["id"],
            "name": item["name"],
            "ending": item["name"].rpartition(".")[2].lower()[:4] if "." in item["name"] else "",
            "when": item["modified_at"][:16].replace("T", " "),
            "by": "" if by is None else by["name"],
            "locked_by": None if lock is None else (lock["created_by"] or {}).get("name", ""),
        }
        if item["type"] == "file":
            versions = item["versions"]
            row |= {"size": _size(versions[0]["size"]), "version": len(versions)}
        return row

    def _folders(self, user_id: str) -> list[Doc]:
        """All folders that a user sees, each with how deep it lies, in the order of a tree."""
        found: list[Doc] = []

        def walk(folder_id: str, depth: int) -> None:
            for item in self._items.children(folder_id, user_id):
                if item["type"] == "folder" and len(found) < _MOST_FOLDERS:
                    found.append({"id": item["id"], "name": item["name"], "depth": depth})
                    walk(item["id"], depth + 1)

        walk(ROOT, 0)
        return found

    def _templates(self, folder: Doc | None) -> list[Doc]:
        """The enterprise's templates, each with the folder's values."""
        if folder is None:
            return []
        there = {one["$template"]: one for one in self._metadata.of(folder)}
        return [
            {
                "key": template["templateKey"],
                "title": template["displayName"],
                "applied": template["templateKey"] in there,
                "fields": [
                    field | {"value": there.get(template["templateKey"], {}).get(field["key"], "")}
                    for field in template["fields"]
                    if field["type"] in ("string", "date", "enum")
                ],
            }
            for template in self._metadata.templates()
        ]


def _size(count: int) -> str:
    """Bytes for people."""
    size = float(count)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
