"""Sending: who subscribes to what, messages, deliveries and their attempts."""
