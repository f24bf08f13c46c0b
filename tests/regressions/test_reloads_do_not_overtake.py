"""Two reloads at once: the one that read first could land last and bring old sources back."""

import asyncio
import threading

from ingest.kit import running, toy_source, until
from inkwire.model.source import Secret

NEW = Secret(id="sec_new", role="key", value=b"new-key")


async def test_what_was_read_later_counts(tmp_path):
    """A slow reload that read old sources does not replace what a quick one read after it."""
    async with running(tmp_path) as hub:
        sources = hub.store.sources
        read, go_on = threading.Event(), threading.Event()
        all_sources = sources.all

        def held():
            found = all_sources()
            if not read.is_set():
                read.set()
                go_on.wait(5)
            return found

        sources.all = held
        first = asyncio.create_task(hub.ingest.reload())
        await until(read.is_set)
        sources.put(toy_source(id="second"), NEW)
        second = asyncio.create_task(hub.ingest.reload())
        await asyncio.wait({second}, timeout=0.2)
        go_on.set()
        await asyncio.gather(first, second)
        assert (await hub.post(path="/in/second", key=NEW)).status == 202
