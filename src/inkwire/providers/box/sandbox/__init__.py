"""The sandbox's Box: an emulation that is truthful where it is known what Box does.

answers.py      errors and bodies in Box's shape
apps.py         applications with their keys, users
tokens.py       the token endpoint, and who a call is made as; authorize.py: where people log in
access.py       who is let in; collaborations.py: the calls of that
items.py        the tree; shapes.py: how it looks; contents.py: bytes
acts.py         what is done with items, and its events; folders.py, files.py, chunked.py: calls
metadata_store.py  templates and instances; patching.py: JSON patches; metadata.py: their calls
events.py       who hears of what; stream.py: the users' event streams
webhooks.py     the calls of webhooks; deliveries.py: sending
sign_drafts.py  what POST /sign_requests refuses; sign_requests.py: the calls of Box Sign
signing.py      the life of a request; pdf.py: signatures; sign_page.py, sign_mails.py: people
people.py       what people do with files; files_page.py: where; files_control.py: for tests
control.py      what only a sandbox can do
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from inkwire.providers.box.sandbox.access import Access
from inkwire.providers.box.sandbox.acts import Acts
from inkwire.providers.box.sandbox.apps import Apps
from inkwire.providers.box.sandbox.authorize import AuthorizePage
from inkwire.providers.box.sandbox.chunked import Chunked
from inkwire.providers.box.sandbox.collaborations import Collaborations, Sharing
from inkwire.providers.box.sandbox.control import Control, described
from inkwire.providers.box.sandbox.deliveries import Deliveries
from inkwire.providers.box.sandbox.events import Events
from inkwire.providers.box.sandbox.files import Files
from inkwire.providers.box.sandbox.files_control import FilesControl
from inkwire.providers.box.sandbox.files_page import FilesPage
from inkwire.providers.box.sandbox.folders import Folders
from inkwire.providers.box.sandbox.items import Items
from inkwire.providers.box.sandbox.metadata import Metadata
from inkwire.providers.box.sandbox.metadata_store import MetadataStore
from inkwire.providers.box.sandbox.parts import Parts, api
from inkwire.providers.box.sandbox.people import People
from inkwire.providers.box.sandbox.sign_page import SignPages
from inkwire.providers.box.sandbox.sign_requests import SignRequests
from inkwire.providers.box.sandbox.signing import Signing
from inkwire.providers.box.sandbox.stream import Stream
from inkwire.providers.box.sandbox.tokens import Caller, Tokens
from inkwire.providers.box.sandbox.webhooks import Webhooks
from inkwire.providers.sandboxing import Mounted, Stage

_PAGES = (("Box", "/box"), ("Box files", "/box/files"))


def mount(stage: Stage) -> Mounted:
    """Box on this stage."""
    apps = Apps(stage.state)
    items = Items(stage, apps, Access(stage.state))
    stream = Stream(stage, apps, items)
    events = Events(stage, items, stream)
    tokens = Tokens(stage, apps)
    acts = Acts(stage, items, events)
    parts = Parts(stage=stage, apps=apps, tokens=tokens, items=items, events=events, acts=acts)
    signing, sharing, metadata = Signing(parts), Sharing(parts), MetadataStore(parts)
    requests = SignRequests(parts, signing)
    people = People(parts, sharing, metadata, requests)

    async def streamed(request: Request, caller: Caller) -> Response:
        return stream.answer(request, caller.user_id)

    deliveries = Deliveries(stage, apps, events)
    prefixes = ("/oauth2", "/api/oauth2")
    routes = [
        *(Route(f"{one}/token", tokens.endpoint, methods=["POST"]) for one in prefixes),
        *(Route(f"{one}/revoke", tokens.revoke, methods=["POST"]) for one in prefixes),
        *AuthorizePage(parts).routes(),
        *api(parts, "GET", "/events", streamed, "root_readwrite"),
        *Chunked(parts).routes(),
        *Metadata(parts, metadata).routes(),
        *Collaborations(parts, sharing).routes(),
        *Files(parts).routes(),
        *Folders(parts).routes(),
        *Webhooks(parts).routes(),
        *requests.routes(),
        *SignPages(parts, signing).routes(),
        *FilesPage(parts, people, metadata).routes(),
        *FilesControl(parts, people, metadata).routes(),
        *Control(parts, signing).routes(),
    ]

    async def tick() -> None:
        await signing.tick()
        await deliveries.tick()

    def ready() -> dict[str, Any]:
        return described(parts, apps.all()[0])

    return Mounted(routes=routes, tick=tick, ready=ready, pages=_PAGES)
