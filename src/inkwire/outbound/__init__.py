"""Requests that leave the hub: the guard against internal addresses, and one guarded POST."""
