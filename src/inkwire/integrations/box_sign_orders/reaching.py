"""Whether what is sent to this hub's public address arrives at this hub (R34).

It sends to a source that cannot exist: this hub notes that in its rejected log, another server
does not. Asked once for each address; a lost webhook only costs time, so nothing waits for it.
"""

from inkwire.engine.contract import Run
from inkwire.errors import Permanent
from inkwire.integrations.checks import is_sandbox
from inkwire.store.contract import RejectionQuery

#: Seconds that the rejected log may take: it is written each second.
LOG_S = 3.0
_REACHED = "reached"


async def require_reachable(run: Run) -> None:
    """Raises Permanent that says what to look at; not asked of a sandbox, which is next door."""
    if run.dry or not await run.step("knock_needed", lambda: _needed(run)):
        return
    mark = await run.step("knock", lambda: _knocked(run), plan="Knock at our own public address")
    await run.sleep(LOG_S)
    await run.step("heard", lambda: _heard(run, mark), plan="Look whether the knock arrived")


def _needed(run: Run) -> bool:
    store, connection_id = run.services.store, run.integration.connection_id
    if connection_id is None or is_sandbox(store.connections.get(connection_id).settings):
        return False
    remote = store.integrations.get(run.integration.id).remote
    return remote.get(_REACHED) != run.services.base_url


def _knocked(run: Run) -> str:
    mark = run.services.ids.new("knock").replace("_", "-")
    url = run.services.base_url
    if wrong := run.services.knock(f"{url}/in/{mark}"):
        raise Permanent(
            f"Box cannot deliver to {url}: {wrong}. Check INKWIRE_PUBLIC_URL, the proxy, the "
            "firewall and the certificate, then retry; until then outcomes are found by asking Box."
        )
    return mark


def _heard(run: Run, mark: str) -> bool:
    store, url = run.services.store, run.services.base_url
    if not store.events.rejections(RejectionQuery(source_id=mark, limit=1)):
        raise Permanent(
            f"Something answers at {url}, but what is sent there does not arrive at this hub. "
            "Check where the proxy sends /in/, then retry; until then outcomes are found by "
            "asking Box."
        )
    store.integrations.set_remote(run.integration.id, {_REACHED: url})
    return True
