"""Presigned Box deliveries as bytes, made before the clock starts."""

import base64
import hmac
import json
from datetime import UTC, datetime

KEY = b"bench-primary-key-0123456789"
SOURCE = "bench"

_EVENT = {
    "type": "webhook_event",
    "id": "",
    "created_at": "2026-11-22T12:00:00-08:00",
    "trigger": "FILE.UPLOADED",
    "webhook": {"id": "17", "type": "webhook"},
    "created_by": {
        "type": "user",
        "id": "8290188973",
        "name": "Jane Doe",
        "login": "jane@example.com",
    },
    "source": {
        "id": "73835521473",
        "type": "file",
        "file_version": {"type": "file_version", "id": "78096737033", "sha1": "2c61623e86bee78e"},
        "sequence_id": "0",
        "etag": "0",
        "sha1": "2c61623e86bee78e6ab444af456bccc7a1164095",
        "name": "contract.pdf",
        "description": "x" * 640,
        "size": 26458,
        "created_at": "2026-11-22T12:00:00-08:00",
        "modified_at": "2026-11-22T12:00:00-08:00",
        "created_by": {"type": "user", "id": "8290188973", "name": "Jane Doe"},
        "parent": {"type": "folder", "id": "2614853901", "sequence_id": "4", "name": "Signed"},
        "item_status": "active",
    },
    "additional_info": [],
}


def box_requests(count: int, *, prefix: str) -> list[bytes]:
    """`count` signed POSTs, each another event of about 1.5 KB; `prefix` keeps runs apart."""
    stamp = datetime.now(UTC).isoformat(timespec="seconds").encode()
    before, after = json.dumps(_EVENT | {"id": "@"}).encode().split(b'"@"')
    requests = []
    for number in range(count):
        event_id = f"{prefix}-{number:08d}".encode()
        body = b'%s"%s"%s' % (before, event_id, after)
        signature = base64.b64encode(hmac.digest(KEY, body + stamp, "sha256"))
        requests.append(
            b"POST /in/%s HTTP/1.1\r\nHost: hub.example.com\r\n"
            b"User-Agent: Box-WH-Client/0.1\r\nContent-Type: application/json; charset=utf-8\r\n"
            b"Accept-Encoding: gzip\r\nBOX-DELIVERY-ID: %s\r\nBOX-DELIVERY-TIMESTAMP: %s\r\n"
            b"BOX-SIGNATURE-VERSION: 1\r\nBOX-SIGNATURE-ALGORITHM: HmacSHA256\r\n"
            b"BOX-SIGNATURE-PRIMARY: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (SOURCE.encode(), event_id, stamp, signature, len(body), body)
        )
    return requests
