"""The sandbox's Box: an emulation that is truthful where it is known what Box does.

answers.py      errors and bodies in Box's shape
apps.py         applications with their keys, users
tokens.py       the token endpoint, and who a call is made as
items.py        the tree; folders.py, files.py, chunked.py: its calls
events.py       who hears of what; webhooks.py: their calls; deliveries.py: sending
sign_drafts.py  what POST /sign_requests refuses; sign_requests.py: the calls of Box Sign
signing.py      the life of a request; pdf.py: signatures; sign_page.py, sign_mails.py: people
control.py      what only a sandbox can do
"""

from typing import Any

from starlette.routing import Route

from inkwire.providers.box.sandbox.apps import Apps
from inkwire.providers.box.sandbox.chunked import Chunked
from inkwire.providers.box.sandbox.control import Control, described
from inkwire.providers.box.sandbox.deliveries import Deliveries
from inkwire.providers.box.sandbox.events import Events
from inkwire.providers.box.sandbox.files import Files
from inkwire.providers.box.sandbox.folders import Folders
from inkwire.providers.box.sandbox.items import Items
from inkwire.providers.box.sandbox.parts import Parts
from inkwire.providers.box.sandbox.sign_page import SignPages
from inkwire.providers.box.sandbox.sign_requests import SignRequests
from inkwire.providers.box.sandbox.signing import Signing
from inkwire.providers.box.sandbox.tokens import Tokens
from inkwire.providers.box.sandbox.webhooks import Webhooks
from inkwire.providers.sandboxing import Mounted, Stage


def mount(stage: Stage) -> Mounted:
    """Box on this stage."""
    apps = Apps(stage.state)
    items = Items(stage, apps)
    events = Events(stage, items)
    tokens = Tokens(stage, apps)
    parts = Parts(stage=stage, apps=apps, tokens=tokens, items=items, events=events)
    signing = Signing(parts)
    deliveries = Deliveries(stage, apps, events)
    prefixes = ("/oauth2", "/api/oauth2")
    routes = [
        *(Route(f"{one}/token", tokens.endpoint, methods=["POST"]) for one in prefixes),
        *(Route(f"{one}/revoke", tokens.revoke, methods=["POST"]) for one in prefixes),
        *Chunked(parts).routes(),
        *Files(parts).routes(),
        *Folders(parts).routes(),
        *Webhooks(parts).routes(),
        *SignRequests(parts, signing).routes(),
        *SignPages(parts, signing).routes(),
        *Control(parts, signing).routes(),
    ]

    async def tick() -> None:
        await signing.tick()
        await deliveries.tick()

    def ready() -> dict[str, Any]:
        return described(parts, apps.all()[0])

    return Mounted(routes=routes, tick=tick, ready=ready, pages=(("Box", "/box"),))
