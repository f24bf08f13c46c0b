"""Names of files at Box (box.md §3): nothing that Box refuses, and nothing lost. Pure."""

import re

#: Characters; Box takes 255.
_MOST = 200
_BAD = re.compile(r'[/\\<>:|?*"\x00-\x1f\x7f]+')


def pdf_name(number: str, template: str) -> str:
    """`1042 Order confirmation.pdf`; what Box does not take becomes `-`."""
    cleaned = _BAD.sub("-", f"{number} {template}")
    cleaned = "".join(char for char in cleaned if char.isprintable()).strip(" .")[:_MOST].strip()
    return f"{cleaned or 'order'}.pdf"


def with_number(name: str, number: int) -> str:
    """`name (2).pdf` from the second on."""
    return name if number == 1 else f"{name.removesuffix('.pdf')} ({number}).pdf"
