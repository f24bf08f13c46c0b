"""Locks of Accounts: a write of a child locks its Account, as at Salesforce."""

import asyncio
from collections.abc import Iterable

#: Real seconds that a writer waits for a lock, as Salesforce does; a control can change it.
WAIT_S = 10.0
_LOOK_S = 0.005


class Busy(Exception):
    """Somebody else's transaction holds one of these Accounts."""

    def __init__(self, accounts: set[str]) -> None:
        """`accounts`: their ids."""
        super().__init__("locked")
        self.accounts = accounts


class Locks:
    """Which Accounts are held, and for how long. In memory: a killed process holds none."""

    def __init__(self) -> None:
        """Nothing is held; writes take no time."""
        self.write_s = 0.0
        self.wait_s = WAIT_S
        self._held: dict[str, int] = {}

    def busy(self, accounts: Iterable[str]) -> set[str]:
        """Those of the accounts that are held."""
        return {one for one in accounts if self._held.get(one)}

    def hold(self, accounts: Iterable[str]) -> None:
        """Somebody's transaction begins."""
        for one in accounts:
            self._held[one] = self._held.get(one, 0) + 1

    def free(self, accounts: Iterable[str]) -> None:
        """It ends."""
        for one in accounts:
            left = self._held.get(one, 0) - 1
            if left > 0:
                self._held[one] = left
            else:
                self._held.pop(one, None)

    def held(self) -> list[str]:
        """Accounts that are held now."""
        return sorted(self._held)

    async def wait(self, accounts: set[str], until: float) -> bool:
        """Waits until all are free; False if the loop's time `until` came first."""
        loop = asyncio.get_running_loop()
        while self.busy(accounts):
            if loop.time() >= until:
                return False
            await asyncio.sleep(_LOOK_S)
        return True
