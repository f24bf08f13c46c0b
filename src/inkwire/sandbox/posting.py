"""How the vendors of the sandbox send their webhooks."""

from collections.abc import Sequence

import aiohttp

#: Bytes of an answer that are read.
_FIRST = 64 * 1024


class Poster:
    """Sends POSTs; one per event loop, closed by its owner."""

    def __init__(self) -> None:
        """Opens its connections on first use."""
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self, url: str, *, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float
    ) -> int | None:
        """The answer's status; None if none came within `timeout_s` seconds."""
        answer = await self._sent(url, headers, body, timeout_s, 0)
        return answer[0] if answer else None

    async def exchange(
        self, url: str, *, headers: Sequence[tuple[str, str]], body: bytes, timeout_s: float
    ) -> tuple[int, bytes] | None:
        """The same with the first bytes of the answer's body."""
        return await self._sent(url, headers, body, timeout_s, _FIRST)

    async def _sent(
        self,
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        timeout_s: float,
        most: int,
    ) -> tuple[int, bytes] | None:
        """The answer's status and `most` bytes of its body at most."""
        if self._session is None:
            # A kept connection may be closed by the hub in the moment that it is used again.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(
                connector=connector, skip_auto_headers=("User-Agent",)
            )
        try:
            async with self._session.post(
                url,
                data=body,
                headers=dict(headers),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout_s),
            ) as answer:
                read = bytearray()
                while len(read) < most and (piece := await answer.content.readany()):
                    read += piece
                return answer.status, bytes(read[:most])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    async def close(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()
