"""Receives webhooks: proves the sender, puts the request on disk, then answers.

    endpoint.py      the raw ASGI app for `/in/{source}`: one request from head to answer
    exchange.py      one HTTP exchange: what its head says, and how it is answered
    body.py          reads a body within bounds of size, time and memory
    receive.py       pure: request + source + now → what to store and answer, or a refusal
    group_commit.py  many requests, one transaction; each waiter hears its own outcome
    live_sources.py  the sources and opened secrets as this process knows them
    rejected_log.py  refused requests, queued in memory and written once a second
    replies.py       the answers, ready-made, and what an operator is told about each
    limits.py        backlog, disk reserve, and one timer for many equal waits
    metrics.py       plain counters

Nothing is acknowledged before it is on disk, and nothing an outsider sends makes a 500.
"""

from inkwire.ingest.endpoint import Ingest

__all__ = ["Ingest"]
