"""What the console is built from."""

from inkwire.parts import Parts

__all__ = ["Parts"]
