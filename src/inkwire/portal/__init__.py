"""An application's own pages: its webhooks and what was sent to them, also in a frame of its site.

The pages are the ones of `inkwire.pages.outgoing`; here stand the frame around them and the door.
"""
