"""The real `inkwire sandbox` as a process, and a plain receiver of its webhooks."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import requests

PATIENCE_S = 60.0


class SandboxProcess:
    """Starts the sandbox on its state in `folder`, and speaks to its `/_sandbox` API."""

    def __init__(self, folder: Path, port: int = 0, *, clock_file: Path | None = None) -> None:
        """`port`: 0 for any free one, which is kept over `restart`."""
        self.folder = folder
        self.port = port
        self.clock_file = clock_file
        self.session = requests.Session()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the process and waits until it answers."""
        command = [sys.executable, "-m", "inkwire", "sandbox", "--json-ready"]
        command += ["--port", str(self.port), "--data-dir", str(self.folder)]
        if self.clock_file is not None:
            command += ["--clock-file", str(self.clock_file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the sandbox ended before it was ready"
        self.ready: dict[str, Any] = json.loads(line)
        self.url: str = self.ready["url"]
        self.port = int(self.url.rpartition(":")[2])
        #: The ready-made application: client_id, client_secret, console_file, primary_key …
        self.box: dict[str, Any] = self.ready["box"]
        #: The ready-made application: base_url, client_id, client_secret, organization_id, username.
        self.salesforce: dict[str, Any] = self.ready["salesforce"]

    def stop(self) -> None:
        """Ends it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it with kill -9."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        self.session.close()
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call of `/_sandbox{path}`; the JSON of its answer. Raises requests.HTTPError."""
        answer = self.session.request(method, f"{self.url}/_sandbox{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def advance(self, seconds: float) -> None:
        """Moves what waits, expires and is dated; signatures stay at the machine's time."""
        self.call("POST", "/clock", {"advance_s": seconds})

    def fault(self, **rule: Any) -> str:
        """Sets a fault; returns its id. See `docs/how-to/sandbox.md`."""
        return str(self.call("POST", "/faults", rule)["id"])

    def clear_faults(self) -> None:
        """Everything works again."""
        self.call("DELETE", "/faults")

    def counts(self) -> dict[str, int]:
        """`POST /2.0/sign_requests` → calls seen."""
        return dict(self.call("GET", "/journal")["counts"])

    def calls(self) -> list[dict[str, Any]]:
        """Calls seen, newest first."""
        return list(self.call("GET", "/journal")["calls"])

    def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        """Mails sent, newest first."""
        return list(self.call("GET", "/mails" + (f"?to={to}" if to else "")))

    def deliveries(self) -> list[dict[str, Any]]:
        """Webhook deliveries, newest first."""
        return list(self.call("GET", "/deliveries"))

    def sign_requests(self) -> list[dict[str, Any]]:
        """Sign requests as the sandbox keeps them, newest first."""
        return list(self.call("GET", "/sign"))

    def sign(self, sign_request_id: str, action: str = "sign", **more: Any) -> dict[str, Any]:
        """Views, signs, declines, expires, … without a browser."""
        body = {"action": action, **more}
        return dict(self.call("POST", f"/sign/{sign_request_id}", body))

    def change_app(self, **changed: Any) -> None:
        """Scopes, rights, authorisation or keys of the ready-made application."""
        self.call("PATCH", f"/apps/{self.box['client_id']}", changed)

    def add_record(self, name: str, *, late_s: float = 0, **fields: Any) -> dict[str, Any]:
        """A record of Salesforce, made by Sam Sales; `late_s`: stamped now, seen that much later."""
        body = {"fields": fields, "late_s": late_s}
        return dict(self.call("POST", f"/salesforce/records/{name}", body))

    def change_record(
        self, name: str, record_id: str, *, late_s: float = 0, **fields: Any
    ) -> dict[str, Any]:
        """Changes a record of Salesforce as Sam Sales."""
        body = {"fields": fields, "late_s": late_s}
        return dict(self.call("PATCH", f"/salesforce/records/{name}/{record_id}", body))

    def delete_record(self, name: str, record_id: str) -> None:
        """Moves a record of Salesforce to the recycle bin."""
        self.call("DELETE", f"/salesforce/records/{name}/{record_id}")

    def records(self, name: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        """Records of a Salesforce object, oldest first."""
        found = self.call("GET", f"/salesforce/records/{name}")
        return [one for one in found if deleted or not one["IsDeleted"]]

    def crm_files(self) -> list[dict[str, Any]]:
        """Versions of files in Salesforce, each with the `LinkedEntityIds` of its document."""
        return list(self.call("GET", "/salesforce/files"))

    def pace(self, **seconds: float) -> None:
        """`convert_s`, `finalize_s`, `ready_after_s`."""
        self.call("POST", "/pace", seconds)

    def box_upload(self, name: str = "", content: bytes = b"", **where: Any) -> dict[str, Any]:
        """A person puts a file into `folder`, or a new version of `file`; the file as Box tells.

        `user`: who, an id or login; without one, the owner. `size`: bytes made up, for large ones.
        """
        answer = self.session.post(
            f"{self.url}/_sandbox/box/upload", params={"name": name, **where}, data=content,
            timeout=120,
        )  # fmt: skip
        answer.raise_for_status()
        return dict(answer.json())

    def box_do(self, deed: str, item: str, **more: Any) -> dict[str, Any]:
        """A person does something with `file:ID` or `folder:ID`: `lock`, `move`, `preview`, ….

        `user` as in `box_upload`; the rest by the deed: see `docs/how-to/sandbox.md`.
        """
        return dict(self.call("POST", "/box/do", {"do": deed, "item": item, **more}))

    def box_template(self, key: str, *fields: str) -> None:
        """A metadata template with text fields, as the enterprise's admin makes it."""
        self.call("POST", "/box/templates", {"key": key, "fields": list(fields)})

    def box_tree(self) -> list[dict[str, Any]]:
        """Every item that there is, with versions, metadata and collaborations."""
        return list(self.call("GET", "/box/tree"))


class Receiver:
    """Takes webhooks on a port of its own; answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        #: Statuses of the next answers; 200 when there are none left.
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append((dict(self.headers.items()), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/in/box"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()

    def bodies(self) -> list[dict[str, Any]]:
        """What came, in order, as JSON."""
        return [json.loads(body) for _, body in self.got]

    def triggers(self) -> list[str]:
        """The triggers of what came, in order."""
        return [body["trigger"] for body in self.bodies()]


def until(found: Callable[[], Any], *, seconds: float = PATIENCE_S) -> Any:
    """Asks until the answer is true."""
    ends = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < ends, "it did not come to that"
        time.sleep(0.02)
    return answer
