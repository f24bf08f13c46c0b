"""Inkwire: a self-hosted hub for signed events and signed documents."""

__version__ = "0.1.0"
