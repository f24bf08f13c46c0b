"""Box Sign orders: an order is sent for signature, and comes back signed, declined or expired.

- settings.py: what can be set, and what can be wrong with it
- request.py: the request run, PDFs → folder → upload → one sign request
- sending.py: that one sign request, never twice
- outcome.py: the outcome run, what Box says now and the order's status
- fetching.py: signed documents and signing log, onto the order
- upkeep.py: reconciliation, orphans, set-up by the clock
- folder.py, reaching.py: folder and webhook at Box, and whether Box can reach this hub
"""

from inkwire.integrations.box_sign_orders.kind import BoxSignOrders

INTEGRATION = BoxSignOrders()
