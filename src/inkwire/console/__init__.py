"""The console: server-made pages for the people who run this hub; they work without script.

app.py          the ASGI app: routes, who may come in, errors as pages
door.py         cookies, CSRF tokens and the origin of a form; headers.py what every answer carries
visit.py        one request with its user, and what a handler may do with it
signin.py overview.py events.py event_page.py live.py rejected.py sources.py
new_source.py administration.py account.py
                pages by subject; each module names its pages in PAGES
orders.py order_page.py order_edit.py order_files.py statuses.py templates_page.py
                what is to be signed: list, page, forms, documents and evidence, statuses, templates
order_words.py order_timeline.py order_forms.py template_errors.py
                pure: how those are said, what comes next, forms to drafts and back
words.py times.py timeline.py bodies.py forms.py
                pure: states, reasons, times, timelines, bodies and fields as a person reads them
views.py        what templates are given, as frozen dataclasses
templates/ static/
"""
