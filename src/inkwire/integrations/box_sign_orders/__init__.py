"""Box Sign orders: an order is sent for signature, and comes back signed, declined or expired.

settings.py  what can be set, and what can be wrong with it
request.py   the request run: PDFs → folder → upload → one sign request
sending.py   that one sign request, never twice
outcome.py   the outcome run: status, signed documents, signing log
upkeep.py    reconciliation, orphans, the webhook on the folder
"""

from inkwire.integrations.box_sign_orders.kind import BoxSignOrders

INTEGRATION = BoxSignOrders()
