"""Standard Webhooks: any sender that keeps to the specification, another Inkwire among them."""

from inkwire.providers.contract import Provider
from inkwire.providers.standardwebhooks.receive import StandardWebhooksReceiver

PROVIDER = Provider(
    name="standardwebhooks",
    title="Standard Webhooks",
    summary="Any sender that keeps to the specification: Svix and its users, or another Inkwire.",
    receive=StandardWebhooksReceiver(),
    package=__name__,
)
