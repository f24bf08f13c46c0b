"""BoloSign (BoloForms Signature): forms, PDF documents and templates that get signed."""

from inkwire.providers.bolosign.receive import BolosignReceiver
from inkwire.providers.contract import Provider

PROVIDER = Provider(
    name="bolosign",
    title="BoloSign",
    summary="Forms, PDF documents and templates that were viewed, signed or completed.",
    receive=BolosignReceiver(),
    package=__name__,
)
