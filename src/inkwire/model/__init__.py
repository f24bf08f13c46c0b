"""The words of Inkwire as values: frozen dataclasses and enums, no I/O."""
