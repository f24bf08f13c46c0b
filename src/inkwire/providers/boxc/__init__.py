"""BoxC: fulfilments, orders, shipments and manifests."""

from inkwire.providers.boxc.receive import BoxcReceiver
from inkwire.providers.contract import Provider

PROVIDER = Provider(
    name="boxc",
    title="BoxC",
    summary="Logistics: fulfilments, order exceptions, shipment labels and tracking, manifests.",
    receive=BoxcReceiver(),
    package=__name__,
)
