"""Build hook: no wheel without the vendored scripts, for its console would lack them."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDORED = ("htmx.min.js", "sse.min.js", "icons.svg")


class RequireAssets(BuildHookInterface):  # type: ignore[type-arg]
    """Refuses to build while a vendored asset is missing (an editable install is let through)."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by the builder before it collects files."""
        del build_data
        if version == "editable":
            return
        vendor = Path(self.root) / "src/inkwire/pages/static/vendor"
        missing = [name for name in VENDORED if not (vendor / name).is_file()]
        if missing:
            raise RuntimeError(f"{', '.join(missing)} missing in {vendor}: run `make assets` first")
