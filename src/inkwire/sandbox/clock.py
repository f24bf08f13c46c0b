"""The sandbox's clock: the machine's, set off by a skew and moved forward at will."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from inkwire.providers.sandboxing import Documents


def machine() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)


class MovableClock:
    """Two times: `wall` as the vendor's servers show it, `now` that moves ahead of it.

    They differ because a receiver checks signatures against its own clock: a day that is skipped
    here must expire what waits, and must not make every signature a day wrong.
    """

    def __init__(self, state: Documents, *, base: Callable[[], datetime] = machine) -> None:
        """`state` keeps the shifts; `base`: what is shifted."""
        self._state = state
        self._base = base
        kept = state.get("clock", "shift") or {}
        self._advanced = timedelta(seconds=kept.get("advanced_s", 0))
        self._skew = timedelta(seconds=kept.get("skew_s", 0))

    def now(self) -> datetime:
        """The moved time: everything that waits, expires or is dated goes by it."""
        return self.wall() + self._advanced

    def wall(self) -> datetime:
        """What the vendor's servers show."""
        return self._base() + self._skew

    def move(self, *, advance_s: float = 0, skew_s: float | None = None) -> None:
        """Moves `now` by `advance_s`; sets `wall` that far off the machine's if `skew_s` is given.

        Raises ValueError beyond a hundred years.
        """
        advanced = self._advanced.total_seconds() + advance_s
        skew = self._skew.total_seconds() if skew_s is None else skew_s
        if not (abs(advanced) <= _MOST_S and abs(skew) <= _MOST_S):
            raise ValueError("the clock moves by a hundred years at most")
        self._state.put("clock", "shift", {"advanced_s": advanced, "skew_s": skew})
        self._advanced, self._skew = timedelta(seconds=advanced), timedelta(seconds=skew)

    def shown(self) -> dict[str, object]:
        """As `GET /_sandbox/clock` answers."""
        return {
            "now": self.now().isoformat(),
            "wall": self.wall().isoformat(),
            "advanced_s": self._advanced.total_seconds(),
            "skew_s": self._skew.total_seconds(),
        }


_MOST_S = 100 * 366 * 86_400
