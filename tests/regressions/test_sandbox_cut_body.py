"""A body that breaks off was given to the vendor's routes as if it were whole."""

import socket
from urllib.parse import urlsplit

from fakes.crm import Org
from fakes.sandbox import SandboxProcess, until


def test_a_record_whose_request_broke_off_is_not_made(tmp_path):
    """What came is JSON by itself, but shorter than it was announced."""
    with SandboxProcess(tmp_path) as sandbox:
        org = Org(sandbox)
        split = urlsplit(org.base)
        head = (
            f"POST {split.path}/sobjects/Account HTTP/1.1\r\nhost: {split.netloc}\r\n"
            f"authorization: {org.session.headers['authorization']}\r\n"
            "content-type: application/json\r\ncontent-length: 100\r\n\r\n"
        )
        with socket.create_connection((split.hostname, split.port)) as connection:
            connection.sendall(head.encode() + b'{"Name": "Cut"}')
        until(lambda: any("sobjects/Account" in name for name in sandbox.counts()))
        assert sandbox.records("Account") == []
        assert org.account("Whole")
