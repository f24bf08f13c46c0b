"""One folder per vendor: how it signs, what it sends, what it expects as an answer."""
