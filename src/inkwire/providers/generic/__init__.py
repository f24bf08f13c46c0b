"""Any sender that signs with HMAC-SHA256, by settings; recipes for some well-known ones."""

from inkwire.providers.contract import Provider
from inkwire.providers.generic.receive import GenericReceiver
from inkwire.providers.generic.recipes import RECIPES

PROVIDER = Provider(
    name="generic",
    title="Generic HMAC",
    summary="Any sender that signs with HMAC-SHA256: GitHub, Stripe, Shopify, DocuSign, PandaDoc "
    "and others.",
    receive=GenericReceiver(),
    recipes=RECIPES,
    package=__name__,
)
