"""The sandbox's Salesforce as tests call it: plain HTTP, without a client of ours."""

import json
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter

from fakes.sandbox import SandboxProcess

VERSION = "66.0"


class Org:
    """One caller of the sandbox's Salesforce."""

    def __init__(self, sandbox: SandboxProcess) -> None:
        """Gets a token by client credentials."""
        self.sandbox = sandbox
        self.app = sandbox.salesforce
        self.session = requests.Session()
        self.base = f"{sandbox.url}/services/data/v{VERSION}"
        self.log_in()

    def log_in(self) -> dict[str, Any]:
        """A new token; the endpoint's reply."""
        reply = self.token(grant_type="client_credentials").json()
        self.session.headers["authorization"] = f"Bearer {reply['access_token']}"
        return reply

    def token(self, **form: str) -> requests.Response:
        """POST /services/oauth2/token, as the ready-made application unless named otherwise."""
        keys = {name: self.app[name] for name in ("client_id", "client_secret")}
        url = f"{self.sandbox.url}/services/oauth2/token"
        return requests.post(url, data=keys | form, timeout=30)

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """A call below `/services/data/v66.0`."""
        return self.session.request(method, self.base + path, json=body, timeout=60, **more)

    def create(self, name: str, **fields: Any) -> str:
        """A new record's id."""
        answer = self.call("POST", f"/sobjects/{name}", fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def account(self, name: str = "Acme") -> str:
        """A new Account."""
        return self.create("Account", Name=name)

    def deal(self, account: str | None = None, **fields: Any) -> str:
        """A new Opportunity."""
        first = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
        return self.create("Opportunity", **first, AccountId=account, **fields)

    def get(self, name: str, record_id: str, *fields: str) -> dict[str, Any]:
        """A record's fields."""
        query = f"?fields={','.join(fields)}" if fields else ""
        return dict(self.call("GET", f"/sobjects/{name}/{record_id}{query}").json())

    def query(self, soql: str, path: str = "/query") -> requests.Response:
        """GET /query."""
        return self.call("GET", f"{path}?q={quote(soql)}")

    def found(self, soql: str, path: str = "/query") -> list[dict[str, Any]]:
        """The records of a query of one page, without attributes."""
        answer = self.query(soql, path)
        assert answer.status_code == 200, answer.text
        return [
            {name: value for name, value in one.items() if name != "attributes"}
            for one in answer.json()["records"]
        ]

    def upload(
        self, content: bytes = b"%PDF-", path: str = "MSA.pdf", **fields: Any
    ) -> requests.Response:
        """POST /sobjects/ContentVersion as multipart."""
        entity = json.dumps({"PathOnClient": path, **fields})
        parts = [
            ("entity_content", (None, entity, "application/json")),
            ("VersionData", (path, content, "application/octet-stream")),
        ]
        url = f"{self.base}/sobjects/ContentVersion"
        return self.session.post(url, files=parts, timeout=60)

    def file(self, content: bytes = b"%PDF-", **fields: Any) -> tuple[str, str]:
        """A new version's id and its document's."""
        answer = self.upload(content, **fields)
        assert answer.status_code == 201, answer.text
        version = answer.json()["id"]
        return version, self.get("ContentVersion", version, "ContentDocumentId")[
            "ContentDocumentId"
        ]


def error(answer: requests.Response) -> tuple[int, str, str]:
    """Status, code and message of a refusal, which is always an array of one."""
    (only,) = answer.json()
    return answer.status_code, only["errorCode"], only["message"]


def fields_of(answer: requests.Response) -> list[str] | None:
    """The fields that a refusal names; None if it has no such member."""
    found = answer.json()[0].get("fields")
    return None if found is None else list(found)


class Plain(HTTPAdapter):
    """Speaks http where the client, which knows https only, wants the sandbox."""

    def __init__(self, sandbox):
        super().__init__()
        self.address = sandbox.url.removeprefix("http://")

    def send(self, request, *args, **more):
        """To the sandbox, whatever host is named."""
        rest = request.url.removeprefix("https://").partition("/")[2]
        request.url = f"http://{self.address}/{rest}"
        return super().send(request, *args, **more)
