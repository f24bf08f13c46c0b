"""Faults in Salesforce's shapes: what a rule of kind `status` answers here.

`code` chooses: TotalRequests, ConcurrentRequests, any error code of Salesforce's, `html`, `empty`;
none: what fits the status.
"""

import json

from inkwire.providers.sandboxing import FaultAnswer

_TEXTS = {
    "INVALID_SESSION_ID": "Session expired or invalid",
    "SERVER_UNAVAILABLE": "The server is temporarily unavailable",
    "UNKNOWN_EXCEPTION": "An unexpected error occurred. Please include this ErrorId if you contact "
    "support: 1519487-12345 (-1234567)",
    "UNABLE_TO_LOCK_ROW": "unable to obtain exclusive access to this record or 1 records: "
    "001000000000000",
    "API_DISABLED_FOR_ORG": "API is not enabled for this Organization or Partner",
    "INSUFFICIENT_ACCESS_OR_READONLY": "insufficient access rights on object id",
    "ENTITY_IS_DELETED": "entity is deleted",
    "NOT_FOUND": "The requested resource does not exist",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A rule of the organisation refuses this",
    "STORAGE_LIMIT_EXCEEDED": "storage limit exceeded",
}
_LIMITS = {
    "TotalRequests": "TotalRequests Limit exceeded.",
    "ConcurrentRequests": "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
}
_OF_STATUS = {
    401: "INVALID_SESSION_ID",
    404: "NOT_FOUND",
    500: "UNKNOWN_EXCEPTION",
    502: "SERVER_UNAVAILABLE",
    503: "SERVER_UNAVAILABLE",
}
_HTML = (
    "<!doctype html><html><head><title>Service not available</title></head><body>"
    "<h1>We are down for maintenance.</h1></body></html>"
)


def shaped(path: str, status: int, code: str) -> FaultAnswer:
    """The answer to a call of `path`."""
    if code == "empty":
        return FaultAnswer(body=b"", content_type="text/plain")
    if code == "html":
        return FaultAnswer(body=_HTML.encode(), content_type="text/html;charset=UTF-8")
    if path.startswith("/services/oauth2"):
        body = {"error": code or "server_error", "error_description": "a fault of the sandbox"}
        return FaultAnswer(body=json.dumps(body).encode(), content_type="application/json")
    if code in _LIMITS or (not code and status in (403, 429)):
        message, code = _LIMITS.get(code, _LIMITS["TotalRequests"]), "REQUEST_LIMIT_EXCEEDED"
    else:
        code = code or _OF_STATUS.get(status, "UNKNOWN_EXCEPTION")
        message = _TEXTS.get(code, "A fault that was set in the sandbox")
    error: dict[str, object] = {"message": message, "errorCode": code}
    if status == 400:
        error["fields"] = []
    return FaultAnswer(
        body=json.dumps([error]).encode(), content_type="application/json;charset=UTF-8"
    )
