"""Pages of webhooks and of what was sent to them: the operator's over all, an application's own.

Who sees what is the caller's: the desks and the log scope every call by its application.
"""
