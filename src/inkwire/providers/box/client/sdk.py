"""The client by the managers of Box's SDK. They make the requests' shapes; `wire` sends them."""

import time
from collections.abc import Callable

from inkwire.providers.box.client import BoxCalling
from inkwire.providers.box.client.parts import Managers
from inkwire.providers.box.client.sdk_files import CHUNKED_ABOVE, SdkFiles
from inkwire.providers.box.client.sdk_folders import SdkFolders
from inkwire.providers.box.client.sdk_metadata import SdkMetadata
from inkwire.providers.box.client.sdk_sign import SdkSign


class SdkBoxClient(SdkFolders, SdkFiles, SdkMetadata, SdkSign):
    """`inkwire.providers.box.client.BoxClient` by the official SDK."""

    def __init__(
        self,
        calling: BoxCalling,
        *,
        chunked_above: int = CHUNKED_ABOVE,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`chunked_above`: bytes, and `sleep`: seconds; other ones are for tests."""
        self._box = Managers(calling)
        self._chunked_above = chunked_above
        self._sleep = sleep
