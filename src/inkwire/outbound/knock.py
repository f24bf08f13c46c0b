"""A knock at a public address: whether anything answers there."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from inkwire.errors import InkwireError

if TYPE_CHECKING:
    import requests

#: Seconds to connect, and to wait for an answer.
TIMEOUT_S = 5.0

#: (address) → "" if something answered, else in a few words why not.
Knock = Callable[[str], str]


def knocker(opened: "Callable[[tuple[str, ...]], requests.Session]") -> Knock:
    """Knocks through guarded sessions; `opened` makes one that may reach every public host."""

    def knock(url: str) -> str:
        import requests  # noqa: PLC0415 - only where somebody knocks

        try:
            with opened(()) as session:
                session.post(url, data=b"{}", timeout=TIMEOUT_S, allow_redirects=False).close()
        except InkwireError as error:
            return error.message
        except (requests.RequestException, OSError) as error:
            return f"it does not answer ({type(error).__name__})"
        return ""

    return knock
