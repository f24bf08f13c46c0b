"""Services that read each thing once: for judging several configurations in one go."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from inkwire.engine.contract import Services
from inkwire.orders.desk import OrderDesk
from inkwire.store.contract import Store


def remembering(services: Services) -> Services:
    """`services` whose store and orders answer the same question once; for reading only."""
    return replace(
        services,
        store=cast("Store", _Parts(services.store)),
        orders=cast("OrderDesk", _Reads(services.orders)),
    )


class _Parts:
    """A store; each of its parts remembers what it was asked."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Reads] = {}

    def __getattr__(self, name: str) -> "_Reads":
        if name not in self._known:
            self._known[name] = _Reads(getattr(self._store, name))
        return self._known[name]


class _Reads:
    """Remembers what was asked of `inner` with hashable arguments by position, and the answer."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self._answers: dict[tuple[str, tuple[object, ...]], Any] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def asked(*args: object) -> Any:
            key = (name, args)
            if key not in self._answers:
                self._answers[key] = getattr(self._inner, name)(*args)
            return self._answers[key]

        return asked
