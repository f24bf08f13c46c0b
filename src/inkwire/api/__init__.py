"""The HTTP API under `/v1`: request, call, answer."""
