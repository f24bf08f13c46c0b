"""`/_sandbox/box/…`: what people do with files, for tests and scripts."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inkwire.providers.box.sandbox.answers import BoxError, json_body, whole_number, wrong
from inkwire.providers.box.sandbox.apps import ADMIN
from inkwire.providers.box.sandbox.contents import Made
from inkwire.providers.box.sandbox.metadata_store import MetadataStore
from inkwire.providers.box.sandbox.parts import Parts
from inkwire.providers.box.sandbox.people import MOST_MADE, People
from inkwire.providers.box.sandbox.shapes import ROOT
from inkwire.providers.sandboxing import Doc


class FilesControl:
    """The calls. Who acts is `user`, an id or a login; without one, the owner of the item."""

    def __init__(self, parts: Parts, people: People, metadata: MetadataStore) -> None:
        """`people`: does it; `metadata`: the enterprise's templates."""
        self._parts = parts
        self._people = people
        self._metadata = metadata

    def routes(self) -> list[Route]:
        """The calls."""

        def called(handler: Any) -> Any:
            async def endpoint(request: Request) -> Response:
                try:
                    answer: Response = await handler(request)
                except BoxError as error:
                    return error.answer()
                return answer

            return endpoint

        root = "/_sandbox/box"
        return [
            Route(root + "/upload", called(self._upload), methods=["POST"]),
            Route(root + "/do", called(self._do), methods=["POST"]),
            Route(root + "/tree", called(self._tree)),
            Route(root + "/templates", called(self._template), methods=["POST"]),
        ]

    async def _upload(self, request: Request) -> Response:
        """The body into `folder` as `name`, or as a new version of `file`; `size`: made up."""
        query = request.query_params
        content: bytes | Made = await request.body()
        if "size" in query:
            size = whole_number(query["size"], "size", default=0, most=MOST_MADE)
            number = self._parts.stage.state.number("box_made")
            content = Made(seed=str(number), size=size)
        if file_id := query.get("file", ""):
            user = self._user(query.get("user"), "file", file_id)
            item = await self._people.upload_version(user, file_id, content)
        else:
            folder_id, name = query.get("folder", ROOT), query.get("name", "")
            user = self._user(query.get("user"), "folder", folder_id)
            item = await self._people.upload(user, folder_id, name, content, version=False)
        return self._answer(item, user)

    async def _do(self, request: Request) -> Response:
        """`{"do", "item": "file:ID", "user", …}`."""
        body = await json_body(request)
        kind, _, item_id = str(body.get("item", f"folder:{ROOT}")).partition(":")
        if kind not in ("file", "folder") or not item_id:
            raise wrong("item", "'item' must be file:ID or folder:ID")
        named = body.get("user")
        user = self._user(None if named is None else str(named), kind, item_id)
        item = self._people.do(str(body.get("do", "")), user, kind, item_id, body)
        return self._answer(item, user)

    async def _tree(self, request: Request) -> Response:
        """Every item that there is, with versions, metadata and collaborations."""
        found = []
        for item in self._parts.items.every():
            access = self._parts.items.access.of(item)
            found.append(
                {
                    "type": item["type"],
                    "id": item["id"],
                    "name": item["name"],
                    "parent": item["parent"],
                    "owner": item["owner"],
                    "status": item["status"],
                    "locked": self._parts.items.lock(item) is not None,
                    "versions": item.get("versions", []),
                    "metadata": self._metadata.of(item),
                    "collaborations": [
                        {name: doc[name] for name in ("id", "login", "role", "status")}
                        for doc in access
                    ],
                }
            )
        return JSONResponse(found)

    async def _template(self, request: Request) -> Response:
        """A metadata template, as the enterprise's admin makes it: `{"key", "title", "fields"}`."""
        body = await json_body(request)
        rows = [
            {"type": "string", "key": one, "displayName": one}
            for one in body.get("fields", [])
            if isinstance(one, str)
        ]
        key = str(body.get("key", ""))
        made = self._metadata.create_template(
            {"templateKey": key, "displayName": str(body.get("title") or key), "fields": rows}
        )
        return JSONResponse(made, 201)

    def _user(self, named: str | None, kind: str, item_id: str) -> Doc:
        if named is not None:
            return self._people.user(named)
        if (kind, item_id) == ("folder", ROOT):
            return self._people.user(ADMIN)
        return self._people.owner(kind, item_id)

    def _answer(self, item: Doc, user: Doc) -> Response:
        shown = item if "item_status" in item else self._parts.items.full(item, user["id"])
        return JSONResponse(shown)
