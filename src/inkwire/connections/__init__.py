"""Connections: credentials for providers' APIs, their tokens and health.

`desk`: made, changed, deleted, checked. `calling`: clients, guarded sessions, the record of calls.
`tokens`: one token at a time, ahead of its end; `fetching` asks the vendor for it. `check`:
"Request authentication", scope by scope.
"""
