"""What tests of the Box client share: a server that answers as told, and a client of it."""

from datetime import UTC, datetime

from fakes.box_server import BoxServer
from inkwire.providers.box.client import BoxCalling
from inkwire.providers.box.client.sdk import SdkBoxClient

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class HeldTokens:
    """Tokens that count how often another was asked for."""

    def __init__(self) -> None:
        self.refused: list[str | None] = []

    def access(self, *, refused: str | None = None) -> str:
        self.refused.append(refused)
        return "t2" if refused == "t1" or "t1" in self.refused else "t1"


class Kit:
    """A server, a client of it, and what the client recorded."""

    def __init__(self, sessions, **calling) -> None:
        self.server = BoxServer()
        self.tokens = HeldTokens()
        self.calls: list[dict] = []
        self.attention: list[str] = []
        self.slept: list[float] = []
        api, files = sessions
        self.calling = BoxCalling(
            **{
                "api_url": self.server.url,
                "upload_url": f"{self.server.url}/api",
                "tokens": self.tokens,
                "session": api,
                "files": files,
                "journal": lambda **call: self.calls.append(call),
                "now": lambda: NOW,
                "attention": lambda error: self.attention.append(error.message),
                **calling,
            }
        )
        self.box = SdkBoxClient(self.calling, chunked_above=1000, sleep=self.slept.append)

    def close(self) -> None:
        self.server.close()
