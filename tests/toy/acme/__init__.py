"""Acme, a vendor that does not exist: the smallest provider there can be, to copy from.

The check `tools/toy_provider.py` drops this folder in, beside the real providers and as somebody
else's distribution, and runs the contract suite on it both times.
"""

from inkwire.providers.contract import Provider

from .receive import AcmeReceiver

PROVIDER = Provider(
    name="acme",
    title="Acme",
    summary="Anvils that were ordered and anvils that fell.",
    receive=AcmeReceiver(),
    package=__name__,
)
