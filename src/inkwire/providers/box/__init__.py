"""Box: Webhooks V2, of files, folders and Box Sign."""

from inkwire.providers.box.auth import BoxConnector
from inkwire.providers.box.receive import BoxReceiver
from inkwire.providers.contract import Provider

PROVIDER = Provider(
    name="box",
    title="Box",
    summary="Webhooks V2 of files, folders and Box Sign, with two signature keys an application.",
    receive=BoxReceiver(),
    connect=BoxConnector(),
    package=__name__,
    sandbox=f"{__name__}.sandbox",
)
