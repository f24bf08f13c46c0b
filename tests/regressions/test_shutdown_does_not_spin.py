"""A web process that began to stop spun in its config follower and ate all memory."""

import asyncio

from inkwire.app import open_hub, web_app
from inkwire.config import load_settings
from inkwire.store.open import migrate


async def test_a_stopping_web_process_lets_others_run(tmp_path):
    """After `begin_shutdown` the loop still turns, and the lifespan ends."""
    settings = load_settings(data_dir=tmp_path / "data")
    migrate(settings)
    inbox: asyncio.Queue[dict] = asyncio.Queue()
    sent: asyncio.Queue[dict] = asyncio.Queue()
    with open_hub(settings) as hub:
        app = web_app(hub)
        running = asyncio.create_task(app({"type": "lifespan"}, inbox.get, sent.put))
        inbox.put_nowait({"type": "lifespan.startup"})
        assert (await asyncio.wait_for(sent.get(), 5))["type"] == "lifespan.startup.complete"
        app.begin_shutdown()
        for _ in range(10):
            await asyncio.sleep(0)
        inbox.put_nowait({"type": "lifespan.shutdown"})
        assert (await asyncio.wait_for(sent.get(), 5))["type"] == "lifespan.shutdown.complete"
        await running
