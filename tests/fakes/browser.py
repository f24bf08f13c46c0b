"""The browser that judges the pages: Debian's Chromium, without a word to the outside."""

import os

CHROMIUM = os.environ.get("INKWIRE_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
