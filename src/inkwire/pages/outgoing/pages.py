"""Every page that the console and the portal share."""

from inkwire.pages.outgoing import catalogue, log, message, webhook_form, webhooks
from inkwire.pages.visit import Page

PAGES: tuple[Page, ...] = (
    *webhooks.PAGES,
    *webhook_form.PAGES,
    *log.PAGES,
    *message.PAGES,
    *catalogue.PAGES,
)
